package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// Account is an account to watch.
type Account struct {
	ID   string
	Name string         // empty if neither the file nor the organization gives one
	Tags inventory.Tags // ordered by key; nil if they are not known; those in a list of accounts always are known
	Role *awsapi.Role   // nil for the account of the exporter's own credentials
	Settings

	// Units holds the ids of the organization's root and of the organizational units
	// that the account is in, the root first; nil if they are not known.
	Units  []string
	OUPath string // the same for people's eyes; empty if it is not known
}

// Settings say how an account is read.
type Settings struct {
	Source          awsapi.Source
	RefreshInterval time.Duration
	KeysInterval    time.Duration
	Tags            awsapi.TagSource // of its users; NoTags unless the policy needs tags
}

// Organization says which accounts of an organization to watch, and how.
type Organization struct {
	Include, Exclude []organization.Match
	IncludeAt        []string  // where in the file each include stands, for errors
	UnitNames        bool      // the names of organizational units are to be shown
	Default          Account   // what an account without an override gets; without an id and a name
	Overrides        []Account // ordered by id; without tags where those of the organization count
}

// Select decides about each account of the organization whether to watch it, in its order.
func (o *Organization) Select(listing organization.Listing) []organization.Decision {
	return organization.Select(listing, o.Include, o.Exclude)
}

// Unmatched returns an error for each include that is known to match no account of
// the organization: it is misspelt, or of another time.
func (o *Organization) Unmatched(listing organization.Listing) error {
	var errs []error
	for _, i := range organization.Unmatched(listing, o.Include) {
		errs = append(errs, fmt.Errorf("%s: got %s, want what at least one account of the organization matches", o.IncludeAt[i], o.Include[i]))
	}
	return errors.Join(errs...)
}

// AsksTags reports whether tags decide which accounts to watch.
func (o *Organization) AsksTags() bool {
	return slices.ContainsFunc(slices.Concat(o.Include, o.Exclude), func(m organization.Match) bool { return len(m.Tags) > 0 })
}

// override returns the override for the account, nil if there is none.
func (o *Organization) override(id string) *Account {
	i, found := slices.BinarySearchFunc(o.Overrides, id, func(a Account, id string) int { return cmp.Compare(a.ID, id) })
	if !found {
		return nil
	}
	return &o.Overrides[i]
}

// AccountFor returns how to watch an account of the organization. What its override
// says of name and tags comes before what the organization tells.
func (o *Organization) AccountFor(told organization.Account) Account {
	account := o.Default
	if override := o.override(told.ID); override != nil {
		account = *override
	}
	account.ID, account.Name = told.ID, cmp.Or(account.Name, told.Name)
	if account.Tags == nil {
		account.Tags = told.Tags
	}
	if !o.UnitNames {
		told.OUNames = nil // they may be known from before
	}
	account.Units, account.OUPath = told.OUPath, shownPath(told)
	return account
}

// shownPath joins the root's id and, for each organizational unit, its name, or its
// id where no name is known or one with a slash would look like two.
func shownPath(told organization.Account) string {
	parts := slices.Clone(told.OUPath)
	for i, name := range told.OUNames {
		if name != "" && !strings.Contains(name, "/") {
			parts[i] = name
		}
	}
	return strings.Join(parts, "/")
}

// Known returns the accounts to watch that are known before anybody is asked: those of
// the list, or else Own; none where an organization has them.
func (c *Config) Known() []Account {
	if c.Organization == nil && c.Accounts == nil {
		return []Account{c.Own}
	}
	return c.Accounts
}

// Discovery returns what is to be asked of the organization.
func (c *Config) Discovery() awsapi.Discovery {
	return awsapi.Discovery{Tags: len(c.Policy.AccountTags) > 0, UnitNames: c.Organization != nil && c.Organization.UnitNames}
}
