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

// FeatureNames holds the wire name of bit i at index i.
func FeatureNames() [23]string {
	return [23]string{
		"caller_identification", "call_canceling", "call_timeout", "call_trustlevels",
		"pattern_based_registration", "progressive_call_invocations", "progressive_call_results",
		"shared_registration", "registration_revocation", "publisher_identification",
		"publisher_exclusion", "subscriber_blackwhite_listing", "pattern_based_subscription",
		"publication_trustlevels", "subscription_revocation", "event_history", "event_retention",
		"session_meta_api", "registration_meta_api", "subscription_meta_api", "testament_meta_api",
		"payload_passthru_mode", "call_reroute",
	}
}

// RoleFeatures is a role as announced in HELLO or WELCOME. The zero value means
// that the peer does not have the role.
type RoleFeatures struct {
	Present  bool
	Features Features
}

// Roles are the roles of one peer: the first four in HELLO, the last two in WELCOME.
type Roles struct {
	Caller, Callee, Publisher, Subscriber RoleFeatures
	Broker, Dealer                        RoleFeatures
}
