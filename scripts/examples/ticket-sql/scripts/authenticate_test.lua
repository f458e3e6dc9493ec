local hash = crypto.argon2id_hash("a password", { memory = 64 })

local function login(authid, password)
  return test.authenticate(test.request { authid = authid, ticket = password })
end

-- What is asked for the users, and only for them.
test.sql("^SELECT hash, role FROM users WHERE authid = %$1$", function(authid)
  return authid == "joe" and { { hash = hash, role = "frontend" } } or {}
end)

it("admits who has the password", function()
  expect(login("joe", "a password").role):to_be("frontend")
end)

each({
  { "joe", "another password" },
  { "joe", "" },
  { "mallory", "a password" },
  { "' OR 1 = 1 --", "a password" },
}, "refuses {1} with {2}", function(authid, password)
  expect(login(authid, password).uri):to_be("com.example.invalid_ticket")
end)

it("admits nobody when the database is down", function()
  test.sql("^SELECT", function() return nil, "connection refused" end)
  local answer = login("joe", "a password")
  expect(answer.uri):to_be("wamp.error.authentication_failed")
  expect(answer.cause):to_contain("connection refused")
end)
