package lualib

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// kvFile opens the file, and closes it at the end unless that is done.
func kvFile(t *testing.T, path string, log *bytes.Buffer) (*StoreFile, func()) {
	t.Helper()
	f, err := OpenStoreFile(path, StoreLimits{}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return f, end
}

func (s *Store) mustSet(t *testing.T, key string, value lua.LValue, ttl time.Duration) {
	t.Helper()
	if _, err := s.set(key, value, ttl, false); err != nil {
		t.Fatal(err)
	}
}

func TestKVSurvivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "kv")
	var log bytes.Buffer
	f, end := kvFile(t, path, &log)
	a, b := f.Store("realm1"), f.Store("realm2")
	a.mustSet(t, "text", lua.LString("\x00\xff\nä"), 0)
	a.mustSet(t, "number", lua.LNumber(1.0/3), 0)
	a.mustSet(t, "true", lua.LTrue, 0)
	a.mustSet(t, "short", lua.LTrue, time.Nanosecond)
	a.mustSet(t, "long", lua.LTrue, time.Hour)
	a.mustSet(t, "gone", lua.LTrue, 0)
	a.mustSet(t, "\xff\n", lua.LFalse, 0)
	a.incr("number", 1, 0)
	a.delete("gone")
	b.mustSet(t, "text", lua.LString("other"), 0)
	end()

	f, end = kvFile(t, path, &log)
	a, b = f.Store("realm1"), f.Store("realm2")
	for key, want := range map[string]lua.LValue{
		"text": lua.LString("\x00\xff\nä"), "number": lua.LNumber(1.0/3 + 1), "true": lua.LTrue, "short": lua.LNil, "long": lua.LTrue, "gone": lua.LNil, "\xff\n": lua.LFalse,
	} {
		if got := a.get(key); got != want {
			t.Errorf("%q is %v, want %v", key, got, want)
		}
	}
	if got := b.get("text"); got != lua.LString("other") {
		t.Errorf("the other realm has %v", got)
	}
	if e := a.entries["long"]; time.Until(e.expires) > time.Hour || time.Until(e.expires) < 59*time.Minute {
		t.Errorf("the time to live is %v", time.Until(e.expires))
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
	end()
}

// What is written is on disk soon, without Close.
func TestKVIsWrittenByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	f, _ := kvFile(t, path, &bytes.Buffer{})
	for i := range 10 {
		f.Store("realm1").mustSet(t, "key", lua.LNumber(i), 0)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(data, []byte(`"v":"9"`)); n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the file is\n%s", data)
		}
	}
}

func TestKVFileIsOneProcessOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	_, end := kvFile(t, path, &bytes.Buffer{})
	if _, err := OpenStoreFile(path, StoreLimits{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process uses it") {
		t.Error(err)
	}
	end()
	kvFile(t, path, &bytes.Buffer{})
}

// Wherever a file ends or is damaged, every whole line of it is read, and what
// is not is kept and told.
func TestDamagedKVFiles(t *testing.T) {
	good := func(key string, n int) string {
		return string(appendLine(nil, "realm1", key, lua.LNumber(n), time.Time{}))
	}
	a, b, c := good("a", 1), good("b", 2), good("c", 3)
	broken := strings.Replace(b, `"v":"2"`, `"v":"3"`, 1)
	for _, test := range []struct {
		name, text, want string
		damaged          bool
		err              string
	}{
		{"none", "", "", false, ""},
		{"header only", fileHeader, "", false, ""},
		{"whole", fileHeader + a + b + c, "abc", false, ""},
		{"last line torn", fileHeader + a + b + c[:len(c)-5], "ab", false, ""},
		{"last newline missing", fileHeader + a + b[:len(b)-1], "a", false, ""},
		{"changed in the middle", fileHeader + a + broken + c, "ac", true, ""},
		{"lines run together", fileHeader + a + b[:20] + c, "a", true, ""},
		{"zeros at the end", fileHeader + a + b + strings.Repeat("\x00", 4096), "ab", false, ""},
		{"zeros in the middle", fileHeader + a + strings.Repeat("\x00", 4096) + "\n" + c, "ac", true, ""},
		{"an endless line", fileHeader + a + strings.Repeat("x", 2*maxFileLine) + "\n" + c, "ac", true, ""},
		{"deleted", fileHeader + a + b + string(appendLine(nil, "realm1", "a", lua.LNil, time.Time{})), "b", false, ""},
		{"expired", fileHeader + a + string(appendLine(nil, "realm1", "a", lua.LTrue, time.UnixMilli(1))), "", false, ""},
		{"another file", "# my notes\n" + a, "", false, "not a file that usher's kv has written"},
		{"header torn", fileHeader[:5], "", false, "not a file that usher's kv has written"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "kv")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.err != "" {
				_, err := OpenStoreFile(path, StoreLimits{}, slog.New(slog.DiscardHandler))
				if data, _ := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), test.err) || string(data) != test.text {
					t.Errorf("%v, and the file is %q", err, data)
				}
				return
			}
			var log bytes.Buffer
			f, end := kvFile(t, path, &log)
			names, _ := f.Store("realm1").keys("", 100)
			if got := strings.Join(names, ""); got != test.want {
				t.Errorf("has %s, want %s", got, test.want)
			}
			f.Store("realm1").mustSet(t, "new", lua.LTrue, 0)
			end()
			aside, err := filepath.Glob(path + ".damaged-*")
			if err != nil || len(aside) > 0 != test.damaged || strings.Contains(log.String(), "level=ERROR") != test.damaged {
				t.Fatalf("kept %v, %v, logged %s", aside, err, log.String())
			}
			if test.damaged {
				if data, err := os.ReadFile(aside[0]); err != nil || string(data) != test.text {
					t.Errorf("%v: kept %q", err, data)
				}
			}
			// What is there now is whole again.
			log.Reset()
			f, _ = kvFile(t, path, &log)
			names, _ = f.Store("realm1").keys("", 100)
			if got := strings.Join(names, ""); got != test.want+"new" || log.Len() > 0 {
				t.Errorf("has %s then, logged %s", got, log.String())
			}
		})
	}
}

