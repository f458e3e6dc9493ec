package config

// Deflate says how a WebSocket's messages may be compressed, where the client
// offers permessage-deflate (RFC 7692). Zero values mean the defaults of the
// package transport.
type Deflate struct {
	MaxWindowBits        int // of what is sent: the window is 2^MaxWindowBits bytes
	RequestMaxWindowBits int // of what a client sends that can be asked
	Threshold            int // bytes from which on a message is compressed
}

// compression reads how messages are compressed, in a dict with the one key
// deflate, a dict; without it they are not:
//
//	max_window_bits              8 to 15: what is compressed refers back by at
//	                             most 2 to that power bytes; absent: 15
//	request_max_window_bits      the same for clients; absent: they are not asked
//	threshold                    the size from which on a message is compressed;
//	                             absent: 1KiB
//	no_context_takeover,         true, if given: each message is compressed by
//	request_no_context_takeover  itself, in both directions
//
// Crossbar.io's memory_level has no counterpart.
func (r *reader) compression(v value) *Deflate {
	if v.absent() {
		return nil
	}
	f := v.fields()
	o := f.need("deflate").fields()
	f.done(nil)
	if o.n == nil {
		return nil
	}
	d := &Deflate{MaxWindowBits: o.get("max_window_bits").integer(8, 15)}
	// Crossbar.io's 0 is not to ask.
	if v := o.get("request_max_window_bits"); !r.crossbar || v.n == nil || v.n.text != "0" {
		d.RequestMaxWindowBits = v.integer(8, 15)
	}
	for _, key := range []string{"no_context_takeover", "request_no_context_takeover"} {
		if v := o.get(key); !v.boolean(true) {
			v.unsupported("usher has each message compressed by itself: that keeps no memory, and what many receive is compressed once")
		}
	}
	if v := o.get("memory_level"); !v.absent() {
		v.unsupported("usher's compressor has one size of memory, which connections share")
	}
	if !r.crossbar {
		d.Threshold = o.get("threshold").size(1, 1<<30)
	}
	o.done(nil)
	return d
}
