-- The role by a header: a reverse proxy has let somebody in, and says who it is
-- in X-Remote-User and X-Remote-Groups, beside a secret of its own.
--
-- In usher.yaml:
--   auth:
--     anonymous: {type: dynamic, authenticator: com.example.authenticate}
--
-- Safe because anybody can send these headers, but only the proxy can send
-- X-Proxy-Secret with them: it must set all three itself, whatever came from the
-- client. Where PROXY_SECRET is not set, nobody gets in.

router.join { realm = "realm1", authrole = "authenticator" }

local secret = env.get "PROXY_SECRET"

-- The first group that somebody is in counts.
local roles = {
  { group = "editors", role = "editor" },
  { group = "staff", role = "reader" },
}

-- Tells whether a group stands in a list such as "staff, editors".
local function is_in(group, groups)
  for name in groups:gmatch "[^,%s]+" do
    if name == group then
      return true
    end
  end
  return false
end

router.authenticator("com.example.authenticate", function(request)
  local headers = request.transport.http_headers_received
  if not crypto.equal(headers["x-proxy-secret"], secret) then
    return nil, "com.example.not_by_proxy", "log in at https://www.example.com/"
  end
  local user = headers["x-remote-user"]
  if user and user ~= "" then
    for _, entry in ipairs(roles) do
      if is_in(entry.group, headers["x-remote-groups"] or "") then
        return { authid = user, role = entry.role }
      end
    end
  end
  return nil, "com.example.no_role", "nothing here is for you"
end)
