-- SCRAM: client and router prove to each other that they know of a password,
-- which neither sends.
--
-- In usher.yaml:
--   auth:
--     wamp-scram: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because whoever gets hold of all that is kept can't log in with it, and
-- because users who do not exist are challenged like others. The router checks
-- the proof itself: what is returned here admits nobody without it.

router.join { realm = "realm1", authrole = "authenticator" }

local users = require "lib.users"

router.authenticator("com.example.authenticate", function(request)
  return users.find(request.authid) or users.decoy(request.authid)
end)
