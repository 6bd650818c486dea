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
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/roll"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// census decides which accounts are watched: those that the configuration lists,
// those that its organization has, or that of the exporter's own credentials.
type census struct {
	settings *settings
	roster   *roster
	accounts *fleet.Fleet
	board    *view.Board
	store    *state.Store // nil without one
	logger   *slog.Logger

	inForce atomic.Pointer[config.Config]

	mu      sync.Mutex
	watched []entry // what is watched, so that it stays until the organization says more
	roll    roll.Roll
}

// begin watches the accounts of the first configuration. Until the organization
// answers, they are those that it had when it last did.
func (s *census) begin(c *config.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		kept, err := s.store.LoadRoll()
		if err != nil {
			s.logger.Warn("Starting without the list of accounts of an earlier run", "err", err)
		}
		s.roll = s.withKept(kept, c)
	}
	return s.watchUnder(c, s.accounts.Reconcile)
}

// withKept adds the accounts whose facts are kept to those that were watched: among
// them is the one of the exporter's own credentials, if it was watched alone.
func (s *census) withKept(r roll.Roll, c *config.Config) roll.Roll {
	if c.Accounts == nil && c.Organization == nil { // nobody knows yet which of them this one is
		return r
	}
	ids, err := s.store.Accounts()
	if err != nil {
		s.logger.Warn("Starting without knowing which accounts were watched", "err", err)
	}
	return r.Having(ids...)
}

// renew forgets what is no longer to be remembered.
func (s *census) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.roll.Removals) == 0 {
		return
	}
	if err := s.watch(s.current(), s.roll, s.accounts.Reconcile); err != nil {
		s.logger.Error("Forgetting accounts that were taken out", "err", err)
	}
}

// reload watches the accounts of another configuration, under its policy. It
// changes nothing if it returns an error.
func (s *census) reload(c *config.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watchUnder(c, func(wanted []fleet.Wanted) error { return s.accounts.Reload(wanted, c.Policy) })
}

// note takes over a complete list of the organization, unless it was asked for
// under a configuration that is no longer in force.
func (s *census) note(asked *config.Config, listing *organization.Listing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current() != asked {
		return nil
	}
	return s.watch(asked, s.roll.With(listing), s.accounts.Reconcile)
}

// watchUnder has the accounts watched of another configuration.
func (s *census) watchUnder(c *config.Config, reconcile func([]fleet.Wanted) error) error {
	c, err := s.roster.withDemo(c)
	if err != nil {
		return err
	}
	return s.watch(c, s.roll, reconcile)
}

// watch has the accounts watched that follow from configuration and roll.
func (s *census) watch(c *config.Config, r roll.Roll, reconcile func([]fleet.Wanted) error) error {
	if err := s.settings.checkShards(c); err != nil {
		return err
	}
	if id := s.ownID(); id != "" && (c.Accounts != nil || c.Organization != nil) {
		r = r.Having(id)
	}
	accounts, why := s.decide(c, r)
	if why == nil {
		accounts = s.watched
	}
	wanted, err := s.roster.wanted(c, accounts)
	if err != nil {
		return err
	}
	switch {
	case c.Organization == nil:
		r = r.Without()
	case !c.Discovery().Tags:
		r = r.WithoutTags()
	}
	next, forgotten := r, []string(nil)
	if why != nil {
		next, forgotten = r.Next(time.Now(), ids(accounts), why)
	}
	s.tellChanges(next, c, accounts)
	s.board.SetRoll(next) // first, so that nobody misses an account without learning why
	if err := reconcile(wanted); err != nil {
		return err
	}
	s.watched, s.roll = accounts, next
	s.inForce.Store(c)
	s.keep(c, forgotten)
	return nil
}

// decide returns the accounts to watch, and what tells why others are no longer; nil
// as long as nobody has said which accounts the organization has.
func (s *census) decide(c *config.Config, r roll.Roll) ([]entry, func(string) (roll.Reason, bool)) {
	byConfiguration := func(string) (roll.Reason, bool) { return roll.Configuration, true }
	switch {
	case c.Organization != nil:
		return s.decideByOrganization(c, r)
	case c.Accounts == nil:
		return []entry{s.roster.own(c)}, byConfiguration
	}
	var accounts []entry
	elsewhere := map[string]bool{}
	for _, a := range c.Accounts {
		if s.isOurs(a.ID) {
			accounts = append(accounts, entry{Account: a})
		} else {
			elsewhere[a.ID] = true
		}
	}
	return accounts, func(id string) (roll.Reason, bool) { return roll.Configuration, !elsewhere[id] }
}

