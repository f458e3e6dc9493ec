package cookies

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// A store's file is a log, a line of JSON for each change, the later of which
// counts: a login, or that a value stands for nobody. The first line has the key
// of the values. Beside that key, with which values can be made that admit
// nobody, it has hashes of values only: who reads it can't log in.
//
// It is written by the goroutine that it has until it is closed, and is replaced
// by a shorter one, in one step, when most of its lines do not count any more.
type file struct {
	name  string
	store *Store
	log   *slog.Logger
	wake  chan struct{} // holds one
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
	err   error // of the last write, once done

	mu      sync.Mutex
	pending []*entry // changes that are not written
	rewrite bool     // the whole file is to be written

	// The goroutine's own.
	out   *os.File // nil: the whole file is to be written
	lines int      // in it
}

// The bounds of the file.
const (
	maxPending = 10_000
	spareLines = 1_000   // that do not count, before it is replaced
	maxFile    = 1 << 30 // bytes that are read
	maxLine    = 4 * maxLogin
	retryAfter = 10 * time.Second // that a write failed
)

// header is the first line.
type header struct {
	Format string `json:"usher"`
	Key    []byte `json:"key"`
}

const fileFormat = "cookies 1"

// record is any other line.
type record struct {
	ID        []byte    `json:"id"`
	Gone      bool      `json:"gone,omitempty"` // and nothing else
	Realm     string    `json:"realm,omitempty"`
	Authid    string    `json:"authid,omitempty"`
	Role      string    `json:"role,omitempty"`
	Method    string    `json:"method,omitempty"`
	Format    int       `json:"extra_format,omitempty"`
	Extra     []byte    `json:"extra,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Until     time.Time `json:"until,omitzero"`
}

// OpenStore returns a store that is kept in the file of this name, which is made if
// it is not there. purge: what it has is not read. One that can't be understood is
// kept under another name, and the store is empty: everybody has to log in anew.
// now tells the time; nil: time.Now.
func OpenStore(name string, purge bool, l Limits, now func() time.Time, log *slog.Logger) (*Store, error) {
	s := NewStore(l, now)
	if !purge {
		if err := s.load(name, log); err != nil {
			return nil, fmt.Errorf("cookie store: %w", err)
		}
	}
	f := &file{
		name: name, store: s, log: log,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if err := f.replace(); err != nil {
		return nil, fmt.Errorf("cookie store: %w", err)
	}
	s.file = f
	go f.run() // until close
	return s, nil
}

// load reads the file of this name, if there is one.
func (s *Store) load(name string, log *slog.Logger) error {
	in, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	err = errors.Join(err, in.Close())
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return nil
	}
	empty := NewStore(s.limits, s.now)
	why := s.read(data)
	if why == nil {
		return nil
	}
	// Nothing of it counts: what one line says may have been taken back by another.
	s.key, s.entries, s.users, s.bytes = empty.key, empty.entries, empty.users, 0
	s.order.Init()
	aside := fmt.Sprintf("%s.damaged-%s", name, s.now().UTC().Format("20060102T150405"))
	if err := os.Rename(name, aside); err != nil {
		return fmt.Errorf("%s can't be understood (%w) nor be renamed: %w", name, why, err)
	}
	log.Error("the cookie store is damaged: all who were logged in by a cookie have to log in anew; the file is kept",
		slog.String("file", name), slog.String("kept_as", aside), slog.Any("error", why))
	return nil
}

// read takes up the content of a file. A last line without its end was being
// written when the process was killed, and does not count.
func (s *Store) read(data []byte) error {
	if len(data) > maxFile {
		return fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	var h header
	if err := strictly(first, &h); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	if h.Format != fileFormat || len(h.Key) != keyLength {
		return errors.New("line 1: it is not a file of cookies")
	}
	s.key = h.Key
	lines := bufio.NewScanner(bytes.NewReader(rest))
	lines.Buffer(nil, maxLine)
	n := 1
	for lines.Scan() {
		n++
		var r record
		if err := strictly(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		e, err := r.entry()
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if at := s.entries[e.id]; at != nil {
			s.remove(at.Value.(*entry))
		}
		if e.login.Until.After(s.now()) { // which one that is gone has not
			s.add(e)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

// strictly reads one JSON value.
func strictly(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is something behind the JSON value")
	}
	return nil
}

func (r *record) entry() (*entry, error) {
	if len(r.ID) != len(hash{}) {
		return nil, errors.New("the id is no hash")
	}
	e := &entry{id: hash(r.ID)}
	if r.Gone {
		return e, nil
	}
	if r.Realm == "" || r.Authid == "" || r.Role == "" || r.Method == "" || r.Until.IsZero() {
		return nil, errors.New("realm, authid, role, method or until is missing")
	}
	f := wamp.Format(r.Format)
	if len(r.Extra) > 0 && f != wamp.JSON && f != wamp.MessagePack && f != wamp.CBOR {
		return nil, errors.New("the format of extra is unknown")
	}
	e.login = auth.CookieLogin{
		Realm: r.Realm, Authid: r.Authid, Role: r.Role, Method: r.Method,
		Extra: wamp.Value{Format: f, Bytes: r.Extra}, ExpiresAt: r.ExpiresAt, Until: r.Until,
	}
	return e, nil
}

// appendLine appends the line of e to b.
func appendLine(b []byte, e *entry) ([]byte, error) {
	l := &e.login
	r := record{ID: e.id[:], Gone: l.Role == ""}
	if !r.Gone {
		r.Realm, r.Authid, r.Role, r.Method = l.Realm, l.Authid, l.Role, l.Method
		r.ExpiresAt, r.Until = l.ExpiresAt, l.Until
		if len(l.Extra.Bytes) > 0 {
			r.Format, r.Extra = int(l.Extra.Format), l.Extra.Bytes
		}
	}
	line, err := json.Marshal(&r)
	if err != nil {
		return b, err
	}
	return append(append(b, line...), '\n'), nil
}

// note has a change written. f may be nil. The store's mutex is held.
func (f *file) note(e *entry) {
	if f == nil {
		return
	}
	f.mu.Lock()
	if len(f.pending) >= maxPending || f.rewrite {
		f.pending, f.rewrite = nil, true // the whole has it
	} else {
		f.pending = append(f.pending, e)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run writes what is noted, until close.
func (f *file) run() {
	defer close(f.done)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		last := false
		select {
		case <-f.wake:
		case <-retry.C:
		case <-f.quit:
			last = true
		}
		if f.err = f.write(); f.err != nil && !last {
			f.log.Error("the cookie store can't be written: after a restart clients would have to log in anew, and logins that were forgotten would be there again",
				slog.String("file", f.name), slog.Any("error", f.err))
			retry.Reset(retryAfter)
		}
		if last {
			f.closeOut()
			return
		}
	}
}

// write writes what is pending. Where that fails the next attempt writes all.
func (f *file) write() error {
	f.mu.Lock()
	pending, rewrite := f.pending, f.rewrite
	f.pending, f.rewrite = nil, false
	f.mu.Unlock()
	if len(pending) == 0 && !rewrite {
		return nil
	}
	err := f.append(pending, rewrite)
	if err != nil {
		f.mu.Lock()
		f.pending, f.rewrite = nil, true
		f.mu.Unlock()
	}
	return err
}

func (f *file) append(pending []*entry, rewrite bool) error {
	if rewrite || f.out == nil || f.lines+len(pending) > 2*f.store.Len()+spareLines {
		return f.replace()
	}
	var b []byte
	for _, e := range pending {
		var err error
		if b, err = appendLine(b, e); err != nil {
			return err
		}
	}
	if _, err := f.out.Write(b); err != nil {
		return err
	}
	f.lines += len(pending)
	return f.out.Sync()
}

// replace writes all that the store has to a new file, which takes the place of
// the old one.
func (f *file) replace() (err error) {
	out, err := os.CreateTemp(filepath.Dir(f.name), filepath.Base(f.name)+".new-*") // its mode is 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = out.Close() // if it is not closed yet
			_ = os.Remove(out.Name())
		}
	}()
	buffered := bufio.NewWriter(out)
	line, err := json.Marshal(header{fileFormat, f.store.key})
	if err != nil {
		return err
	}
	_, _ = buffered.Write(append(line, '\n')) // Flush tells
	all := f.store.all()
	for _, e := range all {
		if line, err = appendLine(line[:0], e); err != nil {
			return err
		}
		_, _ = buffered.Write(line)
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	f.closeOut() // not every system renames a file that is open, nor over one
	if err := os.Rename(out.Name(), f.name); err != nil {
		return err
	}
	f.out, err = os.OpenFile(f.name, os.O_WRONLY|os.O_APPEND, 0)
	f.lines = len(all)
	return err
}

// closeOut closes the file as it was, which was written as far as it could be.
func (f *file) closeOut() {
	if f.out != nil {
		_ = f.out.Close() // each write was synchronized
		f.out = nil
	}
}

// close writes what is pending and ends the goroutine. f may be nil.
func (f *file) close() error {
	if f == nil {
		return nil
	}
	f.once.Do(func() { close(f.quit) })
	<-f.done
	if f.err != nil {
		return fmt.Errorf("cookie store %s: %w", f.name, f.err)
	}
	return nil
}
