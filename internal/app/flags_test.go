package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// defaultSettings are the settings without flags and environment variables.
func defaultSettings(change func(*settings)) *settings {
	s := &settings{
		command: "serve", demo: demoFlags{accounts: 1}, share: share{total: 1},
		defaults: config.Defaults{
			Limits:   policy.DefaultLimits(),
			Settings: config.Settings{Source: awsapi.SourceAuto, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour},
		},
		calls:   callFlags{rates: cost.Rates{All: 20, Account: 5}, timeout: 10 * time.Second},
		metrics: metricsFlags{accessKeyIDs: view.KeyIDFull, keyAge: true, users: true},
	}
	change(s)
	return s
}

func TestParse(t *testing.T) {
	const oneDay = 24 * time.Hour
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		want func(*settings) // what differs from the defaults
	}{
		{name: "defaults", want: func(*settings) {}},
		{name: "command named", args: []string{"serve"}, want: func(*settings) {}},
		{
			name: "durations", args: []string{
				"--iam.refresh-interval=1m30s", "--iam.keys-interval=1d", "--iam.timeout=1s", "--policy.max-key-age=1y",
				"--policy.rotation-warning=4w", "--policy.max-key-idle=30d12h", "--policy.rotation-overlap=0", "--policy.setup-window=0s",
			},
			want: func(s *settings) {
				read, limits := &s.defaults.Settings, &s.defaults.Limits
				read.RefreshInterval, read.KeysInterval, s.calls.timeout = 90*time.Second, oneDay, time.Second
				limits.MaxKeyAge, limits.RotationWarning, limits.MaxKeyIdle = 365*oneDay, 28*oneDay, 30*oneDay+oneDay/2
				limits.RotationOverlap, limits.SetupWindow = 0, 0
			},
		},
		{
			name: "environment", env: map[string]string{
				"AWS_IAM_EXPORTER_IAM_SOURCE": "live", "AWS_IAM_EXPORTER_POLICY_MAX_KEY_AGE": "60d",
				"AWS_IAM_EXPORTER_METRICS_KEY_AGE": "false", "AWS_IAM_EXPORTER_IAM_ACCOUNT_RATE": "0.5",
			},
			want: func(s *settings) {
				s.defaults.Settings.Source, s.defaults.Limits.MaxKeyAge = "live", 60*oneDay
				s.metrics.keyAge, s.calls.rates.Account = false, 0.5
			},
		},
		{
			name: "flag beats environment", args: []string{"--iam.source=report"},
			env:  map[string]string{"AWS_IAM_EXPORTER_IAM_SOURCE": "live"},
			want: func(s *settings) { s.defaults.Settings.Source = "report" },
		},
		{
			name: "booleans", args: []string{"--no-metrics.key-age", "--no-metrics.users", "--web.enable-pprof"},
			want: func(s *settings) { s.metrics.keyAge, s.metrics.users, s.web.pprof = false, false, true },
		},
		{
			name: "key ids and probes", args: []string{"--metrics.access-key-id=suffix", "--web.probe-address=:10191"},
			want: func(s *settings) { s.metrics.accessKeyIDs, s.web.probeAddress = "suffix", ":10191" },
		},
		{
			name: "demo hurries", args: []string{"--demo"},
			want: func(s *settings) {
				s.demo.on, s.calls.rates.All, s.calls.rates.Account = true, 1000, 1000
				s.defaults.Settings.RefreshInterval, s.defaults.Settings.KeysInterval = 10*time.Second, 30*time.Second
			},
		},
		{
			name: "demo of several accounts", args: []string{"--demo", "--iam.refresh-interval=5m", "--iam.rate=20", "--iam.keys-interval=1h"},
			env: map[string]string{"AWS_IAM_EXPORTER_DEMO_ACCOUNTS": "20"},
			want: func(s *settings) {
				s.demo.on, s.demo.accounts, s.calls.rates.All, s.calls.rates.Account = true, 20, 20, 20
			},
		},
		{
			name: "demo keeps intervals that were given", args: []string{"--demo", "--iam.refresh-interval=20s", "--iam.keys-interval=40s"},
			want: func(s *settings) {
				s.demo.on, s.calls.rates.All, s.calls.rates.Account = true, 1000, 1000
				s.defaults.Settings.RefreshInterval, s.defaults.Settings.KeysInterval = 20*time.Second, 40*time.Second
			},
		},
		{
			name: "demo keeps rates that were given", args: []string{"--demo", "--iam.rate=3"},
			want: func(s *settings) {
				s.demo.on, s.calls.rates.All, s.calls.rates.Account = true, 3, 3
				s.defaults.Settings.RefreshInterval, s.defaults.Settings.KeysInterval = 10*time.Second, 30*time.Second
			},
		},
		{
			name: "demo keeps what was given as it is by default", args: []string{"--demo", "--iam.refresh-interval=5m", "--iam.rate=20"},
			env:  map[string]string{"AWS_IAM_EXPORTER_IAM_KEYS_INTERVAL": "1h"},
			want: func(s *settings) { s.demo.on, s.calls.rates.All, s.calls.rates.Account = true, 20, 20 },
		},
		{
			name: "a lower rate of all is one of each", args: []string{"--iam.rate=2"},
			want: func(s *settings) { s.calls.rates.All, s.calls.rates.Account = 2, 2 },
		},
		{
			name: "keys no more often than refreshes", args: []string{"--iam.refresh-interval=2h"},
			want: func(s *settings) {
				s.defaults.Settings.RefreshInterval, s.defaults.Settings.KeysInterval = 2*time.Hour, 2*time.Hour
			},
		},
		{
			name: "shard", args: []string{"--shard=2", "--total-shards=3"},
			want: func(s *settings) { s.share = share{2, 3} },
		},
		{
			name: "shard by the environment", env: map[string]string{"AWS_IAM_EXPORTER_SHARD": "1", "AWS_IAM_EXPORTER_TOTAL_SHARDS": "2"},
			want: func(s *settings) { s.share = share{1, 2} },
		},
		{
			name: "file whose accounts to list", args: []string{"check-config", "config.yml", "--accounts"},
			want: func(s *settings) {
				s.command, s.checkConfig.file, s.checkConfig.accounts = "check-config", "config.yml", true
			},
		},
		{
			name: "files", args: []string{"--config.file=config.yml", "--state.dir=facts"},
			want: func(s *settings) { s.configFile, s.stateDir = "config.yml", "facts" },
		},
		{
			name: "file to check", args: []string{"check-config", "config.yml", "--policy.max-key-age=60d"},
			want: func(s *settings) {
				s.command, s.checkConfig.file, s.defaults.Limits.MaxKeyAge = "check-config", "config.yml", 60*oneDay
			},
		},
		{
			name: "policy to print", args: []string{"iam-policy", "--partition=aws-cn", "--account-id=123456789012"},
			want: func(s *settings) {
				s.command, s.iamPolicy.partition, s.iamPolicy.accountID, s.iamPolicy.audience = "iam-policy", "aws-cn", "123456789012", "account"
			},
		},
		{
			name: "trust policy to print", args: []string{"iam-policy", "--for=member", "--trust", "--hub-role=arn:aws:iam::111111111111:role/team(1)/hub", "--organization-id=o-a1b2c3d4e5"},
			want: func(s *settings) {
				s.command = "iam-policy"
				s.iamPolicy = policyFlags{partition: "aws", accountID: "*", audience: "member", trust: true, hubRole: "arn:aws:iam::111111111111:role/team(1)/hub", organizationID: "o-a1b2c3d4e5"}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			setEnvironment(t, test.env)
			var stdout, stderr bytes.Buffer
			got, done, err := parse(test.args, &stdout, &stderr)
			if err != nil || done {
				t.Fatalf("got done %t, error %v", done, err)
			}
			ignored := []cmp.Option{cmpopts.IgnoreFields(settings{}, "log", "given"), cmpopts.IgnoreFields(webFlags{}, "FlagConfig")} // other libraries' own, and what only parse needs
			ours := cmp.Exporter(func(t reflect.Type) bool { return t.PkgPath() == reflect.TypeFor[settings]().PkgPath() })
			if diff := cmp.Diff(defaultSettings(test.want), got, append(ignored, ours)...); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if stdout.Len()+stderr.Len() > 0 {
				t.Errorf("got output %q and %q, want none", &stdout, &stderr)
			}
		})
	}
}

