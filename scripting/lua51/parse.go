package lua51

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// maxLevels bounds the nesting of statements and expressions, as the reference
// implementation does, and with it the depth of this parser's recursion.
const maxLevels = 200

func (f *function) enterLevel() {
	if f.unit.levels++; f.unit.levels > maxLevels {
		f.fail("chunk has too many syntax levels", "")
	}
}

func (f *function) leaveLevel() { f.unit.levels-- }

// accept consumes a token of the given kind, if it is there.
func (f *function) accept(kind tokenKind) bool {
	if f.tok.kind != kind {
		return false
	}
	f.next()
	return true
}

func (f *function) expect(kind tokenKind) {
	if !f.accept(kind) {
		f.failNear("'" + kind.String() + "' expected")
	}
}

// expectMatch expects the end of what began with opening on the given line.
func (f *function) expectMatch(kind, opening tokenKind, line int) {
	if f.accept(kind) {
		return
	}
	if line == f.line {
		f.failNear("'" + kind.String() + "' expected")
	}
	f.failNear(fmt.Sprintf("'%s' expected (to close '%s' at line %d)", kind, opening, line))
}

func (f *function) name() string {
	if f.tok.kind != tkName {
		f.failNear("'" + tkName.String() + "' expected")
	}
	name := f.tok.text
	f.next()
	return name
}

func (f *function) stringExpr(s string) expr {
	e := expr{}
	e.set(exConstant, f.stringConstant(s))
	return e
}

// list parses expressions with commas between; all but the last are in
// registers then. It returns the last and their number.
func (f *function) list() (expr, int) {
	n := 1
	e := f.expr()
	for f.accept(',') {
		f.toNext(&e)
		e = f.expr()
		n++
	}
	return e, n
}

func (f *function) expr() expr { return f.subexpr(0) }

// Binding strengths to the left and to the right; ^ and .. bind to the right.
type strength struct{ left, right int }

const (
	concatStrength = 5
	unaryStrength  = 8
)

func binary(kind tokenKind) (strength, bool) {
	switch kind {
	case tkOr:
		return strength{1, 1}, true
	case tkAnd:
		return strength{2, 2}, true
	case '<', '>', tkLe, tkGe, tkNe, tkEq:
		return strength{3, 3}, true
	case tkConcat:
		// A chain of operands is one call, so the operand to the right ends
		// before the next "..".
		return strength{concatStrength, concatStrength}, true
	case '+', '-':
		return strength{6, 6}, true
	case '*', '/', '%':
		return strength{7, 7}, true
	case '^':
		return strength{10, 9}, true
	}
	return strength{}, false
}

// subexpr parses an expression of operators that bind more strongly than limit.
func (f *function) subexpr(limit int) expr {
	f.enterLevel()
	var e expr
	switch op := f.tok.kind; op {
	case tkNot, '-', '#':
		f.next()
		e = f.subexpr(unaryStrength)
		switch op {
		case tkNot:
			f.not(&e)
		case '-':
			f.negate(&e)
		default:
			f.length(&e)
		}
		e.lastName = "?"
	default:
		e = f.simple()
	}
	for {
		op := f.tok.kind
		s, ok := binary(op)
		if !ok || s.left <= limit {
			break
		}
		f.next()
		if op == tkConcat {
			f.concat(&e)
			continue
		}
		f.before(op, &e)
		right := f.subexpr(s.right)
		f.after(op, &e, &right)
		e.lastName = "?"
	}
	f.leaveLevel()
	return e
}

// before readies the left operand, before the right one is parsed.
func (f *function) before(op tokenKind, left *expr) {
	switch op {
	case tkAnd:
		f.ifTrue(left)
	case tkOr:
		f.ifFalse(left)
	case '+', '-', '*', '/', '%', '^':
		if !left.isNumeral() {
			f.toOperand(left)
		}
	default:
		f.toOperand(left)
	}
}

