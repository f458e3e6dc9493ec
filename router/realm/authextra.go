package realm

import (
	"encoding/json"
	"log/slog"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// readExtra reads what an authextra, or AUTHENTICATE.Extra, says to the methods of
// authentication. What is not a string is as good as absent.
func readExtra(v wamp.Value) (e auth.Extra) {
	if v.Absent() {
		return e
	}
	var r codec.Reader
	r.Reset(v.Format, v.Bytes)
	if r.Next() != codec.KindDict {
		return e
	}
	eachEntry(&r, func(key string, kind codec.Kind) bool {
		var field *string
		switch key {
		case "pubkey":
			field = &e.Pubkey
		case "nonce":
			field = &e.Nonce
		case "channel_binding":
			field = &e.ChannelBinding
		case "cbind_data":
			field = &e.CbindData
		case "challenge":
			field = &e.Challenge
		case "trustroot":
			field = &e.Trustroot
		}
		switch {
		case key == "certificates" && kind == codec.KindList:
			// What cannot be written in JSON is no certificate.
			e.Certificates, _ = codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: v.Format, Bytes: r.Raw(kind)})
		case field != nil && kind == codec.KindString:
			*field = string(r.Bytes())
		default:
			r.Raw(kind)
		}
		return true
	})
	return e
}

// welcomeExtra is WELCOME.Details.authextra: what the authenticator says, with the
// router's own proof.
func welcomeExtra(a *auth.Accepted) wamp.Value {
	if len(a.Proof) == 0 {
		return a.Extra
	}
	proof, err := json.Marshal(a.Proof)
	if err != nil {
		return a.Extra
	}
	if a.Extra.Absent() {
		return wamp.Value{Format: wamp.JSON, Bytes: proof}
	}
	extra, err := codec.AppendValue(nil, wamp.JSON, a.Extra)
	if err != nil {
		return a.Extra // and so the client is told that it cannot be sent
	}
	if string(extra) == "{}" {
		return wamp.Value{Format: wamp.JSON, Bytes: proof}
	}
	// The proof comes last: where a name is twice, it counts.
	joined := append(extra[:len(extra)-1:len(extra)-1], ',')
	return wamp.Value{Format: wamp.JSON, Bytes: append(joined, proof[1:]...)}
}

// expireAt ends the session at t, unless that is zero.
func (s *session) expireAt(t time.Time) {
	if t.IsZero() {
		return
	}
	const text = "the session's authentication has expired"
	s.expiry = time.AfterFunc(time.Until(t), func() {
		s.node.log.Info("session expired", s.logFields(slog.Time("expires_at", t))...)
		s.dismiss(wamp.CloseKilled, text, transport.CloseNormal)
	})
}
