package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// findings is the table of findings, with what chooses among them.
type findings struct {
	Query          *query
	Docs           string   // where the documents are
	Several        bool     // there are several accounts to choose from
	Rules          []choice // of the filter
	Sorts          []choice
	Owners         []string // proposals for the filter
	Who            []owner  // those with most to do first
	MoreWho        int      // owners that are not among them
	Unowned        bool     // no tag names an owner of what is shown
	Filters        []choice // what is asked for, with links that ask for it no longer
	Columns        []column
	Rows           []finding
	All            int    // findings of the accounts, hidden ones too
	Count          string // how many are shown, of how many, in which order
	Notes          []string
	Hidden         string // a sentence about findings that name nobody; empty if there are none
	None           string // why there are no rows; empty if there are
	Wider          string // a link that looks for a part of the name; empty if there is nothing to try
	Clear          string // a link without filters; empty without any
	Previous, Next string // links; empty if there is no such page
}

// owner is whom findings belong to.
type owner struct {
	Name, Link string // no name for nobody
	Findings   int
}

// choice is an option of a list.
type choice struct {
	Value, Words string
	Chosen       bool
}

// column is the head of a column, which sorts by it.
type column struct {
	Words, Link string
	Order       string // ascending or descending if it is sorted by this column; else empty
}

// finding is a row.
type finding struct {
	Rule               policy.Rule
	Title, Runbook     string
	Severity           policy.Severity
	User, ByUser       string // and the link to what else is about the user
	Root               bool
	Keys               []key
	MoreKeys           int
	Owner, ByOwner     string
	AccountID, Account string // either can be empty
	Since              moment
	Due                string // how soon it will be worse; empty if it is a violation now
	OutOfDate          string // which of the facts that it rests on are; empty if none is
	Same               bool   // as in the row above: account and user
}

// key is an access key, as it may be shown.
type key struct{ ID, Age, Created, Used string }

// found is a finding with what it can be chosen and sorted by.
type found struct {
	*policy.Finding
	ev       *policy.Evaluation
	severity int
	user     *inventory.User // nil for root
	owner    string
	created  time.Time // of the oldest key that it is about; zero if it is about none
	due      time.Time // when an early warning becomes a violation; zero for others
}

func (f *found) account() *inventory.Account { return &f.ev.Snapshot.Account }

// How many findings a page shows: fewer above the board of accounts, unless somebody
// looks for some of them.
const (
	rowsOfPage     = 50
	rowsAboveBoard = 10
)

// newFindings makes the table of the accounts' findings.
func newFindings(o *Options, accounts []*policy.Evaluation, q *query, now time.Time) *findings {
	t := &findings{Docs: policy.Documents, Query: q, Notes: q.notes, Several: len(accounts) > 1}
	shown, hidden := collect(o, accounts)
	t.All = len(shown) + hidden
	t.Hidden = hiddenSentence(hidden, o.Users)
	t.unread(accounts, now)
	chosen := t.choose(shown, now)
	t.Unowned = !slices.ContainsFunc(chosen, func(f *found) bool { return f.owner != "" })
	order := sortingOf(q.Sort).compare
	slices.SortFunc(chosen, func(a, b *found) int {
		if by := order(a, b); by != 0 {
			return by
		}
		return worst(a, b)
	})
	if q.Sort == "" || q.Sort == "severity" {
		chosen = together(chosen)
	}

	size := rowsOfPage
	if len(accounts) > 1 && !q.filtered() {
		size = rowsAboveBoard
	}
	pages := max(1, (len(chosen)+size-1)/size)
	if q.Page > pages {
		t.note(fmt.Sprintf("There is no page %d; this is the last.", q.Page))
	}
	page := min(q.Page, pages)
	first, end := (page-1)*size, min(page*size, len(chosen))
	for i := first; i < end; i++ {
		row := newFinding(o, chosen[i], q, now)
		row.Same = i > first && chosen[i].ev == chosen[i-1].ev && chosen[i].UserName == chosen[i-1].UserName
		t.Rows = append(t.Rows, row)
	}
	if page > 1 {
		t.Previous = q.with("page", strconv.Itoa(page-1)) + "#findings"
	}
	if page < pages {
		t.Next = q.with("page", strconv.Itoa(page+1)) + "#findings"
	}
	if q.filtered() {
		t.Clear = (&query{Sort: q.Sort}).with() + "#findings"
	}
	t.count(first, end, chosen, len(shown))
	t.Filters = q.filters()
	if len(t.Rows) == 0 {
		t.none(len(shown), accounts)
	}
	return t
}

