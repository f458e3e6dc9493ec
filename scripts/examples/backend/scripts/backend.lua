-- A backend: what a component of the router can do, one thing after the other.
--
-- In usher.yaml:
--   - uri: com.example.
--     match: prefix
--     allow: {call: true, register: true, publish: true, subscribe: true}
--
-- Safe because arguments are checked before they are used (a number that is none
-- fails each comparison, and so must not be let through by one), because what clients
-- can make it keep expires, and because its role can do what it does, and no more.

router.join { realm = "realm1", authrole = "backend" }

local function invalid(text)
  error(router.error("wamp.error.invalid_argument", { text }))
end

-- A procedure. Errors of its own have URIs of their own.
router.register("com.example.divide", function(args)
  local a, b = args[1], args[2]
  if type(a) ~= "number" or type(b) ~= "number" then
    invalid "want two numbers"
  end
  if b == 0 then
    error(router.error("com.example.division_by_zero", {}, { dividend = a }))
  end
  return a / b
end)

-- Results in parts, for callers that take them.
router.register("com.example.countdown", function(args, kwargs, details)
  local from = args[1]
  if type(from) ~= "number" or not (from >= 1 and from <= 1000) then
    invalid "want a number from 1 to 1000"
  end
  for n = from, 1, -1 do
    if details.progress then
      details.progress { n }
    end
  end
  return "liftoff"
end)

-- A procedure for all URIs of a form: details.procedure is the one that was called.
-- The event is kept for those who subscribe later with get_retained.
router.register("com.example.device..set", function(args, kwargs, details)
  local device = details.procedure:match "^com%.example%.device%.([%w_-]+)%.set$"
  local state = args[1]
  if not device or type(state) ~= "string" or #state > 100 then
    invalid "want the state of a device, of 100 bytes at most"
  end
  kv.set("device." .. device, state, 86400)
  router.publish("com.example.device." .. device .. ".state", { state }, nil, { retain = true })
end, { match = "wildcard" })

router.register("com.example.device..get", function(args, kwargs, details)
  local device = details.procedure:match "^com%.example%.device%.([%w_-]+)%.get$"
  return device and kv.get("device." .. device)
end, { match = "wildcard" })

-- Shared: clients that register it likewise get their turn.
router.register("com.example.work", function()
  return "done by the router"
end, { invoke = "roundrobin" })

-- Events, of a whole tree of topics.
router.subscribe("com.example.log.", function(args, kwargs, details)
  log.info("event", { topic = details.topic, text = tostring(args[1]) })
  kv.incr("logged", 1)
end, { match = "prefix" })

router.register("com.example.statistics", function()
  return router.result(nil, { logged = kv.get "logged" or 0 })
end)

-- The meta API: whoever is there already learns who comes.
router.subscribe("wamp.session.on_join", function(args)
  local session = args[1]
  if session.authrole == "frontend" then
    router.publish("com.example.joined", { session.authid })
  end
end)

-- A timer, of the component rather than of each of its virtual machines: saving
-- this file does not make it lose its beat.
router.every(10, function()
  router.publish("com.example.online", { router.call "wamp.session.count" })
end)

-- And a call that is put off.
router.register("com.example.remind", function(args)
  local text, seconds = args[1], args[2]
  if type(text) ~= "string" or #text > 100 or type(seconds) ~= "number" or not (seconds >= 0 and seconds <= 3600) then
    invalid "want a text of 100 bytes at most, and after how many seconds"
  end
  router.after(seconds, "com.example.internal.remind", { text })
end)

router.register("com.example.internal.remind", function(args)
  router.publish("com.example.reminder", { args[1] })
end)
