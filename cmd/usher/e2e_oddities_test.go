//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/gorilla/websocket"
)

// What real clients do that a reader of the specification would not expect.

func TestGoodbyeIsAnsweredInKind(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	for reason, want := range map[string]string{
		"wamp.close.normal":          "wamp.close.normal", // Autobahn exits with 0 only then
		"wamp.close.goodbye_and_out": "wamp.close.goodbye_and_out",
		"com.example.tired":          "wamp.close.goodbye_and_out",
	} {
		p := join(t, usher.url)
		p.send(6, map[string]any{}, reason)
		p.expect(6, nil, want)
		p.expectClose(websocket.CloseNormalClosure, websocket.CloseGoingAway)
	}
	// A client that closes at once after its GOODBYE leaves nothing behind.
	p := join(t, usher.url)
	p.send(64, p.request(), map[string]any{}, "com.example.mine")
	p.expect(65)
	p.send(6, map[string]any{}, "wamp.close.normal")
	p.NetConn().Close()
	heir := join(t, usher.url)
	for deadline := time.Now().Add(patience); ; {
		heir.send(64, heir.request(), map[string]any{}, "com.example.mine")
		if m := heir.receive(); m[0] == 65.0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the procedure of a client that left is still taken")
		}
	}
}

func TestPageOfAnotherOriginIsRefused(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	header := http.Header{"Sec-Websocket-Protocol": {"wamp.2.json"}, "Origin": {"http://evil.example"}}
	_, response, err := dialRaw(usher.url, header)
	if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Fatalf("got %v, %v; want 403", response, err)
	}
	usher.log.waitFor(t, usher.exited, `http://evil\.example`)
	usher.log.waitFor(t, usher.exited, `allowed_origins`)
}

func TestSubprotocolIsTheFirstThatIsSpoken(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	for _, c := range []struct {
		offer []string // header lines
		want  string
	}{
		{[]string{"wamp.2.json, wamp.2.msgpack"}, "wamp.2.json"},
		{[]string{"wamp.2.msgpack, wamp.2.json"}, "wamp.2.msgpack"},
		{[]string{"wamp.2.ubjson.batched, wamp.2.cbor.batched"}, "wamp.2.cbor.batched"},
		{[]string{"wamp.2.ubjson", "wamp.2.cbor,wamp.2.json"}, "wamp.2.cbor"},
	} {
		p, _, err := dialRaw(usher.url, http.Header{"Sec-Websocket-Protocol": c.offer})
		if err != nil {
			t.Errorf("%q: %v", c.offer, err)
			continue
		}
		if p.Subprotocol() != c.want {
			t.Errorf("%q: got %q, want %q", c.offer, p.Subprotocol(), c.want)
		}
		p.Close()
	}
	_, response, err := dialRaw(usher.url, http.Header{"Sec-Websocket-Protocol": {"mqtt"}})
	if err == nil || response == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("no subprotocol in common: %v, %v; want 400", response, err)
	}
}

// The specification's separator of json.batched is 0x1e; Autobahn|Python writes
// and expects 0x18. Each is answered with its own.
func TestSeparatorOfBatchedJSON(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	for _, separator := range []byte{0x1e, 0x18} {
		p := dial(t, usher.url, "wamp.2.json.batched")
		hello := append([]byte(`[1,"realm1",{"roles":{"caller":{}}}]`), separator)
		if err := p.WriteMessage(websocket.TextMessage, hello); err != nil {
			t.Fatal(err)
		}
		call := `[48,1,{},"com.example.none"]` + string(separator) + `[48,2,{},"com.example.none"]` + string(separator)
		if err := p.WriteMessage(websocket.TextMessage, []byte(call)); err != nil {
			t.Fatal(err)
		}
		var messages []string
		for len(messages) < 3 {
			if err := p.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			_, data, err := p.ReadMessage()
			if err != nil {
				t.Fatalf("separator %#x: %v after %q", separator, err, messages)
			}
			batch, found := strings.CutSuffix(string(data), string(separator))
			if !found {
				t.Fatalf("separator %#x: a batch ends in %q", separator, data)
			}
			messages = append(messages, strings.Split(batch, string(separator))...)
		}
		for i, begins := range []string{"[2,", "[8,48,1,", "[8,48,2,"} {
			if !strings.HasPrefix(messages[i], begins) {
				t.Errorf("separator %#x: message %d is %q, want %s…", separator, i, messages[i], begins)
			}
		}
	}
}

// nexus' Go client sends null as AUTHENTICATE.Extra.
func TestAuthenticateWithNull(t *testing.T) {
	usher := startUsher(t, usherOptions{})
	p := dial(t, usher.url)
	p.hello("ticket", "joe")
	p.expect(4, "ticket")
	p.send(5, "secret!!!", nil)
	p.expect(2)
}

