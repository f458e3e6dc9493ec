local function login(subject)
  return test.authenticate(test.request { transport = { client_cert = { subject = subject } } })
end

each({
  { "joe", "operators", "operator" },
  { "thermometer", "devices", "device" },
}, "admits {1} of {2} as {3}", function(name, unit, role)
  local answer = login { CN = name, OU = unit }
  expect(answer.authid):to_be(name)
  expect(answer.role):to_be(role)
  expect(answer.expires_at):to_be_above(time.now())
end)

it("refuses certificates for something else", function()
  expect(login({ CN = "joe" }).uri):to_be("com.example.no_role")
  expect(login({ CN = "joe", OU = "authenticators" }).uri):to_be("com.example.no_role")
end)

it("refuses certificates without a name, whatever the client calls itself", function()
  local answer = test.authenticate(test.request {
    authid = "admin",
    transport = { client_cert = { subject = { OU = "operators" } } },
  })
  expect(answer.uri):to_be("com.example.no_role")
end)

it("takes a name for a name, not for a role", function()
  expect(login({ CN = "operators", O = "operators" }).uri):to_be("com.example.no_role")
end)
