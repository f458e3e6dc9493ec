package lua51_test

import (
	"fmt"
	"strings"
)

// prelude is what the random programs print with: types without addresses. That
// of tostring has none either, since the programs search, cut and compare text.
const prelude = `local plain = tostring
local function tostring(v)
  local s = plain(v)
  if type(s) ~= "string" then return s end
  return (s:gsub("^(%a+): 0x%x+$", "%1"))
end
local function id(...) return ... end
local function two() return 1, "2" end
local function none() end
local calls = 0
local function yes() calls = calls + 1 return true end
local function no() calls = calls + 1 return false end
local function lost() calls = calls + 1 return nil end
local function text(v)
  local t = type(v)
  if t == "table" or t == "function" then return t end
  return tostring(v)
end
local function show(...)
  local t = {n = select("#", ...)}
  for i = 1, t.n do t[i] = text((select(i, ...))) end
  print(table.concat(t, " "))
end`

// variable is a name in scope and what it usually holds.
type variable struct {
	name string
	kind byte // n(umber), s(tring), b(oolean), t(able), f(unction), * anything
}

// language generates statements and expressions of every kind.
type language struct {
	*program
	scope  []variable
	depth  int
	loops  int  // around this statement, in its function
	vararg bool // the function has "..."
	budget int  // statements left
}

func (p *program) language() {
	p.text.WriteString(prelude)
	p.text.WriteByte('\n')
	g := &language{program: p, vararg: true, budget: p.between(8, 30)}
	g.scope = []variable{
		{"id", 'f'}, {"two", 'f'}, {"yes", 'f'}, {"lost", 'f'}, {"G", '*'}, {"H", 'n'},
	}
	p.line("G, H = %s, %d", g.atom('*'), p.below(5))
	p.line(`local u = {ok = false, n = 3, name = "joe", list = {1, 2, 3}, role = %s}`, g.atom('*'))
	p.line("local t = {%s, %s, %s}", g.atom('*'), g.atom('n'), g.atom('s'))
	g.scope = append(g.scope, variable{"u", 't'}, variable{"t", 't'})
	for g.budget > 0 {
		if p.chance(25) { // what fails must not end the program
			v := p.fresh("ok")
			head := "local " + v + ", " + v + "e = pcall(function(...)"
			p.block(head, func() { g.nested(true, func() { g.statements(p.between(1, 5)) }) }, "end, "+g.list(p.between(1, 4))+")")
			p.line("show(%s, %se)", v, v)
			g.scope = append(g.scope, variable{v, 'b'})
		} else {
			g.statement()
		}
	}
	p.line("show(G, H, u.ok, u.n, u.name, u.role, t[1], t[2], t[3], #t, calls)")
}

// nested generates the body of a function.
func (g *language) nested(vararg bool, body func()) {
	scope, loops, outer := len(g.scope), g.loops, g.vararg
	g.loops, g.vararg = 0, vararg
	g.depth++
	body()
	g.depth--
	g.loops, g.vararg = loops, outer
	g.scope = g.scope[:scope]
}

func (g *language) statements(n int) {
	scope := len(g.scope)
	for range n {
		g.statement()
	}
	g.scope = g.scope[:scope]
}

func (g *language) do(head, tail string) {
	g.depth++
	g.block(head, func() { g.statements(g.between(1, 3)) }, tail)
	g.depth--
}

func (g *language) find(kinds string) (variable, bool) {
	for range 6 {
		v := pick(g.random, g.scope...)
		if strings.IndexByte(kinds, v.kind) >= 0 {
			return v, true
		}
	}
	return variable{}, false
}

func (g *language) target() string {
	switch g.below(8) {
	case 0:
		return "G"
	case 1:
		return "u." + pick(g.random, "ok", "n", "name", "role")
	case 2:
		return fmt.Sprintf("t[%s]", g.index())
	case 3:
		return "H"
	default:
		for range 6 {
			if v := pick(g.random, g.scope...); strings.IndexByte("nsb*", v.kind) >= 0 && v.name[0] != '(' {
				return v.name
			}
		}
		return "G"
	}
}

