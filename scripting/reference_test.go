package scripting

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/trustroot"
	"usher/router/wamp"
	"usher/scripting/luadoc"
	"usher/scripting/lualib"
)

// referenceVM returns a VM of a component, and its globals.
func referenceVM(t *testing.T) (*vm, *lua.LTable) {
	t.Helper()
	w := newWorld(t, map[string]string{"a.lua": `router.join { realm = "realm1", authrole = "backend", vms = 1 }`})
	v, err := newVM(w.host.services.ctx, w.host.components["a"].current.Load(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.close)
	return v, v.L.Get(lua.GlobalsIndex).(*lua.LTable)
}

func reference(t *testing.T) *luadoc.Reference {
	t.Helper()
	r, err := luadoc.Load()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// keys are the names of a table's fields, sorted.
func keys(t *lua.LTable) []string {
	var names []string
	t.ForEach(func(key, _ lua.LValue) { names = append(names, key.String()) })
	slices.Sort(names)
	return names
}

// sameNames compares what is described with what is there.
func sameNames(t *testing.T, what string, described, there []string) {
	t.Helper()
	for _, name := range there {
		if !slices.Contains(described, name) {
			t.Errorf("%s: %s is not described in scripting/luadoc/library", what, name)
		}
	}
	for _, name := range described {
		if !slices.Contains(there, name) {
			t.Errorf("%s: %s is described in scripting/luadoc/library, and is not there", what, name)
		}
	}
}

// Every global of a VM and every function of its modules is described, and
// nothing else.
func TestGlobalsAreAsDescribed(t *testing.T) {
	r := reference(t)
	_, globals := referenceVM(t)
	described := r.Globals(false)
	var names []string
	for name := range described {
		names = append(names, name)
	}
	sameNames(t, "globals", names, keys(globals))
	globals.ForEach(func(key, value lua.LValue) {
		name := key.String()
		e := r.Find(name)
		if e == nil {
			return
		}
		switch value := value.(type) {
		case *lua.LTable:
			if value == globals {
				return
			}
			if e.Kind != luadoc.Module {
				t.Errorf("%s is a module", name)
			}
			sameNames(t, name, described[name], keys(value))
		case *lua.LFunction:
			if e.Kind != luadoc.Function {
				t.Errorf("%s is a function", name)
			}
		default:
			if e.Kind != luadoc.Constant {
				t.Errorf("%s is neither a function nor a module", name)
			}
		}
	})
}

// The tables that scripts are given have the fields that are described.
func TestTablesAreAsDescribed(t *testing.T) {
	r := reference(t)
	v, _ := referenceVM(t)
	if err := v.do(v.gen.ctx, "test", func() error { // for a budget
		certificate := &x509.Certificate{SerialNumber: big.NewInt(1)}
		request, err := v.requestTable(&auth.Request{
			Realm: "a", Authid: "a", Authrole: "a", Authmethod: auth.MethodTicket, Ticket: "a", Pubkey: "a", Session: 1,
			Delegation: &trustroot.Delegation{},
			Authextra:  wamp.Value{Format: wamp.JSON, Bytes: []byte(`{}`)},
			Transport: &auth.Transport{Type: "a", Protocol: "a", Peer: "a", Cbtid: "a", Path: "a", Query: "a",
				TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}}}},
		})
		if err != nil {
			return err
		}
		transport := request.RawGetString("transport").(*lua.LTable)
		call := v.callDetails(&work{stream: newStream(), invocation: &realm.LocalInvocation{URI: "a", Details: wamp.InvocationDetails{
			Procedure: "a", Caller: 1, CallerAuthid: "a", CallerAuthrole: "a", Trustlevel: wamp.Trustlevel{Given: true}, Timeout: 1,
			ReceiveProgress: true,
		}}})
		ppt := &wamp.Passthru{Scheme: "a", Serializer: "a", Cipher: "a", KeyID: "a", EncAlgo: "a", EncSerializer: "a", EncKey: "a"}
		event := v.eventDetails("a", 1, &wamp.EventDetails{Publisher: 1, PublisherAuthid: "a", PublisherAuthrole: "a",
			Trustlevel: wamp.Trustlevel{Given: true}, Retained: true, Passthru: ppt})
		session := v.sessionTable(&auth.Question{Session: 1, Realm: "a", Authid: "a", Authrole: "a", Authmethod: "a", Authprovider: "a"})
		options := v.questionOptions(&auth.QuestionOptions{Match: "a", Invoke: "a", GetRetained: true, Retain: true, Acknowledge: true,
			DiscloseMe: true, ReceiveProgress: true, Timeout: 1})
		for class, table := range map[string]*lua.LTable{
			"Request": request, "Delegation": request.RawGetString("delegation").(*lua.LTable), "Transport": transport, "ClientCertificate": transport.RawGetString("client_cert").(*lua.LTable),
			"CallDetails": call, "EventDetails": event, "AuthorizerSession": session, "AuthorizerOptions": options,
		} {
			sameNames(t, class, r.FieldNames(class), keys(table))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Each function that takes options takes those that are described: the error for
// another one lists them.
func TestOptionsAreAsDescribed(t *testing.T) {
	r := reference(t)
	listed := regexp.MustCompile(`there (?:are|is) ([a-z0-9_, ]+)$`)
	for class, call := range map[string]string{
		"JoinOptions":       `router.join { %s = 1 }`,
		"RegisterOptions":   `router.register("a.b", print, { %s = 1 })`,
		"SubscribeOptions":  `router.subscribe("a.b", print, { %s = 1 })`,
		"CallOptions":       `router.call("a.b", nil, nil, { %s = 1 })`,
		"PublishOptions":    `router.publish("a.b", nil, nil, { %s = 1 })`,
		"SessionsOptions":   `router.sessions { %s = 1 }`,
		"KillOptions":       `router.kill { %s = 1 }`,
		"HttpOptions":       `http.get("http://example.com", { %s = 1 })`,
		"HttpRequest":       `http.request { url = "http://example.com", %s = 1 }`,
		"HttpTls":           `http.get("http://example.com", { tls = { %s = 1 } })`,
		"Argon2Options":     `crypto.argon2id_hash("a", { %s = 1 })`,
		"ScryptOptions":     `crypto.scrypt("a", "a", { %s = 1 })`,
		"ScramOptions":      `crypto.scram_keys { password = "a", %s = 1 }`,
		"TotpOptions":       `crypto.totp(crypto.totp_secret(), { %s = 1 })`,
		"TotpVerifyOptions": `crypto.totp_verify(crypto.totp_secret(), "1", { %s = 1 })`,
		"JwtOptions":        `crypto.jwt_verify("a", { key = ("k"):rep(32), algorithm = "HS256", %s = 1 })`,
	} {
		v, _ := referenceVM(t)
		v.sealed = class != "JoinOptions" // join works at the top level only
		source := fmt.Sprintf("local ok, err = pcall(function() "+call+" end) result = err", "no_such_option")
		fn, err := v.gen.compiled.compile(&file{name: class + ".lua", source: []byte(source)})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.do(v.gen.ctx, "test", func() error {
			_, err := v.call(v.L.NewFunctionFromProto(fn))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		message := v.L.GetGlobal("result").String()
		m := listed.FindStringSubmatch(message)
		if m == nil {
			t.Errorf("%s: the error does not list the options: %s", class, message)
			continue
		}
		names := strings.ReplaceAll(m[1], " and ", ", ")
		sameNames(t, class, r.FieldNames(class), strings.Split(names, ", "))
	}
}

// The fields of a principal and of a verdict are those that are read.
func TestAnswersAreAsDescribed(t *testing.T) {
	r := reference(t)
	source, err := os.ReadFile(filepath.Join("..", "router", "auth", "returned.go"))
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, m := range regexp.MustCompile(`\tcase "([a-z_]+)":`).FindAllStringSubmatch(string(source), -1) {
		fields = append(fields, m[1])
	}
	sameNames(t, "Principal", r.FieldNames("Principal"), fields)
	_, err = readVerdictTable(func() *lua.LTable {
		t := &lua.LTable{}
		t.RawSetString("no_such_field", lua.LTrue)
		return t
	}())
	for _, name := range r.FieldNames("Verdict") {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Verdict: %v does not name %s", err, name)
		}
	}
}

// What sql.open returns has the methods that are described.
func TestDatabasesAreAsDescribed(t *testing.T) {
	r := reference(t)
	var described []string
	for _, e := range r.Under("Database") {
		described = append(described, strings.TrimPrefix(e.Name, "Database:"))
	}
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
		router.register("com.example.f", function()
			local names = {}
			for name in pairs(sql.open("db")) do names[#names + 1] = name end
			return unpack(names)
		end)`}, func(o *Options) {
		o.SQL = map[string]Database{"db": {Database: lualib.Database{Driver: "sqlite", File: filepath.Join(t.TempDir(), "db")}}}
	})
	names := strings.Split(strings.Trim(w.client().mustCall("com.example.f", ""), `[]"`), `","`)
	sameNames(t, "Database", described, names)
}
