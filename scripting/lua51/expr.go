package lua51

import (
	lua "github.com/yuin/gopher-lua"
)

// exprKind says where the value of an expression is.
type exprKind int

const (
	exVoid     exprKind = iota // no value
	exNil                      // the constants
	exTrue                     //
	exFalse                    //
	exNumber                   // number
	exConstant                 // constants[info]
	exLocal                    // register info
	exUpvalue                  // upvalue info
	exGlobal                   // the global named constants[info]
	exIndexed                  // register info, indexed by the operand key
	exJump                     // a comparison: the jump at info is taken if it is true
	exPending                  // the instruction at info, whose target register is open
	exRegister                 // a temporary or local register, info
	exCall                     // the call at info, whose number of results is open
	exVararg                   // the OP_VARARG at info, likewise
)

// expr is an expression on its way into a register. An and/or leaves jumps that
// skip the rest: onTrue and onFalse list those taken with a true or a false value.
type expr struct {
	kind     exprKind
	info     int
	key      int
	keyText  string // for exIndexed: the key where it is a constant string
	isName   bool   // keyText is valid
	number   float64
	onTrue   []int
	onFalse  []int
	lastName string // how a call of the expression appears in a traceback
}

func (e *expr) set(kind exprKind, info int) { e.kind, e.info = kind, info }
func (e *expr) hasJumps() bool              { return len(e.onTrue)+len(e.onFalse) > 0 }
func (e *expr) isNumeral() bool             { return e.kind == exNumber && !e.hasJumps() }
func (e *expr) isOpen() bool                { return e.kind == exCall || e.kind == exVararg }

// setResults fixes the number of results of a call or vararg; -1 is all.
func (f *function) setResults(e *expr, n int) {
	switch e.kind {
	case exCall:
		setC(&f.code[e.info], n+1)
	case exVararg:
		setB(&f.code[e.info], n+1)
		setA(&f.code[e.info], f.free)
		f.reserve(1)
	}
}

// setOneResult cuts a call or vararg to one value. OP_VARARG ends the stack
// behind its target, so that must be the highest register.
func (f *function) setOneResult(e *expr) {
	switch e.kind {
	case exCall:
		e.set(exRegister, argA(f.code[e.info]))
	case exVararg:
		setB(&f.code[e.info], 2)
		setA(&f.code[e.info], f.free)
		e.set(exRegister, f.free)
		f.reserve(1)
	}
}

// read turns a variable into its value.
func (f *function) read(e *expr) {
	switch e.kind {
	case exLocal:
		e.kind = exRegister
	case exUpvalue:
		e.set(exPending, f.emit(lua.OP_GETUPVAL, 0, e.info, 0))
	case exGlobal:
		e.set(exPending, f.emitBx(lua.OP_GETGLOBAL, 0, e.info))
	case exIndexed:
		f.release(e.key)
		f.release(e.info)
		op := lua.OP_GETTABLE
		if e.isName {
			op = lua.OP_GETTABLEKS
		}
		e.set(exPending, f.emit(op, 0, e.info, e.key))
	case exCall, exVararg:
		f.setOneResult(e)
	}
}

// into puts the value into a register, without regard to jumps.
func (f *function) into(e *expr, register int) {
	f.read(e)
	switch e.kind {
	case exNil:
		f.emit(lua.OP_LOADNIL, register, register, 0)
	case exTrue:
		f.emit(lua.OP_LOADBOOL, register, 1, 0)
	case exFalse:
		f.emit(lua.OP_LOADBOOL, register, 0, 0)
	case exNumber:
		f.emitBx(lua.OP_LOADK, register, f.constantIndex(lua.LNumber(e.number)))
	case exConstant:
		f.emitBx(lua.OP_LOADK, register, e.info)
	case exPending:
		setA(&f.code[e.info], register)
	case exRegister:
		if e.info != register {
			f.emit(lua.OP_MOVE, register, e.info, 0)
		}
	default:
		return // exVoid, exJump: nothing to load
	}
	e.set(exRegister, register)
}

// intoAny puts a value that is in no register yet into the next one.
func (f *function) intoAny(e *expr) {
	if e.kind != exRegister {
		f.reserve(1)
		f.into(e, f.free-1)
	}
}

