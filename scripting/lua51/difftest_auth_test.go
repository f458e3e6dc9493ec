package lua51_test

import (
	"fmt"
	"strings"
)

// authenticator generates a script like those that decide about logins: a table
// of users, helpers, a function that decides, and requests to ask it.
func (p *program) authenticator() {
	a := &auth{program: p}
	a.users()
	a.helpers()
	a.decide()
	a.requests()
}

type auth struct {
	*program
	checks []string // conditions that the parts add, in terms of request and user
	after  []string // lines that print state at the end
}

var (
	authids = []string{"joe", "client1", "Peter", "amber", "x", "ops@example.com", "\\226\\132\\170elvin", "caf\\195\\169"}
	roles   = []string{"frontend", "backend", "guest", "admin"}
)

func (a *auth) users() {
	a.block("local users = {", func() {
		for _, id := range authids {
			if a.chance(25) {
				continue
			}
			key := `["` + id + `"]`
			if strings.Trim(id, "abcdefghijklmnopqrstuvwxyzP0123456789") == "" {
				key = id
			}
			fields := []string{fmt.Sprintf(`ticket = "%s"`, pick(a.random, "secret!!!", "1234", "0x10", "", "a b", "007")),
				fmt.Sprintf("role = %q", pick(a.random, roles...))}
			if a.chance(50) {
				fields = append(fields, "locked = "+pick(a.random, "true", "false", "nil"))
			}
			if a.chance(50) {
				fields = append(fields, "level = "+pick(a.random, "1", "2", "10", `"3"`, "0.5"))
			}
			if a.chance(40) {
				fields = append(fields, `tags = {"a", "`+pick(a.random, "b", "vip", "10")+`", 3}`)
			}
			a.line("%s = {%s},", key, strings.Join(fields, ", "))
		}
	}, "}")
	a.line("local seen, count = {}, 0")
}

// helpers adds some of the parts below, each with what uses it.
func (a *auth) helpers() {
	parts := []func(){
		a.conditions, a.headers, a.protectedHelper, a.counters, a.lists, a.text, a.methods,
		a.closureLimit, a.errors, a.varargs, a.formats, a.substitutions, a.assignments, a.iteration,
	}
	for range a.between(2, 5) {
		i := a.below(len(parts))
		parts[i]()
		parts = append(parts[:i], parts[i+1:]...)
	}
}

func (a *auth) check(format string, args ...any) {
	a.checks = append(a.checks, fmt.Sprintf(format, args...))
}

func (a *auth) conditions() {
	a.line("local strict, open = %s, %s", pick(a.random, "true", "false", "nil"), pick(a.random, "true", "false", "nil"))
	a.block("local function allowed(user, request)", func() {
		a.line("local ok = %s", pick(a.random, "true", "false", "user.locked", "not user.locked"))
		for range a.between(1, 4) {
			a.line("ok = %s", pick(a.random,
				"ok and not user.locked", "ok and user.ticket == request.ticket", "ok or open", "not user.locked and ok",
				"strict and ok or open", "user.level and user.level + 0 > 1 and ok", "ok and (user.role == 'admin' or open)",
				"not (strict and user.locked)", "ok and request.authid ~= '' and true", "user.locked and false or ok",
				"(ok or strict) and (user.role or open)", "ok == nil and open or ok"))
		}
		a.line("return ok")
	}, "end")
	a.check("allowed(user, request)")
}

