package trustroot_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"usher/router/trustroot"
	"usher/router/trustroot/trustroottest"
)

// The addresses of EIP-55 itself, and what is none.
func TestAddresses(t *testing.T) {
	for _, s := range []string{
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77",
	} {
		for _, written := range []string{s, strings.ToLower(s), "0x" + strings.ToUpper(s[2:])} {
			a, err := trustroot.ParseAddress(written)
			if err != nil || a.String() != s {
				t.Errorf("%s: %s, %v", written, a, err)
			}
		}
	}
	for s, want := range map[string]string{
		"": "is not an address", "0x": "is not an address", "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed": "is not an address",
		"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae":    "is not an address",
		"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0":  "is not an address",
		"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedaa": "is not an address",
		"0xzaaeb6053f3e94c9b9a09f33669435e7ef1beaed":   "is not an address",
		"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed":   "has a wrong checksum",
	} {
		if a, err := trustroot.ParseAddress(s); err == nil || !strings.Contains(err.Error(), want) || a != (trustroot.Address{}) {
			t.Errorf("%q: %s, %v, want: %s", s, a, err, want)
		}
	}
}

// What an Autobahn client once sent, as the specification has it (example 3 of
// WAMP-Cryptosign): the signatures are not ours.
func TestTheChainOfTheSpecification(t *testing.T) {
	text, err := os.ReadFile("testdata/specification.json")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := trustroot.ParseChain(text)
	if err != nil {
		t.Fatal(err)
	}
	d, err := chain.Verify()
	if err != nil {
		t.Fatal(err)
	}
	if d.Trustroot.String() != "0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57" || d.Contract != d.Trustroot ||
		d.Delegate.String() != "0xf5173a6111B2A6B3C20fceD53B2A8405EC142bF6" ||
		d.Realm.String() != "0xA6e693CC4A2b4F1400391a728D26369D9b82ef96" || d.ChainID != 1 || d.Capabilities != 12 ||
		hex.EncodeToString(d.Key[:]) != "12ae0184b180e9a9c5e45be4a1afbce3c6491320063701cd9c4011a777d04089" {
		t.Errorf("%+v", d)
	}
	// Each of its values is signed.
	var list [][2]any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // or bootedAt were another
	if err := numbers.Decode(&list); err != nil {
		t.Fatal(err)
	}
	verify := func() error {
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := trustroot.ParseChain(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = chain.Verify()
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	for i, certificate := range list {
		message := certificate[0].(map[string]any)["message"].(map[string]any)
		for name, value := range message {
			switch {
			case name == "meta":
				message[name] = "x"
			case name == "csPubKey":
				message[name] = strings.Repeat("0", 64)
			case strings.HasPrefix(fmt.Sprint(value), "0x"):
				message[name] = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
			default:
				message[name] = 14
			}
			if verify() == nil {
				t.Errorf("certificate %d holds with another %s", i+1, name)
			}
			message[name] = value
		}
	}
}

const pubkey = "12ae0184b180e9a9c5e45be4a1afbce3c6491320063701cd9c4011a777d04089"

// TestRules breaks one rule of the specification at a time, under right signatures.
func TestRules(t *testing.T) {
	root, middle, low, joe, mallory := trustroottest.NewKey(1), trustroottest.NewKey(2), trustroottest.NewKey(3), trustroottest.NewKey(4), trustroottest.NewKey(5)
	type fields = map[string]any
	type chain = []trustroottest.Certificate
	right := func() chain {
		return chain{joe.Delegate(pubkey), low.Issue(joe, 4), middle.Issue(low, 6), root.Issue(middle, 14), root.Issue(root, 63)}
	}
	with := func(i int, f fields) chain {
		c := right()
		c[i] = c[i].With(f)
		return c
	}
	other := "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	for name, test := range map[string]struct {
		chain chain
		want  string // empty: it holds
	}{
		"all":                       {right(), ""},
		"root alone":                {chain{root.Delegate(pubkey), root.Issue(root, 1)}, ""},
		"valid later than issuer":   {with(0, fields{"validFrom": 15212704}), ""},
		"with 0x":                   {with(0, fields{"csPubKey": "0x" + pubkey}), ""},
		"CCR-1 delegate's chain":    {with(0, fields{"chainId": 5}), "certificate 1: it is for the blockchain 5, the root's for 1"},
		"CCR-1 authority's chain":   {with(2, fields{"chainId": 5}), "certificate 3: it is for the blockchain 5, the root's for 1"},
		"CCR-1 contract":            {with(1, fields{"verifyingContract": other}), "certificate 2: it is for the contract " + other},
		"CCR-2":                     {with(1, fields{"realm": other}), "certificate 2: it is for the realm " + other},
		"CCR-3 no delegate":         {right()[1:], "certificate 1: it is of type \"EIP712AuthorityCertificate\""},
		"CCR-3 two delegates":       {chain{joe.Delegate(pubkey), joe.Delegate(pubkey)}, "certificate 2: it is of type \"EIP712DelegateCertificate\""},
		"CCR-4":                     {right()[:4], "the last certificate is not a root's"},
		"CCR-5":                     {append(right()[:2:2], right()[3:]...), "certificate 2: its issuer is " + low.Address().String() + ", but the next certificate is for " + middle.Address().String()},
		"CCR-6":                     {with(4, fields{"validFrom": 15212704}), "certificate 4: it is valid from block 15212703, that of its issuer only from 15212704"},
		"CCR-7":                     {with(2, fields{"capabilities": 16}), "certificate 2: it has capabilities (0x4) that its issuer has not (0x10)"},
		"CCR-7 in the middle":       {with(2, fields{"capabilities": 22}), "certificate 3: it has capabilities (0x16) that its issuer has not (0xe)"},
		"CCR-8":                     {append(chain{mallory.Delegate(pubkey)}, right()[1:]...), "certificate 2 is for " + joe.Address().String() + ", not for the delegate"},
		"CCR-9":                     {with(0, fields{"validFrom": 15212702}), "certificate 1: it is valid from block 15212702, that of its issuer only from 15212703"},
		"CCR-10":                    {func() chain { c := right(); c[4].Signer = mallory; return c }(), "certificate 5: it is not signed by " + root.Address().String()},
		"CCR-11":                    {func() chain { c := right(); c[2].Signer = mallory; return c }(), "certificate 3: it is not signed by " + middle.Address().String()},
		"CCR-12":                    {func() chain { c := right(); c[0].Signer = mallory; return c }(), "certificate 1: it is not signed by " + joe.Address().String()},
		"nobody vouches":            {right()[:1], "there is no certificate of an authority"},
		"a delegate that vouches":   {append(chain{mallory.Delegate(pubkey), joe.Issue(mallory, 4)}, right()[1:]...), "certificate 2: its issuer's capabilities (0x4) do not let that vouch for an authority"},
		"a root that is none":       {with(4, fields{"capabilities": 62}), "capabilities (0x3e) do not let that vouch for an authority"},
		"no field":                  {with(0, fields{"bootedAt": nil}), "certificate 1: fields of an EIP712DelegateCertificate are missing"},
		"no field of an authority":  {with(3, fields{"capabilities": nil}), "certificate 4: fields of an EIP712AuthorityCertificate are missing"},
		"no terms":                  {with(3, fields{"chainId": nil}), "certificate 4: fields of an EIP712AuthorityCertificate are missing"},
		"key too short":             {with(0, fields{"csPubKey": pubkey[2:]}), "certificate 1: csPubKey is not 64 hexadecimal digits"},
		"a number that is too long": {with(0, fields{"chainId": json.RawMessage("18446744073709551616")}), "read the certificates: "},
		"no address":                {with(1, fields{"issuer": "joe"}), `certificate 2: "joe" is not an address`},
		"too many":                  {append(chain{joe.Delegate(pubkey)}, make(chain, 8)...), "there are 9 certificates, and 8 at most may be"},
		"none":                      {nil, "there are no certificates"},
	} {
		c, err := trustroot.ParseChain(trustroottest.Chain(test.chain...))
		var d *trustroot.Delegation
		if err == nil {
			d, err = c.Verify()
		}
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v\nwant %s", name, err, test.want)
		case test.want == "" && (d.Trustroot != root.Address() || hex.EncodeToString(d.Key[:]) != pubkey):
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A router may know the authorities beforehand: the same rules hold for them.
func TestAuthoritiesThatAreKnown(t *testing.T) {
	root, low, joe := trustroottest.NewKey(1), trustroottest.NewKey(2), trustroottest.NewKey(3)
	known, err := trustroot.ParseAuthorities(trustroottest.Chain(root.Issue(low, 4), root.Issue(root, 63)))
	if err != nil {
		t.Fatal(err)
	}
	if of, err := trustroot.VerifyAuthorities(known); err != nil || of != root.Address() {
		t.Errorf("%s, %v", of, err)
	}
	for _, list := range [][]trustroot.Authority{nil, known[:1], {known[1], known[0]}} {
		if of, err := trustroot.VerifyAuthorities(list); err == nil {
			t.Errorf("%d certificates hold: %s", len(list), of)
		}
	}
	for who, want := range map[trustroottest.Key]bool{low: true, joe: false} {
		chain, err := trustroot.ParseChain(trustroottest.Chain(who.Delegate(pubkey)))
		if err != nil {
			t.Fatal(err)
		}
		chain.Authorities = known
		if _, err := chain.Verify(); (err == nil) != want {
			t.Errorf("%s: %v", who.Address(), err)
		}
	}
}

func TestTextsThatAreNoChains(t *testing.T) {
	signature := strings.Repeat("00", 65)
	for _, text := range []string{
		``, `{}`, `null`, `[1]`, `[[]]`, `[[{}]]`, `[[{}, 1]]`, `[["x", "y"]]`, `[[{}, "` + signature + `"]] x`,
		`[[{"primaryType": "EIP712DelegateCertificate", "domain": {"name": "WMP", "version": "2"}, "message": {}}, "` + signature + `"]]`,
		string(trustroottest.Chain(trustroottest.NewKey(1).Delegate(pubkey)))[:400],
	} {
		if _, err := trustroot.ParseChain([]byte(text)); err == nil {
			t.Errorf("%s is a chain", text)
		}
	}
	root := trustroottest.NewKey(1)
	right := string(trustroottest.Chain(root.Delegate(pubkey), root.Issue(root, 1)))
	// The last byte says which of two keys it was; other protocols say more there.
	for _, v := range [][2]string{{"02", "02"}, {"1a", "1a"}, {"1d", "1d"}, {"ff", "ff"}, {"1f", "20"}} {
		text := strings.NewReplacer(`1b"]`, v[0]+`"]`, `1c"]`, v[1]+`"]`).Replace(right)
		chain, err := trustroot.ParseChain([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chain.Verify(); err == nil {
			t.Errorf("signatures that end with %s hold", v)
		}
	}
}

func FuzzChain(f *testing.F) {
	text, err := os.ReadFile("testdata/specification.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`[[{}, ""]]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		chain, err := trustroot.ParseChain(text)
		if err != nil {
			return
		}
		if d, err := chain.Verify(); err == nil && d.Trustroot == (trustroot.Address{}) {
			t.Error("nobody is a trust root")
		}
	})
}
