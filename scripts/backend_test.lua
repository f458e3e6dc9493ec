-- Tests of backend.lua: `usher test scripts`.

describe("com.example.add2", function()
  it("adds for a client that may call it", function()
    expect(test.call("com.example.add2", { 2, 3 }, nil, { authrole = "frontend" })):to_be(5)
  end)

  it("fails for what cannot be added", function()
    expect(function() test.call("com.example.add2", { 2 }) end):to_raise("wamp.error.runtime_error")
  end)
end)

each({ "com.example.topic1", "com.foobar.topic1", "com.foobar.topic2" }, "listens to {1}", function(topic)
  test.publish(topic, { "hello", 7 })
  expect(#test.logs("event received on " .. topic .. ": hello, 7")):to_be(1)
end)

it("says that it may not listen to com.example.topic2", function()
  expect(#test.logs("not subscribed to com.example.topic2: wamp.error.not_authorized")):to_be(1)
end)
