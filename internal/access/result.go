package access

import (
	"cmp"
	"fmt"
	"slices"
)

// The exit codes, which are those of a check.
const (
	ExitGranted = 0
	ExitMissing = 1
	ExitUnknown = 2 // nothing is known to be missing, but not everything was answered
)

// Result is all that was tried.
type Result struct {
	Summary      string     `json:"summary"`
	ExitCode     int        `json:"exit_code"`
	Identity     Identity   `json:"identity"`
	InitialRole  *Checked   `json:"initial_role,omitempty"`
	Organization *Checked   `json:"organization,omitempty"`
	Accounts     []*Checked `json:"accounts"`
	Grants       []Grant    `json:"grants"`
}

// Identity is who the exporter is, and how that was found out.
type Identity struct {
	Caller      string `json:"caller,omitempty"` // an ARN; empty if it is not known
	AccountID   string `json:"account_id,omitempty"`
	Credentials string `json:"credentials,omitempty"` // where they come from; empty if there are none
	Region      string `json:"region"`
	Partition   string `json:"partition"`
	Problem     string `json:"problem,omitempty"` // why AWS did not say who the exporter is
	// Looked tells where credentials were looked for, if there are none.
	Looked []string `json:"looked,omitempty"`
}

// Conclude adds the summary, the exit code and what would help. The worst accounts
// come last, where a terminal shows them.
func (r *Result) Conclude(way *Way) {
	if r.Accounts == nil {
		r.Accounts = []*Checked{} // in JSON, too
	}
	slices.SortStableFunc(r.Accounts, func(a, b *Checked) int { return cmp.Compare(a.rank(), b.rank()) })
	missing, unknown, untried := 0, 0, 0
	for _, c := range r.all() {
		missing, unknown, untried = missing+c.count(Missing), unknown+c.count(Unknown), untried+c.count(Untried)
	}
	r.Grants = r.grants(way)
	r.ExitCode = ExitUnknown
	switch {
	case r.Identity.Problem != "":
		r.Summary = "could not tell: AWS did not say who the exporter is"
	case missing > 0:
		r.ExitCode, r.Summary = ExitMissing, "missing: "+inWords(missing, "permission")
		if unknown > 0 {
			r.Summary += fmt.Sprintf(", unknown: %d", unknown)
		}
	case unknown > 0:
		r.Summary = "could not tell: unknown: " + inWords(unknown, "permission") + "; none is known to be missing"
	case len(r.Accounts) == 0:
		r.Summary = "could not tell: there is no account to read"
	case untried > 0:
		r.ExitCode, r.Summary = ExitGranted, "granted: everything that can be tried; untried: "+inWords(untried, "permission")
	default:
		r.ExitCode, r.Summary = ExitGranted, "granted: everything that is needed"
	}
	if n := len(r.Accounts); n > 1 {
		r.Summary += fmt.Sprintf("; %d of %d accounts can be read", r.readable(), n)
	}
}

// readable counts the accounts of which everything was granted.
func (r *Result) readable() int {
	n := 0
	for _, c := range r.Accounts {
		if c.rank() == 0 {
			n++
		}
	}
	return n
}

// all returns everything that was tried, the accounts last.
func (r *Result) all() []*Checked {
	var all []*Checked
	for _, c := range append([]*Checked{r.InitialRole, r.Organization}, r.Accounts...) {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// count counts the permissions of that status that the exporter cannot do without.
func (c *Checked) count(s Status) int {
	n := 0
	for _, p := range c.Permissions {
		if p.Status == s && !p.Optional {
			n++
		}
	}
	return n
}

// rank is higher for what is worse.
func (c *Checked) rank() int {
	switch {
	case c.count(Missing) > 0:
		return 2
	case c.count(Unknown) > 0:
		return 1
	}
	return 0
}

func inWords(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
