package app

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// targets decides which accounts are watched: those that the configuration lists,
// those that its organization has, or that of the exporter's own credentials.
type targets struct {
	share   share
	rates   cost.Rates
	clients *clientPool
	fleet   *fleet.Fleet
	board   *view.Board
	store   *state.Store // nil without one
	logger  *slog.Logger

	inForce atomic.Pointer[config.Config]

	mu      sync.Mutex
	watched []watchedAccount // what is watched, so that it stays until the organization says more
	list    watchlist.List
}

// begin watches the accounts of the first configuration. Until the organization
// answers, they are those that it had when it last did.
func (t *targets) begin(c *config.Config) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.store != nil {
		kept, err := t.store.LoadWatchlist()
		if err != nil {
			t.logger.Warn("Starting without the list of accounts of an earlier run", "err", err)
		}
		t.list = t.withKept(kept, c)
	}
	return t.watchUnder(c, t.fleet.Reconcile)
}

// withKept adds the accounts whose facts are kept to those that were watched: among
// them is the one of the exporter's own credentials, if it was watched alone.
func (t *targets) withKept(list watchlist.List, c *config.Config) watchlist.List {
	if c.Accounts == nil && c.Organization == nil { // nobody knows yet which of them this one is
		return list
	}
	ids, err := t.store.Accounts()
	if err != nil {
		t.logger.Warn("Starting without knowing which accounts were watched", "err", err)
	}
	return list.AlsoWatching(ids...)
}

// forget forgets what is no longer to be remembered.
func (t *targets) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list.Removals) == 0 {
		t.expire(t.current())
		return
	}
	if err := t.watch(t.current(), t.list, t.fleet.Reconcile); err != nil {
		t.logger.Error("Forgetting accounts that were taken out", "err", err)
	}
}

// reload watches the accounts of another configuration, under its policy. It
// changes nothing if it returns an error.
func (t *targets) reload(c *config.Config) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.watchUnder(c, func(all []fleet.Target) error { return t.fleet.Reload(all, c.Policy) })
}

// renewCredentials has all credentials found anew.
func (t *targets) renewCredentials() {
	t.fleet.RenewCredentials()
	if hub := t.clients.currentHub(); hub != nil { // which may have no accounts yet
		hub.WantCredentials()
	}
}

// noteListing takes over a complete list of the organization, unless it was asked for
// under a configuration that is no longer in force.
func (t *targets) noteListing(asked *config.Config, listing *organization.Listing) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current() != asked {
		return nil
	}
	return t.watch(asked, t.list.WithListing(listing), t.fleet.Reconcile)
}

// watchUnder has the accounts watched of another configuration.
func (t *targets) watchUnder(c *config.Config, reconcile func([]fleet.Target) error) error {
	c, err := t.clients.from.withDemo(c)
	if err != nil {
		return err
	}
	return t.watch(c, t.list, reconcile)
}

// watch has the accounts watched that follow from configuration and list.
func (t *targets) watch(c *config.Config, list watchlist.List, reconcile func([]fleet.Target) error) error {
	if err := t.share.check(c); err != nil {
		return err
	}
	if id := t.ownID(); id != "" && (c.Accounts != nil || c.Organization != nil) {
		list = list.AlsoWatching(id)
	}
	accounts, why := t.decide(c, list)
	if why == nil {
		accounts = t.watched
	}
	all, err := t.clients.targets(c, accounts)
	if err != nil {
		return err
	}
	switch {
	case c.Organization == nil:
		list = list.WithoutOrganization()
	case !c.Discovery().Tags:
		list = list.WithoutTags()
	}
	next, forgotten := list, []string(nil)
	if why != nil {
		next, forgotten = list.Next(time.Now(), ids(accounts), why)
	}
	t.board.SetWatchlist(t.list.Until(next)) // nobody is to miss an account without learning why, not for a moment
	if err := reconcile(all); err != nil {
		t.board.SetWatchlist(t.list)
		return err
	}
	t.board.SetWatchlist(next)
	t.tellChanges(next, c, accounts)
	t.watched, t.list = accounts, next
	t.inForce.Store(c)
	t.keep(c, forgotten)
	t.expire(c)
	return nil
}

// tellChanges logs which accounts come and go, and what it costs to read them. At
// the first start, all come.
func (t *targets) tellChanges(next watchlist.List, c *config.Config, accounts []watchedAccount) {
	before := t.list
	var added []string
	for _, id := range next.Watched {
		if !before.Watches(id) {
			added = append(added, id)
		}
	}
	if len(added) > 0 {
		t.logger.Info("Watching more accounts", "accounts", len(added), "ids", shortList(added))
	}
	if t.clients.from.demo == nil && len(accounts) > 0 && (t.current() == nil || len(added) > 0) {
		t.logger.Info("What reading costs", "cost", t.cost(next, c, accounts).String())
	}
	for _, removal := range next.Removals {
		if !slices.Contains(before.Removals, removal) {
			t.logger.Info("Watching an account no longer", "account_id", removal.AccountID, "reason", removal.Reason)
		}
	}
}

func (t *targets) cost(list watchlist.List, c *config.Config, accounts []watchedAccount) *cost.Cost {
	var all []config.Account
	for _, a := range accounts {
		if !a.suspended {
			all = append(all, a.Account)
		}
	}
	if c.Organization != nil {
		return costOfOrganization(c, list.Listing(), all, t.rates)
	}
	return costOf(c, all, t.rates)
}

// shortList is a list that is not too long for a log.
func shortList(ids []string) string {
	const most = 10
	if len(ids) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], " "), len(ids)-most)
	}
	return strings.Join(ids, " ")
}

// keep writes the list to disk, and deletes the facts of accounts that were taken
// out long ago.
func (t *targets) keep(c *config.Config, forgotten []string) {
	if t.store == nil || c.Accounts == nil && c.Organization == nil && len(t.list.Removals) == 0 && len(forgotten) == 0 {
		return
	}
	if err := t.store.SaveWatchlist(t.list); err != nil {
		t.logger.Error("Saving the list of accounts failed; a restart would not know which were taken out", "err", err)
	}
	for _, id := range forgotten {
		if id == t.ownID() {
			continue
		}
		if err := t.store.Forget(id); err != nil {
			t.logger.Error("Keeping facts that should go", "err", err)
		}
	}
}

// expire deletes the facts of accounts that were not removed, but that other processes
// have watched for as long as a removal is remembered.
func (t *targets) expire(c *config.Config) {
	if t.store == nil || c.Accounts == nil && c.Organization == nil {
		return
	}
	ids, err := t.store.SavedBefore(time.Now().Add(-watchlist.Memory))
	if err != nil {
		t.logger.Error("Keeping facts that should go", "err", err)
	}
	for _, id := range ids {
		if t.list.Remembers(id) {
			continue
		}
		if err := t.store.Forget(id); err != nil {
			t.logger.Error("Keeping facts that should go", "err", err)
		}
	}
}

// ownID returns the id of the account that is watched alone, under no id; empty if
// there is none, or if AWS has not told it.
func (t *targets) ownID() string {
	if own := t.board.View().Account(""); own != nil {
		return own.Snapshot.Account.ID
	}
	return ""
}

// current returns the configuration in force.
func (t *targets) current() *config.Config { return t.inForce.Load() }

// organization returns the organization whose accounts are watched; nil for none.
func (t *targets) organization() *config.Organization { return t.current().Organization }

// organizationID returns the id of the organization that was listed before; empty
// before the first list.
func (t *targets) organizationID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list.OrganizationID
}
