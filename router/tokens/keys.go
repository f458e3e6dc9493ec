package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"usher/router/jwt"
)

// The bounds of fetching keys.
const (
	fetchTimeout = 10 * time.Second
	maxDiscovery = 64 << 10
	maxRedirects = 3
	wellKnown    = "/.well-known/openid-configuration"
)

// keySet is the keys of one source.
type keySet struct {
	source  source
	options *Options
	cancel  context.CancelFunc
	wanted  chan struct{} // holds one: somebody waits for keys that are not known

	mu         sync.Mutex
	keys       []jwt.Key
	generation uint64        // counts the fetches that succeeded
	next       time.Time     // before which nothing is fetched on demand
	done       chan struct{} // closed at the end of the next fetch, and of run
}

// current returns the keys, and how often they were fetched: 0: never.
func (s *keySet) current() ([]jwt.Key, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.generation
}

// renewed reports whether there are keys that are newer than those of a
// generation. It has them fetched, unless that was tried not long ago.
func (s *keySet) renewed(ctx context.Context, generation uint64) bool {
	s.mu.Lock()
	done := s.done
	switch {
	case s.generation != generation:
		s.mu.Unlock()
		return true
	case time.Now().Before(s.next):
		s.mu.Unlock()
		return false
	}
	s.mu.Unlock()
	select {
	case s.wanted <- struct{}{}:
	default:
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	_, now := s.current()
	return now != generation
}

// run fetches keys until ctx ends.
func (s *keySet) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.finish(nil, errors.New("not used any more"))
			return
		case <-timer.C:
		case <-s.wanted:
			s.mu.Lock()
			early := time.Now().Before(s.next)
			s.mu.Unlock()
			if early { // whoever asked has got them from the fetch before
				continue
			}
		}
		keys, err := s.fetch(ctx)
		if ctx.Err() == nil {
			s.report(keys, err)
		}
		pause := s.source.refresh
		if err != nil {
			pause = min(pause, s.options.MinInterval)
		}
		timer.Reset(pause)
		s.finish(keys, err)
	}
}

// finish takes up what a fetch came to.
func (s *keySet) finish(keys []jwt.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys = keys
		s.generation++
	}
	s.next = time.Now().Add(s.options.MinInterval)
	close(s.done)
	s.done = make(chan struct{})
}

// report logs what a fetch came to, where it is news.
func (s *keySet) report(keys []jwt.Key, err error) {
	before, generation := s.current()
	where := slog.String("from", s.name())
	switch {
	case err != nil && generation == 0:
		s.options.Log.Error("the keys of tokens can't be had: logins by them are refused", where, slog.Any("error", err))
	case err != nil:
		s.options.Log.Warn("the keys of tokens can't be fetched anew: those before stay", where, slog.Any("error", err))
	case generation == 0 || len(before) != len(keys):
		s.options.Log.Info("keys of tokens fetched", where, slog.Int("keys", len(keys)))
	}
}

// name is where the keys come from.
func (s *keySet) name() string {
	from := s.source.jwks
	if from == "" {
		from = s.source.issuer
	}
	if u, err := url.Parse(from); err == nil && isURL(from) {
		return shown(u)
	}
	return from
}

// shown is a URL for the log, without what it may have of secrets.
func shown(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery = nil, ""
	return bare.String()
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// fetch reads the keys from where they are.
func (s *keySet) fetch(ctx context.Context) ([]jwt.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	document, err := s.document(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := jwt.ParseJWKS(document)
	if err != nil {
		return nil, fmt.Errorf("the JWKS document %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWKS document has no key for signatures that is known here")
	}
	return keys, nil
}

func (s *keySet) document(ctx context.Context) ([]byte, error) {
	from := s.source.jwks
	if from == "" {
		found, err := s.discover(ctx)
		if err != nil {
			return nil, err
		}
		from = found
	}
	if isURL(from) {
		return s.get(ctx, from, jwt.MaxJWKS)
	}
	if info, err := os.Stat(from); err != nil || !info.Mode().IsRegular() { // others might have no end
		return nil, errors.Join(err, fmt.Errorf("%s is no file that could be read", from))
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, jwt.MaxJWKS)
}

// discover asks the issuer where its keys are (OpenID Connect Discovery, section 4).
func (s *keySet) discover(ctx context.Context) (string, error) {
	data, err := s.get(ctx, strings.TrimSuffix(s.source.issuer, "/")+wellKnown, maxDiscovery)
	if err != nil {
		return "", err
	}
	var about struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &about); err != nil {
		return "", fmt.Errorf("the issuer's %s: %w", wellKnown, err)
	}
	if about.Issuer != s.source.issuer {
		return "", fmt.Errorf("the issuer's %s is that of %.100q", wellKnown, about.Issuer)
	}
	if !strings.HasPrefix(about.JWKS, "https://") && !(strings.HasPrefix(s.source.issuer, "http://") && isURL(about.JWKS)) {
		return "", fmt.Errorf("the issuer's jwks_uri %.100q is no https URL", about.JWKS)
	}
	return about.JWKS, nil
}

func (s *keySet) get(ctx context.Context, from string, most int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	a, err := s.options.Client.Do(r)
	var whole *url.Error
	if errors.As(err, &whole) { // it names the URL as it is
		err = fmt.Errorf("get %s: %w", shown(r.URL), whole.Err)
	}
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", shown(r.URL), a.StatusCode)
	}
	return readAll(a.Body, most)
}

func readAll(from io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("the document has more than %d bytes", most)
	}
	return data, err
}

// checkRedirect follows a few redirections, but not from https to http.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("there are too many redirections")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("it redirects from https to " + r.URL.Scheme)
	}
	return nil
}
