package lua51

import (
	"fmt"
	"reflect"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// raiseOperand raises the error of a helper or string metamethod, which is
// running, for one of its arguments, which holds v by now: "attempt to <action>
// local 'x' (a nil value)".
func raiseOperand(L *lua.LState, action string, arg int, v lua.LValue) {
	name := ""
	if caller, ok := L.GetStack(1); ok {
		if p, pc := running(L, caller); p != nil {
			i := p.Code[pc]
			rk := -1
			switch op := opOf(i); {
			case op == lua.OP_CALL:
				rk = argA(i) + arg
			case op >= lua.OP_ADD && op <= lua.OP_POW && arg == 2:
				rk = argC(i)
			case op >= lua.OP_ADD && op <= lua.OP_UNM:
				rk = argB(i)
			}
			if rk >= 0 && rk < rkConstant {
				name = describe(p, pc, rk)
			}
		}
	}
	L.RaiseError("%s", typeError(action, name, typeName(v)))
}

func typeName(v lua.LValue) string { return v.Type().String() }

func typeError(action, name, typ string) string {
	if name == "" {
		return fmt.Sprintf("attempt to %s a %s value", action, typ)
	}
	return fmt.Sprintf("attempt to %s %s (a %s value)", action, name, typ)
}

// running returns the function of a frame and the index of the instruction it
// is at, or nil for a Go function. gopher-lua keeps that index to itself;
// reflection reads it, on the way to an error only.
func running(L *lua.LState, dbg *lua.Debug) (*lua.FunctionProto, int) {
	v, err := L.GetInfo("f", dbg, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	if err != nil || !ok || fn.IsG {
		return nil, 0
	}
	frame := reflect.ValueOf(dbg).Elem().FieldByName("frame")
	if !frame.IsValid() || frame.IsNil() {
		return nil, 0
	}
	field := frame.Elem().FieldByName("Pc")
	if !field.IsValid() {
		return nil, 0
	}
	pc := int(field.Int()) - 1
	if pc < 0 || pc >= len(fn.Proto.Code) {
		return nil, 0
	}
	return fn.Proto, pc
}

// Explain returns the error value that the reference implementation would raise
// in place of v, which is about to be raised on L: gopher-lua's machine says
// "attempt to index a non-table object(nil) with key 'role'" where the reference
// says "attempt to index local 'user' (a nil value)". It must be asked while the
// failed function is still on the stack, as from L.Panic; other errors, those of
// Go functions among them, are returned as they are.
func Explain(L *lua.LState, v lua.LValue) lua.LValue {
	s, ok := v.(lua.LString)
	if !ok {
		return v
	}
	frame, ok := L.GetStack(0)
	if !ok {
		return v
	}
	p, pc := running(L, frame)
	if p == nil {
		return v
	}
	position := fmt.Sprintf("%s:%d:", p.SourceName, p.DbgSourcePositions[pc])
	message, ok := strings.CutPrefix(string(s), position+" ")
	if !ok {
		return v
	}
	if better := explain(L, frame, p, pc, message); better != "" {
		return lua.LString(position + " " + better)
	}
	return v
}

// explain translates a message of the machine; "" leaves it.
func explain(L *lua.LState, frame *lua.Debug, p *lua.FunctionProto, pc int, message string) string {
	i := p.Code[pc]
	switch {
	case strings.HasPrefix(message, "attempt to index a non-table object("):
		_, rest, _ := strings.Cut(message, "(")
		typ, _, _ := strings.Cut(rest, ")")
		register := argB(i)
		if op := opOf(i); op == lua.OP_SETTABLE || op == lua.OP_SETTABLEKS {
			register = argA(i)
		}
		return typeError("index", describeIf(L, frame, p, pc, register, typ), typ)
	case message == "attempt to call a non-function object":
		register := argA(i)
		switch opOf(i) {
		case lua.OP_CALL, lua.OP_TAILCALL:
		case lua.OP_TFORLOOP:
			register += 3
		default:
			return ""
		}
		typ := typeName(operand(L, frame, p, register))
		if opOf(i) == lua.OP_TFORLOOP {
			typ = typeName(operand(L, frame, p, argA(i)))
		}
		return typeError("call", describe(p, pc, register), typ)
	case strings.HasPrefix(message, "cannot perform "), message == "__unm undefined":
		rk := argB(i)
		if _, ok := toNumber(operand(L, frame, p, rk)); ok {
			rk = argC(i)
		}
		typ := typeName(operand(L, frame, p, rk))
		return typeError("perform arithmetic on", describeIf(L, frame, p, pc, rk, typ), typ)
	case strings.HasPrefix(message, "attempt to compare "):
		types := strings.TrimPrefix(message, "attempt to compare ")
		if a, b, ok := strings.Cut(types, " with "); ok && a == b {
			return "attempt to compare two " + a + " values"
		}
	case message == "too many recursions in gettable":
		return "loop in gettable"
	case message == "too many recursions in settable":
		return "loop in settable"
	}
	return ""
}

// operand returns the value of a register or constant of a frame.
func operand(L *lua.LState, frame *lua.Debug, p *lua.FunctionProto, rk int) lua.LValue {
	if rk >= rkConstant {
		return p.Constants[rk-rkConstant]
	}
	_, v := L.GetLocal(frame, rk+1)
	if v == nil {
		return lua.LNil
	}
	return v
}

// describeIf describes an operand if it has the type that the machine met:
// behind metatables it may have met another value, which has no name.
func describeIf(L *lua.LState, frame *lua.Debug, p *lua.FunctionProto, pc, rk int, typ string) string {
	if rk >= rkConstant || typeName(operand(L, frame, p, rk)) != typ {
		return ""
	}
	return describe(p, pc, rk)
}
