package web_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// options serve one metric and no account, without a configuration file.
func options() web.Options {
	registry := prometheus.NewRegistry()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "answer", Help: "The answer."})
	gauge.Set(42)
	registry.MustRegister(gauge)
	return web.Options{
		Gatherer: registry, View: under(policy.WithLimits(policy.DefaultLimits())), Ready: func() bool { return true },
		Now: func() time.Time { return now }, Source: func(string) string { return "auto" }, Users: true, Version: "1.2.3",
		Logger: slog.New(slog.DiscardHandler),
	}
}

func ask(t *testing.T, h http.Handler, method, path string) (int, http.Header, string) {
	t.Helper()
	return send(t, h, httptest.NewRequestWithContext(t.Context(), method, path, nil))
}

func send(t *testing.T, h http.Handler, r *http.Request) (int, http.Header, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	answer := recorder.Result()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, roles.ReplaceAllString(string(body), "")
}

// roles of tables are left out of what tests compare; TestRolesOfTables has them.
var roles = regexp.MustCompile(` role="(?:table|rowgroup|row|columnheader|cell)"`)

func TestRoutes(t *testing.T) {
	plain, profiling, waiting, many := options(), options(), options(), options()
	many.View = under(policy.WithLimits(policy.DefaultLimits()), listed("111111111111"), listed("222222222222"))
	profiling.Pprof = true
	waiting.Ready = func() bool { return false }
	const noAccount = "No account of that id is watched; the page at / has those that are.\n"
	const metrics = "# HELP answer The answer.\n# TYPE answer gauge\nanswer 42\n"
	for name, test := range map[string]struct {
		handler      http.Handler
		method, path string
		status       int
		body         string // all of it; empty for any
	}{
		"metrics":              {web.Handler(plain), "GET", "/metrics", 200, metrics},
		"metrics, head":        {web.Handler(plain), "HEAD", "/metrics", 200, ""},
		"metrics, not by POST": {web.Handler(plain), "POST", "/metrics", 405, "Method Not Allowed\n"},
		"metrics, waiting":     {web.Handler(waiting), "GET", "/metrics", 200, metrics},
		"healthy":              {web.Handler(plain), "GET", "/-/healthy", 200, "aws_iam_exporter is healthy.\n"},
		"healthy, waiting":     {web.Handler(waiting), "GET", "/-/healthy", 200, "aws_iam_exporter is healthy.\n"},
		"ready":                {web.Handler(plain), "GET", "/-/ready", 200, "aws_iam_exporter is ready.\n"},
		"not ready":            {web.Handler(waiting), "GET", "/-/ready", 503, "aws_iam_exporter is waiting for its first answer from AWS.\n"},
		"not ready by POST":    {web.Handler(plain), "POST", "/-/ready", 405, "Method Not Allowed\n"},
		"landing page":         {web.Handler(plain), "GET", "/", 200, ""},
		"account":              {web.Handler(many), "GET", "/accounts/111111111111", 200, ""},
		"account, head":        {web.Handler(many), "HEAD", "/accounts/111111111111", 200, ""},
		"account, not by POST": {web.Handler(many), "POST", "/accounts/111111111111", 405, "Method Not Allowed\n"},
		"account, escaped":     {web.Handler(many), "GET", "/accounts/%31%31%31%31%31%31%31%31%31%31%31%31", 200, ""},
		"unknown account":      {web.Handler(many), "GET", "/accounts/444444444444", 404, noAccount},
		"id too short":         {web.Handler(many), "GET", "/accounts/1", 404, noAccount},
		"id that is none":      {web.Handler(many), "GET", "/accounts/%3Cscript%3E%0A", 404, noAccount},
		"id that is a path":    {web.Handler(many), "GET", "/accounts/..%2Flanding.html", 404, noAccount},
		"no id":                {web.Handler(many), "GET", "/accounts/", 404, "404 page not found\n"},
		"below an account":     {web.Handler(many), "GET", "/accounts/111111111111/x", 404, "404 page not found\n"},
		"no account":           {web.Handler(plain), "GET", "/accounts/111111111111", 404, noAccount},
		"template":             {web.Handler(many), "GET", "/landing.html", 404, "404 page not found\n"},
		"reload, no file":      {web.Handler(plain), "POST", "/-/reload", 404, "There is no configuration file to reload; start with --config.file.\n"},
		"reload by GET":        {web.Handler(plain), "GET", "/-/reload", 405, "Method Not Allowed\n"},
		"reload by HEAD":       {web.Handler(plain), "HEAD", "/-/reload", 405, ""},
		"reload by PUT":        {web.Handler(plain), "PUT", "/-/reload", 405, "Method Not Allowed\n"},
		"unknown path":         {web.Handler(plain), "GET", "/nothing", 404, "404 page not found\n"},
		"below a path":         {web.Handler(plain), "GET", "/metrics/x", 404, "404 page not found\n"},
		"profiles, off":        {web.Handler(plain), "GET", "/debug/pprof/", 404, "404 page not found\n"},
		"command line, off":    {web.Handler(plain), "GET", "/debug/pprof/cmdline", 404, "404 page not found\n"},
		"profiles, on":         {web.Handler(profiling), "GET", "/debug/pprof/", 200, ""},
		"command line, on":     {web.Handler(profiling), "GET", "/debug/pprof/cmdline", 200, ""},
		"symbols, on":          {web.Handler(profiling), "GET", "/debug/pprof/symbol", 200, "num_symbols: 1\n"},

		"probes: healthy":   {web.Probes(plain.Ready), "GET", "/-/healthy", 200, "aws_iam_exporter is healthy.\n"},
		"probes: ready":     {web.Probes(plain.Ready), "GET", "/-/ready", 200, "aws_iam_exporter is ready.\n"},
		"probes: not ready": {web.Probes(waiting.Ready), "GET", "/-/ready", 503, "aws_iam_exporter is waiting for its first answer from AWS.\n"},
		"probes: metrics":   {web.Probes(plain.Ready), "GET", "/metrics", 404, "404 page not found\n"},
		"probes: account":   {web.Probes(plain.Ready), "GET", "/accounts/111111111111", 404, "404 page not found\n"},
		"probes: landing":   {web.Probes(plain.Ready), "GET", "/", 404, "404 page not found\n"},
		"probes: reload":    {web.Probes(plain.Ready), "POST", "/-/reload", 404, "404 page not found\n"},
		"probes: profiles":  {web.Probes(plain.Ready), "GET", "/debug/pprof/", 404, "404 page not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, body := ask(t, test.handler, test.method, test.path)
			if status != test.status {
				t.Errorf("status: got %d, want %d", status, test.status)
			}
			if test.body != "" && body != test.body {
				t.Errorf("body: got %q, want %q", body, test.body)
			}
		})
	}
}

