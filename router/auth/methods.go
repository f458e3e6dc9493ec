package auth

// Methods says how clients of one endpoint may authenticate. It is immutable;
// a nil entry is a method that is not offered. Where all are nil nobody joins.
type Methods struct {
	Anonymous  *Anonymous
	Ticket     *Ticket
	WAMPCRA    *WAMPCRA
	SCRAM      *SCRAM
	Cryptosign *Cryptosign
	TLS        *TLS
	Cookie     *Cookie
}

// Dynamic names the procedure that is asked about a login.
type Dynamic struct {
	URI    string   // reserved: see package realm
	Realm  string   // where it is registered; empty: the realm that the client asks for
	Realms []string // the realms that it may admit to; empty: all
}

// assigns reports whether d may be asked by clients that name no realm.
func (d *Dynamic) assigns() bool { return d != nil && d.Realm != "" }

// Dynamics returns the authenticators that the methods name, in the order of the
// fields.
func (m *Methods) Dynamics() []*Dynamic {
	var all []*Dynamic
	add := func(d *Dynamic) {
		if d != nil {
			all = append(all, d)
		}
	}
	if m.Anonymous != nil {
		add(m.Anonymous.Authenticator)
	}
	if m.Ticket != nil {
		add(m.Ticket.Authenticator)
	}
	if m.WAMPCRA != nil {
		add(m.WAMPCRA.Authenticator)
	}
	if m.SCRAM != nil {
		add(m.SCRAM.Authenticator)
	}
	if m.Cryptosign != nil {
		add(m.Cryptosign.Authenticator)
	}
	if m.TLS != nil {
		add(m.TLS.Authenticator)
	}
	if m.Cookie != nil {
		add(m.Cookie.Authenticator)
	}
	return all
}

// Offers reports whether clients may authenticate by the method of that name.
func (m *Methods) Offers(name string) bool { return m.method(name) != nil }

// method returns the way of one method name, or nil where it is not offered.
func (m *Methods) method(name string) method {
	switch {
	case name == MethodAnonymous && m.Anonymous != nil:
		return m.Anonymous
	case name == MethodTicket && m.Ticket != nil:
		return m.Ticket
	case name == MethodJWT && m.Ticket != nil && m.Ticket.JWT != nil:
		return m.Ticket
	case name == MethodWAMPCRA && m.WAMPCRA != nil:
		return &wampcraDialogue{method: m.WAMPCRA}
	case (name == MethodSCRAM || name == MethodCrossbarSCRAM) && m.SCRAM != nil:
		return &scramDialogue{method: m.SCRAM}
	case name == MethodCryptosign && m.Cryptosign != nil:
		return &cryptosignDialogue{method: m.Cryptosign}
	case name == MethodTLS && m.TLS != nil:
		return m.TLS
	case name == MethodCookie && m.Cookie != nil:
		return m.Cookie
	}
	return nil
}

// method is one way to authenticate, with the state of one dialogue. Each step
// is taken at most once, in the order in which the Dialogue calls for it.
type method interface {
	// begin starts it: the client's HELLO is in d.Request.
	begin(d *Dialogue) Outcome
	// answered goes on with the client's reply to a challenge.
	answered(d *Dialogue, a *Answer) Outcome
	// decided goes on with the authenticator's principal, which is checked, with its
	// credentials.
	decided(d *Dialogue, p *Principal) Outcome
}
