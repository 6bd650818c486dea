package account

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// watched records which users ListAccessKeys asks about.
func (h *harness) watched() func() []string {
	var asked []string
	h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
		if operation != "ListAccessKeys" {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Form.Get("UserName"))
			awssim.Raw(http.StatusOK, "text/xml", `<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata/></ListAccessKeysResult></ListAccessKeysResponse>`)(w, r)
		}
	})
	return func() []string {
		defer func() { asked = nil }()
		return asked
	}
}

// TestReadSoonBetweenRounds has something happen to a user long before the next
// refresh.
func TestReadSoonBetweenRounds(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.round(h.Context())
		h.key("bob")
		h.world.ResetCalls()
		h.account.ReadSoon("bob", "nobody", "bob")
		before := time.Now()
		p := h.account.Step(h.Context(), nil)
		if !p.Learnt || p.Ended || !p.Next.Equal(before.Add(refreshInterval)) {
			h.Errorf("progress: got %+v, want news, and the next refresh when it was due anyway", p)
		}
		if n, _ := h.find(h.account.Snapshot(), "bob").CountKeys(inventory.Active); n != 1 {
			h.Errorf("bob's keys: got %d, want the new one", n)
		}
		if calls := h.world.Calls(); calls["ListAccessKeys"] != 1 || calls["ListUsers"] != 0 {
			h.Errorf("calls: got %v, want one about bob", calls)
		}
		h.world.ResetCalls()
		if p = h.account.Step(h.Context(), nil); p.Learnt || h.calls("ListAccessKeys") != 0 {
			h.Errorf("progress of the next step: got %+v, want nothing to do", p)
		}
	})
}

// TestReadSoonWithinASweep has something happen to a user whose turn comes last.
func TestReadSoonWithinASweep(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 4 * readers {
			h.user(fmt.Sprintf("user%02d", i))
		}
		asked := h.watched()
		h.account.RefreshSoon()
		for len(asked()) == 0 {
			h.account.Step(h.Context(), nil)
		}
		h.account.ReadSoon("user15")
		h.account.Step(h.Context(), nil)
		if got := strings.Join(asked(), " "); !strings.Contains(got, "user15") {
			h.Errorf("read next: got %s, want user15 among them", got)
		}
		for !h.account.Step(h.Context(), nil).Ended {
		}
		if got := strings.Join(asked(), " "); strings.Contains(got, "user15") {
			h.Errorf("read afterwards: got %s, want user15 once", got)
		}
	})
}

// TestReadSoonWhereNobodyIsReadAlone has the source ask for the report alone.
func TestReadSoonWhereNobodyIsReadAlone(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.round(h.Context())
		h.world.ResetCalls()
		h.account.ReadSoon("alice")
		if p := h.account.Step(h.Context(), nil); p.Learnt || len(h.world.Calls()) > 0 {
			h.Errorf("got %+v and calls %v, want none", p, h.world.Calls())
		}
	})
}

// TestRefreshSoonCutsASweepShort wants a refresh while a slow sweep is under way.
func TestRefreshSoonCutsASweepShort(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 40 {
			h.user(fmt.Sprintf("user%02d", i))
		}
		h.begin(awsapi.SourceLive, 1, 1)
		for asked := h.watched(); len(asked()) == 0; {
			h.account.Step(h.Context(), nil)
		}
		h.account.RefreshSoon()
		steps := 0
		for before := h.world.Calls()["ListUsers"]; h.world.Calls()["ListUsers"] == before; steps++ {
			h.account.Step(h.Context(), nil)
		}
		if steps > 2 {
			h.Errorf("steps until the refresh: got %d, want the end of the sweep and the refresh", steps)
		}
		h.round(h.Context())
		h.round(h.Context())
		if s := h.account.Snapshot(); s.Health.State != inventory.StateUp {
			h.Errorf("state: got %s, want up", s.Health.State)
		}
	})
}

