local function as(authid)
  return { authrole = "user", authid = authid }
end

local function may_publish(authid, topic)
  local ok, err = pcall(test.publish, topic, { 1 }, nil, as(authid))
  if not ok then
    expect(err.uri):to_be("wamp.error.not_authorized")
  end
  return ok
end

local function invite(by, authid, on)
  test.call("com.example.invite", { authid, on }, nil, as(by))
end

each({
  { "com.example.user.joe.news" },
  { "com.example.user.joe.a.b" },
}, "lets joe publish to {1}, and nobody else", function(topic)
  expect(may_publish("joe", topic)):to_be(true)
  expect(may_publish("ann", topic)):to_be(false)
end)

each({
  { "com.example.user.joes.news" },
  { "com.example.user.joe" },
  { "com.example.user" },
  { "com.example.other" },
}, "does not let joe publish to {1}", function(topic)
  expect(may_publish("joe", topic)):to_be(false)
end)

each({
  { "com.example.user.joe.inbox", "exact", true },
  { "com.example.user.joe.", "prefix", true },
  { "com.example.user.joe", "prefix", false },
  { "com.example.user.jo", "prefix", false },
  { "com.example.user.", "prefix", false },
  { "com.example.user..inbox", "wildcard", false },
  { "com.example.user.joe.", "wildcard", false },
}, "lets joe subscribe to {1} ({2}): {3}", function(uri, match, allow)
  local question = { uri = uri, action = "subscribe", options = { match = match }, authid = "joe" }
  expect(test.authorize(question).allow):to_be(allow)
  question.authid = "ann"
  expect(test.authorize(question).allow):to_be(false)
end)

it("lets only what belongs to somebody be remembered", function()
  invite("joe", "ann", true)
  local question = { uri = "com.example.user.joe.inbox", action = "publish", authid = "ann" }
  expect(test.authorize(question)):to_equal { allow = true, disclose = false, cache = 0 }
  question.authid = "joe"
  expect(test.authorize(question)):to_equal { allow = true, disclose = false, cache = true }
end)

it("lets users invite others, and turn them away", function()
  invite("joe", "ann", true)
  expect(may_publish("ann", "com.example.user.joe.inbox")):to_be(true)
  expect(may_publish("bob", "com.example.user.joe.inbox")):to_be(false)
  invite("joe", "ann", false)
  expect(may_publish("ann", "com.example.user.joe.inbox")):to_be(false)
end)

it("lets those who are invited do nothing else", function()
  invite("joe", "ann", true)
  expect(function() test.call("com.example.user.joe.procedure", nil, nil, as "ann") end):to_raise("wamp.error.not_authorized")
end)

it("forgets invitations after thirty days", function()
  invite("joe", "ann", true)
  test.advance(30 * 86400)
  expect(may_publish("ann", "com.example.user.joe.inbox")):to_be(false)
end)

it("does not let anybody invite to what belongs to somebody else", function()
  invite("joe.x", "y", true)
  expect(may_publish("x.y", "com.example.user.joe.inbox")):to_be(false)
end)

it("says what it wants", function()
  expect(function() invite("joe", "ann") end):to_raise("wamp.error.invalid_argument")
end)
