-- Decides who may log in with a ticket, and under which role.
--
-- The router asks the function below about each login. Save this file while the
-- router runs, and the next login is judged by what you wrote.

router.join { realm = "realm1", authrole = "authenticator" }

-- client1's ticket comes from the environment of the router. Where MYTICKET is
-- not set, client1 cannot log in.
local principals = {
  joe     = { ticket = "secret!!!", role = "frontend" },
  client1 = { ticket = os.getenv "MYTICKET", role = "frontend" },
  client2 = { ticket = "123sekret", role = "frontend" },
}

router.authenticator("com.example.authenticate", function(request)
  -- What a script prints goes to the router's log, where the ticket of the
  -- request shows as ***.
  print(("WAMP-Ticket dynamic authenticator invoked: realm='%s', authid='%s', ticket='%s'"):format(
    tostring(request.realm), request.authid, request.ticket))

  local transport = request.transport
  print(("details: session=%d, protocol=%s, peer=%s, user-agent=%s"):format(
    request.session, tostring(transport.protocol), tostring(transport.peer),
    tostring(transport.http_headers_received["user-agent"])))

  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user",
      ("could not authenticate session - no such principal %s"):format(request.authid)
  end
  -- crypto.equal takes the same time whatever differs, and is false for nil.
  if not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket",
      ("could not authenticate session - invalid ticket '%s' for principal %s"):format(request.ticket, request.authid)
  end
  return principal.role
end)

router.on_ready(function()
  print("WAMP-Ticket dynamic authenticator registered!")
end)
