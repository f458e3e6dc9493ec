// Package codec turns WAMP messages into bytes and back, in JSON, MessagePack
// and CBOR. It reads a message's header with slicers of its own; the
// application's payload is validated in one pass and stays encoded. Only
// between two formats is it transcoded.
//
// It owns the wire form of every message and the bounds on depth and sizes. It
// does no I/O, keeps no state between messages but caches of strings, and knows
// no sessions.
package codec
