package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

// realms is the seed's: realm1 with two roles, and another realm.
type realms map[string][]string

func (r realms) HasRealm(realm string) bool { return r[realm] != nil }

func (r realms) HasRole(realm, role string) bool {
	for _, name := range r[realm] {
		if name == role {
			return true
		}
	}
	return false
}

var testRealms = realms{"realm1": {"frontend", "backend"}, "realm2": {"frontend"}}

// outcome is an Outcome in one word or two, for tables.
func outcome(o Outcome) string {
	switch {
	case o.Challenge != nil:
		return "challenge " + o.Challenge.Method
	case o.Ask != nil:
		return "ask " + o.Ask.URI
	case o.Accept != nil:
		return "accept " + o.Accept.Realm + " " + o.Accept.Role + " " + o.Accept.Provider
	case o.Refuse != nil:
		return "refuse " + o.Refuse.URI
	case o.Fail != nil:
		return "fail"
	}
	return "nothing"
}

func TestBegin(t *testing.T) {
	static := &Ticket{Principals: map[string]StaticTicket{"joe": {Ticket: "secret!!!", Role: "frontend"}}}
	dynamic := &Ticket{Authenticator: &Dynamic{URI: "com.example.authenticate"}}
	assigning := &Ticket{Authenticator: &Dynamic{URI: "com.example.authenticate", Realm: "realm1"}}
	anonymous := &Anonymous{Role: "frontend"}
	for _, test := range []struct {
		name    string
		methods Methods
		realm   string
		authid  string
		offered []string
		want    string
	}{
		{"the only method", Methods{Ticket: static}, "realm1", "joe", []string{"ticket"}, "challenge ticket"},
		{"the client's order counts", Methods{Ticket: static, Anonymous: anonymous}, "realm1", "joe", []string{"anonymous", "ticket"}, "accept realm1 frontend static"},
		{"methods that are not offered are skipped", Methods{Ticket: static}, "realm1", "joe", []string{"wampcra", "anonymous", "ticket"}, "challenge ticket"},
		{"nothing in common", Methods{Ticket: static}, "realm1", "joe", []string{"anonymous"}, "refuse wamp.error.no_matching_auth_method"},
		{"nothing offered by the client", Methods{Ticket: static}, "realm1", "joe", nil, "refuse wamp.error.no_matching_auth_method"},
		{"nothing offered by the endpoint", Methods{}, "realm1", "joe", []string{"anonymous", "ticket"}, "refuse wamp.error.no_matching_auth_method"},
		{"an unknown user is challenged like any other", Methods{Ticket: static}, "realm1", "nobody", []string{"ticket"}, "challenge ticket"},
		{"ticket without authid, static", Methods{Ticket: static}, "realm1", "", []string{"ticket"}, "refuse wamp.error.authentication_denied"},
		{"ticket without authid, dynamic", Methods{Ticket: dynamic}, "realm1", "", []string{"ticket"}, "refuse wamp.error.authentication_denied"},
		{"unknown realm", Methods{Ticket: assigning}, "realm9", "joe", []string{"ticket"}, "refuse wamp.error.no_such_realm"},
		{"no realm and nobody assigns one", Methods{Ticket: dynamic}, "", "joe", []string{"ticket"}, "refuse wamp.error.no_such_realm"},
		{"no realm, static tickets", Methods{Ticket: static}, "", "joe", []string{"ticket"}, "refuse wamp.error.no_such_realm"},
		{"no realm, anonymous", Methods{Anonymous: anonymous}, "", "", []string{"anonymous"}, "refuse wamp.error.no_such_realm"},
		{"no realm but an authenticator that may assign one", Methods{Ticket: assigning}, "", "joe", []string{"ticket"}, "challenge ticket"},
		{"anonymous in its realm", Methods{Anonymous: &Anonymous{Role: "frontend", Realm: "realm2"}}, "realm2", "", []string{"anonymous"}, "accept realm2 frontend static"},
		{"anonymous in another realm", Methods{Anonymous: &Anonymous{Role: "frontend", Realm: "realm2"}}, "realm1", "", []string{"anonymous"}, "refuse wamp.error.no_such_realm"},
		{"anonymous role that the realm lacks", Methods{Anonymous: &Anonymous{Role: "ghost"}}, "realm1", "", []string{"anonymous"}, "refuse wamp.error.no_such_role"},
		{"authid with a line break", Methods{Ticket: static}, "realm1", "joe\nroot", []string{"ticket"}, "refuse wamp.error.authentication_denied"},
		{"authid with DEL", Methods{Ticket: static}, "realm1", "joe\x7f", []string{"ticket"}, "refuse wamp.error.authentication_denied"},
		{"authid that is too long", Methods{Ticket: static}, "realm1", strings.Repeat("j", 1025), []string{"ticket"}, "refuse wamp.error.authentication_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, o := Begin(&test.methods, testRealms, &Request{Realm: test.realm, Authid: test.authid}, test.offered)
			if got := outcome(o); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnonymousGetsAnAuthidOfItsOwn(t *testing.T) {
	m := &Methods{Anonymous: &Anonymous{Role: "frontend"}}
	_, first := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "admin"}, []string{"anonymous"})
	_, second := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "admin"}, []string{"anonymous"})
	if first.Accept == nil || second.Accept == nil {
		t.Fatal("not accepted")
	}
	a, b := first.Accept.Authid, second.Accept.Authid
	if a == "admin" || len(a) < 16 || a == b {
		t.Errorf("authids are %q and %q, want two random ones", a, b)
	}
}

