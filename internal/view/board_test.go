package view_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// court judges for a board: it counts how often it judges each snapshot, and
// can be held up in the middle of it.
type court struct {
	mu     sync.Mutex
	counts map[*inventory.Snapshot]int
	holds  map[*inventory.Snapshot]*hold
}

// hold is for one time that a snapshot is judged.
type hold struct{ begun, goOn chan struct{} }

func newBoard(p *policy.Policy) (*view.Board, *court) {
	c := &court{counts: map[*inventory.Snapshot]int{}, holds: map[*inventory.Snapshot]*hold{}}
	b := view.New(p, view.Reload{}, view.Rendering{})
	b.SetJudge(c.judge)
	return b, c
}

func (c *court) judge(s *inventory.Snapshot, p *policy.Policy, now time.Time) *policy.Evaluation {
	c.mu.Lock()
	c.counts[s]++
	h := c.holds[s]
	delete(c.holds, s)
	c.mu.Unlock()
	if h != nil {
		close(h.begun)
		<-h.goOn
	}
	return policy.Evaluate(s, p, now)
}

func (c *court) count(s *inventory.Snapshot) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[s]
}

// holdUp makes the next time that the snapshot is judged last until release.
// What follows calls action, and returns once the judging has begun.
func (c *court) holdUp(s *inventory.Snapshot, action func()) (release func()) {
	h := &hold{begun: make(chan struct{}), goOn: make(chan struct{})}
	c.mu.Lock()
	c.holds[s] = h
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { action(); close(done) }()
	<-h.begun
	return func() { close(h.goOn); <-done }
}

// check compares the only users of the accounts in view, and the one policy
// under which all of them have to be judged.
func check(t *testing.T, v *view.View, p *policy.Policy, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, names(v)); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if v.Policy != p {
		t.Error("another policy is in force than wanted")
	}
	for _, j := range v.Accounts() {
		if j.Policy != p {
			t.Errorf("%s is judged under another policy than wanted", j.Snapshot.Account.ID)
		}
	}
}

func TestPublishAndRemove(t *testing.T) {
	p := under()
	b, _ := newBoard(p)
	empty := b.View()
	check(t, empty, p)
	b.Publish("2", in("2", sinner("bob")))
	b.Publish("1", in("1", sinner("alice")))
	both := b.View()
	check(t, both, p, "alice", "bob")
	b.Publish("2", in("2", sinner("bobby")))
	check(t, b.View(), p, "alice", "bobby")
	b.Remove("1")
	b.Remove("3")
	check(t, b.View(), p, "bobby")
	b.Publish("1", in("1", sinner("anna")))
	check(t, b.View(), p, "anna", "bobby")
	check(t, empty, p)
	check(t, both, p, "alice", "bob")
}

func TestApplyAndFailedReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := under(), under()
		b := view.New(first, view.Reload{Wanted: true, Successful: true, At: time.Now()}, view.Rendering{})
		b.Publish("1", in("1", sinner("alice")))
		b.Publish("2", in("2", sinner("bob")))
		started := time.Now()
		time.Sleep(time.Minute)
		b.NoteFailedReload()
		check(t, b.View(), first, "alice", "bob")
		if got, want := b.View().Reload, (view.Reload{Wanted: true, At: started}); got != want {
			t.Errorf("after a failed reload: got %+v, want %+v", got, want)
		}
		time.Sleep(time.Minute)
		if before := b.Apply(second); before != first {
			t.Error("Apply does not return the policy before")
		}
		check(t, b.View(), second, "alice", "bob")
		if got, want := b.View().Reload, (view.Reload{Wanted: true, Successful: true, At: started.Add(2 * time.Minute)}); got != want {
			t.Errorf("after a reload: got %+v, want %+v", got, want)
		}
	})
}

