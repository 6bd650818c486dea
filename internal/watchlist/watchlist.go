// Package watchlist remembers which accounts are watched, and which were and why they
// are no longer: so that an account that was taken out is told from one that was
// lost, also after a restart and while nobody can say which accounts there are.
package watchlist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// Memory is how long a removal is remembered: longer than any alert looks back.
const Memory = 35 * 24 * time.Hour

// Reason is why an account is watched no longer.
type Reason string

// The reasons.
const (
	Configuration    Reason = "configuration"     // the configuration lists it no longer
	Excluded         Reason = "excluded"          // the configuration leaves it out of those of the organization
	Closed           Reason = "closed"            // the organization says that it is closed
	LeftOrganization Reason = "left_organization" // a complete list of the organization lacks it
)

// Reasons lists every reason.
func Reasons() []Reason { return []Reason{Configuration, Excluded, Closed, LeftOrganization} }

// Removal is an account that was taken out.
type Removal struct {
	AccountID string    `json:"account_id"`
	Reason    Reason    `json:"reason"`
	At        time.Time `json:"at"`
}

// List is who is watched, and what is remembered of others. It is immutable.
type List struct {
	// OrganizationID, Listed and Accounts are the last complete list of the
	// organization; empty without one.
	OrganizationID string                 `json:"organization_id,omitempty"`
	Listed         time.Time              `json:"listed,omitzero"`
	Accounts       []organization.Account `json:"accounts,omitempty"`

	Watched  []string  `json:"watched"`  // the ids of the accounts that are watched, in order
	Removals []Removal `json:"removals"` // ordered by account
}

// WithListing returns the list with another complete list of the organization. What that
// does not know of an account stays as it was known: tags that cannot be read for a
// day take nobody out.
func (l List) WithListing(listing *organization.Listing) List {
	before := map[string]*organization.Account{}
	if l.OrganizationID == listing.OrganizationID {
		for i := range l.Accounts {
			before[l.Accounts[i].ID] = &l.Accounts[i]
		}
	}
	l.OrganizationID, l.Listed, l.Accounts = listing.OrganizationID, listing.Observed, slices.Clone(listing.Accounts)
	for i := range l.Accounts {
		known, now := before[l.Accounts[i].ID], &l.Accounts[i]
		if known == nil {
			continue
		}
		if now.Tags == nil {
			now.Tags = known.Tags
		}
		if now.OUPath == nil {
			now.OUPath, now.OUNames = known.OUPath, known.OUNames
		}
		if now.OUNames == nil && slices.Equal(now.OUPath, known.OUPath) {
			now.OUNames = known.OUNames
		}
	}
	return l
}

// WithoutOrganization returns the list of accounts that are those of no organization.
func (l List) WithoutOrganization() List {
	l.OrganizationID, l.Listed, l.Accounts = "", time.Time{}, nil
	return l
}

// WithoutTags returns the list without the accounts' tags: those that nobody asks for
// grow old unseen, and must decide nothing later.
func (l List) WithoutTags() List {
	l.Accounts = slices.Clone(l.Accounts)
	for i := range l.Accounts {
		l.Accounts[i].Tags = nil
	}
	return l
}

