package fleet_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

const (
	first  = "111111111111"
	second = "222222222222"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// worldOf is an account with users of those names.
func worldOf(t *testing.T, id string, users ...string) *awssim.World {
	t.Helper()
	world := awssim.New(awssim.Options{AccountID: id})
	for _, name := range users {
		_, err := world.CreateUser(name, "/", time.Now().Add(-24*time.Hour))
		check(t, err)
	}
	return world
}

// shown returns the names of the users that the board shows, by account.
func shown(board *view.Board) map[string]string {
	all := map[string]string{}
	for _, j := range board.View().Accounts() {
		var names []string
		for _, u := range j.Snapshot.Users {
			names = append(names, u.Name)
		}
		all[j.Snapshot.Account.ID] = strings.Join(names, " ")
	}
	return all
}

func mustShow(t *testing.T, when string, board *view.Board, want map[string]string) {
	t.Helper()
	got := shown(board)
	for id, names := range want {
		if shows, found := got[id]; !found || shows != names {
			t.Errorf("%s: account %s: got %q, found %t; want %q", when, id, shows, found, names)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got accounts %v, want %v", when, got, want)
	}
}

// TestReconcile adds and removes accounts while others are watched.
func TestReconcile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := worldOf(t, first, "alice"), worldOf(t, second, "bob")
		targetA, targetB := targetOf(a, first, 1000), targetOf(b, second, 1000)
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetA)
		mustShow(t, "before anything was asked", board, map[string]string{first: ""})
		defer run(t, accounts)()
		time.Sleep(time.Second)
		mustShow(t, "alone", board, map[string]string{first: "alice"})

		before := board.View().Account(first)
		check(t, accounts.Reconcile([]fleet.Target{targetB, targetA}))
		if board.View().Account(second) == nil { // its users may be there already: nothing here takes any time
			t.Error("joined: the account is not shown, want it at once")
		}
		time.Sleep(time.Second)
		mustShow(t, "both", board, map[string]string{first: "alice", second: "bob"})
		if board.View().Account(first) != before || a.Calls()["ListUsers"] != 1 {
			t.Errorf("the account that was there: got %d listings, want it undisturbed", a.Calls()["ListUsers"])
		}

		check(t, accounts.Reconcile([]fleet.Target{targetB}))
		mustShow(t, "left alone", board, map[string]string{second: "bob"})
		a.ResetCalls()
		time.Sleep(2 * interval)
		mustShow(t, "still alone", board, map[string]string{second: "bob"})
		if calls := a.Calls(); len(calls) > 0 {
			t.Errorf("calls of an account that is not wanted: got %v, want none", calls)
		}

		check(t, accounts.Reconcile([]fleet.Target{targetA, targetB}))
		time.Sleep(time.Second)
		mustShow(t, "back", board, map[string]string{first: "alice", second: "bob"})

		check(t, accounts.Reconcile(nil))
		mustShow(t, "nobody wanted", board, map[string]string{})
		if !accounts.Ready() {
			t.Error("without accounts: not ready, want ready")
		}
	})
}

// TestReconcileRefusesAnIDTwice changes nothing.
func TestReconcileRefusesAnIDTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(worldOf(t, first), first, 1000))
		twice := targetOf(worldOf(t, second), second, 1000)
		err := accounts.Reconcile([]fleet.Target{twice, twice})
		if want := `watch accounts: got account "222222222222" twice, want each once`; err == nil || err.Error() != want {
			t.Errorf("error: got %v, want %s", err, want)
		}
		mustShow(t, "afterwards", board, map[string]string{first: ""})
	})
}

// TestReconcileInAnotherWay wants the account by another client, at which AWS is
// silent: what is known stays.
func TestReconcileInAnotherWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := worldOf(t, first, "alice")
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(world, first, 1000))
		defer run(t, accounts)()
		time.Sleep(time.Second)
		observed := board.View().Account(first).Snapshot.Users[0].Keys.Observed()

		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		time.Sleep(interval) // into the calls that hang
		check(t, accounts.Reconcile([]fleet.Target{targetOf(world, first, 999)}))
		mustShow(t, "at once", board, map[string]string{first: "alice"})
		time.Sleep(interval)
		mustShow(t, "later", board, map[string]string{first: "alice"})
		s := board.View().Account(first).Snapshot
		if !s.Users[0].Keys.Observed().Equal(observed) || s.Health.State != inventory.StateDown {
			t.Errorf("got keys observed at %s, %s; want them as they were, at %s, and down", s.Users[0].Keys.Observed(), s.Health.State, observed)
		}
		world.SetFault(nil)
		time.Sleep(interval)
		if s = board.View().Account(first).Snapshot; s.Health.State != inventory.StateUp {
			t.Errorf("state afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

// TestReconcileToAnotherSource has fail what only the source before asks: once the new one
// has read everything, nothing is wrong.
func TestReconcileToAnotherSource(t *testing.T) {
	for _, sources := range [][2]awsapi.Source{
		{awsapi.SourceAuto, awsapi.SourceLive},
		{awsapi.SourceReport, awsapi.SourceLive},
		{awsapi.SourceLive, awsapi.SourceReport},
		{awsapi.SourceAuto, awsapi.SourceReport},
	} {
		t.Run(string(sources[0]+" to "+sources[1]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := worldOf(t, first, "alice")
				from := func(source awsapi.Source) fleet.Target {
					w := targetOf(world, first, 1000)
					w.Client = awsapi.New(world.Config(), awsapi.NewShared(1000), awsapi.Options{
						Needs: awsapi.Needs{Source: source}, Rate: 1000, Timeout: 10 * time.Second,
					})
					return w
				}
				needed := "GetCallerIdentity" // by every source
				board := newBoard()
				accounts := fleetOf(t, board, quiet(), from(sources[0]))
				defer run(t, accounts)()
				time.Sleep(time.Minute)
				world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation == needed {
						return nil
					}
					return awssim.Error(http.StatusForbidden, "AccessDenied", "no")
				})
				time.Sleep(6 * time.Hour) // past the life of a report
				if s := board.View().Account(first).Snapshot; s.Health.State != inventory.StateDown {
					t.Fatalf("before: got %s, want down", s.Health.State)
				}
				check(t, accounts.Reconcile([]fleet.Target{from(sources[1])}))
				if s := board.View().Account(first).Snapshot; s.Health.State == inventory.StateUp {
					t.Error("at once: got up, although nothing was read anew")
				}
				world.SetFault(nil)
				time.Sleep(6 * time.Hour)
				if s := board.View().Account(first).Snapshot; s.Health.State != inventory.StateUp {
					t.Errorf("afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
				}
			})
		})
	}
}