// TestExemptionEnds judges again when it does, and neither before nor after.
func TestExemptionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := under(exempt("1", "alice", start.Add(time.Hour)), exempt("2", "bob", start.Add(2*time.Hour)))
		b, c := newBoard(p)
		alice, bob, carol := in("1", sinner("alice")), in("2", sinner("bob")), in("3", sinner("carol"))
		for _, s := range []*inventory.Snapshot{alice, bob, carol} {
			b.Publish(s.Account.ID, s)
		}
		keepTime(t, b)
		for _, step := range []struct {
			at         time.Duration
			violations map[string]bool
			judged     []int // how often each has been by then
		}{
			{time.Hour - 1, map[string]bool{"carol": true}, []int{1, 1, 1}},
			{time.Hour, map[string]bool{"alice": true, "carol": true}, []int{2, 1, 1}},
			{2*time.Hour - 1, map[string]bool{"alice": true, "carol": true}, []int{2, 1, 1}},
			{2 * time.Hour, map[string]bool{"alice": true, "bob": true, "carol": true}, []int{2, 2, 1}},
			{1000 * time.Hour, map[string]bool{"alice": true, "bob": true, "carol": true}, []int{2, 2, 1}},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			synctest.Wait()
			violations := map[string]bool{}
			for _, j := range b.View().Accounts() {
				if name := j.Snapshot.Users[0].Name; j.Accused()[name] != 0 {
					violations[name] = true
				}
			}
			if diff := cmp.Diff(step.violations, violations); diff != "" {
				t.Errorf("violations after %s (-want +got):\n%s", step.at, diff)
			}
			if diff := cmp.Diff(step.judged, []int{c.count(alice), c.count(bob), c.count(carol)}); diff != "" {
				t.Errorf("judged after %s (-want +got):\n%s", step.at, diff)
			}
		}
	})
}

// TestExemptionOfANewPolicyEnds applies the policy after the account was
// published.
func TestExemptionOfANewPolicyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := view.New(under(), view.Reload{}, view.Rendering{})
		b.Publish("1", in("1", sinner("alice")))
		keepTime(t, b)
		b.Apply(under(exempt("1", "alice", time.Now().Add(time.Hour))))
		for _, want := range []bool{false, true} {
			if got := b.View().Account("1").Accused()["alice"] != 0; got != want {
				t.Errorf("in violation: got %t, want %t", got, want)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
	})
}

// keepTime keeps the time of the board until the test ends.
func keepTime(t *testing.T, b *view.Board) {
	ctx, stop := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { b.KeepTime(ctx) })
	t.Cleanup(func() { stop(); keeping.Wait() })
}

// TestJudgingPastTheEndOfAnExemption has an account be judged before an exemption ends,
// and shown after.
func TestJudgingPastTheEndOfAnExemption(t *testing.T) {
	for name, change := range map[string]func(*view.Board, *inventory.Snapshot, *policy.Policy){
		"published": func(b *view.Board, s *inventory.Snapshot, _ *policy.Policy) { b.Publish("1", s) },
		"applied":   func(b *view.Board, _ *inventory.Snapshot, p *policy.Policy) { b.Apply(p) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(time.Hour)
				b, c := newBoard(under(exempt("", "alice", end)))
				s := in("1", sinner("alice"))
				b.Publish("1", s)
				keepTime(t, b)
				time.Sleep(time.Hour - time.Second)
				release := c.holdUp(s, func() { go change(b, s, under(exempt("", "alice", end))) })
				time.Sleep(2 * time.Second)
				release()
				synctest.Wait()
				checkAccused(t, b, "1: true")
			})
		})
	}
}

// TestNobodyWaitsForTheEndOfAnExemption has two accounts judged again because an
// exemption has ended, of which the second takes long. Readers see the first at once,
// and both in the end.
func TestNobodyWaitsForTheEndOfAnExemption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBoard(under(exempt("", "alice", time.Now().Add(time.Hour))))
		first, second, third := in("1", sinner("alice")), in("2", sinner("alice")), in("3", sinner("bob"))
		for _, s := range []*inventory.Snapshot{first, second, third} {
			b.Publish(s.Account.ID, s)
		}
		keepTime(t, b)
		release := c.holdUp(second, func() { time.Sleep(time.Hour) })
		checkAccused(t, b, "1: true, 2: false, 3: true")
		release()
		synctest.Wait()
		checkAccused(t, b, "1: true, 2: true, 3: true")
		if got, want := []int{c.count(first), c.count(second), c.count(third)}, []int{2, 2, 1}; !slices.Equal(got, want) {
			t.Errorf("judged %d times, want %d", got, want)
		}
	})
}

