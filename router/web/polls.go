package web

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"usher/router/transport"
)

// polls are the long-poll transports of a Server, by their ids. Who knows an id
// has the session: it is as random as a key, and is never logged.
type polls struct {
	most int // open at a time

	mu       sync.Mutex
	byID     map[string]*poll
	open     int           // of byID; the others have ended and are remembered for a while
	unclosed int           // of byID: not closed by their clients
	stopped  bool          // no new ones
	change   chan struct{} // once stopped: closed and replaced at each change of what is above
}

// poll is a transport and where it was opened: nowhere else is it known.
type poll struct {
	id       string
	listener *listener
	path     string
	conn     *transport.LongPoll
	closed   bool // by its client, or forgotten
}

// rememberEnded is how long requests are told that their transport has ended,
// and may close it; later there is no such transport.
const rememberEnded = 10 * time.Second

var (
	errTooManyPolls = errors.New("too many transports are open")
	errStopping     = errors.New("router is stopping")
)

// defaultPolls is how many transports may be open where the configuration does
// not say.
const defaultPolls = 16384

func (p *polls) init(most int) {
	if most == 0 {
		most = defaultPolls
	}
	p.most = most
	p.byID = make(map[string]*poll)
	p.change = make(chan struct{})
}

// add opens a transport with an id of its own.
func (p *polls) add(l *listener, path string, open func() (*transport.LongPoll, error)) (*poll, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopped:
		return nil, errStopping
	case p.open >= p.most:
		return nil, errTooManyPolls
	}
	c, err := open()
	if err != nil {
		return nil, err
	}
	entry := &poll{id: rand.Text(), listener: l, path: path, conn: c}
	p.byID[entry.id] = entry
	p.open++
	p.unclosed++
	return entry, nil
}

// find returns the transport that was opened at path of l, or nil.
func (p *polls) find(l *listener, path, id string) *poll {
	p.mu.Lock()
	defer p.mu.Unlock()
	if entry := p.byID[id]; entry != nil && entry.listener == l && entry.path == path {
		return entry
	}
	return nil
}

// openAt reports whether transports are open that were opened at path of l.
func (p *polls) openAt(l *listener, path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, entry := range p.byID {
		if entry.listener == l && entry.path == path {
			return true
		}
	}
	return false
}

// ended takes up that a transport has ended and its session too.
func (p *polls) ended(entry *poll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.changed()
	if len(p.byID)-p.open > p.most {
		p.forget(entry)
		return
	}
	time.AfterFunc(rememberEnded, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.forget(entry)
	})
}

// forget removes a transport. The mutex is held.
func (p *polls) forget(entry *poll) {
	delete(p.byID, entry.id)
	if !entry.closed {
		entry.closed = true
		p.unclosed--
	}
	p.changed()
}

// close takes up that the client has closed its transport: it will not ask for
// anything again.
func (p *polls) close(entry *poll) {
	entry.conn.Leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !entry.closed {
		entry.closed = true
		p.unclosed--
	}
	p.changed()
}

// changed has stop look again. The mutex is held.
func (p *polls) changed() {
	if p.stopped {
		close(p.change)
		p.change = make(chan struct{})
	}
}

// stop refuses new transports and waits until those that are open have ended;
// and a moment longer for their clients to close them, as those do that heard the
// last word of their session.
func (p *polls) stop(ctx context.Context) {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wait(ctx, func() bool { return p.open == 0 })
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	p.wait(ctx, func() bool { return p.unclosed == 0 })
}

// wait waits until a condition holds, or ctx ends.
func (p *polls) wait(ctx context.Context, holds func() bool) {
	for {
		p.mu.Lock()
		done, change := holds(), p.change
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
			return
		}
	}
}
