//go:build unix

package main

import (
	"os"
	"syscall"
	"testing"
)

// The null device is no terminal: nobody types there, whatever it is called.
func TestNullDeviceIsNoTerminal(t *testing.T) {
	for _, name := range []string{os.DevNull, "/dev/stdin"} {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), name)
		if isTerminal(f) {
			t.Errorf("%s is taken for a terminal", name)
		}
		f.Close()
	}
}
