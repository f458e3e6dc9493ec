test.env { ACME_JOE = "acme's", GLOBEX_JOE = "globex's" }

local function login(authid, ticket, realm)
  return test.authenticate(test.request { authid = authid, ticket = ticket, realm = realm or null })
end

each({
  { "joe@acme", "acme's", "acme" },
  { "joe@globex", "globex's", "globex" },
}, "leads {1} to its realm", function(authid, ticket, realm)
  local joins = { accepted = true, authid = authid, role = "member", realm = realm }
  expect(login(authid, ticket)):to_equal(joins)
  expect(login(authid, ticket, realm)):to_equal(joins)
end)

it("lets nobody into the realm of others", function()
  expect(login("joe@acme", "acme's", "globex").uri):to_be("com.example.wrong_realm")
  expect(login("joe@acme", "acme's", "login").uri):to_be("com.example.wrong_realm")
end)

each({
  { "joe@acme", "globex's" },
  { "joe@globex", "acme's" },
  { "joe@acme", "" },
  { "joe", "acme's" },
  { "joe@", "" },
}, "refuses {1} with the ticket {2}", function(authid, ticket)
  expect(login(authid, ticket).uri):to_be("com.example.invalid_ticket")
end)
