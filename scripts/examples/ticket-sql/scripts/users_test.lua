-- The last statement that changes a user, with its parameters.
local changed

test.sql("^CREATE TABLE", 0)
before_each(function()
  changed = nil
  for _, verb in ipairs { "INSERT", "UPDATE" } do
    test.sql("^" .. verb, function(...)
      changed = { verb, ... }
      return 1
    end)
  end
end)

local function set_password(as, role, ...)
  test.call("com.example.set_password", { ... }, nil, { authid = as, authrole = role })
end

it("lets an admin make users", function()
  set_password("root", "admin", "joe", "a password", "frontend")
  expect(changed[1]):to_be("INSERT")
  expect(changed[2]):to_be("joe")
  expect(crypto.argon2id_verify("a password", changed[3])):to_be(true)
  expect(changed[4]):to_be("frontend")
end)

it("lets users change their own password", function()
  set_password("joe", "frontend", "joe", "a password")
  expect(changed[1]):to_be("UPDATE")
  expect(changed[2]):to_be("joe")
  expect(crypto.argon2id_verify("a password", changed[3])):to_be(true)
end)

each({
  { "frontend", "com.example.not_yours", "ann", "a password" },
  { "frontend", "com.example.not_yours", "joe", "a password", "admin" },
  { "admin", "com.example.not_yours", "ann", "a password", "authenticator" },
  { "frontend", "wamp.error.invalid_argument", "joe", "short" },
  { "frontend", "wamp.error.invalid_argument", "joe" },
  { "admin", "wamp.error.invalid_argument", null, "a password", "frontend" },
}, "tells joe as {1}: {2}", function(role, uri, ...)
  local args = { ... }
  expect(function() set_password("joe", role, unpack(args)) end):to_raise(uri)
  expect(changed):to_be(nil)
end)

describe("with ADMIN_PASSWORD", function()
  test.env { ADMIN_PASSWORD = "open sesame" }

  it("makes the first admin", function()
    expect(#test.logs "ready"):to_be(1)
    expect(changed[1]):to_be("INSERT")
    expect(crypto.argon2id_verify("open sesame", changed[2])):to_be(true)
  end)
end)
