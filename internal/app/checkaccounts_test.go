package app

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const (
	testOrganization = "o-exampleorgid"
	prodUnit         = "ou-ab12-prod1234"
	teamUnit         = "ou-ab12-team1234"
	closedUnit       = "ou-ab12-closed123"
)

// organizationFile chooses among the accounts of newOrganization.
const organizationFile = `account_defaults: {role: audit/exporter, external_id: ` + externalID + `, source: report}
account_tags: [Stage]
organization:
  include:
    - {ou: ` + prodUnit + `}
    - {name: "home"}
    - {tags: {stage: "p*"}}
  exclude:
    - id: "444444444444"
      reason: |
        a sandbox,
        which	nobody needs
    - {ou: ` + closedUnit + `}
  ou_names: true
  overrides:
    - {id: "111111111111", role: null}
    - {id: "222222222222", role: legacy, name: our name}
    - {id: "999999999999", source: auto}
`

// newOrganization is an organization that the account of the own credentials manages.
func newOrganization() (*awssim.Realm, *awssim.Organization) {
	realm := awssim.NewRealm(awssim.New(awssim.Options{AccountID: homeID}))
	return realm, organize(realm)
}

// organize makes the realm part of that organization.
func organize(realm *awssim.Realm) *awssim.Organization {
	o := awssim.NewOrganization(testOrganization, homeID)
	o.SetMembers(
		awssim.Member{ID: homeID, Name: "home", State: "ACTIVE"},
		awssim.Member{ID: largeID, Name: "large", State: "ACTIVE", Units: []string{prodUnit, teamUnit}},
		awssim.Member{ID: smallID, Name: "small", State: "SUSPENDED", Units: []string{prodUnit}},
		awssim.Member{ID: "444444444444", Name: "sandbox", State: "ACTIVE", Units: []string{prodUnit}},
		awssim.Member{ID: "555555555555", Name: "tagged", Units: []string{}, Paths: []string{}, Tags: []awssim.Tag{{Key: "Stage", Value: "prod"}}},
		awssim.Member{ID: "666666666666", Name: "other", State: "ACTIVE"},
		awssim.Member{ID: "777777777777", Name: "old", State: "PENDING_CLOSURE", Units: []string{closedUnit}},
	)
	o.NameUnit(prodUnit, "Production")
	o.NameUnit(teamUnit, "Team A/B")
	o.NameUnit(closedUnit, "Closed")
	realm.SetOrganization(o)
	return o
}

// listOrganization runs check-config --accounts on the file.
func listOrganization(t *testing.T, realm *awssim.Realm, file configFile, args ...string) (string, error) {
	t.Helper()
	s, _, err := parse(append([]string{"check-config", file.name, "--accounts"}, args...), t.Output(), t.Output())
	check(t, err)
	c, err := checked(s)
	check(t, err)
	var stdout bytes.Buffer
	err = checkOrganization(t.Context(), awsSource{config: realm.Config()}, s, c, &stdout)
	return stdout.String(), err
}