// wampy over CBOR sends undefined options, and large ids as floats.
func TestUndefinedOptionsAndIdsAsFloats(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	p := dial(t, usher.url, "wamp.2.cbor")
	exchange := func(message any) (answer []any) {
		t.Helper()
		b, err := cbor.Marshal(message)
		if err == nil {
			err = p.WriteMessage(websocket.BinaryMessage, b)
		}
		if err == nil {
			err = p.SetReadDeadline(time.Now().Add(patience))
		}
		if err == nil {
			_, b, err = p.ReadMessage()
		}
		if err == nil {
			err = cbor.Unmarshal(b, &answer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	undefined := cbor.RawMessage{0xf7}
	if m := exchange([]any{1, "realm1", map[string]any{"roles": map[string]any{"subscriber": map[string]any{}}, "authid": undefined}}); m[0] != uint64(2) {
		t.Fatalf("got %v, want WELCOME", m)
	}
	m := exchange([]any{32, 1, map[string]any{"match": undefined, "get_retained": undefined}, "com.example.topic1"})
	if m[0] != uint64(33) {
		t.Fatalf("got %v, want SUBSCRIBED", m)
	}
	subscription := m[2].(uint64)
	if subscription > 1<<32 {
		t.Errorf("subscription id %d does not start small", subscription)
	}
	if m := exchange([]any{34, 2.0, float64(subscription)}); m[0] != uint64(35) {
		t.Fatalf("got %v, want UNSUBSCRIBED", m)
	}
}

// A binary argument and a large integer arrive at a subscriber of another format
// as what they are.
func TestValuesKeepTheirTypesBetweenFormats(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	subscriber := join(t, usher.url)
	subscriber.send(32, subscriber.request(), map[string]any{}, "com.example.topic1")
	subscriber.expect(33)
	p := dial(t, usher.url, "wamp.2.cbor")
	for _, message := range []any{
		[]any{1, "realm1", map[string]any{"roles": map[string]any{"publisher": map[string]any{}}}},
		[]any{16, 1, map[string]any{}, "com.example.topic1", []any{[]byte{0xff, 0}, uint64(1) << 53, 2.5, "é\U0001F600", nil, map[string]any{"a": []any{true}}}},
	} {
		b, err := cbor.Marshal(message)
		if err == nil {
			err = p.WriteMessage(websocket.BinaryMessage, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	event := subscriber.expect(36)
	got, err := json.Marshal(event[4])
	if err != nil {
		t.Fatal(err)
	}
	if want := `["\u0000/wA=",9007199254740992,2.5,"é😀",null,{"a":[true]}]`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a login may not do: after each the connection ends.
func TestBrokenHandshakes(t *testing.T) {
	usher := startUsher(t, usherOptions{})
	for _, c := range []struct {
		name, message, reason string
	}{
		{"message before HELLO", `[48,1,{},"com.example.add2",[1,2]]`, "wamp.error.protocol_violation"},
		{"no such realm", `[1,"nowhere",{"roles":{"caller":{}},"authmethods":["ticket"],"authid":"joe"}]`, "wamp.error.no_such_realm"},
		{"no method in common", `[1,"realm1",{"roles":{"caller":{}},"authmethods":["wampcra"],"authid":"joe"}]`, "wamp.error.no_matching_auth_method"},
		{"no authid", `[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"]}]`, ""},
		{"no JSON", `hello`, "wamp.error.protocol_violation"},
		{"unknown type", `[99]`, "wamp.error.protocol_violation"},
		{"wrong type", `[1,7,{}]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dial(t, usher.url)
			if err := p.WriteMessage(websocket.TextMessage, []byte(c.message)); err != nil {
				t.Fatal(err)
			}
			messages := p.expectClose()
			if len(messages) != 1 || messages[0][0] != 3.0 || c.reason != "" && messages[0][2] != c.reason {
				t.Errorf("got %v, want one ABORT %s", messages, c.reason)
			}
		})
	}
}

// A refusal ends the connection: nobody guesses tickets on one.
func TestSecondAuthenticateFindsNobody(t *testing.T) {
	usher := startUsher(t, usherOptions{})
	p, decision := login(t, usher.url, "joe", "wrong")
	if decision[0] != 3.0 || decision[2] != "com.example.invalid_ticket" {
		t.Fatalf("got %v, want ABORT com.example.invalid_ticket", decision)
	}
	_ = p.trySend(5, "secret!!!", map[string]any{}) // it may find the connection closed
	if messages := p.expectClose(); slices.ContainsFunc(messages, func(m []any) bool { return m[0] == 2.0 }) {
		t.Error("the second AUTHENTICATE was accepted")
	}
}