// after makes left the result of the operation.
func (f *function) after(op tokenKind, left, right *expr) {
	switch op {
	case tkAnd:
		f.read(right)
		right.onFalse = append(left.onFalse, right.onFalse...)
		*left = *right
	case tkOr:
		f.read(right)
		right.onTrue = append(left.onTrue, right.onTrue...)
		*left = *right
	case '+':
		f.arithmetic(lua.OP_ADD, left, right)
	case '-':
		f.arithmetic(lua.OP_SUB, left, right)
	case '*':
		f.arithmetic(lua.OP_MUL, left, right)
	case '/':
		f.arithmetic(lua.OP_DIV, left, right)
	case '%':
		f.arithmetic(lua.OP_MOD, left, right)
	case '^':
		f.arithmetic(lua.OP_POW, left, right)
	case tkEq:
		f.compare(lua.OP_EQ, 1, left, right)
	case tkNe:
		f.compare(lua.OP_EQ, 0, left, right)
	case '<':
		f.compare(lua.OP_LT, 1, left, right)
	case tkLe:
		f.compare(lua.OP_LE, 1, left, right)
	case '>':
		f.compare(lua.OP_LT, 0, left, right)
	case tkGe:
		f.compare(lua.OP_LE, 0, left, right)
	}
}

// concat parses the rest of a chain of "..", whose first operand is e, into one
// call of the bounded concatenation.
func (f *function) concat(e *expr) {
	f.read(e)
	f.releaseExpr(e)
	base := f.free
	f.reserve(2)
	f.toRegister(e, base+1) // may be in base now
	f.helper(helperConcat, base)
	for n := 2; ; n++ {
		operand := f.subexpr(concatStrength)
		f.toNext(&operand)
		if !f.accept(tkConcat) {
			f.emit(lua.OP_CALL, base, n+1, 2)
			break
		}
	}
	f.nameCall("?")
	f.free = base + 1
	*e = expr{lastName: "?"}
	e.set(exRegister, base)
}

// simple parses an operand.
func (f *function) simple() expr {
	e := expr{lastName: "?"}
	switch f.tok.kind {
	case tkNumber:
		e.kind, e.number = exNumber, f.tok.number
	case tkString:
		e.set(exConstant, f.stringConstant(f.tok.text))
	case tkNil:
		e.kind = exNil
	case tkTrue:
		e.kind = exTrue
	case tkFalse:
		e.kind = exFalse
	case tkDots:
		if f.proto.IsVarArg == 0 {
			f.failNear("cannot use '...' outside a vararg function")
		}
		f.proto.IsVarArg &^= lua.VarArgNeedsArg
		e.set(exVararg, f.emit(lua.OP_VARARG, 0, 1, 0))
	case '{':
		return f.table()
	case tkFunction:
		line := f.line
		f.next()
		return f.body(false, line)
	default:
		return f.suffixed()
	}
	f.next()
	return e
}

// suffixed parses a variable or a call.
func (f *function) suffixed() expr {
	var e expr
	f.unit.inspector.other()
	switch f.tok.kind {
	case tkName:
		line := f.line
		name := f.name()
		e = f.variable(name)
		if f.tok.kind == '(' || f.tok.kind == tkString || f.tok.kind == '{' {
			f.unit.inspector.called()
		}
		if e.kind == exGlobal {
			f.unit.use(f.file, name, line)
		}
	case '(':
		line := f.line
		f.next()
		e = f.expr()
		f.expectMatch(')', '(', line)
		f.read(&e)
		e.lastName = "?"
	default:
		f.failNear("unexpected symbol")
	}
	for {
		switch f.tok.kind {
		case '.':
			f.field(&e)
		case '[':
			f.toAny(&e)
			key := f.subscript()
			f.unit.inspector.other()
			f.index(&e, &key)
		case ':':
			f.next()
			key := f.stringExpr(f.name())
			f.self(&e, &key)
			f.arguments(&e)
			f.unit.inspector.other()
		case '(', tkString, '{':
			f.toNext(&e)
			f.arguments(&e)
			f.unit.inspector.other()
		default:
			return e
		}
	}
}

// field parses ".name" behind e.
func (f *function) field(e *expr) {
	library := ""
	if e.kind == exGlobal {
		library = e.lastName
	}
	f.toAny(e)
	f.next()
	line := f.line
	name := f.name()
	if library != "" {
		f.unit.useField(f.file, library, name, line)
		f.unit.inspector.fieldOf(name, line, f.parent != nil)
	} else {
		f.unit.inspector.other()
	}
	key := f.stringExpr(name)
	f.index(e, &key)
}

