package lualib

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// How a StoreFile writes.
const (
	fileHeader   = "usher kv 1\n"
	saveDelay    = 100 * time.Millisecond // in which changes are gathered
	saveRetry    = time.Second            // after a failure
	saveChunk    = 1 << 20                // bytes of one write
	minRewrite   = 1 << 20                // bytes below which a file is not written anew
	maxFileLine  = 3 << 20                // more than the largest entry takes
	unsavedLimit = 2                      // times the entries that there may be
)

// unsaved are the names whose entries are not on disk as they are in memory. It
// belongs to a Store and its lock. The zero value is that of a Store in memory.
type unsaved struct {
	file *StoreFile
	keys map[string]struct{}
	most int
	all  bool // so many that everything is written anew
}

func (u *unsaved) note(key string) {
	if u.file == nil {
		return
	}
	if len(u.keys) >= u.most { // the disk does not keep up, or not work at all
		u.all, u.keys = true, nil
	}
	if !u.all {
		if u.keys == nil {
			u.keys = map[string]struct{}{}
		}
		u.keys[key] = struct{}{}
	}
	select {
	case u.file.kick <- struct{}{}:
	default:
	}
}

// StoreFile keeps Stores on disk. Writes of scripts do not wait for it: what
// changed is on disk a tenth of a second later, and all of it after Close. A
// crash of the process or the machine costs no more than that.
//
// The file is a log of lines, each with a checksum of its own; it is written anew
// beside, and renamed, when half of it is out of date.
type StoreFile struct {
	path   string
	limits StoreLimits
	log    *slog.Logger
	kick   chan struct{} // holds one: something has changed
	closed chan struct{} // asks the writer to end
	ended  chan struct{} // it has
	lock   *os.File

	mu     sync.Mutex
	stores map[string]*Store

	// Of the writer's goroutine.
	file    *os.File // nil: the last write failed, all must be written anew
	size    int64
	base    int64 // the size when it was written anew
	failing bool
}

// OpenStoreFile reads the file, which, like its folder, may not be there yet. A line that is
// damaged is left out, and the file as it was kept beside; that is logged.
func OpenStoreFile(path string, limits StoreLimits, log *slog.Logger) (*StoreFile, error) {
	f := &StoreFile{
		path: path, limits: limits, log: log.With(slog.String("file", path)), stores: map[string]*Store{},
		kick: make(chan struct{}, 1), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err != nil {
		return nil, fmt.Errorf("kv file %s: %w", path, err)
	}
	if f.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, fmt.Errorf("kv file %s: %w", path, err)
	}
	err = f.load()
	if err == nil {
		err = f.rewrite()
	}
	if err != nil {
		f.lock.Close()
		return nil, fmt.Errorf("kv file %s: %w", path, err)
	}
	for _, s := range f.stores {
		s.unsaved = f.unsaved(s)
	}
	go f.write()
	return f, nil
}

func (f *StoreFile) unsaved(s *Store) unsaved {
	return unsaved{file: f, most: unsavedLimit * s.limits.Entries}
}

// Store returns the Store of a realm.
func (f *StoreFile) Store(realm string) *Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stores[realm]
	if s == nil {
		s = NewStore(f.limits, time.Now)
		s.unsaved = f.unsaved(s)
		f.stores[realm] = s
	}
	return s
}

// all returns the Stores by realm.
func (f *StoreFile) all() map[string]*Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	stores := make(map[string]*Store, len(f.stores))
	for realm, s := range f.stores {
		stores[realm] = s
	}
	return stores
}

// Close writes what is not on disk yet. Nothing may change the Stores any more.
func (f *StoreFile) Close() error {
	close(f.closed)
	<-f.ended
	err := f.save()
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	f.lock.Close()
	if err != nil {
		return fmt.Errorf("kv file %s: %w", f.path, err)
	}
	return nil
}

