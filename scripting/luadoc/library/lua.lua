---@meta lua

-- Lua 5.1's own library, as far as scripts of usher have it.

---The table of globals.
---@type table
_G = nil

---@type string
_VERSION = nil

---Returns its arguments, or raises an error if the first is false or nil.
---@generic T
---@param v T?
---@param message? any
---@param ... any
---@return T
---@return any ...
function assert(v, message, ...) end

---Raises an error. A string gets the position of the caller.
---@param message any
---@param level? integer whose position; 0: none
function error(message, level) end

---@param value any
---@return any
function getmetatable(value) end

---Iterates over t[1], t[2] and so on, up to the first nil.
---@generic T
---@param t T[]
---@return fun(t: T[], i?: integer): integer, T
---@return T[]
---@return integer
function ipairs(t) end

---@param t table
---@param key? any
---@return any key
---@return any value
function next(t, key) end

---Iterates over all fields, in no order.
---@generic K, V
---@param t table<K, V>|{ [K]: V }
---@return fun(t: table<K, V>, key?: K): K, V
---@return table<K, V>
function pairs(t) end

---Calls fn, and returns true with its results, or false with the error.
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function pcall(fn, ...) end

---Writes to the router's log.
---@param ... any
function print(...) end

---@param a any
---@param b any
---@return boolean
function rawequal(a, b) end

---@param t table
---@param key any
---@return any
function rawget(t, key) end

---@param t table
---@param key any
---@param value any
---@return table
function rawset(t, key, value) end

---Returns the arguments from n on, or with "#" their number.
---@param n integer|"#"
---@param ... any
---@return any ...
function select(n, ...) end

---@generic T
---@param t T
---@param metatable? table
---@return T
function setmetatable(t, metatable) end

---@param value any
---@param base? integer
---@return number?
function tonumber(value, base) end

---@param value any
---@return string
function tostring(value) end

---@param value any
---@return "nil"|"boolean"|"number"|"string"|"table"|"function"|"userdata"
function type(value) end

---@generic T
---@param list T[]
---@param i? integer
---@param j? integer
---@return T ...
function unpack(list, i, j) end

---As pcall, with handler called with an error where it is raised.
---@param fn function
---@param handler function
---@return boolean ok
---@return any ...
function xpcall(fn, handler) end

---@class stringlib
string = {}

---@param s string|number
---@param i? integer
---@param j? integer
---@return integer ...
function string.byte(s, i, j) end

---@param ... integer
---@return string
function string.char(...) end

---@param s string|number
---@param pattern string|number
---@param init? integer
---@param plain? boolean
---@return integer? first
---@return integer? last
---@return any ... # captures
function string.find(s, pattern, init, plain) end

---@param format string|number
---@param ... any
---@return string
function string.format(format, ...) end

---Old name of gmatch.
---@param s string|number
---@param pattern string|number
---@return fun(): string, ...
function string.gfind(s, pattern) end

---@param s string|number
---@param pattern string|number
---@return fun(): string, ...
function string.gmatch(s, pattern) end

---@param s string|number
---@param pattern string|number
---@param replacement string|number|table|function
---@param n? integer
---@return string
---@return integer count
function string.gsub(s, pattern, replacement, n) end

---@param s string|number
---@return integer
function string.len(s) end

---@param s string|number
---@return string
function string.lower(s) end

---@param s string|number
---@param pattern string|number
---@param init? integer
---@return any ... # captures
function string.match(s, pattern, init) end

---@param s string|number
---@param n integer
---@return string
function string.rep(s, n) end

---@param s string|number
---@return string
function string.reverse(s) end

---@param s string|number
---@param i integer
---@param j? integer
---@return string
function string.sub(s, i, j) end

---@param s string|number
---@return string
function string.upper(s) end

---@class tablelib
table = {}

---@param list any[]
---@param separator? string
---@param i? integer
---@param j? integer
---@return string
function table.concat(list, separator, i, j) end

---Old; use pairs.
---@param t table
---@param fn fun(key: any, value: any): any
---@return any
function table.foreach(t, fn) end

---Old; use ipairs.
---@param t any[]
---@param fn fun(i: integer, value: any): any
---@return any
function table.foreachi(t, fn) end

---Old; use #.
---@param t any[]
---@return integer
function table.getn(t) end

---@overload fun(list: any[], value: any)
---@param list any[]
---@param i integer
---@param value any
function table.insert(list, i, value) end

---@param t table
---@return number
function table.maxn(t) end

---@param list any[]
---@param i? integer the last by default
---@return any
function table.remove(list, i) end

---Old, and an error.
---@param t table
---@param n integer
function table.setn(t, n) end

---@generic T
---@param list T[]
---@param before? fun(a: T, b: T): boolean
function table.sort(list, before) end

---@class mathlib
math = {}

---@type number
math.huge = nil

---@type number
math.pi = nil

---@param x number
---@return number
function math.abs(x) end

---@param x number
---@return number
function math.acos(x) end

---@param x number
---@return number
function math.asin(x) end

---@param x number
---@return number
function math.atan(x) end

---@param y number
---@param x number
---@return number
function math.atan2(y, x) end

---@param x number
---@return integer
function math.ceil(x) end

---@param x number
---@return number
function math.cos(x) end

---@param x number
---@return number
function math.cosh(x) end

---@param x number
---@return number
function math.deg(x) end

---@param x number
---@return number
function math.exp(x) end

---@param x number
---@return integer
function math.floor(x) end

---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---@param x number
---@return number
---@return integer
function math.frexp(x) end

---@param m number
---@param e integer
---@return number
function math.ldexp(m, e) end

---@param x number
---@return number
function math.log(x) end

---@param x number
---@return number
function math.log10(x) end

---@param x number
---@param ... number
---@return number
function math.max(x, ...) end

---@param x number
---@param ... number
---@return number
function math.min(x, ...) end

---Old name of fmod.
---@param x number
---@param y number
---@return number
function math.mod(x, y) end

---@param x number
---@return number
---@return number
function math.modf(x) end

---@param x number
---@param y number
---@return number
function math.pow(x, y) end

---@param x number
---@return number
function math.rad(x) end

---Not for secrets: see crypto.random.
---@param m? integer
---@param n? integer
---@return number
function math.random(m, n) end

---@param seed number
function math.randomseed(seed) end

---@param x number
---@return number
function math.sin(x) end

---@param x number
---@return number
function math.sinh(x) end

---@param x number
---@return number
function math.sqrt(x) end

---@param x number
---@return number
function math.tan(x) end

---@param x number
---@return number
function math.tanh(x) end

---@class oslib
os = {}

---Seconds since the virtual machine began.
---@return number
function os.clock() end

---@param format? string as of strftime; "*t" makes a table, "!" at the beginning means UTC
---@param seconds? number
---@return string|table
function os.date(format, seconds) end

---@param later number
---@param earlier? number
---@return number
function os.difftime(later, earlier) end

---Returns an environment variable that scripts.env lists.
---@param name string
---@return string?
function os.getenv(name) end

---@param date? table
---@return integer
function os.time(date) end