func TestReload(t *testing.T) {
	bad := errors.New(`policy.yml:3: classes[0].max_key_age: got "90", want a duration`)
	for name, test := range map[string]struct {
		header map[string]string // of the request
		host   string            // that the request is for; example.com if empty
		err    error             // of reading the file
		status int
		body   string
		calls  int
	}{
		"good file":                {status: 200, body: "The configuration was reloaded.\n", calls: 1},
		"bad file":                 {err: bad, status: 500, body: bad.Error() + "\nThe old configuration stays in force.\n", calls: 1},
		"own page":                 {header: map[string]string{"Sec-Fetch-Site": "same-origin"}, status: 200, body: "The configuration was reloaded.\n", calls: 1},
		"own page, old browser":    {header: map[string]string{"Origin": "http://example.com"}, status: 200, body: "The configuration was reloaded.\n", calls: 1},
		"other site":               {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403},
		"other site, bad file":     {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, err: bad, status: 403},
		"neighbouring site":        {header: map[string]string{"Sec-Fetch-Site": "same-site"}, status: 403},
		"other site, old browser":  {header: map[string]string{"Origin": "https://elsewhere.example"}, status: 403},
		"unnamed site, no details": {header: map[string]string{"Origin": "null"}, status: 403},
		"other host and site":      {host: "127.0.0.1:10190", header: map[string]string{"Origin": "http://evil.example:10190"}, status: 403},
		"other port of this host":  {host: "localhost:10190", header: map[string]string{"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, status: 403},
		// To a browser, a site whose name has come to lead here is this one.
		"name that leads here": {host: "evil.example:10190", header: map[string]string{"Origin": "http://evil.example:10190", "Sec-Fetch-Site": "same-origin"}, status: 200, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			o := options()
			o.Reload = func() error { calls++; return test.err }
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/-/reload", nil)
			r.Host = cmp.Or(test.host, r.Host)
			for key, value := range test.header {
				r.Header.Set(key, value)
			}
			status, _, body := send(t, web.Handler(o), r)
			if status != test.status || calls != test.calls {
				t.Errorf("got status %d after %d reloads, want %d after %d", status, calls, test.status, test.calls)
			}
			if test.body != "" && body != test.body {
				t.Errorf("body: got %q, want %q", body, test.body)
			}
		})
	}
}

func TestGatheringFails(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Gatherer = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("two of a kind") })
	if status, _, _ := ask(t, web.Handler(o), "GET", "/metrics"); status != http.StatusInternalServerError {
		t.Errorf("status: got %d, want 500", status)
	}
	if !strings.Contains(log.String(), "two of a kind") {
		t.Errorf("log: got %q, want the reason in it", log.String())
	}
}

