package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
)

// startDemo runs the exporter on as many made-up accounts, without their server.
func startDemo(t *testing.T, n int, args ...string) *exporter {
	t.Helper()
	made := must[*demo.Accounts](t)(demo.NewAccounts(n, 1, time.Now))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- made.Live(ctx) }()
	t.Cleanup(func() { cancel(); check(t, <-ended) })
	return startFrom(t, nil, demoSource(made, made.Realm.Config()), append([]string{"--demo"}, args...)...)
}

const (
	demoHome   = `account_id="123456789012"`
	demoLarge  = `account_id="200000000002"`
	demoDenied = `account_id="200000000003"`
)

// TestDemoOfSeveralAccounts follows what a newcomer sees in the first minute.
func TestDemoOfSeveralAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startDemo(t, 3)
		names := exposition{
			`aws_iam_account_info{account_id="123456789012",account_name="tooling",account_owner="",ou_path="",partition="aws",state=""}`:          1,
			`aws_iam_account_info{account_id="200000000002",account_name="shop-production",account_owner="",ou_path="",partition="aws",state=""}`:  1,
			`aws_iam_account_info{account_id="200000000003",account_name="acquired-company",account_owner="",ou_path="",partition="aws",state=""}`: 1,
		}
		x := e.scrape()
		sameBut(t, names, x.find("aws_iam_account_info"))
		time.Sleep(time.Minute)
		e.lint()
		x = e.scrape()
		sameBut(t, names, x.find("aws_iam_account_info"))
		sameBut(t, exposition{
			"aws_iam_account_up{" + demoHome + "}": 1, "aws_iam_account_up{" + demoLarge + "}": 1, "aws_iam_account_up{" + demoDenied + "}": 0,
		}, x.find("aws_iam_account_up"))
		for series, failures := range x.find("aws_iam_account_refresh_errors_total") {
			if wanted := strings.Contains(series, demoDenied) && strings.Contains(series, `reason="role"`); (failures > 0) != wanted {
				t.Errorf("got %s %v, want failures only of the role that is denied", series, failures)
			}
		}
		for account, fewest := range map[string]int{demoHome: 240, demoLarge: 320} {
			if n, _ := x.value("aws_iam_account_users", account); int(n) < fewest || len(x.find("aws_iam_finding_since_timestamp_seconds", account)) < 20 {
				t.Errorf("%s: got %v users and %v, want %d users or more and findings", account, n, x.find("aws_iam_finding_since_timestamp_seconds", account), fewest)
			}
		}
		if unknown := x.find("aws_iam_user_info", demoDenied); len(unknown) > 0 {
			t.Errorf("got %v of the account that is denied, want nothing", unknown)
		}

		rows := accountRows(e)
		slices.Sort(rows[min(1, len(rows)):]) // the worst comes first; who of the others is worse depends on chance
		if diff := cmp.Diff([]string{
			"200000000003 acquired-company cannot be read the role cannot be assumed", "123456789012 tooling up to date ", "200000000002 shop-production up to date ",
		}, rows); diff != "" {
			t.Errorf("accounts on the page: -want +got:\n%s", diff)
		}
	})
}

// accountRows returns the first columns of the table of accounts.
func accountRows(e *exporter) (rows []string) {
	_, page := e.get("/")
	row := regexp.MustCompile(`<td role="cell" class="head name"><a href="/accounts/(\d+)">(?:([^<]*) )?<small>\d+</small></a></td><td role="cell" class="mark \w+">([^<]*)</td>.*<td role="cell">([^<]*)</td></tr>`)
	for _, columns := range row.FindAllStringSubmatch(page, -1) {
		rows = append(rows, strings.Join(columns[1:], " "))
	}
	return rows
}

// TestDemoGoesOn checks that what happens in each account of the demo shows.
func TestDemoGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startDemo(t, 2)
		time.Sleep(time.Minute)
		before := e.scrape()
		time.Sleep(3 * time.Minute)
		after := e.scrape()
		for _, account := range []string{demoHome, demoLarge} {
			for _, name := range []string{"aws_iam_user_info", "aws_iam_access_key_created_timestamp_seconds", "aws_iam_access_key_last_used_timestamp_seconds"} {
				if cmp.Equal(before.find(name, account), after.find(name, account)) {
					t.Errorf("%s: %s has not changed", account, name)
				}
			}
		}
	})
}

