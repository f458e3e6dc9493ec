package lua51

import (
	lua "github.com/yuin/gopher-lua"
)

// blockEnds reports whether the current token ends a block.
func (f *function) blockEnds() bool {
	switch f.tok.kind {
	case tkElse, tkElseif, tkEnd, tkEOF, tkUntil:
		return true
	}
	return false
}

// chunk parses the statements of a block.
func (f *function) chunk() {
	f.enterLevel()
	ended := false
	for last := false; !last && !f.blockEnds(); {
		if ended {
			f.unit.inspector.unreachable(f.line)
		}
		f.ended = false
		last = f.statement()
		ended = f.ended || last
		f.accept(';')
		f.free = len(f.active) // temporaries end with the statement
	}
	f.ended = ended
	f.leaveLevel()
}

// scoped parses a block with a scope of its own.
func (f *function) scoped() {
	f.enter(false)
	f.chunk()
	f.leave()
}

// statement parses a statement and reports whether it must be the last one.
func (f *function) statement() bool {
	line := f.line
	f.count()
	f.unit.inspector.statement()
	switch f.tok.kind {
	case tkIf:
		f.ifStatement(line)
	case tkWhile:
		f.whileStatement(line)
	case tkDo:
		f.next()
		f.scoped()
		f.expectMatch(tkEnd, tkDo, line)
	case tkFor:
		f.forStatement(line)
	case tkRepeat:
		f.repeatStatement(line)
	case tkFunction:
		f.functionStatement(line)
	case tkLocal:
		f.next()
		if f.accept(tkFunction) {
			f.localFunction()
		} else {
			f.localStatement()
		}
	case tkReturn:
		f.returnStatement()
		return true
	case tkBreak:
		f.next()
		f.breakStatement()
		return true
	default:
		f.expressionStatement()
	}
	return false
}

// condition parses a condition and returns the jumps taken when it is false.
func (f *function) condition() []int {
	e := f.expr()
	if e.kind == exNil {
		e.kind = exFalse
	}
	f.ifTrue(&e)
	return e.onFalse
}

func (f *function) ifStatement(line int) {
	var ends []int
	otherwise := f.thenBlock()
	ended := f.ended
	for f.tok.kind == tkElseif {
		ends = append(ends, f.jump()...)
		f.patchHere(otherwise)
		otherwise = f.thenBlock()
		ended = ended && f.ended
	}
	if f.tok.kind == tkElse {
		ends = append(ends, f.jump()...)
		f.patchHere(otherwise)
		f.next()
		f.scoped()
		ended = ended && f.ended
	} else {
		ends = append(ends, otherwise...)
		ended = false
	}
	f.ended = ended
	f.patchHere(ends)
	f.expectMatch(tkEnd, tkIf, line)
}

// thenBlock parses "[else]if condition then block".
func (f *function) thenBlock() []int {
	f.next()
	otherwise := f.condition()
	f.expect(tkThen)
	f.scoped()
	return otherwise
}

func (f *function) whileStatement(line int) {
	f.next()
	start := f.pc()
	endless := f.tok.kind == tkTrue
	exit := f.condition()
	endless = endless && f.tok.kind == tkDo && f.pc() == start
	loop := f.enter(true)
	f.expect(tkDo)
	f.scoped()
	f.patch(f.jump(), start)
	f.expectMatch(tkEnd, tkWhile, line)
	f.leave()
	f.patchHere(exit)
	f.ended = endless && len(loop.breaks) == 0
}

// repeatStatement: the condition sees the locals of the block, so where they
// are captured each way out of it closes them.
func (f *function) repeatStatement(line int) {
	start := f.pc()
	f.enter(true)
	scope := f.enter(false)
	f.next()
	f.chunk()
	f.expectMatch(tkUntil, tkRepeat, line)
	again := f.condition()
	if !scope.captured {
		f.leave()
		f.patch(again, start)
	} else {
		f.breakStatement()
		f.patchHere(again)
		f.leave()
		f.patch(f.jump(), start)
	}
	f.leave()
	f.ended = false
}