// AlsoWatching returns the list in which these accounts were watched, too, unless they are
// known to have been taken out.
func (l List) AlsoWatching(ids ...string) List {
	all := slices.Clone(l.Watched)
	for _, id := range ids {
		if !isAmong(l.Removals, id) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	l.Watched = slices.Compact(all)
	return l
}

// Watches reports whether the account was watched.
func (l List) Watches(id string) bool { return contains(l.Watched, id) }

// Remembers reports whether the account was watched, or taken out not long ago.
func (l List) Remembers(id string) bool {
	return l.Watches(id) || isAmong(l.Removals, id)
}

// Listing returns the last complete list of the organization.
func (l List) Listing() organization.Listing {
	return organization.Listing{OrganizationID: l.OrganizationID, Accounts: l.Accounts, Observed: l.Listed}
}

// Next returns the list once these accounts are watched, and the ids of those whose
// removal is forgotten. Why says why an account that was watched is no longer; it
// reports false if it was not removed, but is watched elsewhere.
func (l List) Next(now time.Time, watched []string, why func(id string) (Reason, bool)) (next List, forgotten []string) {
	next = l
	next.Watched, next.Removals = slices.Sorted(slices.Values(watched)), nil
	for _, removal := range l.Removals {
		_, still := why(removal.AccountID)
		switch {
		case !still, contains(next.Watched, removal.AccountID): // it is back, here or in another shard
		case now.Sub(removal.At) >= Memory:
			forgotten = append(forgotten, removal.AccountID)
		default:
			next.Removals = append(next.Removals, removal)
		}
	}
	for _, id := range l.Watched {
		if contains(next.Watched, id) {
			continue
		}
		if reason, removed := why(id); removed {
			next.Removals = append(next.Removals, Removal{AccountID: id, Reason: reason, At: now})
		}
	}
	sortRemovals(next.Removals)
	return next, forgotten
}

// Until returns what is to be shown while accounts come and go on the way to the next
// list: the removals of both. Who is watched, still or again, is not shown as removed.
func (l List) Until(next List) List {
	all := slices.Clone(next.Removals)
	for _, removal := range l.Removals {
		if !isAmong(all, removal.AccountID) {
			all = append(all, removal)
		}
	}
	sortRemovals(all)
	l.Removals = all
	return l
}

func isAmong(removals []Removal, id string) bool {
	return slices.ContainsFunc(removals, func(r Removal) bool { return r.AccountID == id })
}

func sortRemovals(all []Removal) {
	slices.SortFunc(all, func(a, b Removal) int { return strings.Compare(a.AccountID, b.AccountID) })
}

func contains(sorted []string, id string) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}

// WhyNot returns why an account is not among those that are read, by what was
// decided about each account of the organization's newest list. Before is the
// organization of the list: who was watched as part of no organization, or of
// another, was taken out by the configuration.
func WhyNot(before string, listing *organization.Listing, decisions []organization.Decision) func(id string) (Reason, bool) {
	byID := make(map[string]organization.Decision, len(decisions))
	for _, d := range decisions {
		byID[d.Account.ID] = d
	}
	return func(id string) (Reason, bool) {
		d, listed := byID[id]
		switch {
		case !listed && before == listing.OrganizationID:
			return LeftOrganization, true
		case !listed:
			return Configuration, true
		case d.Account.State == organization.Closed:
			return Closed, true
		case d.Cause == organization.CauseExcluded, d.Cause == organization.CauseNotIncluded:
			return Excluded, true
		}
		return "", false // of another shard
	}
}

// Check refuses a list that no exporter has written.
func (l List) Check() error {
	if !slices.IsSorted(l.Watched) {
		return errors.New("the accounts that were watched are not in order")
	}
	ids := slices.Clone(l.Watched)
	for _, removal := range l.Removals {
		if !slices.Contains(Reasons(), removal.Reason) || removal.At.IsZero() {
			return fmt.Errorf("account %q was removed at %s for the reason %q: want a time and one of %q", removal.AccountID, removal.At, removal.Reason, Reasons())
		}
		ids = append(ids, removal.AccountID)
	}
	for _, a := range l.Accounts {
		if !slices.Contains(organization.States(), a.State) {
			return fmt.Errorf("account %q has the state %q: want one of %q", a.ID, a.State, organization.States())
		}
		if len(a.OUNames) > len(a.OUPath) {
			return fmt.Errorf("account %q has %d names of organizational units, and is in %d: want no more", a.ID, len(a.OUNames), len(a.OUPath))
		}
		ids = append(ids, a.ID)
	}
	for _, id := range ids {
		if !inventory.IsAccountID(id) {
			return fmt.Errorf("it has the account %q: want an id of 12 digits", id)
		}
	}
	return nil
}
