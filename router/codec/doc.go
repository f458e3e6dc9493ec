// Package codec turns WAMP messages into bytes and back, in JSON, MessagePack
// and CBOR. It reads a message's header with slicers of its own; the
// application's payload is validated in one pass and stays encoded. Only
// between two formats is it transcoded.
//
// It owns the wire form of every message and the bounds on depth and sizes. It
// does no I/O, keeps no state between messages but caches of strings, and knows
// no sessions.
//
// # What is accepted
//
// All data is checked without recursion, in time linear in its length, and no
// memory is taken because of a length that it announces: syntax, UTF-8 of strings,
// lengths, at most MaxDepth lists and dicts in each other, at most four tags of
// CBOR before a value, nothing behind the end. So a receiver of the same format
// may be handed the bytes as they are.
//
// Wrong types, too few and too many elements are errors. Where real clients differ
// from the specification, Decode takes what they mean: an id may be a float that
// has its value; null, CBOR's undefined and MessagePack's extension 0 (which wampy
// sends for undefined) stand for an option, arguments or an AUTHENTICATE.Extra that
// are absent; a realm may be null; of equal keys in options the last counts;
// unknown options are validated and ignored. Half a surrogate pair, escaped in
// JSON, is accepted, as the grammar of JSON does.
//
// Keys of options and of ArgumentsKw are strings. Deeper in a payload a key may
// be any scalar; a list or dict as a key is refused, since most languages cannot
// hold it.
//
// # What becomes of values between formats
//
//	value                        JSON                      MessagePack        CBOR
//	null, undefined, ext 0       null                      nil                null
//	integer, -2^63 to 2^64-1     all its digits            the shortest int   the shortest int
//	JSON integer beyond          (as it is)                float64            float64
//	CBOR integer below -2^63     error                     error              (as it is)
//	float                        shortest exact digits,    float64            float64
//	                             with point or exponent
//	NaN, infinity                error                     float64            float64
//	string                       UTF-8, few escapes        str                text, definite
//	half a surrogate pair        (as it is)                U+FFFD             U+FFFD
//	binary data                  "\u0000" and base64       bin                bytes, definite
//	list, dict                   array, object             array, map         definite lengths
//	key that is no string        error                     error              error
//	MessagePack extension        error                     (as it is)         error
//	CBOR tag                     dropped, value kept       dropped            (as it is)
//	CBOR big number, reference   error                     error              (as it is)
//	CBOR simple value            error                     error              (as it is)
//	JSON number beyond float64   (as it is)                error              error
//
// An error is one that wraps ErrTranscode. A float stays a float (1.0, -0.0), an
// integer an integer. A string that begins with a zero byte and goes on as base64
// cannot be told from binary data once it was JSON: the convention is WAMP's.
package codec
