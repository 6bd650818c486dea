package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/access"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// tryAccess runs check-access against the source.
func tryAccess(t *testing.T, from aws.Config, args ...string) *access.Result {
	t.Helper()
	from.Credentials = &caller{}
	return tryAccessFor(t.Context(), t, awsSource{config: from}, args...)
}

func tryAccessFor(ctx context.Context, t *testing.T, from awsSource, args ...string) *access.Result {
	t.Helper()
	s, _, err := parse(append([]string{"check-access"}, args...), t.Output(), t.Output())
	check(t, err)
	return must[*access.Result](t)(accessFrom(ctx, from, s, t.Output()))
}

// sameText holds the text to the golden file of that name.
func sameText(t *testing.T, name string, got *access.Result) {
	t.Helper()
	text := fmt.Sprintf("%sexit code %d\n", must[[]byte](t)(got.Text()), got.ExitCode)
	file := filepath.Join("testdata", "access", name+".txt")
	if *update {
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte(text), 0o644))
		return
	}
	if diff := cmp.Diff(string(must[[]byte](t)(os.ReadFile(file))), text); diff != "" {
		t.Errorf("%s: -want +got:\n%s", file, diff)
	}
}

// denied is AWS's answer to a caller that lacks a permission; because says why.
func denied(operation, because string) http.HandlerFunc {
	return awssim.Error(http.StatusForbidden, "AccessDenied",
		"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:"+operation+" on resource: user alice "+because)
}

func lacking(operation string) http.HandlerFunc {
	return denied(operation, "because no identity-based policy allows the iam:"+operation+" action")
}

// oneUser is an account with a user who has a key.
func oneUser(t *testing.T, o awssim.Options) *awssim.World {
	t.Helper()
	b := builder{t, awssim.New(o), time.Now()}
	b.user("alice", "/", 100*day)
	b.key("alice", 50*day, day)
	return b.world
}

func noUsers(*testing.T) *awssim.World { return awssim.New(awssim.Options{}) }

func usersWithoutKeys(n int) func(*testing.T) *awssim.World {
	return func(t *testing.T) *awssim.World {
		b := builder{t, awssim.New(awssim.Options{}), time.Now()}
		for i := range n {
			b.user(fmt.Sprintf("alice%d", i), "/", 100*day)
		}
		return b.world
	}
}

// TestCheckAccess compares everything that is printed for an account.
func TestCheckAccess(t *testing.T) {
	setEnvironment(t, nil)
	for name, test := range map[string]struct {
		world func(*testing.T) *awssim.World
		args  []string
		fault func(operation string, n int) http.HandlerFunc
	}{
		"granted": {},
		"granted to read live with tags": {
			args: []string{"--iam.source=live", "--metrics.access-key-id=suffix", configured(awsapi.SourceLive)},
		},
		"everything is denied": {fault: func(operation string, _ int) http.HandlerFunc {
			if operation == "GetCallerIdentity" { // which nobody can be denied
				return nil
			}
			return lacking(operation)
		}},
		"other policies deny": {fault: func(operation string, _ int) http.HandlerFunc {
			return map[string]http.HandlerFunc{
				"ListUsers":                lacking("ListUsers"),
				"GenerateCredentialReport": denied("GenerateCredentialReport", "with an explicit deny in a service control policy"),
				"GetCredentialReport":      denied("GetCredentialReport", "because no permissions boundary allows the iam:GetCredentialReport action"),
				"GetAccountSummary":        denied("GetAccountSummary", "with an explicit deny in an identity-based policy"),
				"ListAccountAliases":       denied("ListAccountAliases", "with an explicit deny"),
			}[operation]
		}},
		"an account without users": {world: noUsers},
		"an account without users denies": {world: noUsers, fault: func(operation string, _ int) http.HandlerFunc {
			return map[string]http.HandlerFunc{
				"ListAccessKeys": lacking("ListAccessKeys"),
				"ListMFADevices": denied("ListMFADevices", "with an explicit deny in a service control policy"),
			}[operation]
		}},
		"a user without keys":                        {world: usersWithoutKeys(1)},
		"many users without keys":                    {world: usersWithoutKeys(11)},
		"many users without keys and without report": {world: usersWithoutKeys(11), args: []string{"--iam.source=live"}},
		"a report in the making": {
			world: func(t *testing.T) *awssim.World { return oneUser(t, awssim.Options{ReportDelay: time.Hour}) },
			args:  []string{"--iam.source=report"},
		},
		"a report in the making and tags one by one": {
			world: func(t *testing.T) *awssim.World { return oneUser(t, awssim.Options{ReportDelay: time.Hour}) },
			args:  []string{"--iam.source=report", configured(awsapi.SourceLive)},
		},
		"throttled": {fault: func(operation string, _ int) http.HandlerFunc {
			if operation == "ListUsers" || operation == "GetAccountSummary" {
				return awssim.Error(http.StatusBadRequest, "Throttling", "Rate exceeded")
			}
			return nil
		}},
		"no network": {fault: func(string, int) http.HandlerFunc { return awssim.Reset() }},
		"the network breaks": {fault: func(operation string, _ int) http.HandlerFunc {
			return faultAt(operation, "GetCredentialReport", awssim.Reset())
		}},
		"refused credentials": {fault: func(string, int) http.HandlerFunc {
			return awssim.Error(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.world == nil {
					test.world = func(t *testing.T) *awssim.World { return oneUser(t, awssim.Options{}) }
				}
				world := test.world(t)
				world.SetFault(test.fault)
				got := tryAccess(t, world.Config(), test.args...)
				sameText(t, strings.ReplaceAll(name, " ", "-"), got)
				if text := string(must[[]byte](t)(got.Text())); strings.Contains(text, "alice") || strings.Contains(text, callerSecret) || strings.Contains(text, callerToken) {
					t.Error("a user or a secret is named")
				}
			})
		})
	}
}

