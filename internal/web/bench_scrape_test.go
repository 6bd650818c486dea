//go:build long && linux

package web_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// What is scraped: accounts of as many users as IAM allows.
const (
	benchAccounts = 13
	benchUsers    = 5000 // in each
)

// prometheus3Accept is what the newest Prometheus sends.
const prometheus3Accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

// members are accounts of so many users. Half of these have a password, and each has
// a key or two.
func members(accounts, users int) []*inventory.Snapshot {
	random := rand.New(rand.NewPCG(1, 2))
	ago := func(days int) time.Time { return now.Add(-time.Duration(random.IntN(days*86400)) * time.Second) }
	key := func() inventory.AccessKey {
		return inventory.AccessKey{
			ID: fmt.Sprintf("AKIA%016X", random.Uint64()), Status: inventory.Active, Created: ago(200),
			LastUse: inventory.Observe(inventory.Use{At: ago(60), Region: "eu-central-1", Service: "s3"}, now),
		}
	}
	var all []*inventory.Snapshot
	for i := range accounts {
		id := fmt.Sprintf("%012d", 111111111111+i)
		var everybody []inventory.User
		for n := range users {
			keys := []inventory.AccessKey{key()}
			if n%2 == 0 {
				keys = append(keys, key())
			}
			slices.SortFunc(keys, inventory.CompareKeys)
			name := fmt.Sprintf("user-%06d", n)
			everybody = append(everybody, inventory.User{
				Name: name, Path: "/", ARN: "arn:aws:iam::" + id + ":user/" + name, Created: ago(900).Add(-200 * 24 * time.Hour),
				Console: inventory.Observe(n%10 == 0, now), MFA: inventory.Observe(true, now), Keys: inventory.Observe(keys, now),
			})
		}
		s := listed(id, everybody...)
		all = append(all, s)
	}
	return all
}

// prebuilt is a collector of metrics that are made beforehand.
type prebuilt []prometheus.Metric

func (prebuilt) Describe(chan<- *prometheus.Desc) {}

func (p prebuilt) Collect(ch chan<- prometheus.Metric) {
	for _, m := range p {
		ch <- m
	}
}

// servers serve the same metrics in several ways.
func servers(o web.Options) map[string]func() http.Handler {
	everything := func() prometheus.Gatherer { return prometheus.Gatherers{o.Rendered, o.Gatherer} }
	live := func(g prometheus.Gatherer) http.Handler {
		return promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true})
	}
	return map[string]func() http.Handler{
		"exporter":         func() http.Handler { return web.Handler(o) },
		"collector before": func() http.Handler { return live(everything()) },
		"promhttp, prebuilt metrics": func() http.Handler {
			ch := make(chan prometheus.Metric)
			go func() { defer close(ch); o.Rendered.(*prometheus.Registry).Collect(ch) }()
			var all prebuilt
			for m := range ch {
				all = append(all, m)
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(all)
			return live(registry)
		},
	}
}

// slice serves the exporter's answer as one slice.
func slice(o web.Options, encoding string) http.Handler {
	q := httptest.NewRequest("GET", "/metrics", nil)
	q.Header = scrapeHeader(encoding)
	answer := httptest.NewRecorder()
	web.Handler(o).ServeHTTP(answer, q)
	body, header := answer.Body.Bytes(), answer.Header()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		_, _ = w.Write(body)
	})
}

func scrapeHeader(encoding string) http.Header {
	return http.Header{"Accept": {prometheus3Accept}, "Accept-Encoding": {encoding}, "X-Prometheus-Scrape-Timeout-Seconds": {"60"}}
}

// scrapeOnce reads all metrics over loopback HTTP, and returns how many bytes those were.
func scrapeOnce(tb testing.TB, url, encoding string) int64 {
	tb.Helper()
	q, err := http.NewRequestWithContext(tb.Context(), "GET", url+"/metrics", nil)
	if err != nil {
		tb.Fatal(err)
	}
	q.Header = scrapeHeader(encoding)
	answer, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		tb.Fatalf("got status %d, %v", answer.StatusCode, err)
	}
	return n
}

// median returns the median time of so many runs.
func median(runs int, run func()) time.Duration {
	var took []time.Duration
	for range runs {
		begun := time.Now()
		run()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// TestBenchScrape compares how long scrapes of 1.5 million series take.
func TestBenchScrape(t *testing.T) {
	o := serving(members(benchAccounts, benchUsers)...)
	fewer := serving(members(1, benchUsers/10)...)
	ways := servers(o)
	for _, encoding := range []string{"gzip", "identity"} {
		ways["the same bytes, one slice"] = func() http.Handler { return slice(o, encoding) }
		times := map[string]time.Duration{}
		for _, way := range []string{"promhttp, prebuilt metrics", "collector before", "the same bytes, one slice", "exporter"} {
			server := httptest.NewServer(ways[way]())
			runs := 21
			if strings.HasPrefix(way, "promhttp") || way == "collector before" {
				runs = 3
			}
			size := scrapeOnce(t, server.URL, encoding)
			runtime.GC()
			times[way] = median(runs, func() { scrapeOnce(t, server.URL, encoding) })
			t.Logf("%-8s %-28s %12s, %d bytes", encoding, way, times[way].Round(10*time.Microsecond), size)
			server.Close()
		}
		ours := times["exporter"]
		t.Logf("%-8s %.0f times as fast as promhttp, %.0f times as the collector before; %.1f times as long as one slice", encoding,
			float64(times["promhttp, prebuilt metrics"])/float64(ours), float64(times["collector before"])/float64(ours), float64(ours)/float64(times["the same bytes, one slice"]))
		t.Logf("%-8s allocations of a scrape: %.0f, and %.0f of a hundredth of the series", encoding, allocations(o, encoding), allocations(fewer, encoding))
	}
	t.Logf("%d series", countSeries(t, o))
}

// TestBenchScrapeMemory compares what is resident, in a process of its own for each.
func TestBenchScrapeMemory(t *testing.T) {
	if child := os.Getenv("BENCH_SCRAPE"); child != "" {
		measureResident(t, child)
		return
	}
	for _, way := range []string{"promhttp, prebuilt metrics", "collector before", "exporter"} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBenchScrapeMemory$", "-test.v", "-test.timeout=20m")
		child.Env = append(os.Environ(), "BENCH_SCRAPE="+way, "GOGC=50")
		output, err := child.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", way, err, output)
		}
		for line := range strings.Lines(string(output)) {
			if _, told, found := strings.Cut(line, "resident: "); found {
				t.Logf("%-28s %s", way, strings.TrimSpace(told))
			}
		}
	}
}

