package web

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// query says which findings and accounts a page shows, in which order. It is what
// the address holds after its question mark.
type query struct {
	Rule                 policy.Rule // empty for all, as the others
	User, Owner, Account string      // patterns: * stands for anything; Account is for an id or a name
	State                string      // one of tableStates
	Sort                 string      // one of sortings, perhaps after a minus; empty for the worst first
	Page                 int         // the first is 1

	notes []string // what is wrong with the address; nothing of that is applied
}

// How much of an address counts.
const (
	longestQuery   = 4096 // bytes
	longestPattern = 256  // characters
	lastPage       = 1_000_000
)

// noOwner is, as a pattern, for findings that belong to nobody. No tag can have such
// a value.
const noOwner = "<none>"

// parseQuery reads what stands after the question mark of an address. What it cannot
// use, it tells and leaves out.
func parseQuery(raw string) *query {
	q := &query{Page: 1}
	if len(raw) > longestQuery {
		q.note("The address is too long, so no filter is applied.")
		return q
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		q.note("A part of the address cannot be read; that part is not applied.")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if len(values[name]) > 1 {
			q.note("The address says %s several times; the first counts.", quoted(name))
		}
		switch value := values[name][0]; {
		case strings.TrimSpace(value) == "":
		case name == "owner": // which can begin with a space
			q.set(name, value)
		default:
			q.set(name, strings.TrimSpace(value))
		}
	}
	return q
}

func (q *query) note(format string, args ...any) {
	const most = 5
	if len(q.notes) < most {
		q.notes = append(q.notes, fmt.Sprintf(format, args...))
	}
}

// quoted shows a part of the address, which can be anything.
func quoted(text string) string {
	return strconv.Quote(inventory.Shorten(text, 64))
}

func (q *query) set(name, value string) {
	switch name {
	case "rule":
		if !slices.Contains(policy.Rules(), policy.Rule(value)) {
			q.note("There is no rule %s; findings of every rule are shown.", quoted(value))
			return
		}
		q.Rule = policy.Rule(value)
	case "user":
		q.User = q.pattern(name, value)
	case "owner":
		q.Owner = q.pattern(name, value)
	case "account":
		q.Account = q.pattern(name, value)
	case "state":
		if !slices.Contains(tableStates(), value) {
			q.note("There is no state %s of accounts; it is one of %s. All are shown.", quoted(value), strings.Join(tableStates(), ", "))
			return
		}
		q.State = value
	case "sort":
		if sortingOf(value) == nil {
			var names []string
			for _, s := range sortings() {
				names = append(names, s.name)
			}
			q.note("Findings cannot be sorted by %s; it is one of %s. The worst come first.", quoted(value), strings.Join(names, ", "))
			return
		}
		q.Sort = value
	case "page":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > lastPage {
			q.note("There is no page %s; this is the first.", quoted(value))
			return
		}
		q.Page = n
	default:
		q.note("%s in the address means nothing here; it is one of rule, user, owner, account, state, sort and page.", quoted(name))
	}
}

func (q *query) pattern(name, value string) string {
	if !utf8.ValidString(value) || utf8.RuneCountInString(value) > longestPattern {
		q.note("The %s in the address is too long or no text, so it is not applied.", name)
		return ""
	}
	// What a reader cannot see does not come back in the form, but still matches.
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, value)
}

// filtered reports whether some findings may be left out.
func (q *query) filtered() bool {
	return q.Rule != "" || q.User != "" || q.Owner != "" || q.Account != "" || q.State != ""
}

// filters lists what is asked for, each with a link that asks for it no longer.
func (q *query) filters() []choice {
	words := q.State
	if q.State != "" {
		words, _ = stateInWords(q.State)
	}
	var filters []choice
	for _, v := range []struct{ name, value, words string }{
		{"rule", string(q.Rule), q.Rule.Title()}, {"user", q.User, shownUser(q.User)}, {"owner", q.Owner, ownersInWords(q.Owner)}, {"account", q.Account, q.Account}, {"state", q.State, words},
	} {
		if v.value != "" {
			filters = append(filters, choice{Value: q.with(v.name, "") + "#findings", Words: v.name + " " + shorten(v.words)})
		}
	}
	return filters
}