func TestStaticTicket(t *testing.T) {
	m := &Methods{Ticket: &Ticket{Principals: map[string]StaticTicket{
		"joe":   {Ticket: "secret!!!", Role: "frontend"},
		"empty": {Ticket: "", Role: "frontend"},
		"ghost": {Ticket: "boo", Role: "ghost"},
	}}}
	for _, test := range []struct{ authid, ticket, want string }{
		{"joe", "secret!!!", "accept realm1 frontend static"},
		{"joe", "secret!!", "refuse wamp.error.authentication_denied"},
		{"joe", "secret!!!!", "refuse wamp.error.authentication_denied"},
		{"joe", "", "refuse wamp.error.authentication_denied"},
		{"nobody", "secret!!!", "refuse wamp.error.authentication_denied"},
		{"nobody", "", "refuse wamp.error.authentication_denied"},
		{"empty", "", "refuse wamp.error.authentication_denied"},
		{"ghost", "boo", "refuse wamp.error.no_such_role"},
	} {
		d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: test.authid}, []string{"ticket"})
		if o.Challenge == nil {
			t.Fatalf("%s: no challenge: %s", test.authid, outcome(o))
		}
		if got := outcome(d.Answer(&Answer{Signature: test.ticket})); got != test.want {
			t.Errorf("%s with %q: got %q, want %q", test.authid, test.ticket, got, test.want)
		}
		if got := outcome(d.Answer(&Answer{Signature: "secret!!!"})); got != "fail" {
			t.Errorf("%s: a second AUTHENTICATE came to %q, want %q", test.authid, got, "fail")
		}
	}
}

// TestNobodyKnowsWhichWasWrong: an unknown user and a wrong ticket are told the same.
func TestNobodyKnowsWhichWasWrong(t *testing.T) {
	m := &Methods{Ticket: &Ticket{Principals: map[string]StaticTicket{"joe": {Ticket: "secret!!!", Role: "frontend"}}}}
	var messages []string
	for _, authid := range []string{"joe", "nobody"} {
		d, _ := Begin(m, testRealms, &Request{Realm: "realm1", Authid: authid}, []string{"ticket"})
		messages = append(messages, d.Answer(&Answer{Signature: "wrong"}).Refuse.Message)
	}
	if messages[0] != messages[1] {
		t.Errorf("messages differ: %q and %q", messages[0], messages[1])
	}
}

