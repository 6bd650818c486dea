package alerts

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const trendDoc = "../docs/trending.md"

// recording is one recording rule.
type recording struct{ Record, Expr string }

const recordingFile = "aws_iam.recording.rules.yaml"

// recordings are those of single accounts, fleetRecordings those of all together.
func recordings(t *testing.T) []recording { return recordingsOf(t, "account:") }

func fleetRecordings(t *testing.T) []recording { return recordingsOf(t, "fleet:") }

func recordingsOf(t *testing.T, level string) []recording {
	t.Helper()
	return slices.DeleteFunc(recordingsIn(t, recordingFile), func(r recording) bool { return !strings.HasPrefix(r.Record, level) })
}

func recordingsIn(t *testing.T, name string) []recording {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []recording }
	}
	parseYAML(t, name, &file)
	var all []recording
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" { // else it is an alert
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s records nothing", name)
	}
	return all
}

func parseYAML(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readText(t, file)), into); err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// servedLabels returns the labels of each metric of the exporter.
func servedLabels() map[string][]string {
	served := map[string][]string{}
	for _, m := range collector.Metrics() {
		served[m.Name] = m.Labels
	}
	return served
}

// metric returns the metric of the exporter that is recorded, and whether the
// name has the form that keeps histories together.
func (r recording) metric() (string, bool) {
	m := regexp.MustCompile(`^account:(aws_iam_account_[a-z_]+)(:sum)?$`).FindStringSubmatch(r.Record)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// labels returns the labels by which targets are brought together: those that
// the recorded series have.
func (r recording) labels() []string {
	m := regexp.MustCompile(`^max by \(([a-z_, ]+)\) \(`).FindStringSubmatch(r.Expr)
	if m == nil {
		return nil
	}
	return strings.Split(m[1], ", ")
}

// explainsGaps reports whether the series is about the facts rather than made of
// them, and so is recorded while they are stale.
func (r recording) explainsGaps() bool {
	return r.Record == "account:aws_iam_account_up" || r.Record == "account:aws_iam_account_facts_observed_timestamp_seconds"
}

// series returns how many series of one account the rule records.
func (r recording) series(t *testing.T) int {
	t.Helper()
	values := map[string]int{
		"rule":        len(policy.Rules()),
		"verdict":     len(policy.Verdicts()),
		"facts":       len(inventory.Groups()),
		"status":      len(inventory.Statuses()),
		"age_band":    len(collector.AgeBands()),
		"active_keys": 4, // 0, 1, 2+, unknown
	}
	n := 1
	for _, label := range r.labels()[1:] {
		count, known := values[label]
		if !known {
			t.Fatalf("%s: nobody knows how many values the label %q can have", r.Record, label)
		}
		metric, _ := r.metric()
		if strings.Count(r.Expr, metric+"{"+label+`="`) < strings.Count(r.Expr, metric) { // else it has one value
			n *= count
		}
	}
	return n
}

// TestRecordings holds each rule to what the comments in the file promise.
func TestRecordings(t *testing.T) {
	served := servedLabels()
	for _, r := range recordings(t) {
		t.Run(r.Record, func(t *testing.T) {
			metric, ok := r.metric()
			if !ok || served[metric] == nil {
				t.Fatalf("the name is not account: and a metric of accounts")
			}
			labels := r.labels()
			if len(labels) == 0 || labels[0] != "account_id" {
				t.Fatalf("the series are not brought together by account_id first: %s", r.Expr)
			}
			for _, label := range labels {
				if !slices.Contains(served[metric], label) {
					t.Errorf("%s has no label %q", metric, label)
				}
			}
			if !strings.HasSuffix(r.Record, ":sum") {
				if diff := cmp.Diff(slices.Sorted(slices.Values(served[metric])), slices.Sorted(slices.Values(labels))); diff != "" {
					t.Errorf("labels differ from those of %s (-served +recorded):\n%s", metric, diff)
				}
			}
			checkSources(t, r, metric)
			checkFreshness(t, r)
		})
	}
}

// checkSources finds metrics that grow with the number of users, and accounts
// without an id, which are none.
func checkSources(t *testing.T, r recording, metric string) {
	t.Helper()
	const stale = "aws_iam_account_facts_stale_timestamp_seconds"
	for _, name := range regexp.MustCompile(`\baws_iam_\w+`).FindAllString(r.Expr, -1) {
		if name != metric && name != stale {
			t.Errorf("reads %s, want only %s and %s", name, metric, stale)
		}
	}
	about := stale
	if r.explainsGaps() {
		about = metric
	}
	if all, named := strings.Count(r.Expr, about), strings.Count(r.Expr, about+`{account_id!=""`); all == 0 || all != named {
		t.Errorf("%d of %d selectors of %s leave out the account without an id", named, all, about)
	}
}

// checkFreshness finds figures that would be recorded from stale facts.
func checkFreshness(t *testing.T, r recording) {
	t.Helper()
	figures := strings.Count(r.Expr, "\n  or\n") + 1
	if r.explainsGaps() {
		figures = 0
	}
	gates := regexp.MustCompile(`(?m)^  and on \(account_id, job, instance\)\n` +
		`  min by \(account_id, job, instance\) \(\n.*facts(=|=~|!=)"[^"]+"\}\n  \) > time\(\)$`)
	if n := len(gates.FindAllString(r.Expr, -1)); n != figures {
		t.Errorf("the expression asks %d times whether facts are fresh, want %d:\n%s", n, figures, r.Expr)
	}
}

// TestFleet holds the recordings of all accounts to those of each: every sum is of one of them, keeps
// its labels except the account, and has the number of accounts beside it.
func TestFleet(t *testing.T) {
	all := map[string]string{}
	for _, r := range fleetRecordings(t) {
		all[r.Record] = r.Expr
	}
	for _, r := range recordings(t) {
		name := "fleet:" + strings.TrimPrefix(r.Record, "account:")
		sum, summed := all[name+":sum"]
		if !summed {
			continue
		}
		by := ""
		if labels := r.labels()[1:]; len(labels) > 0 {
			by = " by (" + strings.Join(labels, ", ") + ") "
		}
		if want := "sum" + by + "(" + r.Record + ")"; sum != want {
			t.Errorf("%s:sum: got %s, want %s", name, sum, want)
		}
		if count, counted := all[name+":count"]; !counted || !strings.HasPrefix(count, "count") || !strings.Contains(count, r.Record) {
			t.Errorf("%s:sum has no number of its accounts beside it: %q", name, count)
		}
	}
	if len(all) != 7 || len(all) != len(recordingsIn(t, recordingFile))-len(recordings(t)) {
		t.Errorf("got %d recordings of all accounts, want 7, and no others beside those of each", len(all))
	}
}

// TestRootRulesAreRecordedByTheirFacts splits the verdicts by what the rules judge,
// so that no rule about root that is yet to come waits for the wrong facts.
func TestRootRulesAreRecordedByTheirFacts(t *testing.T) {
	var names []string
	for _, rule := range policy.RulesAbout(policy.SubjectAccount) {
		names = append(names, string(rule))
	}
	root := strings.Join(names, "|")
	for _, r := range recordings(t) {
		if r.Record != "account:aws_iam_account_verdicts" {
			continue
		}
		for _, matcher := range []string{"rule!~", "rule=~"} {
			if want := fmt.Sprintf("aws_iam_account_verdicts{%s%q}", matcher, root); strings.Count(r.Expr, want) != 1 {
				t.Errorf("want %s in the expression once: %s", want, r.Expr)
			}
		}
	}
}

// TestRecordedSeries counts what an account costs a store of many years.
func TestRecordedSeries(t *testing.T) {
	const most = 70
	total := 0
	for _, r := range recordings(t) {
		total += r.series(t)
	}
	if total > most {
		t.Errorf("an account has %d recorded series, want at most %d", total, most)
	}
	if want := fmt.Sprintf("%d series an account", total); !strings.Contains(readText(t, trendDoc), want) {
		t.Errorf("%s does not say %q", trendDoc, want)
	}
}

// TestRecordingsInDoc compares the rules with the table that fixes their names:
// name, labels and number of series.
func TestRecordingsInDoc(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	for _, r := range recordings(t) {
		want[r.Record] = fmt.Sprintf("`%s` %d", strings.Join(r.labels(), "`, `"), r.series(t))
	}
	rows := regexp.MustCompile("(?m)^\\| `(account:[a-z_:]+)` \\| ([^|]+) \\| (\\d+) \\| .+ \\|$")
	for _, row := range rows.FindAllStringSubmatch(readText(t, trendDoc), -1) {
		if _, twice := got[row[1]]; twice {
			t.Errorf("%s: %s has two rows", trendDoc, row[1])
		}
		got[row[1]] = row[2] + " " + row[3]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: the table differs from the rules (-rules +table):\n%s", trendDoc, diff)
	}
}

// TestRecordingsAreTested checks that promtool sees a value and a gap of each.
func TestRecordingsAreTested(t *testing.T) {
	files, err := filepath.Glob("tests/recording_*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	valued, gaps := map[string]bool{}, false
	for _, file := range files {
		var tests struct {
			Tests []struct {
				Expressions []struct {
					Expr    string
					Samples []struct{ Labels string } `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		parseYAML(t, file, &tests)
		for _, test := range tests.Tests {
			for _, e := range test.Expressions {
				gaps = gaps || e.Expr == `{__name__=~"account:.+"}` && len(e.Samples) == 0
				for _, s := range e.Samples {
					name, _, _ := strings.Cut(s.Labels, "{")
					valued[name] = true
				}
			}
		}
	}
	if !gaps {
		t.Error("no test expects that nothing at all is recorded")
	}
	for _, r := range recordingsIn(t, recordingFile) {
		if !valued[r.Record] {
			t.Errorf("no test expects a value of %s", r.Record)
		}
	}
}

// TestConfigurationInDoc holds the example in the document to the shipped file.
func TestConfigurationInDoc(t *testing.T) {
	const file = "../deploy/prometheus/prometheus.yml"
	if !strings.Contains(readText(t, trendDoc), "```yaml\n"+readText(t, file)+"```\n") {
		t.Errorf("%s does not show %s as it is", trendDoc, file)
	}
}

// TestKeptSeries lets the shipped relabelling choose among names.
func TestKeptSeries(t *testing.T) {
	var config struct {
		RemoteWrite []struct {
			Relabel []struct{ Regex, Action string } `yaml:"write_relabel_configs"`
		} `yaml:"remote_write"`
	}
	parseYAML(t, "../deploy/prometheus/prometheus.yml", &config)
	if len(config.RemoteWrite) != 1 || len(config.RemoteWrite[0].Relabel) != 1 || config.RemoteWrite[0].Relabel[0].Action != "keep" {
		t.Fatalf("want one destination with one rule that keeps, got %+v", config)
	}
	kept := regexp.MustCompile("^(?:" + config.RemoteWrite[0].Relabel[0].Regex + ")$") // Prometheus anchors them
	for _, r := range recordingsIn(t, recordingFile) {
		if !kept.MatchString(r.Record) {
			t.Errorf("%s is not kept", r.Record)
		}
	}
	for _, r := range recordingsIn(t, alertFile) {
		if kept.MatchString(r.Record) {
			t.Errorf("%s is kept", r.Record)
		}
	}
	for _, name := range append(slices.Collect(maps.Keys(servedLabels())), "up", "ALERTS", "process_start_time_seconds") {
		if kept.MatchString(name) {
			t.Errorf("%s is kept", name)
		}
	}
}

// TestTwoJobs checks that the two jobs take every metric once, except the ages,
// and that the job of the accounts takes nothing that names keys or users but
// for findings and exemptions.
func TestTwoJobs(t *testing.T) {
	var config struct {
		Jobs []struct {
			Name   string `yaml:"job_name"`
			Params struct {
				Names []string `yaml:"name[]"`
			}
		} `yaml:"scrape_configs"`
	}
	parseYAML(t, "../deploy/prometheus/two-jobs.yml", &config)
	if len(config.Jobs) != 2 || config.Jobs[0].Name != "aws_iam" {
		t.Fatalf("want two jobs, aws_iam first, got %+v", config)
	}
	want := []string{"process_start_time_seconds"}
	for name := range servedLabels() {
		if name != "aws_iam_access_key_age_seconds" {
			want = append(want, name)
		}
	}
	got := slices.Concat(config.Jobs[0].Params.Names, config.Jobs[1].Params.Names)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("metrics differ (-served +scraped):\n%s", diff)
	}
	const ofUsers = "aws_iam_user_|aws_iam_access_key_"
	for i, job := range config.Jobs {
		for _, name := range job.Params.Names {
			if grows := regexp.MustCompile("^(?:" + ofUsers + ")").MatchString(name); grows != (i == 1) {
				t.Errorf("job %s takes %s", job.Name, name)
			}
		}
	}
}
