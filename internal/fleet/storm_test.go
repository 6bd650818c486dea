package fleet_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// TestManyAccountsAtOnceAreNoStorm has many accounts found at the same moment. AWS
// sees no more requests than the process may send, one account is known after the
// other, and none waits for the last.
func TestManyAccountsAtOnceAreNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		check(t, c.accounts.Reconcile(c.targets()))
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

// TestRenewalIsNoStorm has AWS accept no credentials for a while, and somebody reload
// meanwhile. The accounts are refreshed one after the other, then and ever after.
func TestRenewalIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		check(t, c.accounts.Reconcile(c.targets()))
		stop := run(t, c.accounts)
		time.Sleep(time.Hour)
		c.realm.SetFault(func(string, int) http.HandlerFunc {
			return awssim.Error(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
		})
		c.realm.EndSessions()
		time.Sleep(time.Hour)
		refreshes := func() (n uint64) {
			for _, ev := range c.board.View().Accounts() {
				if s := ev.Snapshot; s.Health.State != inventory.StateDown {
					t.Errorf("account %s is %s, want it down", s.Account.ID, s.Health.State)
				}
				n += ev.Snapshot.Health.Refreshes
			}
			return n
		}
		before := refreshes()
		c.accounts.RenewCredentials()
		const step, most = 30 * time.Second, crowdSize / 3
		for at := step; at <= 2*interval; at += step {
			time.Sleep(step)
			now := refreshes()
			if now-before > most {
				t.Errorf("refreshes in the half minute before %s: got %d of %d accounts, want at most %d", at, now-before, crowdSize, most)
			}
			before = now
		}
		stop()
		time.Sleep(10 * time.Minute) // until the calls that begin sessions had their turns: the SDK lets nobody end them
	})
}

// TestLostCredentialsAreSaidOnce has the exporter's own credentials be of no use for
// some hours. The log says once an hour that they still are, for how many accounts;
// accounts that leave meanwhile, or are to be read no longer, do not count.
func TestLostCredentialsAreSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		targets := c.targets()
		check(t, c.accounts.Reconcile(targets))
		stop := run(t, c.accounts)
		time.Sleep(time.Hour)
		c.realm.SetFault(func(string, int) http.HandlerFunc { return awssim.Error(http.StatusForbidden, "ExpiredToken", "no") })
		c.realm.EndSessions()
		still := func(hours int) []string {
			c.log.take()
			time.Sleep(time.Duration(hours) * time.Hour)
			return regexp.MustCompile(`Refresh still incomplete.* accounts=\d+`).FindAllString(c.log.take(), -1)
		}
		said := still(3)
		if len(said) < 2 || len(said) > 3 || !strings.HasSuffix(said[1], fmt.Sprintf("accounts=%d", crowdSize)) {
			t.Errorf("said in three hours: %q, want once an hour, of %d accounts", said, crowdSize)
		}
		targets[1].Account.Suspended = true
		check(t, c.accounts.Reconcile(targets[1:]))
		if said = still(1); len(said) != 1 || !strings.HasSuffix(said[0], fmt.Sprintf("accounts=%d", crowdSize-2)) {
			t.Errorf("said with two accounts less: %q, want once, of %d accounts", said, crowdSize-2)
		}
		stop()
		time.Sleep(10 * time.Minute)
	})
}
