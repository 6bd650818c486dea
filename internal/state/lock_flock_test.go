//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package state

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLeftoverOrNot has a file that may be of a write under way: it stays for
// as long as the writer holds its lock.
func TestLeftoverOrNot(t *testing.T) {
	const temp = ".123456789012.json.ABC.tmp"
	store := open(t)
	if err := os.WriteFile(filepath.Join(store.dir, temp), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.Open(store.dir)
	if err != nil {
		t.Fatal(err)
	}
	lockShared(writer)
	openAt(t, store.dir)
	equalFiles(t, store.dir, temp)
	save(t, store, plain()) // writers do not wait for each other
	openAt(t, store.dir)
	equalFiles(t, store.dir, temp, fileName(accountID))
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, store.dir)
	equalFiles(t, store.dir, fileName(accountID))
}