// write is the writer's goroutine. It ends with Close.
func (f *StoreFile) write() {
	defer close(f.ended)
	for {
		select {
		case <-f.kick:
		case <-f.closed:
			return
		}
		wait := saveDelay
		for again := true; again; {
			select {
			case <-time.After(wait):
			case <-f.closed:
				return
			}
			err := f.save()
			again, wait = err != nil, saveRetry
			if err != nil && !f.failing {
				f.log.Error("kv can't be written to disk, this is tried again", slog.Any("error", err))
			} else if err == nil && f.failing {
				f.log.Info("kv is on disk again")
			}
			f.failing = err != nil
		}
	}
}

// save writes what has changed.
func (f *StoreFile) save() error {
	if f.file == nil || f.size > max(minRewrite, 2*f.base) {
		return f.rewrite()
	}
	begun := f.size
	for realm, s := range f.all() {
		for more := true; more; {
			lines, all := s.changes(realm)
			if all {
				return f.rewrite()
			}
			if err := f.append(lines); err != nil {
				return err
			}
			more = len(lines) > saveChunk // what changes meanwhile is for the next time
		}
	}
	if f.size == begun {
		return nil
	}
	if err := f.file.Sync(); err != nil {
		f.broken()
		return err
	}
	return nil
}

func (f *StoreFile) append(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	n, err := f.file.Write(lines)
	f.size += int64(n)
	if err != nil {
		f.broken()
	}
	return err
}

// broken notes that nobody knows what of the file is on disk.
func (f *StoreFile) broken() {
	f.file.Close()
	f.file = nil
}

// rewrite makes the file one without anything that is out of date. Where that
// fails the next save tries it again.
func (f *StoreFile) rewrite() (err error) {
	if f.file != nil {
		f.broken()
	}
	temporary := f.path + ".new"
	out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 64<<10)
	w.WriteString(fileHeader)
	for realm, s := range f.all() {
		for _, e := range s.snapshot() {
			w.Write(appendLine(nil, realm, e.key, e.value, e.expires))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(f.path))
	f.file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.file = nil
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		f.broken()
		return err
	}
	f.size, f.base = info.Size(), info.Size()
	return nil
}

// syncFolder makes a rename last, where the system can do that.
func syncFolder(name string) {
	if d, err := os.Open(name); err == nil {
		d.Sync()
		d.Close()
	}
}

// changes returns the lines of what has changed, up to about saveChunk, and notes
// that they are saved; all says that everything is to be written instead.
func (s *Store) changes(realm string) (lines []byte, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved.all {
		return nil, true
	}
	for key := range s.unsaved.keys {
		if len(lines) > saveChunk {
			break
		}
		delete(s.unsaved.keys, key)
		var value lua.LValue = lua.LNil
		var expires time.Time
		if e := s.live(key); e != nil {
			value, expires = e.value, e.expires
		}
		lines = appendLine(lines, realm, key, value, expires)
	}
	return lines, false
}

// snapshot returns copies of all entries, which count as saved.
func (s *Store) snapshot() []storeEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeExpired()
	all := make([]storeEntry, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, *e)
	}
	s.unsaved.all, s.unsaved.keys = false, nil
	return all
}

// storeLine is one entry in the file: binary in base64, since JSON has none.
type storeLine struct {
	Realm   string `json:"r"`
	Key     []byte `json:"k"`
	Type    string `json:"t"` // string, number, boolean, or nil: deleted
	Text    []byte `json:"s,omitempty"`
	Value   string `json:"v,omitempty"` // of a number or boolean
	Expires int64  `json:"e,omitempty"` // milliseconds since 1970
}

func appendLine(b []byte, realm, key string, value lua.LValue, expires time.Time) []byte {
	l := storeLine{Realm: realm, Key: []byte(key), Type: TypeName(value)}
	switch v := value.(type) {
	case lua.LString:
		l.Text = []byte(v)
	case lua.LNumber:
		l.Value = strconv.FormatFloat(float64(v), 'g', -1, 64)
	case lua.LBool:
		l.Value = strconv.FormatBool(bool(v))
	}
	if !expires.IsZero() {
		l.Expires = expires.UnixMilli()
	}
	data, err := json.Marshal(l)
	if err != nil { // can't be: there are but strings and a number
		return b
	}
	return fmt.Appendf(b, "%08x %s\n", crc32.ChecksumIEEE(data), data)
}