func (f *function) breakStatement() {
	captured := false
	b := f.block
	for b != nil && !b.breakable {
		captured = captured || b.captured
		b = b.parent
	}
	if b == nil {
		f.failNear("no loop to break")
	}
	if captured {
		f.emit(lua.OP_CLOSE, b.locals, 0, 0)
	}
	b.breaks = append(b.breaks, f.jump()...)
}

func (f *function) forStatement(line int) {
	f.enter(true)
	f.next()
	name := f.name()
	switch f.tok.kind {
	case '=':
		f.numericFor(name, line)
	case ',', tkIn:
		f.genericFor(name)
	default:
		f.failNear("'=' or 'in' expected")
	}
	f.expectMatch(tkEnd, tkFor, line)
	f.leave()
	f.ended = false
}

func (f *function) numericFor(name string, line int) {
	base := f.free
	f.unit.inspector.group()
	f.markSince()
	f.declare("(for index)")
	f.declare("(for limit)")
	f.declare("(for step)")
	f.declare(name)
	f.unit.inspector.mark(kindLoop)
	f.expect('=')
	number := f.forExpr()
	f.expect(',')
	number = f.forExpr() && number
	if f.accept(',') {
		number = f.forExpr() && number
	} else {
		f.emitBx(lua.OP_LOADK, f.free, f.constantIndex(lua.LNumber(1)))
		f.reserve(1)
	}
	if !number {
		f.forNumbers(base, line)
	}
	f.activate(3)
	f.expect(tkDo)
	prepare := f.emitBx(lua.OP_FORPREP, base, maxSbx)
	f.loopBody(1)
	f.patchHere([]int{prepare})
	end := f.emitBx(lua.OP_FORLOOP, base, maxSbx)
	f.fixLine(line)
	f.patch([]int{end}, prepare+1)
}

// forExpr parses one bound of a numeric for into the next register and reports
// whether it is certainly a number.
func (f *function) forExpr() bool {
	e := f.expr()
	number := e.isNumeral()
	f.toNext(&e)
	return number
}

// forNumbers converts the three values of a numeric for, which are in registers
// from base on, to numbers.
func (f *function) forNumbers(base, line int) {
	f.check(4)
	f.helper(helperFor, f.free)
	for i := range 3 {
		f.emit(lua.OP_MOVE, f.free+1+i, base+i, 0)
	}
	f.emit(lua.OP_CALL, f.free, 4, 4)
	f.fixLine(line)
	f.nameCall("?")
	for i := range 3 {
		f.emit(lua.OP_MOVE, base+i, f.free+i, 0)
	}
}

func (f *function) genericFor(name string) {
	base := f.free
	f.unit.inspector.group()
	f.markSince()
	f.declare("(for generator)")
	f.declare("(for state)")
	f.declare("(for control)")
	f.declare(name)
	f.unit.inspector.mark(kindLoop)
	names := 1
	for f.accept(',') {
		f.declare(f.name())
		f.unit.inspector.mark(kindLoop)
		names++
	}
	f.expect(tkIn)
	line := f.line
	e, n := f.list()
	f.adjust(3, n, &e)
	f.check(3) // the call of the generator
	f.activate(3)
	f.expect(tkDo)
	prepare := f.jump()
	body := f.pc()
	f.loopBody(names)
	f.patchHere(prepare)
	f.emit(lua.OP_TFORLOOP, base, 0, names)
	f.fixLine(line)
	f.patch(f.jump(), body)
}

// loopBody parses the block of a for loop, which declares the given number of
// locals.
func (f *function) loopBody(locals int) {
	f.enter(false)
	f.activate(locals)
	f.reserve(locals)
	f.scoped()
	f.leave()
}

func (f *function) functionStatement(line int) {
	f.next()
	e := f.variable(f.name())
	for f.tok.kind == '.' {
		f.field(&e)
	}
	method := f.tok.kind == ':'
	if method {
		f.field(&e)
	}
	f.assigned(&e)
	f.unit.inspector.assign(e.kind)
	b := f.body(method, line)
	f.store(&e, &b)
	f.fixLine(line)
}

