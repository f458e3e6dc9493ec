//go:build !unix

package transport

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: input and output without waiting is not possible here.
func rawConn(net.Conn) syscall.RawConn { return nil }

func rawWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *WebSocket) readRaw() (*buffer, error) { return nil, errors.ErrUnsupported }
