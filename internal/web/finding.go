package web

import (
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

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
	Alike, ByRule      string // how many other accounts have the same finding, which has no row there; and the link to all
}

// key is an access key, as it may be shown. Root's have no id, and perhaps no age
// and creation.
type key struct{ ID, Age, Created, Used string }

// mostKeys is how many keys a row shows. AWS allows a user two.
const mostKeys = 4

func newFinding(o *Options, f *found, q *query, now time.Time) finding {
	awsNow := now.Add(f.ev.Snapshot.Health.Skew)
	r := finding{
		Rule: f.Rule, Title: f.Rule.Title(), Runbook: f.Rule.Runbook(), Severity: f.Rule.Severity(),
		User: shorten(shownUser(f.UserName)), Root: f.user == nil, ByUser: q.with("user", f.UserName) + "#findings",
		AccountID: f.account().ID, Account: shorten(f.account().ShownName()),
		Since: newMoment(f.Since, awsNow).bounded(f.ev.Bound(f.Finding)), OutOfDate: outOfDate(f, now),
	}
	words, pattern := ownerInWords(f.owner)
	r.Owner, r.ByOwner = words, q.with("owner", pattern)+"#findings"
	if n := len(f.alike); n > 0 {
		r.Alike, r.ByRule = "and "+count(n, "more account"), q.with("rule", string(f.Rule))+"#findings"
		if slices.ContainsFunc(f.alike, func(other *found) bool { return other.owner != f.owner }) {
			r.Owner, r.ByOwner = "several", r.ByRule
		}
	}
	if !f.due.IsZero() {
		r.Since, r.Due = newMoment(f.due, awsNow), dueIn(f.due, awsNow)
	}
	for _, k := range f.keys() {
		if len(r.Keys) == mostKeys {
			r.MoreKeys++
			continue
		}
		shown := key{Used: lastUse(k, awsNow)}
		if f.user != nil {
			all, _ := f.user.Keys.Get()
			shown.ID = inventory.Printable(o.AccessKeyIDs.Show(k.ID, all))
		}
		if !k.Created.IsZero() {
			shown.Age, shown.Created = lasting(awsNow.Sub(k.Created)), k.Created.UTC().Format(time.RFC3339)
		}
		r.Keys = append(r.Keys, shown)
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

// shownUser is the name of a user as people read it.
func shownUser(name string) string {
	if name == policy.RootUserName {
		return rootUser
	}
	return name
}

// rootUser is no name of an IAM user, which have no spaces.
const rootUser = "root user"