// collect returns the findings that may be shown, and how many are about users who
// may not be named.
func collect(o *Options, accounts []*policy.Evaluation) (shown []found, hidden int) {
	n := 0
	for _, ev := range accounts {
		n += len(ev.Findings)
	}
	shown = make([]found, 0, n)
	severities := map[policy.Rule]int{}
	for _, rule := range policy.Rules() {
		severities[rule] = rule.Severity().Rank()
	}
	for _, ev := range accounts {
		for i := range ev.Findings {
			f := found{Finding: &ev.Findings[i], ev: ev, severity: severities[ev.Findings[i].Rule], owner: ev.RootOwner}
			if f.UserName != policy.RootUserName {
				user, classification := ev.Find(f.UserName)
				if !o.Users || user == nil || classification.Hidden {
					hidden++
					continue
				}
				f.user, f.owner = user, classification.Owner
				if keys := f.keys(); len(keys) > 0 {
					f.created = keys[0].Created // they are ordered by creation
					if limits := classification.Limits(); f.Rule == policy.KeyRotationDue && limits != nil {
						f.due = limits.RotationDeadline(keys[0])
					}
				}
			}
			shown = append(shown, f)
		}
	}
	return shown, hidden
}

// keys returns the keys that the finding is about, ordered by creation.
func (f *found) keys() (keys []*inventory.AccessKey) {
	if f.user == nil {
		return nil
	}
	all := f.Rule == policy.MultipleActiveKeys || f.Rule == policy.ConsoleUserWithActiveKeys
	for k := range f.user.ActiveKeys() {
		if all || f.KeyID == k.ID {
			keys = append(keys, k)
		}
	}
	return keys
}

// worst puts what is severe before what is not, and then what lasts longest first, or
// what is due soonest.
func worst(a, b *found) int {
	if by := cmp.Or(cmp.Compare(a.severity, b.severity), a.due.Compare(b.due), a.Since.Compare(b.Since)); by != 0 { // only early warnings are due
		return by
	}
	return cmp.Or(
		strings.Compare(a.account().ID, b.account().ID),
		strings.Compare(a.UserName, b.UserName),
		strings.Compare(string(a.Rule), string(b.Rule)),
		strings.Compare(a.KeyID, b.KeyID),
	)
}

// person is somebody about whom there are findings.
type person struct {
	ev   *policy.Evaluation
	name string
}

// together puts what else is about a user right after the first that is.
func together(sorted []*found) []*found {
	next := make([]int, len(sorted)) // of the same user; 0 for none
	first, last := make([]bool, len(sorted)), map[person]int{}
	for i := range sorted {
		of := person{sorted[i].ev, sorted[i].UserName}
		before, seen := last[of]
		if first[i] = !seen; seen {
			next[before] = i
		}
		last[of] = i
	}
	joined := make([]*found, 0, len(sorted))
	for i := range sorted {
		if !first[i] {
			continue
		}
		joined = append(joined, sorted[i])
		for k := next[i]; k > 0; k = next[k] {
			joined = append(joined, sorted[k])
		}
	}
	return joined
}

