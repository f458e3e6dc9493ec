-- Passwords in a database, which users.lua keeps.
--
-- In usher.yaml:
--   sql:
--     users: {driver: sqlite, file: users.db}
--     # users: {driver: postgres, dsn_env: USERS_DSN}
--
-- Safe because the database has Argon2id hashes only, because what clients send
-- is never a part of the statement, and because users who do not exist cost as
-- much time as wrong passwords.

router.join { realm = "realm1", authrole = "authenticator" }

local db = sql.open "users"

-- Stands for whoever is not in the table. Nobody knows what it is the hash of.
local nobody = { hash = "$argon2id$v=19$m=19456,t=2,p=1$RoM1YpXUPFlBOzESGiRo4Q$W31A0/SkIdF5g3TOSBLTVAN7g/qE93Gh0gMfMHUYq0o" }

router.authenticator("com.example.authenticate", function(request)
  local user = db:query_row("SELECT hash, role FROM users WHERE authid = $1", request.authid) or nobody
  if not crypto.argon2id_verify(request.ticket, user.hash) or user == nobody then
    return nil, "com.example.invalid_ticket", "wrong password, or no such user"
  end
  return user.role
end)
