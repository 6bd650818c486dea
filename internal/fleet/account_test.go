package fleet_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

const (
	interval     = 5 * time.Minute
	introduction = 30 * time.Second // while not even the account's id is known
)

// small is an account of two users, read live, whose log is kept.
type small struct {
	*testing.T
	world    *awssim.World
	board    *view.Board
	accounts *fleet.Fleet
	log      bytes.Buffer
	stop     func() // stops the fleet and waits for it
}

// inBubble runs the test on synctest's clock, with an account that runs.
func inBubble(t *testing.T, prepare func(*awssim.World), test func(*small)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &small{T: t, world: awssim.New(awssim.Options{})}
		for _, name := range []string{"alice", "bob"} {
			_, err := s.world.CreateUser(name, "/", time.Now().Add(-400*24*time.Hour))
			check(t, err)
		}
		_, err := s.world.CreateKey("alice", time.Now().Add(-100*24*time.Hour))
		check(t, err)
		prepare(s.world)
		s.board = newBoard()
		s.accounts = fleetOf(t, s.board, s.logger(), targetOf(s.world, "", 1000))
		s.stop = run(t, s.accounts)
		defer s.stop()
		test(s)
	})
}

func newBoard() *view.Board {
	return view.New(policy.WithLimits(policy.DefaultLimits()), view.Reload{}, view.Rendering{})
}

// targetOf has the account read live; an empty id leaves it to AWS to
// tell which one it is.
func targetOf(world *awssim.World, id string, limit rate.Limit) fleet.Target {
	return fleet.Target{
		Client: awsapi.New(world.Config(), awsapi.NewShared(1000), awsapi.Options{
			Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: limit, Timeout: 10 * time.Second,
		}),
		Account: account.Options{ID: id, RefreshInterval: interval, KeysInterval: time.Hour},
	}
}

func fleetOf(t *testing.T, board *view.Board, logger *slog.Logger, targets ...fleet.Target) *fleet.Fleet {
	t.Helper()
	f := fleet.New(board, fleet.Options{Logger: logger})
	check(t, f.Reconcile(targets))
	return f
}

// run runs the fleet, and returns what stops it and waits for it.
func run(t *testing.T, f *fleet.Fleet) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

// evaluation is what is known and judged of the one account.
func (s *small) evaluation() *policy.Evaluation { return s.board.View().Account("") }

// logger writes lines without their time into the log.
func (s *small) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func nothing(*awssim.World) {}

// all answers every request with the fault.
func all(fault http.HandlerFunc) func(*awssim.World) {
	return func(w *awssim.World) { w.SetFault(func(string, int) http.HandlerFunc { return fault }) }
}

func (s *small) listings() int { return s.world.Calls()["ListUsers"] }

func TestRefreshesAtTheInterval(t *testing.T) {
	inBubble(t, nothing, func(s *small) {
		for want := 1; want <= 4; want++ {
			time.Sleep(time.Second)
			if got := s.listings(); got != want {
				s.Errorf("listings after %s: got %d, want %d", time.Duration(want-1)*interval, got, want)
			}
			time.Sleep(interval - time.Second)
		}
	})
}

// TestAsksSoonWhileNothingIsKnown lets the credentials arrive after the process.
func TestAsksSoonWhileNothingIsKnown(t *testing.T) {
	expired := awssim.Error(http.StatusForbidden, "ExpiredToken", "expired")
	inBubble(t, all(expired), func(s *small) {
		time.Sleep(introduction + time.Second)
		s.world.SetFault(nil)
		if n := s.world.Calls()["GetCallerIdentity"]; n != 2 {
			t.Errorf("first questions: got %d, want 2", n)
		}
		time.Sleep(2 * introduction)
		if got := s.evaluation().Snapshot.Account.ID; got != "123456789012" {
			t.Errorf("account: got %q, want it known soon after the credentials came", got)
		}
		time.Sleep(introduction)
		if n := s.listings(); n != 1 {
			t.Errorf("listings once the account is known: got %d, want the next at the interval", n)
		}
	})
}

// TestAsksMoreSeldomWhomNothingIntroduces has credentials that never come: what
// is paused doubles until it is the refresh interval.
func TestAsksMoreSeldomWhomNothingIntroduces(t *testing.T) {
	inBubble(t, all(awssim.Error(http.StatusForbidden, "ExpiredToken", "expired")), func(s *small) {
		asked := 1
		for _, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, interval, interval, interval} {
			time.Sleep(pause - time.Second)
			if n := s.world.Calls()["GetCallerIdentity"]; n != asked {
				t.Errorf("questions before the pause of %s is over: got %d, want %d", pause, n, asked)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			asked++
			if n := s.world.Calls()["GetCallerIdentity"]; n != asked {
				t.Errorf("questions after a pause of %s: got %d, want %d", pause, n, asked)
			}
		}
	})
}

func TestEvaluationFollowsTheAccount(t *testing.T) {
	inBubble(t, nothing, func(s *small) {
		time.Sleep(time.Second)
		if j := s.evaluation(); j.Accused()["alice"] == 0 || (j.Accused()["bob"] != 0) {
			s.Errorf("findings: got %+v, want alice's old key", j.Findings)
		}
		u, _ := s.world.User("alice")
		check(s.T, s.world.DeleteKey(u.Keys[0].ID))
		time.Sleep(time.Hour + interval)
		if j := s.evaluation(); j.Accused()["alice"] != 0 {
			s.Errorf("findings after the key went: got %+v, want none", j.Findings)
		}
	})
}

