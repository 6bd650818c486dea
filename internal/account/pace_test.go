package account

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestOneThrottledUserIsNoTrouble throttles one call about one user, early in a
// sweep of more than half an hour.
func TestOneThrottledUserIsNoTrouble(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 1000 {
			h.user(fmt.Sprintf("user%03d", i))
		}
		h.begin(awsapi.SourceLive, 1, 20)
		throttles := 3 // as often as one call tries
		h.world.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListAccessKeys" && n > 20 && throttles > 0 {
				throttles--
				return throttled()
			}
			return nil
		})
		down := 0
		var s *inventory.Snapshot
		for end := time.Now().Add(time.Hour); time.Now().Before(end); {
			s = h.refresh()
			if s.Health.State == inventory.StateDown {
				down++
			}
		}
		if down > 1 {
			h.Errorf("down after %d refreshes, want one at most", down)
		}
		if n := s.Health.Errors[inventory.ReasonThrottled]; n > 1 {
			h.Errorf("errors: got %d throttled, want one at most", n)
		}
		if s.Health.State != inventory.StateUp || s.Sweep.Unread > 0 {
			h.Errorf("after an hour: got %s, %d unread; want up, none", s.Health.State, s.Sweep.Unread)
		}
	})
}

// TestWhatWorksAgainIsAskedNext has the first of the deferred users show that AWS
// has time again.
func TestWhatWorksAgainIsAskedNext(t *testing.T) {
	busy := func(action string) map[string]error { return map[string]error{action: refusal("Throttling")} }
	s := sweep{queue: []*trackedUser{
		{User: knownUser("a")},
		{User: knownUser("b"), deferred: busy(awsiam.ListKeys)},
		{User: knownUser("c"), deferred: busy(awsiam.GetPassword)},
		{User: knownUser("d"), deferred: busy(awsiam.ListKeys)},
	}}
	for _, test := range []struct {
		worked map[string]bool
		want   string
	}{
		{nil, "a b c d"},
		{map[string]bool{awsiam.ListMFA: true}, "a b c d"},
		{map[string]bool{awsiam.ListKeys: true}, "b d a c"},
	} {
		s.moveDeferredUp(test.worked)
		var names []string
		for _, user := range s.queue {
			names = append(names, user.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("after %v worked: got %s, want %s", test.worked, got, test.want)
		}
	}
}

// TestThrottlingThatGoesOnCountsOnce throttles one call for two hours.
func TestThrottlingThatGoesOnCountsOnce(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.fail("GetLoginProfile", throttled())
		s := h.refreshFor(2 * time.Hour)
		if n := s.Health.Errors[inventory.ReasonThrottled]; n != 1 || s.Health.State != inventory.StateDown {
			h.Errorf("got %d errors, %s; want one for all that time, down", n, s.Health.State)
		}
		h.world.SetFault(nil)
		h.refreshFor(time.Hour)
		h.fail("GetLoginProfile", throttled())
		if n := h.refreshFor(2 * time.Hour).Health.Errors[inventory.ReasonThrottled]; n != 2 {
			h.Errorf("got %d errors after a second time, want two", n)
		}
	})
}

// TestASlowSweepIsNotStale reads an account so slowly that a sweep takes almost
// three hours, at first and after a restart.
func TestASlowSweepIsNotStale(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		for i := range 500 {
			h.user(fmt.Sprintf("user%03d", i))
		}
		const rate = 0.05
		h.begin(awsapi.SourceAuto, rate, 20)
		mustBeFresh := func(when string) {
			h.Helper()
			s := h.refresh()
			for group, f := range s.Freshness {
				if time.Now().After(f.Stale) {
					h.Errorf("%s: %s is stale since %s, at %s", when, group, f.Stale, time.Now())
				}
			}
		}
		for end := time.Now().Add(4 * time.Hour); time.Now().Before(end); {
			mustBeFresh("at first")
		}
		kept := h.account.Snapshot()
		if length := kept.Sweep.Length; length < 2*time.Hour || length > 4*time.Hour {
			h.Errorf("a sweep takes %s, want about 2h46m", length)
		}
		h.account = New(h.client, h.account.o, kept)
		if n := h.account.Snapshot().Sweep.Length.Round(time.Minute); n != kept.Sweep.Length.Round(time.Minute) {
			h.Errorf("after a restart: a sweep takes %s, want %s, as before", n, kept.Sweep.Length)
		}
		for end := time.Now().Add(4 * time.Hour); time.Now().Before(end); {
			mustBeFresh("after a restart")
		}
	})
}
