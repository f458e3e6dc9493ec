package wamp

import "strconv"

// MessageType is the first element of a message (specification: "Message Codes").
type MessageType uint8

// The message types.
const (
	TypeHello        MessageType = 1
	TypeWelcome      MessageType = 2
	TypeAbort        MessageType = 3
	TypeChallenge    MessageType = 4
	TypeAuthenticate MessageType = 5
	TypeGoodbye      MessageType = 6
	TypeError        MessageType = 8
	TypePublish      MessageType = 16
	TypePublished    MessageType = 17
	TypeSubscribe    MessageType = 32
	TypeSubscribed   MessageType = 33
	TypeUnsubscribe  MessageType = 34
	TypeUnsubscribed MessageType = 35
	TypeEvent        MessageType = 36
	TypeCall         MessageType = 48
	TypeCancel       MessageType = 49
	TypeResult       MessageType = 50
	TypeRegister     MessageType = 64
	TypeRegistered   MessageType = 65
	TypeUnregister   MessageType = 66
	TypeUnregistered MessageType = 67
	TypeInvocation   MessageType = 68
	TypeInterrupt    MessageType = 69
	TypeYield        MessageType = 70
)

// Message is one of the pointer types below. Strings of a message are owned or
// interned and may be kept; Payload and Value bytes are borrowed (see Payload).
type Message interface {
	Type() MessageType
}

// Bool is a dict entry that may be absent.
type Bool uint8

// The states of a Bool.
const (
	Unset Bool = iota
	False
	True
)

// Or returns the value, or d where it is absent.
func (b Bool) Or(d bool) bool {
	if b == Unset {
		return d
	}
	return b == True
}

// The session messages (specification: "Sessions").
type (
	// Hello opens a session. Realm is empty where the client leaves it to the router.
	Hello struct {
		Realm            string
		Roles            Roles
		Authmethods      []string
		HasAuthmethods   bool // the list was given, if perhaps empty
		Authid, Authrole string
		Authextra        Value
		Agent            string
	}
	// Welcome admits a session.
	Welcome struct {
		Session                                           ID
		Realm, Authid, Authrole, Authmethod, Authprovider string
		Authextra                                         Value
		Agent                                             string
		Roles                                             Roles
	}
	// Abort refuses or breaks a session. Message is a short text for people.
	Abort struct {
		Reason  string
		Message string
	}
	// Challenge asks the client for proof.
	Challenge struct {
		Method string
		Extra  Value // a dict; absent means {}
	}
	// Authenticate is the client's answer to a Challenge.
	Authenticate struct {
		Signature string
		Extra     Value
	}
	// Goodbye closes a session politely.
	Goodbye struct {
		Reason  string
		Message string
	}
	// Error answers a request of any kind.
	Error struct {
		RequestType MessageType
		Request     ID
		Passthru    *Passthru
		URI         string
		Payload     Payload
	}
)

// Passthru describes a payload that only its receiver can read, such as one that
// is encrypted from end to end (specification: "Payload Passthru Mode"). Where it
// is present, Scheme or EncAlgo is not empty. A decoded one is borrowed like a
// Payload.
type Passthru struct {
	Scheme, Serializer, Cipher, KeyID string
	// The older form, which Autobahn's clients still have: the payload is binary data
	// in the place of the list of arguments.
	EncAlgo, EncSerializer, EncKey string
}

// IsOpaque reports whether the payload is binary data in place of arguments.
func (p *Passthru) IsOpaque() bool { return p != nil && p.EncAlgo != "" }

