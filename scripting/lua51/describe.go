package lua51

import (
	lua "github.com/yuin/gopher-lua"
)

// describe says what a register of a function held when the instruction at pc
// failed: "local 'user'", "field 'role'" and so on, or "" for a value without a
// name. It reads the code backwards as the reference implementation does, to
// give the same words.
func describe(p *lua.FunctionProto, pc, register int) string {
	if name := localName(p, pc, register); name != "" {
		return "local '" + name + "'"
	}
	setter := lastSetter(p, pc, register)
	if setter < 0 {
		return ""
	}
	switch i := p.Code[setter]; opOf(i) {
	case lua.OP_GETGLOBAL:
		return "global '" + constantName(p, argBx(i)|rkConstant) + "'"
	case lua.OP_MOVE:
		if argB(i) < argA(i) {
			return describe(p, setter, argB(i))
		}
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		return "field '" + operandName(p, argC(i)) + "'"
	case lua.OP_GETUPVAL:
		if argB(i) < len(p.DbgUpvalues) {
			return "upvalue '" + p.DbgUpvalues[argB(i)] + "'"
		}
	case lua.OP_SELF:
		return "method '" + operandName(p, argC(i)) + "'"
	}
	return ""
}

// operandName returns the text of a constant operand, "?" for another one.
func operandName(p *lua.FunctionProto, rk int) string {
	if rk < rkConstant {
		return "?"
	}
	return constantName(p, rk)
}

func constantName(p *lua.FunctionProto, rk int) string {
	if s, ok := p.Constants[rk-rkConstant].(lua.LString); ok {
		return string(s)
	}
	return "?"
}

// localName returns the name of the local in a register, if one is active.
func localName(p *lua.FunctionProto, pc, register int) string {
	for _, v := range p.DbgLocals {
		if v.StartPc > pc {
			break
		}
		if pc < v.EndPc {
			if register == 0 {
				return v.Name
			}
			register--
		}
	}
	return ""
}

// lastSetter returns the instruction before end that gave a register its value,
// following forward jumps only, or -1.
func lastSetter(p *lua.FunctionProto, end, register int) int {
	last := -1
	for pc := 0; pc < end; pc++ {
		i := p.Code[pc]
		a := argA(i)
		switch opOf(i) {
		case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS,
			lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_RETURN, lua.OP_CLOSE:
			// set nothing
		case lua.OP_SETLIST:
			if argC(i) == 0 {
				pc++
			}
		case lua.OP_LOADNIL:
			if a <= register && register <= argB(i) {
				last = pc
			}
		case lua.OP_TFORLOOP:
			if register >= a+2 {
				last = pc
			}
		case lua.OP_CALL, lua.OP_TAILCALL:
			if register >= a {
				last = pc
			}
		case lua.OP_SELF:
			if register == a || register == a+1 {
				last = pc
			}
		case lua.OP_JMP, lua.OP_FORLOOP, lua.OP_FORPREP:
			if opOf(i) != lua.OP_JMP && a == register {
				last = pc
			}
			if target := pc + 1 + argBx(i) - maxSbx; target > pc && target <= end {
				pc = target - 1
			}
		case lua.OP_CLOSURE:
			if a == register {
				last = pc
			}
			pc += int(p.FunctionPrototypes[argBx(i)].NumUpvalues)
		default:
			if a == register {
				last = pc
			}
		}
	}
	return last
}
