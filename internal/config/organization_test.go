package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// wholeOrganization is what organization.yml says.
func wholeOrganization(class policy.Class) Config {
	settings := Settings{Source: awsapi.SourceReport, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour, Tags: awsapi.TagsFromAuthorizationDetails}
	return Config{
		Own: Account{Settings: Settings{Tags: awsapi.TagsFromAuthorizationDetails}},
		Policy: &policy.Policy{
			Default: class,
			Classes: []policy.Class{{
				Name: "sandboxes", Limits: class.Limits,
				Match: policy.Match{
					AccountOU: "ou-ab12-sand1234", AccountName: policy.Glob("sand*"),
					AccountTags: []policy.TagMatch{{Key: "owner", Value: policy.Glob("platform")}},
				},
			}},
			OwnerTags: []string{"Owner"}, AccountTags: []string{"Owner", "Environment"},
			Users: policy.Selection{
				Include: []policy.Match{{AccountOU: "ou-ab12-shown123"}},
				Exclude: []policy.Match{{AccountOU: "ou-ab12-hidden12"}},
			},
		},
		Organization: &Organization{
			Include: []organization.Match{
				{OU: "ou-ab12-prod1234"},
				{OU: "r-ab12", Name: "prod-*"},
				{ID: "123456789012"},
				{Tags: []organization.TagMatch{{Key: "Owner", Value: "platform"}, {Key: "environment", Value: "prod*"}}},
			},
			IncludeAt: []string{
				filepath.Join("testdata", "organization.yml") + ":20: organization.include[0]",
				filepath.Join("testdata", "organization.yml") + ":21: organization.include[1]",
				filepath.Join("testdata", "organization.yml") + ":23: organization.include[2]",
				filepath.Join("testdata", "organization.yml") + ":24: organization.include[3]",
			},
			Exclude: []organization.Match{
				{ID: "222222222222", Reason: "sandbox"},
				{OU: "ou-ab12-closed123", Reason: "being wound up"},
				{Tags: []organization.TagMatch{{Key: "Owner"}}},
			},
			UnitNames: true,
			Default:   Account{Role: &awsapi.Role{Name: "audit/aws-iam-exporter", ExternalID: "s3cr3t-1"}, Settings: settings},
			Overrides: []Account{
				{
					ID: "012345678901", Role: &awsapi.Role{Name: "legacy-audit", ExternalID: "s3cr3t-2"},
					Settings: Settings{Source: awsapi.SourceAuto, RefreshInterval: 10 * time.Minute, KeysInterval: 2 * time.Hour, Tags: awsapi.TagsFromListUserTags},
				},
				{ID: "333333333333", Name: "the hub", Tags: inventory.Tags{{Key: "Owner", Value: "ops"}}, Settings: settings},
			},
		},
		Sessions:  awsapi.Sessions{InitialRole: "arn:aws:iam::999988887777:role/hub", Name: "aws_iam_exporter"},
		Partition: "aws",
	}
}

// changesOfOrganization holds, for each field that only an organization has, a change
// of it in organization.yml.
func changesOfOrganization() map[string][2]string {
	return map[string][2]string{
		"policy.classes[].match.account_ou":         {"ou-ab12-sand1234", "ou-ab12-sand1235"},
		"users.include[].account_ou":                {"ou-ab12-shown123", "ou-ab12-shown124"},
		"users.exclude[].account_ou":                {"ou-ab12-hidden12", "ou-ab12-hidden13"},
		"organization.include[].id":                 {"123456789012", "123456789013"},
		"organization.include[].name":               {"\"prod-*\"", "\"test-*\""},
		"organization.include[].ou":                 {"ou-ab12-prod1234", "ou-ab12-prod1235"},
		"organization.include[].tags":               {"environment: \"prod*\"", "environment: \"test*\""},
		"organization.exclude[].id":                 {"222222222222", "222222222223"},
		"organization.exclude[].ou":                 {"ou-ab12-closed123", "ou-ab12-closed124"},
		"organization.exclude[].tags":               {"tags: {Owner: \"\"}", "tags: {Owner: \"x\"}"},
		"organization.exclude[].reason":             {"being wound up", "wound up"},
		"organization.ou_names":                     {"ou_names: true", "ou_names: false"},
		"organization.overrides[].id":               {"333333333333", "333333333334"},
		"organization.overrides[].name":             {"the hub", "the hub!"},
		"organization.overrides[].role":             {"role/legacy-audit", "role/audit"},
		"organization.overrides[].external_id":      {"s3cr3t-2", "s3cr3t-3"},
		"organization.overrides[].source":           {"source: auto", "source: live"},
		"organization.overrides[].refresh_interval": {"interval: 10m", "interval: 11m"},
		"organization.overrides[].keys_interval":    {"interval: 2h", "interval: 3h"},
		"organization.overrides[].tags_from":        {"tags_from: ListUserTags", "tags_from: GetAccountAuthorizationDetails"},
		"organization.overrides[].tags":             {"{Owner: ops}", "{Owner: dev}"},
	}
}

