-- Tickets: the function that decides is made by another one, from what it is given.
router.join { realm = "realm1", authrole = "authenticator" }

local function create_authenticator(config)
  return function(request)
    local ticket = config.tickets[request.authid]
    if not ticket then
      return nil, "com.example.no_such_user", "could not authenticate session - no such principal " .. request.authid
    end
    if not crypto.equal(request.ticket, ticket) then
      return nil, "com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal " .. request.authid
    end
    return config.role
  end
end

router.authenticator("com.example.authenticate", create_authenticator {
  role = "frontend",
  tickets = { joe = "secret!!!", client2 = "123sekret" },
})