// setEnvironment leaves no variable of the exporter set but these.
func setEnvironment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_IAM_EXPORTER_") {
			t.Setenv(name, "") // remembers the value for the end of the test
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestParseWebAndLogFlags(t *testing.T) {
	setEnvironment(t, nil)
	args := []string{"--web.listen-address=:1", "--web.listen-address=:2", "--web.config.file=web.yml", "--log.level=debug", "--log.format=json"}
	for _, test := range []struct {
		name          string
		args          []string
		addresses     []string
		file          string
		level, format string
	}{
		{"defaults", nil, []string{":10190"}, "", "info", "logfmt"},
		{"given", args, []string{":1", ":2"}, "web.yml", "debug", "json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _, err := parse(test.args, &bytes.Buffer{}, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.addresses, *s.web.WebListenAddresses); diff != "" {
				t.Errorf("addresses: -want +got:\n%s", diff)
			}
			got := []string{*s.web.WebConfigFile, s.log.Level.String(), s.log.Format.String()}
			if diff := cmp.Diff([]string{test.file, test.level, test.format}, got); diff != "" {
				t.Errorf("file, level, format: -want +got:\n%s", diff)
			}
		})
	}
}

// badCommandLine is one that the exporter refuses.
type badCommandLine struct {
	name string
	args []string
	want string // the message, without the program's name
}

