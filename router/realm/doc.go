// Package realm is the router proper: realms with their sessions, broker, dealer
// and permissions, the dialogue that admits a session, and Local, the session
// inside the process.
//
// It owns all routing state and the order of messages. It does no I/O of its
// own: messages come from and go to transport.Conn, decisions about logins come
// from package auth or from whoever is registered for them. It must not know
// HTTP, files or scripts.
package realm
