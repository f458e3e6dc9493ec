package realm

import (
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/trustroot/trustroottest"
)

// TestCertificates: they reach the method as they were signed in each format, with
// numbers that no float holds.
func TestCertificates(t *testing.T) {
	ca, joe := trustroottest.NewKey(1), trustroottest.NewKey(2)
	method := auth.NewCryptosign(nil)
	method.Roots = []auth.Root{{Address: ca.Address(), Role: "frontend"}}
	e := &Endpoint{Auth: auth.Methods{Cryptosign: method}}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		shows := func(certificates string) string {
			return `[1,"realm1",{"authmethods":["cryptosign"],"authextra":{"trustroot":"` + ca.Address().String() + `","certificates":` + certificates +
				`,"pubkey":"` + carlPublic + `"},` + clientRoles + `}]`
		}
		right := string(trustroottest.Chain(joe.Delegate(carlPublic), ca.Issue(joe, 4), ca.Issue(ca, 63)))
		c := w.connectOver(over, e)
		c.send(shows(right))
		answer, _ := answers(t, "cryptosign", c.challenged("cryptosign"))
		c.send(answer)
		got := c.welcomed()
		if got.Authid != joe.Address().String() || got.Authrole != "frontend" || got.Authmethod != "cryptosign" || got.Authprovider != "static" {
			t.Errorf("got %s", text(&got))
		}
		for certificates, why := range map[string]string{
			strings.Replace(right, "1658765756680628959", "1658765756680628960", 1): "certificate 1: it is not signed by " + joe.Address().String(),
			`[1]`: "read the certificates: **",
			`[]`:  "there are no certificates",
		} {
			c = w.connectOver(over, e)
			c.send(shows(certificates))
			c.expect(`[3,{"message":"the certificates prove nothing: ` + why + `"},"wamp.error.authentication_denied"]`)
			c.expectClosed()
		}
		// What is no list is as good as absent: there is no such key.
		c = w.connectOver(over, e)
		c.send(shows(`{"a":1}`))
		answer, _ = answers(t, "cryptosign", c.challenged("cryptosign"))
		c.send(answer)
		c.expect(notProved)
		c.expectClosed()
	})
}
