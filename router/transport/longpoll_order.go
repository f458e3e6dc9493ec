package transport

import (
	"bytes"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// reorder puts the requests of one session back into the order of their ids.
// Clients in browsers do not wait for the answer of one send request before they
// make the next, on another connection, and the later one may be there first; but
// a session's requests are numbered 1, 2, 3 and so on. It is the reader's own. The
// zero reorder is ready.
type reorder struct {
	last  wamp.ID // of the requests that were passed on
	held  map[wamp.ID][]byte
	bytes int // of held
	since time.Time
}

// maxHeld bounds the messages that wait for an earlier one; their bytes are
// bounded by MaxMessageSize.
const maxHeld = 256

// hold keeps a copy of a message that is ahead of its turn and reports true. What
// is not ahead, or would pass a bound, is to be passed on: the session judges it.
func (o *reorder) hold(f wamp.Format, message []byte, most int) bool {
	id := requestID(f, message)
	switch {
	case id == o.last+1:
		o.last = id
		return false
	case id <= o.last, len(o.held) >= maxHeld, o.bytes+len(message) > most, o.held[id] != nil:
		return false
	}
	if o.held == nil {
		o.held = make(map[wamp.ID][]byte)
		o.since = time.Now()
	}
	o.held[id] = bytes.Clone(message)
	o.bytes += len(message)
	return true
}

// due returns a message that was held and has its turn now; late: so has the
// first of them, although those before it have not come.
func (o *reorder) due(late bool) []byte {
	if o.held == nil {
		return nil
	}
	id := o.last + 1
	if late {
		for other := range o.held {
			if o.held[id] == nil || other < id {
				id = other
			}
		}
	}
	message := o.held[id]
	if message == nil {
		return nil
	}
	delete(o.held, id)
	o.last, o.bytes, o.since = id, o.bytes-len(message), time.Now()
	if len(o.held) == 0 {
		o.held = nil
	}
	return message
}

// requestID is the id of a message that is a request of a client, else 0. It does
// not look at the rest of the message.
func requestID(f wamp.Format, message []byte) wamp.ID {
	var r codec.Reader
	r.Reset(f, message)
	if r.Next() != codec.KindList || r.Next() != codec.KindUint {
		return 0
	}
	switch wamp.MessageType(r.Uint()) {
	case wamp.TypeCall, wamp.TypePublish, wamp.TypeSubscribe, wamp.TypeUnsubscribe, wamp.TypeRegister, wamp.TypeUnregister:
	default:
		return 0
	}
	switch r.Next() {
	case codec.KindUint:
		if n := r.Uint(); n <= uint64(wamp.MaxID) {
			return wamp.ID(n)
		}
	case codec.KindFloat:
		if n := r.Float(); n >= 1 && n <= float64(wamp.MaxID) {
			return wamp.ID(n)
		}
	}
	return 0
}
