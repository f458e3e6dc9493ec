local secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

test.env { JOE_PASSWORD = "s3cret", JOE_TOTP = secret }

local function login(ticket, authid)
  return test.authenticate(test.request { authid = authid or "joe", ticket = ticket })
end

local function code(ago)
  return crypto.totp(secret, { time = time.now() - (ago or 0) })
end

it("admits with both factors", function()
  expect(login("s3cret" .. code()).role):to_be("frontend")
end)

it("admits once with a code, which may be used up to half a minute later", function()
  local first = code()
  expect(login("s3cret" .. first).accepted):to_be(true)
  expect(login("s3cret" .. first).accepted):to_be(false)
  test.advance(30)
  expect(login("s3cret" .. first).accepted):to_be(false)
  expect(login("s3cret" .. code()).accepted):to_be(true)
  test.advance(30)
  expect(login("s3cret" .. first).accepted):to_be(false)
end)

it("takes codes of clocks that are half a minute behind, and no older ones", function()
  expect(login("s3cret" .. code(30)).accepted):to_be(true)
  expect(login("s3cret" .. code(90)).accepted):to_be(false)
end)

it("does not use up the code of a wrong password", function()
  expect(login("guessed" .. code()).accepted):to_be(false)
  expect(login("s3cret" .. code()).accepted):to_be(true)
end)

it("refuses one factor alone, and everything else", function()
  local ticket = "s3cret" .. code()
  for _, wrong in ipairs { "s3cret", code(), "", "s3cret ", code() .. "s3cret", ticket .. " " } do
    expect(login(wrong).uri):to_be("com.example.invalid_ticket")
  end
  expect(login(ticket, "mallory").uri):to_be("com.example.invalid_ticket")
  expect(login(ticket).accepted):to_be(true)
end)

describe("where the environment does not say what joe's secrets are", function()
  test.env { JOE_PASSWORD = "", JOE_TOTP = "" }

  it("admits nobody", function()
    expect(login(code()).accepted):to_be(false)
    expect(login("").accepted):to_be(false)
  end)
end)