// choose returns the findings that are asked for. What the filters offer is counted on
// the way: under each, what the others leave.
func (t *findings) choose(all []found, now time.Time) []*found {
	q := t.Query
	user, owner, wanted := matcher(q.User, true), matcher(q.Owner, false), q.chooser(now)
	accounts := map[*policy.Evaluation]bool{} // since a pattern takes its time
	rules, owners := map[policy.Rule]int{}, map[string]int{}
	var chosen []*found
	for i := range all {
		f := &all[i]
		in, known := accounts[f.ev]
		if !known {
			in = wanted(f.ev)
			accounts[f.ev] = in
		}
		if !in || !user(f.UserName) && !user(shownUser(f.UserName)) {
			continue
		}
		byRule := q.Rule == "" || q.Rule == f.Rule
		byOwner := owner(f.owner) || f.owner == "" && q.Owner == noOwner
		if byOwner {
			rules[f.Rule]++
		}
		if byRule && f.Rule != policy.KeyRotationDue { // which nobody must do yet
			owners[f.owner]++
		}
		if byRule && byOwner {
			chosen = append(chosen, f)
		}
	}
	t.choices(rules, owners)
	return chosen
}

// unread tells of the accounts asked for about which too little is known to say that
// they have no findings, and if there are none of that name.
func (t *findings) unread(accounts []*policy.Evaluation, now time.Time) {
	if t.Query.Account == "" && t.Query.State == "" {
		return
	}
	in, unlisted, wanted := 0, []*policy.Evaluation(nil), t.Query.chooser(now)
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
		t.note("No account matches the filter.")
	case len(unlisted) == 1:
		why := "it has not been read yet"
		if problems := unlisted[0].Snapshot.Health.Problems; len(problems) > 0 {
			why = reasonInWords(problems[0].Reason)
		}
		t.note(fmt.Sprintf("The users of %s are not known: %s. It may have findings.", accountName(&unlisted[0].Snapshot.Account), why))
	case len(unlisted) > 1:
		t.note(fmt.Sprintf("The users of %d of these accounts are not known. They may have findings.", len(unlisted)))
	}
}

func (t *findings) note(text string) { t.Notes = append(slices.Clone(t.Notes), text) }

// chooser reports whether an account is asked for.
func (q *query) chooser(now time.Time) func(*policy.Evaluation) bool {
	matches := matcher(q.Account, true)
	return func(ev *policy.Evaluation) bool {
		account := &ev.Snapshot.Account
		return (q.State == "" || stateOf(ev, now) == q.State) && (matches(account.ID) || account.ShownName() != "" && matches(account.ShownName()))
	}
}

// shownUser is the name of a user as people read it.
func shownUser(name string) string {
	if name == policy.RootUserName {
		return rootUser
	}
	return name
}

// rootUser is no name of an IAM user, which have no spaces.
const rootUser = "root user"

// choices lists what the filters offer.
func (t *findings) choices(rules map[policy.Rule]int, owners map[string]int) {
	for _, rule := range policy.Rules() {
		if n := rules[rule]; n > 0 || t.Query.Rule == rule {
			t.Rules = append(t.Rules, choice{string(rule), fmt.Sprintf("%s (%d)", rule.Title(), n), t.Query.Rule == rule})
		}
	}
	for _, s := range sortings() {
		if s.name == "account" && !t.Several {
			continue
		}
		chosen := t.Query.Sort == s.name || t.Query.Sort == "" && s.name == "severity"
		t.Sorts = append(t.Sorts, choice{s.name, s.words, chosen})
		if "-"+s.name == t.Query.Sort {
			t.Sorts = append(t.Sorts, choice{t.Query.Sort, s.reverse, true})
		}
	}
	t.who(owners)
	delete(owners, "")
	const most = 200
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		if len(t.Owners) < most && shorten(owner) == owner {
			t.Owners = append(t.Owners, owner)
		}
	}
	columns := []struct{ words, sort string }{{"Finding", "rule"}, {"User", "user"}, {"Access key", ""}, {"Key age", "age"}, {"Owner", "owner"}, {"Account", "account"}, {"Since", "since"}}
	for _, c := range columns {
		if c.sort != "account" || t.Several {
			t.Columns = append(t.Columns, newColumn(t.Query, c.words, c.sort))
		}
	}
}

