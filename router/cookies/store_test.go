package cookies

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/wamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_800_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) login(authid string, d time.Duration) auth.CookieLogin {
	return auth.CookieLogin{
		Realm: "realm1", Authid: authid, Role: "frontend", Method: "ticket", Until: c.now().Add(d),
		Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"a":1}`)},
	}
}

// who is logged in under a value.
func who(s *Store, value string) string {
	l, _ := s.Login(value)
	return l.Authid
}

func TestValues(t *testing.T) {
	s, other := NewStore(Limits{}, nil), NewStore(Limits{}, nil)
	value := s.New(0)
	if b, _ := base64.RawURLEncoding.DecodeString(value); len(b) != MinLength+macLength {
		t.Errorf("a value has %d bytes", len(b))
	}
	if !s.Issued(value) || !s.Issued(s.New(MaxLength)) || s.New(0) == value {
		t.Error("values are not known, or the same")
	}
	// The last character has bits that do not count: another one must not count either.
	last := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(last, value[len(value)-1])
	for name, forged := range map[string]string{
		"empty": "", "short": "AAAA", "long": strings.Repeat("A", 1000), "no base64": "!" + value[1:],
		"a letter changed": string(last[(strings.IndexByte(last, value[0])+1)%64]) + value[1:],
		"the last changed": value[:len(value)-1] + string(last[i^1]),
		"of another store": other.New(0), "padded": value + "=", "with a line break": value + "\n",
	} {
		if s.Issued(forged) {
			t.Errorf("%s: taken for one of its own", name)
		}
		s.Remember(forged, newClock().login("joe", time.Hour*1e5))
		if s.Len() != 0 {
			t.Errorf("%s: somebody is logged in", name)
		}
	}
}

func TestLogins(t *testing.T) {
	c := newClock()
	s := NewStore(Limits{}, c.now)
	joe, ann, ann2 := s.New(0), s.New(0), s.New(0)
	s.Remember(joe, c.login("joe", time.Minute))
	s.Remember(ann, c.login("ann", time.Hour))
	s.Remember(ann2, c.login("ann", time.Hour))
	if l, ok := s.Login(joe); !ok || l.Role != "frontend" || string(l.Extra.Bytes) != `{"a":1}` {
		t.Errorf("joe is %+v", l)
	}
	c.add(time.Minute)
	if got := who(s, joe); got != "" || s.Len() != 2 {
		t.Errorf("%q is logged in for ever; %d logins", got, s.Len())
	}
	s.Forget(joe)
	if n := s.ForgetAuthid("realm2", "ann"); n != 0 {
		t.Errorf("%d logins of another realm were forgotten", n)
	}
	s.Forget(ann)
	if who(s, ann) != "" || who(s, ann2) != "ann" {
		t.Error("another login than asked for was forgotten")
	}
	if n := s.ForgetAuthid("realm1", "ann"); n != 1 || who(s, ann2) != "" || s.Len() != 0 || s.bytes != 0 || len(s.users) != 0 {
		t.Errorf("%d logins were forgotten, %d are left", n, s.Len())
	}
	s.Remember(joe, c.login("joe", time.Hour))
	long := c.login("ann", time.Hour)
	long.Extra.Bytes = make([]byte, maxLogin)
	if s.Remember(joe, long); who(s, joe) != "" {
		t.Error("a login of any length is kept, or the one before it")
	}
}

func TestLoginsAreBounded(t *testing.T) {
	c := newClock()
	s := NewStore(Limits{Logins: 10, PerPrincipal: 3}, c.now)
	values := make([]string, 30)
	for i := range values {
		values[i] = s.New(0)
		s.Remember(values[i], c.login(fmt.Sprintf("user%d", i), time.Hour))
	}
	if s.Len() != 10 || who(s, values[19]) != "" || who(s, values[20]) != "user20" {
		t.Errorf("%d logins are kept, and not the last ones", s.Len())
	}
	for i := range 5 {
		c.add(time.Second)
		s.Remember(values[i], c.login("joe", time.Hour))
	}
	if got := len(s.users[user{"realm1", "joe"}]); got != 3 || who(s, values[1]) != "" || who(s, values[4]) != "joe" || who(s, values[25]) == "" {
		t.Errorf("one user has %d logins", got)
	}
	small := NewStore(Limits{Bytes: 2000}, c.now)
	for i := range values {
		small.Remember(small.New(0), c.login(fmt.Sprint(i), time.Hour))
	}
	if small.Len() == 0 || small.bytes > 2000 {
		t.Errorf("%d logins take %d bytes", small.Len(), small.bytes)
	}
}

// open opens a store for a test that closes it itself.
func open(t *testing.T, name string, purge bool, c *clock) (*Store, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := OpenStore(name, purge, Limits{}, c.now, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func closed(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	c := newClock()
	name := filepath.Join(t.TempDir(), "cookies.dat")
	s, _ := open(t, name, false, c)
	joe, ann, old := s.New(0), s.New(0), s.New(0)
	expiring := c.login("joe", time.Hour)
	expiring.ExpiresAt = c.now().Add(time.Hour)
	s.Remember(joe, expiring)
	s.Remember(ann, c.login("ann", time.Hour))
	s.Remember(old, c.login("old", time.Second))
	s.Forget(ann)
	closed(t, s)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{joe, ann, old} {
		if bytes.Contains(data, []byte(value)) || bytes.Contains(data, []byte(value[:20])) {
			t.Error("the file has what a client could log in by")
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	c.add(time.Minute)
	s, _ = open(t, name, false, c)
	if l, ok := s.Login(joe); !ok || l.Authid != "joe" || l.Method != "ticket" || !l.ExpiresAt.Equal(expiring.ExpiresAt) || string(l.Extra.Bytes) != `{"a":1}` {
		t.Errorf("joe is %+v after a restart", l)
	}
	if !s.Issued(ann) || who(s, ann) != "" || who(s, old) != "" {
		t.Error("who was forgotten is back after a restart, or a value is not known any more")
	}
	closed(t, s)
	s, _ = open(t, name, true, c)
	if s.Issued(joe) || who(s, joe) != "" {
		t.Error("a purged store knows logins")
	}
	closed(t, s)
	if left, _ := filepath.Glob(name + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestEvictedLoginsStayAway: a login that made room for others is no login any more
// for a file either. Whoever forgets all of its user could not reach it there.
func TestEvictedLoginsStayAway(t *testing.T) {
	c := newClock()
	name := filepath.Join(t.TempDir(), "cookies.dat")
	limits := Limits{Logins: 2}
	s, err := OpenStore(name, false, limits, c.now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	joe := s.New(0)
	s.Remember(joe, c.login("joe", time.Hour))
	s.Remember(s.New(0), c.login("ann", time.Second))
	s.Remember(s.New(0), c.login("eve", time.Second))
	s.Forget(joe)
	s.ForgetAuthid("realm1", "joe")
	closed(t, s)
	c.add(time.Minute) // so that there would be room again
	if s, err = OpenStore(name, false, limits, c.now, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if who(s, joe) != "" {
		t.Error("a login that was forgotten is back after a restart")
	}
	if s.Len() != 0 {
		t.Errorf("%d logins that have ended are read", s.Len())
	}
	closed(t, s)
}

// A process that is killed leaves what it had written, and perhaps a part of a line.
func TestFileOfAProcessThatWasKilled(t *testing.T) {
	c := newClock()
	name := filepath.Join(t.TempDir(), "cookies.dat")
	s, _ := open(t, name, false, c)
	joe := s.New(0)
	s.Remember(joe, c.login("joe", time.Hour))
	closed(t, s)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(data, `{"id":"AAAA`...), 0o600); err != nil {
		t.Fatal(err)
	}
	s, log := open(t, name, false, c)
	if who(s, joe) != "joe" || log.Len() != 0 {
		t.Errorf("joe has gone; the log says %q", log)
	}
	closed(t, s)
}

