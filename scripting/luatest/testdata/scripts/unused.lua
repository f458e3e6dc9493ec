router.join { realm = "realm1", authrole = "frontend" }
print("no test loads this")