// toRegister puts the value into a register; all jumps end behind it.
func (f *function) toRegister(e *expr, register int) {
	f.into(e, register)
	if e.kind == exJump {
		e.onTrue = append(e.onTrue, e.info)
	}
	if e.hasJumps() {
		loadFalse, loadTrue := -1, -1
		if f.needsValue(e.onTrue) || f.needsValue(e.onFalse) {
			var skip []int
			if e.kind != exJump {
				skip = f.jump()
			}
			// What jumps here must find the first load, not what it skips.
			loadFalse = f.emit(lua.OP_LOADBOOL, register, 0, 1)
			loadTrue = f.emit(lua.OP_LOADBOOL, register, 1, 0)
			f.patchHere(skip)
		}
		end := f.pc()
		f.patchTo(e.onFalse, end, register, loadFalse)
		f.patchTo(e.onTrue, end, register, loadTrue)
		e.onTrue, e.onFalse = nil, nil
	}
	e.set(exRegister, register)
}

// needsValue reports whether one of the jumps gives no value of its own.
func (f *function) needsValue(jumps []int) bool {
	for _, j := range jumps {
		if opOf(*f.control(j)) != lua.OP_TESTSET {
			return true
		}
	}
	return false
}

// toNext puts the value into the next free register.
func (f *function) toNext(e *expr) {
	f.read(e)
	f.releaseExpr(e)
	f.reserve(1)
	f.toRegister(e, f.free-1)
}

// toAny puts the value into some register and returns it.
func (f *function) toAny(e *expr) int {
	f.read(e)
	if e.kind == exRegister {
		if !e.hasJumps() {
			return e.info
		}
		if e.info >= len(f.active) {
			f.toRegister(e, e.info)
			return e.info
		}
	}
	f.toNext(e)
	return e.info
}

// toOperand makes the value an operand: a register or a constant.
func (f *function) toOperand(e *expr) int {
	if e.hasJumps() {
		f.toAny(e)
	} else {
		f.read(e)
	}
	index := -1
	switch e.kind {
	case exNumber:
		index = f.operandConstant(lua.LNumber(e.number))
	case exTrue:
		index = f.operandConstant(lua.LTrue)
	case exFalse:
		index = f.operandConstant(lua.LFalse)
	case exNil:
		index = f.operandConstant(lua.LNil)
	case exConstant:
		index = e.info
	}
	if index >= 0 && index <= maxRK {
		e.set(exConstant, index)
		return index | rkConstant
	}
	return f.toAny(e)
}

// operandConstant returns the index of a constant, or -1 where there are too
// many for an operand.
func (f *function) operandConstant(v lua.LValue) int {
	if len(f.constants) > maxRK {
		return -1
	}
	return f.constantIndex(v)
}

func (f *function) releaseExpr(e *expr) {
	if e.kind == exRegister {
		f.release(e.info)
	}
}

// store assigns a value to a variable.
func (f *function) store(variable, value *expr) {
	switch variable.kind {
	case exLocal:
		f.releaseExpr(value)
		f.toRegister(value, variable.info)
		return
	case exUpvalue:
		f.emit(lua.OP_SETUPVAL, f.toAny(value), variable.info, 0)
	case exGlobal:
		f.emitBx(lua.OP_SETGLOBAL, f.toAny(value), variable.info)
	case exIndexed:
		op := lua.OP_SETTABLE
		if variable.isName {
			op = lua.OP_SETTABLEKS
		}
		f.emit(op, variable.info, variable.key, f.toOperand(value))
	}
	f.releaseExpr(value)
}

// index makes e the field of e that key names; e is in a register.
func (f *function) index(e, key *expr) {
	e.isName = key.kind == exConstant && !key.hasJumps()
	if e.isName {
		e.keyText = string(f.constants[key.info].(lua.LString))
		e.lastName = e.keyText
	} else {
		e.lastName = "?"
	}
	e.key = f.toOperand(key)
	e.kind = exIndexed
}

// self prepares a method call: the function and its receiver in two registers.
func (f *function) self(e, key *expr) {
	e.lastName = string(f.constants[key.info].(lua.LString))
	f.toAny(e)
	f.releaseExpr(e)
	register := f.free
	f.reserve(2)
	f.emit(lua.OP_SELF, register, e.info, f.toOperand(key))
	f.releaseExpr(key)
	e.set(exRegister, register)
}

