package lua51

import (
	"fmt"
	"runtime/debug"
	"strconv"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// MaxSource is the longest source text that Compile takes, in bytes.
const MaxSource = 256 << 10

// unit is what the functions of one source file share.
type unit struct {
	levels   int             // of nesting, at this point
	assigned map[string]bool // globals that the file gives a value
	refused  []*Refusal      // uses of what is not available, in order

	inspector *inspector                    // nil: nobody wants to know
	counter   func(line int) *lua.LFunction // of statements; nil: they are not counted
}

// Compile translates a source text into a prototype that the plain gopher-lua
// machine runs as the reference implementation of Lua 5.1 would, on a state where
// [Install] was called. name stands in messages for the file. A
// prototype may be run by many states at once.
//
// The error is a *SyntaxError, or a *Refusal for what cannot be run as the
// reference would. Compile does not panic, and its time and memory are bounded
// by the length of the source.
func Compile(name string, source []byte) (*lua.FunctionProto, error) {
	return compile(name, source, &unit{assigned: map[string]bool{}})
}

func compile(name string, source []byte, u *unit) (proto *lua.FunctionProto, err error) {
	if len(source) > MaxSource {
		return nil, &SyntaxError{File: name, Line: 1, Message: fmt.Sprintf("the file is longer than %d bytes", MaxSource)}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *SyntaxError:
			proto, err = nil, r
		default:
			// A defect of this package must not take the process down: the
			// script is not loaded, and the stack tells where to look.
			proto, err = nil, fmt.Errorf("%s: internal error of the compiler: %v\n%s", name, r, debug.Stack())
		}
	}()
	f := newFunction(newLexer(name, source), u, nil)
	f.proto.IsVarArg = lua.VarArgIsVarArg
	f.next()
	f.chunk()
	u.inspector.close(f.active)
	if f.tok.kind != tkEOF {
		f.failNear("'" + tkEOF.String() + "' expected")
	}
	f.proto.LastLineDefined = f.line
	proto = f.finish()
	for _, r := range u.refused {
		if !u.assigned[r.global] {
			return nil, r
		}
	}
	return proto, nil
}

func newFunction(x *lexer, u *unit, parent *function) *function {
	return &function{
		lexer:     x,
		unit:      u,
		parent:    parent,
		proto:     &lua.FunctionProto{SourceName: x.file},
		constant:  map[lua.LValue]int{},
		globals:   map[int]bool{},
		registers: 2,
	}
}

// body parses the parameters and the block of a function and makes the closure.
func (f *function) body(method bool, line int) expr {
	g := newFunction(f.lexer, f.unit, f)
	g.proto.LineDefined = line
	g.expect('(')
	if method {
		f.unit.inspector.group()
		g.declare("self")
		f.unit.inspector.mark(kindArgument)
		g.activate(1)
	}
	g.parameters()
	g.expect(')')
	g.chunk()
	f.unit.inspector.close(g.active)
	g.proto.LastLineDefined = g.line
	g.expectMatch(tkEnd, tkFunction, line)
	f.proto.FunctionPrototypes = append(f.proto.FunctionPrototypes, g.finish())
	e := expr{lastName: "?"}
	e.set(exPending, f.emitBx(lua.OP_CLOSURE, 0, len(f.proto.FunctionPrototypes)-1))
	for _, u := range g.upvalues {
		op := lua.OP_GETUPVAL
		if u.local {
			op = lua.OP_MOVE
		}
		f.emit(op, 0, u.index, 0) // read by OP_CLOSURE, not run
	}
	return e
}

