package codec

import (
	"fmt"
	"math"

	"usher/router/wamp"
)

// Writer appends encoded values to a buffer, token by token, without knowing the
// lengths of lists and dicts beforehand. Within a dict, keys (strings) and values
// take turns. Reset it first. It trusts its caller to open and end in pairs and
// to write valid UTF-8. It is not safe for concurrent use.
type Writer struct {
	f     wamp.Format
	buf   []byte
	depth int // lists and dicts open
	outer [16]opened
	inner []opened // those within 16 others, so that most values need no memory
}

// opened is a list or dict that is being written.
type opened struct {
	at   int // of its head in the buffer
	n    int // values so far; keys count too
	size int // as written in its head, or -1 where End writes that
	dict bool
}

// Reset makes w append to dst in format f.
func (w *Writer) Reset(f wamp.Format, dst []byte) { w.f, w.buf, w.depth = f, dst, 0 }

// Buffer returns dst with what was appended.
func (w *Writer) Buffer() []byte { return w.buf }

// innermost returns the innermost list or dict.
func (w *Writer) innermost() *opened {
	if i := w.depth - 1; i < len(w.outer) {
		return &w.outer[i]
	}
	return &w.inner[w.depth-1-len(w.outer)]
}

// next counts a value, and in JSON separates it from the one before.
func (w *Writer) next() {
	if w.depth == 0 {
		return
	}
	o := w.innermost()
	if w.f == wamp.JSON && o.n > 0 {
		if o.dict && o.n&1 == 1 {
			w.buf = append(w.buf, ':')
		} else {
			w.buf = append(w.buf, ',')
		}
	}
	o.n++
}

// BeginList begins a list.
func (w *Writer) BeginList() { w.begin(false, -1) }

// BeginDict begins a dict.
func (w *Writer) BeginDict() { w.begin(true, -1) }

// begin begins a list of size elements or a dict of size entries; -1: unknown.
func (w *Writer) begin(dict bool, size int) {
	w.next()
	if w.depth++; w.depth > len(w.outer)+len(w.inner) {
		w.inner = append(w.inner, opened{})
	}
	*w.innermost() = opened{at: len(w.buf), size: size, dict: dict}
	w.buf = appendBegin(w.buf, w.f, dict, max(size, 0))
}

// End ends the innermost list or dict.
func (w *Writer) End() {
	o := *w.innermost()
	w.depth--
	if w.f == wamp.JSON || o.size >= 0 {
		w.buf = appendEnd(w.buf, w.f, o.dict)
		return
	}
	if o.dict {
		o.n /= 2
	}
	// The head took one byte. Where it needs more, what is in the list moves: rather
	// than a longer head for all of the many short ones.
	var room [9]byte
	head := appendBegin(room[:0], w.f, o.dict, o.n)
	if grow := len(head) - 1; grow > 0 {
		end := len(w.buf)
		w.buf = append(w.buf, head[1:]...)
		copy(w.buf[o.at+1+grow:], w.buf[o.at+1:end])
	}
	copy(w.buf[o.at:], head)
}

// Null writes null.
func (w *Writer) Null() {
	w.next()
	w.buf = appendNull(w.buf, w.f)
}

// Bool writes a boolean.
func (w *Writer) Bool(v bool) {
	w.next()
	w.buf = appendBool(w.buf, w.f, v)
}

// Int writes an integer.
func (w *Writer) Int(v int64) {
	w.next()
	w.buf = appendInt(w.buf, w.f, v)
}

// Uint writes an integer.
func (w *Writer) Uint(v uint64) {
	w.next()
	w.buf = appendUint(w.buf, w.f, v)
}

// Float writes a float. NaN and infinities have no form in JSON: then nothing is
// written, and the error wraps ErrTranscode.
func (w *Writer) Float(v float64) error {
	if w.f == wamp.JSON && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return fmt.Errorf("%w: a float that is not finite, in JSON", ErrTranscode)
	}
	w.next()
	w.buf = appendFloat(w.buf, w.f, v)
	return nil
}

// String writes a string, or a key. It must be valid UTF-8.
func (w *Writer) String(s []byte) {
	w.next()
	w.buf = appendString(w.buf, w.f, s)
}

// Bytes writes binary data; in JSON as a string in WAMP's convention.
func (w *Writer) Bytes(s []byte) {
	w.next()
	w.buf = appendBytes(w.buf, w.f, s)
}

// Raw writes one value that is encoded in the Writer's format already.
func (w *Writer) Raw(data []byte) {
	w.next()
	w.buf = append(w.buf, data...)
}
