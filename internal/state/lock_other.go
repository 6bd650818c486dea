//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package state

import "os"

// Without locks, a process that starts may take a file that another one is
// writing for a leftover, and remove it. That save fails; the next one succeeds.

func lockShared(*os.File) {}

func lockAlone(*os.File) bool { return true }

// syncDir does nothing where directories cannot be synced.
func syncDir(*os.File) error { return nil }
