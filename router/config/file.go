package config

import (
	"net/netip"
	"regexp"
	"strings"

	"usher/router/auth"
)

// usherFile reads usher.yaml. Its keys:
//
//	realms           list, see realms
//	transports       list, see transports
//	scripts          the directory, or a dict, see scripts
//	components       dict by name: {realm, role}, where that script's session joins
//	trusted_proxies  list of addresses and networks, e.g. 10.0.0.0/8, whose
//	                 Forwarded and X-Forwarded-… headers are believed; unix
//	                 stands for everybody who can connect to a Unix socket
//	allowed_hosts    list of host names that a listener on loopback also answers to
//	limits           dict, see limits
func (r *reader) usherFile(v value, c *Config) {
	f := v.fields()
	c.Realms = r.realms(f.need("realms"))
	c.Transports = r.transports(f.need("transports"), c)
	r.scripts(f.get("scripts"), c)
	r.components(f.get("components"), c)
	c.TrustedProxies, c.TrustUnix = proxies(f.get("trusted_proxies"))
	c.AllowedHosts = hosts(f.get("allowed_hosts"))
	c.Limits = limits(f.get("limits"))
	f.done(map[string]string{
		"workers":    "a Crossbar.io node file has realms and transports inside of workers; usher.yaml has them at the top",
		"roles":      "roles belong into an entry of realms",
		"paths":      "paths belong into an entry of transports",
		"auth":       "auth belongs into a path of type websocket",
		"version":    "usher.yaml has no version",
		"controller": "usher has no controller",
	})
}

// components reads who the scripts are.
func (r *reader) components(v value, c *Config) {
	v.each(func(name string, v value) {
		if c.Components == nil {
			c.Components = map[string]Component{}
		}
		if !componentName.MatchString(name) {
			v.fail("%q can't be a component's name: write the script's file name without .lua", name)
		}
		f := v.fields()
		realm, role := f.need("realm"), f.need("role")
		component := Component{Realm: realm.name(), Role: role.name()}
		c.Components[name] = component
		f.done(map[string]string{"authrole": "it is called role here"})
		r.checks = append(r.checks, func() { checkMember(c, realm, role) })
	})
}

// componentName is what a script's file may be called, without its suffix.
var componentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// checkMember checks that there is such a realm with such a role.
func checkMember(c *Config, realm, role value) {
	in := c.realm(realm.text())
	if in == nil {
		realm.fail("there is no realm %q%s", realm.text(), suggest(realm.text(), realmNames(c)))
		return
	}
	if in.role(role.text()) == nil {
		role.fail("realm %q has no role %q%s", in.Name, role.text(), suggest(role.text(), roleNames(in)))
	}
}

func realmNames(c *Config) []string {
	names := make([]string, len(c.Realms))
	for i, r := range c.Realms {
		names[i] = r.Name
	}
	return names
}

func roleNames(realms ...*Realm) []string {
	var names []string
	for _, realm := range realms {
		for _, role := range realm.Roles {
			names = append(names, role.Name)
		}
	}
	return names
}

// proxies reads addresses and networks.
func proxies(v value) (all []netip.Prefix, unix bool) {
	for _, item := range v.list() {
		s := item.name()
		if s == "" {
			continue
		}
		if s == "unix" {
			unix = true
			continue
		}
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			item.fail("%q is neither an IP address nor a network such as 10.0.0.0/8", s)
			continue
		}
		if p.Bits() == 0 {
			item.fail("%s is everybody: then any client could claim any address; name your proxies", s)
			continue
		}
		all = append(all, p.Masked())
	}
	return all, unix
}

// hosts reads names as they stand in a Host header, without port.
func hosts(v value) []string {
	all := v.names(func(name string) string {
		if strings.ContainsAny(name, "/:*@ ") {
			return "is not a host name without scheme and port"
		}
		return ""
	})
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	return all
}

// limits reads the bounds on connections and sessions; see Limits. Sizes are
// written as 1MiB, times as 5s.
func limits(v value) Limits {
	f := v.fields()
	l := Limits{
		MaxMessageSize:       f.get("max_message_size").size(1<<10, 1<<30),
		QueueSize:            f.get("queue_size").size(64<<10, 1<<30),
		WriteTimeout:         f.get("write_timeout").duration(),
		PingInterval:         f.get("ping_interval").duration(),
		PingTimeout:          f.get("ping_timeout").duration(),
		CloseTimeout:         f.get("close_timeout").duration(),
		HelloTimeout:         f.get("hello_timeout").duration(),
		AuthenticateTimeout:  f.get("authenticate_timeout").duration(),
		AuthenticatorTimeout: f.get("authenticator_timeout").duration(),
		ShutdownTimeout:      f.get("shutdown_timeout").duration(),
		PendingCalls:         f.get("pending_calls").integer(1, 1e7),
		PendingInvocations:   f.get("pending_invocations").integer(1, 1e7),
		Registrations:        f.get("registrations").integer(1, 1e7),
		Subscriptions:        f.get("subscriptions").integer(1, 1e7),
		Handshakes:           f.get("handshakes").integer(1, 1e6),
		HandshakesPerAddress: f.get("handshakes_per_address").integer(1, 1e6),
		FailedLogins:         failedLogins(f.get("failed_logins")),
		LongPolls:            f.get("longpoll_transports").integer(1, 1e6),
	}
	f.done(nil)
	return l
}

// failedLogins reads how wrong logins are slowed down and refused; see
// auth.ThrottleLimits:
//
//	slow_after    so many are answered at once; 0: nothing is slowed down or refused
//	max_delay     how much later the next are answered at most
//	refuse_after  so many of one address make it be refused
//	refuse_for    for how long
//	window        in what time half of them are forgotten
//	entries       how many addresses and authids are remembered
func failedLogins(v value) auth.ThrottleLimits {
	f := v.fields()
	slowAfter := f.get("slow_after")
	l := auth.ThrottleLimits{
		SlowAfter:   slowAfter.integer(0, 1e6),
		MaxDelay:    f.get("max_delay").duration(),
		RefuseAfter: f.get("refuse_after").integer(1, 1e6),
		RefuseFor:   f.get("refuse_for").duration(),
		Window:      f.get("window").duration(),
		Entries:     f.get("entries").integer(16, 1e7),
	}
	if !slowAfter.absent() && l.SlowAfter == 0 {
		l.SlowAfter = -1
	}
	f.done(nil)
	return l
}
