local x = require "lib.x"

it("raises", function() expect(x.f):to_raise("boom") end)
it("wrongly expects no error", function()
  expect(x.f).never:to_raise()
end)
it("is still to be written")
