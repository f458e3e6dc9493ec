package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestCompression(t *testing.T) {
	const at = "transports[0].options.compression"
	for _, test := range []struct {
		name, text string
		want       *Deflate
		problem    string // in one of the problems
	}{
		{"none", `{}`, nil, ""},
		{"with defaults", `{compression: {deflate: {}}}`, &Deflate{}, ""},
		{"with all keys", `{compression: {deflate: {max_window_bits: 11, request_max_window_bits: 12, threshold: 4KiB, no_context_takeover: true, request_no_context_takeover: true}}}`,
			&Deflate{MaxWindowBits: 11, RequestMaxWindowBits: 12, Threshold: 4096}, ""},
		{"without a kind", `{compression: {}}`, nil, at + `: "deflate" is missing`},
		{"of another kind", `{compression: {deflate: {}, brotli: {}}}`, nil, at + ".brotli: unknown key"},
		{"with null", `{compression: {deflate: }}`, nil, at + ".deflate: want a dict"},
		{"with a window too small", `{compression: {deflate: {max_window_bits: 7}}}`, nil, at + ".deflate.max_window_bits: 7 is not from 8 to 15"},
		{"with a window too large", `{compression: {deflate: {request_max_window_bits: 16}}}`, nil, at + ".deflate.request_max_window_bits: 16 is not from 8 to 15"},
		{"with context", `{compression: {deflate: {no_context_takeover: false}}}`, nil, at + ".deflate.no_context_takeover: usher has each message compressed by itself"},
		{"with memory", `{compression: {deflate: {memory_level: 4}}}`, nil, at + ".deflate.memory_level: usher's compressor has one size"},
		{"with a mistake", `{compression: {deflate: {max_window_bit: 12}}}`, nil, "max_window_bits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("usher.yaml", []byte(withTransports(`transports:
  - type: websocket
    endpoint: {type: tcp, port: 8080}
    options: `+test.text+`
    `+ticketAuth+`
`)))
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("error is %v, want %q in it", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Transports[0].Paths[0].WebSocket.Deflate; !reflect.DeepEqual(got, test.want) {
				t.Errorf("compression is %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestCrossbarCompression reads Crossbar.io's own keys: what cannot be honoured is
// a warning that says where it is.
func TestCrossbarCompression(t *testing.T) {
	c, err := Parse("config.json", []byte(`{"version": 2, "workers": [{"type": "router",
		"realms": [{"name": "realm1", "roles": [{"name": "frontend", "permissions": []}]}],
		"transports": [{"type": "websocket", "endpoint": {"type": "tcp", "port": 8080},
			"auth": {"anonymous": {"type": "static", "role": "frontend"}},
			"options": {"compression": {"deflate": {"request_no_context_takeover": false, "request_max_window_bits": 0,
				"no_context_takeover": false, "max_window_bits": 11, "memory_level": 4}}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Transports[0].Paths[0].WebSocket.Deflate, (&Deflate{MaxWindowBits: 11}); !reflect.DeepEqual(got, want) {
		t.Errorf("compression is %+v, want %+v", got, want)
	}
	var paths []string
	for _, w := range c.Warnings {
		paths = append(paths, w.Path)
	}
	got := strings.Join(paths, "\n")
	for _, key := range []string{"request_no_context_takeover", "no_context_takeover", "memory_level"} {
		if want := "workers[0].transports[0].options.compression.deflate." + key; !strings.Contains("\n"+got+"\n", "\n"+want+"\n") {
			t.Errorf("no warning for %s among\n%s", want, got)
		}
	}
}
