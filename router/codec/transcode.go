package codec

import "usher/router/wamp"

// transcode appends data, one value of format from, to dst in format to. It reads
// and writes in one pass. The result is at most eight times as long as data: a
// float of three bytes that takes 22 digits in JSON.
func transcode(dst []byte, to, from wamp.Format, data []byte) ([]byte, error) {
	var (
		r Reader
		w Writer
	)
	r.Reset(from, data)
	w.Reset(to, dst)
	if err := Copy(&w, &r, r.Next()); err != nil {
		return dst, err
	}
	if r.Next() != KindEnd {
		return dst, r.Err() // something follows
	}
	return w.Buffer(), nil
}

// Copy writes the value that r's Next has just begun or read, of which k is what it
// returned, and reads all of it. On an error part of it may have been written.
func Copy(w *Writer, r *Reader, k Kind) error {
	for outside := w.depth; ; k = r.Next() {
		switch k {
		case KindNull:
			w.Null()
		case KindBool:
			w.Bool(r.Bool())
		case KindUint:
			w.Uint(r.Uint())
		case KindInt:
			v, ok := r.Int()
			if !ok {
				return &Error{Offset: r.c.pos, Message: "an integer below -2^63 has no form in other formats", cause: ErrTranscode}
			}
			w.Int(v)
		case KindFloat:
			if err := w.Float(r.Float()); err != nil {
				return err
			}
		case KindString:
			w.String(r.Bytes())
		case KindBytes:
			w.Bytes(r.Bytes())
		case KindList:
			w.begin(false, r.Len())
		case KindDict:
			w.begin(true, r.Len())
		case KindEnd:
			w.End()
		default:
			return r.Err()
		}
		if w.depth == outside {
			return nil
		}
	}
}
