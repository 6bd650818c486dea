package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
)

const (
	initialRole = "arn:aws:iam::111111111111:role/hub"
	otherHub    = "arn:aws:iam::999999999999:role/other-hub"
)

// fileAccount is an account as the configuration file lists it.
func fileAccount(id, role, externalID string, source awsapi.Source, tags awsapi.TagSource) config.Account {
	a := config.Account{ID: id, Name: "named", Settings: config.Settings{Source: source, Tags: tags}}
	if role != "" {
		a.Role = &awsapi.Role{Name: role, ExternalID: awsapi.Secret(externalID)}
	}
	return a
}

// threeAccounts are two with a role, and the one of the credentials.
func threeAccounts() []config.Account {
	return []config.Account{
		fileAccount("333333333333", "audit/reader", "one", awsapi.SourceReport, awsapi.NoTags),
		fileAccount("222222222222", "legacy", "two", awsapi.SourceLive, awsapi.TagsFromListUserTags),
		fileAccount("444444444444", "", "", awsapi.SourceReport, awsapi.NoTags),
	}
}

// manyAccounts have roles of the same name.
func manyAccounts(n int, role func(int) string) []config.Account {
	var all []config.Account
	for i := range n {
		all = append(all, fileAccount(fmt.Sprintf("%012d", i), role(i), "", awsapi.SourceReport, awsapi.NoTags))
	}
	return all
}

func sameRole(int) string { return "audit/reader" }

// policyCase is a policy to print for accounts of a file.
type policyCase struct {
	name     string
	flags    []string
	accounts []config.Account
	sessions awsapi.Sessions
	want     string // without blanks; or the error
}

