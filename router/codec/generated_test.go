package codec

import (
	"math/rand/v2"
	"strings"
	"testing"

	"usher/router/wamp"
)

// generator makes messages, in JSON, that are often right and often nearly so: each
// type with its elements, entries that are known with values that fit or do not, and
// the same key twice.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

// value is anything, nested as deep as that.
func (g generator) value(depth int) string {
	if depth > 0 && g.IntN(3) == 0 {
		if g.IntN(2) == 0 {
			return "[" + g.some(3, func() string { return g.value(depth - 1) }) + "]"
		}
		return "{" + g.some(3, func() string { return g.key(g.kind()) + ":" + g.value(depth-1) }) + "}"
	}
	return g.one("null", "true", "false", "0", "1", "-1", "1.5", "-0", "1e300", "9007199254740993", "18446744073709551615",
		`""`, `"a"`, `"\u0000"`, `"\u0000AQI="`, `"\u0000A"`, `"\u00e9\n"`)
}

// some joins up to n of what f makes.
func (g generator) some(n int, f func() string) string {
	parts := make([]string, g.IntN(n+1))
	for i := range parts {
		parts[i] = f()
	}
	return strings.Join(parts, ",")
}

func (g generator) id() string {
	return g.one("0", "1", "2", "3", "4", "5", "6", "7", "9007199254740992", g.value(1))
}

func (g generator) uri() string {
	return g.one(`"a"`, `"a.b"`, `"com..x"`, `"wamp.close.normal"`, `""`, g.value(1))
}

// kind is entries of options and details whose values are of one kind, in JSON.
type kind struct{ keys, values string }

func (g generator) kind() kind {
	kinds := []kind{
		{"acknowledge disclose_caller disclose_me exclude_me force_reregister forward_timeout get_retained progress receive_progress retain retained", "true false"},
		{"caller publisher registration subscription concurrency timeout trustlevel", "0 1 2 7"},
		{"exclude eligible", "[] [1] [1,2]"},
		{"exclude_authid exclude_authrole eligible_authid eligible_authrole authmethods", `[] ["a"] ["a",""]`},
		{"ppt_scheme ppt_serializer ppt_cipher ppt_keyid enc_algo enc_serializer enc_key", `"" "wamp" "x_a" "mqtt" "cryptobox"`},
		{"match invoke mode reason", `"exact" "prefix" "wildcard" "single" "random" "kill" "skip"`},
		{"caller_authid caller_authrole publisher_authid publisher_authrole authid authrole authmethod authprovider message procedure topic realm agent x_other", `"" "a" "a.b"`},
		{"roles authextra", `{} {"broker":{}} {"caller":{"features":{"call_canceling":true}}}`},
	}
	return kinds[g.IntN(len(kinds))]
}

func (g generator) key(k kind) string { return `"` + g.one(strings.Fields(k.keys)...) + `"` }

// options is a dict of one or two kinds of entries.
func (g generator) options() string {
	kinds := [2]kind{g.kind(), g.kind()}
	return "{" + g.some(6, func() string {
		k := kinds[g.IntN(2)]
		if g.IntN(8) == 0 {
			return g.key(k) + ":" + g.value(2)
		}
		return g.key(k) + ":" + g.one(strings.Fields(k.values)...)
	}) + "}"
}

// message is one whole message.
func (g generator) message() string {
	// t: a type, i: an id, u: a URI or string, d: a dict, p: arguments; ?: the rest may be absent
	shape := strings.Fields(g.one("1 ud", "2 id", "3 du", "4 ud", "5 ud", "6 du", "8 tidup", "16 idup", "17 ii", "32 idu", "33 ii", "34 ii", "35 i?d",
		"36 iidp", "48 idup", "49 id", "50 idp", "64 idu", "65 ii", "66 ii", "67 i?d", "68 iidp", "69 id", "70 idp"))
	elements := []string{shape[0]}
	for _, kind := range shape[1] {
		switch kind {
		case 't':
			elements = append(elements, g.one("16", "32", "34", "48", "64", "66", "68", "1", "0"))
		case 'i':
			elements = append(elements, g.id())
		case 'u':
			elements = append(elements, g.uri())
		case 'd':
			elements = append(elements, g.options())
		case 'p':
			if payload := g.some(2, func() string {
				return g.one("null", "["+g.value(2)+"]", `{"k":`+g.value(2)+"}", g.value(1))
			}); payload != "" {
				elements = append(elements, payload)
			}
		}
		if kind == '?' && g.IntN(2) == 0 {
			break
		}
	}
	return "[" + strings.Join(elements, ",") + "]"
}

// TestGenerated holds the property of FuzzDecode against messages that are more often
// right than chance makes them, and FuzzGenerated against more of them.
func TestGenerated(t *testing.T) {
	accepted := map[wamp.MessageType]bool{}
	for seed := range uint64(1000) {
		survive(t, seed, accepted)
	}
	if len(accepted) != 24 {
		t.Errorf("%d types of messages were accepted: %v", len(accepted), accepted)
	}
}

func FuzzGenerated(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(func(t *testing.T, seed uint64) { survive(t, seed, map[wamp.MessageType]bool{}) })
}

// survive checks 20 messages, in every format, and notes the types of those that are
// accepted.
func survive(t *testing.T, seed uint64, accepted map[wamp.MessageType]bool) {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	for range 20 {
		message := g.message()
		for from := wamp.JSON; from <= wamp.CBOR; from++ {
			data, err := transcode(nil, from, wamp.JSON, []byte(message))
			if err != nil {
				t.Fatalf("%s to %s: %v", message, from, err)
			}
			if m := survives(t, from, data); m != nil {
				accepted[m.Type()] = true
			}
		}
	}
}
