package realm

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// way is how a client of the suite is connected.
type way struct {
	name   string
	format wamp.Format
	// open connects to a router whose side serve takes over, on a goroutine that
	// the world waits for.
	open func(w *world, serve func(transport.Conn)) transport.Conn
}

// ways are all of them.
func ways() []way {
	var all []way
	for _, f := range formats {
		all = append(all, way{"pair " + f.String(), f, func(w *world, serve func(transport.Conn)) transport.Conn {
			router, own := transport.Pair(f, transport.Options{})
			w.serving.Go(func() { serve(router) })
			return own
		}})
		for _, kind := range []string{"", ".batched"} {
			sub := "wamp.2." + f.String() + kind
			all = append(all, way{"websocket " + sub, f, func(w *world, serve func(transport.Conn)) transport.Conn {
				return openWebSocket(w, serve, sub, false)
			}})
			all = append(all, way{"longpoll " + sub, f, func(w *world, serve func(transport.Conn)) transport.Conn {
				return openLongPoll(w, serve, sub, kind != "")
			}})
		}
		for _, network := range []string{"tcp", "unix"} {
			all = append(all, way{"rawsocket " + f.String() + " over " + network, f, func(w *world, serve func(transport.Conn)) transport.Conn {
				return openRawSocket(w, serve, network, f)
			}})
		}
	}
	all = append(all, way{"websocket over tls", wamp.JSON, func(w *world, serve func(transport.Conn)) transport.Conn {
		return openWebSocket(w, serve, "wamp.2.json", true)
	}})
	return all
}

// openRawSocket connects over a socket of this machine.
func openRawSocket(w *world, serve func(transport.Conn), network string, f wamp.Format) transport.Conn {
	w.t.Helper()
	address, url := "127.0.0.1:0", "rs://"
	if network == "unix" {
		directory, err := os.MkdirTemp("", "usher") // a test's own directory may have too long a name
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = os.RemoveAll(directory) })
		address, url = filepath.Join(directory, "socket"), "rs+unix://"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = listener.Close() })
	w.serving.Go(func() {
		nc, err := listener.Accept()
		if err != nil {
			w.t.Error(err)
			return
		}
		c, err := transport.New(transport.Options{}).AcceptRawSocket(nc, transport.RawSocketOptions{})
		if err != nil {
			w.t.Error(err)
			return
		}
		serve(c)
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	own, err := transport.New(transport.Options{}).Dial(ctx, url+listener.Addr().String(),
		transport.DialOptions{Subprotocols: []string{"wamp.2." + f.String()}})
	if err != nil {
		w.t.Fatal(err)
	}
	return own
}

// openWebSocket connects over a socket of this machine.
func openWebSocket(w *world, serve func(transport.Conn), sub string, secure bool) transport.Conn {
	w.t.Helper()
	router := transport.New(transport.Options{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := router.Upgrade(rw, r, transport.UpgradeOptions{})
		if err != nil {
			w.t.Error(err)
			return
		}
		w.serving.Go(func() { serve(c) })
	}))
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	w.t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	own, err := transport.New(transport.Options{}).Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"),
		transport.DialOptions{Subprotocols: []string{sub}, TLS: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	return own
}

// eachWay runs a case of the suite over all transports and formats.
func eachWay(t *testing.T, test func(t *testing.T, over way)) {
	for _, over := range ways() {
		t.Run(over.name, func(t *testing.T) { test(t, over) })
	}
}

// connectOver opens a connection without saying anything.
func (w *world) connectOver(over way, e *Endpoint) *client {
	w.t.Helper()
	own := over.open(w, func(c transport.Conn) {
		w.Serve(c, e, &auth.Transport{Type: "websocket", Protocol: "wamp.2." + over.format.String(), Peer: "tcp4:127.0.0.1:17185"})
	})
	w.t.Cleanup(func() {
		own.Close(transport.CloseNormal)
		<-own.Done()
	})
	return &client{t: w.t, conn: own}
}

// allFeatures is what a client announces that has everything.
const allFeatures = `{` +
	`"caller":{"features":{"caller_identification":true,"call_timeout":true,"call_canceling":true,"progressive_call_results":true,"progressive_call_invocations":true,"payload_passthru_mode":true}},` +
	`"callee":{"features":{"caller_identification":true,"call_trustlevels":true,"call_timeout":true,"call_canceling":true,"progressive_call_results":true,"progressive_call_invocations":true,"pattern_based_registration":true,"shared_registration":true,"registration_revocation":true,"call_reroute":true,"payload_passthru_mode":true}},` +
	`"publisher":{"features":{"publisher_identification":true,"publisher_exclusion":true,"subscriber_blackwhite_listing":true,"payload_passthru_mode":true}},` +
	`"subscriber":{"features":{"publisher_identification":true,"pattern_based_subscription":true,"publication_trustlevels":true,"subscription_revocation":true,"event_history":true,"payload_passthru_mode":true}}}`

// joinOver joins realm1 anonymously under a role, with all features announced.
func (w *world) joinOver(over way, role string) *client {
	w.t.Helper()
	return w.joinWith(over, role, allFeatures)
}

// joinWith is joinOver for a client that announces the given roles.
func (w *world) joinWith(over way, role, roles string) *client {
	w.t.Helper()
	c := w.connectOver(over, anonymous(role))
	c.send(`[1,"realm1",{"roles":` + roles + `}]`)
	c.welcomed()
	// WELCOME is queued before anybody finds the session: in memory it may be here
	// a moment earlier.
	eventually(w.t, "the session is a member", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.sessions[c.session] != nil
	})
	return c
}
