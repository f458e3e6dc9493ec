package auth

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"usher/router/trustroot"
	"usher/router/trustroot/trustroottest"
)

func address(t *testing.T, s string) trustroot.Address {
	t.Helper()
	a, err := trustroot.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTrustroots(t *testing.T) {
	ca, low, joe, stranger := trustroottest.NewKey(1), trustroottest.NewKey(2), trustroottest.NewKey(3), trustroottest.NewKey(4)
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x12", 32)))
	known, err := trustroot.ParseAuthorities(trustroottest.Chain(ca.Issue(low, 4), ca.Issue(ca, 63)))
	if err != nil {
		t.Fatal(err)
	}
	root := func(change func(*Root)) Root {
		r := Root{Address: ca.Address(), Role: "frontend"}
		if change != nil {
			change(&r)
		}
		return r
	}
	whole := trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), ca.Issue(joe, 4), ca.Issue(ca, 63))
	alone := trustroottest.Chain(low.Delegate(pubkeyOf(carl())))
	const denied = "refuse wamp.error.authentication_denied"
	for name, test := range map[string]struct {
		root          Root
		realm, authid string
		certificates  json.RawMessage
		trustroot     string
		key           ed25519.PrivateKey
		want          string // of Begin, or where that is a challenge of Answer
		message       string // of a refusal by Begin
	}{
		"all certificates":         {root(nil), "realm1", "", whole, "", carl(), "accept realm1 frontend static", ""},
		"the delegate's alone":     {root(func(r *Root) { r.Authorities = known }), "realm1", "", alone, "", carl(), "accept realm1 frontend static", ""},
		"all where some are known": {root(func(r *Root) { r.Authorities = known }), "realm1", "", whole, "", carl(), "accept realm1 frontend static", ""},
		"authid in lower case":     {root(nil), "realm1", strings.ToLower(joe.Address().String()), whole, "", carl(), "accept realm1 frontend static", ""},
		"trustroot in lower case":  {root(nil), "realm1", "", whole, strings.ToLower(ca.Address().String()), carl(), "accept realm1 frontend static", ""},
		"a realm of its own":       {root(func(r *Root) { r.Realm = "realm2" }), "", "", whole, "", carl(), "accept realm2 frontend static", ""},
		"all that can be expected": {root(func(r *Root) {
			r.ChainID, r.Contract, r.CertificateRealm = 1, address(t, trustroottest.Contract), address(t, trustroottest.Realm)
		}), "realm1", "", whole, "", carl(), "accept realm1 frontend static", ""},
		"a wrong signature of the key":     {root(nil), "realm1", "", whole, "", other, denied, ""},
		"a role that does not exist":       {root(func(r *Root) { r.Role = "ghost" }), "realm1", "", whole, "", carl(), "refuse wamp.error.no_such_role", ""},
		"the same, a wrong signature":      {root(func(r *Root) { r.Role = "ghost" }), "realm1", "", whole, "", other, denied, ""},
		"another realm than the root's":    {root(func(r *Root) { r.Realm = "realm2" }), "realm1", "", whole, "", carl(), denied, ""},
		"no realm":                         {root(nil), "", "", whole, "", carl(), "refuse wamp.error.no_such_realm", ""},
		"another authid":                   {root(nil), "realm1", "joe", whole, "", carl(), denied, "not for the authid that is asked for"},
		"another delegate as authid":       {root(nil), "realm1", low.Address().String(), whole, "", carl(), denied, "not for the authid that is asked for"},
		"certificates for another key":     {root(nil), "realm1", "", trustroottest.Chain(joe.Delegate(pubkeyOf(other)), ca.Issue(joe, 4), ca.Issue(ca, 63)), "", carl(), denied, "for another key than pubkey"},
		"a stranger's certificates":        {root(nil), "realm1", "", trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), stranger.Issue(joe, 4), stranger.Issue(stranger, 63)), "", carl(), denied, "they are of the trust root " + stranger.Address().String()},
		"a stranger's, and says so":        {root(nil), "realm1", "", trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), stranger.Issue(joe, 4), stranger.Issue(stranger, 63)), stranger.Address().String(), carl(), denied, "is not trusted here"},
		"the delegate's alone, none known": {root(nil), "realm1", "", alone, "", carl(), denied, "there is no certificate of an authority"},
		"no trustroot":                     {root(nil), "realm1", "", whole, "none", carl(), denied, "trustroot: "},
		"no certificates":                  {root(nil), "realm1", "", json.RawMessage(`[]`), "", carl(), denied, "there are no certificates"},
		"another blockchain":               {root(func(r *Root) { r.ChainID = 5 }), "realm1", "", whole, "", carl(), denied, "for the blockchain 1, not for 5"},
		"another contract":                 {root(func(r *Root) { r.Contract = joe.Address() }), "realm1", "", whole, "", carl(), denied, "for the contract " + trustroottest.Contract},
		"certificates for another realm":   {root(func(r *Root) { r.CertificateRealm = joe.Address() }), "realm1", "", whole, "", carl(), denied, "for the realm " + trustroottest.Realm},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewCryptosign(nil)
			m.Roots = []Root{{Address: low.Address(), Role: "backend"}, test.root}
			if test.root.Realm != "" {
				m.Roots = m.Roots[1:]
			}
			r := &Request{Realm: test.realm, Authid: test.authid, Extra: Extra{Pubkey: pubkeyOf(carl()), Trustroot: test.trustroot, Certificates: test.certificates}}
			if test.trustroot == "" {
				r.Extra.Trustroot = ca.Address().String()
			}
			d, o := Begin(&Methods{Cryptosign: m}, testRealms, r, []string{"cryptosign"})
			if o.Challenge != nil && test.message == "" {
				challenge, _ := hex.DecodeString(extraOf(t, o)["challenge"].(string))
				o = d.Answer(&Answer{Signature: hex.EncodeToString(ed25519.Sign(test.key, challenge))})
			}
			if got := outcome(o); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if test.message != "" && !strings.Contains(o.Refuse.Message, test.message) {
				t.Errorf("the client is told %q, want %q", o.Refuse.Message, test.message)
			}
			if o.Accept != nil && o.Accept.Authid != joe.Address().String() && o.Accept.Authid != low.Address().String() {
				t.Errorf("the authid is %s", o.Accept.Authid)
			}
		})
	}
}

