// Command aws_iam_exporter serves the state of AWS IAM users' access keys as
// Prometheus metrics.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/fleet"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// drainTime bounds how long a stopping exporter waits for scrapes under way.
const drainTime = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a stop that takes too long
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it returns the exit code once the context ends or
// something fails for good.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, done, err := parse(args, stdout, stderr)
	switch {
	case err == nil && done:
	case err == nil && s.command == commandPolicy:
		err = printPolicy(stdout, s)
	case err == nil:
		err = serve(ctx, s, stderr)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "aws_iam_exporter: error: %v\n", err)
		return 1
	}
	return 0
}

func printPolicy(stdout io.Writer, s *settings) error {
	document, err := awsapi.Policy(awsapi.Needs{Source: awsapi.Source(s.source)}, s.partition, s.accountID)
	if err != nil {
		return err
	}
	_, err = stdout.Write(document)
	return err
}

// serve runs the exporter until the context ends.
func serve(ctx context.Context, s *settings, stderr io.Writer) error {
	logger := s.logger(stderr)
	logger.Info("Starting aws_iam_exporter", "version", version.Info(), "iam_source", s.source)
	group, ctx := errgroup.WithContext(ctx)
	from, err := connect(ctx, group, s, logger)
	if err != nil {
		return err
	}
	account, options := wire(from, s, logger)
	group.Go(func() error { account.Run(ctx); return nil })
	listen(ctx, group, s, logger, options)
	if err := group.Wait(); err != nil {
		return err
	}
	logger.Info("Stopped")
	return nil
}

func connect(ctx context.Context, group *errgroup.Group, s *settings, logger *slog.Logger) (upstream, error) {
	if s.demo {
		return connectDemo(ctx, group)
	}
	return connectAWS(ctx, logger)
}

// wire puts the parts together, in the order in which data flows: from AWS to
// the account's snapshot and judgement, to the metrics, to the pages.
func wire(from upstream, s *settings, logger *slog.Logger) (*fleet.Account, web.Options) {
	source := awsapi.Source(s.source)
	process := awsapi.NewProcess(awsapi.Needs{Source: source}, rate.Limit(s.rate))
	client := awsapi.New(from.config, process, awsapi.Options{Rate: rate.Limit(s.accountRate), Timeout: time.Duration(s.timeout)})
	reader := awsiam.New(client, awsiam.Options{
		Source: source, RefreshInterval: time.Duration(s.refreshInterval), KeysInterval: time.Duration(s.keysInterval),
		ReportLife: from.reportLife,
	})
	accounts := fleet.New(policy.WithLimits(s.limits()), policy.Reload{})
	account := fleet.NewAccount(accounts, reader, time.Duration(s.refreshInterval), logger)

	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("aws_iam_exporter"),
		collector.New(collector.Options{
			View: accounts.View, API: process.Calls, Now: time.Now,
			AccessKeyIDs: policy.KeyIDs(s.accessKeyID), KeyAge: s.keyAge, Users: true,
		}),
	)
	return account, web.Options{
		Gatherer: registry, View: accounts.View, Ready: account.Ready, Now: time.Now,
		Source: s.source, Version: version.Version, Demo: from.note, Pprof: s.pprof, Logger: logger,
	}
}

// listen serves the main listener and, if there is one, the probes' own.
func listen(ctx context.Context, group *errgroup.Group, s *settings, logger *slog.Logger, o web.Options) {
	main := newServer(web.Handler(o), logger)
	serveUntil(ctx, group, main, logger, drainTime, func() error { return toolkit.ListenAndServe(main, s.web, logger) })
	if s.probeAddress != "" {
		probes := newServer(web.Probes(o.Ready), logger)
		probes.Addr = s.probeAddress
		logger.Info("Serving probes without TLS and authentication", "address", s.probeAddress)
		serveUntil(ctx, group, probes, logger, drainTime, probes.ListenAndServe)
	}
}

func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveUntil serves until the context ends, then waits for requests under way,
// but not for ever.
func serveUntil(ctx context.Context, group *errgroup.Group, server *http.Server, logger *slog.Logger, patience time.Duration, serve func() error) {
	group.Go(func() error {
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP: %w; check the addresses and files that the --web flags name", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			logger.Warn("Ending requests that take too long", "err", err)
			return server.Close()
		}
		return nil
	})
}
