// Package report makes of evaluated accounts what `check` prints: bytes in one of
// several formats, and an exit code. It is pure: it reads no clock, no file and no
// network.
package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// Schema names the version of the JSON format, which docs/check.schema.json describes.
const Schema = "aws_iam_exporter/check/1"

// The exit codes of a check.
const (
	ExitCompliant = 0
	ExitViolation = 1
	ExitUnknown   = 2 // no violation was found, but a fact was missing
	ExitFailure   = 3 // usage, configuration or input; nothing was judged
)

// Scan is what was read of one account.
type Scan struct {
	Snapshot *inventory.Snapshot
	// Latest is the same as observed at the latest possible moment; nil if the moment
	// is known. What differs between the two is unknown.
	Latest *inventory.Snapshot
	File   string         // the credential report; empty if AWS was asked
	SHA256 string         // of the file
	Lines  map[string]int // of the file, by user
	Gaps   []string       // why not everything is known; none if it is
}

// Question is what is asked about the accounts.
type Question struct {
	Policy   *policy.Policy
	Now      time.Time
	Rules    []policy.Rule // to judge by
	FailOn   []policy.Rule // whose violations count for the exit code
	Ahead    time.Duration // judge as if nothing happens for so long
	Baseline *Baseline     // nil for none
	KeyIDs   view.KeyIDFormat
	NoUsers  bool // no user has series
	Version  string
	Config   string // the configuration file; empty without one
}

// Report is what a check has found.
type Report struct {
	Schema      string        `json:"schema"`
	Version     string        `json:"version"`
	CheckedAt   time.Time     `json:"checked_at"`
	JudgedUntil time.Time     `json:"judged_until,omitzero"` // with --expiring-in
	Baseline    *BaselineNote `json:"baseline,omitempty"`
	Summary     Summary       `json:"summary"`
	Rules       []Rule        `json:"rules"`
	Limits      []Limits      `json:"limits"`
	Accounts    []Account     `json:"accounts"`
	Results     []Result      `json:"results"` // all but what is compliant, worst first
}

// Summary counts.
type Summary struct {
	ExitCode   int `json:"exit_code"`
	Accounts   int `json:"accounts"`
	Incomplete int `json:"incomplete_accounts"`
	Users      int `json:"users"`
	Compliant  int `json:"compliant"`
	Violations int `json:"violations"`
	Exempted   int `json:"exempted"`
	Unknown    int `json:"unknown"`
	Failing    int `json:"failing"`   // violations that make the exit code 1
	Undecided  int `json:"undecided"` // unknown, under a rule whose violations would
}

// Rule is a rule of the check.
type Rule struct {
	Name        policy.Rule     `json:"name"`
	Subject     policy.Subject  `json:"subject"`
	Description string          `json:"description"`
	Severity    policy.Severity `json:"severity"`
	FailsOn     bool            `json:"fails_on"` // its violations count for the exit code
	Controls    []Control       `json:"controls"`
}

// Limits are the limits in force for one class.
type Limits struct {
	Class string `json:"class"`
	// Values holds every limit by its name in the configuration file, in words such as 90d.
	Values map[string]string `json:"values"`
	limits policy.Limits
}

// Account is an account that was checked.
type Account struct {
	ID       string                        `json:"id"` // empty if AWS has not told it
	Name     string                        `json:"name,omitempty"`
	Users    int                           `json:"users"`
	Skipped  string                        `json:"skipped,omitempty"` // why it was not judged
	Gaps     []string                      `json:"gaps,omitempty"`    // why not everything is known
	Observed map[inventory.Group]time.Time `json:"observed"`          // the oldest fact of each group
	// ObservedUntil is set where the moment of the facts is not known: the latest possible.
	ObservedUntil time.Time `json:"observed_until,omitzero"`
	Input         *Input    `json:"input,omitempty"`
	Counts        []Count   `json:"counts"`
}

// Input is a file that was read.
type Input struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Count counts the verdicts of one rule in one account.
type Count struct {
	Rule      policy.Rule `json:"rule"`
	Compliant int         `json:"compliant"`
	Violation int         `json:"violation"`
	Exempted  int         `json:"exempted"`
	Unknown   int         `json:"unknown"`
}

// Result is one verdict that is not compliant.
type Result struct {
	Identity
	Verdict   policy.Verdict  `json:"verdict"`
	Severity  policy.Severity `json:"severity"`
	Class     string          `json:"class,omitempty"` // empty for root
	Owner     string          `json:"owner,omitempty"`
	Since     time.Time       `json:"since,omitzero"`
	Expected  bool            `json:"expected,omitempty"`    // it is no violation yet, but will be
	Baseline  bool            `json:"in_baseline,omitempty"` // and so does not fail
	Fails     bool            `json:"fails"`
	Exemption *Exemption      `json:"exemption,omitempty"`
	Location  *Location       `json:"location,omitempty"`
	Controls  []Control       `json:"controls"`

	hidden bool // it is about a user who has no series
}

