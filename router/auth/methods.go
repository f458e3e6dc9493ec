package auth

// Methods says how clients of one endpoint may authenticate. It is immutable;
// a nil entry is a method that is not offered. Where both are nil nobody joins.
type Methods struct {
	Anonymous *Anonymous
	Ticket    *Ticket
}

// Anonymous admits anybody under one role.
type Anonymous struct {
	Role string
}

// Ticket admits who presents a ticket: one of Principals, or one that the
// dynamic Authenticator accepts. Exactly one of the two is set.
type Ticket struct {
	Principals    map[string]StaticTicket // by authid
	Authenticator *Dynamic
}

// StaticTicket is a principal of the configuration.
type StaticTicket struct {
	Ticket string // secret: must not be logged
	Role   string
}

// Dynamic names the procedure that is asked about a login.
type Dynamic struct {
	URI    string   // reserved: see package realm
	Realm  string   // where it is registered; empty: the realm that the client asks for
	Realms []string // the realms that it may admit to; empty: all
}
