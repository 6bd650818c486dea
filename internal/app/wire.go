package app

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// program is the exporter, wired.
type program struct {
	account *fleet.Account
	web     web.Options
	reload  func() error // nil without a configuration file
}

// wire puts the parts together, in the order in which data flows: from AWS to
// the account's snapshot and judgement, to the metrics, to the pages.
func wire(from upstream, s *settings, logger *slog.Logger) (*program, error) {
	c, err := configuration(from, s)
	if err != nil {
		return nil, err
	}
	if s.configFile != "" {
		logger.Info("Configuration read", configurationDetails(s, c)...)
	}
	source := awsapi.Source(s.source)
	process := awsapi.NewProcess(awsapi.Needs{Source: source, Tags: c.Tags}, rate.Limit(s.rate))
	client := awsapi.New(from.config, process, awsapi.Options{Rate: rate.Limit(s.accountRate), Timeout: time.Duration(s.timeout)})
	store, err := openStore(s.stateDir)
	if err != nil {
		return nil, err
	}
	reader := awsiam.New(client, awsiam.Options{
		Source: source, RefreshInterval: time.Duration(s.refreshInterval), KeysInterval: time.Duration(s.keysInterval),
		ReportLife: from.reportLife, Recall: recall(store, logger),
	})
	accounts := fleet.New(c.Policy, view.Reload{Wanted: s.configFile != "", Successful: true, At: time.Now()})
	account := fleet.NewAccount(accounts, reader, fleet.Options{Interval: time.Duration(s.refreshInterval), Store: store, Logger: logger})

	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("aws_iam_exporter"),
		collector.New(collector.Options{
			View: accounts.View, API: process.Calls, Now: time.Now,
			AccessKeyIDs: view.KeyIDFormat(s.accessKeyID), KeyAge: s.keyAge, Users: s.users,
		}),
	)
	p := &program{account: account}
	if s.configFile != "" {
		p.reload = (&reloader{settings: s, process: process, accounts: accounts, logger: logger}).reload
	}
	p.web = web.Options{
		Gatherer: registry, View: accounts.View, Ready: account.Ready, Reload: p.reload, Now: time.Now,
		Source: s.source, Users: s.users, Version: version.Version, Demo: from.note, Pprof: s.pprof, Logger: logger,
	}
	return p, nil
}

// configuration reads the configuration file; without one the flags say it all,
// or the demo, which has a configuration of its own.
func configuration(from upstream, s *settings) (*config.Config, error) {
	switch {
	case s.configFile != "":
		return config.Load(s.configFile, s.limits())
	case from.configuration != nil:
		return config.Parse("demo", from.configuration, s.limits())
	}
	return &config.Config{Policy: policy.WithLimits(s.limits())}, nil
}

func openStore(dir string) (*state.Store, error) {
	if dir == "" {
		return nil, nil
	}
	store, err := state.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("flag --state.dir: %w", err)
	}
	return store, nil
}

// recall returns what hands out the facts of an earlier run. Until AWS has told
// the account, they are those of the only account on disk.
func recall(store *state.Store, logger *slog.Logger) func(string) *inventory.Snapshot {
	if store == nil {
		return nil
	}
	return func(accountID string) *inventory.Snapshot {
		load := func() (*inventory.Snapshot, error) { return store.Load(accountID) }
		if accountID == "" {
			load = store.Sole
		}
		known, err := load()
		switch {
		case err != nil:
			logger.Warn("Starting without the facts of an earlier run", "err", err)
		case known != nil:
			logger.Info("Starting with the facts of an earlier run", "account_id", known.Account.ID,
				"users", len(known.Users), "listed", known.Freshness[inventory.GroupUsers].Observed)
		}
		return known
	}
}
