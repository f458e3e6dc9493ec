router.join { realm = "realm1", authrole = "authenticator" }
local lib = require "lib.x"
router.authenticator("com.example.authenticate", function(request)
  local answer, why = http.get("https://users.example.com/" .. request.authid)
  if not answer then error("no answer: " .. why) end
  if answer.status == 404 then return nil, "com.example.no_such_user", "no" end
  kv.incr("asked", 1, 60)
  return { role = answer.json().role, extra = { asked = kv.get("asked"), at = os.time(), l = {1,2,3} } }
end)