// TestSeriesThatCannotBeServed has scrape after scrape find series with the same
// labels.
func TestSeriesThatCannotBeServed(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	registry := prometheus.NewRegistry()
	registry.MustRegister(twins{})
	o.Gatherer, o.Register = registry, registry
	handler := web.Handler(o)
	for n := range 3 {
		status, _, body := ask(t, handler, "GET", "/metrics")
		if want := "single 3\ntwin 1\n"; status != 200 || strings.Count(body, "twin 1\n") != 1 || !strings.Contains(body, "single 3\n") {
			t.Fatalf("got status %d, %s; want 200, and series %s", status, body, want)
		}
		if want := fmt.Sprintf("promhttp_metric_handler_errors_total{cause=\"gathering\"} %d\n", n); !strings.Contains(body, want) {
			t.Errorf("got %s; want %s", body, want)
		}
	}
	if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "twin") || len(log.String()) > 1500 {
		t.Errorf("log: got %q, want one short line about the twins", log.String())
	}
}

// twins is a collector of a hundred series alike, and another one.
type twins struct{}

func (twins) Describe(chan<- *prometheus.Desc) {}

func (twins) Collect(out chan<- prometheus.Metric) {
	for i, name := range append(slices.Repeat([]string{"twin"}, 100), "single") {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, "", nil, nil), prometheus.GaugeValue, float64(min(i+1, 3)))
	}
}

// judged is an account as the landing page shows it.
func judged(change func(*inventory.Snapshot)) func() *view.View {
	key := inventory.AccessKey{ID: "AKIAA", Status: inventory.Active, Created: now.Add(-100 * 24 * time.Hour)}
	s := &inventory.Snapshot{
		Account: inventory.Account{ID: "123456789012", Partition: "aws"},
		Users: []inventory.User{
			{Name: "alice", Keys: inventory.Observe([]inventory.AccessKey{key}, now)},
			{Name: "bob", Keys: inventory.Observe([]inventory.AccessKey(nil), now)},
		},
		Freshness: map[inventory.Group]inventory.Freshness{
			inventory.GroupUsers: {Observed: now.Add(-time.Minute), Stale: now.Add(14 * time.Minute)},
			inventory.GroupKeys:  {Observed: now.Add(-3 * time.Hour), Stale: now.Add(time.Hour)},
		},
		Complete: map[inventory.Group]bool{inventory.GroupUsers: true},
		Report:   inventory.Report{Wanted: true, Usable: true, Generated: now.Add(-time.Hour)},
		Health:   inventory.Health{State: inventory.StateUp},
	}
	change(s)
	return under(policy.WithLimits(policy.DefaultLimits()), s)
}

