package lua51_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// The differential test. Generated programs run here with this project's
// language and library; what they print is compared with what the reference
// implementation printed.
//
//   - TestRecorded needs no second interpreter: it compares hashes, recorded in
//     testdata/expected.bin.
//   - TestCases compares the readable programs in testdata/cases, whose expected
//     output stands in them as comments.
//   - TestReference asks the reference itself, see difftest_reference_test.go; it
//     also records: USHER_LUA_RECORD=1 go test -run TestReference ./scripting/lua51
const (
	recordedSeed     = 51
	recordedPrograms = 20_000
	hashBytes        = 4
	expectedFile     = "testdata/expected.bin"
)

// run runs a program with this project's language and library and returns what
// it printed, with the error that ended it, if any, as the last line.
func run(source string) string {
	lines, err := execute(source)
	if err != nil {
		message := "load: " + err.Error()
		if e, ok := err.(*lua.ApiError); ok {
			message = "error: " + e.Object.String()
		}
		lines = append(lines, message)
	}
	return normal(strings.Join(lines, "\n"))
}

// execute returns the lines that a program printed, and the error that ended it.
func execute(source string) (lines []string, err error) {
	proto, err := lua51.Compile("p.lua", []byte(source))
	if err != nil {
		return nil, err
	}
	L := lua.NewState(lua.Options{
		SkipOpenLibs: true, RegistrySize: 512, RegistryMaxSize: 1 << 16, CallStackSize: 256, MinimizeStackMemory: true,
	})
	defer L.Close()
	lualib.Open(L, lualib.Options{Print: func(line string) { lines = append(lines, line) }})
	budget := lua51.NewBudget(context.Background(), lua51.Limits{Wall: time.Minute})
	defer budget.Release()
	L.SetContext(budget)
	err = lua51.Call(L, L.NewFunctionFromProto(proto), 0)
	return lines, err
}

var address = regexp.MustCompile(`\b(table|function|builtin|userdata|thread): (0x)?[0-9a-fA-F]+`)

// normal takes addresses out of an output, and the sign of what is not a number,
// which is the processor's.
func normal(output string) string {
	return strings.ReplaceAll(address.ReplaceAllString(output, "$1"), "-nan", "nan")
}

// digest is what is recorded of an output.
func digest(output string) []byte {
	sum := sha256.Sum256([]byte(output))
	return sum[:hashBytes]
}

// programsDigest tells one version of the generator from another.
func programsDigest() []byte {
	h := sha256.New()
	for n := range uint64(200) {
		h.Write([]byte(generate(recordedSeed, n)))
	}
	return h.Sum(nil)
}

// TestPrelude: how long an address is, and what is in it, is another thing at each
// run, so that random programs must not see any.
func TestPrelude(t *testing.T) {
	program := prelude + `
print(tostring(id), tostring({}), (tostring(none) .. "b"):find("b"))
print(tostring(nil), tostring(0x10), tostring("a: 0x1f b"), tostring(setmetatable({}, {__tostring = function() return "mine" end})))`
	if got, want := run(program), "function\ttable\t9\t9\nnil\t16\ta: 0x1f b\tmine"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestRecorded(t *testing.T) {
	recorded, err := os.ReadFile(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded) != sha256.Size+recordedPrograms*hashBytes || !bytes.Equal(recorded[:sha256.Size], programsDigest()) {
		t.Fatal("the generator is not the one that expected.bin was recorded with: record again, see the top of this file")
	}
	recorded = recorded[sha256.Size:]
	step := uint64(1)
	if testing.Short() {
		step = 10
	}
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		failed int
	)
	workers := uint64(runtime.GOMAXPROCS(0))
	for worker := range workers {
		group.Go(func() {
			for n := worker * step; n < recordedPrograms; n += workers * step {
				source := generate(recordedSeed, n)
				output := run(source)
				want := recorded[n*hashBytes : (n+1)*hashBytes]
				if bytes.Equal(digest(output), want) || bytes.Equal(digest(""), want) {
					continue
				}
				mu.Lock()
				if failed++; failed <= 3 {
					t.Errorf("program %d prints something else than the reference:\n%s\n-- our output:\n%s", n, source, output)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if failed > 0 {
		t.Errorf("%d programs differ", failed)
	}
}

// readCase returns the program in a file of testdata/cases and the output that
// its comments "--> " foretell.
func readCase(t *testing.T, file string) (source, want string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if expected, ok := strings.CutPrefix(line, "--> "); ok {
			lines = append(lines, strings.TrimSuffix(expected, "\n"))
		}
	}
	return string(text), strings.Join(lines, "\n")
}

func caseFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return files
}

func TestCases(t *testing.T) {
	for _, file := range caseFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, want := readCase(t, file)
			if got := run(source); got != want {
				t.Errorf("printed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
