local function report(authid)
  return test.call("com.example.report", nil, nil, { authid = authid, disclose_me = true })
end

it("is for three calls in a minute, of each user", function()
  for _ = 1, 3 do
    expect(report("joe")):to_be("all is well")
  end
  expect(function() report("joe") end):to_raise("com.example.too_many_calls")
  expect(report("ann")):to_be("all is well")
  test.advance(60)
  expect(report("joe")):to_be("all is well")
end)
