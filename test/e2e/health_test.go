package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// shift is the made-up last day of the exporter of one account, which has 5,000
// users: how it read AWS, and how Prometheus scraped it.
type shift struct {
	past
	end       time.Time
	load      float64 // on its machine, as a factor
	throttled period  // before the end
	failures  []time.Duration
}

const (
	scrapeEvery = 15 * time.Second
	restarted   = 5 * time.Hour // before the end
)

// newShift returns the last day of an account; only production has had trouble.
func newShift(p past, end time.Time) shift {
	s := shift{past: p, end: end, load: map[string]float64{"staging": 0.85, "sandbox": 0.7}[p.name]}
	if p.name == "production" {
		s.load = 1
		s.throttled = period{4 * time.Hour, 3 * time.Hour}
		s.failures = []time.Duration{220 * time.Minute, 200 * time.Minute}
	}
	return s
}

// counters are what the exporter has counted since it started, by operation.
type counters struct {
	refreshes, failed           int
	lastRefreshFailed           bool
	requests, errors, throttles map[string]int
	cpuSeconds                  float64
	started                     time.Time
}

func newCounters(started time.Time) counters {
	return counters{
		requests:  map[string]int{"GetCallerIdentity": 1},
		errors:    map[string]int{},
		throttles: map[string]int{},
		started:   started,
	}
}

// write writes a day of scrapes.
func (s shift) write(w *openMetrics) {
	c := newCounters(s.end.Add(-9 * day))
	for ago := day; ago >= 0; ago -= scrapeEvery {
		if ago == restarted {
			c = newCounters(s.end.Add(-ago))
		}
		s.pass(&c, ago)
		s.writeScrape(w, c, ago)
	}
}

// pass lets the time until the next scrape pass. The calls are those of a quiet hour
// in docs/benchmarks.md.
func (s shift) pass(c *counters, ago time.Duration) {
	every := func(interval time.Duration, n int, operation string) {
		if ago%interval == 0 {
			c.requests[operation] += n
		}
	}
	every(2*time.Minute, 1, "GetLoginProfile")
	every(5*time.Minute, 5, "ListUsers")
	every(time.Hour, 5, string(awsapi.TagsFromAuthorizationDetails))
	every(30*time.Minute, 1, "GetAccessKeyLastUsed")
	every(4*time.Hour, 2, "GenerateCredentialReport")
	every(4*time.Hour, 1, "GetCredentialReport")
	if ago%(7*time.Hour) == 0 { // AWS fails now and then, and a retry succeeds
		c.requests["ListUsers"]++
		c.errors["ListUsers"]++
	}
	if s.throttled.includes(ago) {
		c.requests["ListAccessKeys"] += 11
		c.errors["ListAccessKeys"] += 2
		c.throttles["ListAccessKeys"] += 2
	} else {
		c.requests["ListAccessKeys"] += 21
	}
	if ago%(5*time.Minute) == 0 {
		c.refreshes++
		c.lastRefreshFailed = slices.Contains(s.failures, ago)
		if c.lastRefreshFailed {
			c.failed++
		}
	}
	c.cpuSeconds += 0.25 + 0.02*float64(ago/scrapeEvery%7)
}

// writeScrape writes the samples of one scrape.
func (s shift) writeScrape(w *openMetrics, c counters, ago time.Duration) {
	at := s.end.Add(-ago)
	put := func(name string, value float64, labels ...string) {
		w.sample(name, value, at, append(labels, "job", "aws_iam", "instance", s.instance())...)
	}
	if ago == restarted {
		put("up", 0)
		put("scrape_duration_seconds", 0.002)
		put("scrape_samples_scraped", 0)
		return
	}
	n := ago / scrapeEvery
	put("up", 1)
	put("scrape_duration_seconds", s.load*(0.5+0.02*float64(n*7%11)))
	put("scrape_samples_scraped", 84_812*s.load)
	put("process_start_time_seconds", float64(c.started.Unix()))
	put("process_cpu_seconds_total", s.load*c.cpuSeconds)
	put("process_resident_memory_bytes", s.load*1e6*(180+float64(n*5%23)))
	s.putAccount(put, c, at)
	putCalls(put, c)
}

