package luatest

import (
	"testing"

	"usher/router/auth"
)

const methodsScript = `
router.join { realm = "realm1", authrole = "judge" }

local seed = ("01"):rep(32)
local users = {
  cra = { role = "user", secret = "s3cret" },
  role_only = { role = "user" },
  scram = crypto.scram_keys { password = "pass", kdf = "pbkdf2", iterations = 4096 },
}
users.scram.role = "user"

router.authenticator("com.example.authenticate", function(request)
  if request.delegation then
    local d = request.delegation
    if d.trustroot == "0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57" and d.capabilities == 12 and d.chain_id == 0 then
      return { role = "user", authid = d.delegate }
    end
    return nil, "com.example.no_such_root"
  elseif request.authmethod == "cryptosign" then
    if request.pubkey == crypto.hex_encode(crypto.ed25519_public(seed)) then return "user" end
    return nil, "com.example.no_such_key"
  elseif request.authmethod == "tls" then
    local c = request.transport.client_cert
    if c.subject.CN == "joe" and c.dns_names[1] == "joe.example.com" then return "user" end
    return nil, "com.example.no_such_certificate"
  elseif request.authmethod == "anonymous" then
    return { role = request.transport.http_headers_received["x-role"], expires_at = os.time() + 60 }
  end
  return users[request.authid]
end)

router.authorizer("com.example.authorize", function(session, uri, action, options)
  if uri == "com.example.broken" then error("broken") end
  return { allow = session.authid == "joe" and action == "call" and options.timeout == 5, disclose = true, cache = 7 }
end)

local sum = 0
router.every(10, function() sum = sum + 1 kv.incr("ticks") end)
router.after(1, function() kv.set("after", os.time()) end)
router.register("com.example.ticks", function() return kv.get("ticks") or 0, kv.get("after") end)

router.register("com.example.sql", function(args)
  local db = sql.open("users")
  local row = db:query_row("SELECT role,\n  name FROM users WHERE name = $1", args[1])
  local n = db:transaction(function(tx)
    return tx:exec("UPDATE users SET seen = 1 WHERE name = $1", args[1])
  end)
  return row and row.role, n, #db:query("SELECT 1 AS one")
end)
`

