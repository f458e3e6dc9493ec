package lualib

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// moduleVM returns a VM with the modules kv, log and crypto. What is logged is
// appended to lines.
func moduleVM(t *testing.T, store *Store, lines *[]string) *lua.LState {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	t.Cleanup(L.Close)
	Open(L, Options{})
	OpenCrypto(L, CryptoOptions{})
	OpenKV(L, func(L *lua.LState, write bool) *Store {
		if write && store == nil {
			Errorf(L, "not now")
		}
		return store
	})
	OpenLog(L, LogOptions{
		Emit: func(level slog.Level, message string, fields []slog.Attr) {
			*lines = append(*lines, fmt.Sprint(level, " ", message, " ", fields))
		},
		Redact:  func(s string) string { return strings.ReplaceAll(s, "secret", "***") },
		Enabled: func(l slog.Level) bool { return l >= slog.LevelInfo },
	})
	return L
}

func TestCryptoEqual(t *testing.T) {
	L := moduleVM(t, nil, nil)
	for _, test := range []struct {
		args string
		want lua.LBool
	}{
		{`"a", "a"`, true},
		{`"\0\255", "\0\255"`, true},
		{`"a", "b"`, false},
		{`"a", "ab"`, false},
		{`"", ""`, false},
		{`"a", ""`, false},
		{`nil, nil`, false},
		{`"a", nil`, false},
		{``, false},
		{`1, 1`, false},
		{`"1", 1`, false},
		{`true, true`, false},
	} {
		if err := L.DoString("result = crypto.equal(" + test.args + ")"); err != nil {
			t.Errorf("%s: %v", test.args, err)
		}
		if got := L.GetGlobal("result"); got != test.want {
			t.Errorf("crypto.equal(%s) is %v", test.args, got)
		}
	}
}

func TestKV(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		L := moduleVM(t, NewStore(StoreLimits{}, nil), nil)
		for _, step := range []string{
			`assert(kv.get("a") == nil)`,
			`kv.set("a", "text") assert(kv.get("a") == "text")`,
			`kv.set("a", 1.5) assert(kv.get("a") == 1.5)`,
			`kv.set("a", false) assert(kv.get("a") == false)`,
			`assert(kv.add("a", 1) == false and kv.get("a") == false)`,
			`assert(kv.add("b", 1) == true and kv.get("b") == 1)`,
			`assert(kv.incr("b") == 2 and kv.incr("b", 3) == 5 and kv.incr("b", -5) == 0)`,
			`assert(kv.incr("new", 7) == 7)`,
			`assert(kv.delete("b") == true and kv.delete("b") == false and kv.get("b") == nil)`,
			`local ok, e = pcall(kv.incr, "a") assert(not ok and e:find("not a number"))`,
			`for _, v in ipairs{{}, print} do assert(not pcall(kv.set, "a", v)) end`,
			`assert(not pcall(kv.set, "a", nil) and not pcall(kv.set, "a") and not pcall(kv.set, {}, 1))`,
			`for _, ttl in ipairs{0, -1, 0/0, "x"} do assert(not pcall(kv.set, "a", 1, ttl)) end`,
			`assert(not pcall(kv.set, ("x"):rep(2000), 1))`,
			// A time to live is that of the entry.
			`kv.set("t", 1, 10) kv.incr("count", 1, 10) kv.set("ever", 1, 1e300)`,
		} {
			if err := L.DoString(step); err != nil {
				t.Errorf("%s: %v", step, err)
			}
		}
		time.Sleep(9 * time.Second)
		run(t, L, `assert(kv.get("t") == 1 and kv.incr("count", 1, 10) == 2 and kv.add("t", 2) == false)`)
		time.Sleep(time.Second)
		run(t, L, `assert(kv.get("t") == nil and kv.get("count") == nil and kv.add("t", 2) == true and kv.get("ever") == 1)`)
		// A write without a time to live takes an earlier one away.
		run(t, L, `kv.set("t", 1, 1) kv.set("t", 2)`)
		time.Sleep(time.Minute)
		run(t, L, `assert(kv.get("t") == 2)`)
	})
}

func run(t testing.TB, L *lua.LState, text string) {
	t.Helper()
	if err := L.DoString(text); err != nil {
		t.Errorf("%s: %v", text, err)
	}
}

func TestKVIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore(StoreLimits{Entries: 3, Bytes: 1000}, nil)
		L := moduleVM(t, s, nil)
		run(t, L, `kv.set("a", 1) kv.set("b", 1, 10) kv.set("c", 1)`)
		run(t, L, `local ok, e = pcall(kv.set, "d", 1) assert(not ok and e:find("kv is full")) assert(kv.get("a") == 1)`)
		run(t, L, `kv.set("a", 2)`) // in place of another value
		time.Sleep(time.Minute)
		run(t, L, `kv.set("d", 1) assert(kv.get("b") == nil)`) // what has expired makes room
		run(t, L, `assert(not pcall(kv.set, "a", ("x"):rep(1000))) assert(kv.get("a") == 2)`)
		run(t, L, `kv.delete("a") kv.delete("c") kv.delete("d")`)
		if s.Len() != 0 || s.bytes != 0 || len(s.expiry) != 0 {
			t.Errorf("%d entries, %d bytes, %d with a time to live are left", s.Len(), s.bytes, len(s.expiry))
		}
	})
}

func TestKVAsksWhetherItMayBeUsed(t *testing.T) {
	L := moduleVM(t, nil, nil)
	for _, f := range []string{`kv.set("a", 1)`, `kv.add("a", 1)`, `kv.incr("a")`, `kv.delete("a")`} {
		if err := L.DoString(f); err == nil || !strings.Contains(err.Error(), "not now") {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestLog(t *testing.T) {
	var lines []string
	L := moduleVM(t, nil, &lines)
	run(t, L, `log.debug("not shown")
log.info("text")
log.warn("a secret", {b = 1, a = "secret", c = true, d = {}, [1] = "one", secret = 2})
log.error("number", {n = 1/3})`)
	want := []string{
		`INFO text []`,
		`WARN a *** [***=2 1=one a=*** b=1 c=true d=table]`,
		`ERROR number [n=0.33333333333333]`,
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	for _, f := range []string{`log.info()`, `log.info({})`, `log.info("x", 1)`} {
		if err := L.DoString(f); err == nil {
			t.Errorf("%s is no error", f)
		}
	}
}

func TestLogLinesAreBounded(t *testing.T) {
	var lines []string
	L := moduleVM(t, nil, &lines)
	run(t, L, `local f = {} for i = 1, 1000 do f["name" .. i] = ("v"):rep(10000) end
log.info(("x"):rep(100000), f)
log.info(("x"):rep(4090) .. "secret")
log.info("\255")`)
	if len(lines) != 3 || len(lines[0]) > MaxLogText+maxLogFields*(maxLogKey+maxLogValue+10) || !strings.Contains(lines[0], "fields_left_out=968") {
		t.Errorf("%d lines, the first of %d bytes", len(lines), len(lines[0]))
	}
	if strings.Contains(lines[1], "sec") { // cut after, not before, it was taken out
		t.Error("a part of a secret is left")
	}
	if lines[2] != "INFO \uFFFD []" {
		t.Errorf("%q", lines[2])
	}
}
