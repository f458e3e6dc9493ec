package lualib_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

var record = flag.String("record", "", "record the outcomes in testdata anew with this `interpreter`, as lua5.1")

// TestReference runs the cases in testdata: each is a piece of Lua with the
// outcome that the reference implementation gave, after "=>". To add a case
// write it with a bare "=>" and run the test with -record lua5.1.
func TestReference(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			if *record != "" {
				recordOutcomes(t, file)
			}
			for _, c := range readCases(t, file) {
				if got := outcome(t, c.source); got != c.want {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", file, c.line, c.source, got, c.want)
				}
			}
		})
	}
}

type referenceCase struct {
	line         int
	source, want string
}

func readCases(t *testing.T, file string) (cases []referenceCase) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var source []string
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.Contains(line, "=>") && len(source) > 0 && (strings.HasPrefix(line, "=>") || strings.HasPrefix(line, "> ")):
			cases = append(cases, referenceCase{i + 1, strings.Join(source, "\n"), line})
			source = nil
		case line != "" && !strings.HasPrefix(line, "--"):
			source = append(source, line)
		}
	}
	return cases
}

// recordOutcomes rewrites a file with what the interpreter gives.
func recordOutcomes(t *testing.T, file string) {
	t.Helper()
	cmd := exec.Command(*record, "testdata/record.lua", file)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", *record, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	var b bytes.Buffer
	inCase := false
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case inCase && (strings.HasPrefix(text, "=>") || strings.HasPrefix(text, "> ")):
			if len(outcomes) == 0 {
				t.Fatal("fewer outcomes than cases")
			}
			text, outcomes, inCase = outcomes[0], outcomes[1:], false
		case text != "" && !strings.HasPrefix(text, "--"):
			inCase = true
		}
		fmt.Fprintln(&b, text)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome runs a case and formats what came out as testdata/record.lua does.
func outcome(t *testing.T, source string) string {
	var printed []string
	L := newState(t, lualib.Options{})
	budget := lua51.NewBudget(context.Background(), lua51.Limits{})
	defer budget.Release()
	L.SetContext(budget)
	L.SetGlobal("print", L.NewFunction(func(L *lua.LState) int {
		printed = append(printed, "> "+shown(L, 1))
		return 0
	}))
	proto, err := lua51.Compile("x", []byte(source))
	if err != nil {
		return "refused: " + err.Error()
	}
	// The case is called by pcall, as it is for the reference.
	L.Push(L.NewFunction(func(L *lua.LState) int {
		L.Push(L.GetGlobal("pcall"))
		L.Push(L.NewFunctionFromProto(proto))
		L.Call(1, lua.MultRet)
		result := "=> "
		if !lua.LVAsBool(L.Get(1)) {
			result = "=> error "
		}
		printed = append(printed, result+shown(L, 2))
		return 0
	}))
	if err := L.PCall(0, 0, nil); err != nil {
		printed = append(printed, "stopped: "+err.Error())
	}
	if err := lualib.Broken(L); err != nil {
		printed = append(printed, err.Error())
	}
	return strings.Join(printed, " ")
}

// shown lists the values on the stack from index first on.
func shown(L *lua.LState, first int) string {
	var list []string
	for i := first; i <= L.GetTop(); i++ {
		switch v := L.Get(i).(type) {
		case lua.LString:
			list = append(list, quoted(string(v)))
		case lua.LNumber:
			list = append(list, lua51.FormatNumber(v))
		case lua.LBool, *lua.LNilType:
			list = append(list, v.String())
		default:
			list = append(list, v.Type().String())
		}
	}
	return strings.Join(list, ", ")
}

func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%03d", c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