func TestCheckOrganization(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		realm, o := newOrganization()
		got, err := listOrganization(t, realm, newConfigFile(t, organizationFile), "--total-shards=3", "--shard=2")
		check(t, err)
		want := `id            name      ou                                  state            role            shard  watched  why
111111111111  home      r-ab12                              active           own             0      yes      included by include[1] (name home)
222222222222  our name  r-ab12/Production/ou-ab12-team1234  active           legacy          0      yes      included by include[0] (ou ou-ab12-prod1234)
333333333333  small     r-ab12/Production                   suspended        audit/exporter  2      no       suspended; otherwise included by include[0] (ou ou-ab12-prod1234)
444444444444  sandbox   r-ab12/Production                   active           audit/exporter  0      no       excluded by exclude[0]: a sandbox, which nobody needs
555555555555  tagged    -                                   unknown          audit/exporter  2      yes      included by include[2] (tag stage=p*); its state is not known; exclude[1] (ou ou-ab12-closed123) might match: not known: its organizational units
666666666666  other     r-ab12                              active           audit/exporter  0      no       not in include
777777777777  old       r-ab12/Closed                       pending_closure  audit/exporter  2      no       excluded by exclude[1] (ou ou-ab12-closed123)
override for 999999999999: no such account is in organization o-exampleorgid
accounts: 7, watched: 3, of these in shard 2 of 3: 1
cost: wants 4.17 calls an hour (reports 0.75, roles 1, discovery 2.4); 3,000 CloudTrail events a month, 0.06 USD for each paid copy of a trail
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if calls := o.Calls(); calls["ListAccounts"] != 1 || calls["ListTagsForResource"] != 7 || calls["DescribeOrganizationalUnit"] != 3 {
			t.Errorf("got calls %v", calls)
		}
		if assumed := realm.Assumed(); len(assumed) != 0 {
			t.Errorf("roles were assumed: %v", assumed)
		}
	})
}

// TestCheckOrganizationByInitialRole lists with the role that assumes the others.
func TestCheckOrganizationByInitialRole(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		home, hub := awssim.New(awssim.Options{AccountID: homeID}), awssim.New(awssim.Options{AccountID: largeID})
		realm, o := awssim.NewRealm(home, hub), awssim.NewOrganization(testOrganization, smallID)
		realm.AddRole(hub, "hub", "")
		o.SetMembers(awssim.Member{ID: smallID, Name: "payer", State: "ACTIVE"}, awssim.Member{ID: largeID, Name: "hub", State: "ACTIVE"})
		o.Delegate(largeID)
		realm.SetOrganization(o)
		file := newConfigFile(t, "account_defaults: {role: audit, initial_role: 'arn:aws:iam::222222222222:role/hub'}\norganization: {}\n")
		got, err := listOrganization(t, realm, file, "--iam.source=report")
		check(t, err)
		want := `id            name   ou      state   role   watched  why
222222222222  hub    r-ab12  active  audit  yes      included: there is no include, so every account is
333333333333  payer  r-ab12  active  audit  yes      included: there is no include, so every account is
accounts: 2, watched: 2
cost: wants 6.5 calls an hour (reports 1.5, roles 3, discovery 2); 4,680 CloudTrail events a month, 0.09 USD for each paid copy of a trail
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestCheckOrganizationFails(t *testing.T) {
	setEnvironment(t, nil)
	const file = "account_defaults: {role: audit}\naccount_tags: [Stage]\norganization:\n  include:\n    - {id: '222222222222'}\n"
	for name, test := range map[string]struct {
		content, region string
		faults          map[string]http.HandlerFunc
		lists           bool // the accounts all the same
		want            string
	}{
		"includes of nobody": {
			content: file + "    - {name: \"prod-*\"}\n    - {tags: {Stage: test}}\n    - {ou: ou-ab12-other123}\n", lists: true,
			want: "FILE:6: organization.include[1]: got name prod-*, want what at least one account of the organization matches\n" +
				"FILE:7: organization.include[2]: got tag Stage=test, want what at least one account of the organization matches\n" +
				"FILE:8: organization.include[3]: got ou ou-ab12-other123, want what at least one account of the organization matches",
		},
		"the listing is denied": {
			content: file, faults: map[string]http.HandlerFunc{"ListAccounts": awssim.JSONError(400, "AccessDeniedException", "no")},
			want: "organizations:ListAccounts",
		},
		"no organization": {
			content: file, faults: map[string]http.HandlerFunc{"DescribeOrganization": awssim.JSONError(400, "AWSOrganizationsNotInUseException", "none")},
			want: "organizations:DescribeOrganization",
		},
		"tags are denied": {
			content: file, lists: true, faults: map[string]http.HandlerFunc{"ListTagsForResource": awssim.JSONError(400, "AccessDeniedException", "no")},
			want: "organizations:ListTagsForResource",
		},
		"another partition": {
			content: "account_defaults: {role: audit, initial_role: 'arn:aws-cn:iam::222222222222:role/hub'}\norganization: {}\n",
			want:    "FILE: got roles in the partition aws-cn, want aws, which the region us-east-1 is in; one process watches one partition",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				realm, o := newOrganization()
				o.SetFault(func(operation string, _ int) http.HandlerFunc { return test.faults[operation] })
				f := newConfigFile(t, test.content)
				got, err := listOrganization(t, realm, f)
				if want := strings.ReplaceAll(test.want, "FILE", f.name); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				if strings.Contains(got, largeID) != test.lists {
					t.Errorf("got %q, want a list: %t", got, test.lists)
				}
			})
		})
	}
}

// TestCheckListedAccounts asks nobody.
func TestCheckListedAccounts(t *testing.T) {
	setEnvironment(t, nil)
	file := newConfigFile(t, accountList)
	got, stderr, code := runArgs(t, "check-config", file.name, "--accounts", "--iam.source=report", "--total-shards=3")
	want := `id            name   ou  state  role            shard  watched  why
111111111111  home   -   -      own             0      yes      in the list of accounts
222222222222  large  -   -      audit/exporter  0      yes      in the list of accounts
333333333333  -      -   -      exporter        2      yes      in the list of accounts
accounts: 3, watched: 3, of these in shard 0 of 3: 2
cost: wants 2.5 calls an hour (reports 1.5, roles 1); 1,800 CloudTrail events a month, 0.04 USD for each paid copy of a trail
`
	if diff := cmp.Diff(want, got); diff != "" || stderr != "" || code != 0 {
		t.Errorf("got exit code %d, stderr %q, -want +got:\n%s", code, stderr, diff)
	}
	for content, want := range map[string]string{
		"owner_tags: [Owner]\n": "flag --accounts: got it for FILE, want a file with accounts or an organization: without either, the account of the own credentials is watched\n",
		"organization: {}\n":    "FILE:1: account_defaults.role: missing, want the role to assume in the organization's accounts\n",
	} {
		file := newConfigFile(t, content)
		got, stderr, code := runArgs(t, "check-config", file.name, "--accounts")
		if want := "aws_iam_exporter: error: " + strings.ReplaceAll(want, "FILE", file.name); got != "" || stderr != want || code != 1 {
			t.Errorf("got exit code %d, stdout %q, stderr %q, want %q", code, got, stderr, want)
		}
	}
}

// TestCheckConfigOfOrganization asks nobody, and so knows no cost.
func TestCheckConfigOfOrganization(t *testing.T) {
	setEnvironment(t, nil)
	got, stderr, code := runArgs(t, "check-config", newConfigFile(t, organizationFile).name)
	want := "accounts of the organization: those that match one of 3 under include, but for those that match one of 2 under exclude\n"
	cost := "cost: depends on how many accounts the organization has; --accounts asks it\n"
	if code != 0 || stderr != "" || !strings.Contains(got, want) || !strings.HasSuffix(got, cost) {
		t.Errorf("got exit code %d, stderr %q, stdout %q, want %q and at its end %q", code, stderr, got, want, cost)
	}
}