// A file is written anew when most of it is out of date, and stays bounded.
func TestKVFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	text := lua.LString(strings.Repeat("x", 100<<10))
	for i := range 60 {
		f, end := kvFile(t, path, &bytes.Buffer{})
		f.Store("realm1").mustSet(t, fmt.Sprint(i%3), text, 0)
		end()
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > minRewrite+1<<20 {
		t.Errorf("%v bytes, %v", info.Size(), err)
	}
}

// So it is while the process runs, and a write that failed is made up for.
func TestKVFileIsWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	f, end := kvFile(t, path, &bytes.Buffer{})
	close(f.closed) // the test is the writer now
	<-f.ended
	s := f.Store("realm1")
	text := lua.LString(strings.Repeat("x", 100<<10))
	for i := range 60 {
		s.mustSet(t, fmt.Sprint(i%3), text, 0)
		if err := f.save(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() > minRewrite+1<<20 {
			t.Fatalf("%v bytes, %v", info.Size(), err)
		}
	}
	f.file.Close()
	s.mustSet(t, "last", lua.LTrue, 0)
	if f.save() == nil {
		t.Fatal("nothing failed")
	}
	if err := f.save(); err != nil {
		t.Fatal(err)
	}
	f.closed = make(chan struct{})
	end()
	f, _ = kvFile(t, path, &bytes.Buffer{})
	if names, _ := f.Store("realm1").keys("", 10); strings.Join(names, " ") != "0 1 2 last" {
		t.Errorf("has %s", names)
	}
}