func (f *function) parameters() {
	f.unit.inspector.group()
	f.markSince()
	n := 0
	if f.tok.kind != ')' {
		for {
			if f.tok.kind == tkDots {
				f.next()
				// The table of a function that does not use "...".
				f.declare("arg")
				n++
				f.proto.IsVarArg = lua.VarArgHasArg | lua.VarArgIsVarArg | lua.VarArgNeedsArg
				break
			}
			if f.tok.kind != tkName {
				f.failNear("<name> or '...' expected")
			}
			f.declare(f.name())
			f.unit.inspector.mark(kindArgument)
			n++
			if !f.accept(',') {
				break
			}
		}
	}
	f.activate(n)
	f.proto.NumParameters = uint8(len(f.active) - int(f.proto.IsVarArg&lua.VarArgHasArg))
	f.reserve(len(f.active))
}

// finish completes the prototype.
func (f *function) finish() *lua.FunctionProto {
	f.emit(lua.OP_RETURN, 0, 1, 0)
	line := f.lastLine
	f.finishAgain()
	f.lastLine = line
	for _, v := range f.active {
		v.EndPc = f.pc()
	}
	f.moveGlobalsForward()
	p := f.withStrings()
	p.Code, p.DbgSourcePositions = f.code, f.lines
	p.NumUsedRegisters = uint8(f.registers + 1)
	p.NumUpvalues = uint8(len(f.upvalues))
	for _, u := range f.upvalues {
		p.DbgUpvalues = append(p.DbgUpvalues, u.name)
	}
	return p
}

// moveGlobalsForward renumbers the constants that no operand can name, so that
// the names of globals come before the others: see withStrings.
func (f *function) moveGlobalsForward() {
	if len(f.constants) <= maxRK+1 {
		return
	}
	order := make([]int, 0, len(f.constants))
	for i := range f.constants {
		if i <= maxRK || f.globals[i] {
			order = append(order, i)
		}
	}
	for i := maxRK + 1; i < len(f.constants); i++ {
		if !f.globals[i] {
			order = append(order, i)
		}
	}
	constants := make([]lua.LValue, len(order))
	place := make([]int, len(order))
	for to, from := range order {
		constants[to] = f.constants[from]
		place[from] = to
	}
	f.constants = constants
	globals := map[int]bool{}
	for i := range f.globals {
		globals[place[i]] = true
	}
	f.globals = globals
	for pc := 0; pc < len(f.code); pc++ {
		i := &f.code[pc]
		switch opOf(*i) {
		case lua.OP_LOADK, lua.OP_GETGLOBAL, lua.OP_SETGLOBAL:
			setBx(i, place[argBx(*i)])
		case lua.OP_SETLIST:
			if argC(*i) == 0 {
				pc++ // a number, not an instruction
			}
		}
	}
}

// withStrings returns the prototype with all constants. The machine reads the
// names of fields and globals from a copy that only gopher-lua's own compiler
// can make: so that compiles a function with the same constants in the same
// places, as far as names can be. (It searches linearly for each, which bounds
// how many it should see.)
func (f *function) withStrings() *lua.FunctionProto {
	names := 0
	for i, k := range f.constants {
		if _, ok := k.(lua.LString); ok && (i <= maxRK || f.globals[i]) {
			names = i + 1
		}
	}
	stmts := make([]ast.Stmt, names)
	for i, k := range f.constants[:names] {
		var e ast.Expr = &ast.NumberExpr{Value: strconv.Itoa(i)}
		if s, ok := k.(lua.LString); ok {
			e = &ast.StringExpr{Value: string(s)}
		}
		local := &ast.LocalAssignStmt{Names: []string{"_"}, Exprs: []ast.Expr{e}}
		stmts[i] = &ast.DoBlockStmt{Stmts: []ast.Stmt{local}}
	}
	p, err := lua.Compile(stmts, f.file)
	if err != nil {
		panic(err)
	}
	p.Constants = f.constants
	p.LineDefined, p.LastLineDefined = f.proto.LineDefined, f.proto.LastLineDefined
	p.NumParameters, p.IsVarArg = f.proto.NumParameters, f.proto.IsVarArg
	p.FunctionPrototypes = f.proto.FunctionPrototypes
	p.DbgLocals, p.DbgCalls, p.DbgUpvalues = f.proto.DbgLocals, f.proto.DbgCalls, nil
	return p
}
