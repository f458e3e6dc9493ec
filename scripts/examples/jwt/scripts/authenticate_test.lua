-- Tokens are made here as an issuer makes them, each key from its number.

local function b64(value)
  return crypto.base64url_encode(type(value) == "table" and json.encode(value) or value)
end

local function seed(n) return crypto.sha256("key " .. n) end

local function jwk(n)
  return { kty = "OKP", crv = "Ed25519", use = "sig", alg = "EdDSA", kid = "key " .. n, x = b64(crypto.ed25519_public(seed(n))) }
end

local function token(changes, key)
  local claims = {
    iss = "https://login.example.com", aud = "usher", sub = "joe", role = "user",
    iat = time.now(), exp = time.now() + 600,
  }
  for name, value in pairs(changes or {}) do
    claims[name] = value
  end
  key = key or 1
  local signed = b64 { alg = "EdDSA", kid = "key " .. key } .. "." .. b64(claims)
  return signed .. "." .. b64(crypto.ed25519_sign(seed(key), signed))
end

local jwks_url = "https://login.example.com/jwks"

test.time "2030-01-01T00:00:00Z"
test.env { JWT_ISSUER = "https://login.example.com", JWT_AUDIENCE = "usher", JWKS_URL = jwks_url }
test.http(jwks_url, { json = { keys = { jwk(1) } } })

local function login(ticket)
  return test.authenticate(test.request { authid = "whoever", ticket = ticket })
end

it("admits whom the token names, until it expires", function()
  expect(login(token())):to_equal {
    accepted = true, authid = "joe", role = "frontend", realm = "realm1", expires_at = time.now() + 600,
  }
end)

it("fetches the keys every ten minutes, and not for each login", function()
  for _ = 1, 3 do
    expect(login(token()).accepted):to_be(true)
  end
  expect(#test.requests()):to_be(1)
  test.advance(600)
  expect(#test.requests()):to_be(2)
end)

it("fetches the keys for a token that does not fit them", function()
  expect(login(token()).accepted):to_be(true)
  test.http(jwks_url, { json = { keys = { jwk(1), jwk(2) } } })
  test.advance(10)
  expect(login(token(nil, 2)).accepted):to_be(true)
  expect(login(token(nil, 1)).accepted):to_be(true)
  expect(#test.requests()):to_be(2)
end)

it("does not fetch them for each forged token", function()
  login(token())
  test.advance(10)
  for n = 2, 9 do
    expect(login(token(nil, n)).uri):to_be("com.example.invalid_token")
  end
  expect(#test.requests()):to_be(2)
end)

it("goes on for an hour with the keys it has, where the issuer is down", function()
  local late = { exp = time.now() + 9999 }
  expect(login(token(late)).accepted):to_be(true)
  test.http(jwks_url, { status = 503 })
  test.advance(3599)
  expect(login(token(late)).accepted):to_be(true)
  test.advance(1)
  expect(login(token(late)).uri):to_be("com.example.invalid_token")
end)

each({
  { "has an error", { status = 503 } },
  { "sends no keys", { body = "[]" } },
  { "sends no JSON", { body = "oops" } },
  { "does not answer", { error = "connection refused" } },
}, "admits nobody where the issuer {1}", function(_, answer)
  test.http(jwks_url, answer)
  expect(login(token()).uri):to_be("com.example.invalid_token")
  expect(#test.logs "keys can't be had"):to_be(1)
end)

each({
  { "of another issuer", { iss = "https://example.org" } },
  { "for another audience", { aud = "somebody else" } },
  { "that has expired", { exp = 1893456000 - 11 } },
  { "that never expires", { exp = null } },
  { "that is not valid yet", { nbf = 1893456000 + 60 } },
}, "refuses a token {1}", function(_, changes)
  expect(login(token(changes)).uri):to_be("com.example.invalid_token")
end)

it("refuses a token that was changed, and what is none", function()
  local header, _, signature = token():match "^(.*)%.(.*)%.(.*)$"
  local claims = token({ sub = "admin" }):match "%.(.*)%."
  for _, wrong in ipairs { header .. "." .. claims .. "." .. signature, header .. "." .. claims .. ".", "", "joe" } do
    expect(login(wrong).uri):to_be("com.example.invalid_token")
  end
  expect(login(b64 { alg = "none" } .. "." .. claims .. ".").uri):to_be("com.example.invalid_token")
end)

each({
  { "a role that there is not", { role = "admin" } },
  { "no role", { role = null } },
  { "no name", { sub = null } },
  { "a name that is none", { sub = 7 } },
}, "refuses a token with {1}", function(_, changes)
  expect(login(token(changes)).uri):to_be("com.example.no_role")
end)
