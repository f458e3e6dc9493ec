-- Users and their keys, in kv: "user." and the name.

local users = {}

-- Returns role, kdf, salt, iterations, memory, stored_key and server_key, or nil.
function users.find(authid)
  local text = kv.get("user." .. authid)
  return text and json.decode(text)
end

-- Keeps what a password comes to, and nothing from which it follows. (Clients of
-- Crossbar.io, who call the method scram, need kdf = "argon2id-13", here and below.)
function users.set(authid, password, role)
  local user = crypto.scram_keys { password = password }
  user.role = role
  kv.set("user." .. authid, json.encode(user))
end

-- Makes up a user who looks like others, with the same salt each time, and whose
-- keys nobody knows.
function users.decoy(authid)
  kv.add("decoy", crypto.random_text())
  local salt = crypto.hmac("sha256", kv.get "decoy", authid):sub(1, 16)
  return {
    role = "frontend",
    kdf = "argon2id13",
    iterations = 2,
    memory = 19456,
    salt = crypto.base64_encode(salt),
    stored_key = router.binary(crypto.random(32)),
    server_key = router.binary(crypto.random(32)),
  }
end

return users