// Identity says what a result is about. It does not change as time passes.
type Identity struct {
	Rule        policy.Rule `json:"rule"`
	AccountID   string      `json:"account_id"`
	UserName    string      `json:"user_name"`
	AccessKeyID string      `json:"access_key_id,omitempty"`
}

// Exemption says why a violation is no finding, and how long.
type Exemption struct {
	Reason  string `json:"reason"`
	LastDay string `json:"last_day"`
}

// Location is where in a file a result comes from.
type Location struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
}

// New judges what was read.
func New(scans []Scan, q Question) *Report {
	r := &Report{
		Schema: Schema, Version: q.Version, CheckedAt: q.Now.UTC().Truncate(time.Second),
		Limits: limitsOf(q.Policy), Accounts: []Account{}, Results: []Result{},
	}
	if q.Ahead > 0 {
		r.JudgedUntil = r.CheckedAt.Add(q.Ahead)
	}
	if q.Baseline != nil {
		r.Baseline = q.Baseline.note(q.Now)
	}
	for _, rule := range q.Rules {
		r.Rules = append(r.Rules, Rule{
			rule, rule.Subject(), rule.Description(), rule.Severity(), slices.Contains(q.FailOn, rule), Controls(rule),
		})
	}
	for i := range scans {
		r.add(&scans[i], &q)
	}
	slices.SortStableFunc(r.Results, worstFirst)
	r.summarize(&q)
	return r
}

// add judges one account.
func (r *Report) add(scan *Scan, q *Question) {
	a := Account{
		ID: scan.Snapshot.Account.ID, Name: scan.Snapshot.Account.ShownName(), Users: len(scan.Snapshot.Users),
		Gaps: scan.Gaps, Observed: map[inventory.Group]time.Time{}, Counts: []Count{},
	}
	if scan.File != "" {
		a.Input = &Input{scan.File, scan.SHA256}
	}
	if scan.Latest != nil {
		a.ObservedUntil = scan.Latest.Report.Generated
	}
	for group, f := range scan.Snapshot.Freshness {
		a.Observed[group] = f.Observed.UTC()
	}
	if scan.Snapshot.Health.State == inventory.StateSuspended {
		a.Skipped = "the organization has the account suspended, so AWS was asked nothing about it"
	} else {
		j := newJudge(scan, q)
		r.Results = append(r.Results, j.results()...)
		a.Counts = j.counts()
	}
	r.Accounts = append(r.Accounts, a)
}

func (r *Report) summarize(q *Question) {
	s := &r.Summary
	s.Accounts = len(r.Accounts)
	for _, a := range r.Accounts {
		s.Users += a.Users
		if len(a.Gaps) > 0 {
			s.Incomplete++
		}
		for _, c := range a.Counts {
			s.Compliant += c.Compliant
			s.Violations += c.Violation
			s.Exempted += c.Exempted
			s.Unknown += c.Unknown
		}
	}
	for i := range r.Results {
		switch result := &r.Results[i]; {
		case result.Fails:
			s.Failing++
		case result.Verdict == policy.Unknown && slices.Contains(q.FailOn, result.Rule):
			s.Undecided++
		}
	}
	switch {
	case s.Failing > 0:
		s.ExitCode = ExitViolation
	case s.Undecided > 0 || !r.whole():
		s.ExitCode = ExitUnknown
	}
}

// whole reports whether everything was read, and of somebody.
func (r *Report) whole() bool {
	judged := slices.ContainsFunc(r.Accounts, func(a Account) bool { return a.Skipped == "" })
	return judged && r.Summary.Incomplete == 0
}

func limitsOf(p *policy.Policy) []Limits {
	var all []Limits
	for _, class := range slices.Concat(p.Classes, []policy.Class{p.Default}) {
		l := Limits{Class: class.Name, Values: map[string]string{}, limits: class.Limits}
		for _, limit := range class.Limits.All() {
			l.Values[limit.Name] = policy.InDays(limit.Value)
		}
		all = append(all, l)
	}
	return all
}

// worstFirst orders what fails before what does not, violations before what is not
// known, the severe before the less severe, and old ones before new ones.
func worstFirst(a, b Result) int {
	return cmp.Or(
		cmp.Compare(rankOf(&a), rankOf(&b)),
		cmp.Compare(a.Severity.Rank(), b.Severity.Rank()),
		a.Since.Compare(b.Since),
		cmp.Compare(a.AccountID, b.AccountID),
		cmp.Compare(a.UserName, b.UserName),
		cmp.Compare(a.AccessKeyID, b.AccessKeyID),
	)
}

func rankOf(r *Result) int {
	switch {
	case r.Fails:
		return 0
	case r.Verdict == policy.Violation && !r.Baseline:
		return 1
	case r.Verdict == policy.Unknown:
		return 2
	case r.Verdict == policy.Violation:
		return 3
	}
	return 4
}

// account returns the account of that id.
func (r *Report) account(id string) *Account {
	for i := range r.Accounts {
		if r.Accounts[i].ID == id {
			return &r.Accounts[i]
		}
	}
	return nil
}
