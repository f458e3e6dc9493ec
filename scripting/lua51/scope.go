package lua51

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// Limits of the reference implementation.
const (
	maxLocals   = 200
	maxUpvalues = 60
	maxTargets  = 200 // of one assignment
)

func (f *function) limit(n, most int, what string) {
	if n <= most {
		return
	}
	where := "main function"
	if f.parent != nil {
		where = fmt.Sprintf("function at line %d", f.proto.LineDefined)
	}
	f.fail(fmt.Sprintf("%s has more than %d %s", where, most, what), "")
}

// declare adds a local that activate will make visible.
func (f *function) declare(name string) {
	f.limit(len(f.active)+len(f.declared)+1, maxLocals, "local variables")
	f.declared = append(f.declared, name)
	f.unit.inspector.declare(name, f.lastLine)
}

// activate makes the oldest n declared locals visible.
func (f *function) activate(n int) {
	for _, name := range f.declared[:n] {
		v := &lua.DbgLocalInfo{Name: name, StartPc: f.pc()}
		f.unit.inspector.activate(v, f)
		f.active = append(f.active, v)
		f.proto.DbgLocals = append(f.proto.DbgLocals, v)
	}
	f.declared = f.declared[n:]
}

// enter opens a block; breakable ones are loops.
func (f *function) enter(breakable bool) *block {
	f.block = &block{parent: f.block, locals: len(f.active), breakable: breakable}
	return f.block
}

// leave closes the innermost block: captured locals get a life of their own.
func (f *function) leave() {
	b := f.block
	f.block = b.parent
	for _, v := range f.active[b.locals:] {
		v.EndPc = f.pc()
	}
	f.unit.inspector.close(f.active[b.locals:])
	f.active = f.active[:b.locals]
	if b.captured {
		f.emit(lua.OP_CLOSE, b.locals, 0, 0)
	}
	f.free = len(f.active)
	f.patchHere(b.breaks)
}

// variable resolves a name.
func (f *function) variable(name string) expr {
	e := expr{lastName: name}
	kind, info := f.resolve(name, true)
	if kind == exGlobal {
		info = f.stringConstant(name)
		f.globals[info] = true
		f.unit.inspector.global(name, f.lastLine, f.parent != nil)
	}
	e.set(kind, info)
	return e
}

// resolve finds a name among the locals of this function and those around it.
// The index of a global is left to the caller. base is false where a function
// inside this one captures the variable.
func (f *function) resolve(name string, base bool) (exprKind, int) {
	for register := len(f.active) - 1; register >= 0; register-- {
		if f.active[register].Name == name {
			f.unit.inspector.read(f.active[register], f.lastLine)
			if !base {
				f.capture(register)
			}
			return exLocal, register
		}
	}
	if f.parent == nil {
		return exGlobal, 0
	}
	for i, u := range f.upvalues {
		if u.name == name {
			f.inspectUpvalue(name)
			return exUpvalue, i
		}
	}
	kind, index := f.parent.resolve(name, false)
	if kind == exGlobal {
		return kind, 0
	}
	f.limit(len(f.upvalues)+1, maxUpvalues, "upvalues")
	f.upvalues = append(f.upvalues, upvalue{name: name, local: kind == exLocal, index: index})
	return exUpvalue, len(f.upvalues) - 1
}

// inspectUpvalue tells the inspector of a captured variable that is known already.
func (f *function) inspectUpvalue(name string) {
	if f.unit.inspector == nil {
		return
	}
	for g := f.parent; g != nil; g = g.parent {
		for register := len(g.active) - 1; register >= 0; register-- {
			if g.active[register].Name == name {
				f.unit.inspector.read(g.active[register], f.lastLine)
				return
			}
		}
	}
}

// capture marks the block that a captured local belongs to.
func (f *function) capture(register int) {
	b := f.block
	for b != nil && b.locals > register {
		b = b.parent
	}
	if b != nil {
		b.captured = true
	}
}