const methodsTest = `
test.realm("realm1", { "judge", "user" })

local function login(fields)
  local answer = test.authenticate(test.request(fields))
  return answer.accepted, answer.uri or answer.role, answer.cause or ""
end

it("proves a secret", function()
  expect(login { authid = "cra", secret = "s3cret" }):to_be(true)
  expect(login { authid = "cra", secret = "wrong" }):to_be(false)
end)
it("admits nobody by a role alone where there is something to prove", function()
  local ok, uri, cause = login { authid = "role_only", secret = "s3cret" }
  expect(ok):to_be(false)
  expect(uri):to_be("wamp.error.authentication_failed")
  expect(cause):to_match("secret")
end)
each({ "wamp-scram", "scram" }, "proves a password by {1}", function(method)
  expect(login { authid = "scram", password = "pass", authmethod = method }):to_be(true)
  expect(login { authid = "scram", password = "Pass", authmethod = method }):to_be(false)
end)
it("signs with a key", function()
  expect(login { authid = "key", key = ("01"):rep(32) }):to_be(true)
  local _, uri = login { authid = "key", key = ("02"):rep(32) }
  expect(uri):to_be("com.example.no_such_key")
end)
it("shows certificates of a trust root", function()
  local delegation = {
    trustroot = "0xf766dc789cf04cd18ae75af2c5faf2da6650ff57",
    delegate = "0xf5173a6111B2A6B3C20fceD53B2A8405EC142bF6", capabilities = 12,
  }
  expect(test.authenticate(test.request { key = ("02"):rep(32), delegation = delegation })):to_contain {
    accepted = true, authid = "0xf5173a6111B2A6B3C20fceD53B2A8405EC142bF6",
  }
  delegation.trustroot = delegation.delegate
  local _, uri = login { key = ("02"):rep(32), delegation = delegation }
  expect(uri):to_be("com.example.no_such_root")
  for field, wrong in pairs { trustroot = "0x1", capabilities = -1, chain_id = 1.5, root = "x" } do
    expect(function() test.authenticate(test.request { delegation = { [field] = wrong } }) end):to_raise("delegation")
  end
  expect(function() test.authenticate(test.request { delegation = "x" }) end):to_raise("delegation must be a table")
end)
it("presents a certificate", function()
  local cert = { subject = { CN = "joe" }, dns_names = { "joe.example.com" } }
  expect(test.authenticate(test.request { transport = { client_cert = cert } })):to_contain { accepted = true, authid = "joe" }
  cert.dns_names = {}
  expect(login { transport = { client_cert = cert } }):to_be(false)
end)
it("has headers", function()
  expect(test.authenticate(test.request { headers = { ["X-Role"] = "user" } })):to_contain {
    accepted = true, role = "user", expires_at = os.time() + 60,
  }
end)

it("judges an expiry by the test's clock", function()
  test.time "2020-01-01T00:00:00Z"
  local answer = test.authenticate(test.request { headers = { ["x-role"] = "user" } })
  expect(answer):to_contain { accepted = true, expires_at = 1577836860 }
end)

it("asks an authorizer", function()
  local question = { authid = "joe", uri = "com.example.f", action = "call", options = { timeout = 5 } }
  expect(test.authorize(question)):to_equal { allow = true, disclose = true, cache = 7 }
  question.action = "publish"
  expect(test.authorize(question).allow):to_be(false)
  question.uri = "com.example.broken"
  expect(test.authorize(question)):to_equal { allow = false, disclose = false, cache = 0, cause = "judge.lua:33: broken" }
end)

it("lets time pass", function()
  local begin = os.time()
  expect(test.call("com.example.ticks")):to_be(0)
  test.advance(9.5)
  local ticks, after = test.call("com.example.ticks")
  expect(ticks):to_be(0)
  expect(after):to_be(begin + 1)
  test.advance(0.5)
  expect(test.call("com.example.ticks")):to_be(1)
  test.advance(100)
  expect(test.call("com.example.ticks")):to_be(11)
end)

describe("sql", function()
  test.sql("^SELECT 1", { { one = 1 } })
  test.sql("^UPDATE", function(name) return name == "joe" and 1 or 0 end)

  it("answers with rows", function()
    test.sql("^SELECT role, name FROM users WHERE", function(name) return { { role = "user", name = name } } end)
    expect({ test.call("com.example.sql", { "joe" }) }):to_equal { "user", 1, 1 }
  end)
  it("answers with none", function()
    test.sql("^SELECT role", {})
    expect({ test.call("com.example.sql", { "ann" }) }):to_equal { null, 0, 1 }
  end)
  it("fails", function()
    test.sql("^SELECT role", function() error("no connection", 0) end)
    expect(function() test.call("com.example.sql", { "ann" }) end):to_raise("wamp.error.runtime_error")
    expect(test.logs()):to_contain { message = "procedure failed" }
    expect(test.logs("procedure failed")[1].fields.error):to_contain("database users: no connection")
  end)
end)
`

func TestEveryWayOfAComponent(t *testing.T) {
	dir := write(t, map[string]string{"judge.lua": methodsScript, "judge_test.lua": methodsTest})
	o := testOptions(dir)
	o.Timeout = 0 // the default
	if r, got := report(t, o); r.Count(Failed) > 0 || r.Count(Passed) < 12 {
		t.Error(got)
	}
}

// An authenticator is held to the realms that the configuration gives it.
func TestRealmsOfAnAuthenticator(t *testing.T) {
	dir := write(t, map[string]string{
		"a.lua": `router.join { realm = "login", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request) return { realm = request.authid, role = "member" } end)`,
		"a_test.lua": `for _, realm in ipairs { "login", "acme", "globex" } do test.realm(realm, { "authenticator", "member" }) end
each({ { "acme", true }, { "globex", false } }, "admits to {1}: {2}", function(realm, admitted)
  local answer = test.authenticate(test.request { realm = null, authid = realm, ticket = "any" })
  expect(answer.accepted):to_be(admitted)
end)`,
	})
	o := testOptions(dir)
	o.Authenticators = []*auth.Dynamic{{URI: "com.example.authenticate", Realm: "login", Realms: []string{"acme"}}}
	if r, got := report(t, o); r.Count(Failed) > 0 || r.Count(Passed) != 2 {
		t.Error(got)
	}
}
