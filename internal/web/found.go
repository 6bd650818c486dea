package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// found is a finding with what it can be chosen and sorted by.
type found struct {
	*policy.Finding
	ev       *policy.Evaluation
	severity int
	user     *inventory.User // nil for root
	owner    string
	created  time.Time // of the oldest key that it is about; zero if it is about none
	due      time.Time // when an early warning becomes a violation; zero for others
	alike    []*found  // equal findings of other accounts, which are shown in one row with it
}

func (f *found) account() *inventory.Account { return &f.ev.Snapshot.Account }

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
			var limits *policy.Limits
			if f.UserName != policy.RootUserName {
				user, classification := ev.Find(f.UserName)
				if !o.Users || user == nil || classification.Hidden {
					hidden++
					continue
				}
				f.user, f.owner, limits = user, classification.Owner, classification.Limits()
			}
			if keys := f.keys(); len(keys) > 0 {
				f.created = keys[0].Created // they are ordered by creation
				if f.Rule == policy.KeyRotationDue && limits != nil {
					f.due = limits.RotationDeadline(keys[0])
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
		return f.rootKeys()
	}
	all := f.Rule == policy.MultipleActiveKeys || f.Rule == policy.ConsoleUserWithActiveKeys
	for k := range f.user.ActiveKeys() {
		if all || f.KeyID == k.ID {
			keys = append(keys, k)
		}
	}
	return keys
}

// rootKeys returns root's active keys, of which AWS tells no ids, if the finding is
// about them. Those come last of which it tells no creation either.
func (f *found) rootKeys() (keys []*inventory.AccessKey) {
	if f.Rule != policy.RootAccessKey {
		return nil
	}
	all, _ := f.ev.Snapshot.Root.AccessKeys().Get()
	for i := range all {
		if all[i].Status == inventory.Active {
			keys = append(keys, &all[i])
		}
	}
	slices.SortStableFunc(keys, func(a, b *inventory.AccessKey) int {
		return cmp.Or(compareFlags(!a.Created.IsZero(), !b.Created.IsZero()), a.Created.Compare(b.Created))
	})
	return keys
}

// choose returns the findings that are asked for, and what the filters offer: under each,
// what the others leave.
func choose(all []found, q *query, now time.Time) (chosen []*found, has offers) {
	user, owner, wanted := matcher(q.User, true), matcher(q.Owner, false), q.chooser(now)
	accounts := map[*policy.Evaluation]bool{} // since a pattern takes its time
	has = offers{map[policy.Rule]int{}, map[string]int{}}
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
			has.rules[f.Rule]++
		}
		if byRule && f.Rule != policy.KeyRotationDue { // which nobody must do yet
			has.owners[f.owner]++
		}
		if byRule && byOwner {
			chosen = append(chosen, f)
		}
	}
	return chosen, has
}

// offers says how many findings a filter by rule or owner would leave.
type offers struct {
	rules  map[policy.Rule]int
	owners map[string]int
}

// inOrder sorts findings as is asked for, and folds equal ones if it is to.
func inOrder(chosen []*found, q *query, fold bool) []*found {
	order := sortingOf(q.Sort).compare
	slices.SortFunc(chosen, func(a, b *found) int {
		if by := order(a, b); by != 0 {
			return by
		}
		return worst(a, b)
	})
	if fold { // the worst of them, before others are drawn near
		chosen = folded(chosen)
	}
	if q.Sort == "" || q.Sort == "severity" {
		return together(chosen)
	}
	return chosen
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

// folded leaves the first of equal findings about root, of which every account can have
// one, and gives it the others.
func folded(sorted []*found) []*found {
	first := map[policy.Rule]*found{}
	var left []*found
	for _, f := range sorted {
		switch of := first[f.Rule]; {
		case f.user != nil:
			left = append(left, f)
		case of == nil:
			first[f.Rule] = f
			left = append(left, f)
		default:
			of.alike = append(of.alike, f)
		}
	}
	return left
}