func TestReadyAfterTheFirstRefresh(t *testing.T) {
	for name, prepare := range map[string]func(*awssim.World){
		"AWS answers": nothing,
		"AWS refuses": all(awssim.Error(http.StatusForbidden, "AccessDenied", "")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				prepare(world)
				accounts := fleetOf(t, newBoard(), slog.New(slog.DiscardHandler), targetOf(world, "", 1000))
				if accounts.Ready() { // it does not run yet, or it might be done by now
					t.Error("ready before anything was asked")
				}
				stop := run(t, accounts)
				time.Sleep(time.Second)
				if !accounts.Ready() {
					t.Error("not ready after the first refresh")
				}
				stop()
			})
		})
	}
}

// TestReadyAfterSilence never runs the account, so that it learns nothing.
func TestReadyAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accounts := fleetOf(t, newBoard(), slog.New(slog.DiscardHandler), targetOf(awssim.New(awssim.Options{}), "", 1000))
		time.Sleep(2*time.Minute - 1)
		if accounts.Ready() {
			t.Error("ready within two minutes")
		}
		time.Sleep(time.Nanosecond)
		if !accounts.Ready() {
			t.Error("not ready after two minutes")
		}
	})
}

// TestPublishesWhileSweeping reads an account too slowly for one glance.
func TestPublishesWhileSweeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		for i := range 100 {
			_, err := world.CreateUser(string(rune('a'+i/26))+string(rune('a'+i%26)), "/", time.Now())
			check(t, err)
		}
		board := newBoard()
		stop := run(t, fleetOf(t, board, slog.New(slog.DiscardHandler), targetOf(world, "", 1)))
		evaluation := func() *policy.Evaluation { return board.View().Account("") }
		known := func() (n int) {
			for _, u := range evaluation().Snapshot.Users {
				if u.Keys.Known() {
					n++
				}
			}
			return n
		}
		time.Sleep(5 * time.Second)
		if got := len(evaluation().Snapshot.Users); got != 100 || known() != 0 {
			t.Errorf("after the few calls: got %d users, keys of %d; want 100, 0", got, known())
		}
		time.Sleep(time.Minute)
		if got := known(); got == 0 || got == 100 {
			t.Errorf("while sweeping: got keys of %d users, want some", got)
		}
		before := evaluation()
		stop()
		if evaluation() != before {
			t.Error("published after the end")
		}
	})
}

func TestStoppingPublishesNothing(t *testing.T) {
	for name, when := range map[string]time.Duration{"between refreshes": time.Minute, "in a refresh": interval + time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nothing, func(s *small) {
				time.Sleep(time.Second)
				all(awssim.Hang())(s.world)
				time.Sleep(when - time.Second)
				before := s.evaluation()
				synctest.Wait()
				log := s.log.String()
				began := time.Now()
				s.stop()
				if took := time.Since(began); took != 0 {
					s.Errorf("stopping took %s, want none", took)
				}
				if s.evaluation() != before {
					s.Error("published after the end")
				}
				if diff := cmp.Diff(log, s.log.String()); diff != "" {
					s.Errorf("logged after the end (-want +got):\n%s", diff)
				}
			})
		})
	}
}

var (
	tookPattern    = regexp.MustCompile(`took=\S+`)
	requestPattern = regexp.MustCompile(`request [0-9a-f-]{36}`)
)

func TestLog(t *testing.T) {
	const (
		complete = `level=INFO msg="Refresh complete" account_id=123456789012 users=2 unread=0 findings=2 took=T` + "\n"
		again    = `level=DEBUG msg=Refreshed account_id=123456789012 users=2 unread=0 findings=2 took=T` + "\n"
		problem  = `level=WARN msg="Refresh incomplete, keeping the last facts" account_id=123456789012 reason=denied problem="call iam:ListUsers for the account: AccessDenied; allow iam:ListUsers (` + "`aws_iam_exporter iam-policy`" + ` with the same flags prints the policy)"` + "\n"
		unknown  = `level=WARN msg="Refresh incomplete, no facts yet" account_id="" reason=credentials problem="call sts:GetCallerIdentity for these credentials: AWS answered ExpiredToken (HTTP 403, request ID); give the exporter valid credentials, and check the machine's clock"` + "\n"
		begins   = `level=DEBUG msg=Refreshed account_id="" users=0 unread=0 findings=0 took=T` + "\n"
	)
	deny := func(w *awssim.World) {
		w.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation != "ListUsers" {
				return nil
			}
			return awssim.Error(http.StatusForbidden, "AccessDenied", "not allowed")
		})
	}
	recover := func(w *awssim.World) { w.SetFault(nil) }
	for name, test := range map[string]struct {
		steps []func(*awssim.World) // one before each refresh
		want  string
	}{
		"all is well":            {[]func(*awssim.World){nothing, nothing, nothing}, complete + again + again},
		"a problem, and its end": {[]func(*awssim.World){nothing, deny, deny, recover, nothing}, complete + problem + again + again + complete + again},
		"a bad beginning":        {[]func(*awssim.World){all(awssim.Error(http.StatusForbidden, "ExpiredToken", "")), recover, nothing, nothing}, unknown + strings.Repeat(begins, 4) + complete + again},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.steps[0], func(s *small) {
				for _, step := range test.steps[1:] {
					time.Sleep(interval - 50*time.Second)
					step(s.world)
					time.Sleep(50 * time.Second)
				}
				time.Sleep(time.Minute)
				s.stop()
				got := tookPattern.ReplaceAllString(s.log.String(), "took=T")
				got = requestPattern.ReplaceAllString(got, "request ID")
				if diff := cmp.Diff(test.want, got); diff != "" {
					s.Errorf("log (-want +got):\n%s", diff)
				}
			})
		})
	}
}
