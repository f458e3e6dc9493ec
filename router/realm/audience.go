package realm

import (
	"slices"

	"usher/router/wamp"
)

// audience judges who receives a publication that carries lists (specification:
// "Subscriber Black- and Whitelisting"): whoever each eligible list that is given
// names, and no exclude list does. An eligible list that is empty names nobody.
// It belongs to one goroutine.
type audience struct {
	lists                             *wamp.Audience
	exclude, eligible                 roster[wamp.ID]
	excludeAuthid, eligibleAuthid     roster[string]
	excludeAuthrole, eligibleAuthrole roster[string]
}

func newAudience(a *wamp.Audience) *audience {
	return &audience{
		lists:            a,
		exclude:          roster[wamp.ID]{list: a.Exclude},
		eligible:         roster[wamp.ID]{list: a.Eligible},
		excludeAuthid:    roster[string]{list: a.ExcludeAuthid},
		eligibleAuthid:   roster[string]{list: a.EligibleAuthid},
		excludeAuthrole:  roster[string]{list: a.ExcludeAuthrole},
		eligibleAuthrole: roster[string]{list: a.EligibleAuthrole},
	}
}

// admits reports whether s is one of the audience.
func (a *audience) admits(s *session) bool {
	return a.eligible.allows(s.id) && a.eligibleAuthid.allows(s.authid) && a.eligibleAuthrole.allows(s.authrole) &&
		!a.exclude.has(s.id) && !a.excludeAuthid.has(s.authid) && !a.excludeAuthrole.has(s.authrole)
}

// roster is one list. The zero roster was not given.
type roster[K comparable] struct {
	list  []K
	index map[K]struct{} // of a long list, once somebody was looked up
}

// indexFrom is the length from which on an index costs less than to read a list
// once for each subscriber.
const indexFrom = 32

// allows reports whether k is eligible as far as this list goes.
func (r *roster[K]) allows(k K) bool { return r.list == nil || r.has(k) }

func (r *roster[K]) has(k K) bool {
	if len(r.list) < indexFrom {
		return slices.Contains(r.list, k)
	}
	if r.index == nil {
		r.index = make(map[K]struct{}, len(r.list))
		for _, each := range r.list {
			r.index[each] = struct{}{}
		}
	}
	_, ok := r.index[k]
	return ok
}

// admits is audience.admits for lists that are asked about once.
func admits(a *wamp.Audience, s *session) bool {
	return isEligible(a.Eligible, s.id) && isEligible(a.EligibleAuthid, s.authid) && isEligible(a.EligibleAuthrole, s.authrole) &&
		!slices.Contains(a.Exclude, s.id) && !slices.Contains(a.ExcludeAuthid, s.authid) && !slices.Contains(a.ExcludeAuthrole, s.authrole)
}

func isEligible[K comparable](list []K, k K) bool { return list == nil || slices.Contains(list, k) }

// cloneAudience copies lists that are kept beyond their message.
func cloneAudience(a *wamp.Audience) *wamp.Audience {
	if a == nil {
		return nil
	}
	return &wamp.Audience{
		Exclude: slices.Clone(a.Exclude), Eligible: slices.Clone(a.Eligible),
		ExcludeAuthid: slices.Clone(a.ExcludeAuthid), EligibleAuthid: slices.Clone(a.EligibleAuthid),
		ExcludeAuthrole: slices.Clone(a.ExcludeAuthrole), EligibleAuthrole: slices.Clone(a.EligibleAuthrole),
	}
}

// sameAudience reports whether two publications have the same lists.
func sameAudience(a, b *wamp.Audience) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameList(a.Exclude, b.Exclude) && sameList(a.Eligible, b.Eligible) &&
		sameList(a.ExcludeAuthid, b.ExcludeAuthid) && sameList(a.EligibleAuthid, b.EligibleAuthid) &&
		sameList(a.ExcludeAuthrole, b.ExcludeAuthrole) && sameList(a.EligibleAuthrole, b.EligibleAuthrole)
}

func sameList[K comparable](a, b []K) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// audienceSize is about what lists take in memory.
func audienceSize(a *wamp.Audience) int {
	if a == nil {
		return 0
	}
	n := 8 * (len(a.Exclude) + len(a.Eligible))
	for _, list := range [][]string{a.ExcludeAuthid, a.EligibleAuthid, a.ExcludeAuthrole, a.EligibleAuthrole} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	return n
}
