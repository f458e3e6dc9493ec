local right, wrong = ("01"):rep(32), ("02"):rep(32)

local function login(key, authid)
  return test.authenticate(test.request { key = key, authid = authid })
end

it("knows users by their keys", function()
  expect(login(right)):to_equal { accepted = true, authid = "joe", role = "frontend", realm = "realm1" }
  expect(login(right, "joe").accepted):to_be(true)
end)

it("does not take a key for somebody else's", function()
  expect(login(right, "ann").uri):to_be("com.example.wrong_user")
end)

it("refuses keys that it does not know", function()
  expect(login(wrong).uri):to_be("com.example.unknown_key")
  expect(login(wrong, "joe").uri):to_be("com.example.unknown_key")
end)