func parseOrganization(t *testing.T, content string) *Config {
	t.Helper()
	c, err := Parse("f.yml", []byte(content), flags())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAccountFor(t *testing.T) {
	o := parseOrganization(t, `
account_defaults: {role: audit, source: report}
organization:
  overrides:
    - {id: "333333333333", role: null}
    - {id: "222222222222", role: legacy, source: auto, name: mine, tags: {Owner: ops}}
    - {id: "444444444444", tags: {}}
`).Organization
	told := func(id string) organization.Account {
		return organization.Account{
			ID: id, Name: "theirs", State: organization.Active, Tags: inventory.Tags{{Key: "Owner", Value: "dev"}},
			OUPath: []string{"r-ab12", "ou-ab12-prod1234"},
		}
	}
	report := Settings{Source: awsapi.SourceReport, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour}
	auto := report
	auto.Source = awsapi.SourceAuto
	units, path := []string{"r-ab12", "ou-ab12-prod1234"}, "r-ab12/ou-ab12-prod1234"
	for name, test := range map[string]struct {
		told organization.Account
		want Account
	}{
		"by default": {told("111111111111"), Account{
			ID: "111111111111", Name: "theirs", Tags: inventory.Tags{{Key: "Owner", Value: "dev"}}, Role: &awsapi.Role{Name: "audit"},
			Settings: report, Units: units, OUPath: path,
		}},
		"nothing is known": {organization.Account{ID: "111111111111", State: organization.Unknown}, Account{
			ID: "111111111111", Role: &awsapi.Role{Name: "audit"}, Settings: report,
		}},
		"own credentials": {told("333333333333"), Account{
			ID: "333333333333", Name: "theirs", Tags: inventory.Tags{{Key: "Owner", Value: "dev"}}, Settings: report, Units: units, OUPath: path,
		}},
		"another name and other tags": {told("222222222222"), Account{
			ID: "222222222222", Name: "mine", Tags: inventory.Tags{{Key: "Owner", Value: "ops"}}, Role: &awsapi.Role{Name: "legacy"},
			Settings: auto, Units: units, OUPath: path,
		}},
		"no tags": {told("444444444444"), Account{
			ID: "444444444444", Name: "theirs", Tags: inventory.Tags{}, Role: &awsapi.Role{Name: "audit"}, Settings: report, Units: units, OUPath: path,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, o.AccountFor(test.told)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestShownPath(t *testing.T) {
	ids := []string{"r-ab12", "ou-ab12-prod1234", "ou-ab12-team1234"}
	for want, names := range map[string][]string{
		"r-ab12/ou-ab12-prod1234/ou-ab12-team1234": nil,
		"r-ab12/Production/Team Ä":                 {"", "Production", "Team Ä"},
		"r-ab12/Production/ou-ab12-team1234":       {"", "Production", ""},
		"r-ab12/ou-ab12-prod1234/Team":             {"", "Production/Web", "Team"},
	} {
		told := organization.Account{OUPath: ids, OUNames: names}
		if got := shownPath(told); got != want {
			t.Errorf("names %q: got %q, want %q", names, got, want)
		}
		if told.OUPath[1] != "ou-ab12-prod1234" {
			t.Fatalf("names %q: the ids are now %q", names, told.OUPath)
		}
	}
}

func TestUnmatched(t *testing.T) {
	o := parseOrganization(t, `
account_defaults: {role: audit}
organization:
  include:
    - id: "111111111111"
    - {ou: r-ab12, name: "prod-*"}
    - id: "222222222222"
`).Organization
	listing := organization.Listing{Accounts: []organization.Account{{ID: "111111111111", State: organization.Suspended}}}
	want := "f.yml:6: organization.include[1]: got name prod-*, ou r-ab12, want what at least one account of the organization matches\n" +
		"f.yml:7: organization.include[2]: got id 222222222222, want what at least one account of the organization matches"
	if err := o.Unmatched(listing); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	listing.Accounts = append(listing.Accounts,
		organization.Account{ID: "222222222222"}, organization.Account{ID: "333333333333", Name: "prod-1", OUPath: []string{"r-ab12"}})
	if err := o.Unmatched(listing); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestDiscovery(t *testing.T) {
	for content, want := range map[string]awsapi.Discovery{
		"owner_tags: [Owner]": {},
		"account_defaults: {role: audit}\norganization: {}\nowner_tags: [Owner]\n":          {},
		"account_defaults: {role: audit}\norganization: {}\naccount_tags: [Owner]\n":        {Tags: true},
		"account_defaults: {role: audit}\norganization: {ou_names: true}\naccount_tags: []": {UnitNames: true},
	} {
		if got := parseOrganization(t, content).Discovery(); got != want {
			t.Errorf("%q: got %+v, want %+v", content, got, want)
		}
	}
}

// checkMatches holds the conditions of an organization to what everybody relies on.
func checkMatches(t *testing.T, o *Organization) {
	t.Helper()
	if len(o.Include) != len(o.IncludeAt) {
		t.Errorf("got %d places for %d includes", len(o.IncludeAt), len(o.Include))
	}
	for _, m := range append(append([]organization.Match{}, o.Include...), o.Exclude...) {
		if m.String() == "" {
			t.Error("got a match without a condition")
		}
	}
	for _, m := range o.Exclude {
		if m.Name != "" {
			t.Errorf("an exclude by name: %s", m)
		}
	}
}
