//go:build e2e

package e2e

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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
		name  string
		end   func(*exporter)
		check func(t *testing.T, before, after samples) // of the times of facts
	}{
		{"SIGTERM", func(e *exporter) { e.stop() }, checkKept},
		{"SIGKILL", func(e *exporter) { e.kill() }, checkKeptEarlier},
	} {
		t.Logf("the gate is shut, then comes %s", c.name)
		gate.shut()
		before := awaitSilence(t, e)
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
		c.check(t, before, got)

		gate.open(t)
		awaitSamples(t, want, e.samples)
		eventually(t, time.Minute, func(ctx context.Context) error {
			got, err := e.samples(ctx)
			if users := `aws_iam_account_facts_observed_timestamp_seconds{account_id="123456789012", facts="users"}`; err == nil && got[users] <= before[users] {
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

// awaitSilence waits until a refresh has failed, after which nothing more is
// learnt, and returns what is served.
func awaitSilence(t *testing.T, e *exporter) samples {
	t.Helper()
	var served samples
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		got, err := e.samples(ctx)
		switch {
		case err != nil:
			return err
		case got[upSeries] != 0:
			return errors.New("no refresh has failed yet")
		}
		served = got
		return nil
	})
	return served
}

// checkKept expects facts of the times at which they were learnt.
func checkKept(t *testing.T, before, after samples) {
	t.Helper()
	if diff := cmp.Diff(before.observed(), after.observed()); diff != "" {
		t.Errorf("the facts are of other times (-before +after):\n%s", diff)
	}
}

// checkKeptEarlier expects facts of the times of the last save: later ones at which
// nothing had changed were lost.
func checkKeptEarlier(t *testing.T, before, after samples) {
	t.Helper()
	was, is := before.observed(), after.observed()
	if want, got := slices.Sorted(maps.Keys(was)), slices.Sorted(maps.Keys(is)); !slices.Equal(want, got) {
		t.Errorf("times are served of %v, want %v", got, want)
	}
	for series, at := range is {
		if latest := min(was[series], before[savedSeries]); at > latest {
			t.Errorf("%s: got %v, want %v or earlier", series, at, latest)
		}
	}
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
