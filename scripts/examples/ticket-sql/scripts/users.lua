-- Keeps the users. ADMIN_PASSWORD makes the first of them, called admin:
--
--   ADMIN_PASSWORD=… usher serve
--   export USHER_TICKET=… # the same
--   usher call --authid admin com.example.set_password '"joe"' '"a password"' '"frontend"'
--
-- In usher.yaml:
--   env: [ADMIN_PASSWORD]
--
-- Safe because the router says who calls: everybody may change a password of
-- their own, and only an admin others' passwords and roles.

router.join { realm = "realm1", authrole = "backend" }

local db = sql.open "users"

local roles = { frontend = true, admin = true }

-- set_password(authid, password, role)
router.register("com.example.set_password", function(args, kwargs, details)
  local authid, password, role = args[1], args[2], args[3]
  if type(authid) ~= "string" or type(password) ~= "string" or #password < 8 then
    error(router.error("wamp.error.invalid_argument", { "want an authid and a password of at least 8 bytes" }))
  end
  local hash = crypto.argon2id_hash(password)

  if details.caller_authrole == "admin" and roles[role] then
    db:exec([[
      INSERT INTO users (authid, hash, role) VALUES ($1, $2, $3)
      ON CONFLICT (authid) DO UPDATE SET hash = $2, role = $3]], authid, hash, role)
  elseif details.caller_authid == authid and not role then
    db:exec("UPDATE users SET hash = $2 WHERE authid = $1", authid, hash)
  else
    error(router.error("com.example.not_yours", { "only an admin may do that" }))
  end
end)

router.on_ready(function()
  db:exec [[
    CREATE TABLE IF NOT EXISTS users (
      authid TEXT PRIMARY KEY,
      hash   TEXT NOT NULL,
      role   TEXT NOT NULL
    )]]
  local password = env.get "ADMIN_PASSWORD"
  if password then
    db:exec([[
      INSERT INTO users (authid, hash, role) VALUES ('admin', $1, 'admin')
      ON CONFLICT (authid) DO NOTHING]], crypto.argon2id_hash(password))
  end
  log.info "users are ready"
end)
