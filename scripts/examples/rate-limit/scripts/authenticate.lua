-- A limit of wrong logins for each address, stricter than the router's own, which
-- limits.failed_logins in usher.yaml sets.
--
-- In usher.yaml:
--   auth:
--     ticket: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because only wrong logins count, and only for the address they come from:
-- nobody can lock joe out elsewhere. A counter in kv is one step, so that two
-- guesses at once are two; where kv is full its error refuses the login.

router.join { realm = "realm1", authrole = "authenticator" }

local limit = require "lib.limit"

local most, seconds = 5, 600

local principals = {
  joe = { ticket = env.get "JOE_TICKET", role = "frontend" },
}

-- "tcp4:192.0.2.1:4711" without its port, which changes with each connection.
local function address(peer)
  return peer:match "^(.*):%d+$" or peer
end

router.authenticator("com.example.authenticate", function(request)
  local guesses = "guesses." .. address(request.transport.peer)
  if not limit.left(guesses, most) then
    return nil, "com.example.too_many_logins", "too many wrong logins, try again later"
  end
  local principal = principals[request.authid]
  if principal and crypto.equal(request.ticket, principal.ticket) then
    return principal.role
  end
  limit.take(guesses, most, seconds)
  return nil, "com.example.invalid_ticket", "wrong ticket, or no such user"
end)
