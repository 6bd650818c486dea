package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const day = 24 * time.Hour

var (
	now      = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	observed = now.Add(-time.Hour)
)

// hostile is what every format has to quote: a formula, markup, escapes of a terminal
// and text that runs from right to left.
const hostile = "=cmd|'x'!A0 <b>&\"`|\x1b[31m\u202e\n# @team"

func key(id string, age time.Duration) inventory.AccessKey {
	return inventory.AccessKey{
		ID: id, Status: inventory.Active, Created: now.Add(-age).Truncate(time.Second),
		LastUse: inventory.Observe(inventory.Use{At: observed.Add(-day)}, observed),
	}
}

func user(name string, keys ...inventory.AccessKey) inventory.User {
	return inventory.User{
		Name: name, Created: now.Add(-1000 * day), Keys: inventory.Observe(keys, observed),
		Console: inventory.Observe(false, observed), MFA: inventory.Observe(false, observed),
		Tags: inventory.Observe(inventory.Tags{{Key: "team", Value: "ops"}}, observed),
	}
}

func snapshot(id string, users ...inventory.User) *inventory.Snapshot {
	slices.SortFunc(users, func(a, b inventory.User) int { return strings.Compare(a.Name, b.Name) })
	return &inventory.Snapshot{
		Account: inventory.Account{ID: id, Name: "production"}, Users: users,
		Root: inventory.Root{
			Keys: inventory.Observe([]inventory.AccessKey(nil), observed), KeyPresent: inventory.Observe(false, observed),
			Console: inventory.Observe(true, observed), MFA: inventory.Observe(true, observed),
		},
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: observed}, inventory.GroupKeys: {Observed: observed.Add(-time.Minute)}},
		Health:    inventory.Health{State: inventory.StateUp},
	}
}

// scans are three accounts: one with a bit of everything, one that could not be read,
// and one that is suspended.
func scans() []report.Scan {
	odd := user(hostile, key("AKIAAAAAAAAAAAAAAAAA", 100*day))
	odd.Tags = inventory.Observe(inventory.Tags{{Key: "team", Value: "@ops|=1+1"}}, observed)
	mystery := user("mystery")
	mystery.Keys = inventory.Fact[[]inventory.AccessKey]{}
	full := snapshot("111122223333", odd, mystery, user("vendor", key("AKIABBBBBBBBBBBBBBBB", 400*day)),
		user("due", key("AKIACCCCCCCCCCCCCCCC", 80*day)), user("fine", key("AKIADDDDDDDDDDDDDDDD", 5*day)))
	full.Root.KeyPresent = inventory.Observe(true, observed)
	full.Root.Keys = inventory.Observe([]inventory.AccessKey{{Status: inventory.Active, Created: now.Add(-2000 * day)}}, observed)
	unread := &inventory.Snapshot{Account: inventory.Account{ID: "222233334444"}, Health: inventory.Health{State: inventory.StateDown}}
	suspended := &inventory.Snapshot{Account: inventory.Account{ID: "333344445555", Name: "old"}, Health: inventory.Health{State: inventory.StateSuspended}}
	return []report.Scan{
		{
			Snapshot: full, File: "reports/111122223333.csv", SHA256: strings.Repeat("0123456789abcdef", 4),
			Lines: map[string]int{hostile: 3, "vendor": 5, policy.RootUserName: 2},
		},
		{Snapshot: unread, Gaps: []string{"assume role: AccessDenied\x1b[2J"}},
		{Snapshot: suspended},
	}
}

func question() report.Question {
	p := policy.WithLimits(policy.DefaultLimits())
	p.OwnerTags = []string{"team"}
	p.Exemptions = []policy.Exemption{{
		UserName: "vendor", Rules: []policy.Rule{policy.KeyRotation}, Reason: "=vendor | cannot <rotate>", Until: now.Add(20 * day).Truncate(day),
	}}
	return report.Question{
		Policy: p, Now: now, Rules: policy.Rules(), FailOn: report.FailByDefault(policy.Rules()), Version: "1.2.3",
		KeyIDs: "full",
	}
}

func look() report.Look {
	return report.Look{Place: "", Exempted: true, Relative: func(file string) (string, error) { return file, nil }}
}

func write(t *testing.T, r *report.Report, format report.Format, l report.Look) []byte {
	t.Helper()
	content, err := r.Write(format, l)
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return content
}

