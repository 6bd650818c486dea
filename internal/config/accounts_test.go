package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

// mark is in every external id of the files, and in what might be one.
const mark = "s3cr3t"

// TestExternalIDsAreNotShown also looks at what only a debugger would print.
func TestExternalIDsAreNotShown(t *testing.T) {
	for _, file := range []string{"full.yml", "many-accounts.yml", "organization.yml"} {
		content := read(t, filepath.Join("testdata", file))
		if !strings.Contains(content, mark) {
			t.Fatalf("%s has no external id", file)
		}
		c, err := Parse(file, []byte(content), flags())
		if err != nil {
			t.Fatal(err)
		}
		shown := c.Summary(time.Time{})
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			shown += fmt.Sprintf(verb, c)
			accounts := c.Accounts
			if c.Organization != nil {
				shown += fmt.Sprintf(verb, c.Organization)
				accounts = append(c.Organization.Overrides, c.Organization.Default)
			}
			for _, a := range accounts {
				shown += fmt.Sprintf(verb+verb, a, a.Role)
			}
		}
		if strings.Contains(shown, mark) {
			t.Errorf("%s: an external id is shown in %s", file, shown)
		}
	}
	shown := 0
	for _, file := range files(t, "testdata/*.bad.yml") {
		if content := read(t, file); strings.Contains(content, mark) {
			shown++
			if _, err := Parse("f.yml", []byte(content), flags()); strings.Contains(err.Error(), mark) {
				t.Errorf("%s: an external id is shown in %s", file, err)
			}
		}
	}
	if shown < 5 {
		t.Errorf("got %d bad files with external ids, want 5 or more", shown)
	}
}

// TestExternalIDsAreNotShownInSyntaxErrors breaks a file behind its external ids.
func TestExternalIDsAreNotShownInSyntaxErrors(t *testing.T) {
	content := read(t, filepath.Join("testdata", "full.yml"))
	for _, by := range []string{"[", "]", "{", "}", ": ", "\"", "'", "*", "&", "!", "%", "@", "`", "\t", "\x01", "\xff", "#", "- ", "? ", "| ", "> ", ","} {
		for _, at := range []string{`"` + mark + ":of", `of=the/hub"`, `"` + mark + "-2", "-2\"\n"} {
			broken := strings.Replace(content, at, by+at, 1)
			if broken == content {
				t.Fatalf("full.yml does not hold %q", at)
			}
			for _, broken := range []string{broken, strings.Replace(content, at, by+strings.ReplaceAll(at, `"`, ""), 1)} {
				if _, err := Parse("f.yml", []byte(broken), flags()); err != nil && strings.Contains(err.Error(), mark) {
					t.Errorf("%q before %q: an external id is shown in %s", by, at, err)
				}
			}
		}
	}
}

