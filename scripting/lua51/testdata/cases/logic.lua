-- An and/or that is assigned to an existing local: the natural style of a
-- decision, and where gopher-lua's own compiler admits everybody.
local function deny() return false end
local function none() end
local ok = true
ok = ok and deny() and true
print(ok)
ok = deny() and deny()
print(ok)
local r = "guest"
r = none() and not ok
print(r)
r = "x" or deny()
print(r, not nil, nil and 1, false or nil, 1 and 2)
local rounds, z = 0, nil
repeat
  rounds = rounds + 1
  local again = (false and (1 == 2))
until again or rounds > 2
print(rounds)
local i = 0
repeat
  i = i + 1
  z = not z and 3
until z == 3 or i > 2
print(i, z)
for k in pairs({1}) do
  if false then local x end
  print("in", k)
end
for k in pairs({1, 2}) do break end
print(1 == 1 and "yes" or "no", 1 < 2 == true, not (1 > 2))
--> false
--> false
--> nil
--> x	true	nil	nil	2
--> 3
--> 1	3
--> in	1
--> yes	true	true
