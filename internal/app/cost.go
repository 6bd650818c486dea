package app

import (
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
)

// costOf reckons what reading the accounts of a configuration costs with the flags
// given, as long as AWS has not told how many users there are.
func costOf(s *settings, c *config.Config) *cost.Cost {
	accounts := c.Accounts
	if accounts == nil {
		own := config.Account{Settings: s.defaults().Settings}
		own.Settings.Tags = c.Tags
		accounts = []config.Account{own}
	}
	return cost.Of(cost.Configured(accounts), c.Sessions, cost.Rates{All: s.rate, Account: s.accountRate})
}
