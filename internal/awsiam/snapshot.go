package awsiam

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Snapshot returns what is known now. The value is never written to again.
func (r *Reader) Snapshot() *inventory.Snapshot {
	s := &inventory.Snapshot{
		Account: r.account,
		Users:   make([]inventory.User, len(r.ordered)),
		Root:    r.root,
		Report:  inventory.Report{Wanted: r.o.Source != awsapi.SourceLive, Usable: r.reportUsable()},
		Health:  r.health,
	}
	for i, rec := range r.ordered {
		s.Users[i] = rec.user
	}
	if r.report != nil {
		s.Report.Generated = r.report.generated
	}
	r.addFreshness(s)
	s.Health.State = r.state()
	s.Health.Errors = maps.Clone(r.health.Errors)
	s.Health.Problems = r.problems()
	return s
}

// state tells whether everything asked for so far was learnt.
func (r *Reader) state() inventory.State {
	switch {
	case len(r.failed) > 0, slices.ContainsFunc(r.ordered, func(rec *record) bool { return len(rec.failed) > 0 }):
		return inventory.StateDown
	case r.health.Finished == 0:
		return inventory.StatePending
	}
	return inventory.StateUp
}

// addFreshness computes the age of each group of facts, and notes which groups
// are complete: once known of everybody, a group stays so, and a new user
// about whom nothing is known yet shows as unknown.
func (r *Reader) addFreshness(s *inventory.Snapshot) {
	ages := map[inventory.Group]*age{}
	for _, group := range inventory.Groups() {
		ages[group] = &age{}
	}
	if !r.listed.IsZero() {
		ages[inventory.GroupUsers].add(true, r.listed)
	}
	addUsers(s.Users, ages[inventory.GroupKeys], ages[inventory.GroupKeyUse], ages[inventory.GroupConsole], ages[inventory.GroupMFA])
	addRoot(&s.Root, ages[inventory.GroupRoot])
	if r.tags != awsapi.NoTags {
		r.addTags(ages[inventory.GroupTags])
		ages[inventory.GroupTags].orElse(ages[inventory.GroupUsers])
	}
	// A group with nobody in it is as old as the group that says so.
	ages[inventory.GroupConsole].orElse(ages[inventory.GroupUsers])
	ages[inventory.GroupKeys].orElse(ages[inventory.GroupUsers])
	ages[inventory.GroupMFA].orElse(ages[inventory.GroupConsole])
	ages[inventory.GroupKeyUse].orElse(ages[inventory.GroupKeys])

	s.Freshness = map[inventory.Group]inventory.Freshness{}
	for group, a := range ages {
		if a.oldest.IsZero() {
			continue
		}
		s.Freshness[group] = inventory.Freshness{Observed: a.oldest, Stale: a.oldest.Add(r.lifetime(group))}
		if !a.unknown {
			r.complete[group] = true
		}
	}
	s.Complete = maps.Clone(r.complete)
}

// addRoot takes in everything that root's series and rule rest on: a summary
// renews only part of what a report has told.
func addRoot(root *inventory.Root, group *age) {
	group.add(root.KeyPresent.Known(), root.KeyPresent.Observed())
	group.add(root.Console.Known(), root.Console.Observed())
	if keys := root.AccessKeys(); keys.Known() {
		group.add(true, keys.Observed())
	}
	if root.MFA.Known() {
		group.add(true, root.MFA.Observed())
	}
}

func addUsers(users []inventory.User, keys, use, console, mfa *age) {
	for i := range users {
		user := &users[i]
		console.add(user.Console.Known(), user.Console.Observed())
		if has, known := user.Console.Get(); has || !known {
			mfa.add(user.MFA.Known() && known, user.MFA.Observed())
		}
		list, known := user.Keys.Get()
		keys.add(known, user.Keys.Observed())
		use.unknown = use.unknown || !known
		for i := range list {
			use.add(list[i].LastUse.Known(), list[i].LastUse.Observed())
		}
	}
}

// addTags leaves out whoever is gone since the report: nobody can learn their
// tags anew.
func (r *Reader) addTags(tags *age) {
	for _, rec := range r.ordered {
		if !rec.departed {
			tags.add(rec.user.Tags.Known(), rec.user.Tags.Observed())
		}
	}
}

// age gathers the observations of one group.
type age struct {
	oldest  time.Time // of the known facts; zero if there is none
	unknown bool      // a fact is missing
}

func (a *age) add(known bool, observed time.Time) {
	switch {
	case !known:
		a.unknown = true
	case a.oldest.IsZero() || observed.Before(a.oldest):
		a.oldest = observed
	}
}

func (a *age) orElse(b *age) {
	if a.oldest.IsZero() && !a.unknown {
		*a = *b
	}
}

// lifetime is how long an observation in the group counts as fresh: as long as
// the next one can take to arrive when all is well, with room for a mishap.
func (r *Reader) lifetime(group inventory.Group) time.Duration {
	const missed = 3 // refreshes
	var (
		refresh = missed * r.o.RefreshInterval
		sweep   = 2*max(r.o.KeysInterval, r.cycle.length) + refresh
		report  = r.o.ReportLife + r.reportSlack() + r.o.RefreshInterval
	)
	switch {
	case group == inventory.GroupTags:
		return sweep // read all at once, they are read as often
	case r.o.Source == awsapi.SourceReport:
		return report
	case group == inventory.GroupUsers:
		return refresh
	case group == inventory.GroupKeys:
		return sweep
	case r.o.Source == awsapi.SourceAuto:
		return max(report, sweep) // some of it live, most of it from the report
	case group == inventory.GroupRoot:
		return refresh
	}
	return sweep
}

// problems puts what is wrong into sentences: the failures of the refresh, and
// those of the sweep, one for each call and class of failure.
func (r *Reader) problems() []inventory.Problem {
	var problems []inventory.Problem
	for _, step := range slices.Sorted(maps.Keys(r.failed)) {
		problems = append(problems, problemOf(r.failed[step]))
	}
	type kind struct {
		action string
		reason inventory.Reason
	}
	first, count := map[kind]error{}, map[kind]int{}
	for _, rec := range r.ordered {
		for action, err := range rec.failed {
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
	if about := new(aboutUser); errors.As(err, &about) {
		p.User, p.Action = about.name, about.action
	}
	return p
}

// somebody stands for a user whose name is not known. No user can have it.
const somebody = "<somebody>"

// aboutUser is a failure whose words name a user.
type aboutUser struct {
	name   string
	action string // the call about the user; empty if the words are about more than one
	err    error
}

func (e *aboutUser) Error() string { return e.err.Error() }
func (e *aboutUser) Unwrap() error { return e.err }
