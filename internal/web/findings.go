package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// findings is the table of findings, with what chooses among them.
type findings struct {
	Docs    string // where the documents are
	Several bool   // there are several accounts
	All     int    // findings of the accounts, hidden ones too
	Filter  filter
	Notes   []string    // what is to be said about the filter
	Who     responsible // for what is shown
	Count   string      // how many are shown, of how many, in which order
	Columns []column
	Rows    []finding
	Pages   otherPages
	Hidden  string // a sentence about findings that name nobody; empty if there are none
	None    string // why there are no rows; empty if there are
	Wider   string // a link that looks for a part of the name; empty if there is nothing to try
}

// otherPages are links to other rows; empty if there are none.
type otherPages struct{ Previous, Next string }

// How many findings a page shows: fewer above the board of accounts, unless somebody
// looks for some of them.
const (
	rowsOfPage     = 50
	rowsAboveBoard = 10
)

// newFindings makes the table of the accounts' findings.
func newFindings(o *Options, accounts []*policy.Evaluation, q *query, now time.Time) *findings {
	several := len(accounts) > 1
	shown, hidden := collect(o, accounts)
	chosen, has := choose(shown, q, now)
	t := &findings{
		Docs: policy.Documents, Several: several, All: len(shown) + hidden,
		Filter: newFilter(q, has, several), Notes: slices.Concat(q.notes, unread(accounts, q, now)),
		Who: newResponsible(q, has.owners, chosen), Columns: columns(q, several), Hidden: hiddenSentence(hidden, o.Users),
	}
	if len(chosen) == 0 {
		t.None, t.Wider = none(q, len(shown), t.All, accounts)
		return t
	}
	rows := inOrder(chosen, q, several && !q.filtered() && q.Sort == "")
	first, end := t.turnTo(q, len(rows))
	t.Count = countSentence(q, chosen, len(shown), first, end, len(rows))
	rows = rows[first:end]
	for i, f := range rows {
		row := newFinding(o, f, q, now)
		row.Same = i > 0 && f.ev == rows[i-1].ev && f.UserName == rows[i-1].UserName
		t.Rows = append(t.Rows, row)
	}
	return t
}

// turnTo returns the first row of the page that is asked for, and the one after its last.
func (t *findings) turnTo(q *query, rows int) (first, end int) {
	size := rowsOfPage
	if t.Several && !q.filtered() {
		size = rowsAboveBoard
	}
	last := (rows + size - 1) / size
	if q.Page > last {
		t.Notes = append(t.Notes, fmt.Sprintf("There is no page %d; this is the last.", q.Page))
	}
	page := min(q.Page, last)
	if page > 1 {
		t.Pages.Previous = q.with("page", strconv.Itoa(page-1)) + "#findings"
	}
	if page < last {
		t.Pages.Next = q.with("page", strconv.Itoa(page+1)) + "#findings"
	}
	return (page - 1) * size, min(page*size, rows)
}

// unread tells of the accounts asked for about which too little is known to say that
// they have no findings, and if there are none of that name.
func unread(accounts []*policy.Evaluation, q *query, now time.Time) (notes []string) {
	if q.Account == "" && q.State == "" {
		return nil
	}
	in, unlisted, wanted := 0, []*policy.Evaluation(nil), q.chooser(now)
	for _, ev := range accounts {
		if !wanted(ev) {
			continue
		}
		in++
		if !isListed(ev) {
			unlisted = append(unlisted, ev)
		}
	}
	switch {
	case in == 0:
		return []string{"No account matches the filter."}
	case len(unlisted) == 1:
		why := "it has not been read yet"
		if problems := unlisted[0].Snapshot.Health.Problems; len(problems) > 0 {
			why = reasonInWords(problems[0].Reason)
		}
		return []string{fmt.Sprintf("The users of %s are not known: %s. It may have findings.", accountName(&unlisted[0].Snapshot.Account), why)}
	case len(unlisted) > 1:
		return []string{fmt.Sprintf("The users of %d of these accounts are not known. They may have findings.", len(unlisted))}
	}
	return nil
}

// countSentence says how many findings were chosen of those that may be shown, and which
// rows of them are here, by the words of the page's sentence.
func countSentence(q *query, chosen []*found, shown, first, end, rows int) string {
	due := 0
	for i := range chosen {
		if chosen[i].Rule == policy.KeyRotationDue {
			due++
		}
	}
	text := count(len(chosen)-due, "finding")
	switch keys := count(due, "key") + " due soon"; {
	case due > 0 && due == len(chosen):
		text = keys
	case due > 0:
		text += " and " + keys
	}
	if len(chosen) < shown {
		text += fmt.Sprintf(", of %d rows", shown)
	}
	if end-first < rows {
		text = fmt.Sprintf("Rows %d to %d of %d: %s", first+1, end, rows, text)
	}
	return fmt.Sprintf("%s; %s.", text, sortingOf(q.Sort).words)
}

// none says why no finding is shown, and offers to look for parts of the names.
func none(q *query, shown, all int, accounts []*policy.Evaluation) (sentence, wider string) {
	switch {
	case shown == 0 && all > 0: // the sentence about hidden ones says it all
		return "", ""
	case shown == 0 && !slices.ContainsFunc(accounts, undecided):
		return "There are no findings.", ""
	case shown == 0:
		return "There are none among what is known; what is not known may hold some.", ""
	}
	var changes []string
	for name, value := range map[string]string{"user": q.User, "owner": q.Owner, "account": q.Account} {
		if value != "" && value != noOwner && !strings.ContainsAny(value, "*?") {
			changes = append(changes, name, "*"+value+"*")
		}
	}
	if len(changes) > 0 {
		wider = q.with(changes...) + "#findings"
	}
	return fmt.Sprintf("The filter leaves none of %s.", count(shown, "row")), wider
}

// undecided reports whether there may be findings in the account that nobody knows of.
func undecided(ev *policy.Evaluation) bool {
	_, listed := ev.Snapshot.Freshness[inventory.GroupUsers]
	return !listed || ev.Total(policy.Unknown) > 0
}

func hiddenSentence(n int, users bool) string {
	switch {
	case n == 0:
		return ""
	case !users:
		return fmt.Sprintf("%s about users %s counted and not listed, because --no-metrics.users is set.", count(n, "finding"), isOrAre(n))
	}
	return fmt.Sprintf("%s about hidden users %s counted and not listed: the configuration excludes them, or it is not known yet whether it includes them.", count(n, "finding"), isOrAre(n))
}
