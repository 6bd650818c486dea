package app

import (
	"fmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// watchedAccount is an account to watch, with what its organization says of it.
type watchedAccount struct {
	config.Account
	state     string // in the organization; empty without one
	suspended bool
}

// withDemo returns the configuration with the demo's accounts, if it has several.
func (f awsSource) withDemo(c *config.Config) (*config.Config, error) {
	switch {
	case f.demo == nil:
		return c, nil
	case c.Accounts != nil || c.Organization != nil:
		return nil, fmt.Errorf("%s: got accounts beside --demo, want one of them: the demo has an account of its own", c.File)
	case len(f.demo) < 2:
		return c, nil
	}
	with := *c
	for i, m := range f.demo {
		a := c.Own
		a.ID, a.Name = m.ID, m.Name
		if i > 0 {
			a.Role = &awsapi.Role{Name: demo.Role, ExternalID: demo.ExternalID}
		}
		with.Accounts = append(with.Accounts, a)
	}
	return &with, nil
}

// decide returns the accounts to watch, and what tells why others are no longer; nil
// as long as nobody has said which accounts the organization has.
func (t *targets) decide(c *config.Config, list watchlist.List) ([]watchedAccount, func(string) (watchlist.Reason, bool)) {
	byConfiguration := func(string) (watchlist.Reason, bool) { return watchlist.Configuration, true }
	switch {
	case c.Organization != nil:
		return t.decideByOrganization(c, list)
	case c.Accounts == nil:
		return []watchedAccount{{Account: c.Own}}, byConfiguration
	}
	var accounts []watchedAccount
	elsewhere := map[string]bool{}
	for _, a := range c.Accounts {
		if t.share.has(a.ID) {
			accounts = append(accounts, watchedAccount{Account: a})
		} else {
			elsewhere[a.ID] = true
		}
	}
	return accounts, func(id string) (watchlist.Reason, bool) { return watchlist.Configuration, !elsewhere[id] }
}

func (t *targets) decideByOrganization(c *config.Config, list watchlist.List) ([]watchedAccount, func(string) (watchlist.Reason, bool)) {
	if list.OrganizationID == "" {
		return nil, nil
	}
	listing := list.Listing()
	decisions := c.Organization.Select(listing)
	var accounts []watchedAccount
	for _, d := range decisions {
		suspended := d.Cause == organization.CauseState && d.Account.State != organization.Closed
		if watched := d.Included || suspended || t.staysInDoubt(&d); !watched || !t.share.has(d.Account.ID) {
			continue
		}
		accounts = append(accounts, watchedAccount{
			Account: c.Organization.AccountFor(d.Account), state: string(d.Account.State), suspended: suspended,
		})
	}
	return accounts, watchlist.WhyNot(t.list.OrganizationID, &listing, decisions)
}

// staysInDoubt reports whether an account goes on being watched because nobody knows
// whether the configuration means it: what is not known takes nobody out.
func (t *targets) staysInDoubt(d *organization.Decision) bool {
	return inDoubt(d) && t.list.Watches(d.Account.ID)
}

// inDoubt reports whether what is not known of the account could have it watched.
func inDoubt(d *organization.Decision) bool {
	return d.Cause == organization.CauseNotIncluded && d.Unsure && d.Account.State.Readable()
}

func ids(accounts []watchedAccount) []string {
	var all []string
	for _, a := range accounts {
		if a.ID != "" {
			all = append(all, a.ID)
		}
	}
	return all
}
