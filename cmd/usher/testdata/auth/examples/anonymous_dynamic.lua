-- Anonymous clients get a role, and something to read.
router.join { realm = "realm1", authrole = "authenticator" }

router.authenticator("com.example.authenticate", function(request)
  if not request.transport.http_headers_received["user-agent"] then
    return nil, "com.example.no_agent", "who are you?"
  end
  return { role = "frontend", authid = "somebody", extra = { eins = "zwo", drei = { 4, 5, 6 } } }
end)
