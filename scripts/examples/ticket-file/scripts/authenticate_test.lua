local function login(authid, ticket)
  return test.authenticate(test.request { authid = authid, ticket = ticket })
end

it("admits who has the ticket, until it expires", function()
  expect(login("joe", "secret!!!")):to_equal {
    accepted = true, authid = "joe", role = "frontend", realm = "realm1",
    expires_at = time.parse "2099-12-31T23:59:59Z",
  }
end)

each({
  { "joe", "secret!!" },
  { "joe", "" },
  { "joe", require("data.tickets").joe.sha256 },
  { "mallory", "secret!!!" },
  { "mallory", "" },
}, "refuses {1} with the ticket {2}", function(authid, ticket)
  expect(login(authid, ticket)):to_equal {
    accepted = false,
    uri = "com.example.invalid_ticket",
    message = "wrong ticket, or no such user",
  }
end)

it("refuses a ticket that has expired", function()
  test.time "2100-01-01T00:00:00Z"
  expect(login("joe", "secret!!!").uri):to_be("com.example.expired_ticket")
end)
