-- Tests of authenticate.lua. Run them with: usher test scripts
each({
  { "alice", "" },
  { "alice", "wrong" },
  { "nobody", "wrong" },
}, "refuses {1} with the ticket '{2}'", function(authid, ticket)
  local answer = test.authenticate(test.request { authid = authid, ticket = ticket })
  expect(answer.accepted):to_be(false)
  expect(answer.uri):to_be("com.example.invalid_ticket")
end)