func TestDamagedFile(t *testing.T) {
	c := newClock()
	key := make([]byte, keyLength)
	header := `{"usher":"cookies 1","key":"` + base64.StdEncoding.EncodeToString(key) + `"}` + "\n"
	good, err := appendLine(nil, &entry{login: c.login("joe", time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	// with is a file with a good line, and with another in which one thing is not.
	with := func(old, new string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return header + string(good) + strings.Replace(string(good), old, new, 1)
	}
	id := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, content := range map[string]string{
		"other file":    "realms: []\n",
		"other version": strings.Replace(header, "cookies 1", "cookies 2", 1),
		"short key":     `{"usher":"cookies 1","key":"AAAA"}` + "\n",
		"no end at all": "x",
		"no JSON":       header + "garbage\n",
		"two values":    with("\n", " {}\n"),
		"no id":         header + string(good) + `{"gone":true}` + "\n",
		"short id":      with(id, "AAAA"),
		"long id":       with(id, base64.StdEncoding.EncodeToString(make([]byte, 33))),
		"no realm":      with(`"realm":"realm1",`, ""),
		"no authid":     with(`"authid":"joe",`, ""),
		"no role":       with(`"role":"frontend",`, ""),
		"no method":     with(`"method":"ticket",`, ""),
		"no until":      with(`"until":`, `"expires_at":`),
		"other format":  with(`"extra_format":`, `"extra_format":9`),
		"unknown key":   with("}", `,"admin":true}`),
		"long line":     header + strings.Repeat("x", maxLine+1) + "\n",
	} {
		file := filepath.Join(t.TempDir(), "cookies.dat")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, log := open(t, file, false, c)
		if s.Len() != 0 || s.order.Len() != 0 || len(s.users) != 0 || s.bytes != 0 || bytes.Equal(s.key, key) {
			t.Errorf("%s: %d logins", name, s.Len())
		}
		kept, _ := filepath.Glob(file + ".damaged-*")
		if len(kept) != 1 {
			t.Fatalf("%s: kept as %v", name, kept)
		}
		if got, _ := os.ReadFile(kept[0]); string(got) != content {
			t.Errorf("%s: kept %q", name, got)
		}
		if !strings.Contains(log.String(), "have to log in anew") || !strings.Contains(log.String(), kept[0]) {
			t.Errorf("%s: the log says %q", name, log)
		}
		joe := s.New(0)
		s.Remember(joe, c.login("joe", time.Hour))
		closed(t, s)
		s, _ = open(t, file, false, c)
		if who(s, joe) != "joe" || s.Len() != 1 {
			t.Errorf("%s: the new file is not kept", name)
		}
		closed(t, s)
	}
}

func TestFileStaysShort(t *testing.T) {
	c := newClock()
	name := filepath.Join(t.TempDir(), "cookies.dat")
	s, _ := open(t, name, false, c)
	value, last := s.New(0), s.New(0)
	for range 5 * spareLines {
		s.Remember(value, c.login("joe", time.Hour))
		s.Forget(value)
	}
	s.Remember(last, c.login("ann", time.Hour))
	closed(t, s)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("\n")); n > 2*spareLines {
		t.Errorf("the file of one login has %d lines", n)
	}
	s, _ = open(t, name, false, c)
	if who(s, last) != "ann" || who(s, value) != "" {
		t.Error("the last changes are missing")
	}
	closed(t, s)
}

func TestFileThatCannotBeWritten(t *testing.T) {
	c := newClock()
	if _, err := OpenStore(filepath.Join(t.TempDir(), "none", "cookies.dat"), false, Limits{}, c.now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a store in a directory that is not there opens")
	}
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, _ := open(t, filepath.Join(dir, "cookies.dat"), false, c)
	joe := s.New(0)
	s.Remember(joe, c.login("joe", time.Hour))
	if err := os.Rename(dir, dir+" away"); err != nil {
		t.Fatal(err)
	}
	s.file.mu.Lock()
	s.file.rewrite = true // as after a failure
	s.file.mu.Unlock()
	s.Forget(s.New(0))
	if who(s, joe) != "joe" {
		t.Error("logins depend on the disk")
	}
	s.Remember(joe, c.login("joe", time.Hour))
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "cookies.dat") {
		t.Errorf("closed with %v", err)
	}
}

// TestWritesAreTriedAgain: without waiting for another change.
func TestWritesAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		name := filepath.Join(t.TempDir(), "cookies.dat")
		s, log := open(t, name, false, c)
		synctest.Wait()
		if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
			t.Fatal(err)
		}
		s.file.mu.Lock()
		s.file.rewrite = true // as after a failure
		s.file.mu.Unlock()
		joe := s.New(0)
		s.Remember(joe, c.login("joe", time.Hour))
		synctest.Wait()
		if left, _ := filepath.Glob(name + ".new-*"); len(left) > 0 || !strings.Contains(log.String(), "can't be written") {
			t.Errorf("left behind: %v; the log says %q", left, log)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryAfter)
		synctest.Wait()
		data, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(data), `"authid":"joe"`) {
			t.Errorf("the file has %q: %v", data, err)
		}
		closed(t, s)
	})
}

