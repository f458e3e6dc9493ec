-- A procedure that each user may call three times in a minute.
--
-- In usher.yaml:
--   allow: {call: true}
--   disclose: {caller: true} # or the backend could not tell callers apart
--
-- Safe because the router, not the caller, says who calls.

router.join { realm = "realm1", authrole = "backend" }

local limit = require "lib.limit"

router.register("com.example.report", function(args, kwargs, details)
  if not limit.take("report." .. details.caller_authid, 3, 60) then
    error(router.error("com.example.too_many_calls", { "three reports in a minute are enough" }))
  end
  return "all is well"
end)
