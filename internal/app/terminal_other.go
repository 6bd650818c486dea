//go:build !unix

package app

import "os"

// terminalWidth knows no terminals here, so nothing is fitted or coloured.
func terminalWidth(*os.File) (int, bool) { return 0, false }