func TestDecide(t *testing.T) {
	limited := &Dynamic{URI: "com.example.authenticate", Realms: []string{"realm1"}}
	open := &Dynamic{URI: "com.example.authenticate"}
	dict := wamp.Value{Format: wamp.JSON, Bytes: []byte(` {"tenant":42}`)}
	list := wamp.Value{Format: wamp.JSON, Bytes: []byte(`[{}]`)}
	for _, test := range []struct {
		name      string
		dynamic   *Dynamic
		principal *Principal
		err       error
		want      string
	}{
		{"a role", open, &Principal{Role: "frontend"}, nil, "accept realm1 frontend dynamic"},
		{"a principal", open, &Principal{Role: "frontend", Realm: "realm2", Authid: "x", Extra: dict}, nil, "accept realm2 frontend dynamic"},
		{"nothing", open, nil, nil, "fail"},
		{"no role", open, &Principal{}, nil, "refuse wamp.error.no_such_role"},
		{"a role that the realm lacks", open, &Principal{Role: "ghost"}, nil, "refuse wamp.error.no_such_role"},
		{"a role of another realm", open, &Principal{Role: "backend", Realm: "realm2"}, nil, "refuse wamp.error.no_such_role"},
		{"a realm that there is not", open, &Principal{Role: "frontend", Realm: "realm9"}, nil, "refuse wamp.error.no_such_realm"},
		{"a realm that is not listed", limited, &Principal{Role: "frontend", Realm: "realm2"}, nil, "refuse wamp.error.no_such_realm"},
		{"a realm that is listed", limited, &Principal{Role: "frontend"}, nil, "accept realm1 frontend dynamic"},
		{"an extra that is no dict", open, &Principal{Role: "frontend", Extra: list}, nil, "fail"},
		{"an authid with NUL", open, &Principal{Role: "frontend", Authid: "a\x00b"}, nil, "fail"},
		{"an authid that is no UTF-8", open, &Principal{Role: "frontend", Authid: "a\xff"}, nil, "fail"},
		{"a refusal", open, nil, &Refusal{URI: "com.example.no_such_user", Message: "no"}, "refuse com.example.no_such_user"},
		{"a refusal beside a principal", open, &Principal{Role: "frontend"}, &Refusal{URI: "com.example.no"}, "refuse com.example.no"},
		{"a refusal without a URI", open, nil, &Refusal{Message: "no"}, "fail"},
		{"a refusal with a bad URI", open, nil, &Refusal{URI: "not a uri"}, "fail"},
		{"an error", open, &Principal{Role: "frontend"}, errors.New("broken"), "fail"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &Methods{Ticket: &Ticket{Authenticator: test.dynamic}}
			d, _ := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "joe"}, []string{"ticket"})
			asked := d.Answer(&Answer{Signature: "secret!!!"})
			if asked.Ask != test.dynamic {
				t.Fatalf("came to %q, want the authenticator to be asked", outcome(asked))
			}
			if d.Request.Ticket != "secret!!!" || d.Request.Authmethod != "ticket" {
				t.Errorf("request is %+v", d.Request)
			}
			o := d.Decide(test.principal, test.err)
			if got := outcome(o); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := outcome(d.Decide(&Principal{Role: "frontend"}, nil)); got != "fail" {
				t.Errorf("a second decision came to %q, want %q", got, "fail")
			}
		})
	}
}