// putAccount writes how the account is read.
func (s shift) putAccount(put func(string, float64, ...string), c counters, at time.Time) {
	account := func(name string, value float64, labels ...string) {
		put("aws_iam_account_"+name, value, append(labels, "account_id", s.account)...)
	}
	account("info", 1, "account_name", s.name, "partition", "aws")
	account("refreshes_total", float64(c.refreshes))
	account("refresh_duration_seconds", s.load*(2.4+0.3*float64(c.refreshes%5)))
	account("credential_report_usable", 1)
	for _, reason := range inventory.Reasons() {
		failed := 0
		if reason == inventory.ReasonThrottled {
			failed = c.failed
		}
		account("refresh_errors_total", float64(failed), "reason", string(reason))
	}
	up := map[bool]float64{true: 1}
	account("up", up[!c.lastRefreshFailed])
	for _, state := range []inventory.State{inventory.StatePending, inventory.StateUp, inventory.StateDown} {
		isDown := state == inventory.StateDown
		put("aws_iam_exporter_accounts", up[state != inventory.StatePending && isDown == c.lastRefreshFailed], "state", string(state))
	}
	observed := s.observed(c, at)
	for _, group := range inventory.Groups() {
		account("facts_observed_timestamp_seconds", float64(observed[group].Unix()), "facts", string(group))
		account("facts_stale_timestamp_seconds", float64(observed[group].Add(lasting(group)).Unix()), "facts", string(group))
	}
}

// observed returns the time of the oldest facts. While AWS throttles, the sweep of
// the keys falls behind.
func (s shift) observed(c counters, at time.Time) map[inventory.Group]time.Time {
	all := map[inventory.Group]time.Time{}
	for _, group := range inventory.Groups() {
		all[group] = at.Truncate(4 * time.Hour)
	}
	refreshed := at.Truncate(5 * time.Minute)
	if c.lastRefreshFailed {
		refreshed = refreshed.Add(-5 * time.Minute)
	}
	all[inventory.GroupUsers] = refreshed
	all[inventory.GroupTags] = at.Truncate(time.Hour)
	all[inventory.GroupKeys] = at.Add(-time.Hour)
	if s.throttled.includes(s.end.Sub(at)) {
		all[inventory.GroupKeys] = at.Add(-95 * time.Minute)
	}
	return all
}

// lasting returns how long facts count as fresh, as in docs/sources.md.
func lasting(group inventory.Group) time.Duration {
	switch group {
	case inventory.GroupUsers:
		return 15 * time.Minute
	case inventory.GroupKeys, inventory.GroupTags:
		return 135 * time.Minute
	}
	return 270 * time.Minute
}

// putCalls writes the calls to AWS, with zeroes for those that were not made.
func putCalls(put func(string, float64, ...string), c counters) {
	needs := awsapi.Needs{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails}
	for _, o := range awsapi.OperationsFor(needs) {
		labels := []string{"service", o.Service, "operation", o.Name}
		put("aws_iam_exporter_api_requests_total", float64(c.requests[o.Name]), labels...)
		put("aws_iam_exporter_api_errors_total", float64(c.errors[o.Name]), labels...)
		put("aws_iam_exporter_api_throttles_total", float64(c.throttles[o.Name]), labels...)
	}
}

// TestShift checks the totals of a day.
func TestShift(t *testing.T) {
	end := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	s := newShift(pasts()[0], end)
	c := newCounters(end.Add(-day))
	for ago := day - scrapeEvery; ago >= 0; ago -= scrapeEvery {
		s.pass(&c, ago)
	}
	got := maps.Clone(c.requests)
	got["throttled"], got["failed"] = c.throttles["ListAccessKeys"], c.errors["ListUsers"]
	got["refreshes"], got["failed refreshes"] = c.refreshes, c.failed
	want := map[string]int{
		"ListAccessKeys":                 4 * (21*(1440-60) + 11*60),
		"ListUsers":                      5*288 + 4,
		"GetLoginProfile":                720,
		"GetAccountAuthorizationDetails": 120,
		"GetAccessKeyLastUsed":           48,
		"GenerateCredentialReport":       12,
		"GetCredentialReport":            6,
		"GetCallerIdentity":              1,
		"throttled":                      8 * 60,
		"failed":                         4,
		"refreshes":                      288,
		"failed refreshes":               2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a day's calls differ (-want +got):\n%s", diff)
	}
}