// Users of the configuration go on beside trust roots, and where there are none
// certificates say nothing.
func TestUsersBesideTrustroots(t *testing.T) {
	ca, joe := trustroottest.NewKey(1), trustroottest.NewKey(3)
	users := map[string]User{"carl": {Role: "backend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}}}
	whole := trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), ca.Issue(joe, 4), ca.Issue(ca, 63))
	for _, test := range []struct {
		roots        []Root
		certificates []byte
		want, authid string
	}{
		{[]Root{{Address: ca.Address(), Role: "frontend"}}, nil, "accept realm1 backend static", "carl"},
		{[]Root{{Address: ca.Address(), Role: "frontend"}}, whole, "accept realm1 frontend static", joe.Address().String()},
		{nil, whole, "accept realm1 backend static", "carl"},
	} {
		m := NewCryptosign(users)
		m.Roots = test.roots
		d, o := Begin(&Methods{Cryptosign: m}, testRealms, &Request{Realm: "realm1",
			Extra: Extra{Pubkey: pubkeyOf(carl()), Trustroot: ca.Address().String(), Certificates: test.certificates}}, []string{"cryptosign"})
		challenge, _ := hex.DecodeString(extraOf(t, o)["challenge"].(string))
		o = d.Answer(&Answer{Signature: hex.EncodeToString(ed25519.Sign(carl(), challenge))})
		if got := outcome(o); got != test.want || o.Accept.Authid != test.authid {
			t.Errorf("got %q, want %q as %s", got, test.want, test.authid)
		}
	}
	// Who asks for no realm must not learn which users have one.
	m := NewCryptosign(users)
	m.Roots = []Root{{Address: ca.Address(), Role: "frontend", Realm: "realm1"}}
	_, o := Begin(&Methods{Cryptosign: m}, testRealms, &Request{Extra: Extra{Pubkey: pubkeyOf(carl()), Trustroot: ca.Address().String(), Certificates: whole}}, []string{"cryptosign"})
	if got := outcome(o); got != "refuse wamp.error.no_such_realm" {
		t.Errorf("without a realm: %q", got)
	}
}

// An authenticator is told what certificates say, whoever their root is, and is not
// asked where they do not hold.
func TestAuthenticatorsAreToldOfCertificates(t *testing.T) {
	ca, joe, mallory := trustroottest.NewKey(1), trustroottest.NewKey(3), trustroottest.NewKey(4)
	forged := ca.Issue(joe, 4)
	forged.Signer = mallory
	for _, test := range []struct {
		certificates []byte
		want         string
		delegation   string // in the question of a remote authenticator
	}{
		{nil, "ask com.example.authenticate", ""},
		{trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), ca.Issue(joe, 4), ca.Issue(ca, 63)), "ask com.example.authenticate",
			`{"capabilities":4,"chain_id":1,"delegate":"` + joe.Address().String() + `","realm":"` + trustroottest.Realm + `","trustroot":"` + ca.Address().String() +
				`","verifying_contract":"` + trustroottest.Contract + `"}`},
		{trustroottest.Chain(joe.Delegate(pubkeyOf(carl())), forged, ca.Issue(ca, 63)), "refuse wamp.error.authentication_denied", ""},
	} {
		m := &Methods{Cryptosign: &Cryptosign{Authenticator: &Dynamic{URI: "com.example.authenticate"}}}
		d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "joe", Extra: Extra{Pubkey: pubkeyOf(carl()),
			Trustroot: ca.Address().String(), Certificates: test.certificates}}, []string{"cryptosign"})
		if got := outcome(o); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
			continue
		}
		if o.Ask == nil {
			continue
		}
		if d.Request.Authid != "joe" {
			t.Errorf("the authid became %s", d.Request.Authid)
		}
		p, err := RemoteArgs(d.Request, nil)
		if err != nil {
			t.Fatal(err)
		}
		var args []any
		if err := json.Unmarshal(p.Args, &args); err != nil {
			t.Fatal(err)
		}
		got := ""
		if delegation, ok := args[2].(map[string]any)["delegation"]; ok {
			b, err := json.Marshal(delegation)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if got != test.delegation {
			t.Errorf("the authenticator is told %s, want %s", got, test.delegation)
		}
	}
}