func (f *function) localFunction() {
	f.unit.inspector.group()
	f.declare(f.name())
	f.unit.inspector.mark(kindFunction)
	f.markSince()
	e := expr{}
	e.set(exLocal, f.free)
	f.reserve(1)
	f.activate(1)
	b := f.body(false, f.line)
	f.unit.inspector.named(f.active[len(f.active)-1])
	f.store(&e, &b)
	f.active[len(f.active)-1].StartPc = f.pc()
}

func (f *function) localStatement() {
	f.unit.inspector.group()
	f.markSince()
	names := 0
	for {
		f.declare(f.name())
		names++
		if !f.accept(',') {
			break
		}
	}
	e, n := expr{}, 0
	if f.accept('=') {
		e, n = f.list()
	}
	f.adjust(names, n, &e)
	f.activate(names)
}

// adjust makes the values of a list, whose last is e, as many as the variables.
func (f *function) adjust(variables, values int, e *expr) {
	extra := variables - values
	if e.isOpen() {
		extra = max(extra+1, 0)
		f.setResults(e, extra)
		if extra > 1 {
			f.reserve(extra - 1)
		}
		return
	}
	if e.kind != exVoid {
		f.toNext(e)
	}
	if extra > 0 {
		first := f.free
		f.reserve(extra)
		f.emit(lua.OP_LOADNIL, first, f.free-1, 0)
	}
}

// markSince remembers which statement declares a local.
func (f *function) markSince() {
	if f.unit.inspector != nil {
		f.since = f.unit.inspector.number
	}
}

func (f *function) expressionStatement() {
	e := f.suffixed()
	if e.kind == exCall {
		setC(&f.code[e.info], 1) // no results
		return
	}
	f.assignment(e)
}

// assignment parses what follows the first target of an assignment.
func (f *function) assignment(first expr) {
	targets := []expr{first}
	for {
		switch last := &targets[len(targets)-1]; last.kind {
		case exLocal, exUpvalue, exGlobal, exIndexed:
			f.assigned(last)
			f.unit.inspector.assign(last.kind)
		default:
			f.failNear("syntax error")
		}
		if !f.accept(',') {
			break
		}
		e := f.suffixed()
		if e.kind == exLocal {
			f.protect(targets, e.info)
		}
		targets = append(targets, e)
		f.limit(len(targets), maxTargets, "variables in assignment")
	}
	f.expect('=')
	e, n := f.list()
	if n == len(targets) {
		f.setOneResult(&e)
		f.store(&targets[n-1], &e)
		targets = targets[:n-1]
	} else {
		f.adjust(len(targets), n, &e)
		f.free -= max(n-len(targets), 0)
	}
	for i := len(targets) - 1; i >= 0; i-- {
		value := expr{}
		value.set(exRegister, f.free-1)
		f.store(&targets[i], &value)
	}
}

// protect copies a local that is assigned in the same statement as a field of
// the table in it, or under the key in it, for the field's sake.
func (f *function) protect(targets []expr, local int) {
	copied := false
	for i := range targets {
		t := &targets[i]
		if t.kind != exIndexed {
			continue
		}
		if t.info == local {
			t.info = f.free
			copied = true
		}
		if t.key == local {
			t.key = f.free
			copied = true
		}
	}
	if copied {
		f.emit(lua.OP_MOVE, f.free, local, 0)
		f.reserve(1)
	}
}

// assigned notes that the program gives a global its own value.
func (f *function) assigned(e *expr) {
	if e.kind == exGlobal {
		f.unit.assigned[e.lastName] = true
	}
}

func (f *function) returnStatement() {
	f.next()
	if f.blockEnds() || f.tok.kind == ';' {
		f.emit(lua.OP_RETURN, 0, 1, 0)
		return
	}
	e, n := f.list()
	switch {
	case e.isOpen():
		f.setResults(&e, -1)
		if e.kind == exCall && n == 1 {
			i := &f.code[e.info]
			*i = instruction(lua.OP_TAILCALL, argA(*i), argB(*i), argC(*i))
		}
		f.emit(lua.OP_RETURN, len(f.active), 0, 0)
	case n == 1:
		f.emit(lua.OP_RETURN, f.toAny(&e), 2, 0)
	default:
		f.toNext(&e)
		f.emit(lua.OP_RETURN, len(f.active), n+1, 0)
	}
}
