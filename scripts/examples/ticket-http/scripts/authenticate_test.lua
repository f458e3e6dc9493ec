local url = "https://auth.example.com/check"

test.env { AUTH_URL = url, AUTH_TOKEN = "t0ken" }
test.time "2030-01-01T00:00:00Z"

local function login()
  return test.authenticate(test.request { authid = "joe", ticket = "secret" })
end

it("asks the service", function()
  test.http("POST " .. url, { json = { role = "frontend", expires_in = 3600 } })
  local answer = login()
  expect(answer.role):to_be("frontend")
  expect(answer.expires_at):to_be(time.now() + 3600)

  local request = test.requests()[1]
  expect(request.headers.authorization):to_be("Bearer t0ken")
  expect(json.decode(request.body)):to_equal { authid = "joe", ticket = "secret" }
end)

it("need not be told when the session expires", function()
  test.http(url, { json = { role = "frontend" } })
  expect(login().expires_at):to_be(nil)
end)

each({ { 401 }, { 403 } }, "refuses where the service says {1}", function(status)
  test.http(url, { status = status, json = { role = "frontend" } })
  expect(login().uri):to_be("com.example.invalid_ticket")
end)

each({
  { "is broken", { status = 500, json = { role = "frontend" } } },
  { "redirects", { status = 302, headers = { Location = "https://example.com/" } } },
  { "does not answer", { error = "connection refused" } },
  { "sends no JSON", { body = "frontend" } },
  { "sends null", { body = "null" } },
  { "sends no role", { json = {} } },
  { "gives a role that is not its to give", { json = { role = "authenticator" } } },
}, "admits nobody where the service {1}", function(_, answer)
  test.http(url, answer)
  expect(login().uri):to_be("com.example.unavailable")
end)
