package auth

import (
	"testing"
	"time"
)

// TestRemoteVerdict: what is not exactly an answer denies.
func TestRemoteVerdict(t *testing.T) {
	for _, test := range []struct {
		args string
		want Verdict
		err  string
	}{
		{`[true]`, Verdict{Allow: true}, ""},
		{`[false]`, Verdict{}, ""},
		{`[{"allow":true}]`, Verdict{Allow: true}, ""},
		{`[{"allow":true,"disclose":true,"cache":1.5}]`, Verdict{Allow: true, Disclose: true, Cache: 1500 * time.Millisecond}, ""},
		{`[{"allow":false,"disclose":null,"cache":true}]`, Verdict{Cache: CacheForever}, ""},
		{`[{"allow":true,"cache":1e300}]`, Verdict{Allow: true, Cache: CacheForever}, ""},
		{`[{"allow":true,"cache":false}]`, Verdict{Allow: true}, ""},
		{`[{"allow":true,"cache":null}]`, Verdict{Allow: true}, ""},
		{``, Verdict{}, "authorizer returned 0 results; it must return a boolean or a dict"},
		{`[]`, Verdict{}, "authorizer returned 0 results; it must return a boolean or a dict"},
		{`[true,true]`, Verdict{}, "authorizer returned 2 results; it must return a boolean or a dict"},
		{`[null]`, Verdict{}, "authorizer returned null; it must return a boolean or a dict"},
		{`["true"]`, Verdict{}, "authorizer returned a string; it must return a boolean or a dict"},
		{`[1]`, Verdict{}, "authorizer returned a number; it must return a boolean or a dict"},
		{`[{}]`, Verdict{}, "authorizer returned a dict without allow"},
		{`[{"allow":null}]`, Verdict{}, "authorizer returned allow as null, not a bool"},
		{`[{"allow":"yes"}]`, Verdict{}, "authorizer returned allow as a string, not a bool"},
		{`[{"allow":true,"disclose":1}]`, Verdict{}, "authorizer returned disclose as a number, not a bool"},
		{`[{"ALLOW":true}]`, Verdict{}, `authorizer returned a dict with the field "ALLOW": there are allow, disclose and cache`},
		{`[{"allow":true,"until":7}]`, Verdict{}, `authorizer returned a dict with the field "until": there are allow, disclose and cache`},
		{`[{"allow":false,"allow":true}]`, Verdict{}, `authorizer returned a dict with "allow" twice`},
		{`[{"allow":true,"cache":-1}]`, Verdict{}, "authorizer returned a cache below 0"},
		{`[{"allow":true,"cache":"1"}]`, Verdict{}, "authorizer returned a cache that is neither seconds nor a boolean"},
	} {
		got, err := RemoteVerdict([]byte(test.args))
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != test.want || text != test.err {
			t.Errorf("%s: %+v, %q, want %+v, %q", test.args, got, text, test.want, test.err)
		}
	}
}
