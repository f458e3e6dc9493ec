-- Tickets from a file: data/tickets.lua. Save it, and the next login is judged
-- by it.
--
-- In usher.yaml:
--   auth:
--     ticket: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because the file has nothing to log in with, only hashes of tickets that
-- are too random to be guessed, and because users who do not exist are refused
-- as wrong tickets are: after the same comparison, with the same words. What
-- people choose for themselves needs a slow hash: see ticket-sql.

router.join { realm = "realm1", authrole = "authenticator" }

local principals = require "data.tickets"

-- Stands for whoever is not in the file. Nothing hashes to it, and it has no role.
local nobody = { sha256 = ("0"):rep(64) }

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid] or nobody
  local hash = crypto.hex_encode(crypto.sha256(request.ticket))
  if not crypto.equal(hash, principal.sha256) then
    return nil, "com.example.invalid_ticket", "wrong ticket, or no such user"
  end
  if principal.expires_at and time.parse(principal.expires_at) <= time.now() then
    return nil, "com.example.expired_ticket", "the ticket has expired"
  end
  return { role = principal.role, expires_at = principal.expires_at }
end)