// index is a key of the list t. Another one would make the reference arrange the
// list anew, and what # finds in a list with holes depends on that.
func (g *language) index() string {
	return pick(g.random, "1", "2", "3", "id(3)", "u.list[2]", `tonumber("1")`)
}

func (g *language) statement() {
	g.budget--
	if g.depth > 4 || g.budget < -40 {
		g.line("show(%s)", g.list(2))
		return
	}
	switch g.below(26) {
	case 0, 1, 2:
		kind := pick(g.random, byte('n'), 's', 'b', '*')
		v := variable{g.fresh("v"), kind}
		g.line("local %s = %s", v.name, g.expr(kind, 3))
		g.scope = append(g.scope, v)
	case 3, 4, 5, 6:
		g.line("%s = %s", g.target(), g.expr(pick(g.random, byte('b'), '*', '*', 'n', 's'), 3))
	case 7, 8:
		n := g.between(2, 4)
		targets := make([]string, n)
		for i := range targets {
			targets[i] = g.target()
		}
		g.line("%s = %s", strings.Join(targets, ", "), g.list(g.between(1, 4)))
	case 9:
		a, b := variable{g.fresh("v"), '*'}, variable{g.fresh("v"), '*'}
		g.line("local %s, %s = %s", a.name, b.name, g.list(g.between(1, 3)))
		g.scope = append(g.scope, a, b)
	case 10, 11:
		g.do("if "+g.expr('b', 3)+" then", "end")
	case 12:
		g.depth++
		g.block("if "+g.expr('b', 2)+" then", func() { g.statements(1) }, "elseif "+g.expr('*', 2)+" then")
		g.block("  "+g.callStatement(), func() { g.statements(1) }, "else")
		g.block("", func() { g.statements(1) }, "end")
		g.depth--
	case 13:
		g.loop("while COUNTER < "+g.bound()+" and ("+g.expr('b', 2)+") do", "end")
	case 14:
		g.repeatLoop()
	case 15:
		g.numericFor()
	case 16, 17:
		g.genericFor()
	case 18, 19:
		g.function()
	case 20:
		g.line("%s", g.callStatement())
	case 21:
		if g.loops > 0 {
			g.line("if %s then break end", g.expr('b', 2))
			return
		}
		fallthrough
	case 22:
		g.metatable()
	case 23:
		g.closures()
	case 24:
		g.constructor()
	default:
		g.line("show(%s)", g.list(g.between(1, 4)))
	}
}

func (g *language) bound() string { return fmt.Sprint(g.between(1, 4)) }

// loop generates a loop with a counter, COUNTER in its head.
func (g *language) loop(head, tail string) {
	i := g.fresh("i")
	g.line("local %s = 0", i)
	g.depth++
	g.loops++
	g.block(strings.ReplaceAll(head, "COUNTER", i), func() {
		g.line("%s = %s + 1", i, i)
		scope := len(g.scope)
		g.scope = append(g.scope, variable{"(" + i + ")", 'n'}) // not to be assigned
		g.statements(g.between(1, 3))
		g.scope = g.scope[:scope]
	}, tail)
	g.loops--
	g.depth--
	g.line("show(%s)", i)
}

func (g *language) repeatLoop() {
	i, z := g.fresh("i"), g.fresh("z")
	g.line("local %s = 0", i)
	g.depth++
	g.loops++
	g.line("repeat")
	g.indent++
	scope := len(g.scope)
	g.line("%s = %s + 1", i, i)
	g.line("local %s = %s", z, g.expr('b', 3))
	g.scope = append(g.scope, variable{z, '*'})
	for range g.between(0, 2) {
		g.statement()
	}
	if g.chance(30) {
		g.line("u.get = function() return %s, %s end", z, i)
	}
	g.indent--
	g.line("until %s or %s > %s", pick(g.random, z, "not "+z, g.expr('b', 2)), i, g.bound())
	g.scope = g.scope[:scope]
	g.loops--
	g.depth--
	g.line("show(%s)", i)
}

