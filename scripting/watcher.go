package scripting

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The times of a reload. Events are only hints that something may have changed:
// what has is found by reading the directory.
const (
	debounce     = 50 * time.Millisecond  // of quiet before the directory is read
	maxDebounce  = 500 * time.Millisecond // after which it is read all the same
	settleTime   = 40 * time.Millisecond  // a file written to more recently may not be complete
	pollInterval = 2 * time.Second        // for what events miss
)

// loop watches the scripts directory of a host. Its goroutine ends by stop.
type loop struct {
	host    *Host
	options *Options
	log     *slog.Logger
	done    chan struct{}
	ended   sync.WaitGroup
	watcher *fsnotify.Watcher // nil: there are no events, only the poll
	watched map[string]bool
	links   map[string]string // watched directory -> the only name of interest there

	read      *snapshot // as last read
	unsettled *snapshot // read, but not believed yet
}

func (h *Host) startLoop(o *Options, read *snapshot) *loop {
	l := &loop{
		host: h, options: o, log: o.Log, done: make(chan struct{}),
		watched: map[string]bool{}, links: map[string]string{}, read: read,
	}
	if o.Dir != "" {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			l.log.Warn("scripts directory cannot be watched: changes take effect within 2 s", slog.Any("error", err))
		}
		l.watcher = w
		l.watch(read)
	}
	l.ended.Go(l.run)
	return l
}

// stop ends the loop and waits for it. The host's lock must not be held.
func (l *loop) stop() {
	close(l.done)
	l.ended.Wait()
	if l.watcher != nil {
		_ = l.watcher.Close() // nobody waits for events any more
	}
}

func (l *loop) run() {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	timer := time.NewTimer(0)
	if !timer.Stop() {
		<-timer.C
	}
	defer timer.Stop()
	var events <-chan fsnotify.Event
	var failures <-chan error
	if l.watcher != nil {
		events, failures = l.watcher.Events, l.watcher.Errors
	}
	var first time.Time // of the events since the directory was last read
	again := func(at time.Time) {
		if !at.IsZero() {
			timer.Reset(time.Until(at))
		}
	}
	for {
		select {
		case <-l.done:
			return
		case e, ok := <-events:
			if !ok {
				events, failures = nil, nil // given up: see add
				continue
			}
			if !l.concerns(e) {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			timer.Reset(min(debounce, max(0, maxDebounce-now.Sub(first))))
		case <-failures:
			timer.Reset(debounce) // events were lost
		case <-l.host.kicked:
			again(l.check(true))
		case <-timer.C:
			first = time.Time{}
			again(l.check(true))
		case <-poll.C:
			if first.IsZero() {
				again(l.check(false))
			}
		}
	}
}

// concerns reports whether an event may mean a change of scripts.
func (l *loop) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name, only := l.links[filepath.Dir(e.Name)]
	if only && !l.watched[filepath.Dir(e.Name)] {
		return filepath.Base(e.Name) == name
	}
	return true
}

// check reads the directory and has the host apply what it finds. full reads
// every file; else those that look unchanged are not read again. It returns when
// to check again; zero: when something happens.
func (l *loop) check(full bool) time.Time {
	h := l.host
	h.mu.Lock() // also while reading: what is applied must not be older than what was
	defer h.mu.Unlock()
	if h.closed || h.loop != l {
		return time.Time{}
	}
	known := l.read
	if full {
		known = nil
	}
	snap, err := l.options.scan(known)
	if err != nil {
		if old := h.DirErr(); old == nil || old.Error() != err.Error() {
			l.log.Error("scripts directory cannot be read, all components stay as they are", slog.Any("error", err))
		}
		h.dirErr.Store(&err)
		return time.Time{}
	}
	if h.dirErr.Swap(nil) != nil {
		l.log.Info("scripts directory can be read again")
	}
	l.watch(snap)
	now := time.Now()
	if !snap.settled(h.snap, l.unsettled, now, settleTime) {
		l.unsettled = snap
		return now.Add(debounce)
	}
	l.unsettled = nil
	l.read = snap
	return h.apply(snap, h.snap == nil || snap.sum != h.snap.sum)
}

// watch asks for the events of all directories of s, of the parent of the root,
// and of each symbolic link on the way to it: when these are replaced, the
// directories inside say nothing.
func (l *loop) watch(s *snapshot) {
	if l.watcher == nil {
		return
	}
	want := map[string]bool{}
	for _, dir := range s.dirs {
		want[dir] = true
	}
	links := map[string]string{}
	for _, place := range linkPlaces(l.options.Dir) {
		links[filepath.Dir(place)] = filepath.Base(place)
	}
	if len(s.dirs) > 0 {
		links[filepath.Dir(s.dirs[0])] = filepath.Base(s.dirs[0])
	}
	for dir := range want {
		if !l.add(dir) {
			return
		}
	}
	for dir := range links {
		if !l.add(dir) {
			return
		}
	}
	for _, dir := range l.watcher.WatchList() {
		if _, link := links[dir]; !link && !want[dir] {
			_ = l.watcher.Remove(dir) // it may have gone by itself
		}
	}
	l.watched, l.links = want, links
}

// add watches a directory; adding it again renews a watch that was lost because
// another directory took the place of the one that had it.
// It reports false where events are given up, as the system has no more of them.
func (l *loop) add(dir string) bool {
	err := l.watcher.Add(dir)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return true
	}
	l.log.Warn("directory cannot be watched: changes take effect within 2 s", slog.String("dir", dir), slog.Any("error", err))
	_ = l.watcher.Close()
	l.watcher = nil
	return false
}

// linkPlaces returns the absolute paths of the directory and of its parents that
// are symbolic links, and of the directory itself.
func linkPlaces(dir string) []string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	places := []string{abs}
	for p := filepath.Dir(abs); p != filepath.Dir(p); p = filepath.Dir(p) {
		if info, err := os.Lstat(p); err == nil && info.Mode()&os.ModeSymlink != 0 {
			places = append(places, p)
		}
	}
	return places
}
