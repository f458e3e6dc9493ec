package realm

import (
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestWrongLoginsAreSlowedDownAndRefused: whoever guesses is slowed down, then
// refused, and nobody else is, not even for the authid that was guessed at.
func TestWrongLoginsAreSlowedDownAndRefused(t *testing.T) {
	w := newWorld(t, scenario(), Limits{Throttle: auth.ThrottleLimits{SlowAfter: 2, RefuseAfter: 4, MaxDelay: time.Millisecond}})
	w.authenticateBy(seedAuthenticator)
	attempt := func(peer, ticket string) *client {
		c := w.connectFrom(wamp.JSON, ticketed(), peer)
		c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe",` + clientRoles + `}]`)
		return c
	}
	for range 4 {
		c := attempt("tcp4:10.0.0.1:1", "wrong")
		c.expect(`[4,"ticket",{}]`)
		c.send(`[5,"wrong",{}]`)
		c.expect(`[3,{"message":"could not authenticate session - invalid ticket 'wrong' for principal joe"},"com.example.invalid_ticket"]`)
		c.expectClosed()
	}
	c := attempt("tcp4:10.0.0.1:2", "secret!!!")
	c.expect(`[3,{"message":"too many wrong logins came from this address, try again in 60 s"},"wamp.error.authentication_denied"]`)
	c.expectClosed()
	c = attempt("tcp4:10.0.0.2:1", "secret!!!")
	c.expect(`[4,"ticket",{}]`)
	c.send(`[5,"secret!!!",{}]`)
	c.welcomed()
	if st := w.Stats(); st.FailedLogins != 4 || st.SlowedLogins != 2 || st.RefusedLogins != 1 {
		t.Errorf("counted %+v", st)
	}
}
