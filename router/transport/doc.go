// Package transport carries encoded messages between the router and one peer:
// WebSocket, RawSocket, HTTP long-poll and an in-memory pair. A Conn queues what is
// sent, bounded in bytes, and writes what waits together, in one system call where
// that is possible.
//
// It owns sockets after the handshake of their protocol, RawSocket's included,
// their deadlines, liveness, read buffers and out queues. It must not know
// sessions, realms or what a message means; but that the requests of long-poll
// clients have ids, by which it puts them in order, and which messages are the last.
package transport