func (a *auth) headers() {
	a.block("local function header(request, name)", func() {
		a.line("local headers = request.headers or {}")
		a.line("local value = headers[name:lower()]")
		a.line("if %s then return nil end", pick(a.random, "not value", "value == nil", "not value or value == ''", "type(value) ~= 'string'"))
		a.line("return value:%s", pick(a.random, `match("^%s*(.-)%s*$")`, `gsub("%s+", "")`, `lower()`, `sub(1, 12)`, `match("^Bearer%s+(%S+)$")`,
			`match("([%w_]+)=([%w_]*)")`, `find("text/", 1, true)`, `match("q=(%d%.?%d*)")`, `upper():reverse()`, `match("%f[%w]%w+")`, `byte(1, 3)`))
	}, "end")
	name := pick(a.random, "Host", "X-Token", "Accept", "missing", "Cookie", "Authorization")
	a.line(`local function token(request) local a, b = header(request, %q) return tostring(a) .. "/" .. tostring(b) end`, name)
	a.check(`print("header", token(request)) == nil`)
	if a.chance(50) {
		a.check(`not header(request, "X-Blocked")`)
	}
}

func (a *auth) protectedHelper() {
	a.block("local function verify(user, request)", func() {
		a.line("%s", pick(a.random,
			`if user.locked then error("account is locked") end`,
			`if user.locked then error({code = 403, text = "locked"}) end`,
			`if user.locked then error("locked", 0) end`,
			`if user.locked then error("locked", 2) end`,
			`if user.locked then error() end`,
			`assert(not user.locked, "locked: " .. request.authid)`,
			`assert(user.level, "no level")`,
			`local n = user.level * 2 count = count + n`,
			`do return user.profile.name end`,
			`do return request.extra.device.id end`,
			`do return ("x"):rep(user.level) end`,
			`do return user.tags[1] .. user.missing end`,
			`do return #user.level end`,
			`do return user.level < "2" end`,
			`do return user:check() end`,
			`do return nosuchfunction(user) end`))
		a.line("return user.ticket == request.ticket, user.role")
	}, "end")
	call := pick(a.random, "pcall(verify, user, request)", "pcall(function() return verify(user, request) end)",
		"xpcall(function() return verify(user, request) end, function(e) return 'caught: ' .. tostring(type(e) == 'table' and e.text or e) end)")
	a.block("local function safely(user, request)", func() {
		a.line("local state = 'before'")
		a.line("local function current() return state end")
		a.line("local ok, result, role = %s", call)
		a.line("state = 'after'")
		a.line("if type(result) == 'table' then result = result.code .. ' ' .. result.text end")
		a.line("print('verify', ok, result, role, current())")
		a.line("return ok and result")
	}, "end")
	a.check("safely(user, request)")
}

func (a *auth) counters() {
	a.line("local attempts, total = {}, 0")
	a.block("local function attempt(id)", func() {
		a.line("attempts[id] = (attempts[id] or 0) + 1")
		a.line("total = total + %s", pick(a.random, "1", "0.1", "attempts[id] / 3", "2 ^ attempts[id]", "attempts[id] % 2"))
		a.line("return attempts[id] %s %d", pick(a.random, "<=", "<", "~="), a.between(1, 3))
	}, "end")
	a.check("attempt(request.authid)")
	a.after = append(a.after, `print("total", total, attempts.joe, attempts["nobody"])`)
}

func (a *auth) lists() {
	a.line("local blocked = {%s}", pick(a.random, `"mallory", "x"`, `"client1"`, "", `"10", 10, "joe"`))
	a.block("local function contains(list, value)", func() {
		switch a.below(4) {
		case 0:
			a.line("for i, v in ipairs(list) do if v == value then return i end end")
		case 1:
			a.line("for _, v in next, list do if v == value then return true end end")
		case 2:
			a.line("for i = 1, #list do if list[i] == value then return true, i end end")
		default:
			a.line("local i = 0 repeat i = i + 1 local v = list[i] if v == value then return i end until v == nil or i > #list")
		}
		a.line("return %s", pick(a.random, "false", "nil", ""))
	}, "end")
	a.check("not contains(blocked, request.authid)")
	if a.chance(50) {
		a.line("table.sort(blocked, function(a, b) return tostring(a) < tostring(b) end)")
		a.line(`table.insert(blocked, %s"last")`, pick(a.random, "", "1, "))
		a.after = append(a.after, `print("blocked", #blocked, table.concat(blocked, ","), table.remove(blocked, 1), unpack(blocked))`)
	}
}

