package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"

	"usher/router/auth"
)

// Change is one part in which two configurations differ.
type Change struct {
	Path    string // e.g. "limits.ping_interval" or "transports[1].endpoint"
	Restart bool   // takes effect only when the router is started anew
	Message string // what changed, in words; never holds a secret
}

// String returns the change for the log.
func (c Change) String() string {
	s := c.Path + ": " + c.Message
	if c.Restart {
		s += "; it takes effect when usher is started anew"
	}
	return s
}

// Diff says what is different in b, first what needs a restart. A listener is
// the same where its endpoint is: what it serves may change while it runs, the
// endpoint itself not. Only certificates are read anew.
func Diff(a, b *Config) []Change {
	changes := listenerChanges(a, b)
	for _, row := range append(limitRows(a.Limits, b.Limits),
		diffRow{"scripts.directory", a.Scripts.Directory, b.Scripts.Directory},
		diffRow{"scripts.kv.file", a.Scripts.KV.File, b.Scripts.KV.File},
		diffRow{"scripts.kv.entries", a.Scripts.KV.Entries, b.Scripts.KV.Entries},
		diffRow{"scripts.kv.bytes", a.Scripts.KV.Bytes, b.Scripts.KV.Bytes},
		diffRow{"scripts.limits.hash_memory", a.Scripts.Limits.HashMemory, b.Scripts.Limits.HashMemory},
	) {
		if row.a != row.b {
			changes = append(changes, Change{row.path, true, row.change()})
		}
	}
	changes = append(changes, realmChanges(a, b)...)
	for _, row := range []diffRow{
		{"components", a.Components, b.Components},
		{"scripts.env", a.Scripts.Env, b.Scripts.Env},
		{"scripts.allow_join", a.Scripts.AllowJoin, b.Scripts.AllowJoin},
		{"scripts.http", a.Scripts.HTTP, b.Scripts.HTTP},
		{"scripts.sql", a.Scripts.SQL, b.Scripts.SQL},
		{"scripts.limits", a.Scripts.Limits, b.Scripts.Limits},
		{"trusted_proxies", a.TrustedProxies, b.TrustedProxies},
		{"trusted_proxies", a.TrustUnix, b.TrustUnix},
		{"allowed_hosts", a.AllowedHosts, b.AllowedHosts},
		{"limits.shutdown_timeout", a.Limits.ShutdownTimeout, b.Limits.ShutdownTimeout},
	} {
		if !reflect.DeepEqual(row.a, row.b) {
			changes = append(changes, Change{row.path, false, "changed"})
		}
	}
	for i, t := range b.Transports {
		old := a.transport(t.Endpoint)
		if old == nil {
			continue
		}
		for _, row := range []diffRow{
			{"paths", old.Paths, t.Paths},
			{"rawsocket", old.RawSocket, t.RawSocket},
			{"endpoint.tls", old.Endpoint.TLS, t.Endpoint.TLS},
		} {
			// Where a protocol came or went that is told already.
			if !reflect.DeepEqual(row.a, row.b) && (row.path != "rawsocket" || old.kind() == t.kind()) {
				changes = append(changes, Change{fmt.Sprintf("transports[%d].%s", i, row.path), false, "changed"})
			}
		}
	}
	return changes
}

// listenerChanges are the endpoints that came and went.
func listenerChanges(a, b *Config) []Change {
	var changes []Change
	for i, t := range b.Transports {
		old := a.transport(t.Endpoint)
		if old == nil {
			changes = append(changes, Change{fmt.Sprintf("transports[%d].endpoint", i), true, t.Endpoint.String() + " is new"})
			continue
		}
		for _, row := range []diffRow{
			{"type", old.kind(), t.kind()},
			{"endpoint.mode", old.Endpoint.Mode, t.Endpoint.Mode},
			{"max_connections", shown(old.MaxConnections), shown(t.MaxConnections)},
		} {
			if row.a != row.b {
				changes = append(changes, Change{fmt.Sprintf("transports[%d].%s", i, row.path), true, fmt.Sprintf("was %v, is now %v", row.a, row.b)})
			}
		}
	}
	for i, t := range a.Transports {
		if b.transport(t.Endpoint) == nil {
			changes = append(changes, Change{fmt.Sprintf("transports[%d].endpoint", i), true, t.Endpoint.String() + " is gone"})
		}
	}
	return changes
}

