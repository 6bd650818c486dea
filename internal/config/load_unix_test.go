//go:build unix

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLoadOddFiles reads what is no regular file, and waits for nobody.
func TestLoadOddFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.yml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ file, err string }{
		"a pipe that nobody writes to": {pipe, "read configuration: " + pipe + " is a pipe that nobody writes to: name a file"},
		"a directory":                  {dir, "is a directory"},
		"a file of no bytes":           {empty, "read configuration: " + empty + " is empty, want a configuration: to set nothing, write a comment into it"},
		"a device without end":         {"/dev/zero", "read configuration: /dev/zero is a device or the like: name a file"},
		"nothing":                      {os.DevNull, "read configuration: /dev/null is a device or the like: name a file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(test.file, flags())
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

// TestLoadFromPipe reads to the end what a shell's <(command) writes.
func TestLoadFromPipe(t *testing.T) {
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	done := make(chan error, 1)
	go func() {
		_, err := writing.WriteString("owner_tags: ")
		_, more := writing.WriteString("[team]\n")
		done <- errors.Join(err, more, writing.Close())
	}()
	c, err := Load(fmt.Sprintf("/dev/fd/%d", reading.Fd()), flags())
	if err != nil || len(c.Policy.OwnerTags) != 1 {
		t.Errorf("got %+v, %v, want one tag", c, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLoadFollowsLinks has the directory behind the file's link replaced, as
// Kubernetes does with mounted ConfigMaps.
func TestLoadFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "..data"), filepath.Join(dir, "config.yml")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink(filepath.Join("..data", "config.yml"), file))
	for _, version := range []string{"first", "second"} {
		must(os.Mkdir(filepath.Join(dir, version), 0o700))
		must(os.WriteFile(filepath.Join(dir, version, "config.yml"), []byte("owner_tags: ["+version+"]\n"), 0o600))
		must(os.Symlink(version, link+"_new"))
		must(os.Rename(link+"_new", link))
		c, err := Load(file, flags())
		must(err)
		if got := c.Policy.OwnerTags; len(got) != 1 || got[0] != version {
			t.Errorf("got the tags %q, want %q", got, version)
		}
	}
	must(os.Remove(link))
	if _, err := Load(file, flags()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without the directory: got %v, want an error that names %s", err, file)
	}
}
