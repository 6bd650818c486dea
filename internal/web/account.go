package web

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// account is what is shown of one account.
type account struct {
	ID, Partition string
	Source        string // what is asked: auto, report or live
	State         string // a sentence
	Class         string // how it looks: good, bad or waiting
	Mode          string // a sentence
	Users         string // a sentence; empty while nobody knows
	Problems      []string
	Facts         []facts
	Rules         []verdicts // empty while the users are unknown
}

type facts struct {
	Group    inventory.Group
	Observed string
	Age      string
	Stale    bool
}

type verdicts struct {
	Rule                                    policy.Rule
	Description                             string
	Violation, Exempted, Compliant, Unknown int
}

// accountPage is what the page of an account shows.
type accountPage struct {
	Title      string
	Demo       string
	Account    *account
	Exemptions []exemption
}

func newAccountPage(o Options, v *view.View, ev *policy.Evaluation, now time.Time) accountPage {
	known := ev.Snapshot.Account
	p := accountPage{
		Title: "Account " + known.ID, Demo: o.Demo,
		Account: newAccount(o, ev, now), Exemptions: exemptionsOf(v, ev, o.Users, now),
	}
	if name := known.ShownName(); name != "" {
		p.Title = fmt.Sprintf("%s (%s)", inventory.Shorten(name, longestName), known.ID)
	}
	return p
}

func newAccount(o Options, ev *policy.Evaluation, now time.Time) *account {
	s, users := ev.Snapshot, o.Users
	a := &account{
		ID: s.Account.ID, Partition: s.Account.Partition, Source: o.Source(s.Account.ID),
		State: stateSentence(s), Class: stateClass(string(s.Health.State)),
		Mode: modeSentence(s.Report),
	}
	if _, known := s.Freshness[inventory.GroupUsers]; known {
		a.Users = usersSentence(ev, users)
	}
	for _, p := range s.Health.Problems {
		a.Problems = append(a.Problems, problemSentence(ev, p, users))
	}
	a.Problems = append(a.Problems, tagProblems(ev, users)...)
	for _, group := range shownGroups(ev) {
		fresh := s.Freshness[group]
		f := newFacts(group, fresh, now)
		if f.Stale {
			a.Problems = append(a.Problems, fmt.Sprintf("The facts about %s are stale: the oldest were observed at %s; newer ones were due by %s.",
				group, f.Observed, fresh.Stale.UTC().Format(time.RFC3339)))
		}
		a.Facts = append(a.Facts, f)
	}
	if a.Users != "" {
		a.Rules = newVerdicts(ev)
	}
	return a
}

// shownGroups are the groups of facts that count: tags do if they are known or asked
// for.
func shownGroups(ev *policy.Evaluation) []inventory.Group {
	return slices.DeleteFunc(inventory.Groups(), func(group inventory.Group) bool {
		_, known := ev.Snapshot.Freshness[group]
		return group == inventory.GroupTags && !known && !ev.Policy.NeedsTags()
	})
}

// usersSentence counts the users, and those that are not in the metrics.
func usersSentence(ev *policy.Evaluation, users bool) string {
	hidden := 0
	for i := range ev.Users {
		if ev.Users[i].Hidden {
			hidden++
		}
	}
	switch n := len(ev.Users); {
	case !users:
		return fmt.Sprintf("%d users. None has series of its own: --no-metrics.users is set.", n)
	case hidden > 0:
		return fmt.Sprintf("%d users, %d of them without series of their own: excluded by the configuration, or not known yet to be included.", n, hidden)
	default:
		return fmt.Sprintf("%d users.", n)
	}
}

// newFacts returns how old the facts of a group are. If they are unknown, fresh is
// the zero value.
func newFacts(group inventory.Group, fresh inventory.Freshness, now time.Time) facts {
	if fresh.Observed.IsZero() {
		return facts{Group: group, Observed: "not known yet", Age: "–"}
	}
	return facts{
		Group:    group,
		Observed: fresh.Observed.UTC().Format(time.RFC3339),
		Age:      now.Sub(fresh.Observed).Round(time.Second).String(),
		Stale:    fresh.IsStale(now),
	}
}

func newVerdicts(ev *policy.Evaluation) []verdicts {
	var all []verdicts
	for _, rule := range policy.Rules() {
		all = append(all, verdicts{
			Rule: rule, Description: rule.Description(),
			Violation: ev.Count(rule, policy.Violation), Exempted: ev.Count(rule, policy.Exempted),
			Compliant: ev.Count(rule, policy.Compliant), Unknown: ev.Count(rule, policy.Unknown),
		})
	}
	return all
}

func stateSentence(s *inventory.Snapshot) string {
	switch {
	case s.Health.State == inventory.StateUp && s.Sweep.Unread > 0:
		return "The last refresh got every fact it asked for. " + unreadSentence(s)
	case s.Health.State == inventory.StateUp:
		return "The last refresh got every fact it asked for."
	case s.Health.State == inventory.StatePending && s.Sweep.Unread > 0:
		return unreadSentence(s)
	case s.Health.State == inventory.StatePending:
		return "The first refresh is under way."
	case s.Health.State == inventory.StateSuspended:
		return "The account is not read, because its organization has it suspended or the like. What was known before is kept, with its age."
	case len(s.Freshness) == 0:
		return "Nothing is known yet: no refresh got the facts it asked for."
	}
	return "The last refresh did not get every fact it asked for. What was known before is kept, with its age."
}

// stateClass is how a state looks.
func stateClass(state string) string {
	switch state {
	case string(inventory.StateUp):
		return "good"
	case string(inventory.StateDown), stateStale:
		return "bad"
	}
	return "waiting"
}

// unreadSentence says how many users have been read, and how long the rest takes.
func unreadSentence(s *inventory.Snapshot) string {
	read := fmt.Sprintf("%d of %d users read", len(s.Users)-s.Sweep.Unread, len(s.Users))
	left := s.Left()
	switch {
	case left == 0:
		return read + "."
	case left < time.Minute:
		return read + ", less than a minute to go."
	case left < 90*time.Second:
		return read + ", about a minute to go."
	case left < 2*time.Hour:
		return fmt.Sprintf("%s, about %d minutes to go.", read, left.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%s, about %d hours to go.", read, left.Round(time.Hour)/time.Hour)
}

func modeSentence(r inventory.Report) string {
	switch {
	case !r.Wanted:
		return "Everything is asked live."
	case r.Usable:
		return "The credential report of " + r.Generated.UTC().Format(time.RFC3339) + " is in use."
	case !r.Generated.IsZero():
		return "The newest credential report, of " + r.Generated.UTC().Format(time.RFC3339) + ", is too old to rely on."
	default:
		return "There is no credential report yet."
	}
}
