package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// page is what a page shows about some accounts: all on the landing page, one on its
// own.
type page struct {
	Title, Heading string
	Version, Demo  string
	Docs           string // where the documents are, with a slash at its end
	Pprof          bool
	Up             bool // there is the landing page above
	State          state
	Findings       *findings // nil while nobody is known
	Account        *account  // nil unless there is one account
	Board          *board    // nil unless there are several
	Facts          []facts
	Rules          []verdicts // empty while nothing is known
	Unjudged       int        // accounts whose users are not known
	Exemptions     exemptionList
	Policy         *limits  // nil on the page of an account
	Members        *members // nil without an organization, and if nobody was taken out
}

// limits are the policy in force.
type limits struct {
	Reload string // a sentence
	Failed bool
	Class  []class
}

type class struct {
	Name                                                                                  string
	MaxKeyAge, RotationWarning, MaxKeyIdle, MaxPasswordIdle, RotationOverlap, SetupWindow string
}

// newPage makes what all pages have.
func newPage(o Options, v *view.View, accounts []*policy.Evaluation, q *query, now time.Time) page {
	p := page{
		Version: o.Version, Demo: o.Demo, Docs: policy.Documents, Pprof: o.Pprof,
		State: newState(&o, accounts, failuresOf(v), now),
		Facts: newFacts(accounts, now),
		Rules: newVerdicts(accounts, q),
	}
	if f := newFindings(&o, accounts, q, now); f.All > 0 || q.filtered() || len(f.Notes) > 0 { // or the sentence says it all
		p.Findings = f
	}
	for _, ev := range accounts {
		if !isListed(ev) {
			p.Unjudged++
		}
	}
	if len(accounts) == 1 {
		p.Account = newAccount(&o, accounts[0])
	}
	return p
}

func newLanding(o Options, v *view.View, q *query, now time.Time) page {
	accounts := v.Accounts()
	p := newPage(o, v, accounts, q, now)
	p.Title, p.Heading = p.State.Short+" – aws_iam_exporter", "aws_iam_exporter"
	switch len(accounts) {
	case 0:
	case 1:
		p.Heading = accountTitle(accounts[0])
	default:
		p.Heading = fmt.Sprintf("%d accounts", len(accounts))
		p.Board = newBoard(accounts, q, now)
	}
	p.Members = newMembers(v, now)
	p.Exemptions = cut(everyExemption(v, o.Users, now))
	p.Policy = &limits{Reload: reloadSentence(v.Reload, o.Demo != ""), Failed: v.Reload.Wanted && !v.Reload.Successful}
	for i := range v.Policy.Classes {
		p.Policy.Class = append(p.Policy.Class, newClass(&v.Policy.Classes[i]))
	}
	p.Policy.Class = append(p.Policy.Class, newClass(&v.Policy.Default))
	return p
}

// members is what is to be said of the accounts that an organization has, and of
// those that were taken out.
type members struct {
	Organization string // a sentence; empty without one
	NotListed    string // why the last list did not come; empty if it did
	Removals     []removal
}

type removal struct{ ID, Reason, At string }

func newMembers(v *view.View, now time.Time) *members {
	m := &members{NotListed: v.NotListed}
	if r := v.Watchlist; r.OrganizationID != "" {
		m.Organization = fmt.Sprintf("The organization %s has %d accounts, as listed at %s.", r.OrganizationID, len(r.Accounts), r.Listed.UTC().Format(time.RFC3339))
	}
	for _, r := range v.Removals(now) {
		m.Removals = append(m.Removals, removal{r.AccountID, strings.ReplaceAll(string(r.Reason), "_", " "), r.At.UTC().Format(time.RFC3339)})
	}
	if m.Organization == "" && m.NotListed == "" && len(m.Removals) == 0 {
		return nil
	}
	return m
}

func reloadSentence(r view.Reload, demo bool) string {
	at := r.At.UTC().Format(time.RFC3339)
	switch {
	case !r.Wanted && demo:
		return "The demo has a configuration of its own."
	case !r.Wanted:
		return "There is no configuration file."
	case r.Successful:
		return "The configuration file, as read at " + at + ", is in force."
	}
	return "The last reload failed; the configuration file stays in force as it was read at " + at + ". The log says why."
}

func newClass(c *policy.Class) class {
	return class{
		Name:            c.Name,
		MaxKeyAge:       policy.InDays(c.Limits.MaxKeyAge),
		RotationWarning: policy.InDays(c.Limits.RotationWarning),
		MaxKeyIdle:      policy.InDays(c.Limits.MaxKeyIdle),
		MaxPasswordIdle: policy.InDays(c.Limits.MaxPasswordIdle),
		RotationOverlap: policy.InDays(c.Limits.RotationOverlap),
		SetupWindow:     policy.InDays(c.Limits.SetupWindow),
	}
}

