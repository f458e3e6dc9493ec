package lua51_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The environment of TestReference.
const (
	recordVariable = "USHER_LUA_RECORD" // set: record testdata/expected.bin
	seedVariable   = "USHER_LUA_SEED"   // the seed of the fresh programs, to repeat a run
	countVariable  = "USHER_LUA_COUNT"  // their number
)

// lupaVersion is the release of the PyPI package that carries the reference
// implementation, Lua 5.1.5.
const lupaVersion = "2.8"

// TestReference compares fresh programs and the cases with the reference
// implementation, which python3 runs. It is skipped without python3, but not on
// CI.
func TestReference(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is missing: CI has to compare with the reference implementation")
		}
		t.Skip("python3 is missing: nothing to compare with")
	}
	site := installLupa(t, python)
	if os.Getenv(recordVariable) != "" {
		record(t, python, site)
		return
	}

	var names, sources []string
	for _, file := range caseFiles(t) {
		source, want := readCase(t, file)
		names, sources = append(names, filepath.Base(file)), append(sources, source)
		if got := run(source); got != want {
			t.Errorf("%s does not print what its comments foretell", file)
		}
	}
	seed, count := uint64(time.Now().UnixNano()>>10&0xffffffff), 2000
	if testing.Short() {
		count = 200
	}
	if s := os.Getenv(seedVariable); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 32); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv(countVariable); s != "" {
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	for n := range uint64(count) {
		names = append(names, fmt.Sprintf("program %d of seed %d", n, seed))
		sources = append(sources, generate(seed, n))
	}
	failed := 0
	for i, want := range reference(t, python, site, sources) {
		if got := run(sources[i]); got != want && !exhausted(got) && !exhausted(want) {
			if failed++; failed <= 3 {
				t.Errorf("%s prints something else than the reference:\n%s\n-- our output:\n%s\n-- the reference's:\n%s", names[i], sources[i], got, want)
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d programs differ", failed, len(sources))
	}
}

// exhausted reports whether a limit ended the program that printed output.
// Each implementation has its own.
func exhausted(output string) bool {
	return strings.Contains(output, "too many instructions") || strings.Contains(output, "not enough memory") ||
		strings.Contains(output, "limit reached")
}

// record writes what TestRecorded compares with.
func record(t *testing.T, python, site string) {
	sources := make([]string, recordedPrograms)
	for n := range sources {
		sources[n] = generate(recordedSeed, uint64(n))
	}
	data := programsDigest()
	for _, output := range reference(t, python, site, sources) {
		if exhausted(output) {
			output = "" // TestRecorded leaves it out
		}
		data = append(data, digest(output)...)
	}
	if err := os.WriteFile(expectedFile, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// reference returns what the programs print with the reference implementation.
func reference(t *testing.T, python, site string, sources []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var input bytes.Buffer
	for _, source := range sources {
		input.Write(binary.BigEndian.AppendUint32(nil, uint32(len(source))))
		input.WriteString(source)
	}
	command := exec.CommandContext(ctx, python, "testdata/reference.py")
	command.Env = append(os.Environ(), "PYTHONPATH="+site)
	command.Stdin = &input
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("the reference implementation failed: %v", err)
	}
	results := make([]string, len(sources))
	reader := bufio.NewReader(bytes.NewReader(output))
	for i := range results {
		var size uint32
		if err := binary.Read(reader, binary.BigEndian, &size); err != nil {
			t.Fatalf("program %d has no result: %v", i, err)
		}
		result := make([]byte, size)
		if _, err := io.ReadFull(reader, result); err != nil {
			t.Fatalf("program %d has no result: %v", i, err)
		}
		results[i] = normal(string(result))
	}
	return results
}

// installLupa returns a directory with the Python package lupa, which it
// installs under the user's cache directory the first time.
func installLupa(t *testing.T, python string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	version, err := exec.CommandContext(ctx, python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatalf("%s: %v", python, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(cache, "usher", "lupa-"+lupaVersion+"-python"+strings.TrimSpace(string(version)))
	if _, err := os.Stat(site); err == nil {
		return site
	}
	if err := os.MkdirAll(filepath.Dir(site), 0o755); err != nil {
		t.Fatal(err)
	}
	// Made beside it and renamed, so that two runs at once do no harm.
	temporary, err := os.MkdirTemp(filepath.Dir(site), "lupa-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	venv, target := filepath.Join(temporary, "venv"), filepath.Join(temporary, "site")
	inVenv := filepath.Join(venv, "bin", "python")
	if runtime.GOOS == "windows" {
		inVenv = filepath.Join(venv, "Scripts", "python.exe")
	}
	for _, args := range [][]string{
		{python, "-m", "venv", venv},
		{inVenv, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", target, "lupa==" + lupaVersion},
	} {
		if output, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("cannot install the Python package lupa %s, with which the reference implementation comes "+
				"(is this machine offline?): %v: %v\n%s", lupaVersion, args, err, output)
		}
	}
	if err := os.Rename(target, site); err != nil {
		if _, err := os.Stat(site); err != nil {
			t.Fatalf("cannot keep the Python package lupa: %v", err)
		}
	}
	return site
}
