package codec_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"

	"usher/router/codec"
	"usher/router/wamp"
)

var formats = []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR}

// oracle encodes v with the library of the format, not with this package.
func oracle(t testing.TB, f wamp.Format, v any) []byte {
	t.Helper()
	var b []byte
	var err error
	switch f {
	case wamp.JSON:
		b, err = json.Marshal(v)
	case wamp.MessagePack:
		b, err = msgpack.Marshal(v)
	case wamp.CBOR:
		b, err = cbor.Marshal(v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type (
	list = []any
	dict = map[string]any
)

// messages is every message that Decode knows: what other libraries would send,
// and what it means. Payloads and values are those given, where there are any.
var messages = []struct {
	name string
	wire list
	want func(payload wamp.Payload, v wamp.Value) wamp.Message
}{
	{"HELLO", list{1, "realm1", dict{
		"roles":       dict{"caller": dict{"features": dict{"caller_identification": true, "call_timeout": false, "call_canceling": nil, "unknown": true}, "other": dict{}}, "callee": dict{"features": nil, "reflection": nil}, "stranger": dict{}},
		"authmethods": list{"ticket", "anonymous"}, "authid": "joe", "authrole": "frontend", "agent": "test", "authextra": dict{"k": "v"}, "other": list{1, dict{"x": nil}},
	}}, func(_ wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Hello{
			Realm: "realm1", Authmethods: []string{"ticket", "anonymous"}, HasAuthmethods: true,
			Authid: "joe", Authrole: "frontend", Agent: "test", Authextra: v,
			Roles: wamp.Roles{Caller: wamp.RoleFeatures{Present: true, Features: wamp.FeatureCallerIdentification}, Callee: wamp.RoleFeatures{Present: true}},
		}
	}},
	{"HELLO without a realm", list{1, nil, dict{"roles": dict{}}}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Hello{} }},
	{"HELLO with no methods", list{1, "r", dict{"roles": dict{}, "authmethods": list{}, "authid": nil, "authextra": nil}}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Hello{Realm: "r", HasAuthmethods: true}
	}},
	{"WELCOME", list{2, uint64(1) << 53, dict{
		"roles": dict{"broker": dict{"features": dict{"pattern_based_subscription": true}, "reflection": true}, "dealer": dict{"reflection": true}},
		"realm": "r", "authid": "joe", "authrole": "frontend", "authmethod": "ticket", "authprovider": "dynamic", "agent": "usher", "authextra": dict{"k": "v"},
	}}, func(_ wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Welcome{
			Session: wamp.MaxID, Realm: "r", Authid: "joe", Authrole: "frontend", Authmethod: "ticket", Authprovider: "dynamic", Agent: "usher", Authextra: v,
			Roles: wamp.Roles{Broker: wamp.RoleFeatures{Present: true, Reflection: true, Features: wamp.FeaturePatternBasedSubscription}, Dealer: wamp.RoleFeatures{Present: true, Reflection: true}},
		}
	}},
	{"ABORT", list{3, dict{"message": "no"}, "wamp.error.no_such_realm"}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Abort{Reason: "wamp.error.no_such_realm", Message: "no"}
	}},
	{"CHALLENGE", list{4, "ticket", dict{"k": "v"}}, func(_ wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Challenge{Method: "ticket", Extra: v}
	}},
	{"AUTHENTICATE", list{5, "secret", dict{"k": "v"}}, func(_ wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Authenticate{Signature: "secret", Extra: v}
	}},
	{"AUTHENTICATE with null", list{5, "secret", nil}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Authenticate{Signature: "secret"}
	}},
	{"GOODBYE", list{6, dict{"message": 5}, "wamp.close.normal"}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Goodbye{Reason: "wamp.close.normal"}
	}},
	{"ERROR", list{8, 48, 7, dict{"x": 1}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Error{RequestType: wamp.TypeCall, Request: 7, URI: "a.b", Payload: p}
	}},
	{"PUBLISH", list{16, 7, dict{"acknowledge": true, "exclude_me": false, "disclose_me": true, "retain": true}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Publish{Request: 7, Topic: "a.b", Options: wamp.PublishOptions{Acknowledge: true, ExcludeMe: wamp.False, DiscloseMe: wamp.True, Retain: true}, Payload: p}
	}},
	{"PUBLISH with null options", list{16, 7, dict{"acknowledge": nil, "exclude_me": nil}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Publish{Request: 7, Topic: "a.b", Payload: p}
	}},
	{"PUBLISHED", list{17, 7, 8}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Published{Request: 7, Publication: 8} }},
	{"SUBSCRIBE", list{32, 7, dict{"match": "wildcard", "get_retained": true}, "a..b"}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Subscribe{Request: 7, Options: wamp.SubscribeOptions{Match: wamp.Wildcard, GetRetained: true}, Topic: "a..b"}
	}},
	{"SUBSCRIBED", list{33, 7, 8}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Subscribed{Request: 7, Subscription: 8} }},
	{"UNSUBSCRIBE", list{34, 7, 8}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Unsubscribe{Request: 7, Subscription: 8} }},
	{"UNSUBSCRIBED", list{35, 7}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Unsubscribed{Request: 7} }},
	{"UNSUBSCRIBED by the router", list{35, 0, dict{"subscription": 8, "reason": "moved"}}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Unsubscribed{Subscription: 8, Reason: "moved"}
	}},
	{"EVENT", list{36, 7, 8, dict{"publisher": 9, "publisher_authid": "joe", "publisher_authrole": "role", "topic": "a.b", "retained": true, "trustlevel": 0}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Event{Subscription: 7, Publication: 8, Details: wamp.EventDetails{Publisher: 9, PublisherAuthid: "joe", PublisherAuthrole: "role", Topic: "a.b", Retained: true, Trustlevel: wamp.Trustlevel{Given: true}}, Payload: p}
	}},
	{"CALL", list{48, 7, dict{"disclose_me": false, "timeout": 5, "receive_progress": true, "progress": true, "x_other": list{1}}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Call{Request: 7, Options: wamp.CallOptions{DiscloseMe: wamp.False, Timeout: 5, ReceiveProgress: true, Progress: true}, Procedure: "a.b", Payload: p}
	}},
	{"CANCEL", list{49, 7, dict{"mode": "kill"}}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Cancel{Request: 7, Mode: "kill"} }},
	{"INTERRUPT", list{69, 7, dict{"mode": "killnowait", "reason": "wamp.error.canceled", "x_other": 1}}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Interrupt{Request: 7, Mode: "killnowait", Reason: "wamp.error.canceled"}
	}},
	{"RESULT", list{50, 7, dict{"progress": false}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Result{Request: 7, Payload: p}
	}},
	{"RESULT that is not final", list{50, 7, dict{"progress": true}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Result{Request: 7, Progress: true, Payload: p}
	}},
	{"REGISTER", list{64, 7, dict{"match": "prefix", "invoke": "roundrobin", "disclose_caller": true, "concurrency": 3, "force_reregister": true, "forward_timeout": true}, "a.b"}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Register{Request: 7, Options: wamp.RegisterOptions{Match: wamp.Prefix, Invoke: "roundrobin", DiscloseCaller: wamp.True, Concurrency: 3, ForceReregister: true, ForwardTimeout: true}, Procedure: "a.b"}
	}},
	{"REGISTERED", list{65, 7, 8}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Registered{Request: 7, Registration: 8} }},
	{"UNREGISTER", list{66, 7, 8}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Unregister{Request: 7, Registration: 8} }},
	{"UNREGISTERED", list{67, 7}, func(wamp.Payload, wamp.Value) wamp.Message { return &wamp.Unregistered{Request: 7} }},
	{"UNREGISTERED by the router", list{67, 0, dict{"registration": 8}}, func(wamp.Payload, wamp.Value) wamp.Message {
		return &wamp.Unregistered{Registration: 8}
	}},
	{"INVOCATION", list{68, 7, 8, dict{"caller": 9, "caller_authid": "joe", "caller_authrole": "role", "procedure": "a.b", "timeout": 1, "receive_progress": true, "progress": true, "trustlevel": 2}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Invocation{Request: 7, Registration: 8, Details: wamp.InvocationDetails{Caller: 9, CallerAuthid: "joe", CallerAuthrole: "role", Procedure: "a.b",
			Timeout: 1, ReceiveProgress: true, Progress: true, Trustlevel: wamp.Trustlevel{Level: 2, Given: true}}, Payload: p}
	}},
	{"YIELD", list{70, 7, dict{"progress": false}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Yield{Request: 7, Payload: p}
	}},
	{"YIELD that is not final", list{70, 7, dict{"progress": true}, list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Yield{Request: 7, Progress: true, Payload: p}
	}},
	{"PUBLISH to some", list{16, 7, dict{"exclude": list{1, 2}, "eligible": list{}, "exclude_authid": list{"a"}, "eligible_authid": list{"b", "c"}, "exclude_authrole": list{"d"}, "eligible_authrole": list{"e"}}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Publish{Request: 7, Topic: "a.b", Payload: p, Options: wamp.PublishOptions{Audience: &wamp.Audience{
			Exclude: []wamp.ID{1, 2}, Eligible: []wamp.ID{}, ExcludeAuthid: []string{"a"}, EligibleAuthid: []string{"b", "c"},
			ExcludeAuthrole: []string{"d"}, EligibleAuthrole: []string{"e"},
		}}}
	}},
	{"PUBLISH to some, passed through", list{16, 7, withPassthru("eligible", list{3}), "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Publish{Request: 7, Topic: "a.b", Payload: p, Options: wamp.PublishOptions{Audience: &wamp.Audience{Eligible: []wamp.ID{3}}, Passthru: passthru()}}
	}},
	{"PUBLISH of binary data", list{16, 7, dict{"enc_algo": "cryptobox", "enc_serializer": "cbor", "enc_key": "k"}, "a.b", blob("\x01\x02")}, func(p wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Publish{Request: 7, Topic: "a.b", Payload: wamp.Payload{Format: p.Format, Args: binary(p.Format)},
			Options: wamp.PublishOptions{Passthru: &wamp.Passthru{EncAlgo: "cryptobox", EncSerializer: "cbor", EncKey: "k"}}}
	}},
	{"RESULT of binary data", list{50, 7, dict{"enc_algo": "mqtt"}, blob("\x01\x02")}, func(p wamp.Payload, v wamp.Value) wamp.Message {
		return &wamp.Result{Request: 7, Passthru: &wamp.Passthru{EncAlgo: "mqtt"}, Payload: wamp.Payload{Format: p.Format, Args: binary(p.Format)}}
	}},
	{"EVENT passed through", list{36, 7, 8, withPassthru("topic", "a.b"), list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Event{Subscription: 7, Publication: 8, Details: wamp.EventDetails{Topic: "a.b", Passthru: passthru()}, Payload: p}
	}},
	{"CALL passed through", list{48, 7, withPassthru("progress", true), "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Call{Request: 7, Options: wamp.CallOptions{Progress: true, Passthru: passthru()}, Procedure: "a.b", Payload: p}
	}},
	{"CALL with a cipher, but no scheme", list{48, 7, dict{"ppt_cipher": "c", "ppt_scheme": ""}, "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Call{Request: 7, Procedure: "a.b", Payload: p}
	}},
	{"INVOCATION passed through", list{68, 7, 8, withPassthru("procedure", "a.b"), list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Invocation{Request: 7, Registration: 8, Details: wamp.InvocationDetails{Procedure: "a.b", Passthru: passthru()}, Payload: p}
	}},
	{"YIELD passed through", list{70, 7, withPassthru("progress", true), list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Yield{Request: 7, Progress: true, Passthru: passthru(), Payload: p}
	}},
	{"RESULT passed through", list{50, 7, withPassthru("progress", true), list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Result{Request: 7, Progress: true, Passthru: passthru(), Payload: p}
	}},
	{"ERROR passed through", list{8, 68, 7, withPassthru("x", 1), "a.b", list{"args"}, dict{"k": "v"}}, func(p wamp.Payload, _ wamp.Value) wamp.Message {
		return &wamp.Error{RequestType: wamp.TypeInvocation, Request: 7, Passthru: passthru(), URI: "a.b", Payload: p}
	}},
}

