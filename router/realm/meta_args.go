package realm

import (
	"usher/router/codec"
	"usher/router/wamp"
)

// arguments reads what a meta procedure was called with, in order. The first thing
// that is wrong becomes err, the answer to the call; what is read from then on is
// zero.
type arguments struct {
	reader codec.Reader
	kind   codec.Kind // of the next argument; KindEnd: there is none
	read   int        // arguments so far
	kwargs wamp.Value
	err    *ErrorReply
}

// begin starts with the first argument of p, which is borrowed.
func (a *arguments) begin(p wamp.Payload) {
	a.kind = codec.KindEnd
	if len(p.Kwargs) > 0 {
		a.kwargs = wamp.Value{Format: p.Format, Bytes: p.Kwargs}
	}
	if len(p.Args) > 0 {
		a.reader.Reset(p.Format, p.Args)
		a.reader.Next() // the list
		a.kind = a.reader.Next()
	}
}

func (a *arguments) fail(uri, format string, args ...any) {
	if a.err == nil {
		a.err = newError(uri, format, args...)
	}
}

// wrong says that the argument just met is not what is wanted.
func (a *arguments) wrong(name, wanted string) {
	if a.kind == codec.KindEnd {
		a.fail(wamp.ErrInvalidArgument, "argument %d, %s, is missing: it must be %s", a.read+1, name, wanted)
		return
	}
	a.fail(wamp.ErrInvalidArgument, "argument %d, %s, is %s, but must be %s", a.read+1, name, a.kind, wanted)
}

// advance goes on to the next argument.
func (a *arguments) advance() {
	a.read++
	a.kind = a.reader.Next()
}

// more reports whether there is another argument; one that is null stands for one
// that was left out, and is passed over.
func (a *arguments) more() bool {
	if a.err == nil && a.kind == codec.KindNull {
		a.advance()
		return false
	}
	return a.err == nil && a.kind != codec.KindEnd
}

// end makes further arguments an error, and returns what is wrong, if anything.
func (a *arguments) end() *ErrorReply {
	if a.err == nil && a.kind != codec.KindEnd {
		a.fail(wamp.ErrInvalidArgument, "too many arguments: there may be %d at most", a.read)
	}
	return a.err
}

// id reads an id, in a float if need be.
func (a *arguments) id(name string) wamp.ID {
	if a.err != nil {
		return 0
	}
	id, ok := readID(&a.reader, a.kind)
	switch {
	case ok:
		a.advance()
		return id
	case a.kind == codec.KindUint, a.kind == codec.KindFloat:
		a.fail(wamp.ErrInvalidArgument, "argument %d, %s, is not an id: those are 1 to 2^53", a.read+1, name)
	default:
		a.wrong(name, "an id")
	}
	return 0
}

// readID reads an id, in a float if need be.
func readID(r *codec.Reader, kind codec.Kind) (wamp.ID, bool) {
	var id wamp.ID
	switch kind {
	case codec.KindUint:
		id = wamp.ID(r.Uint())
	case codec.KindFloat:
		if f := r.Float(); f >= 1 && f <= float64(wamp.MaxID) && f == float64(wamp.ID(f)) {
			id = wamp.ID(f)
		}
	}
	return id, id.Valid()
}

// text reads a string.
func (a *arguments) text(name string) string {
	if a.err != nil {
		return ""
	}
	if a.kind != codec.KindString {
		a.wrong(name, "a string")
		return ""
	}
	s := string(a.reader.Bytes())
	a.advance()
	return s
}

// texts reads a list of strings.
func (a *arguments) texts(name string) []string {
	if a.err != nil {
		return nil
	}
	if a.kind != codec.KindList {
		a.wrong(name, "a list of strings")
		return nil
	}
	list := []string{}
	for {
		switch kind := a.reader.Next(); kind {
		case codec.KindString:
			list = append(list, string(a.reader.Bytes()))
		case codec.KindEnd:
			a.advance()
			return list
		default:
			a.fail(wamp.ErrInvalidArgument, "argument %d, %s, contains %s, but must be a list of strings", a.read+1, name, kind)
			return nil
		}
	}
}

