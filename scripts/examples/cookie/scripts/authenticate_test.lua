test.env { JOE_TICKET = "secret" }

local function login(ticket, cbtid, new)
  return test.authenticate("com.example.authenticate", test.request {
    authid = "joe",
    ticket = ticket,
    transport = { cbtid = cbtid, http_headers_sent = new and { ["set-cookie"] = "cbtid=" .. cbtid } or {} },
  })
end

local function come_back(cbtid)
  return test.authenticate("com.example.recognize", test.request { authmethod = "cookie", transport = { cbtid = cbtid } })
end

local stranger = "wamp.error.no_matching_auth_method"

it("recognizes who has logged in", function()
  expect(login("secret", "cookie 1", true).role):to_be("frontend")
  expect(come_back("cookie 1")):to_equal { accepted = true, authid = "joe", role = "frontend", realm = "realm1" }
  expect(come_back("cookie 2").uri):to_be(stranger)
end)

it("does not recognize who had a wrong ticket", function()
  expect(login("wrong", "cookie 1", true).uri):to_be("com.example.invalid_ticket")
  expect(come_back("cookie 1").uri):to_be(stranger)
end)

it("keeps no login under a cookie that was there before", function()
  expect(login("secret", "planted", false).role):to_be("frontend")
  expect(come_back("planted").uri):to_be(stranger)
end)

it("admits clients that have no cookie", function()
  expect(login("secret").role):to_be("frontend")
end)

it("forgets after a week", function()
  login("secret", "cookie 1", true)
  test.advance(7 * 86400)
  expect(come_back("cookie 1").uri):to_be(stranger)
end)

it("forgets on demand, and only the past", function()
  login("secret", "cookie 1", true)
  test.call("com.example.forget_me", nil, nil, { authid = "joe", authrole = "frontend" })
  expect(come_back("cookie 1").uri):to_be(stranger)
  login("secret", "cookie 2", true)
  expect(come_back("cookie 2").accepted):to_be(true)
end)
