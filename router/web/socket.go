package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"usher/router/config"
)

// openSocket listens at e. Closing a Unix socket removes its file.
func openSocket(e config.Endpoint) (net.Listener, error) {
	socket, err := net.Listen(e.Network(), e.Address())
	if e.Path == "" {
		return socket, err
	}
	if errors.Is(err, syscall.EADDRINUSE) && removeStale(e.Path) {
		socket, err = net.Listen("unix", e.Path)
	}
	if err != nil || e.Mode == 0 {
		return socket, err
	}
	if err := os.Chmod(e.Path, e.Mode); err != nil {
		_ = socket.Close() // nobody was served
		return nil, err
	}
	return socket, nil
}

// staleTimeout bounds the question whether anybody listens at a Unix socket.
const staleTimeout = time.Second

// removeStale removes the file of a Unix socket that nobody listens at any more,
// as one is left by a process that was killed.
func removeStale(path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	c, err := net.DialTimeout("unix", path, staleTimeout)
	if err == nil {
		_ = c.Close() // somebody listens
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil
}

// isLoopback reports whether only programs on this machine reach a, by a name that
// a page of the internet can have resolved to it. A Unix socket has no such name.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// listenError says what to do about an address that can't be listened at.
func listenError(e config.Endpoint, err error) error {
	var dns *net.DNSError
	hint := ""
	switch inUse := errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "Only one usage of each socket address"); {
	case inUse && e.Path != "":
		hint = "; another program listens there, or it is a file that is no socket: remove it or choose another path"
	case inUse:
		hint = "; another program listens there: stop it or choose another port"
	case errors.Is(err, fs.ErrPermission) && e.Path != "":
		hint = "; usher must be allowed to write to the socket's directory"
	case errors.Is(err, fs.ErrPermission):
		hint = "; ports below 1024 may need a privilege: choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &dns):
		hint = "; interface must be an address of this machine"
	}
	return fmt.Errorf("cannot listen on %s: %w%s", e.Address(), err, hint)
}
