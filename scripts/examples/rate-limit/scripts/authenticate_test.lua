test.env { JOE_TICKET = "secret" }

local function login(ticket, peer, authid)
  return test.authenticate(test.request {
    authid = authid or "joe",
    ticket = ticket,
    transport = { peer = peer or "tcp4:192.0.2.1:4711" },
  })
end

local function guess(times, peer)
  for n = 1, times do
    expect(login("guess " .. n, peer or "tcp4:192.0.2.1:" .. n).uri):to_be("com.example.invalid_ticket")
  end
end

it("refuses an address that has guessed five times, for ten minutes", function()
  guess(5)
  expect(login("secret").uri):to_be("com.example.too_many_logins")
  test.advance(599)
  expect(login("secret").uri):to_be("com.example.too_many_logins")
  test.advance(1)
  expect(login("secret").role):to_be("frontend")
end)

it("locks nobody out elsewhere", function()
  guess(5)
  expect(login("secret", "tcp4:192.0.2.2:4711").role):to_be("frontend")
  expect(login("secret", "tcp6:[2001:db8::1]:4711").role):to_be("frontend")
end)

it("counts no right logins", function()
  for _ = 1, 10 do
    expect(login("secret").role):to_be("frontend")
  end
  guess(4)
  expect(login("secret").role):to_be("frontend")
end)

it("counts those who do not exist", function()
  for _ = 1, 5 do
    expect(login("secret", nil, "mallory").uri):to_be("com.example.invalid_ticket")
  end
  expect(login("secret").uri):to_be("com.example.too_many_logins")
end)
