-- Keeps the users. ADMIN_PASSWORD makes the first of them, called admin:
--
--   ADMIN_PASSWORD=… usher serve
--   export USHER_SECRET=… # the same
--   usher call --authmethod wamp-scram --authid admin com.example.set_password '"joe"' '"a password"' '"frontend"'
--
-- In usher.yaml:
--   env: [ADMIN_PASSWORD]
--   kv: {file: kv.db}
--
-- Safe because the router says who calls: everybody may change a password of
-- their own, and only an admin others' passwords and roles. The password itself
-- is forgotten when the call ends.

router.join { realm = "realm1", authrole = "backend" }

local users = require "lib.users"

local roles = { frontend = true, admin = true }

-- set_password(authid, password, role)
router.register("com.example.set_password", function(args, kwargs, details)
  local authid, password, role = args[1], args[2], args[3]
  if type(authid) ~= "string" or type(password) ~= "string" or #password < 8 then
    error(router.error("wamp.error.invalid_argument", { "want an authid and a password of at least 8 bytes" }))
  end
  local user = users.find(authid)
  if details.caller_authrole == "admin" and roles[role] then
    users.set(authid, password, role)
  elseif user and details.caller_authid == authid and not role then
    users.set(authid, password, user.role)
  else
    error(router.error("com.example.not_yours", { "only an admin may do that" }))
  end
end)

router.on_ready(function()
  local password = env.get "ADMIN_PASSWORD"
  if password and not users.find "admin" then
    users.set("admin", password, "admin")
  end
  log.info "users are ready"
end)