func (c *policyCase) print(t *testing.T) (awsapi.PolicyDocument, error) {
	t.Helper()
	s, _, err := parse(append([]string{"iam-policy"}, c.flags...), t.Output(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	read := &config.Config{File: "accounts.yml", Accounts: c.accounts, Sessions: c.sessions}
	if c.sessions.InitialRole != "" {
		read.Partition = "aws"
	}
	return (&policyPrinter{&s.iamPolicy, read}).document()
}

const (
	readsReports = `{"Sid":"ReadAccount","Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GetCredentialReport"],"Resource":"*"}`
	begins       = `{"Version":"2012-10-17","Statement":[`
)

func policyCases() []policyCase {
	hop := awsapi.Sessions{InitialRole: initialRole}
	identity := awsapi.Sessions{InitialRole: initialRole, SourceIdentity: "exporter"}
	trusted := func(conditions string) string {
		return begins + `{"Sid":"AssumedByHub","Effect":"Allow","Principal":{"AWS":"` + initialRole + `"},"Action":["sts:AssumeRole"]` + conditions + `}]}`
	}
	return []policyCase{
		{name: "account that the file lists", flags: []string{"--for=account"}, accounts: threeAccounts(), want: begins + readsReports + `]}`},
		{
			name: "hub", flags: []string{"--for=hub"}, accounts: threeAccounts(),
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::222222222222:role/legacy","arn:aws:iam::333333333333:role/audit/reader"]},` + readsReports + `]}`,
		},
		{
			name: "initial role", flags: []string{"--for=hub"}, accounts: threeAccounts(), sessions: hop,
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::222222222222:role/legacy","arn:aws:iam::333333333333:role/audit/reader"]}]}`,
		},
		{
			name: "own credentials before the initial role", flags: []string{"--for=caller"}, accounts: threeAccounts(), sessions: hop,
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["` + initialRole + `"]},` + readsReports + `]}`,
		},
		{
			name: "own credentials that read nothing", flags: []string{"--for=caller"}, accounts: threeAccounts()[:2], sessions: identity,
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":["` + initialRole + `"]}]}`,
		},
		{
			name: "hub of the default role", flags: []string{"--for=hub"},
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::*:role/aws-iam-exporter"]}]}`,
		},
		{
			name: "hub of a role", flags: []string{"--for=hub", "--role=/audit/reader", "--partition=aws-cn"},
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws-cn:iam::*:role/audit/reader"]}]}`,
		},
		{
			name: "more accounts than a policy takes", flags: []string{"--for=hub"}, accounts: manyAccounts(1000, sameRole),
			want: begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::*:role/audit/reader"]}]}`,
		},
		{
			name: "more names than a policy takes", flags: []string{"--for=hub"},
			accounts: manyAccounts(1000, func(i int) string { return fmt.Sprintf("reader-%04d", i) }),
			want:     "the accounts' roles have so many names that AWS takes no policy that lists them (6144 characters): give roles the same name",
		},
		{name: "member", flags: []string{"--for=member", "--account-id=333333333333"}, accounts: threeAccounts(), want: begins + readsReports + `]}`},
		{
			name: "trust without conditions", flags: []string{"--for=member", "--trust", "--hub-role=" + initialRole}, accounts: manyAccounts(2, sameRole),
			want: trusted(""),
		},
		{name: "trust without a file", flags: []string{"--for=member", "--trust", "--hub-role=" + initialRole}, want: trusted("")},
		{
			name: "trust of the initial role, with an external id", flags: []string{"--for=member", "--trust", "--account-id=222222222222"}, accounts: threeAccounts(), sessions: hop,
			want: trusted(`,"Condition":{"StringEquals":{"sts:ExternalId":"two"}}`),
		},
		{
			name:     "trust of all accounts, in an organization",
			flags:    []string{"--for=member", "--trust", "--organization-id=o-a1b2c3d4e5", "--hub-role=" + initialRole},
			accounts: []config.Account{threeAccounts()[0], threeAccounts()[0]}, sessions: hop,
			want: trusted(`,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5","sts:ExternalId":"one"}}`),
		},
		{
			name:     "trust with a source identity",
			flags:    []string{"--for=member", "--trust", "--organization-id=o-a1b2c3d4e5"},
			accounts: threeAccounts()[:1], sessions: identity,
			want: strings.TrimSuffix(trusted(`,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5","sts:ExternalId":"one"}}`), "]}") +
				`,{"Sid":"SourceIdentity","Effect":"Allow","Principal":{"AWS":"` + initialRole + `"},"Action":["sts:SetSourceIdentity"],` +
				`"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5","sts:SourceIdentity":"exporter"}}}]}`,
		},
		{
			name: "trust with several external ids", flags: []string{"--for=member", "--trust"}, accounts: threeAccounts(), sessions: hop,
			want: "flag --trust: got it for accounts with different external ids (333333333333 and 222222222222), want one account, by --account-id",
		},
		{
			name: "trust of another than the initial role", flags: []string{"--for=member", "--trust", "--hub-role=" + otherHub}, accounts: threeAccounts(), sessions: hop,
			want: "flag --hub-role: got " + otherHub + ", want none, or the initial_role of accounts.yml, which is " + initialRole,
		},
		{
			name: "trust of nobody", flags: []string{"--for=member", "--trust"}, accounts: threeAccounts(),
			want: "flag --trust: got no role to trust, want its ARN by --hub-role, or an initial_role in --config.file",
		},
		{
			name: "account that is not listed", flags: []string{"--for=member", "--account-id=555555555555"}, accounts: threeAccounts(),
			want: "flag --account-id: got 555555555555, want an account that accounts.yml lists",
		},
		{
			name: "account without a role", flags: []string{"--for=member", "--account-id=444444444444"}, accounts: threeAccounts(),
			want: "flag --account-id: got 444444444444, whose role is null in accounts.yml, want an account with a role",
		},
		{
			name: "nothing to assume", flags: []string{"--for=hub"}, accounts: threeAccounts()[2:],
			want: "flag --for: got hub, want account: no account of accounts.yml has a role",
		},
		{
			name: "role beside accounts", flags: []string{"--for=hub", "--role=reader"}, accounts: threeAccounts(),
			want: "flag --role: got reader, want none: accounts.yml names the accounts' roles",
		},
		{
			name: "own credentials that are the hub", flags: []string{"--for=caller"}, accounts: threeAccounts(),
			want: "flag --for: got caller, want a --config.file with an initial_role beside it; without one, the exporter's own credentials are the hub",
		},
		{
			name: "another partition", flags: []string{"--for=hub", "--partition=aws-cn"}, accounts: threeAccounts(), sessions: hop,
			want: "flag --partition: got aws-cn, want aws, the partition of the roles in accounts.yml",
		},
	}
}

func TestPrintedPolicies(t *testing.T) {
	setEnvironment(t, nil)
	for _, c := range policyCases() {
		t.Run(c.name, func(t *testing.T) {
			document, err := c.print(t)
			if err != nil {
				if diff := cmp.Diff(c.want, err.Error()); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				return
			}
			got := must[string](t)(document.Minified())
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			printed := must[[]byte](t)(document.JSON())
			if !json.Valid(printed) || !strings.HasSuffix(string(printed), "}\n") {
				t.Errorf("not JSON with a line break at its end:\n%s", printed)
			}
		})
	}
}

