//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// testValues recomputes what panels show: of the running demos from all
// that was scraped at that moment, of the past from how it was made up.
func (s *stage) testValues(t *testing.T) {
	for account, e := range s.exporters {
		t.Run("scraped of "+account, func(t *testing.T) { s.testScraped(t, account, e) })
	}
	boards := readDashboards(t)
	t.Run("compliance", func(t *testing.T) { testCompliance(t, s.open(t, boards[complianceDashboard], view{})) })
	t.Run("owners", func(t *testing.T) { testOwners(t, s.open(t, boards[complianceDashboard], view{})) })
	t.Run("findings", func(t *testing.T) { testFindings(t, s.open(t, boards[usersDashboard], view{})) })
	t.Run("keys of a user", func(t *testing.T) { s.testKeys(t, boards[usersDashboard]) })
	t.Run("names", func(t *testing.T) { s.testNames(t, boards[usersDashboard]) })
	t.Run("an exemption", func(t *testing.T) { s.testExempt(t, boards[usersDashboard]) })
	t.Run("calls", func(t *testing.T) { testCalls(t, s.open(t, boards[exporterDashboard], view{})) })
	t.Run("trend", func(t *testing.T) { s.testTrend(t, boards[complianceDashboard]) })
	t.Run("gap", func(t *testing.T) { s.testGap(t, boards[complianceDashboard]) })
}

// testScraped checks that Prometheus has what an exporter serves, under the
// account's new id.
func (s *stage) testScraped(t *testing.T, account string, e *exporter) {
	eventually(t, time.Minute, func(ctx context.Context) error {
		served, err := e.samples(ctx)
		if err != nil {
			return err
		}
		want := samples{}
		for series, value := range served.facts() {
			if strings.Contains(series, demoAccount) && !strings.HasPrefix(series, "aws_iam_account_info") {
				want[strings.ReplaceAll(series, demoAccount, account)] = value
			}
		}
		got, err := query(ctx, s.url, fmt.Sprintf(`{__name__=~"aws_iam_.+", __name__!="aws_iam_account_info", account_id=%q}`, account))
		if err != nil {
			return err
		}
		if lines := compare(want, got.facts()); len(lines) > 0 || len(want) == 0 {
			return fmt.Errorf("%d series, %d differences:\n%s", len(want), len(lines), summary(lines))
		}
		return nil
	})
}

// shows returns what a query of the panel of that title finds.
func (o *opened) shows(t *testing.T, title, refID string) answer {
	t.Helper()
	for _, p := range o.Panels {
		for _, q := range p.Targets {
			if p.Title != title || q.RefID != refID {
				continue
			}
			a, err := o.query(t.Context(), p, q)
			if err != nil {
				t.Fatalf("%s: %s: %v", title, refID, err)
			}
			return a
		}
	}
	t.Fatalf("%s has no panel %s with a query %s", o.UID, title, refID)
	return answer{}
}

// scraped returns the series of a metric as they were at the dashboard's time.
func (o *opened) scraped(t *testing.T, selector string) model.Vector {
	t.Helper()
	a, err := o.instant(t.Context(), selector)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.samples) == 0 {
		t.Fatalf("there is no %s", selector)
	}
	return a.samples
}

// by adds up samples that agree in these labels.
func by(v model.Vector, labels ...model.LabelName) map[string]float64 {
	sums := map[string]float64{}
	for _, s := range v {
		sums[key(s.Metric, labels...)] += float64(s.Value)
	}
	return sums
}

func key(m model.Metric, labels ...model.LabelName) string {
	var parts []string
	for _, label := range labels {
		parts = append(parts, string(m[label]))
	}
	return strings.Join(parts, "/")
}

// keep returns the samples whose label has the value.
func keep(v model.Vector, label model.LabelName, value string) model.Vector {
	return slices.DeleteFunc(slices.Clone(v), func(s *model.Sample) bool { return string(s.Metric[label]) != value })
}

// drop returns the samples whose label has another value.
func drop(v model.Vector, label model.LabelName, value string) model.Vector {
	return slices.DeleteFunc(slices.Clone(v), func(s *model.Sample) bool { return string(s.Metric[label]) == value })
}

// count returns the samples, each with the value 1.
func count(v model.Vector) model.Vector {
	var ones model.Vector
	for _, s := range v {
		ones = append(ones, &model.Sample{Metric: s.Metric, Value: 1})
	}
	return ones
}