func faultAt(operation, at string, fault http.HandlerFunc) http.HandlerFunc {
	if operation == at {
		return fault
	}
	return nil
}

// TestCheckAccessTriesEach denies one permission after the other: that one is told,
// with the statement that gives it, and every other is tried, once.
func TestCheckAccessTriesEach(t *testing.T) {
	setEnvironment(t, nil)
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		for _, o := range needsOf(source) {
			if o.Free {
				continue
			}
			world := oneUser(t, awssim.Options{})
			world.SetFault(func(operation string, _ int) http.HandlerFunc { return faultAt(operation, o.Name, lacking(operation)) })
			got := tryAccess(t, world.Config(), "--iam.source="+string(source), configured(source))
			want := awsapi.Reading("aws", "123456789012", awsapi.Needs{Source: source, Tags: tagSource(source)}).Only(o.Action())
			code := access.ExitMissing
			if o.Naming {
				code = access.ExitGranted
			}
			if len(got.Grants) != 1 || !cmp.Equal(got.Grants[0].Policy, want) || got.ExitCode != code {
				t.Errorf("without %s: got exit code %d and %v, want %d and %v", o.Name, got.ExitCode, got.Grants, code, want)
			}
			for _, p := range got.Accounts[0].Permissions {
				want := access.Granted
				switch {
				case p.Action == o.Action():
					want = access.Missing
				case p.Action == "iam:GetAccessKeyLastUsed" && (o.Name == "ListAccessKeys" || o.Name == "ListUsers" && source == awsapi.SourceLive):
					want = access.Unknown // no key is found
				}
				if p.Status != want {
					t.Errorf("without %s: %s is %s (%s), want %s", o.Name, p.Action, p.Status, p.Why, want)
				}
			}
			for operation, n := range world.Calls() {
				if n != 1 {
					t.Errorf("without %s: %s was called %d times, want once", o.Name, operation, n)
				}
			}
		}
	})
}

// TestCheckAccessWithoutCredentials says where they were looked for.
func TestCheckAccessWithoutCredentials(t *testing.T) {
	home := t.TempDir()
	setEnvironment(t, map[string]string{
		"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"), "AWS_REGION": "",
	})
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), []string{"check-access"}, &stdout, &stderr)
	const file = "testdata/access/no-credentials.txt"
	if *update {
		check(t, os.WriteFile(file, bytes.ReplaceAll(stdout.Bytes(), []byte(home), []byte("HOME")), 0o644))
		return
	}
	want := strings.ReplaceAll(string(must[[]byte](t)(os.ReadFile(file))), "HOME", home)
	if diff := cmp.Diff(want, stdout.String()); diff != "" || code != access.ExitUnknown || stderr.Len() > 0 {
		t.Errorf("got exit code %d, stderr %q, -want +got:\n%s", code, &stderr, diff)
	}
}

// TestCheckAccessOfDemo runs the whole command.
func TestCheckAccessOfDemo(t *testing.T) {
	setEnvironment(t, nil)
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), []string{"check-access", "--demo", "--demo.accounts=3", "--json"}, &stdout, &stderr)
	var got struct {
		Summary  string `json:"summary"`
		ExitCode int    `json:"exit_code"`
	}
	check(t, json.Unmarshal(stdout.Bytes(), &got))
	if want := "missing: 1 permission, unknown: "; !strings.HasPrefix(got.Summary, want) || got.ExitCode != 1 || code != 1 || stderr.Len() > 0 {
		t.Errorf("got exit code %d, stderr %q, %+v, want %s", code, &stderr, got, want)
	}
}

