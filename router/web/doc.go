// Package web is the HTTP side of the router: its listeners, the upgrade of
// WebSockets, the requests of long-poll clients, static files, the shipped page
// and the answers about health.
//
// It owns listening sockets and every connection until it is upgraded; then the
// connection belongs to package transport and its session to package realm. It
// decides whom HTTP lets in: which Host, which Origin, whose word on the
// client's address is taken. It must not know messages, roles or scripts.
package web