// badCommandLines are also shown in docs/troubleshooting.md.
func badCommandLines() []badCommandLine {
	return []badCommandLine{
		{"unknown flag", []string{"--iam.sauce=auto"}, "unknown long flag '--iam.sauce'; try --help"},
		{"unknown command", []string{"policy"}, "unexpected policy; try --help"},
		{"flag without value", []string{"iam-policy", "--iam.source"}, "expected argument for flag '--iam.source'; try --help"},
		{"last flag without value", []string{"--iam.source"}, "expected argument for flag '--iam.source'; try --help"},
		{"unknown source", []string{"--iam.source=report-only"}, `flag --iam.source: got "report-only", want one of auto, report, live; try --help`},
		{"unknown display of key ids", []string{"--metrics.access-key-id=none"}, `flag --metrics.access-key-id: got "none", want one of full, suffix; try --help`},
		{"duration without unit", []string{"--policy.max-key-age=90"}, `flag --policy.max-key-age: got "90", want a duration such as 30s, 5m, 12h or 90d; try --help`},
		{"negative duration", []string{"--policy.setup-window=-1m"}, `flag --policy.setup-window: got "-1m", want a duration such as 30s, 5m, 12h or 90d; try --help`},
		{"rate not a number", []string{"--iam.rate=fast"}, `flag --iam.rate: got "fast", want a number; try --help`},
		{"rate of zero", []string{"--iam.rate=0"}, "flag --iam.rate: got 0, want a number above 0"},
		{"negative rate", []string{"--iam.account-rate=-1"}, "flag --iam.account-rate: got -1, want a number above 0"},
		{"account as by default, faster than all together", []string{"--iam.account-rate=5", "--iam.rate=2"}, "flag --iam.account-rate: got 5, want --iam.rate (2) or less"},
		{"account faster than all together", []string{"--iam.account-rate=50"}, "flag --iam.account-rate: got 50, want --iam.rate (20) or less"},
		{"keys more often than refreshes", []string{"--iam.refresh-interval=2h", "--iam.keys-interval=1h"}, "flag --iam.keys-interval: got 1h, want --iam.refresh-interval (2h) or more"},
		{"odd account", []string{"iam-policy", "--account-id=123"}, `flag --account-id: got "123", want 12 digits, or * for any account`},
		{"no file to check", []string{"check-config"}, "required argument 'FILE' not provided; try --help"},
		{"demo with a state", []string{"--demo", "--state.dir=facts"}, "flag --state.dir: got it beside --demo, want one of them: each start makes a new demo account"},
		{"too many demo accounts", []string{"--demo", "--demo.accounts=21"}, `flag --demo.accounts: got "21", want a whole number from 1 to 20; try --help`},
		{"no demo account", []string{"--demo", "--demo.accounts=0"}, `flag --demo.accounts: got "0", want a whole number from 1 to 20; try --help`},
		{"part of a demo account", []string{"--demo", "--demo.accounts=1.5"}, `flag --demo.accounts: got "1.5", want a whole number from 1 to 20; try --help`},
		{"demo accounts without demo", []string{"--demo.accounts=3"}, "flag --demo.accounts: got it without --demo, which alone it is for"},
		{"odd partition", []string{"iam-policy", "--partition="}, `flag --partition: got "", want a partition such as aws, aws-cn or aws-us-gov`},
		{"policy for nobody", []string{"iam-policy", "--for=everybody"}, `flag --for: got "everybody", want one of account, member, hub, caller; try --help`},
		{"trust of no role", []string{"iam-policy", "--trust"}, "flag --trust: got it without --for=member, which alone it is for"},
		{"one account of all", []string{"iam-policy", "--for=hub", "--account-id=123456789012"}, "flag --account-id: got it without --for=account or --for=member, which alone it is for"},
		{"role to assume, for a member", []string{"iam-policy", "--for=member", "--role=audit"}, "flag --role: got it without --for=hub, which alone it is for"},
		{"odd role", []string{"iam-policy", "--for=hub", "--role=arn:aws:iam::123456789012:role/audit"}, `flag --role: got "arn:aws:iam::123456789012:role/audit", want the name of a role, with its path if it has one, such as audit/aws-iam-exporter`},
		{"trusted role without trust", []string{"iam-policy", "--for=member", "--hub-role=arn:aws:iam::123456789012:role/hub"}, "flag --hub-role: got it without --trust, which alone it is for"},
		{"a session is trusted", []string{"iam-policy", "--for=member", "--trust", "--hub-role=arn:aws:sts::123456789012:assumed-role/hub/me"}, `flag --hub-role: got "arn:aws:sts::123456789012:assumed-role/hub/me", want the ARN of a role, such as arn:aws:iam::111111111111:role/hub`},
		{"trust in another partition", []string{"iam-policy", "--for=member", "--trust", "--hub-role=arn:aws-cn:iam::123456789012:role/hub"}, "flag --partition: got aws, want aws-cn, the partition of --hub-role"},
		{"organization without trust", []string{"iam-policy", "--organization-id=o-a1b2c3d4e5"}, "flag --organization-id: got it without --trust, which alone it is for"},
		{"odd organization", []string{"iam-policy", "--for=member", "--trust", "--organization-id=r-a1b2"}, `flag --organization-id: got "r-a1b2", want an id such as o-a1b2c3d4e5`},
		{"nobody is trusted", []string{"iam-policy", "--for=member", "--trust"}, "flag --trust: got no role to trust, want its ARN by --hub-role, or an initial_role in --config.file"},
		{"own credentials without initial role", []string{"iam-policy", "--for=caller"}, "flag --for: got caller, want a --config.file with an initial_role beside it; without one, the exporter's own credentials are the hub"},
		{"rate without meaning", []string{"--iam.account-rate=NaN"}, "flag --iam.account-rate: got NaN, want a number above 0"},
		{"refreshes too often", []string{"--iam.refresh-interval=500ms"}, "flag --iam.refresh-interval: got 500ms, want 1s or more"},
		{"keys too often", []string{"--iam.keys-interval=0"}, "flag --iam.keys-interval: got 0s, want 1s or more"},
		{"time-out too short", []string{"--iam.timeout=10ms"}, "flag --iam.timeout: got 10ms, want 1s or more"},
		{"odd shard", []string{"--shard=first"}, `flag --shard: got "first", want a whole number from 0 on, or auto; try --help`},
		{"negative shard", []string{"--shard=-1"}, `flag --shard: got "-1", want a whole number from 0 on, or auto; try --help`},
		{"shard of no number", []string{"--total-shards=some"}, `flag --total-shards: got "some", want a whole number; try --help`},
		{"no shard at all", []string{"--total-shards=0"}, "flag --total-shards: got 0, want 1 or more"},
		{"shard without others", []string{"--shard=1"}, "flag --shard: got 1, want less than --total-shards (1): the first is 0"},
		{"shards counted from 1", []string{"--shard=3", "--total-shards=3"}, "flag --shard: got 3, want less than --total-shards (3): the first is 0"},
		{"demo in shards", []string{"--demo", "--total-shards=2"}, "flag --total-shards: got it beside --demo, want one of them: the demo has an account of its own"},
		{"no age allowed", []string{"--policy.max-key-age=0"}, "flag --policy.max-key-age: got 0s, want more than 0"},
		{"no idleness allowed", []string{"--policy.max-key-idle=0"}, "flag --policy.max-key-idle: got 0s, want more than 0"},
		{
			"shorter than the default warning",
			[]string{"--policy.max-key-age=7d"},
			"flag --policy.max-key-age: got 7d, want more than --policy.rotation-warning, which is 14d by default: set that too, for example --policy.rotation-warning=1d",
		},
		{
			"shorter than the warning",
			[]string{"--policy.max-key-age=7d", "--policy.rotation-warning=8d"},
			"flag --policy.rotation-warning: got 8d, want less than --policy.max-key-age (7d)",
		},
		{
			"warning from the start",
			[]string{"--policy.rotation-warning=90d"},
			"flag --policy.rotation-warning: got 90d, want less than --policy.max-key-age (90d)",
		},
		{"unknown log level", []string{"--log.level=loud"}, "unrecognized log level loud; try --help"},
		{"unknown log format", []string{"--log.format=xml"}, "unrecognized log format xml; try --help"},
		{"flag of another command", []string{"--partition=aws-cn"}, "unknown long flag '--partition'; try --help"},
	}
}

