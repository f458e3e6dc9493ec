//go:build !unix

package lualib

import "os"

// lockFile opens the file that stands for the lock. Here nothing keeps another
// process from doing the same.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}
