package alerts

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const alertFile = "aws_iam.rules.yaml"

// alert is one alerting rule.
type alert struct {
	Alert, Expr         string
	For                 time.Duration
	KeepFiringFor       time.Duration `yaml:"keep_firing_for"`
	Labels, Annotations map[string]string
}

func allAlerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	parseYAML(t, alertFile, &file)
	var all []alert
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" { // else it is a recording
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s alerts of nothing", alertFile)
	}
	return all
}

// bases returns the addresses of runbooks and dashboards that the file tells
// its readers to replace.
func bases(t *testing.T) (runbooks, dashboards string) {
	t.Helper()
	found := regexp.MustCompile(`'s#([^#]+)#YOUR`).FindAllStringSubmatch(readText(t, alertFile), -1)
	if len(found) != 2 {
		t.Fatalf("%s tells to replace %d addresses, want 2", alertFile, len(found))
	}
	return found[0][1], found[1][1]
}

// TestDocumentsHaveOneAddress holds the links of rules, mixin and dashboards to where the program
// says that the documents are: whoever moves them changes policy.Documents, and is told of the rest.
func TestDocumentsHaveOneAddress(t *testing.T) {
	of := regexp.MustCompile(`https://github\.com/[\w-]+/[\w-]+/(?:blob|tree)/[\w.-]+/`)
	for _, file := range []string{alertFile, "prometheusrule.yaml", "../mixin.libsonnet", "../tools/dashboards/users.go", "../dashboards/users.json", "../dashboards/configmaps.yaml"} {
		found := of.FindAllString(readText(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s has no link to the documents", file)
		}
		for _, address := range slices.Compact(slices.Sorted(slices.Values(found))) {
			if address != policy.Documents {
				t.Errorf("%s: got %s, want %s", file, address, policy.Documents)
			}
		}
	}
}

// TestAlerts holds each alert to what the people and programs that get it rely on.
func TestAlerts(t *testing.T) {
	const restored = 10 * time.Minute // shorter ones start again with Prometheus
	runbooks, dashboards := bases(t)
	headings := strings.Split(readText(t, "runbooks.md"), "\n")
	for _, a := range allAlerts(t) {
		t.Run(a.Alert, func(t *testing.T) {
			if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) || len(a.Labels) != 1 {
				t.Errorf("got labels %v, want a severity and no other", a.Labels)
			}
			if a.For < restored || a.KeepFiringFor <= 0 {
				t.Errorf("got for: %s and keep_firing_for: %s, want at least %s and more than 0", a.For, a.KeepFiringFor, restored)
			}
			want := []string{"dashboard_url", "description", "runbook_url", "summary"}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(a.Annotations))); diff != "" {
				t.Errorf("annotations: -want +got:\n%s", diff)
			}
			if s := a.Annotations["summary"]; !strings.HasSuffix(s, ".") || strings.Contains(s, "{{") {
				t.Errorf("got summary %q, want a sentence that is the same for everybody", s)
			}
			if got, want := a.Annotations["runbook_url"], runbooks+"#"+strings.ToLower(a.Alert); got != want {
				t.Errorf("got runbook_url %q, want %q", got, want)
			}
			if got := a.Annotations["dashboard_url"]; !strings.HasPrefix(got, dashboards+"/") {
				t.Errorf("got dashboard_url %q, want one that begins with %s", got, dashboards)
			}
			if !slices.Contains(headings, "## "+a.Alert) {
				t.Error("runbooks.md has no heading for it")
			}
		})
	}
}

