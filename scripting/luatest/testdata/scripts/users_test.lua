test.time "2027-01-01T00:00:00Z"
test.http("GET https://users.example.com/joe", { json = { role = "frontend" } })

local function login(who)
  return test.authenticate(test.request { authid = who, ticket = "s3cret" })
end

it("asks by HTTP", function()
  local r = login("joe")
  expect(r.accepted):to_be_true()
  expect(r.extra):to_equal { asked = 1, at = 1798761600, l = { 1, 2, 3 } }
  expect(login("joe").extra.asked):to_be(2)
  test.advance(61)
  expect(login("joe").extra.asked):to_be(1)
  expect(#test.requests()):to_be(3)
end)

it("is answered by a function", function()
  test.http("https://users.example.com/*", function(request)
    expect(request.method):to_be("GET")
    return { status = 404 }
  end)
  expect(login("ann").uri):to_be("com.example.no_such_user")
end)

it("is told that there is no answer", function()
  test.http("https://users.example.com/*", function() return nil, "connection refused" end)
  expect(login("ann").cause):to_contain("no answer: connection refused")
end)

it("wrongly compares", function()
  expect(login("joe").extra):to_equal { asked = 2, at = 1798761600, l = { 1, 2, 4 } }
end)

it("wrongly has no answer", function()
  expect(login("ann").accepted):to_be(true)
end)

it("wrongly indexes", function()
  local x
  x.y = 1
end)

it("wrongly never ends", function() while true do end end)

it("gives up", function() test.skip("not today") end)

it("wrongly swallows", function()
  pcall(function() expect(1):to_be(2) end)
end)

describe("with a role that the router has not", function()
  it("is judged by the router", function()
    test.http("https://users.example.com/ann", { json = { role = "fronted" } })
    expect(login("ann").uri):to_be("wamp.error.no_such_role")
  end)
end)

describe("hooks", function()
  local n = 0
  before_each(function() n = n + 1 end)
  after_each(function() expect(n):to_be(1) end)

  it("come before each test", function() expect(n):to_be(1) end)
  it("find everything as new", function() expect(n):to_be(1) end)
end)

each({ { 1, nil, 3, n = 3 }, { 2, 2, 4 } }, "{1} and {2} are {3}", function(a, b, sum)
  expect(a + (b or 2)):to_be(sum)
end)

each({ { name = "x", value = 1 } }, "{name} is {value}", function(case)
  expect(case.value):to_be(1)
end)

it("plays the rest of the world", function()
  test.register("com.example.add", function(args, _, details)
    expect(details.procedure):to_be("com.example.add")
    return args[1] + args[2]
  end)
  expect(test.call("com.example.add", { 1, 2 })):to_be(3)

  test.subscribe("com.example.", { match = "prefix" })
  test.publish("com.example.x", { 1, null }, { a = 1 }, { authid = "joe" })
  local events = test.events()
  expect(#events):to_be(1)
  expect(events[1].args):to_equal { 1, null }
  expect(events[1].kwargs):to_equal { a = 1 }
  expect(test.events()):to_equal {}

  test.register("com.example.fail", function() error(router.error("com.example.no", { "text" }, { a = 1 })) end)
  expect(test.reply("com.example.fail")):to_equal {
    error = "com.example.no", args = { "text" }, kwargs = { a = 1 }, progress = {},
  }
  expect(function() test.call("com.example.fail") end):to_raise("com.example.no")
  test.register("com.example.broken", function() error("oops") end)
  pcall(test.call, "com.example.broken")
end)

it("knows values", function()
  expect(router.binary("a")):to_equal(router.binary("a"))
  expect(router.binary("a")).never:to_equal(router.binary("b"))
  expect(null):to_be(null)
  expect(0 / 0):to_equal(0 / 0)
  expect({ 1, { a = 2, b = 3 } }):to_contain { a = 2 }
  expect({ a = { b = 1, c = 2 } }):to_contain { a = { b = 1 } }
  expect({ 1 }).never:to_be { 1 }
  expect("abc"):to_match("^a.c$")
  expect(1.05):to_be_near(1, 0.1)
  expect(2):to_be_above(1)
  expect(2).never:to_be_below(2)
  expect(nil):to_be_falsy()
  expect({}):to_be_a("table")
  expect(false):to_be_false()
end)

it("may ask by itself", function()
  test.http("https://example.com/", function() return { body = "hello" } end)
  local answer = http.get("https://example.com/")
  expect(answer.body):to_be("hello")
  local ok, other = pcall(http.get, "https://example.com/")
  expect(ok and other.body):to_be("hello")
  test.sql("^SELECT", { { n = 1 } })
  expect(sql.open("any"):query_row("SELECT 1").n):to_be(1)
end)

describe("of several answers", function()
  test.http("https://example.com/*", { body = "outer" })
  test.http("https://example.com/*", { body = "outer, later" })
  test.sql("^SELECT", { { n = "outer" } })
  test.sql("^SELECT", { { n = "outer, later" } })

  local function asked()
    return http.get("https://example.com/").body, sql.open("any"):query_row("SELECT n").n
  end

  it("the last counts", function()
    expect({ asked() }):to_equal { "outer, later", "outer, later" }
  end)
  describe("in a group", function()
    test.http("https://example.com/*", { body = "inner" })
    test.sql("^SELECT", { { n = "inner" } })
    it("the group's counts", function() expect({ asked() }):to_equal { "inner", "inner" } end)
    it("the test's own counts", function()
      test.http("https://example.com/*", { body = "own" })
      test.sql("^SELECT", { { n = "own" } })
      expect({ asked() }):to_equal { "own", "own" }
    end)
  end)
end)
