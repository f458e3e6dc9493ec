// Package client is a WAMP client: it joins a realm, calls, registers, publishes
// and subscribes. The command line uses it, and the tests do.
//
// It owns one session's dialogue and its requests. It must not retry, reconnect
// or know of realms' insides: what it knows of the router came over the wire.
package client