// who lists the owners with most findings, if there are any owners.
func (t *findings) who(owners map[string]int) {
	const most = 8
	if len(owners) == 0 || len(owners) == 1 && owners[""] > 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(owners), func(a, b string) int {
		return cmp.Or(cmp.Compare(owners[b], owners[a]), strings.Compare(a, b))
	})
	for _, name := range names[:min(len(names), most)] {
		words, link := ownerInWords(name)
		t.Who = append(t.Who, owner{words, t.Query.with("owner", link) + "#findings", owners[name]})
	}
	t.MoreWho = len(names) - len(t.Who)
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

// count says how many of the findings are shown, by the words of the page's sentence.
func (t *findings) count(first, end int, chosen []*found, shown int) {
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
	if end-first < len(chosen) {
		text = fmt.Sprintf("Rows %d to %d of %d: %s", first+1, end, len(chosen), text)
	}
	t.Count = fmt.Sprintf("%s; %s.", text, sortingOf(t.Query.Sort).words)
}

// none says why no finding is shown, and offers to look for parts of the names.
func (t *findings) none(shown int, accounts []*policy.Evaluation) {
	switch {
	case shown == 0 && t.All > 0: // the sentence about hidden ones says it all
	case shown == 0 && !slices.ContainsFunc(accounts, undecided):
		t.None = "There are no findings."
	case shown == 0:
		t.None = "There are none among what is known; what is not known may hold some."
	default:
		t.None = fmt.Sprintf("The filter leaves none of %s.", count(shown, "row"))
		var wider []string
		for name, value := range map[string]string{"user": t.Query.User, "owner": t.Query.Owner, "account": t.Query.Account} {
			if value != "" && value != noOwner && !strings.ContainsAny(value, "*?") {
				wider = append(wider, name, "*"+value+"*")
			}
		}
		if len(wider) > 0 {
			t.Wider = t.Query.with(wider...) + "#findings"
		}
	}
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

// mostKeys is how many keys a row shows. AWS allows a user two.
const mostKeys = 4

func newFinding(o *Options, f *found, q *query, now time.Time) finding {
	awsNow := now.Add(f.ev.Snapshot.Health.Skew)
	r := finding{
		Rule: f.Rule, Title: f.Rule.Title(), Runbook: f.Rule.Runbook(), Severity: f.Rule.Severity(),
		User: shorten(shownUser(f.UserName)), Root: f.user == nil, ByUser: q.with("user", f.UserName) + "#findings",
		AccountID: f.account().ID, Account: shorten(f.account().ShownName()),
		Since: newMoment(f.Since, awsNow), OutOfDate: outOfDate(f, now),
	}
	words, pattern := ownerInWords(f.owner)
	r.Owner, r.ByOwner = words, q.with("owner", pattern)+"#findings"
	if !f.due.IsZero() {
		r.Since, r.Due = newMoment(f.due, awsNow), dueIn(f.due, awsNow)
	}
	for _, k := range f.keys() {
		if len(r.Keys) == mostKeys {
			r.MoreKeys++
			continue
		}
		all, _ := f.user.Keys.Get()
		r.Keys = append(r.Keys, key{inventory.Printable(o.AccessKeyIDs.Show(k.ID, all)), lasting(awsNow.Sub(k.Created)), k.Created.UTC().Format(time.RFC3339), lastUse(k, awsNow)})
	}
	return r
}

// dueIn says how soon something is due.
func dueIn(due, now time.Time) string {
	if left := due.Sub(now); left > 0 {
		return "due in " + lasting(left)
	}
	return "due now"
}

// lastUse says when the key was last used, which decides whether it can be missed.
func lastUse(k *inventory.AccessKey, now time.Time) string {
	use, known := k.LastUse.Get()
	switch {
	case !known:
		return "use not known"
	case use.Never():
		return "never used"
	}
	return "used " + lasting(now.Sub(use.At)) + " ago"
}

// outOfDate names the stale facts that the finding rests on.
func outOfDate(f *found, now time.Time) string {
	var stale []string
	rests := f.Rule.Rests()
	for _, group := range inventory.Groups() {
		if rests.Has(group) && f.ev.Snapshot.Freshness[group].IsStale(now) {
			stale = append(stale, string(group))
		}
	}
	return strings.Join(stale, ", ")
}