// TestKnownByID knows the account before AWS has told it, and gets the
// credentials of another one at first.
func TestKnownByID(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		const id = "123456789012"
		h.account = New(awsiam.New(h.client), Options{ID: id, RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
		inventorytest.Equal(h.T, inventory.Account{ID: id}, h.account.Snapshot().Account)

		other := awssim.New(awssim.Options{AccountID: "999999999999"})
		h.fail("GetCallerIdentity", other.ServeHTTP)
		s := h.refresh()
		const want = "call sts:GetCallerIdentity for account 123456789012: the credentials are those of account 999999999999, want account 123456789012: correct the credentials or role for it"
		if p := s.Health.Problems; len(p) != 1 || !strings.HasPrefix(p[0].Text, want) || s.Health.State != inventory.StateDown {
			h.Errorf("problems: got %s, %v; want down: %s", s.Health.State, p, want)
		}
		if s.Account.ID != id || h.account.Identified() || h.calls("ListUsers") != 0 {
			h.Errorf("got account %q with other credentials, want the one it is known by, and nothing asked", s.Account.ID)
		}

		h.world.SetFault(nil)
		if s = h.refresh(); s.Health.State != inventory.StateUp || len(s.Users) != 1 {
			h.Errorf("with its own credentials: got %s and %d users, want up and alice", s.Health.State, len(s.Users))
		}
	})
}

// TestRestoreTakesNothingOfAnotherAccount offers what is kept of one account to
// another.
func TestRestoreTakesNothingOfAnotherAccount(t *testing.T) {
	kept := &inventory.Snapshot{Account: inventory.Account{ID: "999999999999"}, Users: []inventory.User{knownUser("eve")}}
	for name, test := range map[string]struct {
		id    string
		users int
	}{
		"unknown yet": {"", 1},
		"its own":     {"999999999999", 1},
		"another":     {"123456789012", 0},
	} {
		a := New(idleReader(awsapi.SourceLive), Options{ID: test.id}, kept)
		s := a.Snapshot()
		if len(s.Users) != test.users || test.id != "" && s.Account.ID != test.id {
			t.Errorf("%s: got account %q with %d users, want %q with %d", name, s.Account.ID, len(s.Users), test.id, test.users)
		}
	}
}

// TestTroubleIsNotThePace ends sweeps in which everybody was read, an hour after
// the measurement began.
func TestTroubleIsNotThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			deferred    map[string]error
			unreachable bool
			want        time.Duration
		}{
			"all is well":  {want: time.Hour},
			"busy":         {deferred: map[string]error{awsiam.ListKeys: refusal("Throttling")}},
			"unreachable":  {unreachable: true},
			"both of them": {deferred: map[string]error{awsiam.ListKeys: refusal("Throttling")}, unreachable: true},
		} {
			a := testAccount(awsapi.SourceLive)
			a.known.users = []*trackedUser{{User: knownUser("alice"), attempted: time.Now(), deferred: test.deferred}}
			a.sweep.pace.begin(time.Now().Add(-time.Hour))
			a.sweep.limits = newBreaker()
			for test.unreachable && !a.sweep.limits.unreachable() {
				a.sweep.limits.note(awsiam.ListKeys, errors.New("no answer"))
			}
			a.sweep.end(t.Context())
			if got := a.sweep.pace; got.length != test.want || !got.started.Equal(time.Now()) {
				t.Errorf("%s: got %+v, want a length of %s, and a new measurement from now on", name, got, test.want)
			}
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ahead, want := range map[time.Duration]time.Duration{
			0: 0, 59 * time.Second: 0, -59 * time.Second: 0,
			time.Minute: time.Minute, -time.Minute: -time.Minute, 30 * time.Minute: 30 * time.Minute, -5 * time.Hour: -5 * time.Hour,
		} {
			var c clock
			c.set(time.Now().Add(ahead))
			if got := time.Until(c.now()); got != want {
				t.Errorf("AWS's clock %s ahead: got %s, want %s", ahead, got, want)
			}
		}
	})
}
