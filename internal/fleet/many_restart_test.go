package fleet_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// TestRestartOfManyAccountsInSilence starts with the facts of an earlier process
// about many accounts, at none of which AWS answers: everything is there from the
// first moment on, with its age.
func TestRestartOfManyAccountsInSilence(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		store, err := state.Open(dir)
		check(t, err)
		c.accounts = fleet.New(c.board, fleet.Options{Store: store, Logger: slog.New(slog.DiscardHandler)})
		check(t, c.accounts.Reconcile(c.targets()))
		stop := run(t, c.accounts)
		time.Sleep(time.Hour + time.Minute) // between two refreshes, lest one ends with the run: it would be saved, but not shown
		stop()
		before := c.board.View()
		files, err := os.ReadDir(dir)
		check(t, err)
		if len(files) != crowdSize {
			t.Fatalf("files: got %d, want one for each of %d accounts", len(files), crowdSize)
		}

		time.Sleep(30 * time.Minute)
		for _, w := range c.worlds {
			w.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		}
		c.realm.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		c.board = newBoard()
		c.accounts = fleet.New(c.board, fleet.Options{Store: store, Pause: 250 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		check(t, c.accounts.Reconcile(c.targets()))
		compare := func(when string, state inventory.State) {
			t.Helper()
			for _, w := range c.worlds {
				was, is := before.Account(w.AccountID()).Snapshot, c.board.View().Account(w.AccountID()).Snapshot
				if len(is.Users) != 3 || is.Health.State != state { // no t.Fatal: calls may be under way
					t.Errorf("%s: account %s has %d users and is %s, want 3 and %s", when, w.AccountID(), len(is.Users), is.Health.State, state)
				}
				for group, fresh := range was.Freshness {
					if got := is.Freshness[group].Observed; !got.Equal(fresh.Observed) {
						t.Errorf("%s: account %s: facts about %s observed at %s, want %s as before", when, w.AccountID(), group, got, fresh.Observed)
					}
				}
			}
		}
		compare("at once", inventory.StatePending)
		stop = run(t, c.accounts)
		time.Sleep(time.Hour)
		compare("after an hour", inventory.StateDown)
		stop()
		time.Sleep(10 * time.Minute) // until the calls that begin sessions had their turns: the SDK lets nobody end them
	})
}