// TestAlertOfEachRule checks that every rule has one alert, all of them the same
// expression, so that what the tests of situations show of one holds for all, and each
// the severity that goes with the rule's.
func TestAlertOfEachRule(t *testing.T) {
	const expr = "time() - aws_iam:finding_since_timestamp_seconds{rule=%q}"
	severities := map[policy.Severity]string{policy.High: "warning", policy.Medium: "warning", policy.Low: "info"}
	found := map[string]alert{}
	for _, a := range allAlerts(t) {
		if strings.HasPrefix(a.Expr, "time() - aws_iam:finding_since_timestamp_seconds") {
			found[a.Expr] = a
		}
	}
	compliance := readText(t, "../docs/compliance.md")
	for _, rule := range policy.Rules() {
		a := found[fmt.Sprintf(expr, rule)]
		if got, want := a.Labels["severity"], severities[rule.Severity()]; got != want {
			t.Errorf("%s: got severity %q, want %q as %s", rule, got, want, rule.Severity())
		}
		said := fmt.Sprintf("| alert | [%s](../alerts/runbooks.md#%s)", a.Alert, strings.ToLower(a.Alert))
		if a.Labels["severity"] != "warning" {
			said += fmt.Sprintf(", of severity `%s` |", a.Labels["severity"])
		}
		if !strings.Contains(compliance, said) || strings.Contains(compliance, said+", of severity") {
			t.Errorf("docs/compliance.md does not say %q, with the alert's severity", said)
		}
	}
	if len(found) != len(policy.Rules()) {
		t.Errorf("got %d alerts on findings, want %d", len(found), len(policy.Rules()))
	}
}

// alertLabels returns the labels of each metric that alerts may ask for, those
// that scraping adds among them.
func alertLabels(t *testing.T) map[string][]string {
	t.Helper()
	labels := servedLabels()
	labels["up"] = nil
	labels["process_start_time_seconds"] = nil
	for _, r := range recordingsIn(t, alertFile) {
		labels[r.Record] = memoryLabels(t, r)
	}
	for name := range labels {
		labels[name] = append(slices.Clone(labels[name]), "job", "instance")
	}
	return labels
}

// TestAlertQueries finds metrics, labels and label values that are not served,
// in the expressions and in the queries of annotations.
func TestAlertQueries(t *testing.T) {
	for _, a := range allAlerts(t) {
		t.Run(a.Alert, func(t *testing.T) {
			for _, text := range append(slices.Collect(maps.Values(a.Annotations)), a.Expr) {
				checkSelectors(t, text)
				checkGroupings(t, text)
			}
		})
	}
}

func checkSelectors(t *testing.T, text string) {
	t.Helper()
	labels := alertLabels(t)
	for _, selector := range regexp.MustCompile(`\b([\w:]+)\{([^{}]+)\}`).FindAllStringSubmatch(text, -1) {
		for _, matcher := range regexp.MustCompile(`(\w+)(?:=~|!=|!~|=)["']?([^"'%,]*)`).FindAllStringSubmatch(selector[2], -1) {
			if !slices.Contains(labels[selector[1]], matcher[1]) {
				t.Errorf("%s has no label %q", selector[1], matcher[1])
			}
			known := closedLabels()[matcher[1]]
			for value := range strings.SplitSeq(matcher[2], "|") {
				if known != nil && value != "" && !slices.Contains(known, value) {
					t.Errorf("%s: no value %q", selector[0], value)
				}
			}
		}
	}
}

func checkGroupings(t *testing.T, text string) {
	t.Helper()
	for _, name := range metricNames(text) {
		if alertLabels(t)[name] == nil {
			t.Errorf("%s is no metric", name)
		}
	}
	for _, m := range regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		for _, label := range strings.Split(m[1], ", ") {
			if label != "" && !slices.Contains(append(labelsIn(t, text), "instance", "rule_group"), label) {
				t.Errorf("no metric has the label %q: %s", label, text)
			}
		}
	}
}

// memoryLabels returns the labels of a series that the alerts' own rules record.
func memoryLabels(t *testing.T, r recording) []string {
	t.Helper()
	if r.Record == "aws_iam:exporter_up" || r.Record == "aws_iam:facts_good_until_timestamp_seconds" {
		return nil // job and instance, or none
	}
	by := regexp.MustCompile(`by \(([^)]+)\)`).FindStringSubmatch(r.Expr)
	if by == nil {
		t.Fatalf("%s: nobody knows its labels", r.Record)
	}
	return strings.Split(by[1], ", ")
}

// metricNames returns the metrics in a text; the names of the project and of groups of
// rules are none.
func metricNames(text string) []string {
	return regexp.MustCompile(`\b(?:aws_iam:\w+|aws_iam_\w+_\w+|process_\w+|up\b)`).FindAllString(strings.ReplaceAll(text, ".*aws_iam.*", ""), -1)
}