// TestReconcileWhileAUserFails wants the account by another client while one user's keys
// cannot be listed: it is down until they can.
func TestReconcileWhileAUserFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := worldOf(t, first, "alice")
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(world, first, 1000))
		defer run(t, accounts)()
		time.Sleep(time.Minute)
		world.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListAccessKeys" {
				return awssim.Error(http.StatusForbidden, "AccessDenied", "no")
			}
			return nil
		})
		time.Sleep(2 * time.Hour)
		wantState := func(when string, want inventory.State) {
			t.Helper()
			if s := board.View().Account(first).Snapshot; s.Health.State != want {
				t.Errorf("%s: got %s, %v; want %s", when, s.Health.State, s.Health.Problems, want)
			}
		}
		wantState("before", inventory.StateDown)
		check(t, accounts.Reconcile([]fleet.Target{targetOf(world, first, 999)}))
		wantState("at once", inventory.StateDown)
		for range 20 {
			time.Sleep(time.Minute)
			wantState("later", inventory.StateDown)
		}
		world.SetFault(nil)
		time.Sleep(2 * time.Hour)
		wantState("in the end", inventory.StateUp)
	})
}

// TestReadyOnceAllWereTried has one account answer and another one hang.
func TestReadyOnceAllWereTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := worldOf(t, second)
		silent.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		accounts := fleetOf(t, newBoard(), quiet(), targetOf(worldOf(t, first), first, 1000), targetOf(silent, second, 1000))
		defer run(t, accounts)()
		time.Sleep(20 * time.Second)
		if accounts.Ready() {
			t.Error("ready while one account has not been tried")
		}
		time.Sleep(20 * time.Second) // three attempts of 10 s
		if !accounts.Ready() {
			t.Error("not ready although all were tried")
		}
	})
}

// TestReadSoon has something happen to a user just after the sweep.
func TestReadSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := worldOf(t, first, "alice", "bob")
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(world, first, 1000))
		defer run(t, accounts)()
		time.Sleep(time.Second)
		_, err := world.CreateKey("bob", time.Now())
		check(t, err)
		accounts.ReadSoon(first, "bob")
		accounts.ReadSoon(second, "bob") // an account of nobody here
		time.Sleep(time.Second)
		if n, _ := board.View().Account(first).Snapshot.Users[1].CountKeys(inventory.Active); n != 1 {
			t.Errorf("bob's keys a second later: got %d, want the new one", n)
		}
	})
}

// TestKnownByID looks at what is shown of an account before AWS has answered, and
// while AWS refuses.
func TestKnownByID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := worldOf(t, first, "alice")
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Error(http.StatusForbidden, "AccessDenied", "no") })
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(world, first, 1000))
		mustBe := func(when string, refreshes uint64, state inventory.State) {
			t.Helper()
			s := board.View().Account(first).Snapshot
			if s.Account.ID != first || s.Health.Refreshes != refreshes || s.Health.State != state {
				t.Errorf("%s: got account %q, %d refreshes, %s; want %s, %d, %s", when, s.Account.ID, s.Health.Refreshes, s.Health.State, first, refreshes, state)
			}
		}
		mustBe("before anything was asked", 0, inventory.StatePending)
		defer run(t, accounts)()
		time.Sleep(time.Second)
		mustBe("refused", 1, inventory.StateDown)
		world.SetFault(nil)
		time.Sleep(interval)
		mustBe("allowed", 2, inventory.StateUp)
	})
}

