-- Assignments to several variables, with what reads and writes the same ones.
local a, b = 1, 2
a, b = b, a
print(a, b)
local t = {ok = false}
local u = {}
local x = 1
t.ok, x = x, t.ok
print(t.ok, x)
local i = 1
t[i], i = i, i + 1
print(t[1], t[2], i)
local p, q = 1, 2
G, u.ok = p, q
print(G, u.ok)
local state = {n = 1}
state.n, state = state.n + 1, {n = 7}
print(state.n)
local c, d, e = (function() return 1, nil, 3 end)()
print(c, d, e)
local f, g = 1
print(f, g)
local user, level = {locked = false}, 1
local role = "old"
role, level = not user.locked and 1, level + 1
print(role, level)
local function swap(m, n) m, n = n, m return m, n end
print(swap(1, 2))
a, b, c = 0, 1
print(a, b, c)
--> 2	1
--> 1	false
--> 1	nil	2
--> 1	2
--> 7
--> 1	nil	3
--> 1	nil
--> 1	2
--> 2	1
--> 0	1	nil
