package codec_test

import (
	"testing"

	"usher/router/codec"
	"usher/router/wamp"
)

// A message routed within one format costs no memory once its buffer has grown
// and its strings have been seen.
func TestRoutingAllocatesNothing(t *testing.T) {
	cases := []struct {
		name string
		in   func(wamp.Payload) wamp.Message
		out  func(wamp.Message) wamp.Message
	}{
		{"CALL to INVOCATION", func(p wamp.Payload) wamp.Message {
			return &wamp.Call{Request: 1, Options: wamp.CallOptions{DiscloseMe: wamp.True}, Procedure: "com.example.procedure", Payload: p}
		}, func() func(m wamp.Message) wamp.Message {
			var out wamp.Invocation
			return func(m wamp.Message) wamp.Message {
				out = wamp.Invocation{Request: 2, Registration: 3, Payload: m.(*wamp.Call).Payload,
					Details: wamp.InvocationDetails{Caller: 4, CallerAuthid: "joe", CallerAuthrole: "frontend", Procedure: m.(*wamp.Call).Procedure}}
				return &out
			}
		}()},
		{"YIELD to RESULT", func(p wamp.Payload) wamp.Message { return &wamp.Yield{Request: 1, Payload: p} }, func() func(m wamp.Message) wamp.Message {
			var out wamp.Result
			return func(m wamp.Message) wamp.Message {
				out = wamp.Result{Request: 2, Payload: m.(*wamp.Yield).Payload}
				return &out
			}
		}()},
		{"ERROR to ERROR", func(p wamp.Payload) wamp.Message {
			return &wamp.Error{RequestType: wamp.TypeInvocation, Request: 1, URI: "com.example.error", Payload: p}
		}, func(m wamp.Message) wamp.Message {
			m.(*wamp.Error).RequestType = wamp.TypeCall
			return m
		}},
		{"PUBLISH to EVENT", func(p wamp.Payload) wamp.Message {
			return &wamp.Publish{Request: 1, Options: wamp.PublishOptions{Acknowledge: true, ExcludeMe: wamp.False}, Topic: "com.example.topic", Payload: p}
		}, func() func(m wamp.Message) wamp.Message {
			var out wamp.Event
			return func(m wamp.Message) wamp.Message {
				out = wamp.Event{Subscription: 2, Publication: 3, Payload: m.(*wamp.Publish).Payload,
					Details: wamp.EventDetails{Publisher: 4, PublisherAuthid: "joe", PublisherAuthrole: "frontend", Topic: m.(*wamp.Publish).Topic}}
				return &out
			}
		}()},
	}
	for _, f := range formats {
		p := wamp.Payload{Format: f, Args: oracle(t, f, list{1, "text \"quoted\" ä", 2.5, nil, dict{"k": list{true}}}), Kwargs: oracle(t, f, dict{"k": "v"})}
		for _, c := range cases {
			data, err := codec.Append(nil, f, c.in(p))
			if err != nil {
				t.Fatal(err)
			}
			var d codec.Decoder
			buf := make([]byte, 0, 1024)
			n := testing.AllocsPerRun(100, func() {
				m, err := d.Decode(f, data)
				if err != nil {
					t.Fatal(err)
				}
				if buf, err = codec.Append(buf[:0], f, c.out(m)); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%s in %s: %v allocations", c.name, f, n)
			}
		}
	}
}