func (s *census) decideByOrganization(c *config.Config, r roll.Roll) ([]entry, func(string) (roll.Reason, bool)) {
	if r.OrganizationID == "" {
		return nil, nil
	}
	listing := r.Listing()
	decisions := organization.Select(listing, c.Organization.Include, c.Organization.Exclude)
	var accounts []entry
	for _, d := range decisions {
		suspended := d.Cause == organization.CauseState && d.Account.State != organization.Closed
		if watched := d.Included || suspended || s.staysInDoubt(&d); !watched || !s.isOurs(d.Account.ID) {
			continue
		}
		accounts = append(accounts, entry{
			Account: c.Organization.AccountFor(d.Account), state: string(d.Account.State), suspended: suspended,
		})
	}
	return accounts, roll.WhyNot(s.roll.OrganizationID, &listing, decisions)
}

// staysInDoubt reports whether an account goes on being watched because nobody knows
// whether the configuration means it: what is not known takes nobody out.
func (s *census) staysInDoubt(d *organization.Decision) bool {
	return inDoubt(d) && s.roll.Watches(d.Account.ID)
}

// inDoubt reports whether what is not known of the account could have it watched.
func inDoubt(d *organization.Decision) bool {
	return d.Cause == organization.CauseNotIncluded && d.Unsure && d.Account.State.Readable()
}

// ownID returns the id of the account that is watched alone, under no id; empty if
// there is none, or if AWS has not told it.
func (s *census) ownID() string {
	if own := s.board.View().Account(""); own != nil {
		return own.Snapshot.Account.ID
	}
	return ""
}

// isOurs reports whether the account belongs to this process's share.
func (s *census) isOurs(id string) bool {
	return s.settings.totalShards == 1 || organization.Shard(id, s.settings.totalShards) == s.settings.shard
}

func ids(accounts []entry) []string {
	var all []string
	for _, a := range accounts {
		if a.ID != "" {
			all = append(all, a.ID)
		}
	}
	return all
}

// tellChanges logs which accounts come and go, and what it costs to read them. At
// the first start, all come.
func (s *census) tellChanges(next roll.Roll, c *config.Config, accounts []entry) {
	before := s.roll
	var added []string
	for _, id := range next.Watched {
		if !before.Watches(id) {
			added = append(added, id)
		}
	}
	if len(added) > 0 {
		s.logger.Info("Watching more accounts", "accounts", len(added), "ids", shortList(added))
	}
	if !s.settings.demo && len(accounts) > 0 && (s.current() == nil || len(added) > 0) {
		s.logger.Info("What reading costs", "cost", s.cost(next, c, accounts).String())
	}
	for _, removal := range next.Removals {
		if !slices.Contains(before.Removals, removal) {
			s.logger.Info("Watching an account no longer", "account_id", removal.AccountID, "reason", removal.Reason)
		}
	}
}

func (s *census) cost(r roll.Roll, c *config.Config, accounts []entry) *cost.Cost {
	var all []config.Account
	for _, a := range accounts {
		if !a.suspended {
			all = append(all, a.Account)
		}
	}
	if c.Organization != nil {
		return costOfOrganization(s.settings, c, r.Listing(), all)
	}
	return costOfAccounts(s.settings, c, all)
}

// shortList is a list that is not too long for a log.
func shortList(ids []string) string {
	const most = 10
	if len(ids) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], " "), len(ids)-most)
	}
	return strings.Join(ids, " ")
}

// keep writes the roll to disk, and deletes the facts of accounts that were taken
// out long ago.
func (s *census) keep(c *config.Config, forgotten []string) {
	if s.store == nil || c.Accounts == nil && c.Organization == nil && len(s.roll.Removals) == 0 && len(forgotten) == 0 {
		return
	}
	if err := s.store.SaveRoll(s.roll); err != nil {
		s.logger.Error("Saving the list of accounts failed; a restart would not know which were taken out", "err", err)
	}
	for _, id := range forgotten {
		if id == s.ownID() {
			continue
		}
		if err := s.store.Forget(id); err != nil {
			s.logger.Error("Keeping facts that should go", "err", err)
		}
	}
}

// current returns the configuration in force.
func (s *census) current() *config.Config { return s.inForce.Load() }

// organization returns the organization whose accounts are watched; nil for none.
func (s *census) organization() *config.Organization { return s.current().Organization }

// organizationID returns the id of the organization that was listed before; empty
// before the first list.
func (s *census) organizationID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roll.OrganizationID
}
