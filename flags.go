package main

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const (
	listenAddress   = ":10190"
	refreshInterval = "5m"
	keysInterval    = "1h"

	commandServe  = "serve"
	commandPolicy = "iam-policy"
)

// settings are the command line, parsed.
type settings struct {
	command string

	demo            bool
	source          string
	refreshInterval model.Duration
	keysInterval    model.Duration
	rate            float64
	accountRate     float64
	timeout         model.Duration

	maxKeyAge       model.Duration
	rotationWarning model.Duration
	maxKeyIdle      model.Duration
	rotationOverlap model.Duration
	setupWindow     model.Duration

	accessKeyID string
	keyAge      bool

	web          *toolkit.FlagConfig
	probeAddress string
	pprof        bool
	log          promslog.Config

	partition, accountID string // of the policy to print
}

// newApplication declares every flag. Each can also come from the environment.
func newApplication(s *settings) *kingpin.Application {
	app := kingpin.New("aws_iam_exporter", "Prometheus exporter for the access keys of AWS IAM users. "+
		"It reads with whatever credentials the AWS SDK finds, and never writes.").DefaultEnvars()
	app.Version(version.Print("aws_iam_exporter"))
	app.HelpFlag.Short('h').NoEnvar()
	app.VersionFlag.NoEnvar()

	app.Flag("demo", "Show a made-up account instead of a real one: no AWS, no credentials, no network.").BoolVar(&s.demo)
	addIAMFlags(app, s)
	addPolicyFlags(app, s)
	app.Flag("metrics.access-key-id", "How to show access key ids, in metrics, logs and pages: full, or suffix for their last 4 characters (more where 4 are not unique).").
		Default(string(policy.FullKeyIDs)).EnumVar(&s.accessKeyID, string(policy.FullKeyIDs), string(policy.SuffixKeyIDs))
	app.Flag("metrics.key-age", "Serve aws_iam_access_key_age_seconds, which is for people's eyes; alerts need only the timestamps.").
		Default("true").BoolVar(&s.keyAge)
	s.web = kingpinflag.AddFlags(app, listenAddress)
	app.Flag("web.probe-address", "Serve /-/healthy and /-/ready on this address too, without TLS and authentication, for probes. Example: `:10191`").
		PlaceHolder("ADDRESS").StringVar(&s.probeAddress)
	app.Flag("web.enable-pprof", "Serve Go's profiles under /debug/pprof/.").BoolVar(&s.pprof)
	promslogflag.AddFlags(app, &s.log)

	app.Command(commandServe, "Serve metrics. This is what happens without a command.").Default()
	print := app.Command(commandPolicy, "Print the least IAM policy under which the exporter works with the flags given, as JSON.")
	print.Flag("partition", "The partition of the account: aws, aws-cn, aws-us-gov, …").Default("aws").StringVar(&s.partition)
	print.Flag("account-id", "Narrow the policy to users of this account.").Default("*").StringVar(&s.accountID)
	return app
}

func addIAMFlags(app *kingpin.Application, s *settings) {
	var sources []string
	for _, source := range awsapi.Sources() {
		sources = append(sources, string(source))
	}
	app.Flag("iam.source", "Where facts come from: auto (keys live, the rest from the credential report where it can be), report (2 to 4 calls each 4 hours, facts as old as that, no key ids), live (no report, many calls).").
		Default(string(awsapi.SourceAuto)).EnumVar(&s.source, sources...)
	app.Flag("iam.refresh-interval", "How often to list the users, and to look for a new credential report once one can exist.").
		Default(refreshInterval).SetValue(&s.refreshInterval)
	app.Flag("iam.keys-interval", "Within what time to read each user's keys anew.").
		Default(keysInterval).SetValue(&s.keysInterval)
	app.Flag("iam.rate", "The most requests a second to AWS, of all accounts together, retries included.").
		Default("20").Float64Var(&s.rate)
	app.Flag("iam.account-rate", "The most requests a second to AWS for one account, retries included. Halved whenever AWS throttles; recovers slowly.").
		Default("5").Float64Var(&s.accountRate)
	app.Flag("iam.timeout", "How long to wait for the answer to one request, each retry anew.").
		Default("10s").SetValue(&s.timeout)
}

func addPolicyFlags(app *kingpin.Application, s *settings) {
	app.Flag("policy.max-key-age", "How old an active key may become.").
		Default("90d").SetValue(&s.maxKeyAge)
	app.Flag("policy.rotation-warning", "How long before that a rotation counts as due.").
		Default("14d").SetValue(&s.rotationWarning)
	app.Flag("policy.max-key-idle", "How long an active key may go unused, counted from its creation if it never was used.").
		Default("45d").SetValue(&s.maxKeyIdle)
	app.Flag("policy.rotation-overlap", "How long a user may have a second active key, to rotate the first; 0 for not at all.").
		Default("7d").SetValue(&s.rotationOverlap)
	app.Flag("policy.setup-window", "How soon after its user a key must be created to count as made at user setup.").
		Default("15m").SetValue(&s.setupWindow)
}

// parse reads the command line. It reports done if that was a call for help or
// the version, which it has answered.
func parse(args []string, stdout, stderr io.Writer) (s *settings, done bool, err error) {
	s = &settings{}
	app := newApplication(s).UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	s.command, err = app.Parse(args)
	if done {
		return s, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w; try --help", err)
	}
	if s.demo {
		s.hurry()
	}
	return s, false, s.validate()
}

// hurry suits the intervals to the demo account's life, where they were left
// at their defaults.
func (s *settings) hurry() {
	if s.refreshInterval.String() == refreshInterval {
		s.refreshInterval = model.Duration(10 * time.Second)
	}
	if s.keysInterval.String() == keysInterval {
		s.keysInterval = model.Duration(30 * time.Second)
	}
	s.rate, s.accountRate = 1000, 1000 // nobody else uses the demo account
}

// validate refuses values that no flag's type refuses.
func (s *settings) validate() error {
	for _, f := range []struct {
		name  string
		value model.Duration
	}{
		{"iam.refresh-interval", s.refreshInterval}, {"iam.keys-interval", s.keysInterval}, {"iam.timeout", s.timeout},
	} {
		if time.Duration(f.value) < time.Second {
			return fmt.Errorf("flag --%s: %s is too short: expected 1s or more", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"iam.rate", s.rate}, {"iam.account-rate", s.accountRate},
	} {
		if math.IsNaN(f.value) || f.value <= 0 {
			return fmt.Errorf("flag --%s: %v: expected a number above 0", f.name, f.value)
		}
	}
	return s.limits().Validate()
}

func (s *settings) limits() policy.Limits {
	return policy.Limits{
		MaxKeyAge: time.Duration(s.maxKeyAge), RotationWarning: time.Duration(s.rotationWarning),
		MaxKeyIdle: time.Duration(s.maxKeyIdle), RotationOverlap: time.Duration(s.rotationOverlap),
		SetupWindow: time.Duration(s.setupWindow),
	}
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	s.log.Writer = w
	return promslog.New(&s.log)
}
