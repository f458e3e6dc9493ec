package router

import (
	"usher/router/config"
	"usher/router/cookies"
	"usher/router/realm"
	"usher/router/transport"
)

// Policy is the part of a configuration that the realms need.
func Policy(c *config.Config) *realm.Policy {
	p := &realm.Policy{
		Realms:         make(map[string]*realm.RealmPolicy, len(c.Realms)),
		Authenticators: c.Authenticators(),
	}
	roles := c.Roles()
	for _, r := range c.Realms {
		p.Realms[r.Name] = &realm.RealmPolicy{Name: r.Name, Roles: roles[r.Name], Settings: realmSettings(r.Settings)}
	}
	return p
}

func realmSettings(s config.RealmSettings) realm.Settings {
	settings := realm.Settings{
		CallTimeout:    s.CallTimeout,
		MaxCallTimeout: s.MaxCallTimeout,
		HistoryBytes:   s.HistoryBytes,
		RetainedEvents: s.RetainedEvents,
		RetainedBytes:  s.RetainedBytes,
		ModifyDetails:  s.ModifyDetails,
	}
	for _, h := range s.History {
		settings.History = append(settings.History, realm.HistoryRule(h))
	}
	return settings
}

// realmLimits and transportOptions pick what concerns each package.
func realmLimits(l config.Limits) realm.Limits {
	return realm.Limits{
		HelloTimeout:         l.HelloTimeout,
		AuthenticateTimeout:  l.AuthenticateTimeout,
		AuthenticatorTimeout: l.AuthenticatorTimeout,
		PendingCalls:         l.PendingCalls,
		PendingInvocations:   l.PendingInvocations,
		Registrations:        l.Registrations,
		Subscriptions:        l.Subscriptions,
		Handshakes:           l.Handshakes,
		HandshakesPerAddress: l.HandshakesPerAddress,
		Throttle:             l.FailedLogins,
	}
}

func transportOptions(l config.Limits) transport.Options {
	return transport.Options{
		MaxMessageSize: l.MaxMessageSize,
		QueueBytes:     l.QueueSize,
		WriteTimeout:   l.WriteTimeout,
		PingInterval:   l.PingInterval,
		PingTimeout:    l.PingTimeout,
		CloseTimeout:   l.CloseTimeout,
	}
}

// cookieSpecs are the stores of the tracking cookies of a configuration.
func cookieSpecs(c *config.Config) []cookies.Spec {
	var specs []cookies.Spec
	for _, k := range c.Cookies() {
		specs = append(specs, cookieSpec(k))
	}
	return specs
}

func cookieSpec(k *config.Cookie) cookies.Spec {
	return cookies.Spec{Name: k.Name, File: k.File, Purge: k.Purge}
}