// parseLine reads a line without its newline.
func parseLine(line []byte) (realm, key string, value lua.LValue, expires time.Time, ok bool) {
	var l storeLine
	if len(line) < 9 || line[8] != ' ' || fmt.Sprintf("%08x", crc32.ChecksumIEEE(line[9:])) != string(line[:8]) || json.Unmarshal(line[9:], &l) != nil {
		return "", "", nil, expires, false
	}
	if l.Expires != 0 {
		expires = time.UnixMilli(l.Expires)
	}
	var err error
	switch l.Type {
	case "string":
		value = lua.LString(l.Text)
	case "number":
		var n float64
		n, err = strconv.ParseFloat(l.Value, 64)
		value = lua.LNumber(n)
	case "boolean":
		value = lua.LBool(l.Value == "true")
	case "nil":
		value = lua.LNil
	default:
		return "", "", nil, expires, false
	}
	return l.Realm, string(l.Key), value, expires, err == nil
}

// load reads the file into Stores.
func (f *StoreFile) load() error {
	in, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, 64<<10)
	header, err := r.ReadString('\n')
	if header == "" && err == io.EOF {
		return nil
	}
	if header != fileHeader {
		return errors.New("this is not a file that usher's kv has written; name another one in scripts.kv.file, or move this one away")
	}
	damaged, torn := 0, false
	for {
		line, err := readLine(r)
		if err != nil && err != io.EOF {
			return err
		}
		if len(line) > 0 && line[len(line)-1] == '\n' {
			if !f.take(line[:len(line)-1]) {
				damaged++
			}
		} else {
			torn = torn || len(line) > 0
		}
		if err == io.EOF {
			break
		}
	}
	limits := f.limits.withDefaults()
	for realm, s := range f.stores {
		if s.limits = limits; !limits.fit(len(s.entries), s.bytes) {
			f.log.Warn("kv: the file has more than scripts.kv.entries or bytes allow; all of it is there, nothing is added until enough is deleted",
				slog.String("realm", realm), slog.Int("entries", len(s.entries)), slog.Int("bytes", s.bytes))
		}
	}
	if torn && damaged == 0 {
		f.log.Warn("kv: the last line of the file is not whole and left out: the process or the machine stopped while it was written")
	}
	if damaged > 0 {
		return f.keepAside(damaged)
	}
	return nil
}

// readLine reads to the next newline. What is longer than any line is cut.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line) <= maxFileLine {
			line = append(line, part...)
		}
		if err != bufio.ErrBufferFull {
			if len(line) > maxFileLine && err == nil {
				line[len(line)-1] = '\n'
			}
			return line, err
		}
	}
}

// take puts a line into its Store; false: it is damaged. The limits hold from load's end
// on: the lines of one save are in no order, so that what was deleted may come behind
// what took its place, or be missing where the process or the machine stopped between.
func (f *StoreFile) take(line []byte) bool {
	realm, key, value, expires, ok := parseLine(line)
	if !ok {
		return false
	}
	s := f.stores[realm]
	if s == nil {
		s = NewStore(StoreLimits{Entries: math.MaxInt, Bytes: math.MaxInt}, time.Now)
		f.stores[realm] = s
	}
	ttl := time.Duration(0)
	if !expires.IsZero() {
		ttl = time.Until(expires)
	}
	if value == lua.LNil || !expires.IsZero() && ttl <= 0 {
		s.delete(key)
		return true
	}
	_, err := s.set(key, value, ttl, false)
	return err == nil
}

// keepAside copies a damaged file to another name, before it is written anew.
func (f *StoreFile) keepAside(lines int) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	aside := f.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	f.log.Error("kv: the file is damaged: lines are left out, all others are there; the file as it was is kept",
		slog.Int("lines_left_out", lines), slog.String("kept_as", strings.TrimPrefix(aside, filepath.Dir(aside)+string(filepath.Separator))))
	return nil
}
