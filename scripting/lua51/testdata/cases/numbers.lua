-- How numbers print, and arithmetic on strings.
print(1 / 3, 1e15, 1e14, 2 ^ 53, 12345678.9, 1 / 0, -1 / 0, 100, -0.5, 1e100, 123456789012345)
print(0 / -8, -(0), 0 * -1, -0 + 0, 5 % 3, -6 % 3, 5 % -3, 5.5 % 2, 2 ^ 10, 10 ^ -50)
print("010" + 0, "0x10" * 1, " 5 " + 1, "1e2" / 1, -"2", "10" % 3, 10 .. 20)
print(pcall(function() return "1_000" + 0 end))
print(pcall(function() return "0b1" + 0 end))
print("1e400" * 2, 0x10, 0xA, .5, 3., 1e2)
print(1 .. "", 1.5 .. "|" .. 2 ^ 53 .. "|" .. 1 / 3)
print(tostring(0.1 + 0.2), 0.1 + 0.2 == 0.3, 1e308 * 10, 5 % (1 / 0))
--> 0.33333333333333	1e+15	1e+14	9.007199254741e+15	12345678.9	inf	-inf	100	-0.5	1e+100	1.2345678901234e+14
--> 0	0	0	0	2	0	-1	1.5	1024	1e-50
--> 10	16	6	100	-2	1	1020
--> false	p.lua:5: attempt to perform arithmetic on a string value
--> false	p.lua:6: attempt to perform arithmetic on a string value
--> inf	16	10	0.5	3	100
--> 1	1.5|9.007199254741e+15|0.33333333333333
--> 0.3	false	inf	nan
