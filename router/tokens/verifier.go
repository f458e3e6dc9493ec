package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"usher/router/auth"
	"usher/router/jwt"
	"usher/router/wamp"
)

// Options are what a Verifier needs. Zero values mean the defaults.
type Options struct {
	Client *http.Client     // that fetches keys; each fetch has a deadline
	Now    func() time.Time // that expiry is judged by; time.Now
	// MinInterval is the least time between two attempts to fetch the same keys,
	// whatever keys tokens name; 30 s.
	MinInterval time.Duration
	Log         *slog.Logger // required
}

// Verifier implements auth.TokenVerifier. Its methods may be called concurrently.
//
// Each place that keys come from has a goroutine, from the Use that names it until
// the one that does not, or Close. It fetches the keys at once, anew after
// auth.JWT.Refresh, and sooner where a token names one that is not known, as it is
// when the issuer has changed it. Where that fails the keys before stay.
type Verifier struct {
	options Options

	mu      sync.Mutex
	sets    map[source]*keySet
	running sync.WaitGroup
}

var _ auth.TokenVerifier = (*Verifier)(nil)

// source is where keys come from, and when anew.
type source struct {
	issuer  string // whose discovery document says where; empty: jwks does
	jwks    string // a file or a URL
	refresh time.Duration
}

func sourceOf(j *auth.JWT) source {
	s := source{jwks: j.JWKS, refresh: j.Refresh}
	if j.JWKS == "" {
		s.issuer = j.Issuer
	}
	return s
}

// New returns a Verifier that knows no keys.
func New(o Options) *Verifier {
	if o.Client == nil {
		own := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 8, IdleConnTimeout: time.Minute}
		o.Client = &http.Client{Transport: own}
	}
	client := *o.Client
	client.CheckRedirect = checkRedirect
	o.Client = &client
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MinInterval == 0 {
		o.MinInterval = 30 * time.Second
	}
	return &Verifier{options: o, sets: map[source]*keySet{}}
}

// Use says which tokens there are from now on. Keys that are known already stay.
func (v *Verifier) Use(all []*auth.JWT) {
	v.mu.Lock()
	defer v.mu.Unlock()
	used := map[source]bool{}
	for _, j := range all {
		s := sourceOf(j)
		used[s] = true
		if v.sets[s] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		set := &keySet{source: s, options: &v.options, cancel: cancel, wanted: make(chan struct{}, 1), done: make(chan struct{})}
		v.sets[s] = set
		v.running.Go(func() { set.run(ctx) }) // until it is not used any more
	}
	for s, set := range v.sets {
		if !used[s] {
			set.cancel()
			delete(v.sets, s)
		}
	}
}

// Close ends all goroutines, and waits for that.
func (v *Verifier) Close() {
	v.Use(nil)
	v.running.Wait()
	v.options.Client.CloseIdleConnections()
}

// Verify implements auth.TokenVerifier.
func (v *Verifier) Verify(ctx context.Context, j *auth.JWT, token string) (*auth.Principal, error) {
	v.mu.Lock()
	set := v.sets[sourceOf(j)]
	v.mu.Unlock()
	if set == nil { // the configuration changed just now
		return nil, errors.New("the keys of the token's issuer are not used any more")
	}
	for again := true; ; {
		keys, generation := set.current()
		if generation == 0 {
			if set.renewed(ctx, 0) {
				continue
			}
			return nil, &auth.Refusal{URI: wamp.ErrUnavailable, Message: "the keys that tokens are signed with can't be had at the moment, try again later"}
		}
		_, claims, err := jwt.Verify(token, keys, jwt.Options{
			Issuers: []string{j.Issuer}, Audiences: j.Audience, Algorithms: j.Algorithms,
			Leeway: j.Leeway, WithoutExpiry: j.WithoutExpiry, Now: v.options.Now,
		})
		if errors.Is(err, jwt.ErrUnknownKey) && again && set.renewed(ctx, generation) {
			again = false
			continue
		}
		if err != nil {
			return nil, auth.DeniedToken(err.Error())
		}
		return principal(j, claims)
	}
}

// principal is whom the claims name.
func principal(j *auth.JWT, claims []byte) (*auth.Principal, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(claims, &all); err != nil {
		return nil, auth.DeniedToken("its claims can't be read")
	}
	p := &auth.Principal{Role: j.Role, Realm: j.Realm}
	for _, c := range []struct {
		name string
		into *string
	}{{j.AuthidClaim, &p.Authid}, {j.RoleClaim, &p.Role}, {j.RealmClaim, &p.Realm}} {
		if c.name == "" {
			continue
		}
		text, err := claim(all, c.name)
		if err != nil {
			return nil, auth.DeniedToken(err.Error())
		}
		if text != "" {
			*c.into = text
		}
		// A token that should say it must not leave it to the client.
		if *c.into == "" {
			return nil, auth.DeniedToken(fmt.Sprintf("it has no claim %s", c.name))
		}
	}
	var expires float64
	if raw := all["exp"]; raw != nil && json.Unmarshal(raw, &expires) == nil {
		p.ExpiresAt = time.Unix(int64(expires), 0).Add(j.Leeway)
	}
	return p, nil
}

// claim returns the text of a claim, or "" where it is absent. A name with dots is
// one claim, or else the way to one inside of others. A list counts if it has one
// text only.
func claim(all map[string]json.RawMessage, name string) (string, error) {
	raw, ok := all[name]
	for !ok {
		first, rest, nested := strings.Cut(name, ".")
		var inner map[string]json.RawMessage
		if !nested || json.Unmarshal(all[first], &inner) != nil {
			return "", nil
		}
		all, name = inner, rest
		raw, ok = all[name]
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		return list[0], nil
	}
	return "", fmt.Errorf("its claim %s is neither a text nor a list of one", name)
}
