package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

// TestControls holds the table of docs/compliance.md to the rules, to the
// alerts that Prometheus loads, and to the table of docs/rules.md.
func TestControls(t *testing.T) {
	const first14, first50, first60, securityHub, alert = 3, 5, 6, 8, 9 // columns
	alerts, short := alertsByRule(t), controlsOfRules(t)
	for _, rule := range policy.Rules() {
		rows := rowsOf(readDoc(t, "docs/compliance.md"), rule)
		if len(rows) == 0 || len(rows[0]) <= alert {
			t.Errorf("%s: docs/compliance.md has no row of controls", rule)
			continue
		}
		row := rows[0]
		if want := alerts[rule]; row[alert] != "["+want+"](../alerts/runbooks.md#"+strings.ToLower(want)+")" {
			t.Errorf("%s: got the alert %s, want %q", rule, row[alert], want)
		}
		controls := []string{row[first14], row[first50], row[first60], row[securityHub]}
		for i := range controls {
			controls[i] = strings.Trim(controls[i], "†–") // neither is in the shorter table
		}
		if diff := cmp.Diff(short[rule], controls); short[rule] != nil && diff != "" {
			t.Errorf("%s: docs/compliance.md and docs/rules.md differ: -rules +compliance:\n%s", rule, diff)
		}
	}
}

// TestControlsOfCheck holds what check prints to both tables of docs/compliance.md.
func TestControlsOfCheck(t *testing.T) {
	for _, rule := range policy.Rules() {
		rows := rowsOf(readDoc(t, "docs/compliance.md"), rule)
		if len(rows) < 2 || len(rows[0]) != 10 || len(rows[1]) != 4 {
			t.Errorf("%s: docs/compliance.md does not have two rows of controls", rule)
			continue
		}
		want := []report.Control{}
		for i, id := range append(slices.Clone(rows[0][1:9]), rows[1][1:]...) {
			if id = strings.Trim(id, "†–"); id != "" && id != "gone" {
				want = append(want, report.Control{Standard: report.Standards()[i], ID: id})
			}
		}
		if diff := cmp.Diff(want, report.Controls(rule)); diff != "" {
			t.Errorf("%s: docs/compliance.md and check differ: -document +check:\n%s", rule, diff)
		}
	}
}

// alertsByRule returns the alert on the findings of each rule.
func alertsByRule(t *testing.T) map[policy.Rule]string {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, "alerts/aws_iam.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	finding := regexp.MustCompile(`aws_iam:finding_since_timestamp_seconds\{rule="([^"]+)"\}`)
	alerts := map[policy.Rule]string{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if m := finding.FindStringSubmatch(rule.Expr); m != nil && alerts[policy.Rule(m[1])] == "" { // the first is about all of them
				alerts[policy.Rule(m[1])] = rule.Alert
			}
		}
	}
	return alerts
}

// controlsOfRules returns the controls of each rule that docs/rules.md lists.
func controlsOfRules(t *testing.T) map[policy.Rule][]string {
	t.Helper()
	_, table, _ := strings.Cut(readDoc(t, "docs/rules.md"), "## Benchmarks")
	controls := map[policy.Rule][]string{}
	for _, rule := range policy.Rules() {
		if rows := rowsOf(table, rule); len(rows) > 0 {
			controls[rule] = rows[0][1:]
		}
	}
	if len(controls) == 0 {
		t.Error("docs/rules.md lists no controls")
	}
	return controls
}

// rowsOf returns the cells of the rows of tables that are about the rule.
func rowsOf(text string, rule policy.Rule) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || !strings.Contains(cells[0], code(string(rule))) {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, slices.Clone(cells))
	}
	return rows
}