// TestCheckAccessRefuses exits with 3.
func TestCheckAccessRefuses(t *testing.T) {
	setEnvironment(t, map[string]string{"AWS_EC2_METADATA_DISABLED": "true"})
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"time-out":         {[]string{"--timeout=0s"}, "flag --timeout: got 0s, want 1s or more"},
		"no such file":     {[]string{"--config.file=/nowhere/c.yml"}, "/nowhere/c.yml"},
		"shards of one":    {[]string{"--total-shards=2"}, "flag --total-shards: got 2, want accounts"},
		"no such flag":     {[]string{"--report"}, "try --help"},
		"another argument": {[]string{"file"}, "unexpected file"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, append([]string{"check-access"}, test.args...)...)
			if code != 3 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("got exit code %d, stdout %q, stderr %q, want 3 and %s", code, stdout, stderr, test.want)
			}
		})
	}
}

// TestCheckAccessOfAccounts tries three, by their roles.
func TestCheckAccessOfAccounts(t *testing.T) {
	setEnvironment(t, nil)
	wrong := strings.ReplaceAll(accountList, externalID, "wr0ng-external-id")
	for name, test := range map[string]struct {
		list  string
		spoil func(*federation)
	}{
		"accounts": {accountList, func(*federation) {}},
		"a role that cannot be assumed": {accountList, func(f *federation) {
			f.realm.SetFault(func(arn string, _ int) http.HandlerFunc {
				if strings.Contains(arn, largeID) {
					return awssim.Error(403, "AccessDenied", "User: arn:aws:iam::111111111111:user/exporter is not authorized to perform: sts:AssumeRole on resource: "+arn+
						" because no identity-based policy allows the sts:AssumeRole action")
				}
				return nil
			})
		}},
		"wrong external ids": {wrong, func(*federation) {}},
		"roles that may not do everything": {accountList, func(f *federation) {
			for _, w := range []*awssim.World{f.large, f.small} {
				w.SetFault(func(operation string, _ int) http.HandlerFunc {
					return faultAt(operation, "GetLoginProfile", lacking(operation))
				})
			}
		}},
		"accounts without users": {accountList, func(f *federation) {
			large, small := awssim.New(awssim.Options{AccountID: largeID}), awssim.New(awssim.Options{AccountID: smallID})
			f.realm = awssim.NewRealm(f.home, large, small)
			f.realm.AddRole(large, "audit/exporter", externalID)
			f.realm.AddRole(small, "exporter", externalID)
		}},
		"other accounts than listed": {strings.ReplaceAll(accountList, homeID, "999999999999"), func(*federation) {}},
		"an account that hangs":      {accountList, func(f *federation) { f.large.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() }) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFederation(t)
				test.spoil(f)
				got := tryAccess(t, f.realm.Config(), newConfigFile(t, test.list).flag())
				sameText(t, strings.ReplaceAll(name, " ", "-"), got)
				if text := string(must[[]byte](t)(got.Text())) + string(must[[]byte](t)(got.JSON())); strings.Contains(text, externalID) || strings.Contains(text, "wr0ng") {
					t.Error("an external id shows")
				}
			})
		})
	}
}

// TestCheckAccessPaces tries a hundred accounts no faster than they may be asked.
func TestCheckAccessPaces(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		home, content := oneUser(t, awssim.Options{AccountID: homeID}), "account_defaults: {role: reader}\naccounts:\n"
		var worlds []*awssim.World
		for i := range 100 {
			id := fmt.Sprintf("2%011d", i)
			worlds, content = append(worlds, oneUser(t, awssim.Options{AccountID: id})), content+"  - {id: \""+id+"\"}\n"
		}
		realm := awssim.NewRealm(home, worlds...)
		for _, w := range worlds {
			realm.AddRole(w, "reader", "")
		}
		began := time.Now()
		got := tryAccess(t, realm.Config(), newConfigFile(t, content).flag())
		calls := 1 + len(worlds) // who the exporter is, and the roles
		for _, w := range worlds {
			for _, n := range w.Calls() {
				calls += n
			}
		}
		fastest := time.Duration(calls-20) * time.Second / 20 // a second's worth may go at once
		if took := time.Since(began); got.ExitCode != access.ExitGranted || took < fastest || took > fastest+5*time.Second {
			t.Errorf("got exit code %d after %s and %d calls, want 0 after %s or a little more", got.ExitCode, took, calls, fastest)
		}
	})
}