func (a *auth) text() {
	a.block("local function normal(id)", func() {
		for range a.between(1, 3) {
			a.line("id = %s", pick(a.random, `id:lower()`, `id:upper()`, `id:gsub("%s", "")`, `(id:gsub("@.*$", ""))`, `id:sub(1, 8)`, `id:match("^[%w]+") or id`,
				`id:reverse()`, `"<" .. id .. ">"`, `id .. #id`, `(id:gsub("%W", function(c) return ("%%%02X"):format(c:byte()) end))`,
				`id:gsub("(%w)(%w*)", function(x, y) return x:upper() .. y end)`, `id:rep(2, ",")`, `tostring(tonumber(id) or id)`))
		}
		a.line("return id")
	}, "end")
	a.check(`print("id", normal(request.authid), #normal(request.authid)) == nil`)
}

func (a *auth) methods() {
	a.line("local Account = {} Account.__index = Account")
	a.line("function Account.new(id, level) return setmetatable({id = id, level = level}, Account) end")
	a.block("function Account:may(what, ...)", func() {
		a.line("local need = ({read = 1, write = 2})[what] or %d", a.between(2, 9))
		a.line("return self.level >= need, self.id, select('#', ...)")
	}, "end")
	event, body := "__eq", "function(a, b) return a.id == b.id end"
	switch a.below(4) {
	case 0:
		event, body = "__tostring", "function(a) return 'account ' .. a.id end"
	case 1:
		event, body = "__lt", "function(a, b) return a.level < b.level end"
	case 2:
		event, body = "__concat", "function(a, b) return tostring(a.id or a) .. '+' .. tostring(b.id or b) end"
	}
	a.line("Account.%s = %s", event, body)
	what := pick(a.random, "read", "write", "else")
	a.check(`(function() local one, other = Account.new(request.authid, user.level or 1), Account.new("joe", 2) `+
		`print("may", pcall(one.may, one, %q, 1, nil)) print("same", one == other, pcall(function() return one < other end), `+
		`pcall(function() return (one .. other) end)) return true end)()`, what)
}

func (a *auth) closureLimit() {
	a.block("local function limiter(max)", func() {
		a.line("local used, log = 0, {}")
		a.block("return function(id)", func() {
			a.line("used = used + 1")
			a.line("log[#log + 1] = id")
			a.line("if used > max then %s end", pick(a.random, "return false, used", "used = 0 return nil", "error('limit ' .. max)", "log = {}"))
			a.line("return true, table.concat(log, %q)", pick(a.random, ",", "", " "))
		}, "end")
	}, "end")
	a.line("local limit = limiter(%d)", a.between(0, 3))
	a.check(`(function(ok, ...) print("limit", ok, ...) return ok end)(pcall(limit, request.authid))`)
}

func (a *auth) errors() {
	a.block("local function deny(uri, message, level)", func() {
		a.line("error(%s)", pick(a.random, "{uri = uri, args = {message}}", "uri .. ': ' .. message", "uri, level", "setmetatable({uri = uri}, {__tostring = function(e) return e.uri end})"))
	}, "end")
	a.block("local function guarded(user, request)", func() {
		a.line("if %s then deny('com.example.%s', 'no ' .. %s, %d) end", pick(a.random, "user.locked", "request.ticket == ''", "not user.level", "user.role == 'guest'"),
			pick(a.random, "denied", "invalid_ticket"), pick(a.random, "request.authid", "user.role", "tostring(user.level)"), a.between(0, 2))
		a.line("return true")
	}, "end")
	a.block("local function outcome(user, request)", func() {
		a.line("local ok, e = pcall(guarded, user, request)")
		a.line("if type(e) == 'table' then e = tostring(e.uri) .. ' ' .. tostring(e.args and e.args[1]) end")
		a.line("print('guard', ok, e)")
		a.line("return ok")
	}, "end")
	a.check("outcome(user, request)")
}

