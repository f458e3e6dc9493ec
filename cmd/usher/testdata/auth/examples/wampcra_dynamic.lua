-- WAMP-CRA: the secret of a user, plain or salted. The router checks the signature.
router.join { realm = "realm1", authrole = "authenticator" }

local users = {
  joe   = { secret = "secret2", role = "frontend" },
  hans  = { authid = "ID09125", secret = "123456", role = "frontend" },
  peter = { secret = "CRA_KEY", role = "frontend", salt = "salt123", iterations = 100, keylen = 16 },
  bare  = "frontend", -- proves nothing
}

router.authenticator("com.example.authenticate", function(request)
  local user = users[request.authid]
  if not user then
    return nil, "com.example.no_such_user", "could not authenticate session - no such user " .. request.authid
  end
  return user
end)
