-- What the errors of the language say.
local user
local request = {headers = {}}
local function try(f, ...) print(select(2, pcall(f, ...))) end
try(function() return user.role end)
try(function() return request.extra.device end)
try(function() request.extra.device = 1 end)
try(function() return missing.field end)
try(function() return missing() end)
try(function() return request.decide() end)
try(function() return request:decide() end)
try(function() local f = 5 f() end)
try(function() return user + 1 end)
try(function() return 1 - request.level end)
try(function() return -user end)
try(function() return request % 2 end)
try(function() return "a" .. user end)
try(function() return user .. "a" end)
try(function() return "x" .. 1 .. request.headers end)
try(function() return #user end)
try(function() return 1 < "2" end)
try(function() return nil < nil end)
try(function() return request <= {} end)
try(function() return ("x") + 1 end)
try(function() error("text") end)
try(function() error("text", 0) end)
try(function() error({}) end)
try(function() error() end)
try(function() assert(false) end)
try(function() assert(nil, "said") end)
try(function() string.rep() end)
try(function() ("x"):rep({}) end)
try(function()
  local value = 1 +
    user.level
end)
--> p.lua:5: attempt to index upvalue 'user' (a nil value)
--> p.lua:6: attempt to index field 'extra' (a nil value)
--> p.lua:7: attempt to index field 'extra' (a nil value)
--> p.lua:8: attempt to index global 'missing' (a nil value)
--> p.lua:9: attempt to call global 'missing' (a nil value)
--> p.lua:10: attempt to call field 'decide' (a nil value)
--> p.lua:11: attempt to call method 'decide' (a nil value)
--> p.lua:12: attempt to call local 'f' (a number value)
--> p.lua:13: attempt to perform arithmetic on upvalue 'user' (a nil value)
--> p.lua:14: attempt to perform arithmetic on field 'level' (a nil value)
--> p.lua:15: attempt to perform arithmetic on upvalue 'user' (a nil value)
--> p.lua:16: attempt to perform arithmetic on upvalue 'request' (a table value)
--> p.lua:17: attempt to concatenate upvalue 'user' (a nil value)
--> p.lua:18: attempt to concatenate upvalue 'user' (a nil value)
--> p.lua:19: attempt to concatenate field 'headers' (a table value)
--> p.lua:20: attempt to get length of upvalue 'user' (a nil value)
--> p.lua:21: attempt to compare number with string
--> p.lua:22: attempt to compare two nil values
--> p.lua:23: attempt to compare two table values
--> p.lua:24: attempt to perform arithmetic on a string value
--> p.lua:25: text
--> text
--> table
--> nil
--> p.lua:29: assertion failed!
--> p.lua:30: said
--> p.lua:31: bad argument #1 to 'rep' (string expected, got no value)
--> p.lua:32: bad argument #1 to 'rep' (number expected, got table)
--> p.lua:35: attempt to index upvalue 'user' (a nil value)