func passthru() *wamp.Passthru {
	return &wamp.Passthru{Scheme: "wamp", Serializer: "cbor", Cipher: "aes256gcm", KeyID: "0x1"}
}

// withPassthru are options with those of passthru and one more.
func withPassthru(key string, value any) dict {
	return dict{"ppt_scheme": "wamp", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm", "ppt_keyid": "0x1", key: value}
}

// blob is binary data as each format has it.
type blob []byte

// MarshalJSON implements json.Marshaler in WAMP's convention.
func (b blob) MarshalJSON() ([]byte, error) {
	return json.Marshal("\x00" + base64.StdEncoding.EncodeToString(b))
}

// binary is the encoded blob of the table.
func binary(f wamp.Format) []byte {
	switch f {
	case wamp.JSON:
		return []byte(`"\u0000AQI="`)
	case wamp.MessagePack:
		return []byte{0xc4, 2, 1, 2}
	}
	return []byte{0x42, 1, 2}
}

// payloadElements is how many elements at the end of a message are its payload.
func payloadElements(wire list) int {
	if _, is := wire[len(wire)-1].(blob); is {
		return 1
	}
	if _, is := wire[len(wire)-2].(list); is {
		return 2
	}
	return 0
}

// What other libraries send is understood, and what Append writes is understood
// in the same way, in each format.
func TestDecodeMessages(t *testing.T) {
	for _, f := range formats {
		payload := wamp.Payload{Format: f, Args: oracle(t, f, list{"args"}), Kwargs: oracle(t, f, dict{"k": "v"})}
		value := wamp.Value{Format: f, Bytes: oracle(t, f, dict{"k": "v"})}
		var d codec.Decoder // what one message has must not show in the next
		for _, c := range messages {
			t.Run(f.String()+"/"+c.name, func(t *testing.T) {
				want := c.want(payload, value)
				got, err := d.Decode(f, oracle(t, f, c.wire))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("Decode = %+v\nwant     %+v", got, want)
				}
				again, err := codec.Append(nil, f, want)
				if err != nil {
					t.Fatal(err)
				}
				if a, ok := want.(*wamp.Authenticate); ok && a.Extra.Absent() {
					a.Extra = wamp.Value{Format: f, Bytes: oracle(t, f, dict{})} // as it must be sent
				}
				if got, err = d.Decode(f, again); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("Decode of what Append wrote = %+v, %v\nwant %+v", got, err, want)
				}
			})
		}
	}
}

