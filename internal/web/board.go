package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// stateStale is, on the page, the state of an account that is not down and has facts
// older than they should be.
const stateStale = "stale"

// tableStates are the states of accounts on the board, the worst first.
func tableStates() []string {
	return []string{string(inventory.StateDown), stateStale, string(inventory.StatePending), string(inventory.StateUp), string(inventory.StateSuspended)}
}

// board shows several accounts, the worst first.
type board struct {
	States []standing
	Count  string
	Rows   []row
	Rest   []row // those that are folded away
}

// standing says how many accounts are in a state.
type standing struct {
	State, Words string
	Tone         tone
	Accounts     int
	Link         string
	Chosen       bool
}

// row is one account of the board.
type row struct {
	ID, Name                 string // either can be empty
	State, Words             string
	Tone                     tone
	Wrong                    string // in a few words; empty if nothing is
	Listed                   bool   // the users are known, so that somebody is judged
	RootKnown                bool
	Users, Unknown           int
	Root, Findings, Warnings int // findings, by what they are about
	Age                      string
}

// openRows is how many accounts the board shows at once.
const openRows = 50

func newBoard(accounts []*policy.Evaluation, q *query, now time.Time) *board {
	b := &board{}
	states, wanted := map[string]int{}, q.chooser(now)
	for _, ev := range accounts {
		r := newRow(ev, now)
		states[r.State]++
		if wanted(ev) {
			b.Rows = append(b.Rows, r)
		}
	}
	order := tableStates()
	slices.SortFunc(b.Rows, worseAccount)
	for _, state := range order {
		if states[state] > 0 {
			words, how := stateInWords(state)
			b.States = append(b.States, standing{state, words, how, states[state], q.with("state", state), q.State == state})
		}
	}
	b.Count = fmt.Sprintf("%s, the worst first.", count(len(b.Rows), "account"))
	if len(b.Rows) < len(accounts) {
		b.Count = fmt.Sprintf("%d of %d accounts, the worst first.", len(b.Rows), len(accounts))
	}
	if len(b.Rows) > openRows {
		b.Rows, b.Rest = b.Rows[:openRows], b.Rows[openRows:]
	}
	return b
}

// worseAccount puts accounts first about which nothing is known because something
// fails, then those with most findings, high ones above all, then what is unknown.
func worseAccount(a, b row) int {
	blind := func(r row) bool { return r.State == string(inventory.StateDown) && !r.Listed }
	order := tableStates()
	return cmp.Or(
		compareFlags(blind(a), blind(b)),
		cmp.Compare(b.Root, a.Root),
		cmp.Compare(b.Findings, a.Findings),
		cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)),
		cmp.Compare(b.Unknown, a.Unknown),
		cmp.Compare(b.Warnings, a.Warnings),
		strings.Compare(a.ID, b.ID),
	)
}

// compareFlags puts first what has the flag.
func compareFlags(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// stateOf returns the state of the account on the board.
func stateOf(ev *policy.Evaluation, now time.Time) string {
	state := ev.Snapshot.Health.State
	if state != inventory.StateDown {
		if stale, _, _ := ages(ev, now); len(stale) > 0 {
			return stateStale
		}
	}
	return string(state)
}

// stateInWords says what a state is, and how it looks.
func stateInWords(state string) (string, tone) {
	switch state {
	case string(inventory.StateDown):
		return "not read whole", toneWarn
	case stateStale:
		return "out of date", toneWarn
	case string(inventory.StatePending):
		return "first reading", toneUnknown
	case string(inventory.StateSuspended):
		return "suspended", toneIdle
	}
	return "up to date", toneIdle // not green, since there may be findings
}

func newRow(ev *policy.Evaluation, now time.Time) row {
	s := ev.Snapshot
	stale, oldest, _ := ages(ev, now)
	r := row{ID: s.Account.ID, Name: shorten(s.Account.ShownName()), State: stateOf(ev, now), Wrong: wrong(ev, stale), Age: "–"}
	if !oldest.IsZero() {
		r.Age = lasting(now.Sub(oldest))
	}
	r.Words, r.Tone = stateInWords(r.State)
	_, r.RootKnown = s.Freshness[inventory.GroupRoot]
	var c counts
	c.add(ev)
	r.Users, r.Root, r.Findings, r.Warnings, r.Unknown = len(ev.Users), c.root, c.users, c.warnings, c.unknown
	if r.Listed = isListed(ev); !r.Listed && r.State == string(inventory.StateDown) {
		r.Words = "cannot be read"
	}
	return r
}

// wrong says in a few words what is worst.
func wrong(ev *policy.Evaluation, stale []inventory.Group) string {
	switch problems := ev.Snapshot.Health.Problems; {
	case len(problems) == 0 && ev.Snapshot.Health.State == inventory.StateDown && len(stale) == 0:
		return "not everything was read"
	case len(problems) > 0:
		return reasonInWords(problems[0].Reason)
	case len(stale) > 0:
		words := make([]string, len(stale))
		for i, group := range stale {
			words[i] = string(group)
		}
		return "facts: " + strings.Join(words, ", ")
	case len(ev.Problems) > 0:
		return "an exemption tag cannot be read"
	case ev.Snapshot.Sweep.Unread > 0:
		return readSoFar(ev.Snapshot)
	}
	return ""
}
