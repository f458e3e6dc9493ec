-- Runs the cases of one file of this folder with the reference implementation
-- (lua5.1) and prints the outcome of each on a line: see TestReference.
local function show(v)
  if type(v) == "string" then
    return '"' .. v:gsub('[%c"\\\128-\255]', function(c) return ("\\%03d"):format(c:byte()) end) .. '"'
  elseif type(v) == "number" or type(v) == "boolean" or v == nil then
    return tostring(v)
  end
  return type(v)
end

local function list(from, ...)
  local shown = {}
  for i = from, select("#", ...) do shown[#shown + 1] = show((select(i, ...))) end
  return table.concat(shown, ", ")
end

local function outcome(ok, ...)
  return (ok and "=> " or "=> error ") .. list(1, ...)
end

local source = {}
for line in io.lines(arg[1]) do
  if #source > 0 and (line:sub(1, 2) == "=>" or line:sub(1, 2) == "> ") then
    local chunk = assert(loadstring(table.concat(source, "\n"), "=x"))
    local lines = {}
    local env = {print = function(...) lines[#lines + 1] = "> " .. list(1, ...) end}
    setfenv(chunk, setmetatable(env, {__index = _G}))
    local result = outcome(pcall(chunk))
    io.write(table.concat(lines, " "), #lines > 0 and " " or "", result, "\n")
    source = {}
  elseif line ~= "" and line:sub(1, 2) ~= "--" then
    source[#source + 1] = line
  end
end
