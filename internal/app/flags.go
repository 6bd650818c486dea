package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/demo"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

const (
	listenAddress      = ":10190"
	defaultRefresh     = "5m"
	defaultKeys        = "1h"
	defaultRate        = "20"
	defaultAccountRate = "5"
)

// settings are the parsed command line: a field for each flag.
type settings struct {
	command string

	demo            bool
	demoAccounts    int
	configFile      string
	stateDir        string
	source          string
	refreshInterval model.Duration
	keysInterval    model.Duration
	rate            float64
	accountRate     float64
	timeout         model.Duration
	shard           int // of totalShards, counted from 0
	totalShards     int

	maxKeyAge       model.Duration
	rotationWarning model.Duration
	maxKeyIdle      model.Duration
	maxPasswordIdle model.Duration
	rotationOverlap model.Duration
	setupWindow     model.Duration

	accessKeyID string
	keyAge      bool
	users       bool

	web          *toolkit.FlagConfig
	probeAddress string
	pprof        bool
	log          promslog.Config

	given given // of the flags whose defaults depend on others

	partition, accountID string // of the policy to print
	printed              policyFlags
	checkFile            string // to check
	checkAccounts        bool   // list the accounts, too
	checkInput           bool   // the file to check is standard input
	check                checkFlags
	access               accessFlags
}

// newApplication declares every flag. Each can also come from the environment.
func newApplication(s *settings) *kingpin.Application {
	app := kingpin.New("aws_iam_exporter", "Prometheus exporter for the access keys of AWS IAM users. "+
		"It uses the credentials that the AWS SDK finds, and only reads.").DefaultEnvars()
	app.Version(version.Print("aws_iam_exporter"))
	explain(app)
	app.HelpFlag.Short('h').NoEnvar()
	app.VersionFlag.NoEnvar()

	boolFlag(app, "demo", "false", "Show a made-up account instead of a real one: no AWS, no credentials, no network. Intervals and rates left at their defaults are made faster.", &s.demo)
	countFlag(app, "demo.accounts", "1", fmt.Sprintf("How many made-up accounts the demo has, at most %d. The role in the third, and in every tenth from there on, cannot be assumed, to show what that looks like.", demo.MaxMembers()),
		demo.MaxMembers(), &s.demoAccounts)
	app.Flag("config.file", "Configuration file: accounts or an organization, limits, classes of users, owners, exemptions, and which users to show; see docs/configuration.md. Reloaded on SIGHUP and POST /-/reload.").
		PlaceHolder("FILE").StringVar(&s.configFile)
	app.Flag("state.dir", "Directory in which to keep the facts between restarts; nobody else may have access to it. Created if its parent exists. Without it, nothing is kept.").
		PlaceHolder("DIRECTORY").StringVar(&s.stateDir)
	addIAMFlags(app, s)
	app.Flag("shard", "Which of --total-shards parts of the accounts to watch, counted from 0; auto for the number at the end of the host name, as a StatefulSet's pods have.").
		Default("0").SetValue(shard{&s.shard, os.Hostname})
	app.Flag("total-shards", "Among how many processes the accounts are shared out. All of them need the same configuration.").
		Default("1").SetValue(value{(*integer)(&s.totalShards), "total-shards", "a whole number"})
	addPolicyFlags(app, s)
	choiceFlag(app, "metrics.access-key-id", "How to show access key ids, in metrics, logs and pages: full, or suffix for their last 4 characters (more where 4 are not unique).",
		&s.accessKeyID, view.KeyIDFull, view.KeyIDSuffix)
	boolFlag(app, "metrics.key-age", "true", "Serve aws_iam_access_key_age_seconds, which is for people to look at; alerts need only the timestamps.", &s.keyAge)
	boolFlag(app, "metrics.users", "true", "Serve series of single users and keys, findings included; otherwise only those of accounts and of root.", &s.users)
	s.web = kingpinflag.AddFlags(app, listenAddress)
	app.Flag("web.probe-address", "Serve /-/healthy and /-/ready on this address too, without TLS and authentication, for probes. Example: `:10191`").
		PlaceHolder("ADDRESS").StringVar(&s.probeAddress)
	boolFlag(app, "web.enable-pprof", "false", "Serve Go's profiles under /debug/pprof/.", &s.pprof)
	promslogflag.AddFlags(app, &s.log)

	for _, c := range commands() {
		c.declare(app, s)
	}
	return app
}

// Flags returns the flags in --help, those of commands last.
func Flags() ([]*kingpin.FlagModel, error) {
	app := newApplication(&settings{})
	if _, err := app.ParseContext(nil); err != nil { // names the environment variables
		return nil, fmt.Errorf("declare the flags: %w", err)
	}
	model := app.Model()
	flags := model.Flags
	for _, command := range model.Commands {
		flags = append(flags, command.Flags...)
	}
	return slices.DeleteFunc(flags, func(f *kingpin.FlagModel) bool { return f.Hidden }), nil
}