// TestOrderOfAccounts has the same accounts in another order give the same policy.
func TestOrderOfAccounts(t *testing.T) {
	setEnvironment(t, nil)
	for _, audience := range []string{"account", "member", "hub"} {
		c := policyCase{flags: []string{"--for=" + audience}, accounts: threeAccounts()}
		want := must[awsapi.PolicyDocument](t)(c.print(t))
		slices.Reverse(c.accounts)
		got := must[awsapi.PolicyDocument](t)(c.print(t))
		if diff := cmp.Diff(must[string](t)(want.Minified()), must[string](t)(got.Minified())); diff != "" {
			t.Errorf("--for=%s (-in order +reversed):\n%s", audience, diff)
		}
	}
}

// TestMemberOfSeveralKinds has one policy for accounts with different settings
// allow what any of them needs, and no more.
func TestMemberOfSeveralKinds(t *testing.T) {
	setEnvironment(t, nil)
	c := policyCase{flags: []string{"--for=member"}, accounts: threeAccounts()}
	got := must[string](t)(must[awsapi.PolicyDocument](t)(c.print(t)).Minified())

	accounts := threeAccounts()
	want := map[string]bool{}
	for _, a := range accounts[:2] {
		for _, o := range awsapi.OperationsFor(awsapi.Needs{Source: a.Source, Tags: a.Settings.Tags, Named: true}) {
			want[o.Action()] = !o.Free
		}
	}
	for _, o := range awsapi.Operations() {
		if allowed := strings.Contains(got, `"`+o.Action()+`"`); allowed != want[o.Action()] {
			t.Errorf("%s: allowed %t, want %t", o.Action(), allowed, want[o.Action()])
		}
	}
}

// TestPolicyOfFewAccountsNamesThem finds the number of accounts up to which the
// hub's policy names each role; its policy is then as long as AWS takes.
func TestPolicyOfFewAccountsNamesThem(t *testing.T) {
	setEnvironment(t, nil)
	named, longest := 0, 0
	for n := 1; n <= 200; n++ {
		c := policyCase{flags: []string{"--for=hub"}, accounts: manyAccounts(n, sameRole)}
		text := must[string](t)(must[awsapi.PolicyDocument](t)(c.print(t)).Minified())
		longest = max(longest, len(text))
		if !strings.Contains(text, "iam::*:role") {
			named = n
		}
	}
	if one := len(`"arn:aws:iam::000000000000:role/audit/reader",`); longest > 6144 || longest < 6144-one {
		t.Errorf("longest policy: got %d characters, want 6144, or less than %d fewer", longest, one)
	}
	if named < 100 || named == 200 {
		t.Errorf("accounts named one by one: got up to %d, want more than 100 and not all", named)
	}
}

// TestPolicyOfFile reads accounts, external ids and sessions from a file.
func TestPolicyOfFile(t *testing.T) {
	setEnvironment(t, nil)
	file := newConfigFile(t, `
account_defaults:
  role: audit/reader
  external_id: s3cr3t
  initial_role: arn:aws:iam::111111111111:role/hub
  source_identity: exporter
  source: report
accounts:
  - {id: "222222222222"}
  - {id: "333333333333", name: production}
  - {id: "444444444444", role: null}
`)
	for name, test := range map[string]struct {
		flags []string
		want  []string
		not   []string
	}{
		"account": {nil, []string{"iam:GetCredentialReport"}, []string{"sts:", "s3cr3t"}},
		"member":  {[]string{"--for=member"}, []string{"iam:GetCredentialReport"}, []string{"sts:", "s3cr3t"}},
		"hub": {
			[]string{"--for=hub"},
			[]string{"sts:AssumeRole", "sts:SetSourceIdentity", "arn:aws:iam::222222222222:role/audit/reader", "arn:aws:iam::333333333333:role/audit/reader"},
			[]string{"iam:Get", "444444444444", "s3cr3t"},
		},
		"caller": {[]string{"--for=caller"}, []string{"sts:AssumeRole", initialRole, "iam:GetCredentialReport"}, []string{"audit/reader", "s3cr3t"}},
		"trust": {
			[]string{"--for=member", "--trust"},
			[]string{initialRole, `"sts:ExternalId": "s3cr3t"`, `"sts:SourceIdentity": "exporter"`},
			[]string{"iam:Get", "audit/reader"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, append([]string{"iam-policy", file.flag()}, test.flags...)...)
			if code != 0 || stderr != "" || !json.Valid([]byte(stdout)) {
				t.Fatalf("got exit code %d, stderr %q and stdout %q, want a policy", code, stderr, stdout)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("want %s in\n%s", want, stdout)
				}
			}
			for _, not := range test.not {
				if strings.Contains(stdout, not) {
					t.Errorf("want no %s in\n%s", not, stdout)
				}
			}
		})
	}
}

