-- Tickets: a role for who presents the right one.
router.join { realm = "realm1", authrole = "authenticator" }

local principals = {
  joe     = { ticket = "secret!!!", role = "frontend" },
  client2 = { ticket = "123sekret", role = "frontend" },
}

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user", "could not authenticate session - no such principal " .. request.authid
  end
  if not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal " .. request.authid
  end
  return principal.role
end)
