package alerts

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/alerts/situations"
)

// The files that promtool reads, by how often rules are evaluated in them.
var situationFiles = map[time.Duration]string{
	time.Minute:      "tests/situations.yaml",
	10 * time.Minute: "tests/situations_of_days.yaml",
	time.Hour:        "tests/situations_of_weeks.yaml",
}

// TestSituations holds promtool's tests to the table of situations, which is where to
// change them.
func TestSituations(t *testing.T) {
	for every, file := range situationFiles {
		want := promtoolTests(t, every)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := readText(t, file); got != want {
			t.Errorf("%s is out of date; run make docs: -want +got:\n%s", file, cmp.Diff(want, got))
		}
	}
}

func promtoolTests(t *testing.T, every time.Duration) string {
	t.Helper()
	text := fmt.Sprintf(`# Written by make docs from the table of situations in alerts/situations.
rule_files: [../aws_iam.rules.yaml, ../aws_iam.recording.rules.yaml]
evaluation_interval: %s
group_eval_order: [aws_iam_memory, aws_iam_findings, aws_iam_exporter, aws_iam_watching, aws_iam_accounts]
tests:
`, short(every))
	for _, s := range situations.All() {
		if max(s.Evaluates, time.Minute) != every {
			continue
		}
		text += promtoolTest(t, &s)
	}
	return text
}

func promtoolTest(t *testing.T, s *situations.Situation) string {
	t.Helper()
	text := fmt.Sprintf("\n  - name: %s\n    start_timestamp: %s\n    interval: %s\n    input_series:\n",
		strconv.Quote(s.Name), situations.Start().Format(time.RFC3339), short(max(s.Step, 15*time.Second)))
	if s.Step == 0 {
		text = strings.Replace(text, "interval: 15s", "interval: 1m", 1)
	}
	for _, series := range s.InputSeries() {
		text += fmt.Sprintf("      - {series: %s, values: %s}\n", quoted(series[0]), series[1])
	}
	text += "    promql_expr_test:\n"
	for _, e := range s.Expect {
		text += expressionTest(t, e)
	}
	if cases := alertTests(t, s); cases != "" {
		text += "    alert_rule_test:\n" + cases
	}
	return text
}

// expressionTest asks for all that fires, or else the expectation's own query.
func expressionTest(t *testing.T, e situations.Expectation) string {
	t.Helper()
	expr := `ALERTS{alertstate="firing"}`
	if e.Query != "" {
		expr = e.Query
	}
	text := fmt.Sprintf("      - expr: %s\n        eval_time: %s\n        exp_samples:", quoted(expr), short(e.At))
	if len(e.Firing) == 0 {
		return text + " []\n"
	}
	text += "\n"
	for _, firing := range e.Firing {
		name, labels := parse(t, firing)
		value := "1"
		if e.Query != "" {
			name, value = "", name
		} else {
			labels["alertname"], labels["alertstate"], labels["severity"] = name, "firing", alertNamed(t, name).Labels["severity"]
			name = "ALERTS"
		}
		text += fmt.Sprintf("          - {labels: %s, value: %s}\n", quoted(name+selector(labels)), value)
	}
	return text
}

// alertTests are the words of alerts, when they fire for the first time.
func alertTests(t *testing.T, s *situations.Situation) string {
	t.Helper()
	text, told := "", map[string]bool{}
	for _, e := range s.Expect {
		cases, isNew := map[string]string{}, map[string]bool{}
		for _, firing := range e.Firing {
			words, found := s.Words()[firing]
			if !found || e.Query != "" {
				continue
			}
			name, labels := parse(t, firing)
			isNew[name] = isNew[name] || !told[firing]
			told[firing] = true
			a := alertNamed(t, name)
			labels["severity"] = a.Labels["severity"]
			cases[name] += fmt.Sprintf("          - exp_labels: %s\n            exp_annotations:\n              summary: %q\n              description: %q\n"+
				"              runbook_url: %q\n              dashboard_url: %q\n",
				strings.ReplaceAll(selector(labels), "=\"", ": \""), a.Annotations["summary"], words, a.Annotations["runbook_url"], filled(a.Annotations["dashboard_url"], labels))
		}
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			if !isNew[name] {
				continue
			}
			text += fmt.Sprintf("      - alertname: %s\n        eval_time: %s\n        exp_alerts:\n%s", name, short(e.At), cases[name])
		}
	}
	for firing := range s.Words() {
		if !told[firing] {
			t.Errorf("%s: there are words of %s, which does not fire", s.Name, firing)
		}
	}
	return text
}

// quoted is text as YAML has it between single quotes.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// parse reads what the table writes: a name, and labels with their values.
func parse(t *testing.T, firing string) (name string, labels map[string]string) {
	t.Helper()
	fields := strings.Split(firing, " ")
	labels = map[string]string{}
	for _, field := range fields[1:] {
		label, value, found := strings.Cut(field, "=")
		if !found {
			t.Fatalf("%q: %q is no label", firing, field)
		}
		labels[label] = value
	}
	return fields[0], labels
}

func selector(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// filled fills in an address as Prometheus does.
func filled(template string, labels map[string]string) string {
	return regexp.MustCompile(`\{\{ \$labels\.(\w+) \| urlquery \}\}`).ReplaceAllStringFunc(template, func(m string) string {
		return url.QueryEscape(labels[regexp.MustCompile(`\.(\w+)`).FindStringSubmatch(m)[1]])
	})
}

func alertNamed(t *testing.T, name string) alert {
	t.Helper()
	all := allAlerts(t)
	i := slices.IndexFunc(all, func(a alert) bool { return a.Alert == name })
	if i < 0 {
		t.Fatalf("there is no alert %s", name)
	}
	return all[i]
}

// short writes a duration as Prometheus reads it.
func short(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// TestEachAlertHasASituation checks that each alert is seen to fire, with its words, and, since
// all that fires is expected each time, to keep silent.
func TestEachAlertHasASituation(t *testing.T) {
	told := map[string]bool{}
	for _, s := range situations.All() {
		for firing := range s.Words() {
			name, _ := parse(t, firing)
			told[name] = true
		}
	}
	for _, a := range allAlerts(t) {
		if !told[a.Alert] && !strings.Contains(readText(t, "tests/findings.yaml"), "alertname: "+a.Alert+"\n") {
			t.Errorf("%s: no situation has its words", a.Alert)
		}
	}
}
