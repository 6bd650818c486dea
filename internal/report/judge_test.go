package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

// TestExitCodes never calls compliant what was not read whole.
func TestExitCodes(t *testing.T) {
	fine := report.Scan{Snapshot: snapshot("111122223333", user("fine", key("a", day)))}
	old := report.Scan{Snapshot: snapshot("111122223333", user("old", key("a", 100*day)))}
	due := report.Scan{Snapshot: snapshot("111122223333", user("due", key("a", 80*day)))}
	half := fine
	half.Gaps = []string{"3 users were not read"}
	oldHalf := old
	oldHalf.Gaps = half.Gaps
	who := user("who")
	who.Keys = inventory.Fact[[]inventory.AccessKey]{}
	unknown := report.Scan{Snapshot: snapshot("111122223333", who)}
	for name, test := range map[string]struct {
		scans  []report.Scan
		change func(*report.Question)
		want   int
	}{
		"compliant":                      {[]report.Scan{fine}, nil, 0},
		"a violation":                    {[]report.Scan{old}, nil, 1},
		"a violation in a half scan":     {[]report.Scan{oldHalf}, nil, 1},
		"half a scan":                    {[]report.Scan{half}, nil, 2},
		"half a scan, another whole":     {[]report.Scan{fine, half}, nil, 2},
		"unknown":                        {[]report.Scan{unknown}, nil, 2},
		"unknown and a violation":        {[]report.Scan{unknown, old}, nil, 1},
		"no account":                     {nil, nil, 2},
		"an early warning":               {[]report.Scan{due}, nil, 0},
		"an early warning that fails":    {[]report.Scan{due}, func(q *report.Question) { q.FailOn = policy.Rules() }, 1},
		"a violation that does not fail": {[]report.Scan{old}, func(q *report.Question) { q.FailOn = []policy.Rule{policy.RootAccessKey} }, 0},
		"another rule":                   {[]report.Scan{old}, func(q *report.Question) { q.Rules = []policy.Rule{policy.KeyUnused} }, 0},
		"soon":                           {[]report.Scan{due}, func(q *report.Question) { q.Ahead = 30 * day }, 1},
	} {
		q := question()
		if test.change != nil {
			test.change(&q)
		}
		if got := report.New(test.scans, q).Summary.ExitCode; got != test.want {
			t.Errorf("%s: got exit code %d, want %d", name, got, test.want)
		}
	}
}

// TestExpiring tells what is a violation from what only will be.
func TestExpiring(t *testing.T) {
	q := question()
	q.Ahead = 30 * day
	r := report.New([]report.Scan{{Snapshot: snapshot("111122223333",
		user("old", key("a", 100*day)), user("due", key("b", 80*day)), user("fine", key("c", 5*day)), user("vendor", key("d", 400*day)))}}, q)
	got := map[string]bool{}
	for _, result := range r.Results {
		if result.Rule == policy.KeyRotation {
			got[result.UserName] = result.Expected
		}
	}
	want := map[string]bool{"old": false, "due": true, "vendor": true} // whose exemption ends by then
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("expected violations: -want +got:\n%s", diff)
	}
}