// Every message refuses to end early and to go on after its end, in each format,
// whatever its elements.
func TestDecodeWrongNumberOfElements(t *testing.T) {
	for _, f := range formats {
		for _, c := range messages {
			var d codec.Decoder
			least := len(c.wire) - payloadElements(c.wire)
			for n := range c.wire {
				_, err := d.Decode(f, oracle(t, f, c.wire[:n]))
				if (err == nil) != (n >= least) {
					t.Errorf("%s %s of %d elements: %v", f, c.name, n, err)
				}
			}
			more := append(append(list{}, c.wire...), list{}, dict{}, 1)
			if m, err := d.Decode(f, oracle(t, f, more)); err == nil {
				t.Errorf("%s %s of %d elements is accepted: %+v", f, c.name, len(more), m)
			}
		}
	}
}

// Every prefix of a message is refused, and every message with a byte behind it.
func TestDecodeTruncated(t *testing.T) {
	for _, f := range formats {
		for _, c := range messages {
			var d codec.Decoder
			data := oracle(t, f, c.wire)
			for n := range data {
				if m, err := d.Decode(f, data[:n]); err == nil {
					t.Fatalf("%s %s: the first %d bytes of %d are accepted: %+v", f, c.name, n, len(data), m)
				}
			}
			if m, err := d.Decode(f, append(data, '0')); err == nil {
				t.Errorf("%s %s with a byte behind it is accepted: %+v", f, c.name, m)
			}
		}
	}
}