func (a *auth) varargs() {
	a.block("local function log(...)", func() {
		a.line("local n, parts = select('#', ...), {}")
		a.line("for i = 1, n do parts[i] = tostring((select(i, ...))) end")
		a.line("print(n, table.concat(parts, ' '), (...))")
		a.line("return ...")
	}, "end")
	a.check("log(%s) ~= nil", pick(a.random, "user.role, user.level", "request.authid, nil", "nil", "", "user.level or 'none', 1/3, 2^53, 1e15", "pcall(error, 'x')"))
}

func (a *auth) formats() {
	a.check("print(%s) == nil", pick(a.random,
		`("%5s|%-8s|%.2f"):format(user.role, request.authid, user.level or 0)`,
		`("%d of %5.1f%%"):format(user.level or 1, 12.345)`,
		`("%q"):format(request.ticket .. "\n\0\"")`,
		`("%x %X %o %c"):format(255, 255, 8, 65)`,
		`("%s %s"):format(user.locked and 1 or 2, "x")`,
		`pcall(string.format, "%d", user.role)`,
		`pcall(string.format, "%s %s", 1)`,
		`("%g %g %g"):format(1e20, 0.1, user.level or 100)`,
		`("%03d|%+d|% d"):format(7, 7, 7)`,
		`("%10.3s|"):format(request.authid)`,
		`user.level, (user.level or 0) / 3, -(user.level or 0), (user.level or 0) * 1e10`,
		`10 / 4, 7 % 3, -7 % 3, 7 % -3, 2 ^ 0.5, 1e15, 1e14, 123456789012345, 0.1 + 0.2`,
		`tostring(nil), tostring(true), tostring(-0), 1 / 0, -1 / 0, 100000000000000`))
}

func (a *auth) substitutions() {
	a.check("print(%s) == nil", pick(a.random,
		`("$name is $role"):gsub("%$(%w+)", {name = request.authid, role = user.role})`,
		`("$name is $what"):gsub("%$(%w+)", function(k) return user[k] end)`,
		`request.authid:gsub(".", {j = "J", x = false})`,
		`("a,b,,c"):gsub(",", ";", 2)`,
		`("hello world"):gsub("o", "%%0"), ("abc"):gsub("%w", "%0%0")`,
		`("x = 1, y = 2"):gsub("(%w+) = (%w+)", "%2 = %1")`,
		`("THE (quick) fox"):find("%((%a+)%)"), ("f(a(b)c)d"):match("%b()")`,
		`("key=value; k2=v2"):match("(%w+)=(%w+); (%w+)=(%w+)")`,
		`(" trim "):match("^%s*(.-)%s*$") .. "|", ("x"):match("y"), ("x"):match("()y")`,
		`("one two"):find("(%w+) (%w+)"), ("a.b"):find(".", 1, true), ("abc"):find("b", -1)`,
		`pcall(string.gsub, "x", "(", "y")`,
		`pcall(string.rep), pcall(("x").rep, "x", -1)`,
		`string.gsub("abc", "", "-"), ("abc"):gsub("b*", "-")`))
}

func (a *auth) assignments() {
	a.block("local function assign(user, request)", func() {
		a.line("local role, level, ok = user.role, user.level or 0, false")
		a.line("local state = {ok = %s, n = 1, [1] = 'a', [2] = 'b'}", pick(a.random, "true", "false"))
		for range a.between(1, 4) {
			a.line("%s", pick(a.random,
				"role, level = level, role",
				"role, state.ok = not user.locked and 'member', role",
				"state.ok, ok = ok, state.ok",
				"state[1], state[2] = state[2], state[1]",
				"count, state.n = state.n, count",
				"count, state.ok = role, ok",
				"ok = role and user.locked",
				"ok = user.locked and false or role",
				"level, role = 5",
				"state.n, state = state.n + 1, {n = 7}",
				"local i = 1 state[i], i = i, i + 1",
				"ok, role, level = (function() return 1, nil, 3 end)()",
				"level = level == 5 and role or not ok",
				"seen[request.authid], ok = ok, seen[request.authid]",
				"role, level, ok = ok, role",
				"user, role = {role = 'x', locked = ok}, user.role"))
		}
		a.line("print('assign', role, level, ok, state.ok, state.n, state[1], state[2], count, user.role)")
		a.line("count = 0")
		a.line("return %s", pick(a.random, "ok", "role", "not ok", "ok or level"))
	}, "end")
	a.check("assign(user, request)")
}