// TestCheckAccessInTime stops when the time is up.
func TestCheckAccessInTime(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		f := newFederation(t)
		f.large.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(errTimeUp) })
		reached := f.realm.Config()
		reached.Credentials = &caller{}
		began := time.Now()
		sameText(t, "the-time-is-up", tryAccessFor(ctx, t, awsSource{config: reached}, newConfigFile(t, accountList).flag()))
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %s, want 5s", took)
		}
	})
}

// TestCheckAccessOfOrganization finds its accounts, by the exporter's own credentials
// and by an initial role.
func TestCheckAccessOfOrganization(t *testing.T) {
	setEnvironment(t, nil)
	const initial = "account_defaults: {role: audit/exporter, initial_role: 'arn:aws:iam::111111111111:role/hub'}\naccount_tags: [Stage]\norganization: {ou_names: true}\n"
	for name, test := range map[string]struct {
		content string
		spoil   func(*awssim.Realm, *awssim.Organization)
	}{
		"organization":             {organizationFile, func(*awssim.Realm, *awssim.Organization) {}},
		"organization by a role":   {initial, func(*awssim.Realm, *awssim.Organization) {}},
		"no initial role":          {initial, func(*awssim.Realm, *awssim.Organization) {}},
		"no list of accounts":      {organizationFile, denyOrganization("ListAccounts", "AccessDeniedException")},
		"no tags of accounts":      {organizationFile, denyOrganization("ListTagsForResource", "AccessDeniedException")},
		"in no organization":       {organizationFile, denyOrganization("DescribeOrganization", "AWSOrganizationsNotInUseException")},
		"a throttled organization": {organizationFile, denyOrganization("ListAccounts", "TooManyRequestsException")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				worlds := map[string]*awssim.World{}
				for _, id := range []string{homeID, largeID, "555555555555"} {
					worlds[id] = oneUser(t, awssim.Options{AccountID: id})
				}
				realm := awssim.NewRealm(worlds[homeID], worlds[largeID], worlds["555555555555"])
				o := organize(realm)
				if name != "no initial role" {
					realm.AddRole(worlds[homeID], "hub", "")
				}
				realm.AddRole(worlds[largeID], "legacy", "")
				realm.AddRole(worlds["555555555555"], "audit/exporter", "")
				test.spoil(realm, o)
				sameText(t, strings.ReplaceAll(name, " ", "-"), tryAccess(t, realm.Config(), newConfigFile(t, test.content).flag()))
			})
		})
	}
}

func denyOrganization(operation, code string) func(*awssim.Realm, *awssim.Organization) {
	return func(_ *awssim.Realm, o *awssim.Organization) {
		o.SetFault(func(asked string, _ int) http.HandlerFunc {
			return faultAt(asked, operation, awssim.JSONError(400, code, "no"))
		})
	}
}

// TestDescribeCredentials names the source, and no secret.
func TestDescribeCredentials(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "credentials")
	check(t, os.WriteFile(file, []byte("[audit]\naws_access_key_id = AKIAOFTHEPROFILE0001\naws_secret_access_key = "+callerSecret+"\n"), 0o600))
	base := map[string]string{
		"HOME": home, "AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": filepath.Join(home, "config"),
		"AWS_PROFILE": "audit", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	}
	for name, test := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"a profile":     {nil, nil, "access key AKIAOFTHEPROFILE0001, from profile audit in " + file},
		"by its suffix": {nil, []string{"--metrics.access-key-id=suffix"}, "access key 0001, from profile audit in " + file},
		"variables": {
			map[string]string{"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": callerKeyID, "AWS_SECRET_ACCESS_KEY": callerSecret},
			nil,
			"access key " + callerKeyID + ", from the environment (AWS_ACCESS_KEY_ID)",
		},
		"none": {map[string]string{"AWS_PROFILE": ""}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, base)
			setEnvironment(t, test.env)
			s, _, err := parse(append([]string{"check-access"}, test.args...), t.Output(), t.Output())
			check(t, err)
			from := must[awsSource](t)(connectAWS(t.Context(), s.logger(t.Output())))
			if got := s.describeCredentials(t.Context(), from); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	p := places{env: config.EnvConfig{SharedConfigProfile: "audit", WebIdentityTokenFilePath: "/token"}}
	for source, want := range map[string]string{
		"WebIdentityCredentials":      "a web identity, such as IRSA gives (AWS_WEB_IDENTITY_TOKEN_FILE, /token)",
		"AssumeRoleProvider":          "profile audit, which assumes a role",
		"SSOProvider":                 "profile audit, signed in by SSO",
		"ProcessProvider":             "profile audit, whose credential_process gave it",
		"CredentialsEndpointProvider": "the container, by its task role or EKS Pod Identity (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI)",
		"EC2RoleProvider":             "the machine, by its instance profile",
		"SomethingNew":                "SomethingNew",
	} {
		if got := p.describe(source); got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}
