-- WAMP-CRA: the function that decides is made by another one, from what it is given.
router.join { realm = "realm1", authrole = "authenticator" }

local function create_authenticator(users)
  return function(request)
    local user = users[request.authid]
    if not user then
      error(router.error("com.example.no_such_user", { "could not authenticate session - no such user " .. request.authid }))
    end
    return user
  end
end

router.authenticator("com.example.authenticate", create_authenticator {
  joe   = { secret = "secret2", role = "frontend" },
  hans  = { authid = "ID09125", secret = "123456", role = "frontend" },
  peter = { secret = "CRA_KEY", role = "frontend", salt = "salt123", iterations = 100, keylen = 16 },
})
