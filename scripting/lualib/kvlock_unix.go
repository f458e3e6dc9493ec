//go:build unix

package lualib

import (
	"errors"
	"os"
	"syscall"
)

// lockFile makes sure that no other process uses what the file stands for. The
// lock goes with the process.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.New("another process uses it")
	}
	return f, nil
}
