-- Tickets that are JSON Web Tokens, as an OpenID provider issues them: the
-- provider's keys come from its JWKS document, and are fetched again when a
-- token has a key that is new.
--
-- In usher.yaml:
--   env: [JWT_ISSUER, JWT_AUDIENCE, JWKS_URL]
--
-- Safe because a token must be signed by one of the issuer's keys with that
-- key's own algorithm, be for this audience and not have expired, which ends the
-- session, too; and because forged tokens do not make more than one request to
-- the issuer in a minute.

router.join { realm = "realm1", authrole = "authenticator" }

local issuer = assert(env.get "JWT_ISSUER", "set JWT_ISSUER")
local audience = assert(env.get "JWT_AUDIENCE", "set JWT_AUDIENCE")
local jwks_url = assert(env.get "JWKS_URL", "set JWKS_URL")

-- The role of the router for each value of the claim "role".
local roles = { user = "frontend" }

-- Returns the issuer's keys, and whether they have been fetched just now; or nil.
local function keys(new)
  local known = kv.get "jwks"
  if known and not (new and kv.add("jwks.asked", true, 60)) then
    return known, false
  end
  local answer, why = http.get(jwks_url, { timeout = 3 })
  local document = answer and answer.status == 200 and answer.json()
  if type(document) ~= "table" or type(document.keys) ~= "table" then
    log.error("the issuer's keys can't be had", { reason = why or answer.status })
    return known, false
  end
  kv.set("jwks", answer.body, 3600)
  return answer.body, true
end

local function verify(token, jwks)
  return crypto.jwt_verify(token, { jwks = jwks, issuer = issuer, audience = audience, leeway = 10 })
end

router.authenticator("com.example.authenticate", function(request)
  local jwks, fresh = keys(false)
  if not jwks then
    return nil, "com.example.unavailable", "nobody can log in at the moment, try again later"
  end
  local claims, why = verify(request.ticket, jwks)
  if not claims and not fresh then
    jwks, fresh = keys(true)
    if fresh then
      claims, why = verify(request.ticket, jwks)
    end
  end
  if not claims then
    return nil, "com.example.invalid_token", why
  end

  local role = roles[claims.role]
  if not role then
    return nil, "com.example.no_role", "the token gives no role here"
  end
  return { authid = claims.sub, role = role, expires_at = claims.exp }
end)
