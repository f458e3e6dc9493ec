package transport

// CloseReason says why a connection ends. Each maps to a status of the
// transport, e.g. a WebSocket close code, and to a short text for the peer and
// the log.
type CloseReason uint8

// The reasons.
const (
	CloseNormal   CloseReason = iota // the session is over
	CloseProtocol                    // the peer broke the protocol
	CloseSlow                        // the peer does not read what it is sent
	CloseTooLarge                    // a message is larger than allowed
	CloseTimeout                     // the peer went silent or missed a deadline
	CloseShutdown                    // the router stops
	CloseInternal                    // the router's own fault
)

// String returns the reason in words for the log.
func (r CloseReason) String() string {
	return [...]string{"closed normally", "protocol violation", "out queue is full", "message too large", "timeout", "router is stopping", "internal error"}[r]
}

// The close codes of WebSocket that are sent (RFC 6455, section 7.4.1).
const (
	statusNormal      = 1000
	statusGoingAway   = 1001
	statusProtocol    = 1002
	statusUnsupported = 1003
	statusNone        = 1005 // never on the wire: the peer gave none
	statusInvalid     = 1007
	statusPolicy      = 1008
	statusTooLarge    = 1009
	statusInternal    = 1011
)

// status is the reason as a WebSocket close code.
func (r CloseReason) status() uint16 {
	return [...]uint16{statusNormal, statusProtocol, statusPolicy, statusTooLarge, statusPolicy, statusGoingAway, statusInternal}[r]
}
