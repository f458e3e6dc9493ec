package lua51_test

import (
	"fmt"
	"strings"
)

// library generates calls of the standard functions with ordinary and odd
// arguments; each prints its results or its error.
func (p *program) library() {
	p.line(`local function try(name, f, ...)`)
	p.line(`  local function all(ok, ...)`)
	p.line(`    local t = {}`)
	p.line(`    for i = 1, select("#", ...) do local v = select(i, ...) t[i] = type(v) == "string" and ("%%q"):format(v) or type(v) == "table" and "table" or type(v) == "function" and "function" or tostring(v) end`)
	p.line(`    print(name, ok, table.concat(t, " "))`)
	p.line(`  end`)
	p.line(`  all(pcall(f, ...))`)
	p.line(`end`)
	p.line(`local list = {5, "x", 3.5}`)
	for range p.between(12, 24) {
		name, args := p.libraryCall()
		p.line("try(%q, function() return %s(%s) end)", name, name, args)
		if p.chance(15) {
			direct := name
			if strings.HasPrefix(name, "(") {
				direct = "string.len"
			}
			p.line("try(%q, %s)", name, strings.TrimSuffix(direct+", "+args, ", "))
		}
	}
}

func (p *program) str() string {
	return pick(p.random, `""`, `"a"`, `"abc"`, `"hello world"`, `"THE (quick) fox"`, `"a,b,,c"`, `"key = value"`, `"  x  "`, `"aaa"`,
		`"\0\1\200\255"`, `"caf\195\169"`, `"\226\132\170"`, `"x.y.z"`, `"[test]"`, `"10"`, `"%d"`, `"f(a(b)c)"`, `"2026-11-24"`, "10", "3.5")
}

func (p *program) num() string {
	return pick(p.random, "0", "1", "2", "3", "-1", "-2", "5", "10", "100", "1.5", "-0.5", `"2"`, `"1e1"`, "1e15", "2^31", "-2^53", "1/0", "1e100", "255")
}

func (p *program) small() string {
	return pick(p.random, "0", "1", "2", "3", "-1", "-2", "-10", "10", "4", "1.7", `"2"`, "nil")
}

func (p *program) any() string {
	return pick(p.random, p.str(), p.num(), "nil", "true", "false", "{}", "list", "print")
}

// pattern puts pattern items together, most of them well formed.
func (p *program) pattern() string {
	if p.chance(5) {
		return pick(p.random, `"("`, `")"`, `"%"`, `"[a"`, `"%b"`, `"%bx"`, `"%f"`, `"(()"`, `"%1"`, `"[%a-]"`, `"[]]"`, `"[^]]"`, `"^*"`, `"[a-%%]"`, `"(%1)"`)
	}
	var b strings.Builder
	if p.chance(20) {
		b.WriteString("^")
	}
	open := 0
	for range p.between(1, 4) {
		switch p.below(9) {
		case 0:
			b.WriteString("(")
			open++
			if p.chance(20) {
				b.WriteString(")")
				open--
			}
		case 1:
			if open > 0 {
				b.WriteString(")")
				open--
			}
		case 2:
			b.WriteString(pick(p.random, "%b()", "%f[%a]", "%f[%W]", "%f[%w]"))
		default:
			b.WriteString(pick(p.random, ".", "%a", "%w", "%d", "%s", "%S", "%p", "%u", "%l", "%x", "%c", "%z", "a", "l", "o", "x", ",", "=", "[abc]", "[^,]", "[%w_]", "[a-e]", "%.", "%(", "[^%s]", "é"))
			b.WriteString(pick(p.random, "", "", "*", "+", "-", "?"))
		}
	}
	b.WriteString(strings.Repeat(")", open))
	if p.chance(15) {
		b.WriteString("$")
	}
	return `"` + b.String() + `"`
}

