-- Constructors, lengths and metatables.
local function several() return 8, 9 end
local t = {1, a = several()}
print(t[1], t[2], t.a)
t = {several(), several(), [10] = several(); several()}
print(#t, t[1], t[2], t[3], t[10])
t = {(several())}
print(#t)
print(#setmetatable({1}, {__len = function() return 99 end}), #"abc", #{1, 2, nil, 4})
print(#{nil, 2, nil}, #{n = 1}, #{(function(...) return ... end)(1, nil, 3)})
local m = setmetatable({}, {
  __index = function(_, k) return k .. "!" end, __call = function(_, a, b) return a, b end,
  __add = function(a, b) return "add" end, __unm = function(a, b) return rawequal(a, b) end,
  __concat = function(a, b) return type(a) .. type(b) end, __lt = function() return true end,
})
print(m.x, m(1, 2), m + 1, "1" + m, -m, m .. "x", 1 .. m, "a" .. "b" .. m, m < m, m > m, m <= m)
print(pcall(function() return m < 1 end))
print(pcall(function() return {} < {} end))
print(pcall(function() t[nil] = 1 end))
print(pcall(function() t[0 / 0] = 1 end))
local function varargs(...) return select("#", ...), ... end
print(varargs(nil, nil))
local function old(...) return arg.n, arg[1] end
print(old("x", nil))
--> 1	nil	8
--> 4	8	8	8	8
--> 1
--> 1	3	4
--> 0	0	3
--> x!	1	add	add	true	tablestring	numbertable	astringtable	true	true	false
--> false	p.lua:17: attempt to compare table with number
--> false	p.lua:18: attempt to compare two table values
--> false	p.lua:19: table index is nil
--> false	p.lua:20: table index is NaN
--> 2	nil	nil
--> 2	x