// divided divides by what has the same key.
func divided(some, whole map[string]float64) map[string]float64 {
	shares := map[string]float64{}
	for key, n := range whole {
		shares[key] = some[key] / n
	}
	return shares
}

// wantEqual compares to nine digits.
func wantEqual[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("%s: values differ (-computed +shown):\n%s", what, diff)
	}
}

const (
	findingsMetric = "aws_iam_finding_since_timestamp_seconds"
	verdictsMetric = "aws_iam_account_verdicts"
)

func testCompliance(t *testing.T, o *opened) {
	// The early warning is no violation.
	verdicts := drop(o.scraped(t, verdictsMetric), "rule", string(policy.KeyRotationDue))
	of := func(verdict policy.Verdict) model.Vector { return keep(verdicts, "verdict", string(verdict)) }
	for refID, verdict := range map[string]policy.Verdict{"B": policy.Violation, "C": policy.Exempted, "D": policy.Unknown} {
		wantEqual(t, "rules in "+string(verdict), by(of(verdict), "rule"), by(o.shows(t, "State by rule", refID).samples, "rule"))
	}
	wantEqual(t, "share compliant by rule", divided(by(of(policy.Compliant), "rule"), by(verdicts, "rule")),
		by(o.shows(t, "State by rule", "A").samples, "rule"))

	wantEqual(t, "share compliant by account", divided(by(of(policy.Compliant), "account_id"), by(verdicts, "account_id")),
		by(o.shows(t, "Share compliant, lowest accounts", "A").samples, "account_id"))

	ages := by(keep(o.scraped(t, "aws_iam_account_access_keys"), "status", "active"), "age_band")
	shown := map[string]float64{}
	for i, band := range collector.AgeBands() {
		shown[band] = by(o.shows(t, "Now", string(rune('A'+i))).samples)[""]
	}
	wantEqual(t, "active keys by age", ages, shown)
}

func testOwners(t *testing.T, o *opened) {
	findings := drop(o.scraped(t, findingsMetric), "rule", string(policy.KeyRotationDue))
	wantGreatest(t, 20, by(count(findings), "user_owner"), by(o.shows(t, "Owners with the most findings", "A").samples, "user_owner"))
}

// wantGreatest checks that the n greatest values are shown. Which of equal ones,
// does not matter.
func wantGreatest(t *testing.T, n int, computed, shown map[string]float64) {
	t.Helper()
	want := map[string]float64{}
	for key := range shown {
		want[key] = computed[key]
	}
	wantEqual(t, "the greatest", want, shown)
	if n = min(n, len(computed)); len(shown) != n || n == 0 {
		t.Fatalf("%d are shown, want %d", len(shown), n)
	}
	least := slices.Min(slices.Collect(maps.Values(want)))
	for key, value := range computed {
		if _, found := shown[key]; !found && value > least {
			t.Errorf("%s is not shown, although %v is more than %v", key, value, least)
		}
	}
}

func testFindings(t *testing.T, o *opened) {
	findings := o.scraped(t, findingsMetric)
	open := drop(findings, "rule", string(policy.KeyRotationDue))
	wantEqual(t, "open findings", float64(len(open)), by(o.shows(t, "Open findings", "A").samples)[""])
	wantEqual(t, "due soon", float64(len(findings)-len(open)), by(o.shows(t, "Due soon", "A").samples)[""])
	wantEqual(t, "the longest", o.days(slices.MinFunc(open, byValue).Value), by(o.shows(t, "Longest", "A").samples)[""])

	subject := []model.LabelName{"account_id", "rule", "user_name", "access_key_id", "user_owner"}
	days := map[string]float64{}
	for _, f := range findings {
		days[key(f.Metric, subject...)] = o.days(f.Value)
	}
	wantGreatest(t, 100, days, by(o.shows(t, "Findings", "A").samples, subject...))
}

func byValue(a, b *model.Sample) int { return int(a.Value) - int(b.Value) }

// days returns how many days a time is ago.
func (o *opened) days(since model.SampleValue) float64 {
	return (float64(o.now.UnixMilli())/1000 - float64(since)) / day.Seconds()
}

