-- A dynamic authorizer: com.example.user.joe. and all below it is joe's, who may
-- do everything there, and may invite others, who may only publish.
--
-- In usher.yaml:
--   - name: user
--     authorizer: com.example.authorize # asked where none of the rules says anything
--
-- Safe because what is not clearly allowed is denied: a pattern that reaches what
-- belongs to others, a URI of another form, and everything if this script fails.
-- Only "yes, it is mine" is remembered: who was invited may be turned away.

router.join { realm = "realm1", authrole = "authorizer" }

-- Returns whom a URI, or a pattern, belongs to, if that is one user alone.
local function owner(uri, match)
  if match == "wildcard" then
    return nil
  end
  return uri:match "^com%.example%.user%.([%w_-]+)%."
end

-- The length keeps "a" and "b.c" apart from "a.b" and "c".
local function invitation(by, whom)
  return ("invited.%d.%s.%s"):format(#by, by, whom)
end

router.authorizer("com.example.authorize", function(session, uri, action, options)
  local owned_by = owner(uri, options.match)
  if not owned_by then
    return false
  end
  if owned_by == session.authid then
    return { allow = true, cache = true }
  end
  return action == "publish" and kv.get(invitation(owned_by, session.authid)) == true
end)

-- invite(authid, on): lets another user publish to what is the caller's, or no more.
router.register("com.example.invite", function(args, kwargs, details)
  local authid, on = args[1], args[2]
  if type(authid) ~= "string" or type(on) ~= "boolean" then
    error(router.error("wamp.error.invalid_argument", { "want the authid of a user, and true or false" }))
  end
  local name = invitation(details.caller_authid, authid)
  if on then
    kv.set(name, true, 30 * 86400)
  else
    kv.delete(name)
  end
end)
