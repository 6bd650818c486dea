package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// program is the exporter, wired.
type program struct {
	accounts  *fleet.Fleet
	board     *view.Board
	discovery *discovery
	web       web.Options
	reload    func() error // nil if there is nothing to reload
}

// wire puts the parts together in the order in which data flows: from AWS to the
// accounts' snapshots, to the board that holds them evaluated, to metrics, to pages.
func wire(from awsSource, s *settings, logger *slog.Logger) (*program, error) {
	c, err := configuration(from, s)
	if err != nil {
		return nil, err
	}
	if s.configFile != "" {
		logger.Info("Configuration read", configurationDetails(s, c)...)
	}
	store, err := openStore(s.stateDir)
	if err != nil {
		return nil, err
	}
	shared := awsapi.NewShared(rate.Limit(s.rate))
	p := &program{board: view.New(c.Policy, view.Reload{Wanted: s.configFile != "", Successful: true, At: time.Now()})}
	of := collector.Options{
		View: p.board.View, API: shared.Calls, Now: time.Now,
		AccessKeyIDs: view.KeyIDFormat(s.accessKeyID), KeyAge: s.keyAge, Users: s.users, Share: s.totalShards > 1,
	}
	rendered := collector.NewRenderer(of)
	p.board.Rendering = rendered.Rendering()
	p.accounts = fleet.New(p.board, fleet.Options{Store: store, Pause: pauseBetweenStarts(s.rate), Logger: logger})
	who := &census{settings: s, roster: newRoster(from, s, shared), accounts: p.accounts, board: p.board, store: store, logger: logger}
	if err := who.begin(c); err != nil {
		return nil, err
	}
	p.discovery = newDiscovery(who)
	if s.configFile != "" || from.credentials != nil {
		p.reload = (&reloader{settings: s, census: who, discovery: p.discovery, accounts: p.accounts, board: p.board, logger: logger}).reload
	}
	inView, own := prometheus.NewRegistry(), ownRegistry(of)
	inView.MustRegister(collector.OfView(of))
	p.web = web.Options{
		Page: rendered.Page, Rendered: inView, Gatherer: own, Register: own,
		View: p.board.View, Ready: func() bool { return p.discovery.ready() && p.accounts.Ready() }, Reload: p.reload, Now: time.Now,
		Source: func(id string) string { return string(p.accounts.Source(id)) }, Users: s.users, AccessKeyIDs: of.AccessKeyIDs, Version: version.Version, Demo: from.note, Pprof: s.pprof, Logger: logger,
	}
	return p, nil
}

// pauseBetweenStarts is how long the first calls about an account take, if as many
// are sent as may be: an account that starts sooner would only wait for its turn.
func pauseBetweenStarts(rate float64) time.Duration {
	const firstCalls = 5 // the role, who we are, the users, and have a report made and fetched
	return time.Duration(firstCalls / rate * float64(time.Second))
}

// run watches the accounts until the context ends.
func (p *program) run(ctx context.Context) {
	var others sync.WaitGroup
	others.Go(func() { p.discovery.run(ctx) })
	others.Go(func() { p.board.KeepTime(ctx) })
	p.accounts.Run(ctx)
	others.Wait()
}

// ownRegistry is of what the exporter tells of itself.
func ownRegistry(of collector.Options) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("aws_iam_exporter"),
		collector.OfCounters(of),
	)
	return r
}

// configuration reads the configuration file. Without one, the policy comes from
// the flags or, in the demo, from the demo's own configuration.
func configuration(from awsSource, s *settings) (*config.Config, error) {
	switch {
	case s.configFile != "":
		return config.Load(s.configFile, s.defaults())
	case from.configuration != nil:
		return config.Parse("demo", from.configuration, s.defaults())
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
