package config

import "regexp"

type organizationSection struct {
	Include   accountInclusions `json:"include,omitempty" jsonschema:"Only accounts that match one of these. Without it, all accounts."`
	Exclude   []exclusion       `json:"exclude,omitempty" jsonschema:"No accounts that match one of these, even if included."`
	OUNames   bool              `json:"ou_names,omitempty" jsonschema:"Show the names of organizational units instead of their ids, which takes one call a day for each."`
	Overrides []account         `json:"overrides,omitempty" jsonschema:"Accounts that are read in another way than account_defaults says."`
}

type accountInclusions []inclusion

func (accountInclusions) atLeast() string { return inclusions(nil).atLeast() }

// inclusion says who is included. The account's name is not among the conditions of
// exclude, where a change of it would take somebody out of sight.
type inclusion struct {
	accountConditions
	Name nameGlob `json:"name,omitempty" jsonschema:"The account's whole name in the organization. * stands for any number of characters, ? for one."`
}

type exclusion struct {
	accountConditions
	Reason reason `json:"reason,omitempty" jsonschema:"Why, in words for people."`
}

type accountConditions struct {
	ID   accountID     `json:"id,omitempty" jsonschema:"The account's id."`
	OU   unit          `json:"ou,omitempty" jsonschema:"The organizational unit that the account is in, or the root, however deep below it."`
	Tags tagConditions `json:"tags,omitempty" jsonschema:"Tags that the account must have in the organization, each with a glob for its whole value. account_tags must list the keys."`
}

func (accountConditions) atLeast() string { return "at least one condition" }

func (exclusion) instead() map[string]string {
	return map[string]string{"name": "id, ou or tags, since the account's own administrators may change its name, and that must take nobody out of sight"}
}

// units matches the ids of organizational units and of roots:
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html
var units = regexp.MustCompile(`^(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32})$`)

// unit is the id of an organizational unit, or of the root.
type unit string

func (*unit) want() string {
	return "the id of an organizational unit, such as ou-ab12-prod1234, or of the root, such as r-ab12"
}

func (u *unit) set(text string) bool { return take(u, text, units) }