// TestDemoAloneIsOneAccount keeps it as it was before there could be several: the
// account has no name, and no role is asked for.
func TestDemoAloneIsOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startDemo(t, 1)
		time.Sleep(time.Minute)
		x := e.scrape()
		sameBut(t, exposition{`aws_iam_account_info{account_id="123456789012",account_name="",account_owner="",ou_path="",partition="aws",state=""}`: 1}, x.find("aws_iam_account_info"))
		if roles := x.find("aws_iam_exporter_api_requests_total", `operation="AssumeRole"`); len(roles) > 0 {
			t.Errorf("got %v, want no roles", roles)
		}
		if _, page := e.get("/"); strings.Contains(page, `<table role="table" class="cards accounts">`) {
			t.Error("the page has a table of accounts")
		}
	})
}

// TestDemoUnderAFile puts the accounts of the demo under a policy of the user's, and
// refuses a list of accounts.
func TestDemoUnderAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newConfigFile(t, "policy: {defaults: {max_key_age: 10d, rotation_warning: 1d}}\n")
		e := startDemo(t, 3, file.flag())
		time.Sleep(time.Minute)
		if x := e.scrape(); len(x.find("aws_iam_account_up")) != 3 || len(x.find("aws_iam_policy_max_key_age_seconds")) != 1 {
			t.Errorf("got %v and %v, want three accounts under one class", x.find("aws_iam_account_up"), x.find("aws_iam_policy_max_key_age_seconds"))
		}
		check(t, e.program.reload())
		if x := e.scrape(); len(x.find("aws_iam_account_up")) != 3 {
			t.Errorf("after a reload: got %v, want the same accounts", x.find("aws_iam_account_up"))
		}
	})
	for _, flag := range []string{"--demo.accounts=1", "--demo.accounts=3"} {
		s, _, err := parse([]string{"--demo", flag, newConfigFile(t, accountList).flag()}, t.Output(), t.Output())
		check(t, err)
		made := must[*demo.Accounts](t)(demo.NewAccounts(s.demo.accounts, 1, time.Now))
		if _, err := wire(demoSource(made, made.Realm.Config()), s, s.logger(t.Output())); err == nil || !strings.Contains(err.Error(), "got accounts beside --demo") {
			t.Errorf("%s: got %v, want it to refuse accounts beside --demo", flag, err)
		}
	}
}

// TestDemoReachesNoAWS sets what leads the SDK elsewhere. Whatever is asked, of
// whatever host, the demo answers.
func TestDemoReachesNoAWS(t *testing.T) {
	var elsewhere atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer trap.Close()
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(name, trap.URL)
	}
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	defer func() { cancel(); check(t, group.Wait()) }()
	from := must[awsSource](t)(connectDemo(ctx, group, &settings{command: commandServe, demo: demoFlags{accounts: 3}}))
	if from.credentials != nil {
		t.Error("credentials would be found anew")
	}
	for _, host := range []string{"", "http://sts.us-east-1.amazonaws.com"} {
		roles := sts.NewFromConfig(from.config, func(o *sts.Options) {
			if host != "" {
				o.BaseEndpoint = &host
			}
		})
		for id, allowed := range map[string]bool{"200000000002": true, "200000000003": false} {
			arn := "arn:aws:iam::" + id + ":role/" + demo.Role
			_, err := roles.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("test"), ExternalId: aws.String(demo.ExternalID)})
			if (err == nil) != allowed {
				t.Errorf("host %q: the role in %s can be assumed: %v, want %t", host, id, err, allowed)
			}
		}
	}
	users := must[*iam.ListUsersOutput](t)(iam.NewFromConfig(from.config).ListUsers(ctx, &iam.ListUsersInput{MaxItems: aws.Int32(1000)}))
	if len(users.Users) < 240 {
		t.Errorf("got %d users, want those of the demo", len(users.Users))
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}