// A full Store comes back whatever took the place of what. One that has more than its
// limits allow does, too, and takes what makes it smaller only.
func TestKVFileOfAFullStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	var log bytes.Buffer
	open := func(entries, bytes int) *StoreFile {
		f, err := OpenStoreFile(path, StoreLimits{Entries: entries, Bytes: bytes}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	end := func(f *StoreFile) {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	const entries = 50
	text := lua.LString(strings.Repeat("x", 1000))
	full := entries * entrySize("a10", text)
	for _, name := range []string{"a", "b", "c"} {
		f := open(entries, full)
		s := f.Store("realm1")
		old, _ := s.keys("", entries)
		for i := range entries {
			if len(old) > 0 {
				s.delete(old[i])
			}
			s.mustSet(t, fmt.Sprint(name, i+10), text, 0)
		}
		end(f)
	}
	if log.Len() > 0 {
		t.Errorf("a full file is reported: %s", &log)
	}
	for _, limits := range [][2]int{{entries, full}, {entries - 2, full}, {entries, full - 2}} {
		f := open(limits[0], limits[1])
		s := f.Store("realm1")
		if names, _ := s.keys("c", entries); len(names) != entries || s.Len() != entries {
			t.Errorf("%v: %d entries are there, %d of the last", limits, s.Len(), len(names))
		}
		want := "realm=realm1 entries=50 bytes=" + fmt.Sprint(full)
		if over := limits != [2]int{entries, full}; over != strings.Contains(log.String(), want) {
			t.Errorf("%v: the log has %q", limits, &log)
		}
		log.Reset()
		for _, put := range []struct {
			key, value string
			want       error
		}{
			{"d", "", errStoreFull},
			{"c10", string(text) + "x", errStoreFull},
			{"c10", "y" + string(text[1:]), nil},
			{"c10", string(text), nil},
		} {
			if _, err := s.set(put.key, lua.LString(put.value), 0, false); err != put.want {
				t.Errorf("%v: %s of %d bytes: %v", limits, put.key, len(put.value), err)
			}
		}
		end(f)
	}
	f := open(entries-1, full)
	s := f.Store("realm1")
	s.delete("c10")
	if _, err := s.set("c11", text[1:], 0, false); err != nil {
		t.Errorf("there is room, but: %v", err)
	}
	if _, err := s.set("d", lua.LTrue, 0, false); err != errStoreFull {
		t.Errorf("one more: %v", err)
	}
	end(f)
}

// A save takes all that has changed, in as many writes as that needs.
func TestKVIsSavedInChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	f, end := kvFile(t, path, &bytes.Buffer{})
	close(f.closed) // the test is the writer now
	<-f.ended
	for i := range 9 {
		f.Store("realm1").mustSet(t, fmt.Sprint(i), lua.LString(strings.Repeat("x", saveChunk/4)), 0)
	}
	if err := f.save(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if n := bytes.Count(data, []byte(`"t":"string"`)); err != nil || n != 9 {
		t.Errorf("%d entries are in the file, %v", n, err)
	}
	f.closed = make(chan struct{})
	end()
}

// Where the disk does not take anything, what waits is bounded, and all of it is
// there once it does.
func TestKVWithoutADisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "kv")
	f, err := OpenStoreFile(path, StoreLimits{Entries: 10}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	close(f.closed) // the test is the writer now
	<-f.ended
	f.broken()
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	s := f.Store("realm1")
	for i := range 1000 {
		s.mustSet(t, fmt.Sprint(i), lua.LTrue, 0)
		if i >= 5 {
			s.delete(fmt.Sprint(i - 5))
		}
		if len(s.unsaved.keys) > 20 {
			t.Fatalf("%d names wait", len(s.unsaved.keys))
		}
	}
	if err := f.save(); err == nil {
		t.Fatal("there is no folder, but no error")
	}
	if err := os.Rename(dir+"2", dir); err != nil {
		t.Fatal(err)
	}
	if err := f.save(); err != nil {
		t.Fatal(err)
	}
	f.closed = make(chan struct{})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g, _ := kvFile(t, path, &bytes.Buffer{})
	if names, _ := g.Store("realm1").keys("", 100); strings.Join(names, " ") != "995 996 997 998 999" {
		t.Errorf("has %v", names)
	}
}

func TestKVKeys(t *testing.T) {
	s := NewStore(StoreLimits{}, time.Now)
	L := moduleVM(t, s, nil)
	run(t, L, `for _, k in ipairs{"b:2", "a", "b:1", "b:3", "c"} do kv.set(k, 1) end kv.set("b:0", 1, 1e-9)
local function is(list, more, want, wantMore) assert(table.concat(list, " ") == want and more == wantMore, table.concat(list, " ")) end
local l, m = kv.keys("b:") is(l, m, "b:1 b:2 b:3", false)
l, m = kv.keys("b:", 2) is(l, m, "b:1 b:2", true)
l, m = kv.keys() is(l, m, "a b:1 b:2 b:3 c", false)
l, m = kv.keys("x") is(l, m, "", false)
for _, n in ipairs{0, -1, 1.5, 1e9} do assert(not pcall(kv.keys, "", n)) end assert(not pcall(kv.keys, 1))`)
}

// FuzzKVLine: what is read as a line is written as one that reads the same.
func FuzzKVLine(f *testing.F) {
	f.Add(string(appendLine(nil, "realm1", "key", lua.LString("\x00\xff"), time.UnixMilli(1e12))))
	f.Add(string(appendLine(nil, "realm1", "key", lua.LNumber(1.5), time.Time{})))
	f.Add("00000000 {}")
	f.Fuzz(func(t *testing.T, line string) {
		realm, key, value, expires, ok := parseLine([]byte(strings.TrimSuffix(line, "\n")))
		if !ok {
			return
		}
		again := appendLine(nil, realm, key, value, expires)
		realm2, key2, value2, expires2, ok := parseLine(bytes.TrimSuffix(again, []byte("\n")))
		if n, isNumber := value.(lua.LNumber); isNumber && n != n {
			value2 = value
		}
		if !ok || realm2 != realm || key2 != key || value2 != value || !expires2.Equal(expires) {
			t.Errorf("%q: %q %q %v %v", again, realm2, key2, value2, expires2)
		}
	})
}
