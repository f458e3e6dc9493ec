-- Cryptosign: the keys of a user, made a function by another one.
router.join { realm = "devices", authrole = "authenticator" }

local function create_authenticator(users)
  return function(request)
    local keys = users[request.authid]
    if not keys then
      return nil, "com.example.no_such_user", "no such user"
    end
    return { realm = "devices", role = "device", authorized_keys = keys }
  end
end

router.authenticator("com.example.authenticate", create_authenticator {
  ["client01@example.com"] = { "PUBLIC_KEY" },
})
