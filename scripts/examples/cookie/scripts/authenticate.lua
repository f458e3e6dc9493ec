-- A tracking cookie: who has logged in with a ticket comes back without one,
-- until com.example.forget_me is called. (Where that is all you need, write
-- cookie: {type: static}, and no script. This one can be changed.)
--
-- In usher.yaml:
--   cookie: {max_age: 168h}
--   auth:
--     cookie: {type: dynamic, authenticator: com.example.recognize}
--     ticket: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because a login is kept only under a cookie that was made for this very
-- connection, and not under one that somebody may have planted in the browser;
-- because what is kept does not have the cookie, only its hash; and because the
-- role is that of today.

router.join { realm = "realm1", authrole = "authenticator" }

local max_age = 7 * 86400

local principals = {
  joe = { ticket = env.get "JOE_TICKET", role = "frontend" },
}

-- Where the login of a cookie is kept.
local function place(cbtid)
  return "login." .. crypto.hex_encode(crypto.sha256(cbtid))
end

-- How often a user has asked to be forgotten: logins of before do not count.
local function forgotten(authid)
  return kv.get("forgotten." .. authid) or 0
end

router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal or not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket", "wrong ticket, or no such user"
  end
  local transport = request.transport
  if transport.cbtid and transport.http_headers_sent["set-cookie"] then
    local login = { authid = request.authid, forgotten = forgotten(request.authid) }
    kv.set(place(transport.cbtid), json.encode(login), max_age)
  end
  return principal.role
end)

router.authenticator("com.example.recognize", function(request)
  local kept = kv.get(place(request.transport.cbtid))
  local login = kept and json.decode(kept)
  local principal = login and principals[login.authid]
  if not principal or login.forgotten ~= forgotten(login.authid) then
    -- With this URI the client may go on with the next of its methods.
    return nil, "wamp.error.no_matching_auth_method", "nobody is logged in under this cookie"
  end
  return { authid = login.authid, role = principal.role }
end)

router.register("com.example.forget_me", function(args, kwargs, details)
  kv.incr("forgotten." .. details.caller_authid)
end)
