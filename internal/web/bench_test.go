package web_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// BenchmarkScrapers measures the most memory that the process takes from the
// system, by promhttp alone and by this package, with 5,000 users.
func BenchmarkScrapers(b *testing.B) {
	o := crowded(5000)
	for _, handler := range []struct {
		name string
		http.Handler
	}{
		{"web", web.Handler(o)},
		{"promhttp", promhttp.HandlerFor(prometheus.Gatherers{o.Rendered, o.Gatherer}, promhttp.HandlerOpts{EnableOpenMetrics: true})},
	} {
		for _, load := range []struct{ stalled, scrapers int }{{0, 1}, {0, 6}, {0, 20}, {20, 0}, {300, 6}} {
			if handler.name == "promhttp" && load.stalled == 300 {
				continue // it would take more than 20 GB
			}
			b.Run(fmt.Sprintf("by=%s/stalled=%d/scrapers=%d", handler.name, load.stalled, load.scrapers), func(b *testing.B) {
				server := httptest.NewServer(handler)
				defer server.Close()
				peak := watchMemory()
				for b.Loop() {
					stalled := stall(b, server.Listener.Addr(), load.stalled)
					scrape(b, server.URL, load.scrapers)
					for _, conn := range stalled {
						_ = conn.Close()
					}
				}
				b.ReportMetric(float64(peak())/1e6, "peak-MB")
			})
		}
	}
}

// stall opens connections that ask for metrics at once and do not read what
// comes after its first byte.
func stall(b *testing.B, address net.Addr, n int) []net.Conn {
	conns := make([]net.Conn, n)
	var asking sync.WaitGroup
	for i := range conns {
		asking.Go(func() {
			conn, err := net.Dial("tcp", address.String())
			if err != nil {
				b.Error(err)
				return
			}
			conns[i] = conn
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			_, _ = io.WriteString(conn, identity+"\r\nHost: exporter\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n")
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				b.Error(err)
			}
		})
	}
	asking.Wait()
	return conns
}

// scrape has clients read all metrics at once.
func scrape(b *testing.B, url string, n int) {
	var scrapers sync.WaitGroup
	for range n {
		scrapers.Go(func() {
			answer, err := http.Get(url + "/metrics")
			if err != nil {
				b.Error(err)
				return
			}
			defer answer.Body.Close()
			if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("got status %d, %v", answer.StatusCode, err)
			}
		})
	}
	scrapers.Wait()
}

// watchMemory looks at the memory of the process until it is asked for the most
// that it has seen.
func watchMemory() (peak func() uint64) {
	debug.FreeOSMemory()
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	most, stop, stopped := uint64(0), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			metrics.Read(samples)
			most = max(most, samples[0].Value.Uint64()-samples[1].Value.Uint64())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most
	}
}

// BenchmarkLandingPageExemptions shows a hundred accounts under no exemptions, and
// under as many as a configuration file holds.
func BenchmarkLandingPageExemptions(b *testing.B) {
	for _, n := range []int{0, 12_000} {
		b.Run("exemptions="+strconv.Itoa(n), func(b *testing.B) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.Users.Exclude = []policy.Match{{UserName: policy.Glob("*9")}}
			for i := range n {
				p.Exemptions = append(p.Exemptions, policy.Exemption{UserName: fmt.Sprintf("user-%05d", i), Rules: []policy.Rule{policy.KeyRotation}, Until: now})
			}
			var accounts []*inventory.Snapshot
			for i := range 100 {
				var users []inventory.User
				for k := range 100 {
					users = append(users, user(fmt.Sprintf("user-%05d", 100*i+k), ""))
				}
				accounts = append(accounts, listed(fmt.Sprintf("%012d", i), users...))
			}
			o := options()
			o.View = under(p, accounts...)
			handler := web.Handler(o)
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), "GET", "/", nil))
			}
		})
	}
}

// BenchmarkLandingPageAccounts shows the table of so many accounts, and the page of
// one of them.
func BenchmarkLandingPageAccounts(b *testing.B) {
	for _, n := range []int{2, 200, 2000} {
		o := options()
		o.View = under(policy.WithLimits(policy.DefaultLimits()), fleet(n)...)
		handler := web.Handler(o)
		for _, path := range []string{"/", "/accounts/000000000001"} {
			b.Run(fmt.Sprintf("accounts=%d/path=%s", n, path), func(b *testing.B) {
				request := httptest.NewRequestWithContext(b.Context(), "GET", path, nil)
				size := sizeOf(handler, request)
				request.Header.Set("Accept-Encoding", "gzip")
				b.ReportAllocs()
				for b.Loop() {
					handler.ServeHTTP(httptest.NewRecorder(), request)
				}
				b.ReportMetric(float64(size), "page-B")
				b.ReportMetric(float64(sizeOf(handler, request)), "gzip-B")
			})
		}
	}
}

func sizeOf(handler http.Handler, r *http.Request) int {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder.Body.Len()
}
