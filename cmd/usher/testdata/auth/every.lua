-- Decides about every method.
router.join { realm = "realm1", authrole = "authenticator" }

local principals = {
  ticket     = { joe = { role = "user" } },
  wampcra    = {
    joe = { role = "user", secret = "s3cret" },
    ann = { role = "user", secret = "CRA_KEY", salt = "salt123", iterations = 100, keylen = 16 },
  },
  scram      = {
    sam = {
      role = "user", kdf = "argon2id-13", salt = "SCRAM_SALT", iterations = 3, memory = 512,
      stored_key = "STORED_KEY", server_key = "SERVER_KEY",
    },
  },
  cryptosign = { ["PUBLIC_KEY"] = { role = "user", authid = "dev", authorized_keys = { "PUBLIC_KEY" } } },
  anonymous  = { [""] = { role = "user", authid = "guest" } },
}

router.authenticator("com.example.decide", function(request)
  local key = request.pubkey or request.authid
  if request.authmethod == "anonymous" then
    key = ""
  end
  local principal = principals[request.authmethod][key]
  if request.authmethod == "scram" and key == "tom" then -- known by his password
    principal = crypto.scram_keys { password = "s3cret", kdf = "argon2id-13", iterations = 3, memory = 64 }
    principal.role = "user"
  end
  if not principal then
    return nil, "com.example.no_such_user", "no such principal " .. key
  end
  if request.authmethod == "ticket" and not crypto.equal(request.ticket, "t1ck3t") then
    return nil, "com.example.invalid_ticket", "invalid ticket"
  end
  return principal
end)
