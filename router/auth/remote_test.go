package auth

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

func TestRemotePrincipal(t *testing.T) {
	for _, test := range []struct {
		name, args, kwargs string
		want               *Principal // nil: an error
	}{
		{"a role", `["frontend"]`, ``, &Principal{Role: "frontend"}},
		{"a role and empty kwargs", `["frontend"]`, `{}`, &Principal{Role: "frontend"}},
		{"a principal", `[{"role":"frontend","authid":"j","realm":"realm1","extra":{"a":[1]}}]`, ``,
			&Principal{Role: "frontend", Authid: "j", Realm: "realm1", Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"a":[1]}`)}}},
		{"nulls for what is absent", `[{"role":"frontend","authid":null,"realm":null,"extra":null}]`, ``, &Principal{Role: "frontend"}},
		{"a role of null", `[{"role":null}]`, ``, &Principal{}},
		{"no result", `[]`, ``, nil},
		{"no args", ``, ``, nil},
		{"null", `[null]`, ``, nil},
		{"true", `[true]`, ``, nil},
		{"a number", `[42]`, ``, nil},
		{"a list", `[["frontend"]]`, ``, nil},
		{"two results", `["frontend","backend"]`, ``, nil},
		{"kwargs beside", `["frontend"]`, `{"x":1}`, nil},
		{"a role in kwargs only", `[]`, `{"role":"frontend"}`, nil},
		{"a binary role", `["\u0000c2VjcmV0"]`, ``, nil},
		{"a role that is a number", `[{"role":1}]`, ``, nil},
		{"a role that is a list", `[{"role":["frontend"]}]`, ``, nil},
		{"an authid that is a number", `[{"role":"frontend","authid":1}]`, ``, nil},
		{"an extra that is a list", `[{"role":"frontend","extra":[]}]`, ``, nil},
		{"an unknown field", `[{"role":"frontend","rolle":"x"}]`, ``, nil},
		{"a field in capitals", `[{"ROLE":"frontend"}]`, ``, nil},
		{"a field twice", `[{"role":"frontend","role":"backend"}]`, ``, nil},
		{"an expiry", `[{"role":"frontend","expires_at":1.5}]`, ``, &Principal{Role: "frontend", ExpiresAt: time.UnixMilli(1500)}},
		{"an expiry in words", `[{"role":"frontend","expires_at":"1970-01-01T00:00:02Z"}]`, ``, &Principal{Role: "frontend", ExpiresAt: time.Unix(2, 0).UTC()}},
		{"an expiry that is no time", `[{"role":"frontend","expires_at":"soon"}]`, ``, nil},
		{"credentials of WAMP-CRA", `[{"role":"frontend","secret":"s","salt":"x","iterations":100,"keylen":16.0}]`, ``,
			&Principal{Role: "frontend", Credentials: Credentials{Secret: "s", Salt: "x", Iterations: 100, Keylen: 16}}},
		{"credentials of SCRAM as Crossbar.io spells them", `[{"role":"frontend","kdf":"pbkdf2","salt":"x","iterations":4096,"memory":null,"stored-key":"` + strings.Repeat("01", 32) + `","server-key":"` + strings.Repeat("AA", 21) + `AA="}]`, ``, nil},
		{"credentials of SCRAM", `[{"role":"frontend","kdf":"argon2id-13","salt":"x","iterations":3,"memory":512,"stored-key":"` + strings.Repeat("01", 32) + `","server_key":"` + strings.Repeat("A", 43) + `="}]`, ``,
			&Principal{Role: "frontend", Credentials: Credentials{KDF: "argon2id-13", Salt: "x", Iterations: 3, Memory: 512, StoredKey: bytes.Repeat([]byte{1}, 32), ServerKey: make([]byte, 32)}}},
		{"a key", `[{"role":"frontend","pubkey":"ab"}]`, ``, &Principal{Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{"ab"}}}},
		{"Crossbar.io's cache", `[{"role":"frontend","cache":true}]`, ``, &Principal{Role: "frontend"}},
		{"a cache that is no bool", `[{"role":"frontend","cache":1}]`, ``, nil},
		{"keys", `[{"role":"frontend","authorized_keys":["ab","cd"]}]`, ``, &Principal{Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{"ab", "cd"}}}},
		{"an empty list of keys", `[{"role":"frontend","authorized_keys":[]}]`, ``, &Principal{Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{}}}},
		{"a secret that is no text", `[{"role":"frontend","secret":1}]`, ``, nil},
		{"iterations that are no count", `[{"role":"frontend","iterations":1.5}]`, ``, nil},
		{"iterations below 0", `[{"role":"frontend","iterations":-1}]`, ``, nil},
		{"null for a key", `[{"role":"frontend","pubkey":null}]`, ``, &Principal{Role: "frontend"}},
		{"null for a credential", `[{"role":"frontend","secret":null}]`, ``, &Principal{Role: "frontend"}},
		{"null for a field that is not known", `[{"role":"frontend","admin":null}]`, ``, nil},
		{"no list", `{"role":"frontend"}`, ``, nil},
		{"no JSON", `["frontend"`, ``, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := RemotePrincipal([]byte(test.args), []byte(test.kwargs))
			if (err != nil) != (test.want == nil) || test.want != nil && !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestRemoteError(t *testing.T) {
	for _, test := range []struct {
		uri, args string
		want      *Refusal // nil: a failure
	}{
		{"com.example.invalid_ticket", `["no",1]`, &Refusal{URI: "com.example.invalid_ticket", Message: "no"}},
		{"com.example.invalid_ticket", `[]`, &Refusal{URI: "com.example.invalid_ticket"}},
		{"com.example.invalid_ticket", ``, &Refusal{URI: "com.example.invalid_ticket"}},
		{"com.example.invalid_ticket", `[1,"no"]`, &Refusal{URI: "com.example.invalid_ticket"}},
		{"wamp.error.unavailable", `["later"]`, &Refusal{URI: "wamp.error.unavailable", Message: "later"}},
		{"wamp.error.runtime_error", `["KeyError: 'joe'"]`, nil},
		{"wamp.error.canceled", `["callee session left"]`, nil},
		{"wamp.error.invalid_argument", `["x"]`, nil},
		{"wamp.error.timeout", `["x"]`, nil},
		{"wamp.error.network_failure", `["x"]`, nil},
	} {
		err := RemoteError(test.uri, []byte(test.args))
		var refusal *Refusal
		isRefusal := errors.As(err, &refusal)
		if isRefusal != (test.want != nil) || isRefusal && *refusal != *test.want {
			t.Errorf("%s %s: got %v, want %v", test.uri, test.args, err, test.want)
		}
	}
}

// TestRemoteArgs: what an authenticator written for Crossbar.io looks for is there.
func TestRemoteArgs(t *testing.T) {
	p, err := RemoteArgs(&Request{
		Realm: "realm1", Authid: "joe", Authmethod: "ticket", Ticket: "<&>", Session: 42,
		Transport: &Transport{
			Type: "websocket", Protocol: "wamp.2.json", Peer: "tcp4:127.0.0.1:17185",
			HeadersReceived: map[string]string{"host": "localhost"}, Cbtid: "x",
		},
	}, []byte(`{"version":"1.0"}`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Format != wamp.JSON || !strings.Contains(string(p.Args), "<&>") {
		t.Errorf("args are %s in %s", p.Args, p.Format)
	}
	var args []any
	if err := json.Unmarshal(p.Args, &args); err != nil {
		t.Fatal(err)
	}
	if len(args) != 3 || args[0] != "realm1" || args[1] != "joe" {
		t.Fatalf("args are %v", args)
	}
	details := args[2].(map[string]any)
	for key, want := range map[string]any{
		"ticket": "<&>", "session": 42.0, "authmethod": "ticket", "authextra": map[string]any{"version": "1.0"},
	} {
		if !reflect.DeepEqual(details[key], want) {
			t.Errorf("details.%s is %v, want %v", key, details[key], want)
		}
	}
	transport := details["transport"].(map[string]any)
	for key, want := range map[string]any{
		"cbtid": "x", "protocol": "wamp.2.json", "http_headers_received": map[string]any{"host": "localhost"},
		"peer": "tcp4:127.0.0.1:17185", "http_headers_sent": map[string]any{}, "type": "websocket", "client_cert": nil,
		"http_cbtid": "x", "websocket_protocol": "wamp.2.json", "websocket_extensions_in_use": []any{},
		"channel_type": "tcp", "channel_framing": "websocket", "peer_cert": nil, "is_secure": false,
	} {
		got, ok := transport[key]
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("transport.%s is %v (present: %t), want %v", key, got, ok, want)
		}
	}
}

func TestRemoteArgsWithoutRealmAndExtra(t *testing.T) {
	p, err := RemoteArgs(&Request{Authid: "joe", Authmethod: "ticket", Transport: &Transport{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(p.Args); !strings.HasPrefix(got, `[null,"joe",`) || !strings.Contains(got, `"authextra":null`) {
		t.Errorf("args are %s", got)
	}
}

func FuzzRemotePrincipal(f *testing.F) {
	for _, seed := range []string{`["frontend"]`, `[{"role":"frontend","extra":{}}]`, `[{"role":"a","role":"b"}]`, `[null]`, `[`, `[{"role":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		p, err := RemotePrincipal(args, nil)
		if (p == nil) == (err == nil) {
			t.Errorf("%q: got %v, %v", args, p, err)
		}
	})
}

// TestRemoteArgsOfAMethod: the key, the names and the certificate are where
// Crossbar.io's authenticators look for them; what there is none of is null.
func TestRemoteArgsOfAMethod(t *testing.T) {
	c := testCertificate(t, "client_0")
	ask := func(r *Request) (args []any, details, transport map[string]any) {
		t.Helper()
		p, err := RemoteArgs(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(p.Args, &args); err != nil {
			t.Fatal(err)
		}
		details = args[2].(map[string]any)
		return args, details, details["transport"].(map[string]any)
	}
	verified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}
	args, details, transport := ask(&Request{Authmethod: "cryptosign", Pubkey: "ab", Authrole: "x", Authid: "joe", Transport: &Transport{TLS: verified}})
	if args[0] != nil || args[1] != "joe" || details["authid"] != "joe" || details["authrole"] != "x" || details["pubkey"] != "ab" {
		t.Errorf("args are %v", args)
	}
	for _, key := range []string{"client_cert", "peer_cert"} {
		got, _ := transport[key].(map[string]any)
		if got["sha1"] != SHA1(c) || got["sha256"] != SHA256(c) || got["serial"] != "1" ||
			!reflect.DeepEqual(got["subject"], map[string]any{"cn": "client_0", "o": "Example"}) || !reflect.DeepEqual(got["issuer"], got["subject"]) {
			t.Errorf("%s is %v", key, got)
		}
	}
	args, details, transport = ask(&Request{Authmethod: "tls", Transport: &Transport{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}}})
	_, hasPubkey := details["pubkey"]
	if args[0] != nil || args[1] != nil || details["authid"] != nil || details["authrole"] != nil || hasPubkey || transport["client_cert"] != nil || transport["peer_cert"] != nil {
		t.Errorf("args are %v", args)
	}
}

// TestEachMethodTakesItsOwnFromRemoteAuthenticators: results in JSON as WAMP clients
// send them, for every cell of what an authenticator may return.
func TestEachMethodTakesItsOwnFromRemoteAuthenticators(t *testing.T) {
	key := strings.Repeat("ab", 32)
	scram := `"kdf":"argon2id-13","salt":"3bc3ca01dd1d501ca1c22e1c5d7d16fe","iterations":4096,"memory":512,"stored-key":"` + key + `","server-key":"` + key + `"`
	for _, test := range []struct{ method, result, want string }{
		{"ticket", `"frontend"`, ""},
		{"ticket", `{"role":"frontend","extra":{"a":1}}`, ""},
		{"ticket", `{"role":"frontend","secret":"s"}`, `returned credentials, which authentication method "ticket" does not check`},
		{"anonymous", `"frontend"`, ""},
		{"anonymous", `{"role":"frontend","pubkey":"` + key + `"}`, `returned credentials, which authentication method "anonymous" does not check`},
		{"tls", `{"role":"frontend","authid":"client_0"}`, ""},
		{"tls", `{"role":"frontend",` + scram + `}`, `returned credentials, which authentication method "tls" does not check`},
		{"wampcra", `"frontend"`, "returned no secret: a role alone is no proof for wampcra"},
		{"wampcra", `{"role":"frontend"}`, "returned no secret: a role alone is no proof for wampcra"},
		{"wampcra", `{"role":"frontend","secret":"s"}`, ""},
		{"wampcra", `{"role":"frontend","secret":"s","salt":"x","iterations":100,"keylen":16}`, ""},
		{"wampcra", `{"role":"frontend",` + scram + `}`, "returned no secret: a role alone is no proof for wampcra"},
		{"scram", `"frontend"`, "returned no keys: a role alone is no proof for SCRAM"},
		{"scram", `{"role":"frontend",` + scram + `}`, ""},
		{"wamp-scram", `{"role":"frontend",` + scram + `}`, ""},
		{"wamp-scram", `{"role":"frontend","secret":"s"}`, "returned credentials that cannot be used: the kdf must be argon2id13 or pbkdf2"},
		{"cryptosign", `"frontend"`, ""},
		{"cryptosign", `{"role":"frontend","pubkey":"` + key + `"}`, ""},
		{"cryptosign", `{"role":"frontend","authorized_keys":["` + key + `"]}`, ""},
		{"cryptosign", `{"role":"frontend","authorized_keys":[]}`, ""},
		{"cryptosign", `{"role":"frontend","secret":"s"}`, "returned credentials that cannot be used: there are credentials that cryptosign does not have"},
	} {
		p, err := RemotePrincipal([]byte("["+test.result+"]"), nil)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.result, err)
			continue
		}
		got := ""
		if err := p.CheckFor(test.method); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s %s: %q, want %q", test.method, test.result, got, test.want)
		}
	}
}

func TestSaltsOfCrossbar(t *testing.T) {
	for salt, want := range map[string]string{
		"3bc3ca01dd1d501ca1c22e1c5d7d16fe": "O8PKAd0dUByhwi4cXX0W/g==",
		"3BC3CA01DD1D501CA1C22E1C5D7D16FE": "O8PKAd0dUByhwi4cXX0W/g==",
		"O8PKAd0dUByhwi4cXX0W/g==":         "O8PKAd0dUByhwi4cXX0W/g==",
		"abcd":                             "abcd", // too short to be digits
		"":                                 "",
		"not base64":                       "",
	} {
		c := Credentials{KDF: "pbkdf2", Salt: salt, Iterations: 1, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}
		err := c.CheckSCRAM()
		if (err == nil) != (want != "") || err == nil && c.Salt != want {
			t.Errorf("%q becomes %q, %v, want %q", salt, c.Salt, err, want)
		}
	}
}
