//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func TestModes(t *testing.T) {
	old := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(old) })
	store := open(t)
	save(t, store, plain())
	for path, want := range map[string]fs.FileMode{store.dir: fs.ModeDir | 0o700, store.path(accountID): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("mode of %s: got %s, want %s", path, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	base := t.TempDir()
	wide := filepath.Join(base, "wide")
	tests := map[string]struct {
		make func() error
		dir  string
		want string
	}{
		"a missing parent": {
			dir:  filepath.Join(base, "missing", "state"),
			want: fmt.Sprintf("create state directory %s/missing/state: its parent directory does not exist: create that, or name a directory in one that exists", base),
		},
		"a file": {
			make: func() error { return os.WriteFile(filepath.Join(base, "file"), nil, 0o600) },
			dir:  filepath.Join(base, "file"),
			want: fmt.Sprintf("use state directory: open %s/file: not a directory", base),
		},
		"a file for a parent": {
			dir:  filepath.Join(base, "file", "state"),
			want: fmt.Sprintf("use state directory: open %s/file/state: not a directory", base),
		},
		"others may enter": {
			make: func() error { return errors.Join(os.Mkdir(wide, 0o700), os.Chmod(wide, 0o701)) },
			dir:  wide + "/",
			want: fmt.Sprintf("use state directory %s: its mode is 0701, want 0700, so that nobody else can use it: correct that, or name a directory inside it, which the exporter creates", wide),
		},
		"the group may read": {
			make: func() error { return os.Chmod(wide, 0o740) },
			dir:  wide,
			want: fmt.Sprintf("use state directory %s: its mode is 0740, want 0700, so that nobody else can use it: correct that, or name a directory inside it, which the exporter creates", wide),
		},
	}
	for _, name := range []string{"a missing parent", "a file", "a file for a parent", "others may enter", "the group may read"} {
		t.Run(name, func(t *testing.T) {
			if tests[name].make != nil {
				if err := tests[name].make(); err != nil {
					t.Fatal(err)
				}
			}
			store, err := Open(tests[name].dir)
			equalError(t, "Open", err, tests[name].want)
			if store != nil {
				t.Error("got a store, want none")
			}
		})
	}
	if _, err := Open(filepath.Join(wide, "inside")); err != nil {
		t.Errorf("a directory inside one that others may read: got %v, want no error", err)
	}
}

// disown gives the path to another user, or the store if the test may not.
func disown(t *testing.T, store *Store, path string) (owner, want int) {
	t.Helper()
	if os.Geteuid() != 0 {
		store.uid++
		return store.uid - 1, store.uid
	}
	if err := os.Lchown(path, 65534, -1); err != nil {
		t.Fatal(err)
	}
	return 65534, 0
}

func TestForeignDirectory(t *testing.T) {
	store := open(t)
	owner, uid := disown(t, store, store.dir)
	want := fmt.Sprintf("use state directory %s: it belongs to the user with id %d, want %d, who runs the exporter: correct that, or name a directory inside it, which the exporter creates", store.dir, owner, uid)
	_, err := store.Load(accountID)
	equalError(t, "Load", err, want)
	_, err = store.Sole()
	equalError(t, "Sole", err, want)
	equalError(t, "Save", store.Save(plain()), fmt.Sprintf("save facts to %s: %s", store.path(accountID), want))
}

func TestForeignFile(t *testing.T) {
	store := open(t)
	save(t, store, plain())
	owner, uid := disown(t, store, store.path(accountID))
	root, err := os.OpenRoot(store.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = store.load(root, accountID)
	equalError(t, "load", err, fmt.Sprintf("ignore state file %s until the next save replaces it: it belongs to the user with id %d, want %d, who runs the exporter", store.path(accountID), owner, uid))
}

// TestFailedSave has saves fail in several ways, and expects the old file.
func TestFailedSave(t *testing.T) {
	broken := rich()
	broken.Users[0].Created = broken.Users[0].Created.AddDate(-100, 0, 0)
	tests := map[string]struct {
		snapshot *inventory.Snapshot
		spoil    func(t *testing.T, store *Store)
		dir      func(store *Store) string // where the old file is then
		want     string                    // %[1]s is the directory
	}{
		"a snapshot that could not be loaded": {
			snapshot: broken,
			spoil:    func(*testing.T, *Store) {},
			want:     `save facts to %[1]s/123456789012.json: user "Alice": the time of the creation is 1926-01-02T15:04:05Z, want one between the years 1970 and 9999`,
		},
		"the directory is gone": {
			snapshot: rich(),
			spoil:    func(t *testing.T, s *Store) { rename(t, s.dir, s.dir+"-moved") },
			dir:      func(s *Store) string { return s.dir + "-moved" },
			want:     `save facts to %[1]s/123456789012.json: use state directory: open %[1]s: no such file or directory`,
		},
		"the directory was replaced by a file": {
			snapshot: rich(),
			spoil: func(t *testing.T, s *Store) {
				rename(t, s.dir, s.dir+"-moved")
				if err := os.WriteFile(s.dir, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			dir:  func(s *Store) string { return s.dir + "-moved" },
			want: `save facts to %[1]s/123456789012.json: use state directory: open %[1]s: not a directory`,
		},
		"the directory was opened up": {
			snapshot: rich(),
			spoil: func(t *testing.T, s *Store) {
				if err := os.Chmod(s.dir, 0o755); err != nil {
					t.Fatal(err)
				}
			},
			want: `save facts to %[1]s/123456789012.json: use state directory %[1]s: its mode is 0755, want 0700, so that nobody else can use it: correct that, or name a directory inside it, which the exporter creates`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			save(t, store, plain())
			test.spoil(t, store)
			equalError(t, "Save", store.Save(test.snapshot), fmt.Sprintf(test.want, store.dir))
			dir := store.dir
			if test.dir != nil {
				dir = test.dir(store)
			}
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			equalFiles(t, dir, fileName(accountID))
			wantPlain(t, dir)
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestKindRefused puts other things than a private file in the file's place.
func TestKindRefused(t *testing.T) {
	tests := map[string]struct {
		make func(path string) error
		want string
	}{
		"symbolic link": {
			func(path string) error {
				return errors.Join(os.Rename(path, path+".good"), os.Symlink(path+".good", path))
			},
			"it is a symbolic link, want a regular file",
		},
		"dangling link": {
			func(path string) error { return errors.Join(os.Remove(path), os.Symlink("nowhere", path)) },
			"it is a symbolic link, want a regular file",
		},
		"directory": {
			func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
			"it is a directory, want a regular file",
		},
		"named pipe": {
			func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
			"it is a named pipe, want a regular file",
		},
		"group may read": {
			func(path string) error { return os.Chmod(path, 0o640) },
			"its mode is 0640, want 0600, so that nobody else can use it",
		},
		"others may write": {
			func(path string) error { return os.Chmod(path, 0o602) },
			"its mode is 0602, want 0600, so that nobody else can use it",
		},
		"too large": {
			func(path string) error { return os.Truncate(path, maxSize+1) },
			"it has 536870913 bytes, want at most 536870912",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			save(t, store, plain())
			if err := test.make(store.path(accountID)); err != nil {
				t.Fatal(err)
			}
			s, err := store.Load(accountID)
			equalError(t, "Load", err, fmt.Sprintf("ignore state file %s until the next save replaces it: %s", store.path(accountID), test.want))
			if s != nil {
				t.Error("got a snapshot, want none")
			}
		})
	}
}