// jumpOn emits a test of e and the jump taken when it is (not) true.
func (f *function) jumpOn(e *expr, condition bool) []int {
	c := 0
	if condition {
		c = 1
	}
	if e.kind == exPending && opOf(f.code[e.info]) == lua.OP_NOT {
		operand := argB(f.code[e.info])
		f.code, f.lines = f.code[:e.info], f.lines[:e.info] // instead of NOT
		return f.conditional(lua.OP_TEST, operand, 0, 1-c)
	}
	f.intoAny(e)
	f.releaseExpr(e)
	return f.conditional(lua.OP_TESTSET, noRegister, e.info, c)
}

func (f *function) conditional(op, a, b, c int) []int {
	f.emit(op, a, b, c)
	return f.jump()
}

// ifTrue lets the code behind it run if e is true; else it jumps (onFalse).
func (f *function) ifTrue(e *expr) {
	f.read(e)
	var jumps []int
	switch e.kind {
	case exConstant, exNumber, exTrue:
	case exJump:
		f.invert(e)
		jumps = []int{e.info}
	default:
		jumps = f.jumpOn(e, false)
	}
	e.onFalse = append(e.onFalse, jumps...)
	f.patchHere(e.onTrue)
	e.onTrue = nil
}

// ifFalse lets the code behind it run if e is false; else it jumps (onTrue).
func (f *function) ifFalse(e *expr) {
	f.read(e)
	var jumps []int
	switch e.kind {
	case exNil, exFalse:
	case exJump:
		jumps = []int{e.info}
	default:
		jumps = f.jumpOn(e, true)
	}
	e.onTrue = append(e.onTrue, jumps...)
	f.patchHere(e.onFalse)
	e.onFalse = nil
}

// invert turns the comparison before e's jump round.
func (f *function) invert(e *expr) {
	i := f.control(e.info)
	setA(i, 1-argA(*i))
}

func (f *function) not(e *expr) {
	f.read(e)
	switch e.kind {
	case exNil, exFalse:
		e.kind = exTrue
	case exConstant, exNumber, exTrue:
		e.kind = exFalse
	case exJump:
		f.invert(e)
	case exPending, exRegister:
		f.intoAny(e)
		f.releaseExpr(e)
		e.set(exPending, f.emit(lua.OP_NOT, 0, e.info, 0))
	}
	e.onTrue, e.onFalse = e.onFalse, e.onTrue
	// The jumps carry the value before it was negated: they may not give it.
	for _, j := range append(append([]int(nil), e.onTrue...), e.onFalse...) {
		f.patchTest(j, noRegister)
	}
}

// arithmetic emits a binary operation on two expressions.
func (f *function) arithmetic(op int, left, right *expr) {
	if left.isNumeral() && right.isNumeral() {
		if r, ok := fold(op, left.number, right.number); ok {
			left.number = r
			return
		}
	}
	// The order in which constants are met decides which zero stays.
	r := f.toOperand(right)
	l := f.toOperand(left)
	switch op {
	case lua.OP_MOD:
		f.callHelper(helperMod, left, l, r)
	case lua.OP_POW:
		f.callHelper(helperPow, left, l, r)
	default:
		if f.mayBeNegativeZero(op, l, r) {
			f.signedArithmetic(op, left, l, r)
			return
		}
		f.releaseTwo(l, r)
		left.set(exPending, f.emit(op, 0, l, r))
	}
}

// mayBeNegativeZero reports whether the result of an operation can be -0. It
// cannot where a number other than zero is added or taken away.
func (f *function) mayBeNegativeZero(op, left, right int) bool {
	if op != lua.OP_ADD && op != lua.OP_SUB {
		return true
	}
	for _, rk := range [...]int{left, right} {
		if rk >= rkConstant {
			if n, ok := f.constants[rk-rkConstant].(lua.LNumber); ok && n != 0 {
				return false
			}
		}
	}
	return true
}

