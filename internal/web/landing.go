package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// landing is what the landing page shows. It has one account whole, and of several
// a table.
type landing struct {
	Version      string
	Pprof        bool
	Demo         string
	Reload       string // a sentence
	ReloadFailed bool
	Classes      []class
	Account      *account // nil unless there is one account
	Table        *table   // nil unless there are several
	Members      *members // nil without an organization, and if nobody was taken out
	Exemptions   []exemption
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
	if r := v.Roll; r.OrganizationID != "" {
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

type class struct {
	Name                                                                                  string
	MaxKeyAge, RotationWarning, MaxKeyIdle, MaxPasswordIdle, RotationOverlap, SetupWindow string
}

func newLanding(o Options, v *view.View, now time.Time) landing {
	p := landing{
		Version: o.Version, Pprof: o.Pprof, Demo: o.Demo,
		Reload: reloadSentence(v.Reload, o.Demo != ""), ReloadFailed: v.Reload.Wanted && !v.Reload.Successful,
		Members:    newMembers(v, now),
		Exemptions: everyExemption(v, o.Users, now),
	}
	for i := range v.Policy.Classes {
		p.Classes = append(p.Classes, newClass(&v.Policy.Classes[i]))
	}
	p.Classes = append(p.Classes, newClass(&v.Policy.Default))
	switch accounts := v.Accounts(); len(accounts) {
	case 0:
	case 1:
		p.Account = newAccount(o, accounts[0], now)
	default:
		p.Table = newTable(accounts, now)
	}
	return p
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
