package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"usher/router/wamp"
)

// Question is what an Authorizer is asked: may this session do that? It is
// immutable and owns its bytes.
type Question struct {
	Session      wamp.ID
	Realm        string
	Authid       string
	Authrole     string
	Authmethod   string
	Authprovider string
	Peer         string // as in Transport
	Protocol     string // likewise
	URI          string
	Action       Action
	Options      QuestionOptions
}

// QuestionOptions are the options of the request that an authorizer may want to
// know. Zero fields are left out.
type QuestionOptions struct {
	Match           string `json:"match,omitempty"`
	Invoke          string `json:"invoke,omitempty"`
	GetRetained     bool   `json:"get_retained,omitempty"`
	Retain          bool   `json:"retain,omitempty"`
	Acknowledge     bool   `json:"acknowledge,omitempty"`
	DiscloseMe      bool   `json:"disclose_me,omitempty"`
	ReceiveProgress bool   `json:"receive_progress,omitempty"`
	Timeout         uint64 `json:"timeout,omitempty"` // milliseconds
}

// Verdict is an Authorizer's answer. The zero Verdict denies.
type Verdict struct {
	Allow    bool
	Disclose bool          // who calls or publishes is told to callees and subscribers
	Cache    time.Duration // for how long the answer holds for this session, action and URI; 0: this once
}

// CacheForever is a Verdict.Cache that holds until the authorizer or the
// configuration changes.
const CacheForever time.Duration = 1<<63 - 1

// Authorizer decides what the rules of a role leave open. The router calls it
// directly where the callee of the authorizer's URI implements it, with a deadline
// on ctx. It may block until ctx ends and is called concurrently. An error denies;
// its text goes to the log only.
type Authorizer interface {
	Authorize(ctx context.Context, q *Question) (Verdict, error)
}

// remoteSession is the first argument of a remote authorizer's call.
type remoteSession struct {
	Session      wamp.ID       `json:"session"`
	Realm        string        `json:"realm"`
	Authid       string        `json:"authid"`
	Authrole     string        `json:"authrole"`
	Authmethod   string        `json:"authmethod"`
	Authprovider string        `json:"authprovider"`
	Transport    remoteChannel `json:"transport"`
}

type remoteChannel struct {
	Peer     string `json:"peer"`
	Protocol string `json:"protocol"`
}

// AuthorizeArgs is the question as call args in JSON, as authorizers of Crossbar.io
// expect them: session, uri, action, options.
func AuthorizeArgs(q *Question) (wamp.Payload, error) {
	session := remoteSession{
		Session: q.Session, Realm: q.Realm, Authid: q.Authid, Authrole: q.Authrole, Authmethod: q.Authmethod, Authprovider: q.Authprovider,
		Transport: remoteChannel{Peer: q.Peer, Protocol: q.Protocol},
	}
	args, err := marshal([]any{&session, q.URI, q.Action.String(), &q.Options})
	if err != nil {
		return wamp.Payload{}, fmt.Errorf("write the question for a remote authorizer: %w", err)
	}
	return wamp.Payload{Format: wamp.JSON, Args: args}, nil
}

// RemoteVerdict reads a remote authorizer's result, its args in JSON: exactly one
// boolean, or a dict {allow, disclose, cache}. Anything else is an error.
func RemoteVerdict(args []byte) (Verdict, error) {
	var results []json.RawMessage
	if len(args) > 0 {
		if err := json.Unmarshal(args, &results); err != nil {
			return Verdict{}, fmt.Errorf("read the authorizer's result: %w", err)
		}
	}
	if len(results) != 1 {
		return Verdict{}, fmt.Errorf("authorizer returned %d results; it must return a boolean or a dict", len(results))
	}
	switch kind(results[0]) {
	case 't', 'f':
		return Verdict{Allow: kind(results[0]) == 't'}, nil
	case '{':
		return remoteVerdict(results[0])
	}
	return Verdict{}, fmt.Errorf("authorizer returned %s; it must return a boolean or a dict", kindName(results[0]))
}

func remoteVerdict(object []byte) (v Verdict, err error) {
	hasAllow := false
	err = eachField(object, func(key string, value json.RawMessage) (err error) {
		k := kind(value)
		isBool := k == 't' || k == 'f'
		switch {
		case key == "allow" && isBool:
			v.Allow, hasAllow = k == 't', true
		case key == "disclose" && (isBool || k == 'n'):
			v.Disclose = k == 't'
		case key == "cache":
			v.Cache, err = remoteCache(value)
		case key == "allow" || key == "disclose":
			err = fmt.Errorf("returned %s as %s, not a bool", key, kindName(value))
		default:
			err = fmt.Errorf("returned a dict with the field %.100q: there are allow, disclose and cache", key)
		}
		return err
	})
	if err == nil && !hasAllow {
		err = errors.New("returned a dict without allow")
	}
	if err != nil {
		return Verdict{}, fmt.Errorf("authorizer %w", err)
	}
	return v, nil
}

// remoteCache reads seconds, or a boolean.
func remoteCache(value json.RawMessage) (time.Duration, error) {
	switch kind(value) {
	case 0, 'n', 'f':
		return 0, nil
	case 't':
		return CacheForever, nil
	}
	var seconds float64
	if err := json.Unmarshal(value, &seconds); err != nil {
		return 0, errors.New("returned a cache that is neither seconds nor a boolean")
	}
	return CacheSeconds(seconds)
}

// CacheSeconds turns seconds into a Verdict.Cache.
func CacheSeconds(seconds float64) (time.Duration, error) {
	if !(seconds >= 0) {
		return 0, errors.New("returned a cache below 0")
	}
	if seconds > 365*24*60*60 {
		return CacheForever, nil
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
