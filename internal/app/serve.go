package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

const commandServe = "serve"

// drainTime is how long a stopping exporter waits for scrapes in flight.
const drainTime = 20 * time.Second

func declareServe(app *kingpin.Application, _ *settings) {
	app.Command(commandServe, "Serve metrics; the default command.").Default()
}

// serve runs the exporter until the context ends.
func serve(ctx context.Context, s *settings, _, stderr io.Writer) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from the start, or the signal would end the process
	defer signal.Stop(hangup)
	logger := s.logger(stderr)
	logger.Info("Starting aws_iam_exporter", "version", version.Info(), "iam_source", s.defaults.Settings.Source)
	if err := toolkit.Validate(*s.web.WebConfigFile); err != nil {
		return fmt.Errorf("flag --web.config.file: use %s: %w", *s.web.WebConfigFile, err) // the file's errors do not name it
	}
	group, ctx := errgroup.WithContext(ctx)
	from, err := connect(ctx, group, s, logger)
	if err != nil {
		return err
	}
	p, err := wire(from, s, logger)
	if err != nil {
		group.Go(func() error { return err }) // which ends what connect has started
		return group.Wait()
	}
	group.Go(func() error { reloadOnHangup(ctx, hangup, p.reload, logger); return nil })
	listening := listen(ctx, group, &s.web, logger, p.web)
	group.Go(func() error {
		for _, listens := range listening {
			select {
			case <-listens:
			case <-ctx.Done(): // nobody would see what AWS answers
				return nil
			}
		}
		p.run(ctx)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	logger.Info("Stopped")
	return nil
}

// listen serves the main listener and, if there is one, the probes' own. It returns
// a channel for each of them, which is closed once it listens.
func listen(ctx context.Context, group *errgroup.Group, f *webFlags, logger *slog.Logger, o web.Options) (listening []<-chan struct{}) {
	main := newServer(web.Handler(o), logger)
	listening = append(listening, noteListening(main))
	group.Go(func() error {
		return serveUntil(ctx, main, logger, drainTime, func() error { return toolkit.ListenAndServe(main, f.FlagConfig, logger) })
	})
	if f.probeAddress != "" {
		probes := newServer(web.Probes(o.Ready), logger)
		probes.Addr = f.probeAddress
		listening = append(listening, noteListening(probes))
		logger.Info("Serving probes without TLS and authentication", "address", f.probeAddress)
		group.Go(func() error { return serveUntil(ctx, probes, logger, drainTime, probes.ListenAndServe) })
	}
	return listening
}

// noteListening returns a channel that is closed once the server listens on all of
// its addresses: it asks for a context only then.
func noteListening(server *http.Server) <-chan struct{} {
	listens := make(chan struct{})
	var once sync.Once
	server.BaseContext = func(net.Listener) context.Context {
		once.Do(func() { close(listens) })
		return context.Background()
	}
	return listens
}

// newServer returns a server on which no client can take forever. No request needs
// a body: of one that comes nonetheless, net/http reads less than a megabyte.
func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 3 * time.Minute,
		MaxHeaderBytes: 64 << 10, // of each connection; a megabyte if nobody says
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveUntil serves until the context ends, then waits for requests in flight, but
// not forever.
func serveUntil(ctx context.Context, server *http.Server, logger *slog.Logger, patience time.Duration, serve func() error) error {
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { drained <- drain(server, logger, patience) })
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		stop()
		_ = server.Close() // it may listen on another address
		return fmt.Errorf("serve HTTP: %w; check the addresses that the --web flags name", err)
	}
	return <-drained
}

func drain(server *http.Server, logger *slog.Logger, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		logger.Warn("Ending requests that take too long", "err", err)
		return server.Close()
	}
	return nil
}