// realmChanges are the realms and roles that came, went or changed.
func realmChanges(a, b *Config) []Change {
	var changes []Change
	add := func(path, format string, args ...any) {
		changes = append(changes, Change{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	for i := range b.Realms {
		r, at := &b.Realms[i], fmt.Sprintf("realms[%d]", i)
		old := a.realm(r.Name)
		if old == nil {
			add(at, "realm %q is new", r.Name)
			continue
		}
		for j, role := range r.Roles {
			at := fmt.Sprintf("%s.roles[%d]", at, j)
			before := old.role(role.Name)
			if before == nil {
				add(at, "role %q of realm %q is new", role.Name, r.Name)
				continue
			}
			for _, row := range roleRows(before, role) {
				if !reflect.DeepEqual(row.a, row.b) {
					add(at+"."+row.path, "of role %q of realm %q %s", role.Name, r.Name, row.change())
				}
			}
		}
		for _, role := range old.Roles {
			if r.role(role.Name) == nil {
				add(at+".roles", "role %q of realm %q is gone", role.Name, r.Name)
			}
		}
		for _, row := range settingRows(&old.Settings, &r.Settings) {
			if !reflect.DeepEqual(row.a, row.b) {
				add(at+"."+row.path, "of realm %q %s", r.Name, row.change())
			}
		}
	}
	for _, r := range a.Realms {
		if b.realm(r.Name) == nil {
			add("realms", "realm %q is gone", r.Name)
		}
	}
	return changes
}

func roleRows(a, b *auth.Role) []diffRow {
	return []diffRow{
		{"permissions", a.Rules, b.Rules},
		{"authorizer", cmp.Or(a.Authorizer, "none"), cmp.Or(b.Authorizer, "none")},
		{"trustlevel", trustlevel(a), trustlevel(b)},
		{"allow_disclose_me", !a.DenyDiscloseMe, !b.DenyDiscloseMe},
	}
}

func trustlevel(r *auth.Role) string {
	if r.Trustlevel.Given {
		return strconv.Itoa(r.Trustlevel.Level)
	}
	return "none"
}

func settingRows(a, b *RealmSettings) []diffRow {
	return []diffRow{
		{"call_timeout", a.CallTimeout, b.CallTimeout},
		{"max_call_timeout", a.MaxCallTimeout, b.MaxCallTimeout},
		{"event_history.rules", a.History, b.History},
		{"event_history.bytes", a.HistoryBytes, b.HistoryBytes},
		{"retained.events", a.RetainedEvents, b.RetainedEvents},
		{"retained.bytes", a.RetainedBytes, b.RetainedBytes},
		{"modify_details", a.ModifyDetails, b.ModifyDetails},
	}
}

// Same reports whether e and o are one listener: certificates may differ. Of
// several at port 0 those with the same Ordinal are one.
func (e Endpoint) Same(o Endpoint) bool {
	return e.Network() == o.Network() && e.Address() == o.Address() && (e.TLS == nil) == (o.TLS == nil) && e.Ordinal == o.Ordinal
}

// String returns the address, and whether TLS is spoken there.
func (e Endpoint) String() string {
	s := e.Address()
	if e.Path != "" {
		s = "unix:" + s
	}
	if e.TLS != nil {
		s += " (TLS)"
	}
	return s
}

// transport returns the first transport at e, or nil.
func (c *Config) transport(e Endpoint) *Transport {
	for i := range c.Transports {
		if c.Transports[i].Endpoint.Same(e) {
			return &c.Transports[i]
		}
	}
	return nil
}

// diffRow is one value of the two configurations.
type diffRow struct {
	path string
	a, b any
}

// change is the difference in words; what has parts just changed.
func (r diffRow) change() string {
	if reflect.TypeOf(r.b).Kind() == reflect.Slice {
		return "changed"
	}
	return fmt.Sprintf("was %v, is now %v", shown(r.a), shown(r.b))
}

// shown is a value in words: zero values are defaults of other packages.
func shown(v any) any {
	if rv := reflect.ValueOf(v); rv.Kind() != reflect.Bool && rv.IsZero() {
		return "the default"
	}
	return v
}

// limitRows are the limits that the router is built with.
func limitRows(a, b Limits) []diffRow {
	return []diffRow{
		{"limits.max_message_size", a.MaxMessageSize, b.MaxMessageSize},
		{"limits.queue_size", a.QueueSize, b.QueueSize},
		{"limits.write_timeout", a.WriteTimeout, b.WriteTimeout},
		{"limits.ping_interval", a.PingInterval, b.PingInterval},
		{"limits.ping_timeout", a.PingTimeout, b.PingTimeout},
		{"limits.close_timeout", a.CloseTimeout, b.CloseTimeout},
		{"limits.hello_timeout", a.HelloTimeout, b.HelloTimeout},
		{"limits.authenticate_timeout", a.AuthenticateTimeout, b.AuthenticateTimeout},
		{"limits.authenticator_timeout", a.AuthenticatorTimeout, b.AuthenticatorTimeout},
		{"limits.pending_calls", a.PendingCalls, b.PendingCalls},
		{"limits.pending_invocations", a.PendingInvocations, b.PendingInvocations},
		{"limits.registrations", a.Registrations, b.Registrations},
		{"limits.subscriptions", a.Subscriptions, b.Subscriptions},
		{"limits.handshakes", a.Handshakes, b.Handshakes},
		{"limits.handshakes_per_address", a.HandshakesPerAddress, b.HandshakesPerAddress},
		{"limits.failed_logins", a.FailedLogins, b.FailedLogins},
		{"limits.longpoll_transports", a.LongPolls, b.LongPolls},
	}
}
