package codec

import (
	"errors"
	"fmt"

	"usher/router/wamp"
)

// MaxDepth bounds the nesting of lists and dicts in a message, itself included.
// Decoders of other implementations recurse: deeper ones could break a receiver.
const MaxDepth = 64

// maxTags bounds how many CBOR tags may stand before one value.
const maxTags = 4

// ErrTranscode says that a value has no form in the format of the receiver.
var ErrTranscode = errors.New("value cannot be expressed in the receiver's format")

// Error says what is wrong with encoded data, and where. It never quotes the
// data. errors.Is(err, ErrTranscode) tells data that is well-formed, but has no
// form in another format, from data that is malformed.
type Error struct {
	Type    wamp.MessageType // of the message; zero where it could not be read, or there is none
	Offset  int              // in bytes from the start of the data
	Message string           // what is wrong, and what is wanted instead

	cause error // ErrTranscode or nil
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s (offset %d)", e.Message, e.Offset) }

// Unwrap implements the interface of errors.Is.
func (e *Error) Unwrap() error { return e.cause }

// Kind is what a value is.
type Kind uint8

// The kinds.
const (
	KindInvalid Kind = iota // the data is malformed
	KindNull                // also CBOR's undefined and wampy's MessagePack extension 0
	KindBool
	KindInt  // a negative integer
	KindUint // any other integer
	KindFloat
	KindString
	KindBytes // binary data
	KindList
	KindDict
	KindEnd   // the end of the innermost list or dict
	kindOther // a value that only its own format has: an extension, a simple value
)

// String returns the kind as error messages name it.
func (k Kind) String() string {
	return [...]string{"something malformed", "null", "a boolean", "a negative integer", "an integer", "a float", "a string",
		"binary data", "a list", "a dict", "an end", "an extension"}[k]
}
