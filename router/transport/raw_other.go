//go:build !unix

package transport

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: input and output without waiting is not possible here.
func rawConn(net.Conn) syscall.RawConn { return nil }

// rawIO is empty: see rawConn.
type rawIO struct{}

func (c *stream) bindRaw() {}

func (c *stream) rawWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (c *stream) readRaw() error { return errors.ErrUnsupported }

func (c *stream) readRawInto([]byte) (int, error) { return 0, errors.ErrUnsupported }
