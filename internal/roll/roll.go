// Package roll remembers which accounts are watched, and which were and why they
// are no longer: so that an account that was taken out is told from one that was
// lost, also after a restart and while nobody can say which accounts there are.
package roll

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

// Roll is what is remembered. It is immutable.
type Roll struct {
	// OrganizationID, Listed and Accounts are the last complete list of the
	// organization; empty without one.
	OrganizationID string                 `json:"organization_id,omitempty"`
	Listed         time.Time              `json:"listed,omitzero"`
	Accounts       []organization.Account `json:"accounts,omitempty"`

	Watched  []string  `json:"watched"`  // the ids of the accounts that are watched, in order
	Removals []Removal `json:"removals"` // ordered by account
}

// With returns the roll with another complete list of the organization. What that
// does not know of an account stays as it was known: tags that cannot be read for a
// day take nobody out.
func (r Roll) With(listing *organization.Listing) Roll {
	before := map[string]*organization.Account{}
	if r.OrganizationID == listing.OrganizationID {
		for i := range r.Accounts {
			before[r.Accounts[i].ID] = &r.Accounts[i]
		}
	}
	r.OrganizationID, r.Listed, r.Accounts = listing.OrganizationID, listing.Observed, slices.Clone(listing.Accounts)
	for i := range r.Accounts {
		known, now := before[r.Accounts[i].ID], &r.Accounts[i]
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
	return r
}

// Without returns the roll of accounts that are those of no organization.
func (r Roll) Without() Roll {
	r.OrganizationID, r.Listed, r.Accounts = "", time.Time{}, nil
	return r
}

// WithoutTags returns the roll without the accounts' tags: those that nobody asks for
// grow old unseen, and must decide nothing later.
func (r Roll) WithoutTags() Roll {
	r.Accounts = slices.Clone(r.Accounts)
	for i := range r.Accounts {
		r.Accounts[i].Tags = nil
	}
	return r
}

// Having returns the roll in which these accounts were watched, too, unless they are
// known to have been taken out.
func (r Roll) Having(ids ...string) Roll {
	all := slices.Clone(r.Watched)
	for _, id := range ids {
		if !slices.ContainsFunc(r.Removals, func(removal Removal) bool { return removal.AccountID == id }) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	r.Watched = slices.Compact(all)
	return r
}

// Watches reports whether the account was watched.
func (r Roll) Watches(id string) bool { return contains(r.Watched, id) }

// Listing returns the last complete list of the organization.
func (r Roll) Listing() organization.Listing {
	return organization.Listing{OrganizationID: r.OrganizationID, Accounts: r.Accounts, Observed: r.Listed}
}

// Next returns the roll once these accounts are watched, and the ids of those whose
// removal is forgotten. Why says why an account that was watched is no longer; it
// reports false if it was not removed, but is watched elsewhere.
func (r Roll) Next(now time.Time, watched []string, why func(id string) (Reason, bool)) (next Roll, forgotten []string) {
	next = r
	next.Watched, next.Removals = slices.Sorted(slices.Values(watched)), nil
	for _, removal := range r.Removals {
		_, still := why(removal.AccountID)
		switch {
		case !still, contains(next.Watched, removal.AccountID): // it is back, here or in another shard
		case now.Sub(removal.At) >= Memory:
			forgotten = append(forgotten, removal.AccountID)
		default:
			next.Removals = append(next.Removals, removal)
		}
	}
	for _, id := range r.Watched {
		if contains(next.Watched, id) {
			continue
		}
		if reason, removed := why(id); removed {
			next.Removals = append(next.Removals, Removal{AccountID: id, Reason: reason, At: now})
		}
	}
	slices.SortFunc(next.Removals, func(a, b Removal) int { return strings.Compare(a.AccountID, b.AccountID) })
	return next, forgotten
}

func contains(sorted []string, id string) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}

// WhyNot returns why an account is not among those that are read, by what was
// decided about each account of the organization's newest list. Before is the
// organization of the roll: who was watched as part of no organization, or of
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

// Check refuses a roll that no exporter has written.
func (r Roll) Check() error {
	if !slices.IsSorted(r.Watched) {
		return errors.New("the accounts that were watched are not in order")
	}
	ids := slices.Clone(r.Watched)
	for _, removal := range r.Removals {
		if !slices.Contains(Reasons(), removal.Reason) || removal.At.IsZero() {
			return fmt.Errorf("account %q was removed at %s for the reason %q: want a time and one of %q", removal.AccountID, removal.At, removal.Reason, Reasons())
		}
		ids = append(ids, removal.AccountID)
	}
	for _, a := range r.Accounts {
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