// signedArithmetic emits an operation whose result may be -0, which the
// machine's instructions turn into 0: after a zero the helper does it again, in
// code at the end of the function.
func (f *function) signedArithmetic(op int, e *expr, l, r int) {
	helper := signedHelpers[op]
	zero := f.zeroOperand()
	if zero < 0 {
		f.callHelper(helper, e, l, r)
		return
	}
	result := f.free
	f.check(5)
	f.emit(op, result, l, r)
	f.emit(lua.OP_EQ, 1, result, zero)
	f.again = append(f.again, again{
		jump: f.emitBx(lua.OP_JMP, 0, maxSbx), helper: helper, left: l, right: r, result: result, line: f.lines[f.pc()-1],
	})
	f.releaseTwo(l, r)
	f.result(e, result)
}

// again is an operation that a helper has to do again, see signedArithmetic.
type again struct {
	jump                int
	helper              *lua.LFunction
	left, right, result int
	line                int
}

// finishAgain emits the code for all of them.
func (f *function) finishAgain() {
	for _, a := range f.again {
		f.setTarget(a.jump, f.pc())
		f.lastLine = a.line
		f.emitHelper(a.helper, a.result+1, a.left, a.right, a.result)
		f.emit(lua.OP_MOVE, a.result, a.result+1, 0)
		f.setTarget(f.emitBx(lua.OP_JMP, 0, maxSbx), a.jump+1)
	}
}

// zeroOperand returns an operand that is zero, or -1. It is a constant of its
// own: the program's zero may be -0.
func (f *function) zeroOperand() int {
	if f.zero == 0 {
		if len(f.constants) > maxRK {
			return -1
		}
		f.constants = append(f.constants, lua.LNumber(0))
		f.zero = len(f.constants)
	}
	return f.zero - 1 | rkConstant
}

// result makes e the value in the register at f.free, or above it.
func (f *function) result(e *expr, register int) {
	if register == f.free {
		f.reserve(1)
		e.set(exRegister, register)
		return
	}
	e.set(exPending, f.emit(lua.OP_MOVE, 0, register, 0))
}

// releaseTwo frees two operands, the one taken last first.
func (f *function) releaseTwo(l, r int) {
	f.release(max(l, r))
	f.release(min(l, r))
}

// callHelper makes e the result of a run-time helper applied to one or two
// operands, which it releases.
func (f *function) callHelper(h *lua.LFunction, e *expr, operands ...int) {
	base := f.free
	f.check(1 + len(operands))
	f.emitHelper(h, base, operands...)
	if len(operands) == 2 {
		f.releaseTwo(operands[0], operands[1])
	} else {
		f.release(operands[0])
	}
	f.result(e, base)
}

// emitHelper emits the call of a helper in the registers from base on.
func (f *function) emitHelper(h *lua.LFunction, base int, operands ...int) {
	f.helper(h, base)
	for i, rk := range operands {
		if rk >= rkConstant {
			f.emitBx(lua.OP_LOADK, base+1+i, rk-rkConstant)
		} else {
			f.emit(lua.OP_MOVE, base+1+i, rk, 0)
		}
	}
	f.emit(lua.OP_CALL, base, 1+len(operands), 2)
	f.nameCall("?")
}

// negate emits a unary minus.
func (f *function) negate(e *expr) {
	if e.isNumeral() {
		e.number = -e.number
		return
	}
	r := f.toAny(e)
	f.callHelper(helperUnm, e, r)
}

// length emits the operator #.
func (f *function) length(e *expr) {
	r := f.toAny(e)
	f.callHelper(helperLen, e, r)
}

// compare makes left the comparison of two expressions.
func (f *function) compare(op, sense int, left, right *expr) {
	l := f.toOperand(left)
	r := f.toOperand(right)
	f.release(r)
	f.release(l)
	if sense == 0 && op != lua.OP_EQ { // a > b is b < a
		l, r, sense = r, l, 1
	}
	jumps := f.conditional(op, sense, l, r)
	left.onTrue, left.onFalse = nil, nil
	left.set(exJump, jumps[len(jumps)-1])
}

// nameCall records how the function just called appears in a traceback.
func (f *function) nameCall(name string) {
	f.proto.DbgCalls = append(f.proto.DbgCalls, lua.DbgCall{Name: name, Pc: f.pc() - 1})
}
