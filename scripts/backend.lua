-- The backend of the demo: a procedure, and three topics that it listens to.

router.join { realm = "realm1", authrole = "backend" }

router.register("com.example.add2", function(args)
  return args[1] + args[2]
end)

local function listen(topic)
  router.subscribe(topic, function(args)
    local shown = {}
    for i = 1, args.n do
      shown[i] = tostring(args[i])
    end
    print(("event received on %s: %s"):format(topic, table.concat(shown, ", ")))
  end)
end

listen("com.example.topic1")
listen("com.foobar.topic1")
listen("com.foobar.topic2")

-- The role's permissions deny this one: the error has the URI of the denial.
local ok, denial = pcall(listen, "com.example.topic2")

router.on_ready(function()
  if not ok then
    print(("not subscribed to com.example.topic2: %s"):format(tostring(denial.uri)))
  end
end)
