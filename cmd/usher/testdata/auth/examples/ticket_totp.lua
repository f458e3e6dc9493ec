-- Tickets that are codes of the moment (RFC 6238).
router.join { realm = "realm1", authrole = "authenticator" }

local principals = {
  tobias1 = { seed = "TOTP_SECRET", role = "frontend" },
}

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user", "could not authenticate session - no such principal " .. request.authid
  end
  if not crypto.totp_verify(principal.seed, request.ticket) then
    return nil, "com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal " .. request.authid
  end
  return principal.role
end)
