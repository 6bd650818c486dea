//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package state

import (
	"errors"
	"os"
	"syscall"
)

// The lock on the directory is held by whoever is writing in it, so that no
// other process takes the file for a leftover. The system gives it up when dir
// is closed, and also when the process is killed. Where a file system knows no
// locks, the worst that can come of it is a save that fails, and the next does
// not.

func lockShared(dir *os.File) {
	_ = syscall.Flock(int(dir.Fd()), syscall.LOCK_SH)
}

// lockAlone tells whether nobody is writing, nor will be until dir is closed.
func lockAlone(dir *os.File) bool {
	return !errors.Is(syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// syncDir makes a renaming survive a loss of power.
func syncDir(dir *os.File) error { return dir.Sync() }
