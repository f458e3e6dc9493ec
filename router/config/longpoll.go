package config

import "time"

// longPoll reads a path where clients connect by HTTP requests:
//
//	serializers  list of json, msgpack, cbor; absent: all
//	auth         dict of methods, see methods
//	cookie       the tracking cookie, see cookie; absent: none
//	options      dict:
//	  allowed_origins       as of a path of type websocket
//	  request_timeout       how long a receive request waits for messages;
//	                        absent: 10s
//	  session_timeout       how long a client may neither poll nor send until it
//	                        is taken to be gone; absent: 30s
//	  queue_limit_bytes     what may wait for one client; absent: limits.queue_size
//	  queue_limit_messages  how many messages may wait for one client; absent: any
//
// In a Crossbar.io node file both times are in seconds.
func (r *reader) longPoll(f *fields, c *Config) *LongPoll {
	l := &LongPoll{Subprotocols: subprotocols(f.get("serializers"))}
	l.Auth = r.methods(f, c)
	l.Cookie = r.cookie(f.get("cookie"), c)
	pairCookie(f, &l.Auth, l.Cookie, true)
	o := f.get("options").fields()
	l.AllowedOrigins = origins(o.get("allowed_origins"))
	for _, row := range []struct {
		key string
		to  *time.Duration
	}{
		{"request_timeout", &l.RequestTimeout},
		{"session_timeout", &l.SessionTimeout},
	} {
		v := o.get(row.key)
		switch {
		case !r.crossbar:
			*row.to = v.duration()
		case v.nonZero("usher always has a limit and keeps its default"):
			*row.to = time.Duration(v.integer(1, 24*60*60)) * time.Second
		}
	}
	if v := o.get("queue_limit_bytes"); !r.crossbar || v.nonZero("usher always has a limit and keeps its default") {
		l.QueueBytes = v.size(1<<10, 1<<30)
	}
	if v := o.get("queue_limit_messages"); !r.crossbar || v.nonZero("the limit of bytes counts alone") {
		l.QueueMessages = v.integer(1, 1e6)
	}
	// One that is known would let everybody into the session.
	if v := o.get("debug_transport_id"); !v.absent() {
		v.unsupported("usher chooses the ids of transports itself")
	}
	r.crossbarOnly(o, "debug")
	o.done(map[string]string{"max_message_size": "write limits: {max_message_size: 1MiB} at the top"})
	return l
}