func (a *auth) iteration() {
	a.block("local function survey()", func() {
		a.line("local names, levels = {}, 0")
		head := pick(a.random, "for name, user in pairs(users) do", "for name, user in next, users do", "for name, user in next, users, nil do")
		a.block(head, func() {
			a.line("if not user.locked then names[#names + 1] = name end")
			a.line("levels = levels + (tonumber(user.level) or 0)")
		}, "end")
		a.line("table.sort(names)")
		a.line("return #names, table.concat(names, ' '), levels")
	}, "end")
	a.after = append(a.after, "print('survey', survey())")
}

func (a *auth) decide() {
	a.block("local function authenticate(request)", func() {
		a.line("local user = users[request.authid]")
		a.line("if not user then return nil, 'com.example.no_such_user', 'no such principal ' .. %s end", pick(a.random, "request.authid", "tostring(request.authid)"))
		a.line("count = count + 1")
		for i, c := range a.checks {
			switch a.below(4) {
			case 0:
				a.line("if not (%s) then return nil, 'check%d' end", c, i)
			case 1:
				a.line("local c%d = %s", i, c)
				a.line("c%d = c%d and %s", i, i, pick(a.random, "user.role", "not user.locked", "true", "c"+fmt.Sprint(i)+" ~= 0"))
				a.line("if c%d == false or c%d == nil then return nil, 'check%d', c%d end", i, i, i, i)
			case 2:
				a.line("if %s then seen[#seen + 1] = %d else return false, %d end", c, i, i)
			default:
				a.line("local c%d = (%s) and 1 or 0", i, c)
				a.line("print('c%d', c%d)", i, i)
			}
		}
		a.line("if request.ticket ~= user.ticket then")
		a.line("  return nil, 'com.example.invalid_ticket', (\"invalid ticket '%%s' for %%s\"):format(request.ticket, request.authid)")
		a.line("end")
		a.line("return %s", pick(a.random, "user.role", "user.role, {level = user.level}", "{role = user.role, authid = request.authid}", "user.role or 'guest'"))
	}, "end")
}

func (a *auth) requests() {
	a.block("local requests = {", func() {
		for range a.between(2, 5) {
			headers := ""
			if a.chance(70) {
				headers = fmt.Sprintf(", headers = {host = %q, accept = %q, cookie = %q, authorization = %q, ['x-token'] = %q}",
					pick(a.random, "localhost:8080", " Example.COM ", ""), pick(a.random, "text/html;q=0.5", "*/*"),
					pick(a.random, "cbtid=abc123; x=1", ""), pick(a.random, "Bearer abc.def", "Basic eA==", "Bearer"), pick(a.random, "0", "tok", "  "))
			}
			a.line(`{authid = "%s", ticket = "%s"%s},`, pick(a.random, append(authids, "nobody", "kelvin")...), pick(a.random, "secret!!!", "1234", "0x10", "", "16", "007"), headers)
		}
	}, "}")
	a.block("for i, request in ipairs(requests) do", func() {
		a.line("local ok, role, uri, message = pcall(authenticate, request)")
		a.line("if type(role) == 'table' then role = tostring(role.role) .. '!' end")
		a.line("if type(uri) == 'table' then uri = uri.level end")
		a.line("print(i, ok, role, uri, message)")
	}, "end")
	a.line("print(count, #seen)")
	for _, l := range a.after {
		a.line("%s", l)
	}
}
