// Package transport carries encoded messages between the router and one peer:
// WebSocket, RawSocket and an in-memory pair. A Conn queues what is sent, bounded
// in bytes, and writes what waits together, in one system call where that is
// possible.
//
// It owns sockets after the handshake of their protocol, RawSocket's included,
// their deadlines, liveness, read buffers and out queues. It must not know
// sessions, realms or what a message means.
package transport