func (g *language) numericFor() {
	i := g.fresh("i")
	step := pick(g.random, "", "", ", 1", ", 2", ", 0.5", `, "1"`, ", -1")
	from := pick(g.random, "1", "0", `"1"`, "1.5", "H % 3", " 3")
	to := pick(g.random, "3", "2.5", `"3"`, "#t", "u.n", "0", "-1")
	g.depth++
	g.loops++
	g.block(fmt.Sprintf("for %s = %s, %s%s do", i, from, to, step), func() {
		scope := len(g.scope)
		g.scope = append(g.scope, variable{i, 'n'})
		g.statements(g.between(1, 3))
		g.scope = g.scope[:scope]
	}, "end")
	g.loops--
	g.depth--
}

func (g *language) genericFor() {
	k, v := g.fresh("k"), g.fresh("v")
	in := pick(g.random, "ipairs(t)", "next, {5, 6, 7}", "pairs({1, 2, 3})", "ipairs({4, 5, 6})",
		"next, {true, false}, nil", `string.gmatch("a b c", "%a")`, "id(next, {8})", "next, {}",
		"(function(s, c) if not c then return 1 elseif c < s then return c + 1, c end end), 3")
	g.depth++
	g.loops++
	g.block(fmt.Sprintf("for %s, %s in %s do", k, v, in), func() {
		scope := len(g.scope)
		g.scope = append(g.scope, variable{k, '*'}, variable{v, '*'})
		g.statements(g.between(1, 3))
		g.scope = g.scope[:scope]
	}, "end")
	g.loops--
	g.depth--
}

func (g *language) function() {
	name := g.fresh("f")
	head := pick(g.random, "local function %s(a, b)", "local %s = function(a, ...)", "function u.%s(a)", "local function %s(...)")
	isField := strings.HasPrefix(head, "function")
	vararg := strings.Contains(head, "...")
	g.block(fmt.Sprintf(head, name), func() {
		g.nested(vararg, func() {
			if strings.Contains(head, "(a") {
				g.scope = append(g.scope, variable{"a", '*'})
			}
			g.statements(g.between(1, 3))
			switch g.below(4) {
			case 0:
				g.line("return %s", g.list(g.between(1, 3)))
			case 1:
				g.line("do return %s end", g.call())
			case 2:
				g.line("return (%s)", g.call())
			}
		})
	}, "end")
	if isField {
		name = "u." + name
	} else {
		g.scope = append(g.scope, variable{name, 'f'})
	}
	g.line("show(pcall(%s, %s))", name, g.list(g.between(1, 3)))
}

// closures makes functions that share and outlive the locals of a loop.
func (g *language) closures() {
	f := g.fresh("fs")
	body := pick(g.random,
		"local n = i %s[#%s + 1] = function(d) n = n + (d or 1) return n, i end",
		"%s[#%s + 1] = function() i = i + 1 return i end",
		"do local n = i * 2 %s[#%s + 1] = function() n = n + 1 return n end if i == 2 then break end end")
	head := pick(g.random, "for i = 1, 3 do", "for _, i in ipairs{7, 2, 9} do")
	g.line("local %s = {}", f)
	g.line("%s %s end", head, fmt.Sprintf(body, f, f))
	g.line("local %sx, %sy = %s, %s", f, f, g.atom('*'), g.atom('n'))
	g.line("show(%s[1](), %s[1](), %s[2](), #%s, %sx, %sy)", f, f, f, f, f, f)
}