func (p *program) libraryCall() (name, args string) {
	list := func(of ...string) string { return strings.Join(of[:max(0, len(of)-p.below(2)*p.below(2))], ", ") }
	switch p.below(30) {
	case 0, 1:
		return "string.find", list(p.str(), p.pattern(), p.small(), pick(p.random, "true", "nil", "false"))
	case 2, 3, 4:
		return pick(p.random, "string.find", "string.match"), list(p.str(), p.pattern(), p.small())
	case 5, 6, 7:
		replacement := pick(p.random, `"x"`, `"%0%0"`, `"%1"`, `"<%1>"`, `"%%"`, `"%2"`, `"%"`, "{a = 1, x = false, b = 'B'}", "string.upper",
			"function(a, b) return b end", "function() return nil end", "function() return {} end", "7", "nil", "true", "function(...) return select('#', ...) end")
		return "string.gsub", list(p.str(), p.pattern(), replacement, pick(p.random, "nil", "0", "1", "2", "-1", `"1"`))
	case 8:
		p.line("local found = {} for a, b in string.gmatch(%s, %s) do found[#found + 1] = tostring(a) .. tostring(b) if #found > 9 then break end end print(table.concat(found, ' '))",
			p.str(), pick(p.random, `"%a+"`, `"(%w+)=?(%w*)"`, `"()"`, `"."`, `""`, `"[^,]*"`, `"^a"`, `"a-"`))
		return "string.len", p.str()
	case 9:
		return "string.sub", list(p.str(), p.small(), p.small())
	case 10:
		return "string.byte", list(p.str(), p.small(), p.small())
	case 11:
		return "string.rep", list(p.str(), p.small())
	case 12:
		return pick(p.random, "string.upper", "string.lower", "string.reverse", "string.len"), p.str()
	case 13:
		return "string.char", list(pick(p.random, "65", `"66"`, "0", "255", "256", "-1", "67.9"), "97")
	case 14, 15, 16:
		return "string.format", p.format()
	case 17:
		return "tonumber", pick(p.random, p.any(), p.numeral(), p.numeral()+", "+pick(p.random, "2", "8", "10", "16", "36", "1", "37", "nil"))
	case 18:
		return "tostring", pick(p.random, p.num(), p.numeral()+" + 0", p.num()+" / 3", p.num()+" * 1.1", "nil", "true", "")
	case 19:
		return "table.concat", list(pick(p.random, "list", "{}", "{1, 2, 3}", "{1, {}, 3}", `{"a"}`, "{1/3, 2^53}"), pick(p.random, `","`, `""`, "1", "nil"), p.small(), p.small())
	case 20:
		p.line("local q = {1, 2, 3} try('insert', table.insert, %s) print(#q, q[1], q[2], q[3], q[4])", list("q", pick(p.random, "1", "2", "4", "3.7", `"2"`), "'v'"))
		return "table.remove", list(pick(p.random, "{1, 2, 3}", "{}", "{'a'}"), p.small())
	case 21:
		p.line("local q = {%s} try('sort', table.sort, q%s) for i = 1, #q do q[i] = tostring(q[i]) end print(table.concat(q, ' '))",
			pick(p.random, "3, 1, 2", "5, 4, 4, 1, 9, 0, -1", "'b', 'a', 'C'", "1, 'x'", "2"), pick(p.random, "", ", function(a, b) return a > b end", ", nil"))
		return "table.maxn", pick(p.random, "list", "{}", "{[7] = 1, [1.5] = 2}")
	case 22:
		return "unpack", list(pick(p.random, "list", "{1, nil, 3}", "{}"), p.small(), p.small())
	case 23:
		return "select", list(pick(p.random, `"#"`, "1", "2", "-1", "0", "5", "-9", `"2"`), p.any(), p.any())
	case 24:
		return pick(p.random, "math.floor", "math.ceil", "math.abs", "math.sqrt"), pick(p.random, p.num(), p.numeral(), "-2.5", "2.5")
	case 25:
		return pick(p.random, "math.max", "math.min", "math.fmod", "math.pow"), list(p.num(), p.num())
	case 26:
		return pick(p.random, "math.modf", "math.frexp", "math.floor"), p.num()
	case 27:
		return pick(p.random, "type", "rawget", "rawequal", "next", "ipairs", "getmetatable", "setmetatable", "assert", "rawset"), list(p.any(), p.any())
	case 28:
		if p.chance(30) {
			return "error", list(p.any(), pick(p.random, "0", "1", "2"))
		}
		return pick(p.random, "pcall", "xpcall", "assert"), list(pick(p.random, "error", "print", "nil", "1", "tostring"), p.any())
	default:
		return "(" + p.str() + "):" + pick(p.random, "upper", "len", "rep", "find", "sub", "byte", "nosuch"), pick(p.random, "", "2", `"a"`)
	}
}

func (p *program) numeral() string {
	return `"` + pick(p.random, "10", " 10 ", "0x1F", "1e2", "1E-1", ".5", "5.", "1_000", "0b1", "010", "", " ", "1e400", "-1", "- 1", "0x", "1 2", "ff", "zz", "7", "1.1", "11", "inf", "-0", "1e", "99999999999999999999") + `"`
}

func (p *program) format() string {
	spec := "%" + pick(p.random, "", "", "-", "0", "+", " ", "#") + pick(p.random, "", "5", "10", "1", "100") + pick(p.random, "", "", ".0", ".2", ".10")
	verb := pick(p.random, "d", "s", "g", "f", "x", "X", "c", "q", "i", "u", "o", "e", "G", "E", "%", "y", "5")
	if verb == "q" || verb == "%" || verb == "c" {
		spec = "%"
	}
	value := p.num()
	switch verb {
	case "s", "q":
		value = pick(p.random, p.str(), p.any())
	case "c", "u", "x", "X", "o":
		value = pick(p.random, "65", "200", "1", "97", `"98"`)
	}
	if p.chance(8) {
		value = p.any()
	}
	args := fmt.Sprintf("%q, %s", pick(p.random, "", "<", "a b ")+spec+verb+pick(p.random, "", ">", "%%"), value)
	if p.chance(5) {
		args = fmt.Sprintf("%q", spec+verb)
	}
	return args
}
