//go:build unix

package telemetry

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps other processes from writing a file. Where the file system has no
// locks, nothing does.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("another gateway writes this file")
	}
	return nil
}
