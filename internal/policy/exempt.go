package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// EndOf returns when an exemption ends of which the date, written 2006-01-02,
// is the last day: as that day ends, in UTC.
func EndOf(lastDay string) (time.Time, error) {
	begins, err := time.Parse(time.DateOnly, lastDay)
	if err != nil {
		return time.Time{}, fmt.Errorf("got %q, want a date such as 2026-12-31", lastDay)
	}
	return begins.AddDate(0, 0, 1), nil
}

// LastDay is the inverse of EndOf.
func LastDay(until time.Time) string { return until.Add(-time.Nanosecond).UTC().Format(time.DateOnly) }

// ParseExemptionTag reads an exemption from a tag's value: the names of rules,
// "until", the last day and a reason, with spaces between them, because a tag's
// value can have no commas.
func ParseExemptionTag(userName, value string) (Exemption, error) {
	e := Exemption{UserName: userName, FromTag: true}
	words := strings.Fields(value)
	until := slices.Index(words, "until")
	if until < 1 || until+2 >= len(words) {
		return Exemption{}, errors.New(`want rules, "until", a date and a reason, such as "key_rotation until 2026-12-31 vendor cannot rotate yet"`)
	}
	allowed := slices.DeleteFunc(Rules(), func(r Rule) bool { return r.Subject() == SubjectAccount }) // root has no tags
	for _, word := range words[:until] {
		if !slices.Contains(allowed, Rule(word)) {
			return Exemption{}, fmt.Errorf("rule: got %q, want one of %s", word, inventory.Listed(allowed))
		}
		if slices.Contains(e.Rules, Rule(word)) {
			return Exemption{}, fmt.Errorf("rule %q: got it twice, want it once", word)
		}
		e.Rules = append(e.Rules, Rule(word))
	}
	end, err := EndOf(words[until+1])
	if err != nil {
		return Exemption{}, fmt.Errorf("end date: %w", err)
	}
	e.Until, e.Reason = end, strings.Join(words[until+2:], " ")
	return e, nil
}

// exemptionKey is what an exemption is from.
type exemptionKey struct {
	userName string
	rule     Rule
}

// collectExemptions finds the exemptions that concern somebody in the account,
// and what is excused at the moment.
func (ev *Evaluation) collectExemptions(now time.Time) {
	for _, e := range ev.Policy.Exemptions {
		if e.Concerns(ev.Snapshot.Account.ID) && ev.Has(e.UserName) {
			ev.exempt(e, now)
		}
	}
	if ev.Policy.ExemptionTag == "" {
		return
	}
	for i := range ev.Snapshot.Users {
		user := &ev.Snapshot.Users[i]
		tags, _ := user.Tags.Get()
		value, tagged := tags.Get(ev.Policy.ExemptionTag)
		if !tagged {
			continue
		}
		e, err := ParseExemptionTag(user.Name, value)
		if err != nil {
			ev.Problems = append(ev.Problems, fmt.Sprintf("user %s is not exempted: tag %s: %v", user.Name, ev.Policy.ExemptionTag, err))
			continue
		}
		ev.exempt(e, now)
	}
}

// Concerns reports whether the exemption counts in the account of that id. In an
// account whose id is not known yet, only those for every account do. Nothing else of
// an account exempts: its own administrators may change its name.
func (e *Exemption) Concerns(account string) bool { return e.Account == "" || e.Account == account }

func (ev *Evaluation) exempt(e Exemption, now time.Time) {
	ev.Exemptions = append(ev.Exemptions, e)
	if !e.InForce(now) {
		return
	}
	if ev.ValidUntil.IsZero() || e.Until.Before(ev.ValidUntil) {
		ev.ValidUntil = e.Until
	}
	for _, rule := range e.Rules {
		ev.excused[exemptionKey{e.UserName, rule}] = true
	}
}

// InForce reports whether the exemption excuses anybody at the moment.
func (e *Exemption) InForce(now time.Time) bool { return now.Before(e.Until) }

// Has reports whether the account has a user of that name; root is always there.
func (ev *Evaluation) Has(userName string) bool {
	return userName == RootUserName || ev.Classification(userName) != nil
}
