-- The loops: what their expressions may be and which variables are whose.
for i = "1", " 3 " do io_ = i end
print(io_)
for i = 3, 1, "-1" do io_ = i end
print(io_, pcall(function() for i = 1, "x" do end end))
for i = 1, 0 do print("never") end
for i = 1, 2, 0.5 do print(i) end
local users = {"x", "x", 2, "x"}
local sum = 0
for k in next, users do sum = sum + k end
print(sum)
local function step(s, c) if not c then return 1 elseif c < s then return c + 1 end end
for v in step, 3 do print("step", v) end
print(pcall(function() for x in nil do end end))
local fs = {}
for i = 1, 3 do
  local j = i * 10
  if i == 2 then
    local k = j
    fs[#fs + 1] = function() k = k + 1 return k end
    break
  end
  fs[#fs + 1] = function() j = j + 1 return i, j end
end
local other1, other2, other3 = "a", "b", "c"
print(fs[1](), fs[1](), fs[2](), fs[2](), other1, other2, other3)
local n = 0
while true do n = n + 1 if n > 4 then break end end
print(n)
local get
repeat local last = n n = n - 1 get = function() return last end until last < 3
print(n, get())
local goto = {goto = 5}
print(goto.goto)
--> 3
--> 1	false	p.lua:5: 'for' limit must be a number
--> 1
--> 1.5
--> 2
--> 10
--> step	1
--> step	2
--> step	3
--> false	p.lua:14: attempt to call a nil value
--> 1	1	21	22	a	b	c
--> 5
--> 1	2
--> 5
