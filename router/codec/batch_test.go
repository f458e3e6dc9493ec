package codec

import (
	"strings"
	"testing"

	"usher/router/wamp"
)

func TestSplitBatch(t *testing.T) {
	for _, test := range []struct {
		name     string
		f        wamp.Format
		data     string
		messages string // with bars between
		seps     string // that JSON's ended with
		wrong    string // what is said of the rest
	}{
		{"two", wamp.JSON, "[1]\x1e[2]\x1e", "[1]|[2]", "\x1e\x1e", ""},
		{"Autobahn|Python", wamp.JSON, "[1]\x18[2]\x18", "[1]|[2]", "\x18\x18", ""},
		{"both", wamp.JSON, "[1]\x18[2]\x1e", "[1]|[2]", "\x18\x1e", ""},
		{"a long one", wamp.JSON, strings.Repeat("x", 1500) + "\x18y\x18", strings.Repeat("x", 1500) + "|y", "\x18\x18", ""},
		{"no separator", wamp.JSON, "[1]\x1e[2]", "[1]", "\x1e", "must end with a separator"},
		{"an empty message", wamp.JSON, "[1]\x1e\x1e", "[1]", "\x1e", "is empty"},
		{"two", wamp.MessagePack, "\x00\x00\x00\x01a\x00\x00\x00\x02bc", "a|bc", "", ""},
		{"two", wamp.CBOR, "\x00\x00\x00\x01a\x00\x00\x00\x02bc", "a|bc", "", ""},
		{"half a length", wamp.CBOR, "\x00\x00\x00\x01a\x00\x00", "a", "", "in the middle of a length"},
		{"too little", wamp.MessagePack, "\x00\x00\x00\x03ab", "", "", "larger than the batch"},
		{"a huge length", wamp.MessagePack, "\xff\xff\xff\xffab", "", "", "larger than the batch"},
		{"an empty message", wamp.MessagePack, "\x00\x00\x00\x00", "", "", "is empty"},
	} {
		t.Run(test.f.String()+"/"+test.name, func(t *testing.T) {
			var messages []string
			var seps []byte
			var failed error
			for rest := []byte(test.data); len(rest) > 0 && failed == nil; {
				message, after, sep, err := SplitBatch(test.f, rest)
				if failed = err; err != nil {
					break
				}
				messages = append(messages, string(message))
				if sep != 0 {
					seps = append(seps, sep)
				}
				rest = after
			}
			if got := strings.Join(messages, "|"); got != test.messages || string(seps) != test.seps {
				t.Errorf("got %q by %q, want %q by %q", got, seps, test.messages, test.seps)
			}
			if (failed == nil) != (test.wrong == "") || failed != nil && !strings.Contains(failed.Error(), test.wrong) {
				t.Errorf("then %v, want %q", failed, test.wrong)
			}
		})
	}
}
