package app

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// TestNobodyIsMissedUnexplained looks at what is served while one account is on its
// way back and another one about to go: each is watched, or told to be taken out.
func TestNobodyIsMissedUnexplained(t *testing.T) {
	s, _, err := parse(nil, t.Output(), t.Output())
	check(t, err)
	board := view.New(must[*config.Config](t)(configuration(awsSource{}, s)).Policy, view.Reload{}, view.Rendering{})
	w := newWatching(awsSource{config: awssim.New(awssim.Options{}).Config()}, s, board, nil, slog.New(slog.DiscardHandler))
	listing := func(ids ...string) *config.Config {
		c := &config.Config{Policy: board.View().Policy}
		for _, id := range ids {
			c.Accounts = append(c.Accounts, config.Account{ID: id, Settings: s.defaults.Settings})
		}
		return c
	}
	const stays, goes, returns = "111111111111", "222222222222", "333333333333"
	check(t, w.targets.begin(listing(goes, returns, stays)))
	check(t, w.targets.reload(listing(goes, stays)))

	explained := func(when string, wantWatched, wantRemoved []string) {
		t.Helper()
		v := board.View()
		var watched, removed []string
		for _, a := range v.Accounts() {
			watched = append(watched, a.Snapshot.Account.ID)
		}
		for _, r := range v.Removals(time.Now()) {
			removed = append(removed, r.AccountID)
		}
		if diff := cmp.Diff([][]string{wantWatched, wantRemoved}, [][]string{watched, removed}); diff != "" {
			t.Errorf("%s: watched and removed (-want +got):\n%s", when, diff)
		}
	}
	explained("before", []string{stays, goes}, []string{returns})
	refused := errors.New("refused")
	err = w.targets.watch(listing(stays, returns), w.targets.list, func([]fleet.Target) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("error: got %v, want %v", err, refused)
	}
	explained("refused", []string{stays, goes}, []string{returns})
	if left := slices.ContainsFunc(board.View().Watchlist.Removals, func(r watchlist.Removal) bool { return r.AccountID == goes }); left {
		t.Error("an account that stays is remembered as taken out")
	}
	check(t, w.targets.watch(listing(stays, returns), w.targets.list, func(all []fleet.Target) error {
		explained("at first", []string{stays, goes}, []string{returns})
		board.Remove(goes)
		explained("once one has gone", []string{stays}, []string{goes, returns})
		return w.fleet.Reconcile(all)
	}))
	explained("after", []string{stays, returns}, []string{goes})
}

// TestReloadListsOnce reloads while the organization is being listed: the list under
// way is given up, and one more is enough.
func TestReloadListsOnce(t *testing.T) {
	for range 8 { // what is ready at the same moment is chosen by chance
		synctest.Test(t, func(t *testing.T) {
			c := newCompany(t)
			c.organization.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
			file := newConfigFile(t, organizationList)
			e := c.start(t, file)
			time.Sleep(5 * time.Second)
			c.organization.SetFault(nil)
			before := c.organization.Calls()["ListAccounts"]
			file.write(organizationList + "    - {id: \"222222222222\", source: live}\n")
			if status, answer := e.post("/-/reload"); status != http.StatusOK {
				t.Fatalf("reload: got %d: %s", status, answer)
			}
			time.Sleep(10 * time.Minute)
			if got := c.organization.Calls()["ListAccounts"] - before; got != 1 {
				t.Errorf("listings after the reload: got %d, want 1", got)
			}
		})
	}
}