func TestLandingPage(t *testing.T) {
	const nasty = `<script>alert("x")</script>&{{.}}`
	const escaped = `&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;{{.}}`
	for name, test := range map[string]struct {
		change func(*inventory.Snapshot)
		demo   string
		want   []string
		not    []string
	}{
		"all is well": {
			change: func(*inventory.Snapshot) {},
			want: []string{
				"aws_iam_exporter", "1.2.3", `href="/metrics"`, `href="/-/ready"`, `href="/-/healthy"`,
				"<h1>Account 123456789012, 2 users</h1>",
				`<p class="sentence">1 finding needs action.</p>`, `<p class="also unknown">9 verdicts are unknown.</p>`,
				`<p class="said">The last refresh got every fact it asked for. The credential report of 2026-06-01T11:00:00Z is in use. Source <code>auto</code>. 2 users.</p>`,
				`<tr><td class="head">Key too old <code>key_rotation</code></td><td class="number bad" data-label="Violations"><a href="?rule=key_rotation#findings">1</a></td><td class="number" data-label="Unknown">0</td>`,
				`<tr><td class="head">Several active keys <code>multiple_active_keys</code></td><td class="number" data-label="Violations">0</td>`,
				`<code>users</code> which users there are</td><td class="mark good">up to date</td><td class="number" data-label="Age">1 minute</td>`,
				`<code>console</code> who has a password</td><td class="mark unknown">not known yet</td><td class="number" data-label="Age">–</td>`,
			},
			not: []string{`class="demo"`, "<code>tags</code>", "<h2>Problems</h2>"},
		},
		"down": {
			change: func(s *inventory.Snapshot) {
				s.Health = inventory.Health{State: inventory.StateDown, Problems: []inventory.Problem{{Text: "first"}, {Text: nasty}}}
				s.Report.Usable = false
				s.Freshness[inventory.GroupKeys] = inventory.Freshness{Observed: now.Add(-3 * time.Hour), Stale: now.Add(-time.Second)}
			},
			want: []string{
				`<code>keys</code> their access keys</td><td class="mark warn">out of date since 2026-06-01T11:59:59Z</td><td class="number" data-label="Age">3 hours</td>`,
				`<p class="also unknown">Not everything can be read, 1 fact is out of date and 9 verdicts are unknown.</p>`,
				`The last refresh did not get every fact it asked for. What was known before is kept, with its age.`,
				"<li>first</li>\n<li>" + escaped + "</li>\n<li>The facts about keys are out of date: the oldest were observed at 2026-06-01T09:00:00Z; newer ones were due by 2026-06-01T11:59:59Z.</li>\n",
				"The newest credential report, of 2026-06-01T11:00:00Z, is too old to rely on.",
				`<span class="warn">facts out of date: keys</span>`,
			},
			not: []string{nasty},
		},
		"pending": {
			change: func(s *inventory.Snapshot) {
				*s = inventory.Snapshot{Report: inventory.Report{Wanted: true}, Health: inventory.Health{State: inventory.StatePending}}
			},
			want: []string{"<h1>Account not known yet</h1>", "The first refresh is under way.", "There is no credential report yet.", "Nothing is known yet: the account is being read for the first time."},
			not:  []string{"0 users", "stale", "multiple_active_keys"},
		},
		"live": {
			change: func(s *inventory.Snapshot) { s.Report = inventory.Report{} },
			want:   []string{"Everything is asked live."},
		},
		"demo": {
			change: func(*inventory.Snapshot) {}, demo: nasty,
			want: []string{`<p id="demo" class="demo">` + escaped + `</p>`},
			not:  []string{nasty},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.View, o.Demo = judged(test.change), test.demo
			status, header, body := ask(t, web.Handler(o), "GET", "/")
			if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
				t.Errorf("got status %d, %s; want 200, text/html", status, header.Get("Content-Type"))
			}
			for _, want := range test.want {
				if !strings.Contains(body, want) {
					t.Errorf("page: lacks %s", want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(body, not) {
					t.Errorf("page: has %s", not)
				}
			}
			if t.Failed() {
				t.Log(body)
			}
		})
	}
}

