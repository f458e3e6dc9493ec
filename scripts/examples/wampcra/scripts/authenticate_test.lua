local function login(authid, password)
  return test.authenticate(test.request { authid = authid, secret = password })
end

it("admits who has the password", function()
  expect(login("joe", "secret!!!")):to_equal { accepted = true, authid = "joe", role = "frontend", realm = "realm1" }
end)

-- All are refused by the router, once their signature turns out to be wrong.
each({
  { "joe", "secret!!" },
  { "mallory", "secret!!!" },
}, "refuses {1} with the password {2}", function(authid, password)
  expect(login(authid, password).uri):to_be("wamp.error.authentication_denied")
end)
