package auth

import "testing"

func TestTicketsThatAreTokens(t *testing.T) {
	m := func(j JWT) *Methods { return &Methods{Ticket: &Ticket{JWT: &j}} }
	free, bound := m(JWT{Role: "frontend"}), m(JWT{Role: "frontend", Realm: "realm1"})
	for _, test := range []struct {
		name          string
		methods       *Methods
		realm, method string
		want          string // after HELLO
		principal     *Principal
		err           error
		decided       string
	}{
		{"a good token", free, "realm1", "ticket", "challenge ticket", &Principal{Role: "frontend", Authid: "joe"}, nil, "accept realm1 frontend static"},
		{"by the other name", free, "realm1", "jwt", "challenge jwt", &Principal{Role: "frontend", Authid: "joe"}, nil, "accept realm1 frontend static"},
		{"no realm, and the token has none", free, "", "ticket", "refuse wamp.error.no_such_realm", nil, nil, ""},
		{"no realm, but the token's", bound, "", "ticket", "challenge ticket", &Principal{Role: "frontend", Authid: "joe", Realm: "realm1"}, nil, "accept realm1 frontend static"},
		{"another realm than the token's", bound, "realm2", "ticket", "challenge ticket", &Principal{Role: "frontend", Authid: "joe", Realm: "realm1"}, nil, "refuse wamp.error.authentication_denied"},
		{"a role that is not there", free, "realm1", "ticket", "challenge ticket", &Principal{Role: "ghost", Authid: "joe"}, nil, "refuse wamp.error.no_such_role"},
		{"a wrong token", free, "realm1", "ticket", "challenge ticket", nil, DeniedToken("it has expired"), "refuse wamp.error.authentication_denied"},
		{"no keys", free, "realm1", "ticket", "challenge ticket", nil, nil, "fail"},
		{"tickets of people are no tokens", &Methods{Ticket: &Ticket{}}, "realm1", "jwt", "refuse wamp.error.no_matching_auth_method", nil, nil, ""},
	} {
		r := &Request{Realm: test.realm} // without an authid: the token has it
		d, o := Begin(test.methods, testRealms, r, []string{test.method})
		if got := outcome(o); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			continue
		}
		if test.decided == "" {
			continue
		}
		o = d.Answer(&Answer{Signature: "a.b.c"})
		if o.Verify == nil || o.Verify != test.methods.Ticket.JWT || r.Ticket != "a.b.c" {
			t.Errorf("%s: nobody is to verify the token", test.name)
		}
		if got := outcome(d.Answer(&Answer{Signature: "a.b.c"})); got != "fail" {
			t.Errorf("%s: a second AUTHENTICATE: %s", test.name, got)
		}
		if got := outcome(d.Decide(test.principal, test.err)); got != "fail" {
			t.Errorf("%s: decided after that: %s", test.name, got)
		}
		d, _ = Begin(test.methods, testRealms, &Request{Realm: test.realm}, []string{test.method})
		d.Answer(&Answer{Signature: "a.b.c"})
		if got := outcome(d.Decide(test.principal, test.err)); got != test.decided {
			t.Errorf("%s: got %q, want %q", test.name, got, test.decided)
		}
	}
}