// match reads the options of a look-up, of which only the matching policy counts.
func (a *arguments) match(name string) wamp.Match {
	match := wamp.Exact
	a.dict(name, func(key string, r *codec.Reader, kind codec.Kind) {
		if key != "match" {
			r.Raw(kind)
			return
		}
		ok := false
		if kind == codec.KindString {
			match, ok = wamp.ParseMatch(string(r.Bytes()))
		}
		if !ok {
			a.fail(wamp.ErrInvalidArgument, `argument %d, %s: "match" must be "exact", "prefix" or "wildcard"`, a.read+1, name)
		}
	})
	return match
}

// dict reads a dict. entry is called for each entry, with the kind of its value,
// and must read all of it.
func (a *arguments) dict(name string, entry func(key string, r *codec.Reader, kind codec.Kind)) {
	if a.err != nil {
		return
	}
	if a.kind != codec.KindDict {
		a.wrong(name, "a dict")
		return
	}
	eachEntry(&a.reader, func(key string, kind codec.Kind) bool {
		entry(key, &a.reader, kind)
		return a.err == nil
	})
	if err := a.reader.Err(); err != nil {
		a.fail(wamp.ErrInvalidArgument, "argument %d, %s: %s", a.read+1, name, err)
	}
	if a.err == nil {
		a.advance()
	}
}

// keyword returns a keyword argument that is a string, and whether it was given.
func (a *arguments) keyword(name string) (value string, given bool) {
	a.readKeyword(name, codec.KindString, func(r *codec.Reader) { value, given = string(r.Bytes()), true })
	return value, given
}

// readKeyword has read read a keyword argument where it is given, as a value of the
// wanted kind. One that is null stands for one that was left out.
func (a *arguments) readKeyword(name string, wanted codec.Kind, read func(r *codec.Reader)) {
	a.eachKeyword(func(key string, r *codec.Reader, kind codec.Kind) {
		switch {
		case key != name:
			r.Raw(kind)
		case kind == codec.KindNull:
		case kind == wanted:
			read(r)
		default:
			a.fail(wamp.ErrInvalidArgument, "keyword argument %s is %s, but must be %s", name, kind, wanted)
		}
	})
}

// eachKeyword calls entry for each keyword argument, as dict does.
func (a *arguments) eachKeyword(entry func(key string, r *codec.Reader, kind codec.Kind)) {
	if a.err != nil || a.kwargs.Absent() {
		return
	}
	var r codec.Reader
	r.Reset(a.kwargs.Format, a.kwargs.Bytes)
	r.Next() // the dict
	eachEntry(&r, func(key string, kind codec.Kind) bool {
		entry(key, &r, kind)
		return a.err == nil
	})
}

// option is keyword, or the next positional argument where there is one: Crossbar.io
// takes them so.
func (a *arguments) option(name string) (value string, given bool) {
	if a.more() {
		return a.text(name), true
	}
	return a.keyword(name)
}

// encoded returns the next argument as it is encoded; nil where there is none.
func (a *arguments) encoded(name string, wanted codec.Kind) []byte {
	if !a.more() {
		return nil
	}
	if a.kind != wanted {
		a.wrong(name, wanted.String())
		return nil
	}
	data := a.reader.Raw(a.kind)
	if err := a.reader.Err(); err != nil {
		a.fail(wamp.ErrInvalidArgument, "argument %d, %s: %s", a.read+1, name, err)
		return nil
	}
	a.advance()
	return data
}

// encodedOption is encoded, or else the keyword argument of that name.
func (a *arguments) encodedOption(name string, wanted codec.Kind) (data []byte) {
	if a.more() {
		return a.encoded(name, wanted)
	}
	a.readKeyword(name, wanted, func(r *codec.Reader) { data = r.Raw(wanted) })
	return data
}

// eachEntry calls entry for each entry of the dict that r has entered, until that
// returns false. It must read all of the value, of which it is told the kind,
// or pass over it with Raw.
func eachEntry(r *codec.Reader, entry func(key string, kind codec.Kind) bool) {
	for r.Next() == codec.KindString {
		key := string(r.Bytes())
		if kind := r.Next(); kind == codec.KindInvalid || !entry(key, kind) {
			return
		}
	}
}
