-- Decides who may log in with a ticket. Save this file and the next login is
-- judged by it: nobody who is logged in notices.
router.join { realm = "realm1", authrole = "authenticator" }

local principals = {
  alice = { ticket = "{{ticket}}", role = "frontend" },
  bob   = { ticket = "{{ticket}}", role = "frontend" },
}

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal or not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket", "wrong ticket, or no such principal"
  end
  return principal.role
end)
