// Package view holds what is served at one moment: a policy, every account
// judged under it and rendered, and how the configuration was last read. Beside it stands how
// access key ids are shown.
package view

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// View is everything that is served at one moment: one policy, and every
// account judged under it. It is immutable.
type View struct {
	Policy    *policy.Policy
	Reload    Reload
	Watchlist watchlist.List // which accounts were watched, and are no longer
	// NotListed says why the organization could not be listed the last time; empty if
	// it could, or if there is none.
	NotListed string

	accounts   []*account // ordered by key
	exemptions []tally    // one for each of the policy's exemptions
}

// Reload says how the last reading of the configuration file went.
type Reload struct {
	Wanted     bool // there is a configuration file
	Successful bool
	At         time.Time // the last successful one
}

// account is an account of a view.
type account struct {
	*policy.Evaluation
	key      string
	named    []presence       // for each of the policy's exemptions, whether it names somebody here
	rendered *exposition.Part // nil if nothing is rendered
}

func newAccount(key string, j *policy.Evaluation) *account {
	return &account{Evaluation: j, key: key, named: namedIn(j)}
}

// Of returns the view of the accounts, which are given by their keys, as judged
// under the policy at the moment.
func Of(p *policy.Policy, reload Reload, accounts map[string]*inventory.Snapshot, now time.Time) *View {
	var judged []*account
	for key, s := range accounts {
		judged = append(judged, newAccount(key, policy.Evaluate(s, p, now)))
	}
	slices.SortFunc(judged, func(a, b *account) int { return strings.Compare(a.key, b.key) })
	return newView(p, reload, judged)
}

// RenderedBy returns the view with all of its accounts rendered.
func (v *View) RenderedBy(r Rendering) *View {
	next := *v
	next.accounts = nil
	for _, a := range v.accounts {
		rendered := *a
		rendered.rendered = r.Render(a.Evaluation, nil, nil)
		next.accounts = append(next.accounts, &rendered)
	}
	return &next
}

// newView returns the view of accounts that are judged under the policy and
// ordered by key.
func newView(p *policy.Policy, reload Reload, accounts []*account) *View {
	v := &View{Policy: p, Reload: reload, accounts: accounts, exemptions: make([]tally, len(p.Exemptions))}
	for _, a := range accounts {
		v.count(a, 1)
	}
	return v
}

// Accounts returns the judged accounts, ordered by their keys.
func (v *View) Accounts() []*policy.Evaluation {
	all := make([]*policy.Evaluation, len(v.accounts))
	for i, a := range v.accounts {
		all[i] = a.Evaluation
	}
	return all
}

// Rendered yields the judged accounts with what is served of each, ordered by their
// keys. There are none if the board renders nothing.
func (v *View) Rendered() iter.Seq2[*policy.Evaluation, *exposition.Part] {
	return func(yield func(*policy.Evaluation, *exposition.Part) bool) {
		for _, a := range v.accounts {
			if a.rendered != nil && !yield(a.Evaluation, a.rendered) {
				return
			}
		}
	}
}

// Removals returns the accounts that were taken out and are not back, ordered by id,
// as far as that is remembered.
func (v *View) Removals(now time.Time) []watchlist.Removal {
	if len(v.Watchlist.Removals) == 0 {
		return nil
	}
	watched := make(map[string]bool, len(v.accounts))
	for _, a := range v.accounts {
		watched[a.Snapshot.Account.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(v.Watchlist.Removals), func(r watchlist.Removal) bool { return watched[r.AccountID] || now.Sub(r.At) >= watchlist.Memory })
}

// Account returns the judged account of that key; nil if there is none.
func (v *View) Account(key string) *policy.Evaluation {
	if a := v.find(key); a != nil {
		return a.Evaluation
	}
	return nil
}

func (v *View) find(key string) *account {
	if i, found := v.search(key); found {
		return v.accounts[i]
	}
	return nil
}

func (v *View) search(key string) (int, bool) {
	return slices.BinarySearchFunc(v.accounts, key, func(a *account, key string) int { return strings.Compare(a.key, key) })
}

// with returns the view with the account in place of the one of its key.
func (v *View) with(a *account) *View { return v.splice(a.key, a) }

// without returns the view without the account of that key.
func (v *View) without(key string) *View { return v.splice(key) }

// splice returns the view with other accounts, one or none, in place of the one
// of that key, if there is one.
func (v *View) splice(key string, others ...*account) *View {
	next := *v
	next.exemptions = slices.Clone(v.exemptions)
	i, found := v.search(key)
	rest := v.accounts[i:]
	if found {
		next.count(rest[0], -1)
		rest = rest[1:]
	}
	for _, a := range others {
		next.count(a, 1)
	}
	next.accounts = slices.Concat(v.accounts[:i], others, rest)
	return &next
}

// replace returns the view with other accounts in place of those, as far as it has
// them. They have the same keys and are judged under the same policy.
func (v *View) replace(renewed map[*account]*account) *View {
	next := *v
	next.accounts, next.exemptions = slices.Clone(v.accounts), slices.Clone(v.exemptions)
	for i, old := range v.accounts {
		if a := renewed[old]; a != nil {
			next.count(old, -1)
			next.count(a, 1)
			next.accounts[i] = a
		}
	}
	return &next
}

// outdated reports whether an exemption has ended since the account was judged.
func (a *account) outdated(now time.Time) bool {
	return !a.ValidUntil.IsZero() && !now.Before(a.ValidUntil)
}