// located is the question about the first account alone, all of whose results stand
// in a file.
func located() *report.Report {
	first := scans()[:1]
	first[0].Lines["due"] = 6
	return report.New(first, question())
}

// TestFormats holds each format to a whole golden file.
func TestFormats(t *testing.T) {
	for _, format := range report.Formats() {
		t.Run(string(format), func(t *testing.T) {
			r := report.New(scans(), question())
			if format == report.FormatSARIF {
				r = located()
			}
			got := write(t, r, format, look())
			file := filepath.Join("testdata", "check."+string(format))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if format != report.FormatOpenMetrics && bytes.ContainsAny(got, "\x1b\u202e") { // whose labels are what they are
				t.Error("a terminal would obey the text")
			}
		})
	}
}

// schemaIn reads a JSON schema.
func schemaIn(t *testing.T, file string) *jsonschema.Resolved {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// TestJSONSchema holds JSON to the schema that is published.
func TestJSONSchema(t *testing.T) {
	resolved := schemaIn(t, filepath.Join("..", "..", "docs", "check.schema.json"))
	q := question()
	b, err := report.NewBaseline(located(), "2026-12-31", now)
	if err != nil {
		t.Fatal(err)
	}
	q.Baseline, q.Ahead = b, 30*day
	for name, r := range map[string]*report.Report{
		"plain": report.New(scans(), question()), "baseline and expiring": report.New(scans(), q), "nothing": report.New(nil, question()),
	} {
		var got any
		if err := json.Unmarshal(write(t, r, report.FormatJSON, look()), &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := resolved.Validate(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := resolved.Validate(map[string]any{"schema": "aws_iam_exporter/check/1"}); err == nil {
		t.Error("the schema takes anything")
	}
}

// TestCSV reads the rows back: every cell is there, and none is a formula.
func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(write(t, report.New(scans(), question()), report.FormatCSV, look()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`^-?\d+$`)
	for i, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r|", rune(cell[0])) && !number.MatchString(cell) {
				t.Errorf("row %d has the formula %q", i+1, cell)
			}
		}
	}
	if !slices.ContainsFunc(rows, func(row []string) bool { return strings.HasPrefix(row[5], `'=cmd|'x'!A0 <b>`) }) {
		t.Error("no row is about the user with the odd name")
	}
}

// TestJUnit counts what the numbers of the suites say.
func TestJUnit(t *testing.T) {
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	d := xml.NewDecoder(bytes.NewReader(write(t, report.New(scans(), question()), report.FormatJUnit, look())))
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var tests, failures, failed, skipped int
	for _, suite := range got.Suites {
		for _, c := range suite.Cases {
			tests++
			switch {
			case c.Failure != nil:
				failures++
			case c.Error != nil:
				failed++
			case c.Skipped != nil:
				skipped++
			}
		}
	}
	if tests != got.Tests || failures != got.Failures || failed != got.Errors || len(got.Suites) != len(policy.Rules())+1 {
		t.Errorf("counted %d tests, %d failures, %d errors in %d suites; the numbers say %d, %d, %d", tests, failures, failed, len(got.Suites), got.Tests, got.Failures, got.Errors)
	}
	if failures != 2 || failed == 0 || skipped != 3 { // root, the odd name; vendor, due and the suspended account
		t.Errorf("got %d failures, %d errors and %d skipped", failures, failed, skipped)
	}
}

// TestOpenMetrics reads the metrics with Prometheus's own parser of text.
func TestOpenMetrics(t *testing.T) {
	text := write(t, report.New(scans(), question()), report.FormatOpenMetrics, look())
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, m := range families["aws_iam_check_finding_since_timestamp_seconds"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "user_name" {
				names = append(names, l.GetValue())
			}
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"<root_account>", hostile, "due"}, names); diff != "" {
		t.Errorf("users with findings: -want +got:\n%s", diff)
	}
	if !bytes.HasSuffix(text, []byte("\n# EOF\n")) {
		t.Error("the end is not marked")
	}
}

// TestOpenMetricsHideUsers has no series of a user whom the policy hides, like the
// exporter, and counts the violation.
func TestOpenMetricsHideUsers(t *testing.T) {
	shown, q := question(), question()
	q.Policy.Users.Exclude = []policy.Match{{UserName: policy.Glob("due")}}
	want := slices.DeleteFunc(strings.Split(string(write(t, report.New(scans(), shown), report.FormatOpenMetrics, look())), "\n"), func(line string) bool {
		return strings.Contains(line, `user_name="due"`)
	})
	got := strings.Split(string(write(t, report.New(scans(), q), report.FormatOpenMetrics, look())), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines: -want +got:\n%s", diff)
	}
}

