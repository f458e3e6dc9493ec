test.env { PROXY_SECRET = "s3cret" }

local function login(headers)
  return test.authenticate(test.request { headers = headers })
end

local function by_proxy(user, groups)
  return login { ["X-Proxy-Secret"] = "s3cret", ["X-Remote-User"] = user, ["X-Remote-Groups"] = groups }
end

each({
  { "staff", "reader" },
  { "editors", "editor" },
  { "staff, editors", "editor" },
  { "guests,staff", "reader" },
}, "admits {1} as {2}", function(groups, role)
  expect(by_proxy("joe", groups)):to_equal { accepted = true, authid = "joe", role = role, realm = "realm1" }
end)

each({ { "" }, { "guests" }, { "staffs" }, { "Staff" } }, "refuses the groups '{1}'", function(groups)
  expect(by_proxy("joe", groups).uri):to_be("com.example.no_role")
end)

it("refuses nobody's groups", function()
  expect(by_proxy("", "staff").uri):to_be("com.example.no_role")
  expect(by_proxy(nil, "staff").uri):to_be("com.example.no_role")
end)

each({ { "wrong" }, { "" }, { "s3cret, s3cret" } }, "refuses who comes with the secret '{1}'", function(secret)
  local answer = login { ["X-Proxy-Secret"] = secret, ["X-Remote-User"] = "joe", ["X-Remote-Groups"] = "staff" }
  expect(answer.uri):to_be("com.example.not_by_proxy")
end)

it("refuses who does not come by the proxy", function()
  expect(login({ ["X-Remote-User"] = "joe", ["X-Remote-Groups"] = "staff" }).uri):to_be("com.example.not_by_proxy")
end)

describe("without PROXY_SECRET", function()
  test.env { PROXY_SECRET = "" }

  it("refuses everybody", function()
    expect(login({ ["X-Proxy-Secret"] = "", ["X-Remote-User"] = "joe", ["X-Remote-Groups"] = "staff" }).accepted):to_be(false)
  end)
end)
