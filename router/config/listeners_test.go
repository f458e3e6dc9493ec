package config

import (
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// withTransports is minimal with other transports.
func withTransports(text string) string {
	return minimal[:strings.Index(minimal, "transports:")] + text
}

const ticketAuth = "auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}"

var (
	ticketMethods = auth.Methods{Ticket: &auth.Ticket{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}}
	allFormats    = []wamp.Format{wamp.CBOR, wamp.MessagePack, wamp.JSON}
	jsonSocket    = &WebSocket{Subprotocols: []string{"wamp.2.json.batched", "wamp.2.json"}, Auth: ticketMethods}
)

func TestListeners(t *testing.T) {
	for _, test := range []struct {
		name, transport string
		want            Transport
	}{
		{"rawsocket", `
  - type: rawsocket
    endpoint: {type: tcp, port: 8081}
    ` + ticketAuth, Transport{
			Endpoint:  Endpoint{Port: 8081},
			RawSocket: &RawSocket{Formats: allFormats, Auth: ticketMethods},
		}},
		{"rawsocket with all keys", `
  - type: rawsocket
    endpoint: {type: unix, path: run/usher.sock, mode: "0660"}
    serializers: [msgpack, json]
    options: {max_message_size: 64KiB, auto_ping: true}
    max_connections: 100
    ` + ticketAuth, Transport{
			Endpoint:       Endpoint{Path: filepath.FromSlash("etc/run/usher.sock"), Mode: 0o660},
			RawSocket:      &RawSocket{Formats: []wamp.Format{wamp.MessagePack, wamp.JSON}, MaxMessageSize: 64 << 10, AutoPing: true, Auth: ticketMethods},
			MaxConnections: 100,
		}},
		{"max_message_size where Crossbar.io once had it", `
  - type: rawsocket
    endpoint: {type: tcp, port: 8081}
    max_message_size: 1048576
    ` + ticketAuth, Transport{
			Endpoint:  Endpoint{Port: 8081},
			RawSocket: &RawSocket{Formats: allFormats, MaxMessageSize: 1 << 20, Auth: ticketMethods},
		}},
		{"universal", `
  - type: universal
    endpoint:
      type: tcp
      port: 8080
      tls: {certificate: cert.pem, key: key.pem, chain_certificates: [a.pem, b.pem]}
    rawsocket: {serializers: [json], ` + ticketAuth + `}
    websocket:
      ws: {serializers: [json], ` + ticketAuth + `}
      z: {type: websocket, serializers: [json], ` + ticketAuth + `}
    web:
      paths:
        /: {type: page}
        x: {type: websocket, serializers: [json], ` + ticketAuth + `}`, Transport{
			Endpoint: Endpoint{Port: 8080, TLS: &TLS{
				Certificate: filepath.FromSlash("etc/cert.pem"), Key: filepath.FromSlash("etc/key.pem"),
				Chain: []string{filepath.FromSlash("etc/a.pem"), filepath.FromSlash("etc/b.pem")},
			}},
			RawSocket: &RawSocket{Formats: []wamp.Format{wamp.JSON}, Auth: ticketMethods},
			Universal: true,
			Paths: []Path{
				{Path: "/", Page: true},
				{Path: "/ws", WebSocket: jsonSocket}, {Path: "/x", WebSocket: jsonSocket}, {Path: "/z", WebSocket: jsonSocket},
			},
		}},
		{"universal without a web side", `
  - type: universal
    endpoint: {type: unix, path: /run/u}
    rawsocket: {` + ticketAuth + `}`, Transport{
			Endpoint:  Endpoint{Path: filepath.FromSlash("/run/u")},
			RawSocket: &RawSocket{Formats: allFormats, Auth: ticketMethods},
		}},
		{"web on a Unix socket", `
  - type: web
    endpoint: {type: unix, path: /run/u}
    paths: {ws: {type: websocket, serializers: [json], ` + ticketAuth + `}}`, Transport{
			Endpoint: Endpoint{Path: filepath.FromSlash("/run/u")},
			Paths:    []Path{{Path: "/ws", WebSocket: jsonSocket}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, "etc/usher.yaml", withTransports("transports:"+test.transport+"\ntrusted_proxies: [unix, 10.0.0.1]\n"))
			if !reflect.DeepEqual(c.Transports, []Transport{test.want}) {
				t.Errorf("got  %+v\nwant %+v", c.Transports[0], test.want)
			}
			if len(c.TrustedProxies) != 1 || !c.TrustUnix {
				t.Errorf("trusted proxies are %v, unix: %v", c.TrustedProxies, c.TrustUnix)
			}
			if d := c.Dynamics(); len(d) != 1 || d[0].URI != "com.example.authenticate" {
				t.Errorf("authenticators are %v", d)
			}
			if http := test.want.RawSocket == nil || test.want.Universal; c.Transports[0].HTTP() != http {
				t.Errorf("HTTP is %v, want %v", !http, http)
			}
		})
	}
}

// TestListenersOfCrossbar reads the same from its node file.
func TestListenersOfCrossbar(t *testing.T) {
	const auth = `"auth": {"anonymous": {"type": "static", "role": "frontend"}}`
	c := parse(t, "n.json", nodeFile(oneRealm, `[
{"type": "rawsocket", "id": "raw", "endpoint": {"type": "tcp", "port": 8081, "version": 4, "tls": {"certificate": "c", "key": "k", "chain_certificates": ["d"], "dhparam": "dh", "ciphers": "x"}},
 "serializers": ["cbor", "ubjson"], "options": {"max_message_size": 1048576}, "max_connections": 10, "debug": false, `+auth+`},
{"type": "universal", "endpoint": {"type": "unix", "path": "sock", "backlog": 10}, "rawsocket": {"type": "rawsocket", `+auth+`},
 "websocket": {"ws": {"type": "websocket", "url": "ws://localhost/ws", "debug": true, `+auth+`}}, "mqtt": {}, "web": {"paths": {"/": {"type": "page"}}, "options": {}}}]`, ""))
	if len(c.Transports) != 2 {
		t.Fatalf("%d transports", len(c.Transports))
	}
	raw, both := c.Transports[0], c.Transports[1]
	if raw.RawSocket.MaxMessageSize != 1<<20 || !slices.Equal(raw.RawSocket.Formats, []wamp.Format{wamp.CBOR}) || raw.MaxConnections != 10 || raw.HTTP() || len(raw.Endpoint.TLS.Chain) != 1 {
		t.Errorf("%+v", raw)
	}
	if both.Endpoint.Path != "sock" || both.RawSocket == nil || !both.HTTP() || len(both.Paths) != 2 {
		t.Errorf("%+v", both)
	}
	golden(t, c.Warnings, []string{
		`n.json:4:172: workers[0].transports[0].endpoint.tls.dhparam: usher chooses what TLS uses itself, from what is held to be secure; leave dhparam out`,
		`n.json:4:189: workers[0].transports[0].endpoint.tls.ciphers: usher chooses what TLS uses itself, from what is held to be secure; leave ciphers out`,
		`n.json:5:26: workers[0].transports[0].serializers[1]: the serializer "ubjson" is not supported; it is not offered to clients`,
		`n.json:7:160: workers[0].transports[1].mqtt: MQTT is not supported; it is not spoken here`,
	})
}

func TestListenerErrors(t *testing.T) {
	tests := []struct {
		transport string
		want      []string
	}{
		{"type: rawsocket\n    endpoint: {type: unix}\n    " + ticketAuth, []string{
			`a:14:15: transports[0].endpoint: "path" is missing`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: s, port: 80, mode: 432}\n    " + ticketAuth, []string{
			`a:14:37: transports[0].endpoint.port: unknown key; port goes with type: tcp`,
			`a:14:53: transports[0].endpoint.mode: want a string, this is an integer; put it into quotes`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: s, mode: rw}\n    " + ticketAuth, []string{
			`a:14:43: transports[0].endpoint.mode: "rw" is not a file mode such as "0660"`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: s, mode: '0'}\n    " + ticketAuth, []string{
			`a:14:43: transports[0].endpoint.mode: "0" is not a file mode such as "0660"`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: s, mode: '1777'}\n    " + ticketAuth, []string{
			`a:14:43: transports[0].endpoint.mode: "1777" is not a file mode such as "0660"`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: /" + strings.Repeat("x", 110) + "}\n    " + ticketAuth, []string{
			`a:14:34: transports[0].endpoint.path: /` + strings.Repeat("x", 110) + ` has 111 bytes, and a Unix socket's name has 103 at most`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1, path: s}\n    " + ticketAuth, []string{
			`a:14:36: transports[0].endpoint.path: unknown key; path goes with type: unix`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1}\n    serializers: [jsn]\n    max_message_size: 32MiB\n    options: {auto_ping_interval: 5, autoping: true}\n    " + ticketAuth, []string{
			`a:15:19: transports[0].serializers[0]: "jsn" is not a serializer; did you mean "json"?`,
			`a:16:23: transports[0].max_message_size: 32MiB is not from 512B to 16MiB`,
			`a:17:15: transports[0].options.auto_ping_interval: unknown key; write limits: {ping_interval: 30s} at the top, and auto_ping: true here`,
			`a:17:38: transports[0].options.autoping: unknown key; did you mean "auto_ping"?`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1}\n    max_message_size: 1MiB\n    options: {max_message_size: 1MiB}\n    " + ticketAuth, []string{
			`a:15:23: transports[0].max_message_size: options has max_message_size as well: keep that`,
		}},
		{"type: universal\n    endpoint: {type: tcp, port: 1}", []string{
			`a:13:5: transports[0]: nothing would be spoken here; write rawsocket, websocket or web`,
		}},
		{"type: universal\n    endpoint: {type: tcp, port: 1}\n    rawsocket: {type: web, endpoint: {}, " + ticketAuth + "}\n    websocket: {ws: {" + ticketAuth + "}, healthz: {" + ticketAuth + "}}\n    web: {paths: {/ws: {type: page}}}", []string{
			`a:15:23: transports[0].rawsocket.type: "web" is not the type here; want rawsocket`,
			`a:15:28: transports[0].rawsocket.endpoint: unknown key; the universal transport has the endpoint`,
			`a:16:106: transports[0].websocket.healthz: usher answers /healthz itself; choose another path`,
			`a:17:18: transports[0].web.paths: the path "/ws" is here twice; first at line 16`,
		}},
		// What is no dict lacks nothing besides.
		{"type: universal\n    endpoint: {type: tcp, port: 1}\n    rawsocket: on\n    websocket: {ws: }", []string{
			`a:15:16: transports[0].rawsocket: want a dict, this is a string`,
			`a:16:20: transports[0].websocket.ws: want a dict, this is null`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1}\n    auth: {scram: {type: static, principals: {kdf: pbkdf2}}}", []string{
			`a:15:52: transports[0].auth.scram.principals.kdf: want a dict, this is a string`,
		}},
		{"type: universal\n    endpoint: {type: tcp, port: 1}\n    mqtt: {}\n    rawsocket: {" + ticketAuth + "}", []string{
			`a:15:11: transports[0].mqtt: MQTT is not supported; it is not spoken here`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1, tls: {certificate: c, key: k, dhparam: d}}\n    " + ticketAuth, []string{
			`a:14:75: transports[0].endpoint.tls.dhparam: usher chooses what TLS uses itself, from what is held to be secure; leave dhparam out`,
		}},
		{"type: rawsocket\n    endpoint: {type: unix, path: s}\n    " + ticketAuth + "\n  - type: rawsocket\n    endpoint: {type: unix, path: s}\n    " + ticketAuth, []string{
			`a:16:5: transports[1]: the endpoint "s" is here twice; first at line 13`,
		}},
		{"type: rawsocket\n    endpoint: {type: tcp, port: 1}\n    max_connections: 0\n    " + ticketAuth, []string{
			`a:15:22: transports[0].max_connections: 0 is not from 1 to 10000000`,
		}},
	}
	for _, test := range tests {
		_, err := Parse("a", []byte(withTransports("transports:\n  - "+test.transport+"\n")))
		if err == nil {
			t.Errorf("%s: accepted", test.transport)
			continue
		}
		if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%s\ngot\n\t%s\nwant\n\t%s", test.transport, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

func TestSocketsDirectoryMustExist(t *testing.T) {
	c := parse(t, "etc/a", withTransports("transports:\n  - type: rawsocket\n    endpoint: {type: unix, path: run/s}\n    "+ticketAuth+"\n"))
	err := c.CheckFiles(func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist })
	if err == nil || !strings.Contains(err.Error(), filepath.FromSlash("etc/run")) || strings.Contains(err.Error(), filepath.FromSlash("run/s")) {
		t.Errorf("CheckFiles: %v, want that the directory is missing", err)
	}
}