// TestSARIFForGitHub checks what GitHub asks for: a file of the checkout for every
// result, and a fingerprint that does not change as time passes.
func TestSARIFForGitHub(t *testing.T) {
	type log struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID    string
				Locations []struct {
					PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
				}
				Fingerprints map[string]string `json:"partialFingerprints"`
				Suppressions []any
			}
		}
	}
	read := func(r *report.Report, l report.Look) log {
		var got log
		if err := json.Unmarshal(write(t, r, report.FormatSARIF, l), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := read(located(), look())
	later := question()
	later.Now = now.Add(day)
	second := read(func() *report.Report { s := scans()[:1]; s[0].Lines["due"] = 6; return report.New(s, later) }(), look())
	seen := map[string]bool{}
	for i, result := range first.Runs[0].Results {
		if uri := result.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "reports/111122223333.csv" {
			t.Errorf("%s is at %q", result.RuleID, uri)
		}
		print := result.Fingerprints["primaryLocationLineHash"]
		if print == "" || seen[print] || print != second.Runs[0].Results[i].Fingerprints["primaryLocationLineHash"] {
			t.Errorf("%s has the fingerprint %q, which is another's, or not the one of a day later", result.RuleID, print)
		}
		seen[print] = true
	}
	if n := len(first.Runs[0].Results); n != 4 {
		t.Errorf("got %d results, want 4", n)
	}
	without := look()
	without.Exempted = false
	if n := len(read(located(), without).Runs[0].Results); n != 3 {
		t.Errorf("got %d results without exempted ones, want 3", n)
	}
	if _, err := report.New(scans(), question()).Write(report.FormatSARIF, look()); err == nil || !strings.Contains(err.Error(), "--sarif-location") {
		t.Errorf("without a file: got the error %v", err)
	}
}

// TestOCSF checks the fields that a Compliance Finding has to have.
func TestOCSF(t *testing.T) {
	var events []map[string]any
	if err := json.Unmarshal(write(t, report.New(scans(), question()), report.FormatOCSF, look()), &events); err != nil {
		t.Fatal(err)
	}
	suppressed := 0
	for i, e := range events {
		for _, field := range []string{"activity_id", "category_uid", "class_uid", "compliance", "finding_info", "metadata", "severity_id", "time", "type_uid"} {
			if e[field] == nil {
				t.Errorf("event %d lacks %s", i, field)
			}
		}
		if e["class_uid"] != 2003.0 || e["type_uid"] != 200301.0 {
			t.Errorf("event %d is of class %v and type %v", i, e["class_uid"], e["type_uid"])
		}
		if e["status_id"] == 3.0 {
			suppressed++
		}
	}
	if suppressed != 1 {
		t.Errorf("%d events are suppressed, want that of the exempted user", suppressed)
	}
}

// TestUndated writes a violation whose beginning nothing tells, as root's can be.
func TestUndated(t *testing.T) {
	r := &report.Report{
		CheckedAt: now, Accounts: []report.Account{{ID: "111122223333"}},
		Rules:   []report.Rule{{Name: policy.RootUserWithoutMFA, Subject: policy.SubjectAccount, Severity: policy.High, FailsOn: true}},
		Results: []report.Result{{Identity: report.Identity{Rule: policy.RootUserWithoutMFA, AccountID: "111122223333", UserName: policy.RootUserName}, Verdict: policy.Violation, Severity: policy.High, Fails: true}},
	}
	for _, format := range report.Formats() {
		text, err := r.Write(format, report.Look{Place: "config.yml", Relative: func(file string) (string, error) { return file, nil }})
		if err != nil || !bytes.Contains(text, []byte(policy.RootUserWithoutMFA)) {
			t.Errorf("%s: %v: %s", format, err, text)
		}
		for _, date := range []string{"0001", "-62135596800", "since  "} {
			if bytes.Contains(text, []byte(date)) {
				t.Errorf("%s: got %q in it, want no date: %s", format, date, text)
			}
		}
	}
	if text, _ := r.Write(report.FormatOpenMetrics, report.Look{}); !bytes.Contains(text, []byte("} NaN\n")) {
		t.Errorf("openmetrics: got no NaN: %s", text)
	}
}
