package wamp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Match says how a pattern is compared with a URI (specification:
// "Pattern-based Subscriptions"). The zero Match is exact.
type Match uint8

// The matching policies.
const (
	Exact    Match = iota
	Prefix         // compared by string, not by component
	Wildcard       // an empty component matches any one component
)

// String returns the policy as options spell it.
func (m Match) String() string {
	switch m {
	case Prefix:
		return "prefix"
	case Wildcard:
		return "wildcard"
	}
	return "exact"
}

// ParseMatch is the inverse of String; the empty string is exact.
func ParseMatch(s string) (Match, bool) {
	switch s {
	case "", "exact":
		return Exact, true
	case "prefix":
		return Prefix, true
	case "wildcard":
		return Wildcard, true
	}
	return 0, false
}

// MaxURILength bounds a URI, in bytes.
const MaxURILength = 1024

// MaxWildcardComponents bounds the components of a wildcard pattern.
const MaxWildcardComponents = 64

// ValidURI reports whether s is a URI under the specification's loose rules: no
// empty component, no white space, no '#' ("URIs"). The router adds its own bound
// on length, and takes no strings that are not UTF-8.
func ValidURI(s string) bool { return validURI(s, Exact) }

// ValidPattern reports whether s may be registered or subscribed under m: a
// wildcard pattern may have empty components, up to MaxWildcardComponents in all,
// a prefix may end in a dot. Only a prefix may be empty as a whole.
func ValidPattern(s string, m Match) bool { return validURI(s, m) }

func validURI(s string, m Match) bool {
	if len(s) > MaxURILength {
		return false
	}
	if s == "" {
		return m == Prefix
	}
	if m == Wildcard && strings.Count(s, ".") >= MaxWildcardComponents {
		return false
	}
	last := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c > '.' && c < utf8.RuneSelf: // nearly all
		case c == '.':
			if last == '.' && m != Wildcard {
				return false
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || unicode.IsSpace(r) {
				return false
			}
			i += n - 1
		case c == '#' || c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f:
			// White space is what \s stands for in regular expressions over
			// Unicode, to which U+001C to U+001F belong.
			return false
		}
		last = c
	}
	return last != '.' || m != Exact
}

// Reserved reports whether only the router itself may register or publish s.
func Reserved(s string) bool { return s == "wamp" || strings.HasPrefix(s, "wamp.") }

// Error and close URIs of the specification, and of usher where it is silent.
const (
	ErrInvalidURI               = "wamp.error.invalid_uri"
	ErrInvalidArgument          = "wamp.error.invalid_argument"
	ErrNoSuchProcedure          = "wamp.error.no_such_procedure"
	ErrProcedureAlreadyExists   = "wamp.error.procedure_already_exists"
	ErrNoSuchRegistration       = "wamp.error.no_such_registration"
	ErrNoSuchSubscription       = "wamp.error.no_such_subscription"
	ErrNotAuthorized            = "wamp.error.not_authorized"
	ErrAuthorizationFailed      = "wamp.error.authorization_failed"
	ErrAuthenticationFailed     = "wamp.error.authentication_failed"
	ErrAuthenticationDenied     = "wamp.error.authentication_denied"
	ErrAuthenticationRequired   = "wamp.error.authentication_required"
	ErrNoMatchingAuthMethod     = "wamp.error.no_matching_auth_method"
	ErrNoSuchRealm              = "wamp.error.no_such_realm"
	ErrNoSuchRole               = "wamp.error.no_such_role"
	ErrNoSuchPrincipal          = "wamp.error.no_such_principal"
	ErrCanceled                 = "wamp.error.canceled"
	ErrTimeout                  = "wamp.error.timeout"
	ErrUnavailable              = "wamp.error.unavailable"
	ErrOptionNotAllowed         = "wamp.error.option_not_allowed"
	ErrOptionDisallowedDisclose = "wamp.error.option_disallowed.disclose_me"
	ErrProtocolViolation        = "wamp.error.protocol_violation"
	ErrPayloadSizeExceeded      = "wamp.error.payload_size_exceeded"
	ErrRuntime                  = "wamp.error.runtime_error"
	ErrNetworkFailure           = "wamp.error.network_failure"
	ErrFeatureNotSupported      = "wamp.error.feature_not_supported"
	ErrNoAvailableCallee        = "wamp.error.no_available_callee"
	ErrNoSuchSession            = "wamp.error.no_such_session"
	ErrInvocationPolicyConflict = "wamp.error.procedure_exists_with_different_invocation_policy"
	CloseSystemShutdown         = "wamp.close.system_shutdown"
	CloseRealm                  = "wamp.close.close_realm"
	CloseGoodbyeAndOut          = "wamp.close.goodbye_and_out"
	CloseNormal                 = "wamp.close.normal"
	CloseKilled                 = "wamp.close.killed"
)