func addIAMFlags(app *kingpin.Application, s *settings) {
	s.given = given{}
	choiceFlag(app, "iam.source", "Where facts come from: auto (keys live, the rest from the credential report where possible), report (2 to 4 calls every 4 hours, facts up to 4 hours old, no key ids), live (no report, many calls).",
		&s.source, awsapi.Sources()...)
	s.given.note("iam.refresh-interval", durationFlag(app, "iam.refresh-interval", defaultRefresh, "How often to list the users, and to look for a new credential report once one can exist.", &s.refreshInterval))
	s.given.note("iam.keys-interval", durationFlag(app, "iam.keys-interval", defaultKeys, "How often to read each user's keys.", &s.keysInterval))
	s.given.note("iam.rate", numberFlag(app, "iam.rate", defaultRate, "The most requests a second to AWS, for all accounts together, retries included.", &s.rate))
	s.given.note("iam.account-rate", numberFlag(app, "iam.account-rate", defaultAccountRate, "The most requests a second to AWS for one account, retries included; a lower --iam.rate applies to one account, too. Halved whenever AWS throttles; recovers slowly.", &s.accountRate))
	durationFlag(app, "iam.timeout", "10s", "How long to wait for the answer to a request; each retry may take as long again.", &s.timeout)
}

func addPolicyFlags(app *kingpin.Application, s *settings) {
	durationFlag(app, "policy.max-key-age", "90d", "How old an active key may become.", &s.maxKeyAge)
	durationFlag(app, "policy.rotation-warning", "14d", "How long before --policy.max-key-age a rotation counts as due.", &s.rotationWarning)
	durationFlag(app, "policy.max-key-idle", "45d", "How long an active key may go unused, counted from its creation if it was never used.", &s.maxKeyIdle)
	durationFlag(app, "policy.max-password-idle", "45d", "How long a password may go unused, counted from its last use or, if that is later, from its setting.", &s.maxPasswordIdle)
	durationFlag(app, "policy.rotation-overlap", "7d", "How long a user may have two active keys, to rotate one; 0 for never.", &s.rotationOverlap)
	durationFlag(app, "policy.setup-window", "15m", "A key created this soon after its user counts as made at user setup.", &s.setupWindow)
}

// parse reads the command line. It reports done if it asked for help or the
// version, which parse has then printed.
func parse(args []string, stdout, stderr io.Writer) (s *settings, done bool, err error) {
	s = &settings{}
	app := newApplication(s)
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	if slices.Contains(args, flagManPage) {
		return s, true, writeManPage(app, stdout)
	}
	s.command, err = app.Parse(withCommand(args))
	if done {
		return s, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w; try --help", err)
	}
	s.checkInput = s.checkFile == "" && slices.Contains(args, "-") // kingpin makes "" of it
	s.check.input = slices.Contains(args, "-") || slices.Contains(s.check.reports, "-")
	if s.demo {
		s.applyDemoDefaults(app)
	}
	if !s.given.has(app, "iam.account-rate") {
		s.accountRate = min(s.accountRate, s.rate)
	}
	if !s.given.has(app, "iam.keys-interval") {
		s.keysInterval = max(s.keysInterval, s.refreshInterval)
	}
	return s, false, s.validate()
}

// withCommand adds the default command if there is none. If kingpin has to find the
// default itself, it misses a flag that lacks its value.
func withCommand(args []string) []string {
	named := []string{"help", "--help", "-h", "--help-long", "--version"}
	for _, c := range commands() {
		named = append(named, c.name)
	}
	if slices.ContainsFunc(args, func(arg string) bool { return slices.Contains(named, arg) }) {
		return args
	}
	return append([]string{commandServe}, args...)
}

// applyDemoDefaults replaces the values of flags that were not given by ones for
// the demo account, where things happen fast and calls cost nothing.
func (s *settings) applyDemoDefaults(app *kingpin.Application) {
	if !s.given.has(app, "iam.refresh-interval") {
		s.refreshInterval = model.Duration(10 * time.Second)
	}
	if !s.given.has(app, "iam.keys-interval") {
		s.keysInterval = max(model.Duration(30*time.Second), s.refreshInterval)
	}
	if !s.given.has(app, "iam.rate") {
		s.rate = 1000
	}
	if !s.given.has(app, "iam.account-rate") {
		s.accountRate = s.rate
	}
}

