-- Tickets that an HTTP service checks. It is sent
--
--   POST $AUTH_URL   {"authid": "joe", "ticket": "…"}
--
-- and answers 200 with {"role": "frontend", "expires_in": 3600}, or 401 or 403.
--
-- In usher.yaml:
--   env: [AUTH_URL, AUTH_TOKEN]
--   http: {allow: [localhost]} # of private addresses, which scripts do not reach by default
--
-- Safe because nothing but a clear 200 with a role of the list below admits
-- anybody, so that a service that is down, slow or taken over makes nobody a
-- backend; and because it learns by AUTH_TOKEN that it is the router who asks.

router.join { realm = "realm1", authrole = "authenticator" }

local url = assert(env.get "AUTH_URL", "set AUTH_URL")
local token = assert(env.get "AUTH_TOKEN", "set AUTH_TOKEN")

-- The roles that the service may give.
local roles = { frontend = true }

router.authenticator("com.example.authenticate", function(request)
  local answer, why = http.post(url, { authid = request.authid, ticket = request.ticket }, {
    headers = { Authorization = "Bearer " .. token },
    timeout = 3,
    redirects = 0,
  })
  if not answer then
    log.error("the authentication service does not answer", { reason = why })
    return nil, "com.example.unavailable", "nobody can log in at the moment, try again later"
  end
  if answer.status == 401 or answer.status == 403 then
    return nil, "com.example.invalid_ticket", "wrong ticket, or no such user"
  end

  local principal = answer.status == 200 and answer.json()
  if type(principal) ~= "table" or not roles[principal.role] then
    log.error("the authentication service gives an answer of no use", { status = answer.status })
    return nil, "com.example.unavailable", "nobody can log in at the moment, try again later"
  end
  local expires_in = tonumber(principal.expires_in)
  return {
    role = principal.role,
    expires_at = expires_in and time.now() + expires_in,
  }
end)
