-- Captured locals, also across a failed protected call.
local a
local function get() return a end
pcall(error, "x")
a = "seen"
print(get())
local escaped
pcall(function()
  local inner = 1
  escaped = function() inner = inner + 1 return inner end
  error("after")
end)
local p1, p2, p3, p4 = 50, 51, 52, 53
print(escaped(), escaped(), p1, p2, p3, p4)
local function counter()
  local n = 0
  return function() n = n + 1 return n end, function() return n end
end
local up, now = counter()
up() up()
print(now())
local function fact(n) if n < 2 then return 1 end return n * fact(n - 1) end
print(fact(20), fact(5))
local function loop(n) if n == 0 then return "done" end return loop(n - 1) end
print(loop(5000))
print(xpcall(function() local x = nil; return x.y end, function(e) return "handled " .. e end))
--> seen
--> 2	3	50	51	52	53
--> 2
--> 2.4329020081766e+18	120
--> done
--> false	handled p.lua:26: attempt to index local 'x' (a nil value)