// allocations counts those of a scrape, without its client.
func allocations(o web.Options, encoding string) float64 {
	handler, q := web.Handler(o), httptest.NewRequest("GET", "/metrics", nil)
	q.Header = scrapeHeader(encoding)
	return testing.AllocsPerRun(10, func() { handler.ServeHTTP(&discarding{header: http.Header{}}, q) })
}

// discarding is an http.ResponseWriter.
type discarding struct{ header http.Header }

func (d *discarding) Header() http.Header       { return d.header }
func (*discarding) WriteHeader(int)             {}
func (*discarding) Write(p []byte) (int, error) { return len(p), nil }

func countSeries(t *testing.T, o web.Options) int {
	t.Helper()
	q := httptest.NewRequest("GET", "/metrics", nil)
	q.Header = scrapeHeader("gzip")
	answer := httptest.NewRecorder()
	web.Handler(o).ServeHTTP(answer, q)
	zip, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(zip); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "#") {
			n++
		}
	}
	return n
}

// measureResident has ten clients scrape at once, and tells what is resident
// before and at most.
func measureResident(t *testing.T, way string) {
	o := serving(members(benchAccounts, benchUsers)...)
	handler, accept := servers(o)[way], prometheus3Accept
	if way == "collector before" { // which had everything gathered for one client at a time
		handler, accept = servers(o)["exporter"], "application/openmetrics-text;version=1.0.0"
	}
	server := httptest.NewServer(handler())
	defer server.Close()
	debug.FreeOSMemory()
	before := procStatus(t, os.Getpid(), "VmRSS")
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // what was most so far counts no more
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var refused atomic.Int32
	for range 10 {
		clients.Go(func() {
			q, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
			q.URL.Path, q.Header = "/metrics", scrapeHeader("gzip")
			q.Header.Set("Accept", accept)
			answer, err := http.DefaultTransport.RoundTrip(q)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			_, _ = io.Copy(io.Discard, answer.Body)
			if answer.StatusCode != http.StatusOK {
				refused.Add(1) // it could not be answered in time
			}
		})
	}
	clients.Wait()
	t.Logf("resident: %d MB before, %d MB at most while ten scrape at once, of whom %d got no answer in time", before>>20, procStatus(t, os.Getpid(), "VmHWM")>>20, refused.Load())
}

// TestBenchPrometheus has a real Prometheus scrape as many series, and tells what that
// costs it.
func TestBenchPrometheus(t *testing.T) {
	const binary = "../../.tools/bin/prometheus"
	server := httptest.NewServer(web.Handler(serving(members(benchAccounts, benchUsers)...)))
	defer server.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 20s, scrape_timeout: 20s, extra_scrape_metrics: true}\nscrape_configs: [{job_name: iam, static_configs: [{targets: [%q]}]}]\n", strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile(dir+"/prometheus.yml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	prom := exec.CommandContext(t.Context(), binary, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+address)
	if err := prom.Start(); err != nil {
		t.Fatalf("%v (make .tools/bin/prometheus builds it)", err)
	}
	defer func() { _ = prom.Process.Kill(); _ = prom.Wait() }()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(2 * time.Second) {
		durations := instant(t, address, "scrape_duration_seconds[10m]")
		if len(durations) < 5 && time.Now().Before(deadline) {
			continue
		}
		t.Logf("scrapes took %v s; samples %v, text of %v bytes; up %v; resident %d MB, at most %d MB", durations,
			instant(t, address, "scrape_samples_scraped"), instant(t, address, "scrape_body_size_bytes"), instant(t, address, "up[10m]"),
			procStatus(t, prom.Process.Pid, "VmRSS")>>20, procStatus(t, prom.Process.Pid, "VmHWM")>>20)
		return
	}
}

// instant returns the values that a query gives; none while Prometheus is starting.
func instant(t *testing.T, address, query string) []string {
	t.Helper()
	answer, err := http.Get("http://" + address + "/api/v1/query?" + url.Values{"query": {query}}.Encode())
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, match := range regexp.MustCompile(`\[[0-9.]+,"([^"]*)"\]`).FindAllStringSubmatch(string(body), -1) {
		values = append(values, match[1])
	}
	return values
}

// procStatus returns a size in a process's status, in bytes.
func procStatus(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if after, found := strings.CutPrefix(line, name+":"); found {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(after), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in the status of process %d", name, pid)
	return 0
}
