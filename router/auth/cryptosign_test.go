package auth

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"
)

// carl's key is that of the transcript: the seed is 11 over and over.
func carl() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x11", 32)))
}

func pubkeyOf(k ed25519.PrivateKey) string { return hex.EncodeToString(k.Public().(ed25519.PublicKey)) }

func TestCryptosign(t *testing.T) {
	other, shared := ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x12", 32))), ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x13", 32)))
	m := &Methods{Cryptosign: NewCryptosign(map[string]User{
		"carl":  {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}},
		"ghost": {Role: "ghost", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(other)}}},
		"one":   {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(shared)}}},
		"two":   {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(shared)}}},
	})}
	signature := func(k ed25519.PrivateKey, extra map[string]any) string {
		challenge, _ := hex.DecodeString(extra["challenge"].(string))
		return hex.EncodeToString(ed25519.Sign(k, challenge)) + extra["challenge"].(string)
	}
	for _, test := range []struct {
		name, authid, pubkey string
		key                  ed25519.PrivateKey
		change               func(string) string
		want                 string
	}{
		{"right", "carl", pubkeyOf(carl()), carl(), nil, "accept realm1 frontend static"},
		{"no authid", "", pubkeyOf(carl()), carl(), nil, "accept realm1 frontend static"},
		{"the key in capitals", "carl", strings.ToUpper(pubkeyOf(carl())), carl(), nil, "accept realm1 frontend static"},
		{"the signature alone", "carl", pubkeyOf(carl()), carl(), func(s string) string { return s[:128] }, "accept realm1 frontend static"},
		{"signed by another key", "carl", pubkeyOf(carl()), other, nil, "refuse wamp.error.authentication_denied"},
		{"a key that the user does not have", "carl", pubkeyOf(other), other, nil, "refuse wamp.error.authentication_denied"},
		{"an unknown user", "nobody", pubkeyOf(carl()), carl(), nil, "refuse wamp.error.authentication_denied"},
		{"an unknown key without an authid", "", pubkeyOf(ed25519.NewKeyFromSeed(make([]byte, 32))), ed25519.NewKeyFromSeed(make([]byte, 32)), nil, "refuse wamp.error.authentication_denied"},
		{"a key of two users", "two", pubkeyOf(shared), shared, nil, "accept realm1 frontend static"},
		{"a key of two users without an authid", "", pubkeyOf(shared), shared, nil, "refuse wamp.error.authentication_denied"},
		{"a role that does not exist", "ghost", pubkeyOf(other), other, nil, "refuse wamp.error.no_such_role"},
		{"another message behind the signature", "carl", pubkeyOf(carl()), carl(), func(s string) string { return s[:128] + strings.Repeat("00", 32) }, "refuse wamp.error.authentication_denied"},
		{"no signature", "carl", pubkeyOf(carl()), carl(), func(string) string { return "" }, "refuse wamp.error.authentication_denied"},
		{"no hexadecimal digits", "carl", pubkeyOf(carl()), carl(), func(string) string { return strings.Repeat("zz", 96) }, "refuse wamp.error.authentication_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: test.authid, Extra: Extra{Pubkey: test.pubkey}}, []string{"cryptosign"})
			s := signature(test.key, extraOf(t, o))
			if test.change != nil {
				s = test.change(s)
			}
			if got := outcome(d.Answer(&Answer{Signature: s})); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, pubkey := range []string{"", "11", strings.Repeat("z", 64), strings.Repeat("1", 66)} {
		_, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "carl", Extra: Extra{Pubkey: pubkey}}, []string{"cryptosign"})
		if got := outcome(o); got != "refuse wamp.error.authentication_denied" {
			t.Errorf("the key %q came to %q", pubkey, got)
		}
	}
}

// TestCryptosignIsBoundToItsSession: a signature over another session's challenge,
// which is a real one of the same key, proves nothing. Others accept it.
func TestCryptosignIsBoundToItsSession(t *testing.T) {
	m := &Methods{Cryptosign: NewCryptosign(map[string]User{
		"carl": {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}},
	})}
	d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "carl", Extra: Extra{Pubkey: pubkeyOf(carl())}}, []string{"cryptosign"})
	extraOf(t, o)
	// Crossbar.io's transcript: signature and challenge of an earlier session.
	const replayed = "ecba483414986398c8b9d9a0664aaca05f12f1760ebf41d9a3d7d0d3d2f8e6742b542de2c16d3659f6e3bcbc3eec68497514970743cb13e864a1c41aee1362053c5a0aacb36961ba884f7f7223dbd6ba7fec7f9e0b1d487089ddfe174166d72e"
	message, _ := hex.DecodeString(replayed[128:])
	signature, _ := hex.DecodeString(replayed[:128])
	if !ed25519.Verify(carl().Public().(ed25519.PublicKey), message, signature) {
		t.Fatal("the transcript's signature is not carl's")
	}
	if got := outcome(d.Answer(&Answer{Signature: replayed})); got != "refuse wamp.error.authentication_denied" {
		t.Errorf("the replayed signature came to %q", got)
	}
}

// TestCryptosignVectors are the specification's, with and without channel binding.
func TestCryptosignVectors(t *testing.T) {
	for _, v := range []struct{ channel, seed, challenge, signature string }{
		{"", "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
			"305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282"},
	} {
		seed, _ := hex.DecodeString(v.seed)
		message, _ := hex.DecodeString(v.challenge)
		if v.channel != "" {
			id, _ := hex.DecodeString(v.channel)
			for i := range message {
				message[i] ^= id[i]
			}
		}
		c := &cryptosignDialogue{principal: &Principal{Role: "frontend"}, message: message}
		d := &Dialogue{Request: &Request{Pubkey: pubkeyOf(ed25519.NewKeyFromSeed(seed)), Authmethod: "cryptosign"}, method: c, state: waitsForAnswer}
		if o := d.Answer(&Answer{Signature: v.signature}); o.Accept == nil {
			t.Errorf("a vector of the specification came to %q", outcome(o))
		}
	}
}
