-- Tickets of two factors: a password, with the six digits of an authenticator app
-- right behind it. crypto.totp_secret() makes a secret for the app.
--
-- In usher.yaml:
--   env: [JOE_PASSWORD, JOE_TOTP]
--   kv: {file: kv.db} # so that a code stays used when usher starts again
--
-- Safe because neither factor helps without the other, because kv.add admits
-- exactly one login with a code, even of two that come at once, and because the
-- router slows down and refuses who tries many.

router.join { realm = "realm1", authrole = "authenticator" }

local principals = {
  joe = { password = env.get "JOE_PASSWORD", secret = env.get "JOE_TOTP", role = "frontend" },
}

-- A code is good from the half minute before its own to the one after: 90 seconds.
local remembered = 120

-- Tells whether a code is right, and has not been used.
local function redeem(authid, secret, code)
  local step = crypto.totp_verify(secret, code)
  return step and kv.add(("totp.%s.%d"):format(authid, step), true, remembered)
end

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  local password, code = request.ticket:match "^(.*)(%d%d%d%d%d%d)$"
  -- Without JOE_PASSWORD, or JOE_TOTP, joe can't log in.
  if principal and principal.secret and crypto.equal(password, principal.password)
    and redeem(request.authid, principal.secret, code) then
    return principal.role
  end
  return nil, "com.example.invalid_ticket", "wrong password, or the code is wrong or has been used"
end)