// TestLandingPageNamesEveryRuleAndGroup shows both tables whole and in order,
// before the one class.
func TestLandingPageNamesEveryRuleAndGroup(t *testing.T) {
	o := options()
	o.View = judged(func(s *inventory.Snapshot) { s.Freshness[inventory.GroupTags] = s.Freshness[inventory.GroupUsers] })
	_, _, body := ask(t, web.Handler(o), "GET", "/")
	var want, got []string
	for _, rule := range policy.Rules() {
		want = append(want, string(rule))
	}
	for _, group := range inventory.Groups() {
		want = append(want, string(group))
	}
	want = append(want, policy.DefaultClass)
	for _, match := range regexp.MustCompile(`<tr><td class="head">[^<]*<code>([a-z_]+)</code>`).FindAllStringSubmatch(body, -1) {
		got = append(got, match[1])
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestPagesAreGuarded checks every kind of answer.
func TestPagesAreGuarded(t *testing.T) {
	o := options()
	o.Pprof, o.View = true, judged(func(*inventory.Snapshot) {})
	for _, path := range []string{"/", "/accounts/123456789012", "/accounts/1", "/metrics", "/landing.css", "/favicon.svg", "/-/ready", "/-/healthy", "/-/reload", "/nothing", "/debug/pprof/"} {
		for name, handler := range map[string]http.Handler{"main": web.Handler(o), "probes": web.Probes(o.Ready)} {
			_, header, _ := ask(t, handler, "GET", path)
			for key, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
				"X-Content-Type-Options":  "nosniff",
				"X-Frame-Options":         "DENY",
				"Referrer-Policy":         "no-referrer",
			} {
				if got := header[key]; len(got) != 1 || got[0] != want {
					t.Errorf("%s, %s: %s: got %q, want %q", name, path, key, got, want)
				}
			}
		}
	}
}

// TestLandingPageNeedsNothingInline checks that the page is whole under its own
// content security policy, and that its own links lead somewhere.
func TestLandingPageNeedsNothingInline(t *testing.T) {
	o := options()
	o.View, o.Demo, o.Pprof = judged(func(*inventory.Snapshot) {}), "A demo.", true
	handler := web.Handler(o)
	_, _, body := ask(t, handler, "GET", "/")
	if inline := regexp.MustCompile(`(?i)<style|<script|\s(style|on[a-z]+)\s*=|javascript:|data:`).FindString(body); inline != "" {
		t.Errorf("page: has %q", inline)
	}
	if !strings.HasPrefix(body, "<!DOCTYPE html>\n") || !strings.HasSuffix(body, "</html>\n") {
		t.Error("page: is not a whole document")
	}
	var links []string
	for _, match := range regexp.MustCompile(`href="(/[^"?]*)`).FindAllStringSubmatch(body, -1) {
		links = append(links, match[1])
	}
	want := []string{
		"/favicon.svg", "/landing.css", "/", "/metrics", "/debug/pprof/heap", "/debug/pprof/profile", "/-/ready", "/-/healthy",
	}
	if diff := gocmp.Diff(want, links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	for _, link := range links {
		if link == "/debug/pprof/profile" { // takes its time
			continue
		}
		if status, _, _ := ask(t, handler, "GET", link); status != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", link, status)
		}
	}
	if _, header, _ := ask(t, handler, "GET", "/landing.css"); header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style sheet: got %q", header)
	}
	if _, header, _ := ask(t, handler, "GET", "/favicon.svg"); header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("icon: got %q", header)
	}
	o.Pprof = false
	if _, _, body := ask(t, web.Handler(o), "GET", "/"); strings.Contains(body, "pprof") {
		t.Error("page: offers profiles that are off")
	}
}

func TestLandingPageTellsHowThingsStandNow(t *testing.T) {
	o := options()
	up := judged(func(*inventory.Snapshot) {})
	down := judged(func(s *inventory.Snapshot) { s.Health.State = inventory.StateDown })
	current := up
	o.View = func() *view.View { return current() }
	h := web.Handler(o)
	if _, _, body := ask(t, h, "GET", "/"); !strings.Contains(body, "got every fact") {
		t.Error("page: want all well")
	}
	current = down
	if _, _, body := ask(t, h, "GET", "/"); !strings.Contains(body, "did not get every fact") {
		t.Error("page: want the trouble since")
	}
}
