-- Tests of backend.lua. Run them with: usher test scripts
it("adds", function()
  expect(test.call("com.example.add2", { 2, 3 }, nil, { authrole = "frontend" })):to_be(5)
end)

it("writes to the log what it hears", function()
  test.publish("com.example.topic1", { "a", "b" })
  expect(test.logs("event received")[1].fields.arguments):to_be("2")
end)
