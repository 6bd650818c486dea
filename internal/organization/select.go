package organization

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// Match tells accounts apart. All of its conditions must hold; one that is empty
// always holds. A Match without any condition matches nobody.
type Match struct {
	ID string
	// Name is a pattern for the account's name. It matches nobody in an exclude:
	// whoever administers an account may change its name, and must not be able to
	// take it out of sight.
	Name   string
	OU     string // the id of an organizational unit, or of the root, with all that is in it
	Tags   []TagMatch
	Reason string // why, in the operator's words; only to be shown
}

// TagMatch is the condition that an account has a tag with such a value.
type TagMatch struct {
	Key   string // case does not matter
	Value string // a pattern; "*" for any
}

// String returns the conditions.
func (m Match) String() string {
	var all []string
	for _, c := range []struct{ kind, value string }{{"id", m.ID}, {"name", m.Name}, {"ou", m.OU}} {
		if c.value != "" {
			all = append(all, c.kind+" "+c.value)
		}
	}
	for _, t := range m.Tags {
		all = append(all, "tag "+t.Key+"="+t.Value)
	}
	return strings.Join(all, ", ")
}

// Cause is why an account is read or not.
type Cause string

// The causes.
const (
	CauseIncluded    Cause = "included"
	CauseExcluded    Cause = "excluded"     // an exclude matches
	CauseNotIncluded Cause = "not_included" // no include is known to match
	CauseState       Cause = "state"        // it would be included, but cannot be read in its state
)

// Decision says whether an account is to be read, and why.
type Decision struct {
	Account  Account
	Included bool
	Cause    Cause
	Unsure   bool   // what is not known could change it
	Why      string // in words for people
}

// Select decides about each account of a listing, in its order. An exclude comes
// before every include; the first of each kind that matches is named.
//
// What is not known is never guessed. An include that might match does not include:
// where tags cannot be read, an include by tag would otherwise take in the whole
// organization. An exclude that might match does not exclude: to watch an account by
// mistake costs some calls, to miss one costs safety. Both are said in Why.
func Select(listing Listing, include, exclude []Match) []Decision {
	s := selection{include: compile("include", include), exclude: compile("exclude", exclude)}
	decisions := make([]Decision, 0, len(listing.Accounts))
	for i := range listing.Accounts {
		decisions = append(decisions, s.decide(listing.Accounts[i]))
	}
	return decisions
}

// Unmatched returns the places of the includes that are known to match no account
// at all, whatever its state and whether it is excluded or not.
func Unmatched(listing Listing, include []Match) []int {
	var unmatched []int
	for i, c := range compile("include", include) {
		if !slices.ContainsFunc(listing.Accounts, func(a Account) bool { return c.holds(&a) == yes }) {
			unmatched = append(unmatched, i)
		}
	}
	return unmatched
}

// selection is a configuration's includes and excludes.
type selection struct{ include, exclude []condition }

func (s *selection) decide(account Account) Decision {
	decision := func(cause Cause, unsure bool, why ...string) Decision {
		return Decision{account, cause == CauseIncluded, cause, unsure, strings.Join(why, "; ")}
	}
	excluded, doubts := firstThat(s.exclude, &account)
	if excluded != nil {
		return decision(CauseExcluded, false, "excluded by "+excluded.words())
	}
	why := "included: there is no include, so every account is"
	if len(s.include) > 0 {
		included, unsure := firstThat(s.include, &account)
		if included == nil {
			return decision(CauseNotIncluded, len(unsure) > 0, append([]string{"not in include"}, unsure...)...)
		}
		why = "included by " + included.words()
	}
	cause, all := CauseIncluded, []string{why}
	switch {
	case !account.State.Readable():
		cause, all = CauseState, []string{strings.ReplaceAll(string(account.State), "_", " "), "otherwise " + why}
	case account.State == Unknown:
		all = append(all, "its state is not known")
	}
	return decision(cause, len(doubts) > 0, append(all, doubts...)...)
}

// firstThat returns the first condition that holds, and what is to be said of those that
// might.
func firstThat(conditions []condition, account *Account) (*condition, []string) {
	var doubts []string
	for i := range conditions {
		c := &conditions[i]
		switch c.holds(account) {
		case yes:
			return c, nil
		case maybe:
			doubts = append(doubts, c.words()+" might match: "+c.unknownOf(account))
		}
	}
	return nil, doubts
}

// truth is what can be said of a condition.
type truth int

const (
	no truth = iota
	maybe
	yes
)

// condition is a Match at its place in the configuration.
type condition struct {
	match Match
	kind  string // include or exclude
	place int
	name  *regexp.Regexp
	tags  []policy.TagMatch
}

func compile(kind string, matches []Match) []condition {
	conditions := make([]condition, 0, len(matches))
	for i, m := range matches {
		c := condition{match: m, kind: kind, place: i, name: policy.Glob(m.Name)}
		for _, t := range m.Tags {
			c.tags = append(c.tags, policy.TagMatch{Key: t.Key, Value: policy.Glob(t.Value)})
		}
		conditions = append(conditions, c)
	}
	return conditions
}

func (c *condition) words() string {
	words := fmt.Sprintf("%s[%d]", c.kind, c.place)
	if c.match.Reason != "" {
		return words + ": " + c.match.Reason
	}
	return words + " (" + c.match.String() + ")"
}

// holds tells whether all that is asked for is so. What is known not to be so
// decides, even while something else is not known.
func (c *condition) holds(account *Account) truth {
	if c.match.String() == "" || c.kind == "exclude" && c.match.Name != "" {
		return no
	}
	result := yes
	if c.match.ID != "" && c.match.ID != account.ID {
		result = no
	}
	if c.match.Name != "" {
		result = min(result, known(account.Name != "", c.name.MatchString(account.Name)))
	}
	if c.match.OU != "" {
		result = min(result, known(account.OUPath != nil, slices.Contains(account.OUPath, c.match.OU)))
	}
	for _, t := range c.tags {
		result = min(result, known(account.Tags != nil, t.In(account.Tags)))
	}
	return result
}

func known(isKnown, holds bool) truth {
	switch {
	case !isKnown:
		return maybe
	case holds:
		return yes
	}
	return no
}

// unknownOf names what is asked for and not known of the account.
func (c *condition) unknownOf(account *Account) string {
	var missing []string
	if c.match.Name != "" && account.Name == "" {
		missing = append(missing, "its name")
	}
	if c.match.OU != "" && account.OUPath == nil {
		missing = append(missing, "its organizational units")
	}
	if len(c.match.Tags) > 0 && account.Tags == nil {
		missing = append(missing, "its tags")
	}
	return "not known: " + strings.Join(missing, ", ")
}
