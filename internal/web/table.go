package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// stateStale is, on the page, the state of an account that is not down and has facts
// older than they should be.
const stateStale = "stale"

// tableStates are the states of accounts in the table, the worst first.
func tableStates() []string {
	return []string{string(inventory.StateDown), stateStale, string(inventory.StatePending), string(inventory.StateUp), string(inventory.StateSuspended)}
}

// table shows several accounts, the worst first.
type table struct {
	States []standing
	Rows   []row
}

// standing says how many accounts are in a state.
type standing struct {
	State, Class string
	Accounts     int
}

// row is one account of the table.
type row struct {
	ID, Name                 string // either can be empty
	State, Class             string
	First                    bool   // of its state
	Wrong                    string // in a few words; empty if nothing is
	Listed                   bool   // the users are known, so that somebody is judged
	Users, Findings, Unknown int
	Age                      string
}

func newTable(accounts []*policy.Evaluation, now time.Time) *table {
	t := &table{Rows: make([]row, len(accounts))}
	for i, ev := range accounts {
		t.Rows[i] = newRow(ev, now)
	}
	states := tableStates()
	slices.SortFunc(t.Rows, func(a, b row) int {
		return cmp.Or(
			cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)),
			cmp.Compare(b.Findings, a.Findings),
			strings.Compare(a.ID, b.ID),
		)
	})
	for _, state := range states {
		s := standing{State: state, Class: stateClass(state)}
		for i := range t.Rows {
			if t.Rows[i].State == state {
				t.Rows[i].First = s.Accounts == 0
				s.Accounts++
			}
		}
		if s.Accounts > 0 || state != string(inventory.StateSuspended) { // most organizations have none
			t.States = append(t.States, s)
		}
	}
	return t
}

// longestName is how many characters of an account's name the table shows.
const longestName = 64

func newRow(ev *policy.Evaluation, now time.Time) row {
	s := ev.Snapshot
	stale, oldest := ages(ev, now)
	r := row{
		ID: s.Account.ID, Name: inventory.Shorten(s.Account.ShownName(), longestName),
		State: string(s.Health.State), Wrong: wrong(ev, stale), Age: roughly(oldest, now),
	}
	if len(stale) > 0 && s.Health.State != inventory.StateDown {
		r.State = stateStale
	}
	r.Class = stateClass(r.State)
	if _, r.Listed = s.Freshness[inventory.GroupUsers]; r.Listed {
		r.Users, r.Findings = len(ev.Users), len(ev.Findings)
		for _, rule := range policy.Rules() {
			r.Unknown += ev.Count(rule, policy.Unknown)
		}
	}
	return r
}

// ages returns which facts are stale, and when the oldest were observed; zero if
// none are known.
func ages(ev *policy.Evaluation, now time.Time) (stale []string, oldest time.Time) {
	for _, group := range shownGroups(ev) {
		fresh, known := ev.Snapshot.Freshness[group]
		if !known {
			continue
		}
		if oldest.IsZero() || fresh.Observed.Before(oldest) {
			oldest = fresh.Observed
		}
		if fresh.IsStale(now) {
			stale = append(stale, string(group))
		}
	}
	return stale, oldest
}

// wrong says in a few words what is worst.
func wrong(ev *policy.Evaluation, stale []string) string {
	switch problems := ev.Snapshot.Health.Problems; {
	case len(problems) > 0:
		return string(problems[0].Reason)
	case len(stale) > 0:
		return "stale: " + strings.Join(stale, ", ")
	case len(ev.Problems) > 0:
		return "exemption tags"
	}
	return ""
}

// roughly returns how old something is, as exactly as one wants to know it at that
// age.
func roughly(observed, now time.Time) string {
	if observed.IsZero() {
		return "–"
	}
	age := max(now.Sub(observed), 0) // by AWS's clock, it can be yet to come
	switch {
	case age < time.Hour:
		age = age.Round(time.Second)
	case age < 24*time.Hour:
		age = age.Round(time.Minute)
	default:
		age = age.Round(time.Hour)
	}
	return policy.InDays(age)
}