// checkAccused compares whether somebody in each account is accused.
func checkAccused(t *testing.T, b *view.Board, want string) {
	t.Helper()
	var got []string
	for _, j := range b.View().Accounts() {
		got = append(got, fmt.Sprintf("%s: %t", j.Snapshot.Account.ID, len(j.Accused()) > 0))
	}
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("accused: got %s, want %s", got, want)
	}
}

// TestWhatComesWhileJudgingAgain is not lost, and not taken back by it.
func TestWhatComesWhileJudgingAgain(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*view.Board)
		want   []string
	}{
		"the account is published": {func(b *view.Board) { b.Publish("1", in("1", sinner("anna"))) }, []string{"anna", "bob"}},
		"another is published":     {func(b *view.Board) { b.Publish("2", in("2", sinner("bobby"))) }, []string{"alice", "bobby"}},
		"the account is removed":   {func(b *view.Board) { b.Remove("1") }, []string{"bob"}},
		"another policy comes":     {func(b *view.Board) { b.Apply(under()) }, []string{"alice", "bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, c := newBoard(under(exempt("1", "alice", time.Now().Add(time.Hour))))
				alice := in("1", sinner("alice"))
				b.Publish("1", alice)
				b.Publish("2", in("2", sinner("bob")))
				keepTime(t, b)
				release := c.holdUp(alice, func() { time.Sleep(time.Hour) })
				test.change(b)
				release()
				synctest.Wait()
				check(t, b.View(), b.View().Policy, test.want...)
			})
		})
	}
}

// TestAccountsAreJudgedAtTheSameTime holds up one account in the middle, which
// neither another one nor readers may notice.
func TestAccountsAreJudgedAtTheSameTime(t *testing.T) {
	p := under()
	b, c := newBoard(p)
	alice := in("1", sinner("alice"))
	release := c.holdUp(alice, func() { b.Publish("1", alice) })
	b.Publish("2", in("2", sinner("bob")))
	check(t, b.View(), p, "bob")
	release()
	check(t, b.View(), p, "alice", "bob")
}

// TestOlderNeverReplacesNewer publishes and removes while an earlier snapshot of
// the account is still being judged.
func TestOlderNeverReplacesNewer(t *testing.T) {
	p := under()
	for name, test := range map[string]struct {
		change func(*view.Board)
		want   []string
	}{
		"published":           {func(b *view.Board) { b.Publish("1", in("1", sinner("anna"))) }, []string{"anna"}},
		"removed":             {func(b *view.Board) { b.Remove("1") }, nil},
		"published, removed":  {func(b *view.Board) { b.Publish("1", in("1", sinner("anna"))); b.Remove("1") }, nil},
		"removed, published":  {func(b *view.Board) { b.Remove("1"); b.Publish("1", in("1", sinner("anna"))) }, []string{"anna"}},
		"others, in any case": {func(b *view.Board) { b.Publish("2", in("2", sinner("bob"))); b.Remove("3") }, []string{"alice", "bob"}},
	} {
		for _, shown := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/shown before=%t", name, shown), func(t *testing.T) {
				b, c := newBoard(p)
				if shown {
					b.Publish("1", in("1", sinner("adam")))
				}
				alice := in("1", sinner("alice"))
				release := c.holdUp(alice, func() { b.Publish("1", alice) })
				test.change(b)
				release()
				check(t, b.View(), p, test.want...)
			})
		}
	}
}

// TestPublishWhileAnotherPolicyComes judges again what was judged under the one
// before.
func TestPublishWhileAnotherPolicyComes(t *testing.T) {
	first, second := under(), under()
	b, c := newBoard(first)
	alice := in("1", sinner("alice"))
	release := c.holdUp(alice, func() { b.Publish("1", alice) })
	b.Apply(second)
	check(t, b.View(), second)
	release()
	check(t, b.View(), second, "alice")
	if got := c.count(alice); got != 2 {
		t.Errorf("judged %d times, want once under each policy", got)
	}
}

