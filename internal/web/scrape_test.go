package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// pipes is a listener on connections without buffers, whose deadlines follow a
// bubble's clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// serve serves on pipes until the test ends.
func serve(tb testing.TB, handler http.Handler) *pipes {
	tb.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn)}
	go func() { _ = server.Serve(p) }()
	tb.Cleanup(func() { _ = server.Close() })
	return p
}

// stall sends a request and reads no answer.
func (p *pipes) stall(tb testing.TB, request string) net.Conn {
	tb.Helper()
	conn, err := p.dial(tb.Context(), "", "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request+"\r\nHost: exporter\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"); err != nil {
		tb.Error(err)
	}
	return conn
}

// scrape returns the status, and the size of what a client reads to its end.
func (p *pipes) scrape(tb testing.TB, accept string) (status, size int) {
	tb.Helper()
	transport := &http.Transport{DialContext: p.dial}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(tb.Context(), "GET", "http://exporter/metrics", nil)
	if err != nil {
		tb.Error(err)
		return 0, 0
	}
	r.Header.Set("Accept", accept)
	got, err := transport.RoundTrip(r)
	if err != nil {
		tb.Error(err)
		return 0, 0
	}
	defer got.Body.Close()
	n, err := io.Copy(io.Discard, got.Body)
	if err != nil {
		tb.Error(err)
	}
	return got.StatusCode, int(n)
}

// crowded are options that serve an account of n users with one or two keys each.
func crowded(n int) web.Options {
	var users []inventory.User
	for i := range n {
		at := now.Add(-time.Duration(i%200) * 24 * time.Hour)
		keys := []inventory.AccessKey{{ID: fmt.Sprintf("AKIA%016d", 2*i), Status: inventory.Active, Created: at}}
		if i%2 == 0 {
			keys = append(keys, inventory.AccessKey{ID: fmt.Sprintf("AKIA%016d", 2*i+1), Status: inventory.Active, Created: at})
		}
		name := fmt.Sprintf("user-%06d", i)
		users = append(users, inventory.User{
			Name: name, Path: "/", ARN: "arn:aws:iam::111111111111:user/" + name, Created: at.Add(-time.Hour),
			Console: inventory.Observe(i%10 == 0, now), Keys: inventory.Observe(keys, now),
		})
	}
	return serving(listed("111111111111", users...))
}

// serving are options that serve the accounts.
func serving(accounts ...*inventory.Snapshot) web.Options {
	o := options()
	var v *view.View
	o.View = func() *view.View { return v }
	of, from := collector.Options{Now: o.Now, KeyAge: true, Users: true}, collector.Source{View: o.View, API: func() []inventory.Calls { return nil }}
	rendered := collector.NewRenderer(of)
	v = under(policy.WithLimits(policy.DefaultLimits()), accounts...)().RenderedBy(rendered.Rendering())
	inView, own := prometheus.NewRegistry(), prometheus.NewRegistry()
	inView.MustRegister(collector.OfView(of, from))
	own.MustRegister(collector.OfCounters(of, from))
	o.Page, o.Rendered, o.Gatherer, o.Register = rendered.Page, inView, own, own
	return o
}

// Requests for metrics: as text, compressed, and in a format in which nothing is
// rendered.
const (
	identity    = "GET /metrics HTTP/1.1"
	compressed  = identity + "\r\nAccept-Encoding: gzip"
	openMetrics = identity + "\r\nAccept: application/openmetrics-text"
)

// TestStalledReadersLockNobodyOut has 300 clients ask for metrics and for the page
// and not read, while six scrape in each format. They are thrown out when their time
// is over.
func TestStalledReadersLockNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := crowded(200)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		p := serve(t, web.Handler(o))
		sizes := map[string]int{}
		for _, accept := range []string{"", "application/openmetrics-text"} {
			_, sizes[accept] = p.scrape(t, accept)
		}
		begun := time.Now()
		var stalled []net.Conn
		requests := []string{identity, compressed, openMetrics, "GET / HTTP/1.1", "GET /metrics?name[]=aws_iam_user_info HTTP/1.1"}
		for i := range 300 {
			stalled = append(stalled, p.stall(t, requests[i%len(requests)]))
		}
		synctest.Wait()
		var scrapers sync.WaitGroup
		for accept, size := range sizes {
			for range 6 {
				scrapers.Go(func() {
					if status, n := p.scrape(t, accept); status != http.StatusOK || n != size {
						t.Errorf("%q: got status %d, %d bytes; want 200, %d", accept, status, n, size)
					}
				})
			}
		}
		scrapers.Wait()
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("scrapers waited %s for those who stall, want no time", waited)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for i, conn := range stalled {
			rest, err := io.ReadAll(conn)
			if err != nil || len(rest) > 0 {
				t.Fatalf("reader %d is still served after its timeout: %d bytes, %v", i, len(rest), err)
			}
		}
		if log.Len() > 0 {
			t.Errorf("log: got %s, want nothing", &log)
		}
	})
}

// TestMemoryOfStalledReaders has 300 clients not read what they asked for: each takes
// its buffers, however many series there are.
func TestMemoryOfStalledReaders(t *testing.T) {
	const most = 128 << 10 // for each
	for _, users := range []int{500, 2000} {
		for _, request := range []string{identity, compressed} {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, web.Handler(crowded(users)))
				p.scrape(t, "")
				before := inUse()
				for range 300 {
					p.stall(t, request)
				}
				synctest.Wait()
				if each := (inUse() - before) / 300; each > most {
					t.Errorf("%d users, %q: each client who does not read takes %d kB, want at most %d", users, request, each>>10, most>>10)
				}
			})
		}
	}
}

// memory is a gatherer that says how much is in use while it has gathered.
type memory struct {
	prometheus.Gatherer
	most atomic.Uint64
}

