//go:build unix

package app

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns how many characters fit a line, and whether the file is a
// terminal at all.
func terminalWidth(file *os.File) (int, bool) {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}