// TestApplyWhileAccountsChange loses none of the changes, shows no account under
// another policy than the rest, and judges no snapshot twice.
func TestApplyWhileAccountsChange(t *testing.T) {
	first, second := under(), under()
	b, c := newBoard(first)
	alice, bob, carol := in("1", sinner("alice")), in("2", sinner("bob")), in("3", sinner("carol"))
	b.Publish("1", alice)
	b.Publish("2", bob)
	b.Publish("3", carol)
	release := c.holdUp(bob, func() { b.Apply(second) })
	check(t, b.View(), first, "alice", "bob", "carol")
	bobby, dave := in("2", sinner("bobby")), in("4", sinner("dave"))
	b.Publish("2", bobby)
	b.Publish("4", dave)
	b.Remove("3")
	check(t, b.View(), first, "alice", "bobby", "dave")
	release()
	check(t, b.View(), second, "alice", "bobby", "dave")
	for name, s := range map[string]*inventory.Snapshot{"alice": alice, "bob": bob, "bobby": bobby, "dave": dave} {
		if got := c.count(s); got != 2 {
			t.Errorf("%s was judged %d times, want once under each policy", name, got)
		}
	}
}

// TestFailedReloadComesLast notes a failure while the reload before it still
// takes effect.
func TestFailedReloadComesLast(t *testing.T) {
	b, c := newBoard(under())
	alice := in("1", sinner("alice"))
	b.Publish("1", alice)
	next := under()
	release := c.holdUp(alice, func() { b.Apply(next) })
	var noted sync.WaitGroup
	noted.Go(b.NoteFailedReload)
	release()
	noted.Wait()
	check(t, b.View(), next, "alice")
	if b.View().Reload.Successful {
		t.Error("the last reload failed, but counts as successful")
	}
}

// TestEverythingAtOnce has accounts, policies and readers change and read the
// board at the same time.
func TestEverythingAtOnce(t *testing.T) {
	const accounts, rounds = 4, 100
	p := under(exempt("", "alice", end))
	b := view.New(p, view.Reload{}, view.Rendering{})
	var writers, readers sync.WaitGroup
	var over atomic.Bool
	for i := range accounts {
		writers.Go(func() {
			id := fmt.Sprint(i)
			for n := range rounds {
				s := in(id, sinner("alice"))
				s.Health.Refreshes = uint64(n + 1)
				b.Publish(id, s)
			}
		})
	}
	writers.Go(func() {
		for range rounds {
			b.Publish("gone", in("gone", sinner("alice")))
			b.Remove("gone")
		}
	})
	writers.Go(func() {
		for range rounds {
			b.Apply(under(exempt("", "alice", end)))
			b.NoteFailedReload()
		}
	})
	for range 4 {
		readers.Go(func() {
			newest := map[string]uint64{}
			for !over.Load() {
				v := b.View()
				for _, j := range v.Accounts() {
					id, refreshes := j.Snapshot.Account.ID, j.Snapshot.Health.Refreshes
					if j.Policy != v.Policy {
						t.Errorf("account %s is judged under another policy than the one in view", id)
					}
					if refreshes < newest[id] {
						t.Errorf("account %s goes back from refresh %d to %d", id, newest[id], refreshes)
					}
					newest[id] = refreshes
				}
			}
		})
	}
	writers.Wait()
	over.Store(true)
	readers.Wait()
	v := b.View()
	if len(v.Accounts()) != accounts || v.Reload.Successful {
		t.Errorf("got %d accounts and reload %+v, want %d and a failed one", len(v.Accounts()), v.Reload, accounts)
	}
	for _, j := range v.Accounts() {
		if j.Snapshot.Health.Refreshes != rounds {
			t.Errorf("account %s ends at refresh %d, want %d", j.Snapshot.Account.ID, j.Snapshot.Health.Refreshes, rounds)
		}
	}
}