func (m *memory) Gather() ([]*dto.MetricFamily, error) {
	families, err := m.Gatherer.Gather()
	m.most.Store(max(m.most.Load(), inUse()))
	runtime.KeepAlive(families)
	return families, err
}

// inUse is what is in memory and no garbage.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what sync.Pool kept is gone by now
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// TestMemoryOfGathering compares what it takes to gather metrics of 3,000 users once
// with what six do at once while 150 clients do not read what was gathered for them at
// three times.
func TestMemoryOfGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := crowded(3000)
		m := &memory{Gatherer: o.Rendered}
		o.Rendered = m
		p := serve(t, web.Handler(o))
		before := inUse()
		p.scrape(t, "application/openmetrics-text")
		one := m.most.Swap(0) - before
		for i := range 150 {
			p.stall(t, openMetrics)
			if i%50 == 49 {
				synctest.Wait() // the next have metrics gathered anew
			}
		}
		var scrapers sync.WaitGroup
		for range 6 {
			scrapers.Go(func() {
				if status, _ := p.scrape(t, "application/openmetrics-text"); status != http.StatusOK {
					t.Errorf("status: got %d, want 200", status)
				}
			})
		}
		scrapers.Wait()
		if all := m.most.Load() - before; all > 2*one {
			t.Errorf("six scrapers and 150 stalled readers take %d kB, want at most twice the %d kB of one scraper", all>>10, one>>10)
		}
	})
}

// TestNegotiation compares the answers with those of promhttp alone. It writes the
// same lines in another order, and would serve OpenMetrics to some who take text, too.
func TestNegotiation(t *testing.T) {
	o := crowded(3)
	plain := promhttp.HandlerFor(prometheus.Gatherers{o.Rendered, o.Gatherer}, promhttp.HandlerOpts{EnableOpenMetrics: true})
	ours := web.Handler(o)
	const prometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	for _, accept := range []string{
		"", "*/*", "text/html", "text/plain", "text/plain;version=0.0.4", "application/json", ";;;", prometheus3,
		"application/openmetrics-text", "application/openmetrics-text;version=1.0.0", "application/openmetrics-text;version=2.0.0",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "text/plain;escaping=dots",
	} {
		for _, encoding := range []string{"", "gzip", "zstd", "zstd, gzip;q=0.5", "identity", "*", "br", "gzip;q=0", "identity;q=0", "*;q=0", "gzip;q=", ",,"} {
			for _, query := range []string{"", "?name[]=aws_iam_user_info&name[]=aws_iam_account_users", "?name[]=none", "?other=1"} {
				t.Run(accept+" "+encoding+" "+query, func(t *testing.T) {
					r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics"+query, nil)
					r.Header.Set("Accept-Encoding", encoding)
					r.Header.Set("Accept", accept)
					status, header, body := send(t, ours, r)
					if accept == prometheus3 {
						r.Header.Set("Accept", "text/plain;escaping=allow-utf-8")
					}
					wantStatus, wantHeader, wantBody := send(t, plain, r)
					if status != wantStatus {
						t.Errorf("status: got %d, want %d", status, wantStatus)
					}
					for _, key := range []string{"Content-Type", "Content-Encoding", "Vary"} {
						if diff := cmp.Diff(wantHeader[key], header[key]); diff != "" {
							t.Errorf("%s (-want +got):\n%s", key, diff)
						}
					}
					want, got := unzipped(t, wantHeader, wantBody), unzipped(t, header, body)
					if strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
						want, got = sorted(want), sorted(got)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("body (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// sorted returns the lines of the text in order.
func sorted(text string) string {
	lines := slices.Sorted(strings.Lines(text))
	return strings.Join(lines, "")
}

// unzipped returns the body as it was before compression.
func unzipped(t *testing.T, header http.Header, body string) string {
	t.Helper()
	if header.Get("Content-Encoding") != "gzip" {
		return body
	}
	zip, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brokenWriter is a client that goes away after the header.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// TestOddScrapesAreNoErrors checks that clients cannot fill the log, nor count as
// failures.
func TestOddScrapesAreNoErrors(t *testing.T) {
	var log bytes.Buffer
	o := crowded(3)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	handler := web.Handler(o)
	for _, encoding := range []string{"", "identity;q=0", "*;q=0", "gzip;q=0", "br", "gzip"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", encoding)
		if status, _, _ := send(t, handler, r); status != http.StatusOK {
			t.Errorf("Accept-Encoding %q: got status %d, want 200", encoding, status)
		}
		handler.ServeHTTP(brokenWriter{httptest.NewRecorder()}, r)
	}
	if log.Len() > 0 {
		t.Errorf("log: got %s, want nothing", &log)
	}
	_, _, body := ask(t, handler, "GET", "/metrics")
	for _, cause := range []string{"encoding", "gathering"} {
		if want := fmt.Sprintf("promhttp_metric_handler_errors_total{cause=%q} 0\n", cause); !strings.Contains(body, want) {
			t.Errorf("metrics: want %s", want)
		}
	}
}

// TestScrapesAfterAnotherAreNew checks that an answer is not kept for later.
func TestScrapesAfterAnotherAreNew(t *testing.T) {
	o := options()
	registry := prometheus.NewRegistry()
	gathered := 0.0
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "gathered_total", Help: "Gathered."}, func() float64 { gathered++; return gathered }))
	o.Gatherer, o.View = registry, under(policy.WithLimits(policy.DefaultLimits()))
	handler := web.Handler(o)
	for n := range 3 {
		if _, _, body := ask(t, handler, "GET", "/metrics"); !strings.Contains(body, fmt.Sprintf("gathered_total %d\n", n+1)) {
			t.Errorf("scrape %d: got %s", n+1, body)
		}
	}
}
