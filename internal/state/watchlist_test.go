package state

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

func plainWatchlist() watchlist.List {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	return watchlist.List{
		OrganizationID: "o-aaaaaaaaaa", Listed: at,
		Accounts: []organization.Account{
			{ID: accountID, Name: "prod", State: organization.Active, OUPath: []string{"r-ab12"}, OUNames: []string{""}, Tags: inventory.Tags{}},
			{ID: "111122223333", State: organization.Unknown},
		},
		Watched:  []string{"111122223333", accountID},
		Removals: []watchlist.Removal{{AccountID: "444455556666", Reason: watchlist.Closed, At: at}},
	}
}

// TestRollIsKept tells tags that are not known from those that are none.
func TestRollIsKept(t *testing.T) {
	store := open(t)
	if r, err := store.LoadWatchlist(); err != nil || r.Watched != nil {
		t.Errorf("before: got %v, %v, want an empty one", r, err)
	}
	if err := store.SaveWatchlist(plainWatchlist()); err != nil {
		t.Fatal(err)
	}
	got, err := store.LoadWatchlist()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plainWatchlist(), got); diff != "" {
		t.Errorf("watchlist (-saved +loaded):\n%s", diff)
	}
	if kept, err := store.Sole(); kept != nil || err != nil {
		t.Errorf("the only account: got %v, %v, want none, since the watchlist is no account", kept, err)
	}
}

// TestBadWatchlist is ignored by a clear error, and replaced by the next save.
func TestBadWatchlist(t *testing.T) {
	for want, spoil := range map[string]func(string) string{
		"it was cut off, damaged or never a state file: ":        func(s string) string { return s[:len(s)/2] },
		"it was damaged or edited: the SHA-256 of its facts is ": func(s string) string { return strings.Replace(s, "prod", "dorp", 1) },
		`its format is "x", want "aws_iam_exporter watchlist"`:   func(s string) string { return strings.Replace(s, watchlistFormat, "x", 1) },
		"it was written by a newer exporter: its version is 2, want 1": func(s string) string {
			return strings.Replace(s, `"version":1`, `"version":2`, 1)
		},
		"its version is 0, want 1": func(s string) string { return strings.Replace(s, `"version":1`, `"version":0`, 1) },
	} {
		store := open(t)
		if err := store.SaveWatchlist(plainWatchlist()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(store.dir, "accounts.json")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(spoil(string(content))), fileMode); err != nil {
			t.Fatal(err)
		}
		begin := "ignore state file " + path + " until the next save replaces it: "
		if r, err := store.LoadWatchlist(); err == nil || !strings.HasPrefix(err.Error(), begin+want) || r.Watched != nil {
			t.Errorf("got %v, error %v, want %s%s", r, err, begin, want)
		}
		if err := store.SaveWatchlist(plainWatchlist()); err != nil {
			t.Error(err)
		}
		if _, err := store.LoadWatchlist(); err != nil {
			t.Errorf("after the next save: %v", err)
		}
	}
}

func TestForget(t *testing.T) {
	store := open(t)
	save(t, store, plain())
	for range 2 { // the second time there is nothing left
		if err := store.Forget(accountID); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := store.Load(accountID); kept != nil || err != nil {
		t.Errorf("got %v, %v, want nothing", kept, err)
	}
	if err := store.Forget("../x"); err == nil {
		t.Error("a path for an id: got no error")
	}
}

func TestSavedBefore(t *testing.T) {
	store := open(t)
	now := time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC)
	for i, id := range []string{"111111111111", "222222222222", "333333333333"} {
		save(t, store, of(id))
		at := now.Add(time.Duration(i-1) * time.Second)
		if err := os.Chtimes(filepath.Join(store.dir, id+".json"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := store.SavedBefore(now); err != nil || !slices.Equal(got, []string{"111111111111"}) {
		t.Errorf("got %q, %v, want the one of a second before", got, err)
	}
}

func FuzzWatchlist(f *testing.F) {
	f.Add([]byte(`{"format":"aws_iam_exporter watchlist","version":1,"account_id":"","sha256":"","facts":{"watched":[],"removals":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := decodeWatchlist(data); err == nil && r.Check() != nil {
			t.Errorf("took a bad watchlist: %v", r)
		}
	})
}
