package wamp

// Features is a set of features that a peer announces for one role.
type Features uint32

// The features of the specification's advanced profile that usher knows by
// name. Others that a peer announces are ignored.
const (
	FeatureCallerIdentification Features = 1 << iota
	FeatureCallCanceling
	FeatureCallTimeout
	FeatureCallTrustlevels
	FeaturePatternBasedRegistration
	FeatureProgressiveCallInvocations
	FeatureProgressiveCallResults
	FeatureSharedRegistration
	FeatureRegistrationRevocation
	FeaturePublisherIdentification
	FeaturePublisherExclusion
	FeatureSubscriberBlackwhiteListing
	FeaturePatternBasedSubscription
	FeaturePublicationTrustlevels
	FeatureSubscriptionRevocation
	FeatureEventHistory
	FeatureEventRetention
	FeatureSessionMetaAPI
	FeatureRegistrationMetaAPI
	FeatureSubscriptionMetaAPI
	FeatureTestamentMetaAPI
	FeaturePayloadPassthruMode
	FeatureCallReroute
)

// Name returns the name of a single feature on the wire, "" for any other set.
func (f Features) Name() string {
	switch f {
	case FeatureCallerIdentification:
		return "caller_identification"
	case FeatureCallCanceling:
		return "call_canceling"
	case FeatureCallTimeout:
		return "call_timeout"
	case FeatureCallTrustlevels:
		return "call_trustlevels"
	case FeaturePatternBasedRegistration:
		return "pattern_based_registration"
	case FeatureProgressiveCallInvocations:
		return "progressive_call_invocations"
	case FeatureProgressiveCallResults:
		return "progressive_call_results"
	case FeatureSharedRegistration:
		return "shared_registration"
	case FeatureRegistrationRevocation:
		return "registration_revocation"
	case FeaturePublisherIdentification:
		return "publisher_identification"
	case FeaturePublisherExclusion:
		return "publisher_exclusion"
	case FeatureSubscriberBlackwhiteListing:
		return "subscriber_blackwhite_listing"
	case FeaturePatternBasedSubscription:
		return "pattern_based_subscription"
	case FeaturePublicationTrustlevels:
		return "publication_trustlevels"
	case FeatureSubscriptionRevocation:
		return "subscription_revocation"
	case FeatureEventHistory:
		return "event_history"
	case FeatureEventRetention:
		return "event_retention"
	case FeatureSessionMetaAPI:
		return "session_meta_api"
	case FeatureRegistrationMetaAPI:
		return "registration_meta_api"
	case FeatureSubscriptionMetaAPI:
		return "subscription_meta_api"
	case FeatureTestamentMetaAPI:
		return "testament_meta_api"
	case FeaturePayloadPassthruMode:
		return "payload_passthru_mode"
	case FeatureCallReroute:
		return "call_reroute"
	}
	return ""
}

// ParseFeature is the inverse of Name: 0 for a name that usher does not know. It
// also takes the other spelling of call canceling that the specification has.
func ParseFeature(name string) Features {
	if name == "call_cancelling" {
		return FeatureCallCanceling
	}
	for f := FeatureCallerIdentification; f <= FeatureCallReroute; f <<= 1 {
		if f.Name() == name {
			return f
		}
	}
	return 0
}

// Has reports whether the peer has the role and announced all of f for it.
func (r RoleFeatures) Has(f Features) bool { return r.Present && r.Features&f == f }

// RoleFeatures is a role as announced in HELLO or WELCOME. The zero value means
// that the peer does not have the role.
type RoleFeatures struct {
	Present    bool
	Reflection bool // beside the features (specification: "Interface Reflection")
	Features   Features
}

// Roles are the roles of one peer: the first four in HELLO, the last two in WELCOME.
type Roles struct {
	Caller, Callee, Publisher, Subscriber RoleFeatures
	Broker, Dealer                        RoleFeatures
}
