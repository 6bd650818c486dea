package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
)

// TestManyAccountsAtOnceAreNoStorm has many accounts found at the same moment. AWS
// sees no more requests than the process may send, one account is known after the
// other, and none waits for the last.
func TestManyAccountsAtOnceAreNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		var wanted []fleet.Target
		for _, w := range c.worlds {
			wanted = append(wanted, c.want(w))
		}
		check(t, c.accounts.Reconcile(wanted))
		defer run(t, c.accounts)()
		requests := func() (n uint64) {
			for _, calls := range c.shared.Calls() {
				n += calls.Requests
			}
			return n
		}
		known := func() (n int) {
			for _, ev := range c.board.View().Accounts() {
				if len(ev.Snapshot.Users) > 0 {
					n++
				}
			}
			return n
		}
		limit := 20 * float64(crowdSize) / 1000 // a second, and as many at once at first
		before, halfway := uint64(0), 0
		const minutes = 10
		for minute := 1; minute <= minutes; minute++ {
			time.Sleep(time.Minute)
			now := requests()
			if got, most := float64(now-before), 60*limit+max(1, limit)+1; got > most {
				t.Errorf("minute %d: got %v requests, want at most %v", minute, got, most)
			}
			if before = now; minute == minutes/4 {
				halfway = known()
			}
		}
		if got := known(); got != crowdSize {
			t.Errorf("known after %d minutes: got %d accounts, want all %d", minutes, got, crowdSize)
		}
		if halfway < crowdSize/4 || halfway == crowdSize {
			t.Errorf("known after a quarter of that: got %d of %d accounts, want them one after the other", halfway, crowdSize)
		}
	})
}