// TestPolicyOfOrganization has accounts that nobody has named, and some overrides.
func TestPolicyOfOrganization(t *testing.T) {
	setEnvironment(t, nil)
	organization := func(more string) configFile {
		return newConfigFile(t, `
account_defaults: {role: audit/reader, external_id: one, source: report`+more+`}
account_tags: [Owner]
organization:
  ou_names: true
  overrides:
    - {id: "222222222222", role: legacy, external_id: two, source: live}
    - {id: "333333333333", role: null}
    - {id: "444444444444", source: live}
`)
	}
	plain, hop := organization(""), organization(", initial_role: '"+initialRole+"'")
	few := newConfigFile(t, "account_defaults: {role: reader}\norganization: {}\n")
	const (
		assumes   = `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::*:role/audit/reader","arn:aws:iam::*:role/legacy"]}`
		discovers = `{"Sid":"ReadOrganization","Effect":"Allow","Action":["organizations:DescribeOrganization",` +
			`"organizations:DescribeOrganizationalUnit","organizations:ListAccounts","organizations:ListTagsForResource"],"Resource":"*"}`
		readsOwn = `{"Sid":"ReadAccount","Effect":"Allow","Action":["iam:GenerateCredentialReport","iam:GetCredentialReport","iam:ListAccountAliases"],"Resource":"*"}`
	)
	trusts := func(externalID string) string {
		return begins + `{"Sid":"AssumedByHub","Effect":"Allow","Principal":{"AWS":"` + initialRole + `"},"Action":["sts:AssumeRole"],` +
			`"Condition":{"StringEquals":{"sts:ExternalId":"` + externalID + `"}}}]}`
	}
	for name, test := range map[string]struct {
		file  configFile
		flags []string
		want  string // or the error, in which FILE stands for the file
	}{
		"hub":          {plain, []string{"--for=hub"}, begins + assumes + "," + discovers + "," + readsReports + "]}"},
		"initial role": {hop, []string{"--for=hub"}, begins + assumes + "," + discovers + "]}"},
		"caller": {
			hop,
			[]string{"--for=caller"},
			begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["` + initialRole + `"]},` + readsReports + "]}",
		},
		"hub that asks for neither tags nor names": {
			few,
			[]string{"--for=hub"},
			begins + `{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::*:role/reader"]},` +
				`{"Sid":"ReadOrganization","Effect":"Allow","Action":["organizations:DescribeOrganization","organizations:ListAccounts"],"Resource":"*"}]}`,
		},
		"own account":                   {plain, nil, begins + readsReports + "]}"},
		"own account that is not named": {few, []string{"--iam.source=report"}, begins + readsOwn + "]}"},
		"every member": {plain, []string{"--for=member"}, must[string](t)(awsapi.Reading("aws", "*",
			awsapi.Needs{Source: awsapi.SourceReport, Named: true}, awsapi.Needs{Source: awsapi.SourceLive, Named: true}).Minified())},
		"member without an override":       {plain, []string{"--for=member", "--account-id=555555555555"}, begins + readsReports + "]}"},
		"trust of one without an override": {hop, []string{"--for=member", "--trust", "--account-id=555555555555"}, trusts("one")},
		"trust of one with an override":    {hop, []string{"--for=member", "--trust", "--account-id=222222222222"}, trusts("two")},
		"trust of all": {
			hop,
			[]string{"--for=member", "--trust"},
			"flag --trust: got it for accounts with different external ids (those without an override and 222222222222), want one account, by --account-id",
		},
		"member of the own credentials": {
			plain,
			[]string{"--for=member", "--account-id=333333333333"},
			"flag --account-id: got 333333333333, whose role is null in FILE, want an account with a role",
		},
		"role beside the organization": {plain, []string{"--for=hub", "--role=reader"}, "flag --role: got reader, want none: FILE names the accounts' roles"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := parse(append([]string{"iam-policy", test.file.flag()}, test.flags...), t.Output(), t.Output())
			check(t, err)
			document, err := (&policyPrinter{&s.iamPolicy, must[*config.Config](t)(configuration(awsSource{}, s))}).document()
			if err != nil {
				if want := strings.ReplaceAll(test.want, "FILE", test.file.name); err.Error() != want {
					t.Errorf("got error %v, want %s", err, want)
				}
				return
			}
			if diff := cmp.Diff(test.want, must[string](t)(document.Minified())); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}