// Clone returns a copy that is the caller's own. That of nil is nil.
func (p *Passthru) Clone() *Passthru {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// Trustlevel is what the router's configuration says of a caller or publisher,
// 0 being the lowest (specification: "Call Trust Levels", "Publication Trust
// Levels"). The zero value is none.
type Trustlevel struct {
	Level int
	Given bool
}

// Audience narrows who receives a publication (specification: "Subscriber
// Black- and Whitelisting"). A nil list does not narrow anything. The lists of a
// decoded one are borrowed like a Payload.
type Audience struct {
	Exclude, Eligible                 []ID
	ExcludeAuthid, EligibleAuthid     []string
	ExcludeAuthrole, EligibleAuthrole []string
}

// The publish-and-subscribe messages.
type (
	// Publish hands an event to the broker.
	Publish struct {
		Request ID
		Options PublishOptions
		Topic   string
		Payload Payload
	}
	// PublishOptions are PUBLISH.Options. ExcludeMe unset means true.
	PublishOptions struct {
		Acknowledge bool
		Retain      bool
		ExcludeMe   Bool
		DiscloseMe  Bool
		Audience    *Audience // nil: everybody
		Passthru    *Passthru
	}
	// Published acknowledges a Publish.
	Published struct{ Request, Publication ID }
	// Subscribe asks for the events of a topic or pattern.
	Subscribe struct {
		Request ID
		Options SubscribeOptions
		Topic   string
	}
	// SubscribeOptions are SUBSCRIBE.Options.
	SubscribeOptions struct {
		Match       Match
		GetRetained bool
	}
	// Subscribed acknowledges a Subscribe.
	Subscribed struct{ Request, Subscription ID }
	// Unsubscribe ends a subscription.
	Unsubscribe struct{ Request, Subscription ID }
	// Unsubscribed acknowledges an Unsubscribe. Without a Request it says that the
	// router has revoked Subscription, and perhaps why.
	Unsubscribed struct {
		Request, Subscription ID
		Reason                string
	}
	// Event hands a publication to a subscriber.
	Event struct {
		Subscription, Publication ID
		Details                   EventDetails
		Payload                   Payload
	}
	// EventDetails are EVENT.Details; zero fields are left out on the wire.
	EventDetails struct {
		Publisher                          ID
		PublisherAuthid, PublisherAuthrole string
		Topic                              string // for pattern subscriptions
		Retained                           bool
		Trustlevel                         Trustlevel
		Passthru                           *Passthru
	}
)

// The remote procedure call messages.
type (
	// Call asks the dealer for a procedure's result.
	Call struct {
		Request   ID
		Options   CallOptions
		Procedure string
		Payload   Payload
	}
	// CallOptions are CALL.Options.
	CallOptions struct {
		DiscloseMe      Bool
		ReceiveProgress bool
		Progress        bool   // more of this call follows
		Timeout         uint64 // milliseconds; 0: none
		Passthru        *Passthru
	}
	// Cancel asks for a call's end. Mode is empty where the client leaves it open.
	Cancel struct {
		Request ID
		Mode    string
	}
	// Result answers a Call, finally unless Progress is set.
	Result struct {
		Request  ID
		Progress bool
		Passthru *Passthru
		Payload  Payload
	}
	// Register offers a procedure or pattern.
	Register struct {
		Request   ID
		Options   RegisterOptions
		Procedure string
	}
	// RegisterOptions are REGISTER.Options. Invoke is as the client wrote it.
	RegisterOptions struct {
		Match           Match
		Invoke          string
		Concurrency     int // calls without an answer that the callee takes at a time; 0: any number
		DiscloseCaller  Bool
		ForceReregister bool
		ForwardTimeout  bool
	}
	// Registered acknowledges a Register.
	Registered struct{ Request, Registration ID }
	// Unregister takes a procedure back.
	Unregister struct{ Request, Registration ID }
	// Unregistered acknowledges an Unregister. Without a Request it says that the
	// router has revoked Registration, and perhaps why.
	Unregistered struct {
		Request, Registration ID
		Reason                string
	}
	// Invocation hands a call to the callee.
	Invocation struct {
		Request, Registration ID
		Details               InvocationDetails
		Payload               Payload
	}
	// InvocationDetails are INVOCATION.Details; zero fields are left out on the wire.
	InvocationDetails struct {
		Caller                       ID
		CallerAuthid, CallerAuthrole string
		Procedure                    string // for pattern registrations
		ReceiveProgress              bool
		Progress                     bool   // more of this call follows
		Timeout                      uint64 // milliseconds; 0: none
		Trustlevel                   Trustlevel
		Passthru                     *Passthru
	}
	// Yield is the callee's result, the final one unless Progress is set.
	Yield struct {
		Request  ID
		Progress bool
		Passthru *Passthru
		Payload  Payload
	}
	// Interrupt asks the callee to end an invocation.
	Interrupt struct {
		Request      ID
		Mode, Reason string
	}
)

// The modes of CANCEL and INTERRUPT (specification: "Call Canceling").
const (
	CancelSkip       = "skip"
	CancelKill       = "kill"
	CancelKillNoWait = "killnowait"
)

// The invocation policies of shared registrations (specification: "Shared
// Registration").
const (
	InvokeSingle     = "single"
	InvokeRoundRobin = "roundrobin"
	InvokeRandom     = "random"
	InvokeFirst      = "first"
	InvokeLast       = "last"
)

// Type implements Message for each type.
func (*Hello) Type() MessageType        { return TypeHello }
func (*Welcome) Type() MessageType      { return TypeWelcome }
func (*Abort) Type() MessageType        { return TypeAbort }
func (*Challenge) Type() MessageType    { return TypeChallenge }
func (*Authenticate) Type() MessageType { return TypeAuthenticate }
func (*Goodbye) Type() MessageType      { return TypeGoodbye }
func (*Error) Type() MessageType        { return TypeError }
func (*Publish) Type() MessageType      { return TypePublish }
func (*Published) Type() MessageType    { return TypePublished }
func (*Subscribe) Type() MessageType    { return TypeSubscribe }
func (*Subscribed) Type() MessageType   { return TypeSubscribed }
func (*Unsubscribe) Type() MessageType  { return TypeUnsubscribe }
func (*Unsubscribed) Type() MessageType { return TypeUnsubscribed }
func (*Event) Type() MessageType        { return TypeEvent }
func (*Call) Type() MessageType         { return TypeCall }
func (*Cancel) Type() MessageType       { return TypeCancel }
func (*Result) Type() MessageType       { return TypeResult }
func (*Register) Type() MessageType     { return TypeRegister }
func (*Registered) Type() MessageType   { return TypeRegistered }
func (*Unregister) Type() MessageType   { return TypeUnregister }
func (*Unregistered) Type() MessageType { return TypeUnregistered }
func (*Invocation) Type() MessageType   { return TypeInvocation }
func (*Interrupt) Type() MessageType    { return TypeInterrupt }
func (*Yield) Type() MessageType        { return TypeYield }

// String returns the name that the specification has for the type.
func (t MessageType) String() string {
	switch t {
	case TypeHello:
		return "HELLO"
	case TypeWelcome:
		return "WELCOME"
	case TypeAbort:
		return "ABORT"
	case TypeChallenge:
		return "CHALLENGE"
	case TypeAuthenticate:
		return "AUTHENTICATE"
	case TypeGoodbye:
		return "GOODBYE"
	case TypeError:
		return "ERROR"
	case TypePublish:
		return "PUBLISH"
	case TypePublished:
		return "PUBLISHED"
	case TypeSubscribe:
		return "SUBSCRIBE"
	case TypeSubscribed:
		return "SUBSCRIBED"
	case TypeUnsubscribe:
		return "UNSUBSCRIBE"
	case TypeUnsubscribed:
		return "UNSUBSCRIBED"
	case TypeEvent:
		return "EVENT"
	case TypeCall:
		return "CALL"
	case TypeCancel:
		return "CANCEL"
	case TypeResult:
		return "RESULT"
	case TypeRegister:
		return "REGISTER"
	case TypeRegistered:
		return "REGISTERED"
	case TypeUnregister:
		return "UNREGISTER"
	case TypeUnregistered:
		return "UNREGISTERED"
	case TypeInvocation:
		return "INVOCATION"
	case TypeInterrupt:
		return "INTERRUPT"
	case TypeYield:
		return "YIELD"
	}
	return "message type " + strconv.Itoa(int(t))
}
