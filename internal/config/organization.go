package config

import "github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"

// Organization says which accounts of an organization are watched, and how.
type Organization struct {
	Include, Exclude []organization.Match
	UnitNames        bool
	Overrides        []Account
	Default          Account
}

// AccountFor returns the account as it is to be watched.
func (c *Config) AccountFor(a organization.Account) Account {
	account := c.Organization.Default
	account.ID, account.Name, account.Tags = a.ID, a.Name, a.Tags
	return account
}
