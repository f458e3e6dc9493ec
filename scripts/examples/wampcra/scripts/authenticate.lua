-- WAMP-CRA with salted passwords, of data/users.lua. The router is told what to
-- check a signature with, and checks it itself.
--
-- In usher.yaml:
--   auth:
--     wampcra: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because passwords neither travel nor are kept, and because a user who
-- does not exist is challenged like any other, with the same salt each time. But
-- whoever reads the file can log in with what it has: where that matters, use
-- SCRAM.

router.join { realm = "realm1", authrole = "authenticator" }

local users = require "data.users"

-- Makes up a user: the salt follows from the name, and nobody knows the secret.
local function decoy(authid)
  kv.add("decoy", crypto.random_text())
  return {
    salt = crypto.base64_encode(crypto.hmac("sha256", kv.get "decoy", authid)):sub(1, 16),
    iterations = 100000,
    keylen = 32,
    secret = crypto.random_text(),
    role = "frontend",
  }
end

router.authenticator("com.example.authenticate", function(request)
  return users[request.authid] or decoy(request.authid)
end)