// unhex lets a table spell MessagePack and CBOR.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeRefuses(t *testing.T) {
	cases := []struct {
		name string
		f    wamp.Format
		data string // JSON, or hexadecimal
		want string
	}{
		{"nothing", wamp.JSON, ``, `the data ends in the middle of a value (offset 0)`},
		{"no format", 0, `[]`, `the data has no format (offset 0)`},
		{"unknown format", 4, `[]`, `the data has no format (offset 0)`},
		{"not a list", wamp.JSON, `{}`, `a message must be a list, got a dict (offset 0)`},
		{"empty list", wamp.JSON, `[]`, `the message ends before the message type (offset 2)`},
		{"type 0", wamp.JSON, `[0]`, `0 is no message type known here (offset 1)`},
		{"type 7", wamp.JSON, `[7,1]`, `7 is no message type known here (offset 1)`},
		{"type 256+48", wamp.JSON, `[304,1,{},"a"]`, `304 is no message type known here (offset 1)`},
		{"type 2^64", wamp.JSON, `[18446744073709551616,1,{},"a"]`, `the message type must be a small integer (offset 1)`},
		{"negative type", wamp.JSON, `[-48,1,{},"a"]`, `the message type must be a small integer (offset 1)`},
		{"fractional type", wamp.JSON, `[48.5,1,{},"a"]`, `the message type must be a small integer (offset 1)`},
		{"type is a string", wamp.JSON, `["48",1,{},"a"]`, `the message type must be an integer, got a string (offset 1)`},
		{"id 0", wamp.JSON, `[48,0,{},"a"]`, `CALL.Request must be an id from 1 to 2^53 (offset 4)`},
		{"id 2^53+1", wamp.JSON, `[48,9007199254740993,{},"a"]`, `CALL.Request must be an id from 1 to 2^53 (offset 4)`},
		{"id 1.5", wamp.JSON, `[48,1.5,{},"a"]`, `CALL.Request must be an id from 1 to 2^53 (offset 4)`},
		{"id -1", wamp.JSON, `[48,-1,{},"a"]`, `CALL.Request must be an id from 1 to 2^53 (offset 4)`},
		{"id 1e400", wamp.JSON, `[48,1e400,{},"a"]`, `CALL.Request must be an id from 1 to 2^53 (offset 4)`},
		{"id null", wamp.JSON, `[48,null,{},"a"]`, `CALL.Request must be an integer, got null (offset 4)`},
		{"id true", wamp.JSON, `[48,true,{},"a"]`, `CALL.Request must be an integer, got a boolean (offset 4)`},
		{"UNREGISTERED id 2^53+1", wamp.JSON, `[67,9007199254740993]`, `UNREGISTERED.Request must be an id from 1 to 2^53, or 0 (offset 4)`},
		{"timeout 2^53+1", wamp.JSON, `[48,1,{"timeout":9007199254740993},"a"]`, `CALL.Options.timeout must be a number of milliseconds (offset 17)`},
		{"trustlevel 2^31", wamp.JSON, `[36,1,1,{"trustlevel":2147483648}]`, `EVENT.Details.trustlevel must be an integer from 0 to 2^31-1 (offset 22)`},
		{"ERROR type 256+48", wamp.JSON, `[8,304,1,{},"a"]`, `ERROR.RequestType must be the type of a request (offset 3)`},
		{"ERROR type 0", wamp.JSON, `[8,0,1,{},"a"]`, `ERROR.RequestType must be the type of a request (offset 3)`},
		{"options list", wamp.JSON, `[48,1,[],"a"]`, `CALL.Options must be a dict, got a list (offset 6)`},
		{"options null", wamp.JSON, `[48,1,null,"a"]`, `CALL.Options must be a dict, got null (offset 6)`},
		{"procedure number", wamp.JSON, `[48,1,{},5]`, `CALL.Procedure must be a string, got an integer (offset 9)`},
		{"args dict", wamp.JSON, `[48,1,{},"a",{}]`, `CALL.Arguments must be a list, got a dict (offset 13)`},
		{"kwargs list", wamp.JSON, `[48,1,{},"a",[],[]]`, `CALL.ArgumentsKw must be a dict, got a list (offset 16)`},
		{"too many", wamp.JSON, `[48,1,{},"a",[],{},1]`, `CALL has too many elements (offset 19)`},
		{"trailing", wamp.JSON, `[48,1,{},"a"]x`, `there is data behind the end of the message (offset 13)`},
		{"two messages", wamp.JSON, `[48,1,{},"a"][48,1,{},"a"]`, `there is data behind the end of the message (offset 13)`},
		{"comma at end", wamp.JSON, `[48,1,{},"a",]`, `there is a comma before ']' (offset 13)`},
		{"no comma", wamp.JSON, `[48 1,{},"a"]`, `a comma or ']' must come here (offset 4)`},
		{"two commas", wamp.JSON, `[48,,1,{},"a"]`, `CALL.Request must be an integer, got something malformed (offset 4)`},
		{"payload trailing comma", wamp.JSON, `[48,1,{},"a",[1,]]`, `a value must come here (offset 16)`},
		{"payload no colon", wamp.JSON, `[48,1,{},"a",[{"x" 1}]]`, `a colon must follow a key (offset 19)`},
		{"payload number key", wamp.JSON, `[48,1,{},"a",[{1:1}]]`, `a key must be a string (offset 15)`},
		{"payload wrong bracket", wamp.JSON, `[48,1,{},"a",[1}]`, `a comma or a closing bracket must come here (offset 15)`},
		{"payload leading zero", wamp.JSON, `[48,1,{},"a",[01]]`, `a number is malformed (offset 14)`},
		{"payload +1", wamp.JSON, `[48,1,{},"a",[+1]]`, `a value must come here (offset 14)`},
		{"payload .5", wamp.JSON, `[48,1,{},"a",[.5]]`, `a value must come here (offset 14)`},
		{"payload 1.", wamp.JSON, `[48,1,{},"a",[1.]]`, `a number is malformed (offset 14)`},
		{"payload 1e", wamp.JSON, `[48,1,{},"a",[1e]]`, `a number is malformed (offset 14)`},
		{"payload -", wamp.JSON, `[48,1,{},"a",[-]]`, `a number is malformed (offset 14)`},
		{"payload NaN", wamp.JSON, `[48,1,{},"a",[NaN]]`, `a value must come here (offset 14)`},
		{"payload True", wamp.JSON, `[48,1,{},"a",[True]]`, `a value must come here (offset 14)`},
		{"payload nul", wamp.JSON, `[48,1,{},"a",[nul]]`, `a value must come here (offset 14)`},
		{"payload nullx", wamp.JSON, `[48,1,{},"a",[nullx]]`, `a comma or a closing bracket must come here (offset 18)`},
		{"payload control", wamp.JSON, "[48,1,{},\"a\",[\"a\nb\"]]", `a string has a control character, which must be escaped (offset 16)`},
		{"payload nul byte", wamp.JSON, "[48,1,{},\"a\",[\"\x00\"]]", `a string has a control character, which must be escaped (offset 15)`},
		{"payload \\x", wamp.JSON, `[48,1,{},"a",["\x41"]]`, `an escape is malformed (offset 15)`},
		{"payload \\u12", wamp.JSON, `[48,1,{},"a",["\u12g4"]]`, `an escape is malformed (offset 15)`},
		{"payload utf8", wamp.JSON, "[48,1,{},\"a\",[\"abcdefghijk\xff\"]]", `a string is not valid UTF-8 (offset 14)`},
		{"payload overlong", wamp.JSON, "[48,1,{},\"a\",[\"\xc0\x80\"]]", `a string is not valid UTF-8 (offset 14)`},
		{"payload surrogate", wamp.JSON, "[48,1,{},\"a\",[\"\xed\xa0\x80\"]]", `a string is not valid UTF-8 (offset 14)`},
		{"payload key utf8", wamp.JSON, "[48,1,{},\"a\",[{\"\xff\":1}]]", `a string is not valid UTF-8 (offset 15)`},
		{"payload BOM", wamp.JSON, "\xef\xbb\xbf[48,1,{},\"a\"]", `a message must be a list, got something malformed (offset 0)`},
		{"payload comment", wamp.JSON, `[48,1,{},"a",[1/**/]]`, `a comma or a closing bracket must come here (offset 15)`},
		{"payload nbsp", wamp.JSON, "[48,1,{},\"a\",[\u00a01]]", `a value must come here (offset 14)`},
		{"payload form feed", wamp.JSON, "[48,1,{},\"a\",[\f1]]", `a value must come here (offset 14)`},
		{"uri utf8", wamp.JSON, "[48,1,{},\"\xff\"]", `a string is not valid UTF-8 (offset 9)`},
		{"disclose_me number", wamp.JSON, `[48,1,{"disclose_me":1},"a"]`, `CALL.Options.disclose_me must be a boolean, got an integer (offset 21)`},
		{"match unknown", wamp.JSON, `[32,1,{"match":"regexp"},"a"]`, `SUBSCRIBE.Options.match must be exact, prefix or wildcard (offset 15)`},
		{"match number", wamp.JSON, `[32,1,{"match":5},"a"]`, `SUBSCRIBE.Options.match must be a string, got an integer (offset 15)`},
		{"authid number", wamp.JSON, `[1,"r",{"roles":{},"authid":5}]`, `HELLO.Details.authid must be a string, got an integer (offset 28)`},
		{"roles list", wamp.JSON, `[1,"r",{"roles":[]}]`, `HELLO.Details.roles must be a dict, got a list (offset 16)`},
		{"role bool", wamp.JSON, `[1,"r",{"roles":{"caller":true}}]`, `HELLO.Details.roles[] must be a dict, got a boolean (offset 26)`},
		{"feature number", wamp.JSON, `[1,"r",{"roles":{"caller":{"features":{"call_timeout":1}}}}]`, `HELLO.Details.roles[].features[] must be a boolean, got an integer (offset 54)`},
		{"authmethods string", wamp.JSON, `[1,"r",{"roles":{},"authmethods":"ticket"}]`, `HELLO.Details.authmethods must be a list, got a string (offset 33)`},
		{"authmethods number", wamp.JSON, `[1,"r",{"roles":{},"authmethods":[1]}]`, `HELLO.Details.authmethods[] must be a string, got an integer (offset 34)`},
		{"authmethods 33", wamp.JSON, `[1,"r",{"roles":{},"authmethods":["a"` + strings.Repeat(`,"a"`, 32) + `]}]`, `HELLO.Details.authmethods has more than 32 entries (offset 162)`},
		{"authextra list", wamp.JSON, `[1,"r",{"roles":{},"authextra":[]}]`, `HELLO.Details.authextra must be a dict, got a list (offset 31)`},
		{"AUTHENTICATE.Extra list", wamp.JSON, `[5,"s",[]]`, `AUTHENTICATE.Extra must be a dict, got a list (offset 7)`},
		{"AUTHENTICATE.Signature number", wamp.JSON, `[5,5,{}]`, `AUTHENTICATE.Signature must be a string, got an integer (offset 3)`},

		{"msgpack never used", wamp.MessagePack, `c1`, `a byte is no MessagePack value (offset 0)`},
		{"msgpack never used in payload", wamp.MessagePack, `95 30 01 80 a161 91 c1`, `a byte is no MessagePack value (offset 7)`},
		{"msgpack list length", wamp.MessagePack, `95 30 01 80 a161 dd ffffffff`, `a length is larger than the data (offset 6)`},
		{"msgpack map length", wamp.MessagePack, `95 30 01 80 a161 91 df 80000000`, `a length is larger than the data (offset 7)`},
		{"msgpack str length", wamp.MessagePack, `95 30 01 80 a161 91 db ffffffff 61`, `a length is larger than the data (offset 7)`},
		{"msgpack bin length", wamp.MessagePack, `95 30 01 80 a161 91 c6 ffffffff 61`, `a length is larger than the data (offset 7)`},
		{"msgpack ext length", wamp.MessagePack, `95 30 01 80 a161 91 c9 ffffffff 01`, `a length is larger than the data (offset 7)`},
		{"msgpack utf8", wamp.MessagePack, `95 30 01 80 a161 91 a1ff`, `a string is not valid UTF-8 (offset 7)`},
		{"msgpack kwargs int key", wamp.MessagePack, `96 30 01 80 a161 90 81 01 01`, `a dict has a key that is an integer, not a string (offset 8)`},
		{"msgpack options int key", wamp.MessagePack, `94 30 01 81 01 01 a161`, `a dict has a key that is an integer, not a string (offset 4)`},
		{"msgpack uri is bin", wamp.MessagePack, `94 30 01 80 c40161`, `CALL.Procedure must be a string, got binary data (offset 4)`},
		{"msgpack nan id", wamp.MessagePack, `94 30 cb7ff8000000000000 80 a161`, `CALL.Request must be an id from 1 to 2^53 (offset 2)`},
		{"msgpack inf id", wamp.MessagePack, `94 30 cb7ff0000000000000 80 a161`, `CALL.Request must be an id from 1 to 2^53 (offset 2)`},
		{"msgpack ext id", wamp.MessagePack, `94 30 d40100 80 a161`, `CALL.Request must be an integer, got an extension (offset 2)`},

		{"cbor reserved", wamp.CBOR, `1c`, `a byte is no CBOR value (offset 0)`},
		{"cbor break alone", wamp.CBOR, `ff`, `an end must not come here (offset 0)`},
		{"cbor break in definite list", wamp.CBOR, `85 18 30 01 a0 6161 81 ff`, `an end must not come here (offset 8)`},
		{"cbor break after key", wamp.CBOR, `86 18 30 01 a0 6161 80 bf6161ff`, `a dict ends after a key (offset 11)`},
		{"cbor break after key in options", wamp.CBOR, `84 18 30 01 bf6161ff 6161`, `an end must not come here (offset 7)`},
		{"cbor tag before break", wamp.CBOR, `85 18 30 01 a0 6161 9f c1 ff`, `an end must not come here (offset 9)`},
		{"cbor indefinite int", wamp.CBOR, `1f`, `a byte is no CBOR value (offset 0)`},
		{"cbor indefinite tag", wamp.CBOR, `df 80`, `a byte is no CBOR value (offset 0)`},
		{"cbor chunk type", wamp.CBOR, `85 18 30 01 a0 6161 81 7f4161ff`, `a part of a string is malformed (offset 9)`},
		{"cbor nested chunks", wamp.CBOR, `85 18 30 01 a0 6161 81 7f7f6161ffff`, `a part of a string is malformed (offset 9)`},
		{"cbor chunk splits a character", wamp.CBOR, `85 18 30 01 a0 6161 81 7f61c361a4ff`, `a string is not valid UTF-8 (offset 9)`},
		{"cbor five tags", wamp.CBOR, `85 18 30 01 a0 6161 81 c1c1c1c1c100`, `a value has more than 4 tags (offset 12)`},
		{"cbor list length", wamp.CBOR, `85 18 30 01 a0 6161 9b ffffffffffffffff`, `a length is larger than the data (offset 7)`},
		{"cbor map length", wamp.CBOR, `85 18 30 01 a0 6161 81 bb 8000000000000000`, `a length is larger than the data (offset 8)`},
		{"cbor str length", wamp.CBOR, `85 18 30 01 a0 6161 81 7b ffffffffffffffff`, `a length is larger than the data (offset 8)`},
		{"cbor simple 24 in two bytes", wamp.CBOR, `85 18 30 01 a0 6161 81 f818`, `a byte is no CBOR value (offset 8)`},
		{"cbor kwargs int key", wamp.CBOR, `86 18 30 01 a0 6161 80 a1 01 01`, `a dict has a key that is an integer, not a string (offset 9)`},
		{"cbor utf8", wamp.CBOR, `85 18 30 01 a0 6161 81 61ff`, `a string is not valid UTF-8 (offset 8)`},
		{"cbor negative id", wamp.CBOR, `84 18 30 20 a0 6161`, `CALL.Request must be an id from 1 to 2^53 (offset 3)`},
		{"cbor nan16 id", wamp.CBOR, `84 18 30 f97e00 a0 6161`, `CALL.Request must be an id from 1 to 2^53 (offset 3)`},
		{"cbor bignum id", wamp.CBOR, `84 18 30 c24101 a0 6161`, `a big number or a reference has no form in other formats (offset 3)`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data := []byte(c.data)
			if c.f == wamp.MessagePack || c.f == wamp.CBOR {
				data = unhex(t, c.data)
			}
			var d codec.Decoder
			m, err := d.Decode(c.f, data)
			if err == nil {
				t.Fatalf("accepted: %+v", m)
			}
			var e *codec.Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is a %T", err)
			}
			if err.Error() != c.want {
				t.Errorf("%s\nwant: %s", err, c.want)
			}
			if e.Offset < 0 || e.Offset > len(data) {
				t.Errorf("the offset %d is outside of the data", e.Offset)
			}
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	call := &wamp.Call{Request: 1, Procedure: "a"}
	cases := []struct {
		name         string
		f            wamp.Format
		data         string
		args, kwargs string
	}{
		{"white space", wamp.JSON, " \t\r\n[ 48 , 1 , { } , \"a\" , [ 1 , { \"x\" : [ ] } ] , { } ] \n", `[ 1 , { "x" : [ ] } ]`, `{ }`},
		{"id 1.0", wamp.JSON, `[48,1.0,{},"a"]`, ``, ``},
		{"id 10e-1", wamp.JSON, `[48,10e-1,{},"a"]`, ``, ``},
		{"type 4.8e1", wamp.JSON, `[4.8e1,1,{},"a"]`, ``, ``},
		{"escaped URI", wamp.JSON, `[48,1,{},"\u0061"]`, ``, ``},
		{"escaped key", wamp.JSON, `[48,1,{"\u0064isclose_me":null},"a"]`, ``, ``},
		{"null args", wamp.JSON, `[48,1,{},"a",null]`, ``, ``},
		{"null args and kwargs", wamp.JSON, `[48,1,{},"a",null,null]`, ``, ``},
		{"null args, kwargs", wamp.JSON, `[48,1,{},"a",null,{"x":1}]`, ``, `{"x":1}`},
		{"lone surrogates", wamp.JSON, `[48,1,{},"a",["\ud800","\udc00x","\ud800\ud800"]]`, `["\ud800","\udc00x","\ud800\ud800"]`, ``},
		{"no value for a double", wamp.JSON, `[48,1,{},"a",[1e400,123456789012345678901234567890]]`, `[1e400,123456789012345678901234567890]`, ``},
		{"same key twice", wamp.JSON, `[48,1,{},"a",[{"x":1,"x":2}]]`, `[{"x":1,"x":2}]`, ``},
		{"msgpack float id", wamp.MessagePack, `94 30 cb3ff0000000000000 80 a161`, ``, ``},
		{"msgpack float32 id", wamp.MessagePack, `94 30 ca3f800000 80 a161`, ``, ``},
		{"msgpack positive int8 id", wamp.MessagePack, `94 d030 d00180 a161`, ``, ``},
		{"msgpack wide heads", wamp.MessagePack, `dd00000005 cf0000000000000030 d30000000000000001 df00000000 db0000000161 dd00000000`, `dd00000000`, ``},
		{"msgpack undefined option", wamp.MessagePack, `94 30 01 81 ab646973636c6f73655f6d65 d40000 a161`, ``, ``},
		{"msgpack undefined args", wamp.MessagePack, `96 30 01 80 a161 d40000 c70000`, ``, ``},
		{"msgpack extension in the payload", wamp.MessagePack, `95 30 01 80 a161 92 d6ff00000000 c7010580`, `92d6ff00000000c7010580`, ``},
		{"msgpack int keys below kwargs", wamp.MessagePack, `96 30 01 80 a161 90 81 a178 81 01 02`, `90`, `81a178810102`},
		{"cbor float16 id", wamp.CBOR, `84 18 30 f93c00 a0 6161`, ``, ``},
		{"cbor indefinite everything", wamp.CBOR, `9f 1830 01 bf6178 9fff ff 7f6161ff 9f5f4100ff7fffff bf 7f6178ff 01 ff ff`, `9f5f4100ff7fffff`, `bf7f6178ff01ff`},
		{"cbor undefined option", wamp.CBOR, `84 1830 01 a1 6b646973636c6f73655f6d65 f7 6161`, ``, ``},
		{"cbor tagged", wamp.CBOR, `85 1830 01 d9d9f7a0 6161 d9d9f7 80`, `d9d9f780`, ``},
		{"cbor self-described", wamp.CBOR, `d9d9f7 84 1830 01 a0 6161`, ``, ``},
		{"cbor bignum in the payload", wamp.CBOR, `85 1830 01 a0 6161 82 c249010000000000000000 f0`, `82c249010000000000000000f0`, ``},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, args, kwargs := []byte(c.data), []byte(c.args), []byte(c.kwargs)
			if c.f != wamp.JSON {
				data, args, kwargs = unhex(t, c.data), unhex(t, c.args), unhex(t, c.kwargs)
			}
			var d codec.Decoder
			m, err := d.Decode(c.f, data)
			if err != nil {
				t.Fatal(err)
			}
			got := *m.(*wamp.Call)
			if string(got.Payload.Args) != string(args) || string(got.Payload.Kwargs) != string(kwargs) {
				t.Errorf("payload %x, %x; want %x, %x", got.Payload.Args, got.Payload.Kwargs, args, kwargs)
			}
			got.Payload = wamp.Payload{}
			if !reflect.DeepEqual(got, *call) {
				t.Errorf("Decode = %+v, want %+v", got, *call)
			}
		})
	}
}

