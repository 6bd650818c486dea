package fleet_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// crowd is many accounts behind one hub, at the process's rate for so many.
type crowd struct {
	*testing.T
	realm    *awssim.Realm
	shared   *awsapi.Shared
	hub      *awsapi.Hub
	worlds   []*awssim.World
	board    *view.Board
	accounts *fleet.Fleet
	log      journal
}

// journal is a log that is read while others write to it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

// take returns what was written since it was last called.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

const crowdRole = "audit/aws-iam-exporter"

// newCrowd makes accounts of three users each, who have a key and a password, and
// of as many roles, at a fiftieth of the process's rate for each account.
func newCrowd(t *testing.T, accounts int) *crowd {
	t.Helper()
	c := &crowd{T: t, board: newBoard()}
	for i := range accounts {
		world := worldOf(t, fmt.Sprintf("%012d", i+1), "alice", "bob", "carol")
		for _, name := range []string{"alice", "bob", "carol"} {
			_, err := world.CreateKey(name, time.Now().Add(-time.Hour))
			check(t, err)
			check(t, world.SetPassword(name, time.Now().Add(-time.Hour)))
		}
		c.worlds = append(c.worlds, world)
	}
	c.realm = awssim.NewRealm(c.worlds[0], c.worlds[1:]...)
	limit := 20 * float64(accounts) / 1000
	c.shared = awsapi.NewShared(rate.Limit(limit))
	c.hub = awsapi.NewHub(c.realm.Config(), c.shared, awsapi.HubOptions{Sessions: awsapi.Sessions{Name: "aws_iam_exporter"}, Timeout: 10 * time.Second})
	roles := map[string]string{}
	for _, w := range c.worlds {
		c.realm.AddRole(w, crowdRole, "")
		roles[awsapi.Role{Name: crowdRole}.ARN("aws", w.AccountID())] = crowdRole
	}
	c.hub.SetRoles(roles)
	c.accounts = fleet.New(c.board, fleet.Options{Pause: time.Duration(5 / limit * float64(time.Second)), Logger: slog.New(slog.NewTextHandler(&c.log, nil))})
	return c
}

// target is the account of the world, to be watched by its role.
func (c *crowd) target(w *awssim.World) fleet.Target {
	return fleet.Target{
		Client: awsapi.New(c.realm.Config(), c.shared, awsapi.Options{
			Needs: awsapi.Needs{Source: awsapi.SourceAuto}, Rate: 5, Timeout: 10 * time.Second,
			Assume: &awsapi.Assumption{Hub: c.hub, AccountID: w.AccountID(), Role: awsapi.Role{Name: crowdRole}},
		}),
		Account: account.Options{ID: w.AccountID(), RefreshInterval: interval, KeysInterval: time.Hour},
	}
}

func (c *crowd) targets() []fleet.Target {
	var targets []fleet.Target
	for _, w := range c.worlds {
		targets = append(targets, c.target(w))
	}
	return targets
}

// oldest watches the accounts for a while, and returns how old the facts of each
// group became among those that are good, once all had been read.
func (c *crowd) oldest(good []*awssim.World) map[inventory.Group]time.Duration {
	c.Helper()
	check(c.T, c.accounts.Reconcile(c.targets()))
	defer run(c.T, c.accounts)()
	time.Sleep(time.Hour)
	oldest := map[inventory.Group]time.Duration{}
	for range crowdHours * 60 {
		time.Sleep(time.Minute)
		v := c.board.View()
		for _, w := range good {
			s := v.Account(w.AccountID()).Snapshot
			if s.Health.State != inventory.StateUp {
				c.Fatalf("%s: account %s is %s: %v", time.Now(), w.AccountID(), s.Health.State, s.Health.Problems)
			}
			for _, group := range []inventory.Group{inventory.GroupUsers, inventory.GroupKeys, inventory.GroupConsole} {
				oldest[group] = max(oldest[group], time.Since(s.Freshness[group].Observed))
			}
		}
	}
	return oldest
}

// TestBadAccountsDelayNoOthers has a twentieth of the accounts denied, throttled,
// silent, slow, lying or without their role. The others keep the freshness that
// they have when those behave, within a tenth.
func TestBadAccountsDelayNoOthers(t *testing.T) {
	var alone map[inventory.Group]time.Duration
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		alone = c.oldest(c.worlds[crowdBad:])
	})
	faults := []struct {
		reason inventory.Reason // empty if everything comes, if late
		cause  func(*crowd, *awssim.World)
	}{
		{inventory.ReasonDenied, func(_ *crowd, w *awssim.World) { all(awssim.Error(http.StatusForbidden, "AccessDenied", "no"))(w) }},
		{inventory.ReasonThrottled, func(_ *crowd, w *awssim.World) {
			all(awssim.Error(http.StatusBadRequest, "Throttling", "Rate exceeded"))(w)
		}},
		{inventory.ReasonTimeout, func(_ *crowd, w *awssim.World) { all(awssim.Hang())(w) }},
		{"", func(_ *crowd, w *awssim.World) { w.SetFault(everyOther(awssim.Hang())) }},
		{inventory.ReasonMalformed, func(_ *crowd, w *awssim.World) { all(awssim.Raw(http.StatusOK, "text/xml", "<html>"))(w) }},
		{inventory.ReasonRole, func(c *crowd, w *awssim.World) { c.realm.RemoveRole(w, crowdRole) }},
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		for i, w := range c.worlds[:crowdBad] {
			faults[i%len(faults)].cause(c, w)
		}
		for group, age := range c.oldest(c.worlds[crowdBad:]) {
			if age > alone[group]+alone[group]/10 {
				t.Errorf("oldest %s: got %s, want at most a tenth more than %s", group, age, alone[group])
			}
		}
		for i, w := range c.worlds[:crowdBad] {
			health, want := c.board.View().Account(w.AccountID()).Snapshot.Health, faults[i%len(faults)].reason
			if want == "" {
				continue
			}
			if health.State != inventory.StateDown || len(health.Problems) != 1 || health.Problems[0].Reason != want || health.Errors[want] == 0 {
				t.Errorf("account %s: got %s, %v, %v, want it down for the reason %s", w.AccountID(), health.State, health.Problems, health.Errors, want)
			}
		}
	})
}

// everyOther returns a hook that lets the fault answer every other call.
func everyOther(fault http.HandlerFunc) func(string, int) http.HandlerFunc {
	return func(_ string, n int) http.HandlerFunc {
		if n%2 == 0 {
			return fault
		}
		return nil
	}
}