// validate refuses values that are of their flag's type, but make no sense.
func (s *settings) validate() error {
	for _, f := range []struct {
		name  string
		value model.Duration
	}{
		{"iam.refresh-interval", s.refreshInterval}, {"iam.keys-interval", s.keysInterval}, {"iam.timeout", s.timeout},
	} {
		if time.Duration(f.value) < time.Second {
			return fmt.Errorf("flag --%s: got %s, want 1s or more", f.name, f.value)
		}
	}
	if s.keysInterval < s.refreshInterval {
		return fmt.Errorf("flag --iam.keys-interval: got %s, want --iam.refresh-interval (%s) or more", s.keysInterval, s.refreshInterval)
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"iam.rate", s.rate}, {"iam.account-rate", s.accountRate},
	} {
		if math.IsNaN(f.value) || f.value <= 0 {
			return fmt.Errorf("flag --%s: got %v, want a number above 0", f.name, f.value)
		}
	}
	if s.accountRate > s.rate {
		return fmt.Errorf("flag --iam.account-rate: got %v, want --iam.rate (%v) or less", s.accountRate, s.rate)
	}
	if err := s.validateShard(); err != nil {
		return err
	}
	if s.demo && s.stateDir != "" {
		return errors.New("flag --state.dir: got it beside --demo, want one of them: each start makes a new demo account")
	}
	if s.demoAccounts > 1 && !s.demo {
		return errors.New("flag --demo.accounts: got it without --demo, which alone it is for")
	}
	if s.command == commandCheckAccess && time.Duration(s.access.timeout) < time.Second {
		return fmt.Errorf("flag --timeout: got %s, want 1s or more", s.access.timeout)
	}
	if s.command == commandPolicy {
		if err := s.validatePolicy(); err != nil {
			return err
		}
	}
	return s.validateLimits()
}

func (s *settings) validateShard() error {
	switch {
	case s.totalShards < 1:
		return fmt.Errorf("flag --total-shards: got %d, want 1 or more", s.totalShards)
	case s.shard >= s.totalShards:
		return fmt.Errorf("flag --shard: got %d, want less than --total-shards (%d): the first is 0", s.shard, s.totalShards)
	case s.demo && s.totalShards > 1:
		return errors.New("flag --total-shards: got it beside --demo, want one of them: the demo has an account of its own")
	}
	return nil
}

// checkShards refuses to share out the one account of the own credentials.
func (s *settings) checkShards(c *config.Config) error {
	if s.totalShards > 1 && c.Accounts == nil && c.Organization == nil {
		return fmt.Errorf("flag --total-shards: got %d, want accounts or an organization in --config.file: one account cannot be shared out", s.totalShards)
	}
	return nil
}

// validateLimits returns every limit that makes no sense, by the name of its flag.
func (s *settings) validateLimits() error {
	var errs []error
	for _, p := range s.limits().Problems() {
		if p.Other != "" && p.Value == policy.DefaultLimits().RotationWarning {
			errs = append(errs, shortAge(p))
			continue
		}
		flag := func(name string) string { return "--policy." + strings.ReplaceAll(name, "_", "-") }
		errs = append(errs, fmt.Errorf("flag %s: got %s, want %s", flag(p.Limit), policy.InDays(p.Value), p.Wanted(flag(p.Other))))
	}
	return errors.Join(errs...)
}

// shortAge says what to do about a greatest age of keys that is shorter than the warning
// before it, which is what it is by default: nobody chose it.
func shortAge(p policy.LimitProblem) error {
	const warnings = 7 // fit into the age
	return fmt.Errorf("flag --policy.max-key-age: got %s, want more than --policy.rotation-warning, which is %s by default: set that too, for example --policy.rotation-warning=%s",
		policy.InDays(p.OtherValue), policy.InDays(p.Value), policy.InDays((p.OtherValue / warnings).Truncate(time.Second)))
}

func (s *settings) limits() policy.Limits {
	return policy.Limits{
		MaxKeyAge: time.Duration(s.maxKeyAge), RotationWarning: time.Duration(s.rotationWarning),
		MaxKeyIdle: time.Duration(s.maxKeyIdle), MaxPasswordIdle: time.Duration(s.maxPasswordIdle),
		RotationOverlap: time.Duration(s.rotationOverlap), SetupWindow: time.Duration(s.setupWindow),
	}
}

// defaults are what counts where the configuration file says nothing.
func (s *settings) defaults() config.Defaults {
	return config.Defaults{Limits: s.limits(), Settings: config.Settings{
		Source:          awsapi.Source(s.source),
		RefreshInterval: time.Duration(s.refreshInterval), KeysInterval: time.Duration(s.keysInterval),
	}}
}

// ownAccount is the account of the exporter's own credentials, where the configuration
// lists no accounts.
func (s *settings) ownAccount(c *config.Config) config.Account {
	own := config.Account{Settings: s.defaults().Settings}
	own.Settings.Tags = c.Tags
	return own
}

// quiet leaves out of the log what a command says in its own words, unless more or
// less was asked for.
func (s *settings) quiet() error {
	if s.log.Level.String() == "info" {
		return s.log.Level.Set("warn")
	}
	return nil
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	s.log.Writer = w
	return promslog.New(&s.log)
}