func TestDiffOfListeners(t *testing.T) {
	raw := "type: rawsocket\n    endpoint: {type: unix, path: s}\n    " + ticketAuth
	free := "type: rawsocket\n    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}\n    " + ticketAuth
	two := func(first, second string) string {
		return free + first + "\n  - " + free + second + "\n    max_connections: 3"
	}
	for _, test := range []struct {
		a, b string
		want []string
	}{
		{raw, raw, nil},
		{raw, strings.Replace(raw, "path: s", `path: s, mode: "0600"`, 1), []string{
			"transports[0].endpoint.mode: was ----------, is now -rw-------; it takes effect when usher is started anew",
		}},
		{raw, strings.Replace(raw, "path: s", "path: t", 1), []string{
			"transports[0].endpoint: unix:t is new; it takes effect when usher is started anew",
			"transports[0].endpoint: unix:s is gone; it takes effect when usher is started anew",
		}},
		{raw, raw + "\n    max_connections: 3", []string{
			"transports[0].max_connections: was the default, is now 3; it takes effect when usher is started anew",
		}},
		{raw, raw + "\n    serializers: [json]", []string{"transports[0].rawsocket: changed"}},
		{raw, "type: universal\n    endpoint: {type: unix, path: s}\n    rawsocket: {" + ticketAuth + "}\n    web: {paths: {/: {type: page}}}", []string{
			"transports[0].type: was rawsocket, is now universal; it takes effect when usher is started anew",
			"transports[0].paths: changed",
		}},
		{strings.Replace(raw, "path: s", "path: s, tls: {certificate: c, key: k}", 1), strings.Replace(raw, "path: s", "path: s, tls: {certificate: c, key: l}", 1), []string{
			"transports[0].endpoint.tls: changed",
		}},
		{two("", ""), two("", ""), nil},
		{two("", ""), two("", "\n    serializers: [json]"), []string{"transports[1].rawsocket: changed"}},
		{two("", ""), free, []string{"transports[1].endpoint: 127.0.0.1:0 is gone; it takes effect when usher is started anew"}},
	} {
		a := parse(t, "a", withTransports("transports:\n  - "+test.a+"\n"))
		b := parse(t, "a", withTransports("transports:\n  - "+test.b+"\n"))
		var got []string
		for _, c := range Diff(a, b) {
			got = append(got, c.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s\ngot\n\t%s\nwant\n\t%s", test.b, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}
