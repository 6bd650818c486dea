//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testRestart ends the exporter in both ways while AWS cannot be reached, and
// starts it again: what it knew must still be served, and be no younger.
func testRestart(t *testing.T, aws environment, want samples, config string) {
	gate := newGate(t, aws)
	dir := filepath.Join(t.TempDir(), "state")
	args := []string{"--iam.source=auto", config, "--state.dir=" + dir}
	e := testSource(t, gate.aws, want, args...)
	for _, c := range []struct {
		name string
		end  func(*exporter)
	}{
		{"SIGTERM", func(e *exporter) { e.stop() }},
		{"SIGKILL", func(e *exporter) { e.kill() }},
	} {
		t.Logf("the gate is shut, then comes %s", c.name)
		gate.shut()
		observed := awaitKept(t, e)
		checkPrivate(t, dir)
		c.end(e)

		e = startExporter(t, gate.aws, args...)
		silent := maps.Clone(want)
		silent[upSeries] = 0
		awaitSamples(t, silent, e.samples)
		got, err := e.samples(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(observed, got.observed()); diff != "" {
			t.Errorf("after %s the facts are of other times (-before +after):\n%s", c.name, diff)
		}

		gate.open(t)
		awaitSamples(t, want, e.samples)
		eventually(t, time.Minute, func(ctx context.Context) error {
			got, err := e.samples(ctx)
			if users := `aws_iam_account_facts_observed_timestamp_seconds{account_id="123456789012", facts="users"}`; err == nil && got[users] <= observed[users] {
				return errors.New("the users are not listed again")
			}
			return err
		})
	}
}

const (
	upSeries    = `aws_iam_account_up{account_id="123456789012"}`
	savedSeries = `aws_iam_account_state_saved_timestamp_seconds{account_id="123456789012"}`
)

// awaitKept waits until a refresh has failed and all that is known is on disk,
// and returns the times of the facts.
func awaitKept(t *testing.T, e *exporter) samples {
	t.Helper()
	var observed samples
	down := 0.0 // when it was last saved by the time the first refresh had failed
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		got, err := e.samples(ctx)
		switch {
		case err != nil:
			return err
		case got[upSeries] != 0:
			return errors.New("no refresh has failed yet")
		case down == 0:
			down = got[savedSeries]
		}
		if got[savedSeries] <= down {
			return fmt.Errorf("nothing was saved since %v", down)
		}
		observed = got.observed()
		return nil
	})
	return observed
}

// observed keeps the times of the facts.
func (s samples) observed() samples {
	kept := maps.Clone(s)
	maps.DeleteFunc(kept, func(series string, _ float64) bool {
		return !strings.HasPrefix(series, "aws_iam_account_facts_observed_timestamp_seconds{")
	})
	return kept
}

// checkPrivate checks that nobody else can read what is kept.
func checkPrivate(t *testing.T, dir string) {
	t.Helper()
	for path, want := range map[string]os.FileMode{
		dir:                                     os.ModeDir | 0o700,
		filepath.Join(dir, "123456789012.json"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s: got mode %s, want %s", path, info.Mode(), want)
		}
	}
}

// gate leads to the simulator of AWS as long as it is open; while it is shut,
// connections are refused, and those there were are broken.
type gate struct {
	aws     environment // through the gate
	address string
	to      string

	mu       sync.Mutex
	listener net.Listener // nil while it is shut
	conns    map[net.Conn]bool
}

func newGate(t *testing.T, aws environment) *gate {
	t.Helper()
	endpoint, err := url.Parse(aws.endpoint())
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: freeAddress(t), to: endpoint.Host, conns: map[net.Conn]bool{}}
	g.aws = append(environment{"AWS_ENDPOINT_URL=http://" + g.address}, aws[1:]...)
	g.open(t)
	t.Cleanup(g.shut)
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listener = listener
	go g.serve(listener)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return
	}
	_ = g.listener.Close() // its only effect is wanted
	g.listener = nil
	for conn := range g.conns {
		_ = conn.Close()
	}
	clear(g.conns)
}

func (g *gate) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // shut
		}
		go g.pass(listener, conn)
	}
}

// pass lets both sides talk until one of them ends, or the gate is shut.
func (g *gate) pass(listener net.Listener, conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", g.to)
	if err != nil {
		return // which breaks the connection, as the simulator's own refusal would
	}
	defer server.Close()
	g.mu.Lock()
	if g.listener != listener { // shut meanwhile
		g.mu.Unlock()
		return
	}
	g.conns[conn] = true
	g.conns[server] = true
	g.mu.Unlock()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, conn)
	}()
	_, _ = io.Copy(conn, server)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
	delete(g.conns, server)
}
