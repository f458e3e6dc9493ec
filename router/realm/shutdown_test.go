package realm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

const shutdownGoodbye = `[6,{"message":"router is stopping"},"wamp.close.system_shutdown"]`

// stop runs Shutdown beside the test.
func (w *world) stop(within time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		done <- w.Shutdown(ctx)
	}()
	eventually(w.t, "the router is stopping", w.stopping.Load)
	return done
}

// TestShutdown: calls in flight are answered, new calls and sessions refused, and
// every session gets its GOODBYE behind what was queued for it.
func TestShutdown(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		callee, caller := w.join(f, "anyone"), w.join(f, "anyone")
		joining := w.connect(f, ticketed())
		joining.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe",` + clientRoles + `}]`)
		joining.expect(`[4,"ticket",{}]`)
		h := newRecorder()
		w.local("backend", h)
		callee.register("com.example.slow", `{}`)
		caller.subscribe("com.example.topic", `{}`)
		caller.send(fmt.Sprintf(`[48,%d,{},"com.example.slow"]`, caller.next()))
		callee.expect(`[68,1,1,{}]`)

		done := w.stop(patience)
		joining.expect(`[3,{"message":"router is stopping"},"wamp.close.system_shutdown"]`)
		joining.expectClosed()
		late := w.connect(f, anonymous("anyone"))
		late.expect(`[3,{"message":"router is stopping"},"wamp.close.system_shutdown"]`)
		late.expectClosed()
		caller.send(fmt.Sprintf(`[48,%d,{},"com.example.slow"]`, caller.next()))
		caller.expect(`[8,48,3,{},"wamp.error.unavailable",["router is stopping"]]`)
		callee.send(fmt.Sprintf(`[16,%d,{},"com.example.topic"]`, callee.next()))
		callee.send(`[70,1,{},["done"]]`)

		caller.expect(`[36,1,*,{}]`, `[50,2,{},["done"]]`, shutdownGoodbye)
		caller.expectClosed()
		callee.expect(shutdownGoodbye)
		callee.expectClosed()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if reason := <-h.closed; reason != "router is stopping" {
			t.Errorf("the component was closed with %q", reason)
		}
		if _, err := w.Join(LocalOptions{Realm: "realm1", Authrole: "backend"}, h); err == nil {
			t.Error("a component joined a router that is stopping")
		}
	})
}

// TestShutdownAnswersHangingCalls: what its callee does not answer in time is
// canceled, before the GOODBYE.
func TestShutdownAnswersHangingCalls(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("com.example.slow", `{}`)
	caller.send(`[48,1,{},"com.example.slow"]`)
	callee.expect(`[68,1,1,{}]`)
	done := w.stop(1200 * time.Millisecond)
	caller.expect(`[8,48,1,{},"wamp.error.canceled",["router is stopping"]]`, shutdownGoodbye)
	callee.expect(shutdownGoodbye)
	caller.expectClosed()
	callee.expectClosed()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.log.String(), "calls are cut off") {
		t.Errorf("log is %s", w.log.String())
	}
}

// TestShutdownIsBounded: a client that does not read holds it up no longer than
// its context.
func TestShutdownIsBounded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.join(wamp.JSON, "anyone")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestShutdownDoesNotWaitForAuthorizers: nor does an authorizer hold it up that is
// asked about a publication; what it says then comes too late.
func TestShutdownDoesNotWaitForAuthorizers(t *testing.T) {
	w := newWorld(t, authorized(), Limits{AuthenticatorTimeout: time.Hour})
	asked, answer := make(chan struct{}), make(chan struct{})
	w.authorizeBy(func(context.Context, *auth.Question) (auth.Verdict, error) {
		close(asked)
		<-answer
		return auth.Verdict{Allow: true}, nil
	})
	w.join(wamp.JSON, "guarded").send(`[16,1,{"retain":true},"com.example.t"]`)
	<-asked
	select {
	case err := <-w.stop(50 * time.Millisecond):
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("the router still waits for the authorizer")
	}
	close(answer)
	w.serving.Wait()
	if n := w.realms["realm1"].retained.events; n != 0 {
		t.Errorf("%d events were published behind the end", n)
	}
}

// TestNoTestamentBehindGoodbye: where there was no time for testaments, they are not
// published one by one as the sessions end.
func TestNoTestamentBehindGoodbye(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	one, _ := w.member(wamp.JSON, "anyone")
	other, conn := w.member(wamp.JSON, "anyone")
	other.take(t, `[32,1,{},"com.example.x"]`)
	one.take(t, `[48,1,{},"wamp.session.add_testament",["com.example.x",[],{}]]`)
	has := conn.transcribe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	one.end(&one.batch, "closed")
	has.expect(t, shutdownGoodbye)
}
