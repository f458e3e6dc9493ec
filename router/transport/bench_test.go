package transport

import (
	"fmt"
	"testing"

	"usher/router/wamp"
)

// drainer reads whatever comes until the connection ends.
func drainer(c Conn, received chan<- struct{}) {
	var b Batch
	for {
		if _, err := c.Read(&b); err != nil {
			return
		}
		received <- struct{}{}
	}
}

// BenchmarkRelay is what the transport adds to each small message: one end sends
// 16 at a time, the other sends each back.
func BenchmarkRelay(b *testing.B) {
	for _, name := range []string{jsonName, cborName, cborName + ".batched"} {
		b.Run(name, func(b *testing.B) {
			client, server := listen(b, Options{}).dial(name)
			m := event(b, server.Format(), 1, 16)
			go func() { // until the connection ends
				var batch Batch
				for {
					if _, err := server.Read(&batch); err != nil {
						return
					}
					_ = server.Send(&batch, m)
				}
			}()
			var batch Batch
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; sent < b.N; {
				n := min(16, b.N-sent)
				for range n {
					if err := client.Send(&batch, m); err != nil {
						b.Fatal(err)
					}
				}
				for range n {
					if _, err := client.Read(&batch); err != nil {
						b.Fatal(err)
					}
				}
				sent += n
			}
		})
	}
}

// BenchmarkFanOut is one event to many connections, up to its arrival.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := listen(b, Options{PingInterval: -1}) // nobody reads what the servers would hear
			received := make(chan struct{}, n)
			var servers []*WebSocket
			for range n {
				client, server := e.dial(cborName)
				servers = append(servers, server)
				go drainer(client, received)
			}
			m := event(b, wamp.CBOR, 1, 128)
			var batch Batch
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				shared := NewShared(m)
				for _, s := range servers {
					if err := s.SendShared(&batch, shared); err != nil {
						b.Fatal(err)
					}
				}
				batch.Flush()
				for range n {
					<-received
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
		})
	}
}
