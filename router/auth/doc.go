// Package auth decides who may join and says what a role may do: the methods of
// authentication as state machines without I/O, the request that an
// authenticator is asked, the principal that it returns, and the rules of roles.
//
// It owns the one place where a principal is checked before it becomes a
// session. It must not read sockets, look up registrations or know of scripts:
// whoever can answer an Authenticator's question is handed in.
package auth