// with returns the query as a link, with other values for these names; empty for
// none. It begins at the first page unless another is given.
func (q *query) with(changes ...string) string {
	page := ""
	for i := 0; i < len(changes); i += 2 {
		if changes[i] == "page" {
			page = changes[i+1]
		}
	}
	values := url.Values{}
	for _, v := range []struct{ name, value string }{
		{"rule", string(q.Rule)}, {"user", q.User}, {"owner", q.Owner}, {"account", q.Account}, {"state", q.State}, {"sort", q.Sort}, {"page", page},
	} {
		for i := 0; i < len(changes); i += 2 {
			if changes[i] == v.name {
				v.value = changes[i+1]
			}
		}
		if v.value != "" {
			values.Set(v.name, v.value)
		}
	}
	return "?" + values.Encode()
}

// key is the same for queries that have the same answer.
func (q *query) key() string {
	return q.with("page", strconv.Itoa(q.Page)) + "\n" + strings.Join(q.notes, "\n")
}

// matcher returns whether a text matches the pattern, in which * stands for anything.
// An empty pattern matches everything. Where it folds, case does not matter, as in the
// names of IAM.
func matcher(pattern string, fold bool) func(string) bool {
	expr := policy.Glob(pattern)
	switch {
	case pattern == "":
		return func(string) bool { return true }
	case !strings.ContainsAny(pattern, "*?") && fold:
		return func(text string) bool { return strings.EqualFold(text, pattern) }
	case !strings.ContainsAny(pattern, "*?"):
		return func(text string) bool { return text == pattern }
	case fold:
		expr = regexp.MustCompile("(?i)" + expr.String())
	}
	return expr.MatchString
}

// sorting is an order of findings. Where it knows no difference, the worst come first.
type sorting struct {
	name           string
	words, reverse string // what comes first, and what if it is turned round
	compare        func(a, b *found) int
	lacks          func(*found) bool // has nothing to compare, and comes last; nil for none
}

func sortings() []sorting {
	return []sorting{
		{"severity", "worst first", "worst last", worst, nil},
		{"since", "oldest finding first", "newest finding first", func(a, b *found) int { return a.Since.Compare(b.Since) }, nil},
		{"age", "oldest key first", "newest key first", func(a, b *found) int { return a.created.Compare(b.created) }, func(f *found) bool { return f.created.IsZero() }},
		{"rule", "by rule", "by rule, from Z", func(a, b *found) int { return strings.Compare(a.Rule.Title(), b.Rule.Title()) }, nil},
		{"user", "by user", "by user, from Z", func(a, b *found) int { return strings.Compare(a.UserName, b.UserName) }, nil},
		{"owner", "by owner", "by owner, from Z", func(a, b *found) int { return strings.Compare(a.owner, b.owner) }, func(f *found) bool { return f.owner == "" }},
		{"account", "by account", "by account, from Z", func(a, b *found) int {
			return cmp.Or(strings.Compare(a.account().ShownName(), b.account().ShownName()), strings.Compare(a.account().ID, b.account().ID))
		}, nil},
	}
}

// sortingOf returns the order of that name, turned round after a minus; nil if there
// is none. Empty is the first.
func sortingOf(name string) *sorting {
	name, turned := strings.CutPrefix(cmp.Or(name, "severity"), "-")
	for _, s := range sortings() {
		if s.name != name {
			continue
		}
		forward := s.compare
		if turned {
			s.words, s.reverse = s.reverse, s.words
		}
		s.compare = func(a, b *found) int {
			switch lacks := s.lacks; {
			case lacks != nil && (lacks(a) || lacks(b)):
				return compareFlags(!lacks(a), !lacks(b))
			case turned:
				return forward(b, a)
			}
			return forward(a, b)
		}
		return &s
	}
	return nil
}
