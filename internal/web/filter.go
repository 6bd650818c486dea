package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// filter is the form that chooses among findings, and what it has chosen.
type filter struct {
	Query   *query
	Account bool     // there is something to choose by account
	Rules   []choice // with how many findings each would leave
	Sorts   []choice
	Owners  []string // proposals
	Asked   []choice // what is asked for, with links that ask for it no longer
	Clear   string   // a link without filters; empty without any
}

// choice is an option of a list.
type choice struct {
	Value, Words string
	Chosen       bool
}

func newFilter(q *query, has offers, several bool) filter {
	f := filter{Query: q, Account: several || q.Account != "", Asked: q.filters()}
	for _, rule := range policy.Rules() {
		if n := has.rules[rule]; n > 0 || q.Rule == rule {
			f.Rules = append(f.Rules, choice{string(rule), fmt.Sprintf("%s (%d)", rule.Title(), n), q.Rule == rule})
		}
	}
	for _, s := range sortings() {
		if s.name == "account" && !several {
			continue
		}
		chosen := q.Sort == s.name || q.Sort == "" && s.name == "severity"
		f.Sorts = append(f.Sorts, choice{s.name, s.words, chosen})
		if "-"+s.name == q.Sort {
			f.Sorts = append(f.Sorts, choice{q.Sort, s.reverse, true})
		}
	}
	const most = 200
	for _, owner := range slices.Sorted(maps.Keys(has.owners)) {
		if len(f.Owners) < most && owner != "" && shorten(owner) == owner {
			f.Owners = append(f.Owners, owner)
		}
	}
	if q.filtered() {
		f.Clear = (&query{Sort: q.Sort}).with() + "#findings"
	}
	return f
}

// column is the head of a column, which sorts by it.
type column struct {
	Words, Link string
	Order       string // ascending or descending if it is sorted by this column; else empty
}

func columns(q *query, several bool) []column {
	var all []column
	for _, c := range []struct{ words, sort string }{
		{"Finding", "rule"}, {"User", "user"}, {"Access key", ""}, {"Key age", "age"}, {"Owner", "owner"}, {"Account", "account"}, {"Since", "since"},
	} {
		if c.sort != "account" || several {
			all = append(all, newColumn(q, c.words, c.sort))
		}
	}
	return all
}

func newColumn(q *query, words, sort string) column {
	c := column{Words: words}
	switch {
	case sort == "":
		return c
	case q.Sort == sort:
		c.Order, c.Link = "ascending", q.with("sort", "-"+sort)+"#findings"
	case q.Sort == "-"+sort:
		c.Order, c.Link = "descending", q.with("sort", sort)+"#findings"
	default:
		c.Link = q.with("sort", sort) + "#findings"
	}
	return c
}

// responsible are whom findings belong to, those with most of them first.
type responsible struct {
	Owners []owner
	More   int  // owners that are not among them
	Nobody bool // there are findings about users, and no tag names an owner of any
}

// owner is whom findings belong to.
type owner struct {
	Name, Link string // no name for nobody
	Findings   int
}

// newResponsible lists the owners, if there are any, by how many findings each has.
func newResponsible(q *query, findings map[string]int, chosen []*found) responsible {
	const most = 8
	r := responsible{Nobody: slices.ContainsFunc(chosen, func(f *found) bool { return f.user != nil }) && !slices.ContainsFunc(chosen, func(f *found) bool { return f.owner != "" })}
	if len(findings) == 0 || len(findings) == 1 && findings[""] > 0 {
		return r
	}
	names := slices.SortedFunc(maps.Keys(findings), func(a, b string) int {
		return cmp.Or(cmp.Compare(findings[b], findings[a]), strings.Compare(a, b))
	})
	for _, name := range names[:min(len(names), most)] {
		words, link := ownerInWords(name)
		r.Owners = append(r.Owners, owner{words, q.with("owner", link) + "#findings", findings[name]})
	}
	r.More = len(names) - len(r.Owners)
	return r
}

// ownerInWords returns how an owner is shown, empty for none, and the pattern for the
// owner alone.
func ownerInWords(owner string) (words, pattern string) {
	switch owner {
	case "":
		return "", noOwner
	case policy.UnknownValue:
		return "not known yet", owner
	}
	return shorten(owner), owner
}

// ownersInWords returns how a pattern for owners is shown.
func ownersInWords(pattern string) string {
	if pattern == noOwner {
		return "nobody named"
	}
	words, _ := ownerInWords(pattern)
	return words
}

// chooser reports whether an account is asked for.
func (q *query) chooser(now time.Time) func(*policy.Evaluation) bool {
	matches := matcher(q.Account, true)
	return func(ev *policy.Evaluation) bool {
		account := &ev.Snapshot.Account
		return (q.State == "" || stateOf(ev, now) == q.State) && (matches(account.ID) || account.ShownName() != "" && matches(account.ShownName()))
	}
}
