package realm

import "usher/router/auth"

// Logins are those that cookies stand for. Its method may be called concurrently
// and does not wait for a disk.
type Logins interface {
	// ForgetAuthid forgets all logins of an authid in a realm, and returns how many
	// there were.
	ForgetAuthid(realm, authid string) int
}

// SetLogins says where logins are remembered. It must be called before anybody
// joins.
func (n *Node) SetLogins(l Logins) { n.logins = l }

// SetTokens says who verifies tokens, likewise.
func (n *Node) SetTokens(v auth.TokenVerifier) { n.tokens = v }

// forgetLogin makes the cookie of a session's connection stand for nobody. A
// client that only leaves, by GOODBYE or otherwise, can come back by its cookie.
func (s *session) forgetLogin() {
	if s.cookies != nil {
		s.cookies.Forget(s.cbtid)
	}
}

// metaLogout is wamp.session.logout, which is usher's own: the caller's cookie does
// not admit anybody any more. Its sessions stay.
func metaLogout(c *metaCall) *ErrorReply {
	if e := c.args.end(); e != nil {
		return e
	}
	c.caller.forgetLogin()
	return nil
}

// metaForgetLogins is wamp.session.forget_logins, which is usher's own: no cookie
// admits anybody as the authid any more. Sessions stay; the result is how many
// logins there were.
func metaForgetLogins(c *metaCall) *ErrorReply {
	authid := c.args.text("authid")
	if e := c.args.end(); e != nil {
		return e
	}
	n := 0
	if l := c.caller.node.logins; l != nil {
		n = l.ForgetAuthid(c.caller.realm.name, authid)
	}
	c.result.Uint(uint64(n))
	return nil
}
