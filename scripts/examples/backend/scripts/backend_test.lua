-- Tests call as clients of the role do.
local frontend = { authrole = "frontend" }

local function call(procedure, ...)
  return test.call(procedure, { ... }, nil, frontend)
end

local function subscribe(topic)
  test.subscribe(topic, frontend)
end

describe("com.example.divide", function()
  it("divides", function() expect(call("com.example.divide", 6, 4)):to_be(1.5) end)

  it("has an error of its own", function()
    expect(test.reply("com.example.divide", { 6, 0 }, nil, frontend)):to_equal {
      error = "com.example.division_by_zero", args = {}, kwargs = { dividend = 6 }, progress = {},
    }
  end)

  each({ { "6", 3 }, { 6 }, { null, 1 } }, "wants numbers, not {1} and {2}", function(a, b)
    expect(function() call("com.example.divide", a, b) end):to_raise("wamp.error.invalid_argument")
  end)
end)

describe("com.example.countdown", function()
  it("tells how far it is", function()
    local reply = test.reply("com.example.countdown", { 3 }, nil, frontend)
    expect(reply.args):to_equal { "liftoff" }
    expect(#reply.progress):to_be(3)
    expect(reply.progress[1].args):to_equal { 3 }
  end)

  it("is for those who only want the end, too", function()
    expect(call("com.example.countdown", 3)):to_be("liftoff")
  end)

  each({ { 0 }, { 1001 }, { "3" }, { 0 / 0 } }, "does not count down from {1}", function(from)
    expect(function() call("com.example.countdown", from) end):to_raise("wamp.error.invalid_argument")
  end)
end)

describe("devices", function()
  it("are set, each for itself", function()
    subscribe "com.example.device.lamp.state"
    call("com.example.device.lamp.set", "on")
    expect(call("com.example.device.lamp.get")):to_be("on")
    expect(call("com.example.device.fan.get")):to_be(null)
    local events = test.events "com.example.device.lamp.state"
    expect(#events):to_be(1)
    expect(events[1].args):to_equal { "on" }
  end)

  it("are forgotten after a day", function()
    call("com.example.device.lamp.set", "on")
    test.advance(86400)
    expect(call("com.example.device.lamp.get")):to_be(null)
  end)

  each({ { 1 }, { null }, { ("x"):rep(101) } }, "take no {1}", function(state)
    expect(function() call("com.example.device.lamp.set", state) end):to_raise("wamp.error.invalid_argument")
  end)
end)

it("takes its turn in shared work", function()
  expect(call "com.example.work"):to_be("done by the router")
end)

it("logs events of all topics below com.example.log", function()
  test.publish("com.example.log.disk", { "full" }, nil, frontend)
  test.publish("com.example.log.network.eth0", { "down" }, nil, frontend)
  expect(test.reply("com.example.statistics", nil, nil, frontend).kwargs):to_equal { logged = 2 }
  expect(#test.logs "^event$"):to_be(2)
  expect(test.logs("^event$")[1].fields):to_equal { topic = "com.example.log.disk", text = "full" }
end)

it("reminds", function()
  subscribe "com.example.reminder"
  call("com.example.remind", "tea", 60)
  test.advance(59)
  expect(test.events()):to_equal {}
  test.advance(1)
  expect(test.events()[1].args):to_equal { "tea" }
end)

it("keeps what is its own to itself", function()
  expect(function() call("com.example.internal.remind", "tea") end):to_raise("wamp.error.not_authorized")
end)

it("tells who comes", function()
  subscribe "com.example.joined"
  test.events()
  test.publish("com.example.log.x", nil, nil, { authrole = "frontend", authid = "ann" })
  test.call("com.example.statistics", nil, nil, { authrole = "backend", authid = "another backend" })
  local events = test.events "com.example.joined"
  expect(#events):to_be(1)
  expect(events[1].args):to_equal { "ann" }
end)

it("wants a text and a time", function()
  for _, args in ipairs { { "tea" }, { 1, 1 }, { "tea", -1 }, { "tea", 0 / 0 }, { ("x"):rep(101), 1 } } do
    expect(function() call("com.example.remind", unpack(args)) end):to_raise("wamp.error.invalid_argument")
  end
end)

it("tells every ten seconds who is online", function()
  subscribe "com.example.online"
  test.advance(30)
  local events = test.events "com.example.online"
  expect(#events):to_be(3)
  expect(events[1].args[1]):to_be_above(0)
end)