// testKeys follows one key of one user through the columns of its row.
func (s *stage) testKeys(t *testing.T, d dashboard) {
	account := pasts()[0].account
	o := s.open(t, d, view{chosen: map[string][]string{
		"account_id": {account}, "user_name": {"exporter"}, "match": {"is exactly"},
	}})
	const title = "Users and keys"
	one := func(metric string) *model.Sample {
		found := o.scraped(t, fmt.Sprintf(`%s{account_id=%q, user_name="exporter"}`, metric, account))
		if len(found) != 1 {
			t.Fatalf("%d series of %s, want 1", len(found), metric)
		}
		return found[0]
	}
	row := func(refID string, labels ...model.LabelName) map[string]float64 {
		return by(o.shows(t, title, refID).samples, append(labels, "user_name", "access_key_id")...)
	}
	info, created := one("aws_iam_user_info").Metric, one("aws_iam_access_key_created_timestamp_seconds")
	name := key(created.Metric, "user_name", "access_key_id")

	wantEqual(t, "status, class and owner", map[string]float64{key(info, "class", "user_owner") + "/" + name: 1}, row("B", "class", "user_owner"))
	wantEqual(t, "age", map[string]float64{name: o.days(created.Value)}, row("C"))
	wantEqual(t, "rotation", map[string]float64{name: -o.days(one("aws_iam_access_key_rotation_deadline_timestamp_seconds").Value)}, row("D"))
	wantEqual(t, "last use", map[string]float64{name: o.days(one("aws_iam_access_key_last_used_timestamp_seconds").Value)}, row("E"))
	service := string(one("aws_iam_access_key_last_used_info").Metric["service"])
	wantEqual(t, "service", map[string]float64{service + "/" + name: 1}, row("F", "service"))
}

// testExempt looks at how long an exemption of the demo's still lasts.
func (s *stage) testExempt(t *testing.T, d dashboard) {
	const name = "appliance-7"
	o := s.open(t, d, view{chosen: map[string][]string{"user_name": {name}, "match": {"is exactly"}}})
	want := map[string]float64{}
	for _, e := range o.scraped(t, fmt.Sprintf("aws_iam_exemption_expiry_timestamp_seconds{user_name=%q}", name)) {
		want[string(e.Metric["account_id"])] = -o.days(e.Value)
	}
	if len(want) != len(pasts()) {
		t.Errorf("%d accounts exempt %s, want all", len(want), name)
	}
	wantEqual(t, "days left", want, by(o.shows(t, "Users and keys", "H").samples, "account_id"))
}

// testNames looks for a user whose name is a part of another's name.
func (s *stage) testNames(t *testing.T, d dashboard) {
	for match, want := range map[string]func(string) bool{
		"is exactly": func(name string) bool { return name == "bob" },
		"contains":   func(name string) bool { return strings.Contains(name, "bob") },
	} {
		t.Run(match, func(t *testing.T) {
			o := s.open(t, d, view{chosen: map[string][]string{"user_name": {"bob"}, "match": {match}}})
			users := map[string]bool{}
			for _, u := range o.scraped(t, "aws_iam_user_info") {
				if name := string(u.Metric["user_name"]); want(name) {
					users[name] = true
				}
			}
			shown := map[string]bool{}
			for _, row := range o.shows(t, "Users and keys", "B").samples {
				shown[string(row.Metric["user_name"])] = true
			}
			wantEqual(t, "users", users, shown)
			for _, row := range o.shows(t, "Findings", "A").samples {
				if name, found := row.Metric["user_name"]; found && !want(string(name)) {
					t.Errorf("a finding of %s is shown", name)
				}
			}
		})
	}
}

// testCalls adds up a day's calls, and their price.
func testCalls(t *testing.T, o *opened) {
	var data struct{ Result model.Matrix }
	const counter = "aws_iam_exporter_api_requests_total[1d]"
	if err := ask(t.Context(), o.prometheus+"/api/v1/query?"+asOf(counter, o.now), &data); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	for _, series := range data.Result {
		want[string(series.Metric["operation"])] += increase(series.Values)
	}
	maps.DeleteFunc(want, func(_ string, n float64) bool { return n == 0 })
	const title = "Calls of the last day and their price"
	got := by(o.shows(t, title, "A").samples, "operation")
	// Prometheus extrapolates to the ends of the day.
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0.01, 0.1)); diff != "" {
		t.Errorf("calls differ (-computed +shown):\n%s", diff)
	}
	price := by(o.shows(t, title, "D").samples, "operation")
	for operation, n := range got {
		wantEqual(t, "price of "+operation, n*2/100_000, price[operation])
	}
	if n := got["ListAccessKeys"]; n < 300_000 {
		t.Errorf("%v calls of ListAccessKeys are shown, want those of three accounts of 5,000 users", n)
	}
}

