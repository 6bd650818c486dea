package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "state"))
}

func openAt(t testing.TB, dir string) *Store {
	t.Helper()
	store, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func save(t testing.TB, store *Store, snapshot *inventory.Snapshot) {
	t.Helper()
	if err := store.Save(snapshot); err != nil {
		t.Fatal(err)
	}
}

func equalError(t *testing.T, what string, got error, want string) {
	t.Helper()
	if got == nil || got.Error() != want {
		t.Errorf("%s: got error\n%v, want\n%s", what, got, want)
	}
}

// equalFiles fails unless the directory holds these names and no other.
func equalFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// of returns a snapshot without users of an account.
func of(accountID string) *inventory.Snapshot {
	s := plain()
	s.Account.ID, s.Users = accountID, nil
	return s
}

// TestOpenThroughLink is what systemd does for a service with a dynamic user.
func TestOpenThroughLink(t *testing.T) {
	store := open(t)
	link := store.dir + "-link"
	if err := os.Symlink(store.dir, link); err != nil {
		t.Fatal(err)
	}
	save(t, openAt(t, link), plain())
	equalFiles(t, store.dir, fileName(accountID))
}

func TestLoadNothing(t *testing.T) {
	store := open(t)
	save(t, store, of("210987654321"))
	if s, err := store.Load(accountID); s != nil || err != nil {
		t.Errorf("got %v, %v; want neither snapshot nor error", s, err)
	}
	for _, id := range []string{"", "12345678901", "12345678901x", "../123456789"} {
		_, err := store.Load(id)
		equalError(t, "Load", err, fmt.Sprintf("load facts of account %q: want an id of 12 digits", id))
	}
}

func TestSole(t *testing.T) {
	store := open(t)
	sole := func(what, want, wantErr string) {
		t.Helper()
		s, err := store.Sole()
		if fmt.Sprint(err) != wantErr {
			t.Errorf("%s: got error %v, want %s", what, err, wantErr)
		}
		got := ""
		if s != nil {
			got = s.Account.ID
		}
		if got != want {
			t.Errorf("%s: got account %q, want %q", what, got, want)
		}
	}
	sole("empty", "", "<nil>")
	save(t, store, of("111111111111"))
	for _, other := range []string{"222222222222", "222222222222.json~", "x.json", "2222222222222.json", ".222222222222.json.AAAA.tmp"} {
		if err := os.WriteFile(filepath.Join(store.dir, other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sole("one among other files", "111111111111", "<nil>")
	save(t, store, of("222222222222"))
	sole("two", "", "<nil>")
	if err := os.Truncate(store.path("222222222222"), 0); err != nil {
		t.Fatal(err)
	}
	sole("a good and a bad one", "", "<nil>")
	if err := os.Remove(store.path("111111111111")); err != nil {
		t.Fatal(err)
	}
	sole("a bad one", "", fmt.Sprintf("ignore state file %s until the next save replaces it: it was cut off, damaged or never a state file: read JSON: unexpected end of JSON input", store.path("222222222222")))
}

func TestNothingKnown(t *testing.T) {
	unidentified, unlisted := plain(), plain()
	unidentified.Account.ID = ""
	unlisted.Freshness = nil
	store := open(t)
	for name, snapshot := range map[string]*inventory.Snapshot{"empty": {}, "no account": unidentified, "no listing": unlisted} {
		if err := store.Save(snapshot); !errors.Is(err, ErrNothingKnown) {
			t.Errorf("%s: got %v, want ErrNothingKnown", name, err)
		}
	}
	equalFiles(t, store.dir)
}

func TestOpenRemovesLeftovers(t *testing.T) {
	store := open(t)
	save(t, store, plain())
	leftover := ".123456789012.json.ABCDEFGHIJKLMNOPQRSTUVWXY2.tmp"
	kept := []string{".123456789012.json.abc.tmp", ".123456789012.json.tmp", "123456789012.json.ABC.tmp", "notes.txt"}
	for _, name := range append(kept, leftover) {
		if err := os.WriteFile(filepath.Join(store.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What is no file cannot be a leftover of ours.
	if err := os.Mkdir(filepath.Join(store.dir, ".123456789012.json.DIR.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	openAt(t, store.dir)
	equalFiles(t, store.dir, ".123456789012.json.DIR.tmp", kept[0], kept[1], fileName(accountID), kept[2], kept[3])
}

// wantPlain fails unless the directory's file holds the plain snapshot.
func wantPlain(t *testing.T, dir string) {
	t.Helper()
	got, err := openAt(t, dir).Load(accountID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain(), got, exactly()); diff != "" {
		t.Errorf("old file (-want +got):\n%s", diff)
	}
}

// TestFileInTheWay has something stand where the file belongs: a link is
// replaced and not followed, a directory is not replaced.
func TestFileInTheWay(t *testing.T) {
	store := open(t)
	outside := filepath.Join(filepath.Dir(store.dir), "outside")
	if err := os.WriteFile(outside, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, store.path(accountID)); err != nil {
		t.Fatal(err)
	}
	save(t, store, plain())
	if got, err := os.ReadFile(outside); err != nil || string(got) != "untouched" {
		t.Errorf("file outside: got %q, %v; want it untouched", got, err)
	}
	wantPlain(t, store.dir)

	if err := errors.Join(os.Remove(store.path(accountID)), os.Mkdir(store.path(accountID), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(plain()); err == nil {
		t.Error("a directory in the way: got no error")
	}
	equalFiles(t, store.dir, fileName(accountID))
}

// TestConcurrentStores has two stores save and a third look on.
func TestConcurrentStores(t *testing.T) {
	const saves = 60
	dir := open(t).dir
	save(t, openAt(t, dir), plain())
	var writers sync.WaitGroup
	for _, snapshot := range []*inventory.Snapshot{plain(), rich()} {
		writers.Go(func() {
			for range saves {
				// Opening cleans up, and must leave the other one's file alone.
				store, err := Open(dir)
				if err == nil {
					err = store.Save(snapshot)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	reader := openAt(t, dir)
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		got, err := reader.Load(accountID)
		if err != nil {
			t.Fatal(err)
		}
		want := plain()
		if len(got.Users) > 1 {
			want = rich()
		}
		if diff := cmp.Diff(want, got, exactly()); diff != "" {
			t.Fatalf("loaded snapshot (-want +got):\n%s", diff)
		}
	}
	equalFiles(t, dir, fileName(accountID))
}
