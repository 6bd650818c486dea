package app

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
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

// settings are the parsed command line: the flags of all commands, by what they are
// about, and those of each command.
type settings struct {
	command string

	configFile string
	stateDir   string
	defaults   config.Defaults // where facts come from, how often, and the limits
	calls      callFlags
	share      share
	metrics    metricsFlags
	demo       demoFlags
	web        webFlags
	log        promslog.Config
	given      given // of the flags whose defaults depend on others

	check       checkFlags
	checkConfig checkConfigFlags
	access      accessFlags
	iamPolicy   policyFlags
}

// callFlags say how fast AWS is asked.
type callFlags struct {
	rates   cost.Rates
	timeout time.Duration // of one attempt
}

type metricsFlags struct {
	accessKeyIDs view.KeyIDFormat
	keyAge       bool
	users        bool
}

type demoFlags struct {
	on       bool
	accounts int
}

type webFlags struct {
	*toolkit.FlagConfig
	probeAddress string
	pprof        bool
}

// newApplication declares every flag. Each can also come from the environment.
func newApplication(s *settings) *kingpin.Application {
	app := kingpin.New("aws_iam_exporter", "Prometheus exporter for the access keys of AWS IAM users. "+
		"It uses the credentials that the AWS SDK finds, and only reads.").DefaultEnvars()
	app.Version(version.Print("aws_iam_exporter"))
	explain(app)
	app.HelpFlag.Short('h').NoEnvar()
	app.VersionFlag.NoEnvar()

	boolFlag(app, "demo", "false", "Show a made-up account instead of a real one: no AWS, no credentials, no network. Intervals and rates left at their defaults are made faster.", &s.demo.on)
	countFlag(app, "demo.accounts", "1", fmt.Sprintf("How many made-up accounts the demo has, at most %d. The role in the third, and in every tenth from there on, cannot be assumed, to show what that looks like.", demo.MaxMembers()),
		demo.MaxMembers(), &s.demo.accounts)
	app.Flag("config.file", "Configuration file: accounts or an organization, limits, classes of users, owners, exemptions, and which users to show; see docs/configuration.md. Reloaded on SIGHUP and POST /-/reload.").
		PlaceHolder("FILE").StringVar(&s.configFile)
	app.Flag("state.dir", "Directory in which to keep the facts between restarts; nobody else may have access to it. Created if its parent exists. Without it, nothing is kept.").
		PlaceHolder("DIRECTORY").StringVar(&s.stateDir)
	s.declareReading(app)
	s.share.declare(app)
	declareLimits(app, &s.defaults.Limits)
	choiceFlag(app, "metrics.access-key-id", "How to show access key ids, in metrics, logs and pages: full, or suffix for their last 4 characters (more where 4 are not unique).",
		&s.metrics.accessKeyIDs, view.KeyIDFull, view.KeyIDSuffix)
	boolFlag(app, "metrics.key-age", "true", "Serve aws_iam_access_key_age_seconds, which is for people to look at; alerts need only the timestamps.", &s.metrics.keyAge)
	boolFlag(app, "metrics.users", "true", "Serve series of single users and keys, findings included; otherwise only those of accounts and of root.", &s.metrics.users)
	s.web.FlagConfig = kingpinflag.AddFlags(app, listenAddress)
	app.Flag("web.probe-address", "Serve /-/healthy and /-/ready on this address too, without TLS and authentication, for probes. Example: `:10191`").
		PlaceHolder("ADDRESS").StringVar(&s.web.probeAddress)
	boolFlag(app, "web.enable-pprof", "false", "Serve Go's profiles under /debug/pprof/.", &s.web.pprof)
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

// declareReading declares where facts come from, how often, and how fast AWS is asked.
func (s *settings) declareReading(app *kingpin.Application) {
	read := &s.defaults.Settings
	s.given = given{}
	choiceFlag(app, "iam.source", "Where facts come from: auto (keys live, the rest from the credential report where possible), report (2 to 4 calls every 4 hours, facts up to 4 hours old, no key ids), live (no report, many calls).",
		&read.Source, awsapi.Sources()...)
	s.given.note("iam.refresh-interval", durationFlag(app, "iam.refresh-interval", defaultRefresh, "How often to list the users, and to look for a new credential report once one can exist.", &read.RefreshInterval))
	s.given.note("iam.keys-interval", durationFlag(app, "iam.keys-interval", defaultKeys, "How often to read each user's keys.", &read.KeysInterval))
	s.given.note("iam.rate", numberFlag(app, "iam.rate", defaultRate, "The most requests a second to AWS, for all accounts together, retries included.", &s.calls.rates.All))
	s.given.note("iam.account-rate", numberFlag(app, "iam.account-rate", defaultAccountRate, "The most requests a second to AWS for one account, retries included; a lower --iam.rate applies to one account, too. Halved whenever AWS throttles; recovers slowly.", &s.calls.rates.Account))
	durationFlag(app, "iam.timeout", "10s", "How long to wait for the answer to a request; each retry may take as long again.", &s.calls.timeout)
}

func declareLimits(app *kingpin.Application, l *policy.Limits) {
	durationFlag(app, "policy.max-key-age", "90d", "How old an active key may become.", &l.MaxKeyAge)
	durationFlag(app, "policy.rotation-warning", "14d", "How long before --policy.max-key-age a rotation counts as due.", &l.RotationWarning)
	durationFlag(app, "policy.max-key-idle", "45d", "How long an active key may go unused, counted from its creation if it was never used.", &l.MaxKeyIdle)
	durationFlag(app, "policy.max-password-idle", "45d", "How long a password may go unused, counted from its last use or, if that is later, from its setting.", &l.MaxPasswordIdle)
	durationFlag(app, "policy.rotation-overlap", "7d", "How long a user may have two active keys, to rotate one; 0 for never.", &l.RotationOverlap)
	durationFlag(app, "policy.setup-window", "15m", "A key created this soon after its user counts as made at user setup.", &l.SetupWindow)
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
	s.checkConfig.input = s.checkConfig.file == "" && slices.Contains(args, "-") // kingpin makes "" of it
	s.check.input = slices.Contains(args, "-") || slices.Contains(s.check.reports, "-")
	if s.demo.on {
		s.applyDemoDefaults(app)
	}
	if rates := &s.calls.rates; !s.given.has(app, "iam.account-rate") {
		rates.Account = min(rates.Account, rates.All)
	}
	if read := &s.defaults.Settings; !s.given.has(app, "iam.keys-interval") {
		read.KeysInterval = max(read.KeysInterval, read.RefreshInterval)
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
	read, rates := &s.defaults.Settings, &s.calls.rates
	if !s.given.has(app, "iam.refresh-interval") {
		read.RefreshInterval = 10 * time.Second
	}
	if !s.given.has(app, "iam.keys-interval") {
		read.KeysInterval = max(30*time.Second, read.RefreshInterval)
	}
	if !s.given.has(app, "iam.rate") {
		rates.All = 1000
	}
	if !s.given.has(app, "iam.account-rate") {
		rates.Account = rates.All
	}
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