// TestShardByHost has hosts named as Kubernetes names the pods of a StatefulSet.
func TestShardByHost(t *testing.T) {
	odd := func(host string) string {
		return `flag --shard: got auto on host "` + host + `", want a number from 0 on, or a host's name with one at its end, such as exporter-2`
	}
	for host, test := range map[string]struct {
		want int
		err  string
	}{
		"exporter-0":               {0, ""},
		"aws-iam-exporter-12":      {12, ""},
		"exporter-2.iam.svc.local": {2, ""},
		"exporter-007":             {7, ""},
		"exporter":                 {0, odd("exporter")},
		"exporter2":                {0, odd("exporter2")},
		"exporter-":                {0, odd("exporter-")},
		"exporter-7d4b9c-x2":       {0, odd("exporter-7d4b9c-x2")},
		"exporter.zone-2":          {0, odd("exporter.zone-2")},
		"":                         {0, odd("")},
		"exporter-99999999999":     {0, `flag --shard: got "99999999999", want a whole number from 0 on, or auto`},
	} {
		got := 0
		err := shard{&got, func() (string, error) { return host, nil }}.Set("auto")
		if got != test.want || (err != nil || test.err != "") && (err == nil || err.Error() != test.err) {
			t.Errorf("host %q: got %d, %v, want %d, %q", host, got, err, test.want, test.err)
		}
	}
	got := 0
	err := shard{&got, func() (string, error) { return "", os.ErrPermission }}.Set("auto")
	if want := "flag --shard: got auto, want a number from 0 on, since the host's name cannot be read: permission denied"; err == nil || err.Error() != want {
		t.Errorf("no host name: got %v, want %s", err, want)
	}
}

