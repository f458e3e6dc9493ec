package transport

import (
	"fmt"
	"maps"
	"slices"
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
	links := map[string]func(b *testing.B) (client, server Conn){}
	for _, name := range []string{jsonName, cborName, cborName + ".batched"} {
		links[name] = func(b *testing.B) (Conn, Conn) { return listen(b, Options{}).dial(name) }
	}
	for _, kind := range rawKinds {
		links["rawsocket/"+kind+"/cbor"] = func(b *testing.B) (Conn, Conn) {
			return listenRaw(b, Options{}, kind, RawSocketOptions{}).dial(wamp.CBOR)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		b.Run(name, func(b *testing.B) {
			client, server := links[name](b)
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

// BenchmarkLarge is one message of 1 MiB at a time, there and back.
func BenchmarkLarge(b *testing.B) {
	o := Options{MaxMessageSize: 4 << 20, QueueBytes: 16 << 20}
	for name, link := range map[string]func() (client, server Conn){
		"websocket":     func() (Conn, Conn) { return listen(b, o).dial(cborName) },
		"rawsocket/tcp": func() (Conn, Conn) { return listenRaw(b, o, "tcp", RawSocketOptions{}).dial(wamp.CBOR) },
		"rawsocket/tls": func() (Conn, Conn) { return listenRaw(b, o, "tls", RawSocketOptions{}).dial(wamp.CBOR) },
	} {
		b.Run(name, func(b *testing.B) {
			client, server := link()
			m := event(b, server.Format(), 1, 1<<20)
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
			b.SetBytes(2 << 20)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := client.Send(&batch, m); err != nil {
					b.Fatal(err)
				}
				if _, err := client.Read(&batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompression is one event of 4 KiB to 100 connections, up to its arrival,
// with and without compression.
func BenchmarkCompression(b *testing.B) {
	const n = 100
	for name, d := range map[string]*Deflate{"off": nil, "on": {}} {
		for _, kind := range []string{"shared", "single"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				e := listen(b, Options{PingInterval: -1})
				e.deflate = d
				received := make(chan struct{}, n)
				var servers []*WebSocket
				for range n {
					client, server := e.dial(jsonName)
					servers = append(servers, server)
					go drainer(client, received)
				}
				m := payloadEvent(b, wamp.JSON, 1, 4<<10, true)
				var batch Batch
				before := e.transport.Stats().BytesOut
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					shared := NewShared(m)
					for _, s := range servers {
						err := error(nil)
						if kind == "shared" {
							err = s.SendShared(&batch, shared)
						} else {
							err = s.Send(&batch, m)
						}
						if err != nil {
							b.Fatal(err)
						}
					}
					batch.Flush()
					for range n {
						<-received
					}
				}
				b.ReportMetric(float64(e.transport.Stats().BytesOut-before)/float64(b.N)/n, "wire-B/event")
			})
		}
	}
}