// TestDayOnly calls unknown what the first and the last second of a day disagree on.
func TestDayOnly(t *testing.T) {
	begins := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	at := func(observed time.Time) *inventory.Snapshot {
		with := func(name string, created time.Time) inventory.User {
			use := inventory.Observe(inventory.Use{At: begins.Add(-day)}, observed)
			return inventory.User{
				Name: name, Created: created, Console: inventory.Observe(false, observed),
				Keys: inventory.Observe([]inventory.AccessKey{{ID: name, Status: inventory.Active, Created: created, LastUse: use}}, observed),
			}
		}
		return &inventory.Snapshot{
			Account: inventory.Account{ID: "111122223333"}, Health: inventory.Health{State: inventory.StateUp},
			Report: inventory.Report{Generated: observed},
			Users: []inventory.User{
				with("before", begins.Add(-91*day)), with("since", begins.Add(-89*day)), with("that day", begins.Add(-90*day+time.Hour)),
			},
		}
	}
	q := question()
	q.Rules = []policy.Rule{policy.KeyRotation}
	r := report.New([]report.Scan{{Snapshot: at(begins), Latest: at(begins.Add(day - time.Second))}}, q)
	got := map[string]policy.Verdict{}
	for _, result := range r.Results {
		got[result.UserName] = result.Verdict
	}
	if diff := cmp.Diff(map[string]policy.Verdict{"before": policy.Violation, "that day": policy.Unknown}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestBaseline excuses what was there, nothing new, and nothing forever.
func TestBaseline(t *testing.T) {
	old := snapshot("111122223333", user("old", key("a", 100*day)))
	q := question()
	b, err := report.NewBaseline(report.New([]report.Scan{{Snapshot: old}}, q), "2026-12-31", now)
	if err != nil {
		t.Fatal(err)
	}
	content, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if q.Baseline, err = report.ParseBaseline(content, now); err != nil {
		t.Fatal(err)
	}
	code := func(s *inventory.Snapshot) int { return report.New([]report.Scan{{Snapshot: s}}, q).Summary.ExitCode }
	if got := code(old); got != 0 {
		t.Errorf("the old finding: got exit code %d", got)
	}
	if got := code(snapshot("111122223333", user("old", key("a", 100*day)), user("new", key("b", 100*day)))); got != 1 {
		t.Errorf("a new finding: got exit code %d", got)
	}
	if got := code(snapshot("444455556666", user("old", key("a", 100*day)))); got != 1 {
		t.Errorf("another account: got exit code %d", got)
	}
	q.Now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := code(old); got != 1 {
		t.Errorf("after the last day: got exit code %d", got)
	}
}

func TestBadBaselines(t *testing.T) {
	for content, want := range map[string]string{
		`{}`: `schema: got "", want "aws_iam_exporter/baseline/1", as --write-baseline writes it`,
		`{"schema":"aws_iam_exporter/baseline/1"}`:                            `last day: got "", want a date such as 2026-12-31`,
		`{"schema":"aws_iam_exporter/baseline/1","last_day":"never"}`:         `last day: got "never", want a date such as 2026-12-31`,
		`{"schema":"aws_iam_exporter/baseline/1","last_day":"9999-12-31"}`:    `last day: got 9999-12-31, want one within a year`,
		`{"schema":"aws_iam_exporter/baseline/1","last_day":"2026-12-31"} {}`: `got more after the baseline, want nothing`,
		`{"schema":"aws_iam_exporter/baseline/1","until":"2026-12-31"}`:       `read as JSON: json: unknown field "until"`,
		``: `read as JSON: EOF`,
	} {
		if _, err := report.ParseBaseline([]byte(content), now); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", content, err, want)
		}
	}
	for _, lastDay := range []string{"2026-11-24", "2027-11-30", "9999-12-31", "", "tomorrow"} {
		if _, err := report.NewBaseline(report.New(nil, question()), lastDay, now); err == nil || !strings.HasPrefix(err.Error(), "last day: ") {
			t.Errorf("last day %q: got %v", lastDay, err)
		}
	}
}

// TestWidth fits rows to a terminal, cutting names and no rules, and colours on one
// alone.
func TestWidth(t *testing.T) {
	r := report.New(scans(), question())
	for _, width := range []int{200, 120, 100, 80} {
		l := look()
		l.Width, l.Colour = width, true
		text := string(write(t, r, report.FormatTable, l))
		table, _, _ := strings.Cut(text, "\n\n")
		for line := range strings.Lines(table) {
			line = strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[2m", "", "\x1b[0m", "").Replace(strings.TrimRight(line, "\n"))
			if n := len([]rune(line)); n > width && !strings.HasPrefix(line, "    ") { // commands are to be copied
				t.Errorf("width %d: a row has %d characters: %s", width, n, line)
			}
		}
		if !strings.Contains(text, "\x1b[31mviolation") || !strings.Contains(table, "multiple_active_keys") || !strings.Contains(table, "@ops|=1+1") {
			t.Errorf("width %d: got no colour, or a rule or an owner is missing:\n%s", width, text)
		}
	}
}

// BenchmarkCheck judges 5,000 users and prints the table.
func BenchmarkCheck(b *testing.B) {
	users := make([]inventory.User, 5000)
	for i := range users {
		users[i] = user(strings.Repeat("u", i%20)+time.Duration(i).String(), key("AKIAAAAAAAAAAAAAAAAA", time.Duration(i)*time.Hour))
	}
	s := snapshot("111122223333", users...)
	for b.Loop() {
		if _, err := report.New([]report.Scan{{Snapshot: s}}, question()).Write(report.FormatTable, look()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestNobodyWasJudged is no all-clear.
func TestNobodyWasJudged(t *testing.T) {
	for name, scans := range map[string][]report.Scan{"no account": nil, "a suspended one": scans()[2:]} {
		if got := report.New(scans, question()).Summary.ExitCode; got != report.ExitUnknown {
			t.Errorf("%s: got exit code %d, want %d", name, got, report.ExitUnknown)
		}
		sarif, err := report.New(scans, question()).Write(report.FormatSARIF, look())
		if err != nil || strings.Contains(string(sarif), `"executionSuccessful": true`) {
			t.Errorf("%s: got %v and SARIF of a success:\n%s", name, err, sarif)
		}
	}
}

// TestNothingIsKnown gives no advice about keys, and no number of users, where AWS said
// nothing at all.
func TestNothingIsKnown(t *testing.T) {
	text := string(write(t, report.New([]report.Scan{{Snapshot: &inventory.Snapshot{}}}, question()), report.FormatTable, look()))
	if !strings.Contains(text, "find out why its facts are missing") || strings.Contains(text, "Deactivate a key") ||
		!strings.Contains(text, "account of unknown id: users unknown\n") || !strings.HasSuffix(text, "; 1 account, users unknown\n") {
		t.Errorf("got %s\nwant no advice about keys, and users unknown", text)
	}
}