// TestPendingChangesAreBounded: beyond that the whole is written in their place.
func TestPendingChangesAreBounded(t *testing.T) {
	f := &file{wake: make(chan struct{}, 1)}
	for range maxPending + 2 {
		f.note(&entry{})
	}
	if len(f.pending) != 0 || !f.rewrite {
		t.Errorf("%d changes are kept", len(f.pending))
	}
}

func TestConcurrentChanges(t *testing.T) {
	c := newClock()
	name := filepath.Join(t.TempDir(), "cookies.dat")
	s, _ := open(t, name, false, c)
	values := make([]string, 8)
	for i := range values {
		values[i] = s.New(0)
	}
	var running sync.WaitGroup
	for g := range 4 {
		running.Go(func() {
			for i := range 500 {
				value := values[(i*7+g)%len(values)]
				switch (i + g) % 4 {
				case 0, 1:
					s.Remember(value, c.login("joe", time.Hour))
				case 2:
					s.Forget(value)
				default:
					s.Login(value)
				}
			}
		})
	}
	running.Wait()
	var before []string
	for _, v := range values {
		before = append(before, who(s, v))
	}
	closed(t, s)
	s, _ = open(t, name, false, c)
	for i, v := range values {
		if who(s, v) != before[i] {
			t.Errorf("value %d: %q before, %q in the file", i, before[i], who(s, v))
		}
	}
	closed(t, s)
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	set := NewSet(slog.New(slog.DiscardHandler))
	memory, file := Spec{Name: "cbtid"}, Spec{Name: "cbtid", File: filepath.Join(dir, "a")}
	same := Spec{Name: "other", File: file.File}
	if err := set.Open([]Spec{memory, file, same}); err != nil {
		t.Fatal(err)
	}
	a, b := set.Store(memory), set.Store(file)
	if a == nil || b == nil || a == b || set.Store(same) != b || set.Store(Spec{Name: "x"}) != nil {
		t.Error("stores are not shared as they should be")
	}
	l := auth.CookieLogin{Realm: "realm1", Authid: "joe", Role: "r", Method: "ticket", Until: time.Now().Add(time.Hour)}
	a.Remember(a.New(0), l)
	joe := b.New(0)
	b.Remember(joe, l)
	if n := set.ForgetAuthid("realm1", "joe"); n != 2 || a.Len()+b.Len() != 0 {
		t.Errorf("%d logins were forgotten", n)
	}
	b.Remember(joe, l)
	if err := set.Open([]Spec{file, {File: filepath.Join(dir, "b")}, {File: filepath.Join(dir, "none", "c")}}); err == nil {
		t.Error("a store that can't be opened is no error")
	}
	if set.Store(Spec{File: filepath.Join(dir, "b")}) != nil {
		t.Error("a store was opened in spite of an error")
	}
	if err := set.Keep([]Spec{memory}); err != nil || set.Store(memory) != a || set.Store(file) != nil {
		t.Errorf("kept the wrong stores: %v", err)
	}
	if err := set.Open([]Spec{file}); err != nil || who(set.Store(file), joe) != "joe" {
		t.Errorf("a store that is used again: %v", err)
	}
	if err := set.Keep(nil); err != nil {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	c := newClock()
	s := NewStore(Limits{}, c.now)
	line, err := appendLine(nil, &entry{login: c.login("joe", time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	header := `{"usher":"cookies 1","key":"` + base64.StdEncoding.EncodeToString(s.key) + `"}` + "\n"
	f.Add([]byte(header))
	f.Add(append([]byte(header), line...))
	f.Add([]byte(header + `{"id":"","gone":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewStore(Limits{Logins: 10}, c.now)
		if s.read(data) == nil && len(s.key) != keyLength {
			t.Error("a file without a key was read")
		}
		if s.Len() > 10 || s.order.Len() != s.Len() {
			t.Errorf("%d logins, %d in order", s.Len(), s.order.Len())
		}
	})
}
