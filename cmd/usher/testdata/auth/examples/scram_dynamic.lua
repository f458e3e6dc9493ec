-- SCRAM: the keys of a user, from which nobody can tell the password.
router.join { realm = "realm1", authrole = "authenticator" }

local users = {
  ["foobar@example.com"] = {
    role = "frontend", kdf = "argon2id-13", iterations = 3, memory = 512, salt = "SCRAM_SALT",
    stored_key = "STORED_KEY", server_key = "SERVER_KEY",
  },
  bare = "frontend", -- proves nothing
}

router.authenticator("com.example.authenticate", function(request)
  local user = users[request.authid]
  if not user then
    return nil, "com.example.no_such_user", "could not authenticate session - no such user " .. request.authid
  end
  return user
end)
