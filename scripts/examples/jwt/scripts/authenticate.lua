-- Tickets that are JSON Web Tokens, as an OpenID provider issues them. The
-- issuer's keys are fetched every ten minutes, and when a token does not fit them.
--
-- In usher.yaml:
--   env: [JWT_ISSUER, JWT_AUDIENCE, JWKS_URL]
--
-- Safe because a token must be signed by one of the issuer's keys with that
-- key's own algorithm, be for this audience and not have expired, which ends the
-- session, too; and because many forged tokens do not make many requests to the
-- issuer.

router.join { realm = "realm1", authrole = "authenticator" }

local issuer = assert(env.get "JWT_ISSUER", "set JWT_ISSUER")
local audience = assert(env.get "JWT_AUDIENCE", "set JWT_AUDIENCE")
local jwks_url = assert(env.get "JWKS_URL", "set JWKS_URL")

-- The role of the router for each value of the claim "role".
local roles = { user = "frontend" }

-- Fetches the issuer's keys, once in ten seconds at most, and tells whether it has.
-- They are good for an hour, should the issuer not answer again.
local function fetch()
  if not kv.add("jwks.asked", true, 10) then
    return false
  end
  local answer, why = http.get(jwks_url, { timeout = 3 })
  local document = answer and answer.status == 200 and answer.json()
  if type(document) ~= "table" or type(document.keys) ~= "table" then
    log.error("the issuer's keys can't be had", { reason = why or answer.status })
    return false
  end
  kv.set("jwks", answer.body, 3600)
  log.info("the issuer's keys are there", { keys = #document.keys })
  return true
end

router.on_ready(fetch)
router.every(600, fetch)

-- Returns what a token says, or nil and why it is not good.
local function verify(token)
  local jwks = kv.get "jwks"
  if not jwks then
    return nil, "the issuer's keys are not there"
  end
  return crypto.jwt_verify(token, { jwks = jwks, issuer = issuer, audience = audience, leeway = 10 })
end

router.authenticator("com.example.authenticate", function(request)
  local claims, why = verify(request.ticket)
  if not claims and fetch() then
    claims, why = verify(request.ticket)
  end
  if not claims then
    return nil, "com.example.invalid_token", why
  end

  local role = roles[claims.role]
  -- Without a name in it the client would have whatever name it asks for.
  if not role or type(claims.sub) ~= "string" then
    return nil, "com.example.no_role", "the token names no user, or no role, of this router"
  end
  return { authid = claims.sub, role = role, expires_at = claims.exp }
end)