// TestReconcileTellsNothingTwice wants accounts at other intervals, of which one is
// fine and the other is not: neither is news, and the exporter stays ready.
func TestReconcileTellsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := worldOf(t, first, "alice"), worldOf(t, second, "bob")
		told := &messages{count: map[string]int{}}
		board := newBoard()
		targets := []fleet.Target{targetOf(good, first, 1000), targetOf(bad, second, 1000)}
		accounts := fleetOf(t, board, slog.New(told), targets...)
		bad.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListAccessKeys" {
				return awssim.Error(http.StatusForbidden, "AccessDenied", "no")
			}
			return nil
		})
		defer run(t, accounts)()
		time.Sleep(time.Minute)
		for i := range targets {
			targets[i].Account.RefreshInterval = 2 * interval
		}
		check(t, accounts.Reconcile(targets))
		if !accounts.Ready() {
			t.Error("not ready although every account was asked")
		}
		time.Sleep(time.Minute)
		for message, want := range map[string]int{
			"Refresh complete": 1, "Refresh incomplete, keeping the last facts": 1, "A problem is over": 0,
		} {
			if got := told.told(message); got != want {
				t.Errorf("told %d times %q, want %d", got, message, want)
			}
		}
	})
}

// TestAWantedRefreshStopsNoOther has a reload want every account refreshed, the second
// one so late that a refresh of its own is due before.
func TestAWantedRefreshStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := newBoard()
		accounts := fleet.New(board, fleet.Options{Logger: quiet(), Pause: interval - time.Minute})
		targets := []fleet.Target{targetOf(worldOf(t, first, "alice"), first, 1000), targetOf(worldOf(t, second, "bob"), second, 1000)}
		check(t, accounts.Reconcile(targets))
		defer run(t, accounts)()
		time.Sleep(3 * interval) // the second begins its refreshes a minute before the first
		before := board.View().Account(second).Snapshot.Health
		tags := policy.WithLimits(policy.DefaultLimits())
		tags.OwnerTags = []string{"owner"}
		for i := range targets {
			targets[i].Client.SetTags(awsapi.TagsFromAuthorizationDetails)
		}
		time.Sleep(2 * time.Minute)
		check(t, accounts.Reload(targets, tags))
		time.Sleep(2*time.Minute + time.Second)
		s := board.View().Account(second).Snapshot
		if s.Health.Finished != before.Finished+1 || !s.Users[0].Tags.Known() {
			t.Errorf("got %d refreshes after %d, and tags %v; want one more, with tags", s.Health.Finished, before.Finished, s.Users[0].Tags)
		}
		time.Sleep(4*time.Minute + 30*time.Second)
		if s := board.View().Account(second).Snapshot; s.Health.Finished != before.Finished+1 {
			t.Errorf("got %d refreshes after %d, want no other than the one that was due", s.Health.Finished, before.Finished)
		}
	})
}

// TestAWantedRefreshOutlivesTheOneUnderWay has a reload want tags while an account is
// being refreshed without them: the refresh that is wanted comes in its turn.
func TestAWantedRefreshOutlivesTheOneUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pause = 30 * time.Second
		board := newBoard()
		accounts := fleet.New(board, fleet.Options{Logger: quiet(), Pause: pause})
		world := worldOf(t, second, "bob")
		targets := []fleet.Target{targetOf(worldOf(t, first, "alice"), first, 1000), targetOf(world, second, 1000)}
		check(t, accounts.Reconcile(targets))
		defer run(t, accounts)()
		time.Sleep(interval + pause - time.Second) // the second's refresh is about to begin
		world.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation != "ListUsers" {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				time.Sleep(5 * time.Second)
				world.Lie(func(_ url.Values, answer string) string { return answer })(rw, r)
			}
		})
		time.Sleep(2 * time.Second)
		tags := policy.WithLimits(policy.DefaultLimits())
		tags.OwnerTags = []string{"owner"}
		for i := range targets {
			targets[i].Client.SetTags(awsapi.TagsFromAuthorizationDetails)
		}
		check(t, accounts.Reload(targets, tags))
		time.Sleep(pause + 10*time.Second)
		for _, id := range []string{first, second} {
			if !board.View().Account(id).Snapshot.Users[0].Tags.Known() {
				t.Errorf("account %s: tags are not known, want them asked for within %s", id, pause)
			}
		}
	})
}

// TestReconcileByID wants by its id the account that was watched as that of the
// credentials: what is known of it stays, without a directory to keep it in.
func TestReconcileByID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := worldOf(t, first, "alice"), worldOf(t, second, "bob")
		board := newBoard()
		accounts := fleetOf(t, board, quiet(), targetOf(a, "", 1000))
		defer run(t, accounts)()
		time.Sleep(time.Minute)
		a.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		check(t, accounts.Reconcile([]fleet.Target{targetOf(a, first, 1000), targetOf(b, second, 1000)}))
		if got := shown(board)[first]; got != "alice" { // the other may have been read by now
			t.Errorf("at once: got %q, want alice", got)
		}
		time.Sleep(time.Minute)
		mustShow(t, "later", board, map[string]string{first: "alice", second: "bob"})
		if own := board.View().Account(""); own != nil {
			t.Errorf("account %s is still that of the credentials", own.Snapshot.Account.ID)
		}
	})
}
