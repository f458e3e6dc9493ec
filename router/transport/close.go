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