// increase adds up by how much a counter has grown. It starts again at 0 when its
// program does.
func increase(values []model.SamplePair) float64 {
	sum := 0.0
	for i := 1; i < len(values); i++ {
		grown := float64(values[i].Value - values[i-1].Value)
		if grown < 0 {
			grown = float64(values[i].Value)
		}
		sum += grown
	}
	return sum
}

// point is a moment of a trend.
type point struct{ At, Value float64 }

// testTrend compares every point of the trends with what was imported.
func (s *stage) testTrend(t *testing.T, d dashboard) {
	o := s.open(t, d, view{})
	for _, title := range []string{"Not compliant", "Not compliant, long term"} {
		for refID, verdict := range map[string]policy.Verdict{"A": policy.Violation, "B": policy.Exempted, "C": policy.Unknown} {
			s.compareTrend(t, o, title, refID, pasts(), func(f figures) int {
				n := 0
				for rule, verdicts := range f.verdicts {
					if rule != policy.KeyRotationDue {
						n += verdicts[verdict]
					}
				}
				return n
			})
		}
	}
	oldest := collector.AgeBands()[7]
	s.compareTrend(t, o, "Long term", "H", pasts(), func(f figures) int { return f.activeKeys[oldest] })
}

// testGap checks that there is no line where nothing is known.
func (s *stage) testGap(t *testing.T, d dashboard) {
	staging := pasts()[1]
	o := s.open(t, d, view{chosen: map[string][]string{"account_id": {staging.account}}})
	points := s.compareTrend(t, o, "Long term", "A", []past{staging}, func(f figures) int { return f.activeKeys[collector.AgeBands()[0]] })
	before, after := 0, 0
	for _, p := range points {
		ago := s.end.Sub(time.Unix(int64(p.At), 0))
		switch {
		case ago > staging.gap.began:
			before++
		case ago <= staging.gap.ended:
			after++
		case ago < staging.gap.began-time.Hour: // a point stands for the hour before
			t.Errorf("there is a point within the gap, %s before the end", ago)
		}
	}
	if before == 0 || after == 0 {
		t.Errorf("%d points before the gap and %d after it, want some", before, after)
	}
}

// compareTrend compares a query with the sum of a figure over the accounts, and
// returns its points.
func (s *stage) compareTrend(t *testing.T, o *opened, title, refID string, accounts []past, figure func(figures) int) []point {
	t.Helper()
	at := slices.IndexFunc(o.Panels, func(p panel) bool { return p.Title == title && len(p.Targets) > 0 })
	if at < 0 {
		t.Fatalf("there is no panel %s", title)
	}
	p := o.Panels[at]
	shown, err := o.spanOf(p, o.now)
	if err != nil {
		t.Fatal(err)
	}
	step, err := p.interval(target{}, shown)
	if err != nil {
		t.Fatal(err)
	}
	var want []point
	for at := shown.from.Truncate(step); !at.After(s.end); at = at.Add(step) {
		if n, known := s.recorded(at, accounts, figure); known {
			want = append(want, point{float64(at.Unix()), float64(n)})
		}
	}
	var got []point
	for _, series := range o.shows(t, title, refID).series {
		for _, v := range series.Values {
			if !v.Timestamp.Time().After(s.end) {
				got = append(got, point{math.Round(float64(v.Timestamp) / 1000), float64(v.Value)})
			}
		}
	}
	if len(want) < 100 {
		t.Errorf("%s: %s: %d points are in the past, want more", title, refID, len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s: points differ (-imported +shown):\n%s", title, refID, diff)
	}
	return got
}

// recorded returns the sum of the last figures of each account within an hour,
// and whether there is any.
func (s *stage) recorded(at time.Time, accounts []past, figure func(figures) int) (sum int, known bool) {
	for _, p := range accounts {
		// The last figures need not be the newest sample, at the edge of a gap.
		for sampled := p.last(at, s.end); sampled.After(at.Add(-time.Hour)); sampled = p.last(sampled.Add(-time.Second), s.end) {
			if f := p.at(sampled, s.end); f.up {
				sum, known = sum+figure(f), true
				break
			}
		}
	}
	return sum, known
}
