package account

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// plan decides whom to read, and in which order. It is a pure function of the
// moment, of what was decided for the account, and of what is known of users.
type plan struct {
	now          time.Time
	until        time.Time // when the next refresh begins
	keysInterval time.Duration
	source       awsapi.Source
	tagsByUser   bool      // tags are asked user by user
	reported     bool      // there has been a report
	asksLive     bool      // console access, MFA and key use are asked user by user
	liveSince    time.Time // since when auto does without a report; zero if it does not
	accused      map[string]inventory.GroupSet
}

// order returns the users to be read before the next refresh, the most urgent
// first. Of those whom AWS was too busy for, one comes first, and of those whom it
// denied something, one is read before it is due: they show whether it works again.
func (p *plan) order(users []*trackedUser) []*trackedUser {
	var due []*trackedUser
	var denied, busy *trackedUser // the ones to try
	longest := func(a, b *trackedUser) *trackedUser {
		if a == nil || b.attempted.Before(a.attempted) {
			return b
		}
		return a
	}
	for _, user := range users {
		switch {
		case p.isDue(user):
			due = append(due, user)
			if len(user.deferred) > 0 {
				busy = longest(busy, user)
			}
		case len(user.failed) > 0:
			denied = longest(denied, user)
		}
	}
	if denied != nil {
		due = append(due, denied)
	}
	rank := make(map[*trackedUser]int, len(due))
	for _, user := range due {
		rank[user] = p.rank(user)
	}
	if busy != nil {
		rank[busy] = -1
	}
	slices.SortStableFunc(due, func(a, b *trackedUser) int {
		return cmp.Or(rank[a]-rank[b], a.attempted.Compare(b.attempted), strings.Compare(a.Name, b.Name))
	})
	return due
}

func (p *plan) isDue(user *trackedUser) bool {
	switch {
	case user.attempted.IsZero(), user.rowChanged, user.retry, len(user.deferred) > 0, user.attempted.Before(p.liveSince):
		return true
	case isTransient(user.failed), len(user.failed) == 0 && (p.lacks(&user.User) || p.lacksTags(user)):
		return true
	}
	return !user.attempted.Add(p.keysInterval).After(p.until)
}

// lacks reports whether a fact about the user is to be had but unknown: one that
// the report left out, or a live answer about a password beside active keys.
func (p *plan) lacks(user *inventory.User) bool {
	if p.source == awsapi.SourceReport || !p.reported && !p.asksLive {
		return false // a report is expected to tell
	}
	keys, known := user.Keys.Get()
	if !known || !user.Console.Known() {
		return true
	}
	console, _ := user.Console.Get()
	active, _ := user.CountKeys(inventory.Active)
	if console && (!user.MFA.Known() || active > 0 && !user.PasswordCreated.Known()) {
		return true
	}
	return slices.ContainsFunc(keys, func(k inventory.AccessKey) bool { return !k.LastUse.Known() })
}

// lacksTags reports whether the user's tags are to be had, one user at a time,
// but unknown.
func (p *plan) lacksTags(user *trackedUser) bool {
	return p.tagsByUser && !user.Tags.Known() && !user.missing
}

// isTransient reports whether asking again soon can help. A denied call is
// denied again until somebody changes a policy, and one that was given up is
// made again as soon as it works for somebody.
func isTransient(failed map[string]error) bool {
	for _, err := range failed {
		if awsapi.ReasonOf(err) != inventory.ReasonDenied && !errors.Is(err, errGivenUp) {
			return true
		}
	}
	return false
}

// hasFailed reports whether a call was made and failed.
func hasFailed(failed map[string]error) bool {
	for _, err := range failed {
		if !errors.Is(err, errGivenUp) {
			return true
		}
	}
	return false
}

// rank orders the users that are due. Lower ranks are read first:
//
//	0  somebody may hold a key where none belongs: the row in the report has
//	   changed, or the user was never read and is either not in the report or
//	   has a password and an active key in it
//	1  never read, with an active key
//	2  never read; or has waited too long already, so that nobody is forgotten
//	   where the rate is too low for everybody
//	3  not in the report, or accused by a rule
//	4  everybody else
//	5  a call about the user failed the last time: many such users in a row would
//	   look as if it failed for all
func (p *plan) rank(user *trackedUser) int {
	activeSlot, password := false, false
	if user.row != nil {
		password, _ = user.row.Password.Get()
		activeSlot = slices.ContainsFunc(user.row.Slots, func(s credreport.Slot) bool { return s.Active })
	}
	active, _ := user.CountKeys(inventory.Active)
	unread := user.attempted.IsZero() || user.attempted.Before(p.liveSince)
	unreported := p.reported && user.row == nil && !p.asksLive
	overdue := p.now.Sub(user.attempted) > 2*p.keysInterval
	switch {
	case hasFailed(user.failed) && !overdue:
		return 5
	case user.rowChanged, unread && (unreported || activeSlot && password):
		return 0
	case unread && (active > 0 || activeSlot):
		return 1
	case unread, overdue:
		return 2
	case unreported, p.accused[user.Name] != 0:
		return 3
	}
	return 4
}
