-- The string library on bytes and with the reference's edges.
print(("\226\132\170elvin"):lower() == "\226\132\170elvin", #("caf\195\169"):reverse(), ("abc"):byte())
print(tonumber("1e2"), tonumber(11, 2), tonumber("1.1", 2), tonumber("0x1F"), tonumber(" 7 "), tonumber("1_0"))
print(("x"):match("y"), ("aaa"):find("%f[%w]"), ("THE (quick) fox"):gsub("%f[%a]%a+", "W"))
print(("abc"):gsub("%w", "%0%0"), ("abc"):gsub("", "-"), ("abc"):gsub("b", "x", 0))
print(("$name"):gsub("%$(%w+)", {name = "joe"}), ("k = v"):match("(%w+) = (%w+)"))
print(("%5s|%-5s|%05d|%.2f|%x|%q"):format("a", "b", 42, 1.005, 255, "x\n\0\""))
print(pcall(string.format, "%d", "x"), pcall(string.gsub, "x", "(", ""))
print(("a,b,,c"):find(",", 1, true), ("f(a(b)c)"):match("%b()"), ("abc"):sub(-2), ("x"):rep(3))
print('\65\066\n\'', [[
long]], [==[]]]==], "\z")
--> true	5	97
--> 100	3	nil	31	7	nil
--> nil	1	W (W) W	3
--> aabbcc	-a-b-c-	abc	0
--> joe	k	v
-->     a|b    |00042|1.00|ff|"x\
--> \000\""
--> false	true	x	2
--> 2	(a(b)c)	bc	xxx
--> AB
--> '	long	]]	z
