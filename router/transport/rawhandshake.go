package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"usher/router/wamp"
)

// ErrHandshake is wrapped by what a RawSocket handshake fails with, unless the
// connection itself failed.
var ErrHandshake = errors.New("RawSocket handshake failed")

// RawSocketMagic is the first byte of a RawSocket, with which no HTTP request and
// no TLS connection begins.
const RawSocketMagic = 0x7f

// The errors with which a router answers a handshake.
const (
	rawUnsupported    = 1 // serializer
	rawUnacceptable   = 2 // maximum message length
	rawReserved       = 3 // use of reserved bits
	rawTooManyClients = 4
)

// rawErrors are they in words.
var rawErrors = [...]string{
	rawUnsupported:    "serializer unsupported",
	rawUnacceptable:   "maximum message length unacceptable",
	rawReserved:       "use of reserved bits",
	rawTooManyClients: "maximum connection count reached",
}

// RawSocketOptions say what AcceptRawSocket agrees to.
type RawSocketOptions struct {
	Formats        []wamp.Format // that are spoken; empty: all
	MaxMessageSize int           // of an incoming message; zero: as the Transport's options say
	Deadline       time.Time     // of the handshake; zero: 5 s from now
	// Ping has the client asked for a sign of life from the start, and not only once
	// it has shown that it knows pings: some clients break on them.
	Ping bool
	// Begun: the first byte has been read already, and was RawSocketMagic.
	Begun bool
}

// handshakeTimeout bounds a handshake for which nothing else is said.
const handshakeTimeout = 5 * time.Second

// partingTimeout bounds how long a client that was refused may take to hear why.
const partingTimeout = time.Second

// AcceptRawSocket answers the handshake of a RawSocket client on nc and returns the
// connection. The limit on incoming messages is rounded down to a power of two, as
// a handshake has no other, of at least 512 bytes and at most 16 MiB. Where it
// fails, it has answered as far as that makes sense and closed nc.
func (t *Transport) AcceptRawSocket(nc net.Conn, o RawSocketOptions) (*RawSocket, error) {
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = t.options.MaxMessageSize
	}
	if o.Deadline.IsZero() {
		o.Deadline = time.Now().Add(handshakeTimeout)
	}
	_ = nc.SetDeadline(o.Deadline) // its failure shows in what follows
	var asked [4]byte
	rest := asked[:]
	if o.Begun {
		asked[0], rest = RawSocketMagic, asked[1:]
	}
	if _, err := io.ReadFull(nc, rest); err != nil {
		_ = nc.Close() // nothing was agreed
		return nil, fmt.Errorf("RawSocket handshake: %w", err)
	}
	f := wamp.Format(asked[1] & 0x0f)
	switch {
	case asked[0] != RawSocketMagic:
		_ = nc.Close() // whatever this is, it does not understand an answer
		return nil, fmt.Errorf("%w: the first byte is %#02x, not %#02x", ErrHandshake, asked[0], RawSocketMagic)
	case asked[2] != 0 || asked[3] != 0:
		return nil, refuseRawSocket(nc, rawReserved, fmt.Sprintf("%#02x%02x", asked[2], asked[3]))
	case f < wamp.JSON || f > wamp.Formats || len(o.Formats) > 0 && !slices.Contains(o.Formats, f):
		return nil, refuseRawSocket(nc, rawUnsupported, fmt.Sprint(byte(f)))
	}
	length := lengthExponent(o.MaxMessageSize)
	if _, err := nc.Write([]byte{RawSocketMagic, length<<4 | byte(f), 0, 0}); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("RawSocket handshake: %w", err)
	}
	_ = nc.SetDeadline(time.Time{})
	return t.startRawSocket(nc, false, f, exponentLength(length), exponentLength(asked[1]>>4), o.Ping), nil
}

// RefuseRawSocket answers whatever a RawSocket client asks with the error that there
// are too many connections, and closes nc. It waits for the client, though no
// longer than a second.
func RefuseRawSocket(nc net.Conn) { _ = refuseRawSocket(nc, rawTooManyClients, "") }

// refuseRawSocket answers with an error, closes nc and returns the error.
func refuseRawSocket(nc net.Conn, code byte, what string) error {
	_ = nc.SetDeadline(time.Now().Add(partingTimeout))
	_, err := nc.Write([]byte{RawSocketMagic, code << 4, 0, 0})
	if half, ok := nc.(interface{ CloseWrite() error }); ok && err == nil {
		// The answer must not be lost to a reset.
		_ = half.CloseWrite()
		_, _ = io.CopyN(io.Discard, nc, maxRawMessage)
	}
	_ = nc.Close()
	return fmt.Errorf("%w: %s: %s", ErrHandshake, rawErrors[code], what)
}

// shakeRawSocket is the client's side of the handshake, bounded by ctx. It owns nc.
func (t *Transport) shakeRawSocket(ctx context.Context, nc net.Conn, f wamp.Format) (*RawSocket, error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past()) })
	largest, takes, err := t.askRawSocket(nc, f)
	if !stop() && err == nil || err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close() // nothing was agreed
		return nil, err
	}
	return t.startRawSocket(nc, true, f, largest, takes, false), nil
}

// askRawSocket sends what a client asks and reads the answer.
func (t *Transport) askRawSocket(nc net.Conn, f wamp.Format) (largest, takes int, err error) {
	length := lengthExponent(t.options.MaxMessageSize)
	if _, err := nc.Write([]byte{RawSocketMagic, length<<4 | byte(f), 0, 0}); err != nil {
		return 0, 0, err
	}
	var answer [4]byte
	if _, err := io.ReadFull(nc, answer[:]); err != nil {
		return 0, 0, fmt.Errorf("%w: the router closed the connection without an answer: %w", ErrHandshake, noEOF(err))
	}
	switch got, code := answer[1]&0x0f, answer[1]>>4; {
	case answer[0] != RawSocketMagic:
		return 0, 0, fmt.Errorf("%w: the answer begins with %q: this is no RawSocket router", ErrHandshake, answer[:])
	case got == 0 && code > 0 && int(code) < len(rawErrors):
		return 0, 0, fmt.Errorf("%w: router answers: %s", ErrHandshake, rawErrors[code])
	case got == 0:
		return 0, 0, fmt.Errorf("%w: router answers with unknown error %d", ErrHandshake, code)
	case got != byte(f):
		return 0, 0, fmt.Errorf("%w: router chose serializer %d, not %d", ErrHandshake, got, f)
	case answer[2] != 0 || answer[3] != 0:
		return 0, 0, fmt.Errorf("%w: router uses reserved bits", ErrHandshake)
	}
	return exponentLength(length), exponentLength(answer[1] >> 4), nil
}