func TestBadCommandLines(t *testing.T) {
	setEnvironment(t, nil)
	for _, test := range badCommandLines() {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, test.args...)
			if want := "aws_iam_exporter: error: " + test.want + "\n"; stderr != want {
				t.Errorf("got stderr %q, want %q", stderr, want)
			}
			if code != 1 || stdout != "" {
				t.Errorf("got exit code %d and stdout %q, want 1 and none", code, stdout)
			}
		})
	}
}

func TestBadEnvironment(t *testing.T) {
	setEnvironment(t, map[string]string{"AWS_IAM_EXPORTER_IAM_SOURCE": "dead"})
	_, stderr, code := runArgs(t)
	if want := "aws_iam_exporter: error: flag --iam.source: got \"dead\", want one of auto, report, live; try --help\n"; stderr != want || code != 1 {
		t.Errorf("got exit code %d and stderr %q, want 1 and %q", code, stderr, want)
	}
}

// runArgs runs the program in a context that has ended, so that a server started
// by mistake stops at once.
func runArgs(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code = Run(ctx, args, &out, &errs)
	return out.String(), errs.String(), code
}

func TestCallsForHelp(t *testing.T) {
	setEnvironment(t, nil)
	for _, test := range []struct {
		name string
		args []string
		want []string // what the answer holds
	}{
		{"help", []string{"--help"}, []string{"usage: aws_iam_exporter [<flags>] <command>", "--iam.source=auto", "($AWS_IAM_EXPORTER_IAM_SOURCE)", "iam-policy"}},
		{"short help", []string{"-h"}, []string{"usage: aws_iam_exporter [<flags>] <command>"}},
		{"help command", []string{"help"}, []string{"usage: aws_iam_exporter [<flags>] <command>"}},
		{"help of a command", []string{"iam-policy", "--help"}, []string{"usage: aws_iam_exporter iam-policy", "--account-id"}},
		{"version", []string{"--version"}, []string{"aws_iam_exporter, version", "go version:"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, test.args...)
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("stdout lacks %q:\n%s", want, stdout)
				}
			}
			if code != 0 || stderr != "" {
				t.Errorf("got exit code %d and stderr %q, want 0 and none", code, stderr)
			}
		})
	}
}

