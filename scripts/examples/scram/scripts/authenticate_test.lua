test.components("authenticate", "users")
test.env { ADMIN_PASSWORD = "open sesame" }

local function login(authid, password)
  return test.authenticate(test.request { authid = authid, password = password })
end

local function set_password(as, role, ...)
  return test.call("com.example.set_password", { ... }, nil, { authid = as, authrole = role })
end

before_each(function()
  set_password("admin", "admin", "joe", "a password", "frontend")
end)

it("admits who has the password", function()
  expect(login("joe", "a password").role):to_be("frontend")
  expect(login("admin", "open sesame").role):to_be("admin")
end)

-- All are refused by the router, once their proof turns out to be wrong.
each({
  { "joe", "another password" },
  { "mallory", "a password" },
}, "refuses {1} with {2}", function(authid, password)
  expect(login(authid, password).uri):to_be("wamp.error.authentication_denied")
end)

it("lets users change their own password, and keeps their role", function()
  set_password("joe", "frontend", "joe", "another password")
  expect(login("joe", "another password").role):to_be("frontend")
  expect(login("joe", "a password").accepted):to_be(false)
end)

each({
  { "joe", "admin", "a password" },
  { "joe", "joe", "a password", "admin" },
  { "new", "new", "a password" },
}, "does not let {1} set the password of {2}", function(as, ...)
  local args = { ... }
  expect(function() set_password(as, "frontend", unpack(args)) end):to_raise("com.example.not_yours")
end)

each({ { "joe", "short" }, { "joe" }, { 1, "a password" } }, "wants a name and a long password", function(...)
  local args = { ... }
  expect(function() set_password("admin", "admin", unpack(args)) end):to_raise("wamp.error.invalid_argument")
end)

