package account

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Snapshot returns what is known now. The value is never written to again.
func (a *Account) Snapshot() *inventory.Snapshot {
	s := &inventory.Snapshot{
		Account: a.known.account,
		Users:   make([]inventory.User, len(a.known.users)),
		Root:    a.known.root.joined(),
		Report:  inventory.Report{Wanted: a.needs().Source != awsapi.SourceLive, Usable: a.reportUsable(), Generated: a.report.generated()},
		Health:  a.health,
	}
	for i, user := range a.known.users {
		s.Users[i] = user.User
	}
	s.Sweep = inventory.Sweep{Length: a.pace.length(len(s.Users)), Unread: a.unread((*trackedUser).isUnread)}
	a.addFreshness(s)
	s.Health.State = a.state()
	s.Health.Next = a.next
	s.Health.Skew, s.Health.Doubt = a.clock.Skew(), a.clock.Doubt()
	s.Health.Errors = a.trouble.counts()
	s.Health.Problems = a.problems()
	if a.o.Suspended { // nothing newer is to come, so nothing is late or missing
		s.Health.State, s.Health.Problems, s.Health.Next = inventory.StateSuspended, nil, time.Time{}
		for group, fresh := range s.Freshness {
			s.Freshness[group] = inventory.Freshness{Observed: fresh.Observed}
		}
	}
	return s
}

// state tells whether everything asked for so far was learnt, of everybody who
// was there at first. Whoever comes later changes nothing.
func (a *Account) state() inventory.State {
	switch {
	case len(a.trouble.failed) > 0, a.lacksReported(), slices.ContainsFunc(a.known.users, func(user *trackedUser) bool { return len(user.failed) > 0 }):
		return inventory.StateDown
	case a.health.Finished == 0, a.unread(func(user *trackedUser) bool { return user.awaited && user.isUnread() }) > 0:
		return inventory.StatePending
	}
	return inventory.StateUp
}

// unread counts users, where they are read one by one.
func (a *Account) unread(is func(*trackedUser) bool) int {
	n := 0
	for _, user := range a.known.users {
		if a.sweeps() && is(user) {
			n++
		}
	}
	return n
}

// isUnread reports whether the user was never read, before a restart either.
func (u *trackedUser) isUnread() bool { return u.attempted.IsZero() }

// addFreshness computes the age of each group of facts, and notes which groups
// are complete: once known of everybody, a group stays so, and a new user
// about whom nothing is known yet shows as unknown.
func (a *Account) addFreshness(s *inventory.Snapshot) {
	covered := inventory.Cover(s.Users, &s.Root, a.known.listed)
	if a.tags.source != awsapi.NoTags {
		covered[inventory.GroupTags] = inventory.CoverTags(a.known.tagged()).Or(covered[inventory.GroupUsers])
	}
	life := a.lifetimes()
	s.Freshness = map[inventory.Group]inventory.Freshness{}
	for group, c := range covered {
		if c.Oldest.IsZero() {
			continue
		}
		s.Freshness[group] = inventory.Freshness{Observed: c.Oldest, Stale: c.Oldest.Add(life.of(group))}
		if !c.Missing {
			a.known.complete[group] = true
		}
	}
	s.Complete = maps.Clone(a.known.complete)
}

// tagged yields the users whose tags can be learnt, which are not those who are
// gone since the report.
func (f *facts) tagged() iter.Seq[*inventory.User] {
	return func(yield func(*inventory.User) bool) {
		for _, user := range f.users {
			if !user.missing && !yield(&user.User) {
				return
			}
		}
	}
}

// lifetimes is how long an observation counts as fresh: as long as the next one
// can take to arrive when all is well, with room for a mishap.
type lifetimes struct {
	source                 awsapi.Source
	refresh, sweep, report time.Duration
}

func (a *Account) lifetimes() lifetimes {
	const missed = 3 // refreshes
	refresh := missed * a.o.RefreshInterval
	return lifetimes{
		source:  a.needs().Source,
		refresh: refresh,
		sweep:   2*max(a.o.KeysInterval, a.pace.length(len(a.known.users))) + refresh,
		report:  a.o.ReportLife + a.reportSlack() + a.o.RefreshInterval,
	}
}

func (l lifetimes) of(group inventory.Group) time.Duration {
	switch {
	case group == inventory.GroupTags:
		return l.sweep // read all at once, they are read as often
	case l.source == awsapi.SourceReport:
		return l.report
	case group == inventory.GroupUsers:
		return l.refresh
	case group == inventory.GroupKeys:
		return l.sweep
	case l.source == awsapi.SourceAuto:
		return max(l.report, l.sweep) // some of it live, most of it from the report
	case group == inventory.GroupRoot:
		return l.refresh
	}
	return l.sweep
}

// problems puts what is wrong into sentences: the failures of the refresh, and
// those of the sweep, one for each call and class of failure.
func (a *Account) problems() []inventory.Problem {
	var problems []inventory.Problem
	unknown := a.trouble.failed["account"] != nil // so that nothing else was asked, and older failures would only mislead
	for _, step := range slices.Sorted(maps.Keys(a.trouble.failed)) {
		if !unknown || step == "account" || step == "credentials" {
			problems = append(problems, problemOf(a.trouble.failed[step]))
		}
	}
	if unknown {
		return problems
	}
	for _, gap := range a.reportGaps() {
		problems = append(problems, problemOf(gap))
	}
	type kind struct {
		action string
		reason inventory.Reason
	}
	first, count := map[kind]error{}, map[kind]int{}
	for _, user := range a.known.users {
		for action, err := range user.failed {
			k := kind{action, awsapi.ReasonOf(err)}
			if count[k]++; count[k] == 1 {
				first[k] = err
			}
		}
	}
	kinds := slices.SortedFunc(maps.Keys(first), func(a, b kind) int {
		return cmp.Or(strings.Compare(a.action, b.action), strings.Compare(string(a.reason), string(b.reason)))
	})
	for _, k := range kinds {
		p := problemOf(first[k])
		switch others := count[k] - 1; {
		case others == 1:
			p.Text += " (and the same for 1 more user)"
		case others > 1:
			p.Text += fmt.Sprintf(" (and the same for %d more users)", others)
		}
		problems = append(problems, p)
	}
	return problems
}

func problemOf(err error) inventory.Problem {
	p := inventory.Problem{Reason: awsapi.ReasonOf(err), Text: err.Error()}
	if about := new(awsiam.UserError); errors.As(err, &about) {
		p.User, p.Action = about.Name, about.Action
	}
	return p
}
