package account

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// watched records which users ListAccessKeys asks about.
func (h *harness) watched() func() []string {
	var (
		mu    sync.Mutex // users are read at the same time
		asked []string
	)
	h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
		if operation != "ListAccessKeys" {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked = append(asked, r.Form.Get("UserName"))
			mu.Unlock()
			awssim.Raw(http.StatusOK, "text/xml", `<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata/></ListAccessKeysResult></ListAccessKeysResponse>`)(w, r)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
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
		if steps > 3 {
			h.Errorf("steps until the users are listed: got %d, want the end of the sweep, the beginning of the refresh, the listing", steps)
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
		h.account = New(h.client, Options{ID: id, RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
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
		a := New(idleClient(awsapi.SourceLive), Options{ID: test.id}, kept)
		s := a.Snapshot()
		if len(s.Users) != test.users || test.id != "" && s.Account.ID != test.id {
			t.Errorf("%s: got account %q with %d users, want %q with %d", name, s.Account.ID, len(s.Users), test.id, test.users)
		}
	}
}

// TestTroubleIsNotThePace reads users at two seconds each, then not at all.
func TestTroubleIsNotThePace(t *testing.T) {
	slow := func(fault http.HandlerFunc) func(string, int) http.HandlerFunc {
		return func(operation string, _ int) http.HandlerFunc {
			if operation == "ListAccessKeys" {
				return fault
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		slows bool
	}{
		"all is well": {},
		"hangs":       {fault: awssim.Hang()},
		"broken":      {fault: awssim.Raw(http.StatusOK, "text/html", "<html>")},
		"throttled":   {fault: throttled(), slows: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
				for i := range 20 {
					h.user(fmt.Sprintf("user%02d", i))
				}
				h.begin(awsapi.SourceLive, 1, 1) // two calls for each user
				h.round(h.Context())
				before := h.account.Snapshot().Sweep.Length
				if want := 40 * time.Second; before < want-5*time.Second || before > want+5*time.Second {
					h.Errorf("length: got %s, want about %s", before, want)
				}
				h.world.SetFault(slow(test.fault))
				time.Sleep(keysInterval)
				h.round(h.Context())
				if after := h.account.Snapshot().Sweep.Length; after > 2*before != test.slows {
					h.Errorf("length: got %s after %s, want it changed: %t", after, before, test.slows)
				}
			})
		})
	}
}

// TestPace takes a mean of late.
func TestPace(t *testing.T) {
	p := pace{}
	if got := p.length(100); got != 0 {
		t.Errorf("before anything was read: got %s, want none", got)
	}
	p.note(8*time.Second, 4)
	if got := p.length(100); got != 200*time.Second {
		t.Errorf("after the first users: got %s, want 200s", got)
	}
	for range 10 * paceMemory {
		p.note(4*time.Second, 4)
	}
	if got := p.length(100).Round(time.Second); got != 100*time.Second {
		t.Errorf("at another pace for long: got %s, want 100s", got)
	}
	again := paceOf(p.length(100), 100)
	if got := again.length(200).Round(time.Second); got != 200*time.Second {
		t.Errorf("remembered, for twice the users: got %s, want 200s", got)
	}
	if got := paceOf(time.Hour, 0); got.perUser != 0 {
		t.Errorf("of nobody: got %s, want it unknown", got.perUser)
	}
}
