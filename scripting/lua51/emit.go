package lua51

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// The layout of gopher-lua's instructions: 6 bits of operation code, then A (8),
// C (9) and B (9), or A and Bx (18). An operand with bit rkConstant set names a
// constant instead of a register.
const (
	maxA       = 1<<8 - 1
	maxBC      = 1<<9 - 1
	maxBx      = 1<<18 - 1
	maxSbx     = maxBx >> 1
	rkConstant = 1 << 8
	maxRK      = rkConstant - 1 // the highest constant an operand can name

	noRegister = maxA
)

func instruction(op, a, b, c int) uint32 {
	return uint32(op)<<26 | uint32(a&maxA)<<18 | uint32(c&maxBC)<<9 | uint32(b&maxBC)
}

func opOf(i uint32) int  { return int(i >> 26) }
func argA(i uint32) int  { return int(i>>18) & maxA }
func argB(i uint32) int  { return int(i) & maxBC }
func argC(i uint32) int  { return int(i>>9) & maxBC }
func argBx(i uint32) int { return int(i) & maxBx }

func setA(i *uint32, a int) { *i = *i&^(maxA<<18) | uint32(a&maxA)<<18 }
func setB(i *uint32, b int) { *i = *i&^maxBC | uint32(b&maxBC) }
func setC(i *uint32, c int) { *i = *i&^(maxBC<<9) | uint32(c&maxBC)<<9 }
func setBx(i *uint32, bx int) {
	*i = *i&^maxBx | uint32(bx&maxBx)
}

// isTest reports whether an instruction decides about the jump behind it.
func isTest(i uint32) bool {
	switch opOf(i) {
	case lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST, lua.OP_TESTSET, lua.OP_TFORLOOP:
		return true
	}
	return false
}

// block is a lexical scope inside a function.
type block struct {
	parent    *block
	breaks    []int // jumps out of the loop
	locals    int   // active locals outside the block
	captured  bool  // a closure holds one of the block's locals
	breakable bool
}

// upvalue says where a closure finds a captured variable when it is made.
type upvalue struct {
	name  string
	local bool // in a register of the enclosing function, else among its upvalues
	index int
}

// function is a function that is being compiled.
type function struct {
	*lexer
	unit   *unit
	parent *function
	proto  *lua.FunctionProto

	code    []uint32
	lines   []int
	pending []int // jumps to the next instruction

	constants []lua.LValue
	constant  map[lua.LValue]int
	globals   map[int]bool // constants that name globals
	zero      int          // 1 + the index of the constant of zeroOperand
	again     []again
	upvalues  []upvalue
	block     *block
	active    []*lua.DbgLocalInfo // one for each active local, by register
	declared  []string            // locals that are not active yet
	free      int                 // the first free register
	registers int                 // the highest number in use
	ended     bool                // the last block, or statement, always leaves
	since     int                 // for the inspector: the statement that declares
}

func (f *function) pc() int { return len(f.code) }

// emit appends an instruction; the line is that of the last token consumed.
func (f *function) emit(op, a, b, c int) int {
	return f.append(instruction(op, a, b, c))
}

func (f *function) emitBx(op, a, bx int) int {
	if bx > maxBx {
		f.fail("function or expression too complex", "")
	}
	i := instruction(op, a, 0, 0)
	setBx(&i, bx)
	return f.append(i)
}

func (f *function) append(i uint32) int {
	pending := f.pending
	f.pending = nil
	f.patchTo(pending, f.pc(), noRegister, f.pc())
	f.code = append(f.code, i)
	f.lines = append(f.lines, f.lastLine)
	return f.pc() - 1
}

// fixLine sets the line of the last instruction.
func (f *function) fixLine(line int) { f.lines[f.pc()-1] = line }

// jump emits a jump to nowhere yet and returns its list: what is pending jumps
// here only to jump on, so it joins the list.
func (f *function) jump() []int {
	pending := f.pending
	f.pending = nil
	return append(pending, f.emitBx(lua.OP_JMP, 0, maxSbx))
}

func (f *function) setTarget(pc, target int) {
	offset := target - (pc + 1)
	if offset > maxSbx || offset < -maxSbx {
		f.fail("control structure too long", "")
	}
	setBx(&f.code[pc], offset+maxSbx)
}

// control returns the instruction that decides about a jump.
func (f *function) control(jump int) *uint32 {
	if jump >= 1 && isTest(f.code[jump-1]) {
		return &f.code[jump-1]
	}
	return &f.code[jump]
}

// patchTest makes the test before a jump put its value into a register. It
// reports false for a jump that has no value to give. With noRegister, or where
// the value is in that register already, the test only tests.
func (f *function) patchTest(jump, register int) bool {
	i := f.control(jump)
	if opOf(*i) != lua.OP_TESTSET {
		return false
	}
	if register != noRegister && register != argB(*i) {
		setA(i, register)
	} else {
		*i = instruction(lua.OP_TEST, argB(*i), 0, argC(*i))
	}
	return true
}

// patchTo aims jumps that give a value to register at withValue and the others
// at without.
func (f *function) patchTo(jumps []int, withValue, register, without int) {
	for _, j := range jumps {
		if f.patchTest(j, register) {
			f.setTarget(j, withValue)
		} else {
			f.setTarget(j, without)
		}
	}
}

func (f *function) patch(jumps []int, target int) {
	if target == f.pc() {
		f.patchHere(jumps)
		return
	}
	f.patchTo(jumps, target, noRegister, target)
}

func (f *function) patchHere(jumps []int) { f.pending = append(f.pending, jumps...) }

// reserve takes n registers from the free ones on.
func (f *function) reserve(n int) {
	f.check(n)
	f.free += n
}

// maxRegisters is how many a function may use.
const maxRegisters = 250

// check makes sure that n more registers exist.
func (f *function) check(n int) {
	if f.free+n > maxRegisters {
		f.fail("function or expression too complex", "")
	}
	f.registers = max(f.registers, f.free+n)
}

// release frees a temporary, which must be the last one taken. Constants and
// the registers of locals are left alone.
func (f *function) release(rk int) {
	if rk < rkConstant && rk >= len(f.active) {
		f.free--
	}
}

// constantIndex returns the index of a constant, which it adds when it is new.
// As in the reference implementation 0 and -0 are one constant.
func (f *function) constantIndex(v lua.LValue) int {
	if i, ok := f.constant[v]; ok {
		return i
	}
	i := len(f.constants)
	f.constant[v] = i
	f.constants = append(f.constants, v)
	return i
}

func (f *function) stringConstant(s string) int { return f.constantIndex(lua.LString(s)) }

// helper loads one of the run-time helpers into a register.
func (f *function) helper(h *lua.LFunction, register int) {
	f.emitBx(lua.OP_LOADK, register, f.constantIndex(h))
}

// fold computes an operation on two constants, unless the reference
// implementation leaves it to run time.
func fold(op int, a, b float64) (float64, bool) {
	var r float64
	switch op {
	case lua.OP_ADD:
		r = a + b
	case lua.OP_SUB:
		r = a - b
	case lua.OP_MUL:
		r = a * b
	case lua.OP_DIV:
		if b == 0 {
			return 0, false
		}
		r = a / b
	case lua.OP_MOD:
		if b == 0 {
			return 0, false
		}
		r = modulo(a, b)
	case lua.OP_POW:
		r = power(a, b)
	case lua.OP_UNM:
		r = -a
	default:
		return 0, false
	}
	return r, !math.IsNaN(r)
}