// facts is how old the facts of a group are, over all accounts.
type facts struct {
	Group    inventory.Group
	What     string
	Observed moment // the oldest; empty if none is known
	State    string
	Tone     tone
}

func newFacts(accounts []*policy.Evaluation, now time.Time) []facts {
	var all []facts
	known := false
	for _, group := range inventory.Groups() {
		a := factsAge{accounts: len(accounts)}
		for _, ev := range accounts {
			a.add(group, ev, now)
		}
		if a.counted == 0 {
			continue
		}
		known = known || !a.oldest.IsZero()
		f := facts{Group: group, What: factsInWords(group), Observed: newMoment(a.oldest, now)}
		f.State, f.Tone = a.words()
		all = append(all, f)
	}
	if !known { // the sentence says it
		return nil
	}
	return all
}

// factsAge tells how up to date the facts of one group are, over all accounts.
type factsAge struct {
	accounts, counted             int
	missing, partial, stale, kept int
	oldest, due                   time.Time // of those that are not kept, unless all are
}

func (a *factsAge) add(group inventory.Group, ev *policy.Evaluation, now time.Time) {
	fresh, known := ev.Snapshot.Freshness[group]
	if !known && group == inventory.GroupTags && !ev.Policy.NeedsTags() {
		return
	}
	a.counted++
	switch {
	case !known:
		a.missing++
		return
	case ev.Snapshot.Health.State == inventory.StateSuspended:
		if a.kept++; a.kept < a.accounts {
			return
		}
	case fresh.IsStale(now):
		a.stale++
	case !ev.Snapshot.Complete[group]:
		a.partial++
	}
	if a.oldest.IsZero() || fresh.Observed.Before(a.oldest) {
		a.oldest, a.due = fresh.Observed, fresh.Stale
	}
}

// words says whether the facts are up to date.
func (a *factsAge) words() (string, tone) {
	switch {
	case a.missing+a.partial+a.stale+a.kept == 0:
		return "up to date", toneGood
	case a.accounts == 1 && a.missing > 0:
		return "not known yet", toneUnknown
	case a.accounts == 1 && a.partial > 0:
		return "known in part", toneUnknown
	case a.accounts == 1 && a.stale > 0:
		return "out of date since " + a.due.UTC().Format(time.RFC3339), toneWarn
	case a.accounts == 1:
		return "kept", toneIdle
	}
	var parts []string
	how := toneIdle
	add := func(n int, words string, worse tone) {
		if n > 0 {
			parts, how = append(parts, fmt.Sprintf("%s in %s", words, count(n, "account"))), worse
		}
	}
	add(a.kept, "kept", toneIdle)
	add(a.partial, "known in part", toneUnknown)
	add(a.missing, "not known", toneUnknown)
	add(a.stale, "out of date", toneWarn)
	slices.Reverse(parts)
	return strings.Join(parts, ", "), how
}

func factsInWords(group inventory.Group) string {
	switch group {
	case inventory.GroupUsers:
		return "which users there are"
	case inventory.GroupKeys:
		return "their access keys"
	case inventory.GroupKeyUse:
		return "when keys were last used"
	case inventory.GroupConsole:
		return "who has a password"
	case inventory.GroupMFA:
		return "who has an MFA device"
	case inventory.GroupRoot:
		return "the root user"
	case inventory.GroupTags:
		return "the users' tags"
	}
	return string(group)
}

// verdicts counts the verdicts of a rule, over all accounts.
type verdicts struct {
	Rule                                    policy.Rule
	Title, Description, Runbook             string
	Tone                                    tone // of violations
	Link                                    string
	Violation, Exempted, Compliant, Unknown int
}

// newVerdicts counts the verdicts of the accounts; none if nothing is known.
func newVerdicts(accounts []*policy.Evaluation, q *query) []verdicts {
	if !slices.ContainsFunc(accounts, func(ev *policy.Evaluation) bool { return len(ev.Snapshot.Freshness) > 0 }) {
		return nil
	}
	var all []verdicts
	for _, rule := range policy.Rules() {
		r := verdicts{
			Rule: rule, Title: rule.Title(), Description: rule.Description(), Runbook: rule.Runbook(),
			Tone: toneBad, Link: (&query{Sort: q.Sort}).with("rule", string(rule)) + "#findings",
		}
		if rule.Severity() == policy.Low {
			r.Tone = toneWarn
		}
		for _, ev := range accounts {
			r.Violation += ev.Count(rule, policy.Violation)
			r.Exempted += ev.Count(rule, policy.Exempted)
			r.Compliant += ev.Count(rule, policy.Compliant)
			r.Unknown += ev.Count(rule, policy.Unknown)
		}
		all = append(all, r)
	}
	return all
}
