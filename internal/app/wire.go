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
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// watching is what keeps accounts fresh: `serve` runs it until it is stopped, and
// `check` until everything was read once.
type watching struct {
	shared    *awsapi.Shared
	board     *view.Board
	fleet     *fleet.Fleet
	targets   *targets
	discovery *discovery
}

// newWatching returns what watches the accounts of a configuration once targets has
// begun with it. The store may be nil.
func newWatching(from awsSource, s *settings, board *view.Board, store *state.Store, logger *slog.Logger) *watching {
	w := &watching{shared: awsapi.NewShared(rate.Limit(s.calls.rates.All)), board: board}
	w.fleet = fleet.New(board, fleet.Options{Store: store, Pause: pauseBetweenStarts(s.calls.rates.All), Logger: logger})
	w.targets = &targets{
		share: s.share, rates: s.calls.rates, clients: newClientPool(from, s.calls, w.shared), fleet: w.fleet, board: board, store: store, logger: logger,
	}
	w.discovery = newDiscovery(w.targets)
	return w
}

// run watches the accounts until the context ends.
func (w *watching) run(ctx context.Context) {
	var others sync.WaitGroup
	others.Go(func() { w.discovery.run(ctx) })
	others.Go(func() { w.board.KeepTime(ctx) })
	w.fleet.Run(ctx)
	others.Wait()
}

// ready reports whether everything was asked for once, with success or without, or
// that this takes too long to wait for.
func (w *watching) ready() bool { return w.discovery.ready() && w.fleet.Ready() }

// source returns where facts about the account come from.
func (w *watching) source(accountID string) string { return string(w.fleet.Source(accountID)) }

// program is the exporter, wired.
type program struct {
	*watching
	web    web.Options
	reload func() error // nil if there is nothing to reload
}

// wire puts the parts together in the order in which data flows: from AWS to the
// accounts' snapshots, to the board that holds them evaluated, to metrics, to pages.
func wire(from awsSource, s *settings, logger *slog.Logger) (*program, error) {
	c, err := configuration(from, s)
	if err != nil {
		return nil, err
	}
	if s.configFile != "" {
		logger.Info("Configuration read", configurationDetails(c)...)
	}
	store, err := openStore(s.stateDir)
	if err != nil {
		return nil, err
	}
	metrics := metricsOf(s)
	renderer := collector.NewRenderer(metrics)
	board := view.New(c.Policy, view.Reload{Wanted: s.configFile != "", Successful: true, At: time.Now()}, renderer.Rendering())
	w := newWatching(from, s, board, store, logger)
	if err := w.targets.begin(c); err != nil {
		return nil, err
	}
	p := &program{watching: w}
	if s.configFile != "" || from.credentials != nil {
		p.reload = (&reloader{watching: w, file: s.configFile, defaults: s.defaults, logger: logger}).reload
	}
	source := collector.Source{View: board.View, API: w.shared.Calls}
	rendered, own := prometheus.NewRegistry(), ownRegistry(collector.OfCounters(metrics, source))
	rendered.MustRegister(collector.OfView(metrics, source))
	p.web = web.Options{
		Page: renderer.Page, Rendered: rendered, Gatherer: own, Register: own,
		View: board.View, Ready: w.ready, Source: w.source, Reload: p.reload, Now: time.Now,
		Users: s.metrics.users, AccessKeyIDs: metrics.AccessKeyIDs,
		Version: version.Version, Demo: from.note, Pprof: s.web.pprof, Logger: logger,
	}
	return p, nil
}

func metricsOf(s *settings) collector.Options {
	return collector.Options{
		Now:          time.Now,
		AccessKeyIDs: s.metrics.accessKeyIDs, KeyAge: s.metrics.keyAge, Users: s.metrics.users, Share: s.share.total > 1,
	}
}

// pauseBetweenStarts is how long the first calls about an account take, if as many
// are sent as may be: an account that starts sooner would only wait for its turn.
func pauseBetweenStarts(rate float64) time.Duration {
	const firstCalls = 5 // the role, who we are, the users, and have a report made and fetched
	return time.Duration(firstCalls / rate * float64(time.Second))
}

// ownRegistry is of what the exporter tells of itself.
func ownRegistry(counters prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("aws_iam_exporter"),
		counters,
	)
	return r
}

// configuration reads the configuration file. Without one, the policy comes from
// the flags or, in the demo, from the demo's own configuration.
func configuration(from awsSource, s *settings) (*config.Config, error) {
	switch {
	case s.configFile != "":
		return config.Load(s.configFile, s.defaults)
	case from.configuration != nil:
		return config.Parse("demo", from.configuration, s.defaults)
	}
	return config.WithoutFile(s.defaults), nil
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