func TestSummaryOfManyAccounts(t *testing.T) {
	var content strings.Builder
	content.WriteString("owner_tags: [Owner]\naccount_defaults: {role: audit, source: report}\naccounts:\n")
	for i := range 2000 {
		fmt.Fprintf(&content, "- {id: '%012d'", i)
		if i >= 1000 {
			fmt.Fprintf(&content, ", role: audit-%d", i%15)
		}
		if i%2 == 0 {
			content.WriteString(", keys_interval: 1d")
		}
		content.WriteString("}\n")
	}
	c, err := Parse("f.yml", []byte(content.String()), flags())
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(c.Summary(time.Time{}), "accounts: ")
	want := "2000\n  by role audit: 1000\n"
	for i := range 9 { // 1000 is 66 times 15 and 10
		want += fmt.Sprintf("  by role audit-%d: 67\n", (10+i)%15)
	}
	want += "  and in 6 other ways: 397\n" +
		"  read with source report, every 5m, keys every 1d, tags by GetAccountAuthorizationDetails: 1000\n" +
		"  read with source report, every 5m, keys every 1h, tags by GetAccountAuthorizationDetails: 1000\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSettingsOfAccounts gives an account settings from everywhere.
func TestSettingsOfAccounts(t *testing.T) {
	const needed, m = "owner_tags: [Owner]\n", time.Minute
	lists, details := awsapi.TagsFromListUserTags, awsapi.TagsFromAuthorizationDetails
	tests := []struct {
		name, top, defaults, own string
		want                     Settings
	}{
		{"flags", "", "", "", Settings{awsapi.SourceAuto, 5 * m, 60 * m, awsapi.NoTags}},
		{"defaults", "", "source: live, refresh_interval: 6m, keys_interval: 7m, ", "", Settings{awsapi.SourceLive, 6 * m, 7 * m, awsapi.NoTags}},
		{"own", "", "source: live, refresh_interval: 6m, keys_interval: 7m, ", "source: report, refresh_interval: 8m, keys_interval: 9m, ", Settings{awsapi.SourceReport, 8 * m, 9 * m, awsapi.NoTags}},
		{"keys follow the default", "", "refresh_interval: 61m, ", "", Settings{awsapi.SourceAuto, 61 * m, 61 * m, awsapi.NoTags}},
		{"keys follow the own", "", "refresh_interval: 61m, ", "refresh_interval: 62m, ", Settings{awsapi.SourceAuto, 62 * m, 62 * m, awsapi.NoTags}},
		{"keys need not follow", "", "refresh_interval: 61m, ", "refresh_interval: 60m, ", Settings{awsapi.SourceAuto, 60 * m, 60 * m, awsapi.NoTags}},
		{"keys as often as users", "", "keys_interval: 5m, ", "", Settings{awsapi.SourceAuto, 5 * m, 5 * m, awsapi.NoTags}},
		{"each second", "", "", "refresh_interval: 1s, keys_interval: 1s, ", Settings{awsapi.SourceAuto, time.Second, time.Second, awsapi.NoTags}},
		{"tags by default", needed, "", "", Settings{awsapi.SourceAuto, 5 * m, 60 * m, details}},
		{"tags of the file", needed + "tags_from: ListUserTags\n", "", "", Settings{awsapi.SourceAuto, 5 * m, 60 * m, lists}},
		{"own tags", needed, "", "tags_from: ListUserTags, ", Settings{awsapi.SourceAuto, 5 * m, 60 * m, lists}},
		{"own tags against the file", needed + "tags_from: ListUserTags\n", "", "tags_from: GetAccountAuthorizationDetails, ", Settings{awsapi.SourceAuto, 5 * m, 60 * m, details}},
		{"tags that nothing needs", "account_tags: [Owner]\ntags_from: ListUserTags\n", "", "tags_from: ListUserTags, ", Settings{awsapi.SourceAuto, 5 * m, 60 * m, awsapi.NoTags}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content := tt.top + "account_defaults: {" + tt.defaults + "role: audit}\naccounts: [{" + tt.own + "id: '111122223333'}]\n"
			c, err := Parse("f.yml", []byte(content), flags())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Accounts[0].Settings); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestOwnCredentialsAlone has the account of the exporter's own credentials, whatever
// the default role is.
func TestOwnCredentialsAlone(t *testing.T) {
	for _, null := range []string{"null", "Null", "NULL", "~"} {
		content := "account_defaults: {role: audit, external_id: s3cr3t}\naccounts: [{id: '111122223333', role: " + null + "}, {id: '222233334444'}]\n"
		c, err := Parse("f.yml", []byte(content), flags())
		if err != nil {
			t.Fatal(err)
		}
		if c.Accounts[0].Role != nil || c.Accounts[1].Role == nil {
			t.Errorf("%s: got roles %v and %v, want none and one", null, c.Accounts[0].Role, c.Accounts[1].Role)
		}
	}
}

// checkAccounts holds accounts that were accepted to what everybody relies on.
func checkAccounts(t *testing.T, c *Config) {
	t.Helper()
	own, ids, accounts := 0, map[string]bool{}, c.Accounts
	if o := c.Organization; o != nil {
		accounts = slices.Clone(o.Overrides)
		if other := "000000000000"; o.override(other) == nil {
			accounts = append(accounts, o.AccountFor(organization.Account{ID: other}))
		}
		checkMatches(t, o)
		if c.Accounts != nil || o.Default.Role == nil {
			t.Errorf("got %d accounts beside an organization whose role by default is %v, want none and a role", len(c.Accounts), o.Default.Role)
		}
	}
	for _, a := range accounts {
		s := a.Settings
		switch {
		case !accountIDs.MatchString(a.ID) || ids[a.ID]:
			t.Errorf("account %q: want 12 digits, once", a.ID)
		case a.Tags == nil && c.Organization == nil:
			t.Errorf("account %s: its tags are not known", a.ID)
		case s.Source == "" || s.RefreshInterval < time.Second || s.KeysInterval < s.RefreshInterval:
			t.Errorf("account %s: got settings %+v", a.ID, s)
		case (s.Tags == awsapi.NoTags) != (c.Own.Settings.Tags == awsapi.NoTags):
			t.Errorf("account %s: got tags from %q, want them as elsewhere, from %q", a.ID, s.Tags, c.Own.Settings.Tags)
		case a.Role == nil:
			own++
		case !roleARNs.MatchString(a.Role.ARN("aws", a.ID)):
			t.Errorf("account %s: got role %q", a.ID, a.Role.Name)
		}
		ids[a.ID] = true
	}
	if own > 1 {
		t.Errorf("got %d accounts of the exporter's own credentials, want one at most", own)
	}
	if (c.Sessions.Name == "") != (c.Accounts == nil && c.Organization == nil) {
		t.Errorf("got sessions named %q for %d accounts", c.Sessions.Name, len(c.Accounts))
	}
}
