-- Tickets for several realms: each user has one, which need not be asked for.
router.join { realm = "realm-auth", authrole = "authenticator" }

local principals = {
  user1 = { realm = "realm-user1", role = "user", ticket = "123secret" },
  user2 = { realm = "realm-user2", role = "user", ticket = "456secret" },
}

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user", "could not authenticate session - no such principal " .. request.authid
  end
  if not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal " .. request.authid
  end
  if request.realm and request.realm ~= principal.realm then
    return nil, "com.example.invalid_realm", ("user %s should join %s, not %s"):format(request.authid, principal.realm, request.realm)
  end
  return { realm = principal.realm, role = principal.role, extra = { ["my-custom-welcome-data"] = { 1, 2, 3 } } }
end)
