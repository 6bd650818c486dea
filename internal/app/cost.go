package app

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// costOf reckons what reading these accounts of the configuration costs, as long as AWS
// has not told how many users there are. It knows nothing of an organization.
func costOf(c *config.Config, accounts []config.Account, rates cost.Rates) *cost.Cost {
	return cost.Of(cost.Configured(accounts), c.Sessions, rates)
}

// costOfOrganization reckons what these accounts of the organization cost, and to
// list it.
func costOfOrganization(c *config.Config, listing organization.Listing, accounts []config.Account, rates cost.Rates) *cost.Cost {
	units := map[string]bool{}
	for i := range listing.Accounts {
		for n, unit := range listing.Accounts[i].OUPath {
			if n > 0 { // the root is none
				units[unit] = true
			}
		}
	}
	d := cost.Discovery{Accounts: len(listing.Accounts), Units: len(units), Discovery: c.Discovery()}
	return cost.OfOrganization(d, cost.Configured(accounts), c.Sessions, rates)
}
