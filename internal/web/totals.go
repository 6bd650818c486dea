package web

import (
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// totals sums up accounts.
type totals struct {
	accounts  int
	users     int
	affected  int // accounts with findings, early warnings aside
	found     counts
	reading   coverage
	refreshes refreshes
}

// counts are findings, by what they are about, and other verdicts.
type counts struct {
	root, users, warnings int
	exempted, unknown     int
	overlooked            int // unknown ones of accounts of which every user was read
}

func (c *counts) findings() int { return c.root + c.users }

// coverage is how far accounts have been read.
type coverage struct {
	listed    int // accounts whose users are known
	suspended int
	down      int // not everything could be read
	blind     int // down, and the users are not known
	waiting   int // nothing failed, and the users are not known
	pending   int // being read for the first time
	outdated  int // groups of facts that are out of date, of all accounts

	first  firstReading
	oldest oldestFact
	why    inventory.Reason // why nothing could be read; ReasonOther if there are several reasons
}

// firstReading is of accounts in which somebody was never read.
type firstReading struct {
	unread, of int           // users who were never read, and all users of those accounts
	left       time.Duration // until the last of them is read
}

func (r *firstReading) add(s *inventory.Snapshot) {
	if s.Sweep.Unread > 0 {
		r.unread += s.Sweep.Unread
		r.of += len(s.Users)
		r.left = max(r.left, s.Left())
	}
}

// words says how many users have been read, and how long the rest takes.
func (r *firstReading) words() string {
	text := fmt.Sprintf("%d of %d users read", r.of-r.unread, r.of)
	left := r.left
	switch {
	case left == 0:
		return text
	case left < time.Minute:
		return text + ", less than a minute to go"
	case left < time.Hour:
		left = left.Round(time.Minute)
	default:
		left = left.Round(time.Hour)
	}
	return fmt.Sprintf("%s, about %s to go", text, lasting(left))
}

// readSoFar says of an account how many users have been read, and how long the rest takes.
func readSoFar(s *inventory.Snapshot) string {
	var r firstReading
	r.add(s)
	return r.words()
}

// oldestFact is the fact that was observed first.
type oldestFact struct {
	observed time.Time // zero while nothing is known
	what     string    // the group, and the account if there are several
}

// refreshes tells how soon there will be news.
type refreshes struct {
	next    time.Time // zero if none is to come
	busy    int       // accounts that are being refreshed
	overdue int       // accounts whose refresh should have begun a while ago
	late    time.Duration
}

// patience is how late a refresh may begin before anybody is told.
const patience = time.Minute

// sum sums up the accounts.
func sum(accounts []*policy.Evaluation, now time.Time) totals {
	t := totals{accounts: len(accounts)}
	for _, ev := range accounts {
		t.reading.add(ev, len(accounts) > 1, now)
		t.refreshes.add(&ev.Snapshot.Health, now)
		if t.found.add(ev) {
			t.affected++
		}
		t.users += len(ev.Snapshot.Users)
	}
	return t
}

// add counts the findings and verdicts of an account, and reports whether it has
// findings.
func (c *counts) add(ev *policy.Evaluation) bool {
	before := c.findings()
	for i := range ev.Findings {
		switch rule := ev.Findings[i].Rule; {
		case rule == policy.KeyRotationDue:
			c.warnings++
		case ev.Findings[i].UserName == policy.RootUserName:
			c.root++
		default:
			c.users++
		}
	}
	unknown := ev.Total(policy.Unknown)
	c.exempted += ev.Total(policy.Exempted)
	c.unknown += unknown
	if isListed(ev) && ev.Snapshot.Sweep.Unread == 0 {
		c.overlooked += unknown
	}
	return c.findings() > before
}

// isListed reports whether the account's users are known.
func isListed(ev *policy.Evaluation) bool {
	_, listed := ev.Snapshot.Freshness[inventory.GroupUsers]
	return listed
}

func (r *coverage) add(ev *policy.Evaluation, several bool, now time.Time) {
	s, listed := ev.Snapshot, isListed(ev)
	stale, oldest, group := ages(ev, now)
	r.outdated += len(stale)
	if listed {
		r.listed++
	}
	switch s.Health.State {
	case inventory.StateSuspended:
		r.suspended++
		return
	case inventory.StatePending:
		r.pending++
		if !listed {
			r.waiting++
		}
	case inventory.StateDown:
		r.fail(s.Health.Problems)
		if !listed {
			r.blind++
		}
	}
	r.first.add(s)
	if known := r.oldest.observed; !oldest.IsZero() && (known.IsZero() || oldest.Before(known)) {
		r.oldest = oldestFact{oldest, string(group)}
		if several {
			r.oldest.what += ", in " + accountName(&s.Account)
		}
	}
}

// fail counts an account of which not everything could be read.
func (r *coverage) fail(problems []inventory.Problem) {
	r.down++
	why := inventory.ReasonOther
	if len(problems) > 0 {
		why = problems[0].Reason
	}
	if r.down > 1 && r.why != why {
		why = inventory.ReasonOther
	}
	r.why = why
}

func (r *refreshes) add(health *inventory.Health, now time.Time) {
	busy := health.Refreshes > health.Finished
	if busy {
		r.busy++
	}
	switch late := now.Sub(health.Next); {
	case health.Next.IsZero():
	case late > patience && !busy:
		r.overdue++
		r.late = max(r.late, late)
	case late <= 0 && (r.next.IsZero() || health.Next.Before(r.next)):
		r.next = health.Next
	}
}

// ages returns which facts are stale, and when the oldest were observed and what they
// are about; zero if none are known.
func ages(ev *policy.Evaluation, now time.Time) (stale []inventory.Group, oldest time.Time, of inventory.Group) {
	for _, group := range inventory.Groups() {
		fresh, known := ev.Snapshot.Freshness[group]
		if !known {
			continue
		}
		if oldest.IsZero() || fresh.Observed.Before(oldest) {
			oldest, of = fresh.Observed, group
		}
		if fresh.IsStale(now) {
			stale = append(stale, group)
		}
	}
	return stale, oldest, of
}
