package realm

import (
	"sync"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// work is the memory that handling one message takes. It is pooled, so that a
// session that is idle holds none, and messages need no allocation of their own.
type work struct {
	decoder codec.Decoder
	batch   transport.Batch // of goroutines that are no session's reader
	buffer  []byte          // see transcode

	result     wamp.Result
	failure    wamp.Error
	invocation wamp.Invocation
	interrupt  wamp.Interrupt
	published  wamp.Published
	event      wamp.Event
	trusted    wamp.Event // event for those who learn trust levels

	publication publication
	deliver     func(*subscription) bool // publication.deliver, made once
	record      func(*history) bool      // publication.addTo, likewise
}

// workPool hands out work. It belongs to the Node.
type workPool struct{ pool sync.Pool }

func (p *workPool) get() *work {
	if w, ok := p.pool.Get().(*work); ok {
		return w
	}
	w := new(work)
	w.publication.work = w
	w.deliver, w.record = w.publication.deliver, w.publication.addTo
	return w
}

// maxKeptBuffer is the largest buffer that goes back to the pool.
const maxKeptBuffer = 64 << 10

// put takes w back. It must not refer to anybody's bytes any more.
func (p *workPool) put(w *work) {
	w.result = wamp.Result{}
	w.failure = wamp.Error{}
	w.invocation = wamp.Invocation{}
	w.event = wamp.Event{}
	if w.trusted.Subscription != 0 {
		w.trusted = wamp.Event{}
	}
	w.publication.reset()
	if cap(w.buffer) > maxKeptBuffer {
		w.buffer = nil
	}
	p.pool.Put(w)
}

// transcode returns p in format f, in w's buffer where it is not in f already.
func (w *work) transcode(f wamp.Format, p wamp.Payload) (wamp.Payload, error) {
	if p.Format == f || p.Size() == 0 {
		return p, nil
	}
	out := wamp.Payload{Format: f}
	b, err := codec.AppendValue(w.buffer[:0], f, wamp.Value{Format: p.Format, Bytes: p.Args})
	if err != nil {
		return wamp.Payload{}, err
	}
	n := len(b)
	if p.Kwargs != nil {
		if b, err = codec.AppendValue(b, f, wamp.Value{Format: p.Format, Bytes: p.Kwargs}); err != nil {
			return wamp.Payload{}, err
		}
		out.Kwargs = b[n:]
	}
	if p.Args != nil {
		out.Args = b[:n:n]
	}
	w.buffer = b
	return out, nil
}