// Binary data in the place of the arguments has nothing behind it but null.
func TestDecodeBehindBinaryData(t *testing.T) {
	for _, f := range formats {
		var d codec.Decoder
		wire := list{48, 7, dict{"enc_algo": "mqtt"}, "a.b", blob("\x01\x02")}
		m, err := d.Decode(f, oracle(t, f, append(wire, nil)))
		if err != nil {
			t.Errorf("%s: null is refused: %v", f, err)
		} else if p := m.(*wamp.Call).Payload; string(p.Args) != string(binary(f)) || p.Kwargs != nil {
			t.Errorf("%s: payload %x, %x", f, p.Args, p.Kwargs)
		}
		for _, more := range []list{{dict{}}, {list{}}, {nil, nil}} {
			if m, err := d.Decode(f, oracle(t, f, append(wire, more...))); err == nil {
				t.Errorf("%s: %v is accepted: %+v", f, more, m)
			}
		}
	}
}

// Lists and dicts are bounded in depth over the whole message, without recursion.
func TestDecodeDepth(t *testing.T) {
	nested := func(f wamp.Format, n int, asDict bool) []byte {
		open, end := map[wamp.Format]string{wamp.JSON: "[", wamp.MessagePack: "\x91", wamp.CBOR: "\x81"}[f], ""
		inner := map[wamp.Format]string{wamp.JSON: "0", wamp.MessagePack: "\x00", wamp.CBOR: "\x00"}[f]
		if f == wamp.JSON {
			end = "]"
		}
		if asDict {
			open = map[wamp.Format]string{wamp.JSON: `{"":`, wamp.MessagePack: "\x81\xa0", wamp.CBOR: "\xbf\x60"}[f]
			end = map[wamp.Format]string{wamp.JSON: "}", wamp.MessagePack: "", wamp.CBOR: "\xff"}[f]
		}
		return []byte(strings.Repeat(open, n) + inner + strings.Repeat(end, n))
	}
	message := func(f wamp.Format, place, value string) []byte {
		parts := map[wamp.Format][]string{
			wamp.JSON:        {`[48,1,{"x":`, `},"a",[`, `]]`},
			wamp.MessagePack: {"\x95\x30\x01\x81\xa1x", "\xa1a\x91", ""},
			wamp.CBOR:        {"\x85\x18\x30\x01\xa1\x61x", "\x61a\x81", ""},
		}[f]
		null := map[wamp.Format]string{wamp.JSON: "null", wamp.MessagePack: "\xc0", wamp.CBOR: "\xf6"}[f]
		if place == "options" {
			return []byte(parts[0] + value + parts[1] + null + parts[2])
		}
		return []byte(parts[0] + null + parts[1] + value + parts[2])
	}
	for _, f := range formats {
		for _, asDict := range []bool{false, true} {
			for _, place := range []string{"options", "payload"} {
				var d codec.Decoder
				// The message and the options, or the arguments, are two of them.
				m := codec.MaxDepth - 2
				if _, err := d.Decode(f, message(f, place, string(nested(f, m, asDict)))); err != nil {
					t.Errorf("%s, %s %d deep: %v", f, place, codec.MaxDepth, err)
				}
				for _, n := range []int{m + 1, 100_000} {
					_, err := d.Decode(f, message(f, place, string(nested(f, n, asDict))))
					if err == nil || !strings.HasPrefix(err.Error(), "lists and dicts are nested more than 64 deep (offset ") {
						t.Errorf("%s, %s %d deep: %v", f, place, n+2, err)
					}
				}
			}
			var r codec.Reader
			r.Reset(f, nested(f, codec.MaxDepth+1, asDict))
			k := r.Next()
			for ; k != codec.KindInvalid && k != codec.KindUint; k = r.Next() {
			}
			if k != codec.KindInvalid {
				t.Errorf("%s: Reader reads what is %d deep", f, codec.MaxDepth+1)
			}
		}
	}
}

// Errors say where and what, and quote nothing of what was sent.
func TestDecodeQuotesNothing(t *testing.T) {
	for _, data := range []string{
		`[5,"TOPSECRET`, `[5,"TOPSECRET\x",{}]`, `[5,"TOPSECRET",{"TOPSECRET":TOPSECRET}]`, `[5,"TOPSECRET",["TOPSECRET"]]`, `[5,{"TOPSECRET":1},{}]`,
		`[48,1,{"disclose_me":"TOPSECRET"},"a"]`, `[32,1,{"match":"TOPSECRET"},"a"]`, `["TOPSECRET"]`, `[1,"r",{"roles":{"TOPSECRET":1,"caller":"TOPSECRET"}}]`,
		`[1,"r",{"roles":{"caller":{"features":{"TOPSECRET":{},"call_timeout":"TOPSECRET"}}}}]`,
	} {
		var d codec.Decoder
		_, err := d.Decode(wamp.JSON, []byte(data))
		if err == nil || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("%s: %v", data, err)
		}
	}
}
