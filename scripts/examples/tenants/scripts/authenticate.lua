-- Several customers, each in a realm of its own: clients need not know which,
-- and join with an empty realm. Users are joe@acme and joe@globex.
--
-- In usher.yaml:
--   authenticator: com.example.authenticate
--   authenticator-realm: login
--   realms: [acme, globex]
--
-- Safe because the realm follows from the user whose ticket was right, never
-- from what the client asks for, and because the router itself holds this script
-- to the realms of the list. What realms share is nothing: no topic, no
-- procedure, no kv.

router.join { realm = "login", authrole = "authenticator" }

-- Which realm each user belongs to, with tickets from the environment.
local users = {
  ["joe@acme"]   = { ticket = env.get "ACME_JOE", realm = "acme", role = "member" },
  ["joe@globex"] = { ticket = env.get "GLOBEX_JOE", realm = "globex", role = "member" },
}

local nobody = {}

router.authenticator("com.example.authenticate", function(request)
  local user = users[request.authid] or nobody
  if not crypto.equal(request.ticket, user.ticket) then
    return nil, "com.example.invalid_ticket", "wrong ticket, or no such user"
  end
  if request.realm and request.realm ~= user.realm then
    return nil, "com.example.wrong_realm", "this is not your realm: ask for none"
  end
  return { realm = user.realm, role = user.role }
end)