// TestPrincipalOverrides: what the authenticator names counts, the rest is as the
// client asked for.
func TestPrincipalOverrides(t *testing.T) {
	r := &Request{Realm: "realm1", Authid: "joe"}
	p, err := Decide(testRealms, nil, r, &Principal{Role: "frontend"}, nil)
	if err != nil || p.Realm != "realm1" || p.Authid != "joe" {
		t.Errorf("got %+v, %v", p, err)
	}
	p, err = Decide(testRealms, nil, r, &Principal{Role: "frontend", Realm: "realm2", Authid: "joe.example"}, nil)
	if err != nil || p.Realm != "realm2" || p.Authid != "joe.example" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestPrincipalNeedsAnAuthidAndARealm(t *testing.T) {
	if _, err := Decide(realms{"realm1": {""}}, nil, &Request{Realm: "realm1", Authid: "joe"}, &Principal{}, nil); err == nil {
		t.Error("a principal without a role was accepted")
	}
	now := time.Now()
	if _, err := Decide(testRealms, nil, &Request{Realm: "realm1", Authid: "joe", Now: now}, &Principal{Role: "frontend", ExpiresAt: now}, nil); err == nil {
		t.Error("a principal that expires at once was accepted")
	}
	if _, err := Decide(testRealms, nil, &Request{Realm: "realm1"}, &Principal{Role: "frontend"}, nil); err == nil {
		t.Error("a principal without an authid was accepted")
	}
	_, err := Decide(testRealms, nil, &Request{Authid: "joe"}, &Principal{Role: "frontend"}, nil)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.URI != wamp.ErrNoSuchRealm {
		t.Errorf("a principal without a realm came to %v", err)
	}
}

func TestDictsOfEachFormat(t *testing.T) {
	for _, test := range []struct {
		format wamp.Format
		bytes  string
		want   bool
	}{
		{wamp.JSON, "", true},
		{wamp.JSON, "{}", true},
		{wamp.JSON, "\n\t {}", true},
		{wamp.JSON, "  ", false},
		{wamp.JSON, `"{"`, false},
		{wamp.MessagePack, "\x80", true},
		{wamp.MessagePack, "\xde\x00\x00", true},
		{wamp.MessagePack, "\xdf\x00\x00\x00\x00", true},
		{wamp.MessagePack, "\x90", false},
		{wamp.CBOR, "\xa0", true},
		{wamp.CBOR, "\xbf\xff", true},
		{wamp.CBOR, "\x80", false},
		{0, "{}", false},
	} {
		if got := isDict(wamp.Value{Format: test.format, Bytes: []byte(test.bytes)}); got != test.want {
			t.Errorf("%s %q: got %t", test.format, test.bytes, got)
		}
	}
}

// TestTextsAreBounded: what a client sends comes back to it in short only.
func TestTextsAreBounded(t *testing.T) {
	var offered []string
	for range 1000 {
		offered = append(offered, strings.Repeat("x", 1000))
	}
	_, o := Begin(&Methods{}, testRealms, &Request{Realm: "realm1"}, offered)
	if n := len(o.Refuse.Message); n > 1000 {
		t.Errorf("the message has %d bytes", n)
	}
}

// TestRealmsAreAssigned: who names no realm is led on where one can be assigned, by
// every method.
func TestRealmsAreAssigned(t *testing.T) {
	const key = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
	const nonce = "LQoK5r8tWCOr9vwMwtvitQ=="
	c := testCertificate(t, "joe")
	asks := &Dynamic{URI: "com.example.authenticate", Realm: "realm1"}
	asksThere := &Dynamic{URI: "com.example.authenticate"}
	users := func(realm string) map[string]User {
		return map[string]User{"joe": {Role: "frontend", Realm: realm, Credentials: Credentials{Secret: "s", AuthorizedKeys: []string{key}}}}
	}
	for method, ways := range map[string]struct {
		assigned, not []Methods
		want          string
	}{
		"anonymous": {[]Methods{{Anonymous: &Anonymous{Authenticator: asks}}, {Anonymous: &Anonymous{Role: "frontend", Realm: "realm1"}}}, []Methods{{Anonymous: &Anonymous{Authenticator: asksThere}}, {Anonymous: &Anonymous{Role: "frontend"}}}, "ask com.example.authenticate accept realm1 frontend static"},
		"ticket":    {[]Methods{{Ticket: &Ticket{Authenticator: asks}}}, []Methods{{Ticket: &Ticket{Authenticator: asksThere}}, {Ticket: &Ticket{}}}, "challenge ticket"},
		"wampcra": {[]Methods{{WAMPCRA: &WAMPCRA{Authenticator: asks}}, {WAMPCRA: NewWAMPCRA(users("realm1"))}},
			[]Methods{{WAMPCRA: &WAMPCRA{Authenticator: asksThere}}, {WAMPCRA: NewWAMPCRA(users(""))}, {WAMPCRA: NewWAMPCRA(nil)}}, "ask com.example.authenticate challenge wampcra"},
		"wamp-scram": {[]Methods{{SCRAM: &SCRAM{Authenticator: asks}}, {SCRAM: NewSCRAM(users("realm1"))}},
			[]Methods{{SCRAM: &SCRAM{Authenticator: asksThere}}, {SCRAM: NewSCRAM(users(""))}}, "ask com.example.authenticate challenge wamp-scram"},
		"cryptosign": {[]Methods{{Cryptosign: &Cryptosign{Authenticator: asks}}, {Cryptosign: NewCryptosign(users("realm1"))}},
			[]Methods{{Cryptosign: &Cryptosign{Authenticator: asksThere}}, {Cryptosign: NewCryptosign(users(""))}}, "ask com.example.authenticate challenge cryptosign"},
		"tls": {[]Methods{{TLS: &TLS{Authenticator: asks}}, {TLS: &TLS{Principals: []Certificate{{Subject: "joe", Authid: "j", Role: "frontend", Realm: "realm1"}}}}},
			[]Methods{{TLS: &TLS{Authenticator: asksThere}}, {TLS: &TLS{Principals: []Certificate{{Subject: "joe", Authid: "j", Role: "frontend"}}}}}, "ask com.example.authenticate accept realm1 frontend static"},
	} {
		begin := func(m Methods) string {
			r := &Request{Authid: "joe", Extra: Extra{Pubkey: key, Nonce: nonce}, Transport: &Transport{TLS: &tls.ConnectionState{
				PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}}}
			_, o := Begin(&m, testRealms, r, []string{method})
			return outcome(o)
		}
		for _, m := range ways.assigned {
			if got := begin(m); !strings.Contains(ways.want, got) {
				t.Errorf("%s: %q, want one of %q", method, got, ways.want)
			}
		}
		for _, m := range ways.not {
			if got := begin(m); got != "refuse wamp.error.no_such_realm" {
				t.Errorf("%s where nobody assigns a realm: %q", method, got)
			}
		}
	}
}
