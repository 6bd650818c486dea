//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package state

import (
	"errors"
	"os"
	"syscall"
)

// A process holds the lock on the directory while it writes there, so that no
// other process takes its file for a leftover. The system releases the lock when
// dir is closed or the process is killed. Where a file system has no locks, the
// worst that can happen is a save that fails; the next one succeeds.

func lockShared(dir *os.File) {
	_ = syscall.Flock(int(dir.Fd()), syscall.LOCK_SH)
}

// lockAlone reports whether nobody is writing. If so, nobody can until dir is
// closed.
func lockAlone(dir *os.File) bool {
	return !errors.Is(syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// syncDir makes a renamed file survive a loss of power.
func syncDir(dir *os.File) error { return dir.Sync() }
