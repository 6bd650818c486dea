package app

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// costOf reckons what reading the accounts of a configuration costs with the flags
// given, as long as AWS has not told how many users there are. It knows nothing of an
// organization.
func costOf(s *settings, c *config.Config) *cost.Cost {
	accounts := c.Accounts
	if accounts == nil {
		accounts = []config.Account{s.ownAccount(c)}
	}
	return costOfAccounts(s, c, accounts)
}

func costOfAccounts(s *settings, c *config.Config, accounts []config.Account) *cost.Cost {
	return cost.Of(cost.Configured(accounts), c.Sessions, s.rates())
}

// costOfOrganization reckons what these accounts of the organization cost, and to
// list it.
func costOfOrganization(s *settings, c *config.Config, listing organization.Listing, accounts []config.Account) *cost.Cost {
	units := map[string]bool{}
	for i := range listing.Accounts {
		for n, unit := range listing.Accounts[i].OUPath {
			if n > 0 { // the root is none
				units[unit] = true
			}
		}
	}
	d := cost.Discovery{Accounts: len(listing.Accounts), Units: len(units), Discovery: c.Discovery()}
	return cost.OfOrganization(d, cost.Configured(accounts), c.Sessions, s.rates())
}

func (s *settings) rates() cost.Rates { return cost.Rates{All: s.rate, Account: s.accountRate} }
