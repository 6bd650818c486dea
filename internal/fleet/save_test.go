package fleet_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// kept is a small account whose facts are saved.
type kept struct {
	*small
	dir      string
	store    *state.Store
	began    time.Time
	messages messages
}

func keptInBubble(t *testing.T, test func(*kept)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &kept{small: &small{T: t, world: awssim.New(awssim.Options{}), board: newBoard()}, dir: filepath.Join(t.TempDir(), "state"), began: time.Now()}
		k.messages.count = map[string]int{}
		for _, name := range []string{"alice", "bob"} {
			_, err := k.world.CreateUser(name, "/", time.Now().Add(-400*24*time.Hour))
			check(t, err)
		}
		var err error
		k.store, err = state.Open(k.dir)
		check(t, err)
		k.accounts = fleet.New(k.board, fleet.Options{Logger: slog.New(&k.messages), Store: k.store})
		check(t, k.accounts.Reconcile([]fleet.Target{targetOf(k.world, "", 1000)}))
		k.stop = run(t, k.accounts)
		defer k.stop()
		time.Sleep(time.Minute) // never when a refresh is due
		test(k)
	})
}

// saves waits and returns when facts were saved meanwhile, from the beginning and
// in whole minutes.
func (k *kept) saves(wait time.Duration) []time.Duration {
	var saves []time.Duration
	last := k.evaluation().Snapshot.Health.Saved
	for range wait / interval {
		time.Sleep(interval)
		if at := k.evaluation().Snapshot.Health.Saved; !at.Equal(last) {
			saves, last = append(saves, at.Sub(k.began).Round(time.Minute)), at
		}
	}
	return saves
}

func (k *kept) mustSave(when string, wait time.Duration, want ...time.Duration) {
	k.Helper()
	if diff := cmp.Diff(want, k.saves(wait)); diff != "" {
		k.Errorf("%s: saved (-want +got):\n%s", when, diff)
	}
}

func (k *kept) mustBeUnsaved(want bool) {
	k.Helper()
	if got := k.evaluation().Snapshot.Health.Unsaved; got != want {
		k.Errorf("the last attempt failed: got %t, want %t", got, want)
	}
}

// users returns the names in the file.
func (k *kept) users() string {
	k.Helper()
	s, err := k.store.Load("123456789012")
	check(k.T, err)
	var names []string
	for i := range s.Users {
		names = append(names, s.Users[i].Name)
	}
	return strings.Join(names, " ")
}

// messages counts what is logged.
type messages struct {
	mu    sync.Mutex
	count map[string]int
}

func (m *messages) Enabled(context.Context, slog.Level) bool { return true }
func (m *messages) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *messages) WithGroup(string) slog.Handler            { return m }

func (m *messages) Handle(_ context.Context, r slog.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count[r.Message]++
	return nil
}

// told returns how often the message was logged.
func (m *messages) told(message string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count[message]
}

// TestFactsAreSavedWhenTheyChange also saves them hourly, and at the end.
func TestFactsAreSavedWhenTheyChange(t *testing.T) {
	keptInBubble(t, func(k *kept) {
		if at := k.evaluation().Snapshot.Health.Saved; !at.Equal(k.began) {
			k.Errorf("the first save: got %s, want after the first refresh, %s", at, k.began)
		}
		k.mustSave("quiet", 2*time.Hour+30*time.Minute, time.Hour, 2*time.Hour)
		check(k.T, k.world.DeleteUser("bob"))
		k.mustSave("one user less", time.Hour, 2*time.Hour+35*time.Minute)
		if got := k.users(); got != "alice" {
			k.Errorf("users in the file: got %s, want alice", got)
		}
		check(k.T, k.world.SetAlias("blue"))
		k.mustSave("another alias, asked for once an hour", 40*time.Minute, 3*time.Hour+35*time.Minute, 4*time.Hour)

		file := filepath.Join(k.dir, "123456789012.json")
		before, err := os.Stat(file)
		check(k.T, err)
		k.stop()
		after, err := os.Stat(file)
		check(k.T, err)
		if os.SameFile(before, after) {
			k.Error("nothing was saved at the end")
		}
	})
}

// TestSavingIsTriedAgain has the directory be refused for a while.
func TestSavingIsTriedAgain(t *testing.T) {
	keptInBubble(t, func(k *kept) {
		check(k.T, os.Chmod(k.dir, 0o755)) //nolint:gosec // which is refused
		k.mustSave("refused, and nothing to save", 50*time.Minute)
		k.mustBeUnsaved(false)
		if failures := k.messages.told("Saving facts failed; a restart would begin without them"); failures != 0 {
			k.Errorf("told %d times, want none", failures)
		}
		check(k.T, k.world.DeleteUser("bob"))
		k.mustSave("refused", 40*time.Minute)
		k.mustBeUnsaved(true)
		if failures := k.messages.told("Saving facts failed; a restart would begin without them"); failures != 1 {
			k.Errorf("told %d times, want once", failures)
		}
		check(k.T, os.Chmod(k.dir, 0o700)) //nolint:gosec // a directory
		k.mustSave("allowed", 10*time.Minute, 95*time.Minute)
		k.mustBeUnsaved(false)
		if got := k.users(); got != "alice" {
			k.Errorf("users in the file: got %s, want alice", got)
		}
		if got := k.messages.told("Saving facts works again"); got != 1 {
			k.Errorf("told %d times that saving works again, want once", got)
		}
	})
}