// subscript parses "[key]".
func (f *function) subscript() expr {
	f.next()
	key := f.expr()
	if key.hasJumps() {
		f.toAny(&key)
	} else {
		f.read(&key)
	}
	f.expect(']')
	return key
}

// arguments parses the arguments of a call of e, which is in the last register
// taken (two for a method), and emits the call.
func (f *function) arguments(e *expr) {
	line := f.line
	args := expr{}
	switch f.tok.kind {
	case '(':
		if line != f.lastLine {
			f.failNear("ambiguous syntax (function call x new statement)")
		}
		f.next()
		if f.tok.kind != ')' {
			args, _ = f.list()
			f.setResults(&args, -1)
		}
		f.expectMatch(')', '(', line)
	case '{':
		args = f.table()
	case tkString:
		args = f.stringExpr(f.tok.text)
		f.next()
	default:
		f.failNear("function arguments expected")
	}
	base := e.info
	n := 0 // as many as there are
	if !args.isOpen() {
		if args.kind != exVoid {
			f.toNext(&args)
		}
		n = f.free - base
	}
	name := e.lastName
	*e = expr{lastName: "?"}
	e.set(exCall, f.emit(lua.OP_CALL, base, n, 2))
	f.fixLine(line)
	f.nameCall(name)
	f.free = base + 1
}

// table parses a table constructor.
func (f *function) table() expr {
	line := f.line
	start := f.emit(lua.OP_NEWTABLE, 0, 0, 0)
	e := expr{lastName: "?"}
	e.set(exPending, start)
	f.toNext(&e)
	f.expect('{')
	var item expr // the last positional field, not stored yet
	items, named, unstored := 0, 0, 0
	for f.tok.kind != '}' {
		if item.kind != exVoid {
			f.toNext(&item)
			item = expr{}
			if unstored == lua.FieldsPerFlush {
				f.setList(e.info, items, unstored)
				unstored = 0
			}
		}
		if f.tok.kind == '[' || f.tok.kind == tkName && f.lookahead() == '=' {
			f.namedField(e.info)
			named++
		} else {
			item = f.expr()
			items++
			unstored++
		}
		if !f.accept(',') && !f.accept(';') {
			break
		}
	}
	f.expectMatch('}', '{', line)
	switch {
	case unstored == 0:
	case item.isOpen() && named == 0 && items == unstored: // nothing is stored yet
		f.setResults(&item, -1)
		i := instruction(lua.OP_LOADK, e.info, 0, 0)
		setBx(&i, f.constantIndex(helperPack))
		f.code[start] = i
		f.emit(lua.OP_CALL, e.info, 0, 2)
		f.nameCall("?")
		f.free = e.info + 1
		return e
	case item.isOpen():
		f.setResults(&item, -1)
		f.setList(e.info, items, 0)
		items--
	default:
		if item.kind != exVoid {
			f.toNext(&item)
		}
		f.setList(e.info, items, unstored)
	}
	setB(&f.code[start], min(items, maxBC)) // hints only
	setC(&f.code[start], min(named, maxBC))
	return e
}

// namedField parses "name = value" or "[key] = value".
func (f *function) namedField(table int) {
	free := f.free
	var key expr
	if f.tok.kind == tkName {
		key = f.stringExpr(f.name())
	} else {
		key = f.subscript()
	}
	f.expect('=')
	op := lua.OP_SETTABLE
	if key.kind == exConstant {
		op = lua.OP_SETTABLEKS
	}
	k := f.toOperand(&key)
	value := f.expr()
	f.emit(op, table, k, f.toOperand(&value))
	f.free = free
}

// setList stores the last n positional fields (0: up to the top of the stack)
// out of items.
func (f *function) setList(table, items, n int) {
	batch := (items-1)/lua.FieldsPerFlush + 1
	if batch <= maxBC {
		f.emit(lua.OP_SETLIST, table, n, batch)
	} else {
		f.emit(lua.OP_SETLIST, table, n, 0)
		f.append(uint32(batch))
	}
	f.free = table + 1
}
