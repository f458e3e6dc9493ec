-- A component with a procedure and an event handler.
router.join { realm = "realm1", authrole = "backend" }

router.register("com.example.add2", function(args)
  return args[1] + args[2]
end)

router.subscribe("com.example.topic1", function(args)
  log.info("event received", { topic = "com.example.topic1", arguments = args.n })
end)
