-- Cryptosign: who a public key is. The router checks that the client has its other half.
router.join { realm = "devices", authrole = "authenticator" }

local principals = {
  ["PUBLIC_KEY"] = { authid = "client01@example.com", realm = "devices", role = "device", extra = { foo = 23 } },
}

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.pubkey]
  if not principal then
    return nil, "com.example.no_such_user", "no principal with matching public key 0x" .. request.pubkey
  end
  return principal
end)
