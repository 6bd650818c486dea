//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package state

import "os"

// Without locks, a process that starts takes the file that another one is
// writing for a leftover. That save fails, and the next does not.

func lockShared(*os.File) {}

func lockAlone(*os.File) bool { return true }

// syncDir has nothing to do where directories cannot be written out.
func syncDir(*os.File) error { return nil }
