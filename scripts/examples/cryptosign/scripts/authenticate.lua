-- Cryptosign: users by their public keys, of data/keys.lua.
--
-- In usher.yaml:
--   auth:
--     cryptosign: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because the router admits nobody who can't sign a challenge made for this
-- session alone with the private key to request.pubkey, whatever is returned
-- here, and because who somebody is follows from the key, never from what the
-- client says.

router.join { realm = "realm1", authrole = "authenticator" }

local keys = require "data.keys"

router.authenticator("com.example.authenticate", function(request)
  local user = keys[request.pubkey]
  if not user then
    return nil, "com.example.unknown_key", "the public key is not known here"
  end
  if request.authid and request.authid ~= user.authid then
    return nil, "com.example.wrong_user", "the public key belongs to somebody else"
  end
  return { authid = user.authid, role = user.role }
end)