func (g *language) constructor() {
	t := g.fresh("t")
	var fields []string
	for range g.between(0, 5) {
		switch g.below(4) {
		case 0:
			fields = append(fields, pick(g.random, "a", "b", "ok")+" = "+g.expr('*', 2))
		case 1:
			fields = append(fields, fmt.Sprintf("[%s] = %s", pick(g.random, "1", "2", "10", `"a"`, "1.5", "id(3)"), g.expr('*', 2)))
		default:
			fields = append(fields, g.expr('*', 2))
		}
	}
	fields = append(fields, pick(g.random, "two()", "(two())", "a = two()", "...", "none()", "[4] = two()", "id(1, 2, 3)"))
	if !g.vararg {
		fields[len(fields)-1] = strings.Replace(fields[len(fields)-1], "...", "two()", 1)
	}
	g.line("local %s = {%s}", t, strings.Join(fields, pick(g.random, ", ", "; ")))
	g.line("show(%s[1], %s[2], %s[3], %s[4], %s[5], %s.a, %s.b, %s.ok)", t, t, t, t, t, t, t, t)
}

func (g *language) metatable() {
	m := g.fresh("m")
	event := pick(g.random, "__index", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__unm", "__concat", "__eq", "__lt", "__le", "__call", "__len", "__newindex", "__tostring")
	handler := fmt.Sprintf("function(a, b, c) show(a, b, c) return %s end", g.expr('*', 1))
	if event == "__index" && g.chance(50) {
		handler = pick(g.random, "u", `{a = 1}`, "5", `setmetatable({}, {__index = function(_, k) return k end})`)
	}
	g.line("local %s = setmetatable({1, 2, a = %s}, {%s = %s})", m, g.atom('*'), event, handler)
	g.line("local %sb = setmetatable({}, getmetatable(%s))", m, m)
	for range g.between(1, 3) {
		e := pick(g.random, "%s + 1", "2 - %s", "%s * %s", "%s / '2'", "'7' %% %s", "%s ^ 2", "-%s", "%s .. 'x'", "1 .. %s", "'a' .. %s .. 'b'",
			"%s == %sb", "%s ~= %sb", "%s < %sb", "%s <= %sb", "%s > %sb", "%s >= 1", "%s(1, 2)", "#%s", "%s.zz", "%s.a", "%s[1]", "tostring(%s) ~= nil", "%s < 'x'")
		g.line("show(pcall(function() return %s end))", strings.NewReplacer("%sb", m+"b", "%s", m, "%%", "%").Replace(e))
	}
	g.line("show(pcall(function() %s.new = 1 return rawget(%s, 'new') end))", m, m)
}

func (g *language) call() string {
	switch g.below(6) {
	case 0:
		return "none()"
	case 1:
		return "show(" + g.list(2) + ")"
	case 2:
		if v, ok := g.find("f"); ok {
			return v.name + "(" + g.list(g.below(3)) + ")"
		}
		fallthrough
	case 3:
		return "id(" + g.list(g.between(1, 3)) + ")"
	case 4:
		return pick(g.random, "two()", "yes()", "no()", "lost()")
	default:
		return fmt.Sprintf("(%s):%s", g.expr('s', 1), pick(g.random, "upper()", "len()", "rep(2)", "sub(2, 3)", `find("b")`, "byte()"))
	}
}

// callStatement is a call that cannot be taken for the arguments of the line
// before it.
func (g *language) callStatement() string {
	if c := g.call(); c[0] != '(' {
		return c
	}
	return "two()"
}

// list is an expression list of n values, whose last may be several.
func (g *language) list(n int) string {
	var es []string
	for range n {
		es = append(es, g.expr(pick(g.random, byte('*'), 'n', 's', 'b'), 2))
	}
	if g.chance(20) {
		last := pick(g.random, "two()", "none()", "id(1, nil, 3)", "(two())", "(none())")
		if g.vararg && g.chance(50) {
			last = pick(g.random, "...", "(...)", `select("#", ...)`)
		}
		es = append(es, last)
	}
	if len(es) == 0 {
		return ""
	}
	return strings.Join(es, ", ")
}

func (g *language) atom(kind byte) string {
	switch kind {
	case 'n':
		return pick(g.random, "0", "1", "2", "3", "10", "-1", "0.5", "1e15", "2^53", "1/3", "-0", "0x10", "1e300", "7", "12345678.9", "100")
	case 's':
		return pick(g.random, `""`, `"a"`, `"abc"`, `"10"`, `"0x10"`, `"010"`, `" 5 "`, `"1e2"`, `'joe'`, `[[x
y]]`, `"\65\n\0b"`, `"1_000"`)
	case 'b':
		return pick(g.random, "true", "false", "nil")
	default:
		return g.atom(pick(g.random, byte('n'), 's', 'b', 'b'))
	}
}

// operand is a variable, field or call of about the kind.
func (g *language) operand(kind byte) string {
	if g.chance(6) {
		kind = '*'
	}
	if v, ok := g.find(string(kind) + "*"); ok && kind != '*' || ok && v.kind != 'f' && v.kind != 't' {
		return v.name
	}
	switch kind {
	case 'n':
		return pick(g.random, "u.n", "#t", "#u.list", "u.list[2]", "H", "(two())", `tonumber("7")`, "id(4)", "calls")
	case 's':
		return pick(g.random, "u.name", `tostring(H)`, `type(G)`, `("x"):rep(2)`, `id("q")`)
	case 'b':
		return pick(g.random, "u.ok", "yes()", "no()", "lost()", "u.missing", "u.role", "G")
	default:
		return pick(g.random, "G", "t[2]", "u.role", "two()", "lost()", `u["name"]`, "t[H % 3 + 1]", "id(nil, 2)", "u.list[9]")
	}
}

func (g *language) expr(kind byte, depth int) string {
	if depth == 0 || g.chance(15) {
		if g.chance(45) {
			return g.atom(kind)
		}
		return g.operand(kind)
	}
	e := func(kind byte) string { return g.expr(kind, depth-1) }
	if g.chance(12) {
		return "(" + e(kind) + ")"
	}
	switch kind {
	case 'n':
		switch g.below(8) {
		case 0, 1, 2, 3:
			return e('n') + pick(g.random, " + ", " - ", " * ", " / ", " % ") + e('n')
		case 4:
			return e(pick(g.random, byte('n'), 's')) + pick(g.random, " + ", " * ", " % ", " / ") + e('n')
		case 5:
			return "-(" + e('n') + ")"
		case 6:
			return g.operand('n') + " ^ " + pick(g.random, "2", "0", "1")
		default:
			return "#" + pick(g.random, "t", "u.list", `"abc"`, "u.name", "{1, 2, nil}")
		}
	case 's':
		switch g.below(4) {
		case 0:
			return e('s') + " .. " + e('n')
		case 1:
			return e('s') + " .. " + e('s') + " .. " + e('s')
		case 2:
			return e('b') + " and " + e('s') + " or " + e('s')
		default:
			return g.operand('s')
		}
	case 'b':
		switch g.below(9) {
		case 0, 1:
			return e('b') + " and " + e('b')
		case 2, 3:
			return e('b') + " or " + e('b')
		case 4:
			return "not " + e('b')
		case 5:
			return e('n') + pick(g.random, " < ", " <= ", " > ", " >= ") + e('n')
		case 6:
			return e('*') + pick(g.random, " == ", " ~= ") + e('*')
		case 7:
			return e('s') + pick(g.random, " == ", " ~= ", " < ", " >= ") + e('s')
		default:
			return e('*')
		}
	default:
		switch g.below(6) {
		case 0:
			return e('b') + " and " + e('*')
		case 1:
			return e('*') + " or " + e('*')
		case 2:
			return "not " + e('*')
		case 3:
			if g.chance(20) {
				return "function(x) return x end"
			}
			return g.operand('*')
		default:
			return e(pick(g.random, byte('n'), 's', 'b'))
		}
	}
}