// TestIAMPolicyArguments checks what the goldens in docs/permissions.md don't:
// that flags reach the policy, and that it is JSON.
func TestIAMPolicyArguments(t *testing.T) {
	setEnvironment(t, nil)
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			stdout, stderr, code := runArgs(t, "iam-policy", "--iam.source="+string(source), "--partition=aws-us-gov", "--account-id=123456789012")
			if code != 0 || stderr != "" {
				t.Fatalf("got exit code %d and stderr %q, want 0 and none", code, stderr)
			}
			var document struct {
				Statement []struct{ Sid, Resource string }
			}
			if err := json.Unmarshal([]byte(stdout), &document); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"ReadAccount": "*", "ReadUsers": "arn:aws-us-gov:iam::123456789012:user/*"}
			if source == awsapi.SourceReport {
				delete(want, "ReadUsers")
			}
			got := map[string]string{}
			for _, s := range document.Statement {
				got[s.Sid] = s.Resource
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("resources: -want +got:\n%s", diff)
			}
		})
	}
}

func TestFlagsExplainThemselves(t *testing.T) {
	setEnvironment(t, nil)
	flags, err := Flags()
	check(t, err)
	for _, f := range flags {
		if len(f.Help) < 20 {
			t.Errorf("--%s: the help text %q explains nothing", f.Name, f.Help)
		}
		if f.Envar == "" && f.Name != "help" && f.Name != "version" {
			t.Errorf("--%s has no environment variable", f.Name)
		}
	}
}
