-- Tests of authenticate.lua: `usher test scripts`.

local function login(authid, ticket)
  return test.authenticate(test.request { authid = authid, ticket = ticket })
end

describe("authenticate", function()
  test.env { MYTICKET = "from the environment" }

  each({
    { "joe",     "secret!!!",            "frontend" },
    { "client1", "from the environment", "frontend" },
    { "client2", "123sekret",            "frontend" },
  }, "admits {1} as {3}", function(authid, ticket, role)
    expect(login(authid, ticket)):to_equal {
      accepted = true, authid = authid, role = role, realm = "realm1",
    }
  end)

  it("refuses a wrong ticket", function()
    expect(login("joe", "secret!!")):to_equal {
      accepted = false,
      uri = "com.example.invalid_ticket",
      message = "could not authenticate session - invalid ticket 'secret!!' for principal joe",
    }
  end)

  it("refuses who is not listed", function()
    local answer = login("mallory", "secret!!!")
    expect(answer.accepted):to_be(false)
    expect(answer.uri):to_be("com.example.no_such_user")
    expect(answer.message):to_contain("mallory")
  end)

  it("refuses the ticket of somebody else", function()
    expect(login("joe", "123sekret").uri):to_be("com.example.invalid_ticket")
  end)

  it("does not write tickets to the log", function()
    login("joe", "secret!!!")
    expect(#test.logs("authenticator invoked")):to_be(1)
    expect(test.logs("secret!!!")):to_equal {}
  end)
end)

describe("without MYTICKET", function()
  it("client1 can't log in, whatever it presents", function()
    for _, ticket in ipairs { "", "nil", "from the environment" } do
      expect(login("client1", ticket).accepted):to_be(false)
    end
  end)
end)
