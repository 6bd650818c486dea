package web

import (
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// account is how one account is read.
type account struct {
	Source  string // what is asked: auto, report or live
	Reading string // a sentence
	Mode    string // a sentence
	Users   string // a sentence; empty while nobody knows
}

func newAccountPage(o Options, v *view.View, ev *policy.Evaluation, q *query, now time.Time) page {
	p := newPage(o, v, []*policy.Evaluation{ev}, q, now)
	p.Heading = accountTitle(ev)
	p.Title = p.State.Short + " – " + p.Heading
	p.Up = true
	p.Exemptions = cut(exemptionsOf(v, ev, o.Users, now))
	return p
}

// accountTitle names the account.
func accountTitle(ev *policy.Evaluation) string {
	known := &ev.Snapshot.Account
	switch name := shorten(known.ShownName()); {
	case known.ID == "":
		return "Account not known yet"
	case name != "":
		return fmt.Sprintf("Account %s (%s)", known.ID, name)
	}
	return "Account " + known.ID
}

func newAccount(o *Options, ev *policy.Evaluation) *account {
	s := ev.Snapshot
	a := &account{Source: o.Source(s.Account.ID), Reading: readingSentence(s), Mode: modeSentence(s.Report)}
	if _, known := s.Freshness[inventory.GroupUsers]; known {
		a.Users = usersSentence(ev, o.Users)
	}
	return a
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
		return fmt.Sprintf("%s. None has series of its own: --no-metrics.users is set.", count(n, "user"))
	case hidden > 0:
		return fmt.Sprintf("%s, %d of them without series of their own: excluded by the configuration, or not known yet to be included.", count(n, "user"), hidden)
	default:
		return count(n, "user") + "."
	}
}

func readingSentence(s *inventory.Snapshot) string {
	switch {
	case s.Health.State == inventory.StateUp && s.Sweep.Unread > 0:
		return "The last refresh got every fact it asked for. " + readSoFar(s) + "."
	case s.Health.State == inventory.StateUp:
		return "The last refresh got every fact it asked for."
	case s.Health.State == inventory.StatePending && s.Sweep.Unread > 0:
		return readSoFar(s) + "."
	case s.Health.State == inventory.StatePending:
		return "The first refresh is under way."
	case s.Health.State == inventory.StateSuspended:
		return "The account is not read, because its organization has it suspended or the like. What was known before is kept, with its age."
	case len(s.Freshness) == 0:
		return "No refresh got the facts it asked for."
	}
	return "The last refresh did not get every fact it asked for. What was known before is kept, with its age."
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