func labelsIn(t *testing.T, text string) []string {
	t.Helper()
	var all []string
	for _, name := range metricNames(text) {
		all = append(all, alertLabels(t)[name]...)
	}
	return all
}

// TestLabelsOfAnnotations finds labels in annotations that the alert does not
// have: Prometheus would take them for empty.
func TestLabelsOfAnnotations(t *testing.T) {
	for _, a := range allAlerts(t) {
		own := append(labelsIn(t, a.Expr), "rule_group")
		if byAll := regexp.MustCompile(`\b(?:max|min|sum|count|group) by \(([^)]+)\)`).FindAllStringSubmatch(a.Expr, -1); byAll != nil {
			own = nil
			for _, by := range byAll {
				own = append(own, strings.Split(by[1], ", ")...)
			}
		}
		for name, text := range a.Annotations {
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				if !slices.Contains(own, m[1]) {
					t.Errorf("%s: the %s speaks of a label %q that the alert does not have", a.Alert, name, m[1])
				}
			}
		}
	}
}

// TestSuspended checks that alerts pass over the accounts that are not read on
// purpose, and no others. Closed ones are taken out.
func TestSuspended(t *testing.T) {
	var states []string
	for _, state := range organization.States() {
		if !state.Readable() && state != organization.Closed {
			states = append(states, string(state))
		}
	}
	want := `aws_iam_account_info{state=~"` + strings.Join(states, "|") + `"}`
	for _, r := range recordingsIn(t, alertFile) {
		if asks := r.Record == "aws_iam:account_retired_timestamp_seconds"; strings.Contains(r.Expr, want) != asks || strings.Contains(r.Expr, "state=~") != asks {
			t.Errorf("%s: got %s, want %q in it: %t", r.Record, r.Expr, want, asks)
		}
	}
	for _, a := range allAlerts(t) {
		asks := slices.Contains([]string{"IAMAccountNeverRead", "IAMVerdictsUnknown", "IAMReportUnusable", "IAMStateNotKept"}, a.Alert)
		if strings.Contains(a.Expr, "unless on (account_id) "+want) != asks || strings.Contains(a.Expr, "state=~") != asks {
			t.Errorf("%s: got %s, want %q in it: %t", a.Alert, a.Expr, want, asks)
		}
	}
}

// TestWhoIsWoken fixes the alerts that wake somebody. Each says that something new and
// grave has happened, or that nobody could know if it did.
func TestWhoIsWoken(t *testing.T) {
	var woken []string
	for _, a := range allAlerts(t) {
		if a.Labels["severity"] == "critical" {
			woken = append(woken, a.Alert)
		}
	}
	if diff := cmp.Diff([]string{"IAMRootAccessKeyCreated", "IAMExporterAbsent"}, woken); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestJobsAreNamedOnce holds the file to its word that the pattern of job names stands
// in one place.
func TestJobsAreNamedOnce(t *testing.T) {
	_, groups, _ := strings.Cut(readText(t, alertFile), "\ngroups:\n")
	if n := strings.Count(groups, "job=~"); n != 1 {
		t.Errorf("the pattern of job names stands in %d places, want 1", n)
	}
}

// TestRanges holds the rules to the retention that a Prometheus may have, and to
// what a range costs with a thousand accounts: a day is the longest.
func TestRanges(t *testing.T) {
	for _, m := range regexp.MustCompile(`\[(\d+\w)\]`).FindAllStringSubmatch(readText(t, alertFile), -1) {
		if !slices.Contains([]string{"10m", "15m", "1h", "12h", "1d"}, m[1]) {
			t.Errorf("got a range of %s", m[1])
		}
	}
}

// closedLabels holds the values of the labels that have a closed list of them.
func closedLabels() map[string][]string {
	return map[string][]string{
		"rule":    values(policy.Rules()),
		"verdict": values(policy.Verdicts()),
		"facts":   values(inventory.Groups()),
	}
}

func values[T ~string](list []T) []string {
	var all []string
	for _, v := range list {
		all = append(all, string(v))
	}
	return all
}
