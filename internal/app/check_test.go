package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// The rows of a report: root without a key, and users whose only key is that old on 20
// November 2026.
const (
	rowsHeader = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
		"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
		"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated,additional_credentials_info\n" +
		"<root_account>,arn:aws:iam::111122223333:root,2019-03-04T09:12:44Z,true,2026-02-11T08:30:05Z,2019-03-04T09:12:44Z,not_supported,true," +
		"false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A,false\n"
	rowDay = "2026-11-20"
)

// row is the report's row of a user whose key was created then and used on the day before.
func row(name, created string) string {
	return fmt.Sprintf("%s,arn:aws:iam::111122223333:user/%s,2020-06-01T10:00:00Z,false,N/A,N/A,N/A,false,"+
		"true,%s,2026-11-19T00:00:00Z,eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A,false\n", name, name, created)
}

var (
	goodRows = rowsHeader + row("ann", "2026-11-01T00:00:00Z")
	badRows  = goodRows + row("bob", "2026-01-01T00:00:00Z")
	thatDay  = goodRows + row("eve", "2026-08-22T12:00:00Z") // 90 days before noon
)

// writeReport puts a file into a new directory and returns its path.
func writeReport(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(content), 0o644))
	return file
}

func asJSON(t *testing.T, content string, generated any) string {
	t.Helper()
	return string(must[[]byte](t)(json.Marshal(map[string]any{
		"Content": base64.StdEncoding.EncodeToString([]byte(content)), "ReportFormat": "text/csv", "GeneratedTime": generated,
	})))
}

// TestCheckReports judges reports without AWS, at the time that can be told.
func TestCheckReports(t *testing.T) {
	setEnvironment(t, nil)
	const name = "credentialReport_111122223333.csv"
	noon := "--report-time=2026-11-20T12:00:00Z"
	for name, test := range map[string]struct {
		name, content string
		args          []string
		code          int
		stdout        string // what it holds
	}{
		"compliant":             {"a.csv", goodRows, []string{noon}, 0, "compliant: 0 violations"},
		"a violation":           {"a.csv", badRows, []string{noon}, 1, "created-2026-01-01T00:00:00Z"},
		"exit zero":             {"a.csv", badRows, []string{noon, "--exit-zero"}, 0, "created-2026-01-01T00:00:00Z"},
		"other rules":           {"a.csv", badRows, []string{noon, "--rules=root_access_key,key_unused"}, 0, "2 rules"},
		"shown, not failing":    {"a.csv", badRows, []string{noon, "--fail-on=root_access_key"}, 0, "1 violation (0 failing)"},
		"at noon":               {"a.csv", thatDay, []string{noon}, 0, "compliant: 1 violation (0 failing)"}, // due
		"a second after noon":   {"a.csv", thatDay, []string{"--report-time=2026-11-20T12:00:01Z"}, 1, "violations: 1 violation (1 failing)"},
		"some time on that day": {"a.csv", thatDay, []string{"--report-time=" + rowDay}, 2, "could not tell: 0 violations"},
		"JSON":                  {"a.json", asJSON(t, badRows, "2026-11-20T12:00:00+00:00"), nil, 1, "facts of 2026-11-20T12:00:00Z,"},
		"JSON with seconds":     {"a.json", asJSON(t, badRows, 1795176000), nil, 1, "facts of 2026-11-20T12:00:00Z,"},
		"the layout":            {rowDay + "/" + name, badRows, nil, 1, "facts of 2026-11-20T00:00:00Z to 2026-11-20T23:59:59Z, from "},
		"later":                 {"a.csv", goodRows, []string{noon, "--expiring-in=90d"}, 1, "expected"},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeReport(t, test.name, test.content)
			stdout, stderr, code := runArgs(t, append([]string{"check", "--report", file}, test.args...)...)
			if code != test.code || stderr != "" || !strings.Contains(stdout, test.stdout) {
				t.Errorf("got exit code %d, want %d with %q; stderr %q, stdout:\n%s", code, test.code, test.stdout, stderr, stdout)
			}
		})
	}
}

// TestCheckRefuses says what is wrong, quotes no content, and exits with 3.
func TestCheckRefuses(t *testing.T) {
	setEnvironment(t, nil)
	const secret = "root:s3cr3t:0:0"
	file := func(name, content string) string { return writeReport(t, name, content) }
	noon := "--report-time=2026-11-20T12:00:00Z"
	good := file("a.csv", goodRows)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no time":          {[]string{"--report", good}, "a.csv: nothing says when the report was made, want --report-time,"},
		"no date":          {[]string{"--report", file("today/credentialReport_111122223333.csv", goodRows)}, "nothing says when"},
		"odd time":         {[]string{"--report", good, "--report-time=yesterday"}, `flag --report-time: got "yesterday", want a time such as`},
		"too early":        {[]string{"--report", good, "--report-time=2026-11-18"}, "a.csv:3: got a key used at 2026-11-19T00:00:00Z, after the report was made"},
		"to come":          {[]string{"--report", good, "--report-time=9999-12-31T23:59:59Z"}, "a.csv: the report was made at 9999-12-31T23:59:59Z, which is still to come: by this machine's clock it is "},
		"a day to come":    {[]string{"--report", good, "--report-time=9999-12-31"}, "a.csv: the report was made at 9999-12-31T00:00:00Z, which is still to come"},
		"a folder to come": {[]string{"--report", file("9999-12-31/credentialReport_111122223333.csv", goodRows)}, "the report was made at 9999-12-31T00:00:00Z, which is still to come"},
		"JSON to come":     {[]string{"--report", file("a.json", asJSON(t, goodRows, "9999-12-31T23:59:59+00:00"))}, "a.json: the report was made at 9999-12-31T23:59:59Z, which is still to come"},
		"too early for a password": {
			[]string{"--report", file("a.csv", goodRows+strings.Replace(row("pat", "2026-11-01T00:00:00Z"), "false,N/A,N/A", "true,N/A,2026-12-24T00:00:00Z", 1)), noon},
			"a.csv:4: got a password set at 2026-12-24T00:00:00Z, after the report was made",
		},
		"no report, columns twice": {[]string{"--report", file("passwd", secret+","+secret), noon}, "passwd: parse credential report: line 1: got a header without user, arn,"},
		"no report":                {[]string{"--report", file("passwd", secret), noon}, "passwd: parse credential report: line 1: got a header without user, arn,"},
		"other JSON":               {[]string{"--report", file("a.json", `{"Secret":"`+secret+`"}`)}, "a.json: got JSON that is not what"},
		"odd JSON time":            {[]string{"--report", file("a.json", asJSON(t, goodRows, "now"))}, "a.json: GeneratedTime: got something else than a time"},
		"cut short":                {[]string{"--report", file("a.csv", goodRows[:len(goodRows)-100]), noon}, "a.csv: parse credential report: line 3:"},
		"another account":          {[]string{"--report", file(rowDay+"/credentialReport_999999999999.csv", goodRows)}, "got the report of account 111122223333, want that of the account in the file's name"},
		"twice":                    {[]string{noon, "--report", good, "--report", good}, "got account 111122223333, which " + good + " is about, want each account once"},
		"missing":                  {[]string{"--report", good + "x", noon}, "a.csvx: no such file or directory"},
		"demo":                     {[]string{"--report", good, noon, "--demo"}, "flag --report: got it beside --demo, want one of them"},
		"rule":                     {[]string{"--rules=all"}, `flag --rules: got "all", want any of multiple_active_keys, `},
		"fail-on":                  {[]string{"--rules=key_rotation", "--fail-on=key_unused"}, `flag --fail-on: got "key_unused", want any of key_rotation`},
		"format":                   {[]string{"--format=html"}, `flag --format: got "html", want one of table, json, csv,`},
		"time alone":               {[]string{noon}, "flag --report-time: got it without --report"},
		"open baseline":            {[]string{"--write-baseline=x"}, "want both: no baseline is without an end"},
		"no baseline":              {[]string{"--baseline=" + good + "x"}, "flag --baseline: open "},
		"odd baseline":             {[]string{"--baseline=" + good}, "a.csv: read as JSON: "},
		"SARIF without":            {[]string{"--report", file("a.csv", badRows), noon, "--format=sarif"}, "is not below the working directory"},
		"output elsewhere":         {[]string{"--report", good, noon, "--output=" + good + "/x"}, "flag --output: "},
		"no name":                  {[]string{"--report="}, "flag --report: got no name, want a file, or - for standard input"},
		"output, a device":         {[]string{"--report", good, noon, "--output=" + os.DevNull}, os.DevNull + " is a directory, a device or the like: name a file"},
		"unknown flag":             {[]string{"--outptu"}, "unknown long flag '--outptu'"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runArgs(t, append([]string{"check"}, test.args...)...)
			if code != report.ExitFailure || stdout != "" || !strings.HasPrefix(stderr, "aws_iam_exporter: error: ") || !strings.Contains(stderr, test.want) {
				t.Errorf("got exit code %d and stderr %q, want 3 and %q; stdout %q", code, stderr, test.want, stdout)
			}
			if strings.Contains(stderr, "s3cr3t") {
				t.Errorf("stderr quotes the file: %q", stderr)
			}
		})
	}
}

// TestCheckStandardInputReport reads what another program writes.
func TestCheckStandardInputReport(t *testing.T) {
	setEnvironment(t, nil)
	for _, args := range [][]string{{"--report", "-"}, {"--report=-"}, {"-"}} {
		input := must[*os.File](t)(os.Open(writeReport(t, "a.json", asJSON(t, badRows, "2026-11-20T12:00:00Z"))))
		before := os.Stdin
		os.Stdin = input
		stdout, stderr, code := runArgs(t, append([]string{"check"}, args...)...)
		os.Stdin = before
		check(t, input.Close())
		if code != 1 || stderr != "" || !strings.Contains(stdout, "from standard input, SHA-256 ") {
			t.Errorf("%q: got exit code %d, stderr %q and stdout:\n%s", args, code, stderr, stdout)
		}
	}
}

// TestCheckDemo reads the made-up account, which has violations.
func TestCheckDemo(t *testing.T) {
	setEnvironment(t, nil)
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), []string{"check", "--demo", "--iam.source=live", "--format=json"}, &stdout, &stderr)
	var got report.Report
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || code != 1 || stderr.Len() > 0 {
		t.Fatalf("got exit code %d, %v and stderr %q", code, err, stderr.String())
	}
	if s := got.Summary; s.ExitCode != 1 || s.Users == 0 || s.Incomplete != 0 || len(got.Limits) < 2 {
		t.Errorf("got %+v", s)
	}
}

// TestCheckDamagedRow never calls compliant a report of which a row cannot be read.
func TestCheckDamagedRow(t *testing.T) {
	setEnvironment(t, nil)
	file := writeReport(t, "a.csv", rowsHeader+strings.Replace(row("bob", "2026-01-01T00:00:00Z"), "true", "maybe", 1)+row("ann", "2026-11-01T00:00:00Z"))
	stdout, _, code := runArgs(t, "check", "--report", file, "--report-time=2026-11-20T12:00:00Z")
	if code != report.ExitUnknown || !strings.Contains(stdout, "not read whole: "+file+": credential report: the row of bob cannot be read: line 3, column access_key_1_active: ") {
		t.Errorf("got exit code %d and stdout:\n%s", code, stdout)
	}
}

// TestCheckOutput replaces the file in one go, and leaves nothing else behind.
func TestCheckOutput(t *testing.T) {
	setEnvironment(t, nil)
	in := writeReport(t, "a.csv", badRows)
	out := writeReport(t, "iam.prom", "old\n")
	stdout, stderr, code := runArgs(t, "check", "--report", in, "--report-time="+rowDay, "--format=openmetrics", "--output", out)
	content := string(must[[]byte](t)(os.ReadFile(out)))
	if code != 1 || stdout != "" || stderr != "" || !strings.HasSuffix(content, "\n# EOF\n") || strings.Contains(content, "old\n") {
		t.Errorf("got exit code %d, stdout %q, stderr %q and the file:\n%s", code, stdout, stderr, content)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(out))); len(left) != 1 {
		t.Errorf("%d files are left, want 1", len(left))
	}
}

// TestCheckNamesNobody has a textfile collector given no series of users, as the flag says.
func TestCheckNamesNobody(t *testing.T) {
	setEnvironment(t, nil)
	in := writeReport(t, "a.csv", badRows)
	for flag, named := range map[string]bool{"--metrics.users": true, "--no-metrics.users": false} {
		stdout, stderr, code := runArgs(t, "check", "--report", in, "--report-time="+rowDay, "--format=openmetrics", flag)
		if got := strings.Contains(stdout, "user_name="); got != named || code != 1 || stderr != "" || !strings.Contains(stdout, `verdict="violation"} 1`) {
			t.Errorf("%s: got exit code %d, stderr %q and stdout, want users named %t:\n%s", flag, code, stderr, named, stdout)
		}
	}
}

// TestCheckOutputMode leaves a file private that was.
func TestCheckOutputMode(t *testing.T) {
	setEnvironment(t, nil)
	in, out := writeReport(t, "a.csv", goodRows), writeReport(t, "private.txt", "old\n")
	check(t, os.Chmod(out, 0o600))
	_, stderr, code := runArgs(t, "check", "--report", in, "--report-time="+rowDay, "--output", out)
	if mode := must[os.FileInfo](t)(os.Stat(out)).Mode().Perm(); mode != 0o600 || code != 0 || stderr != "" {
		t.Errorf("got exit code %d, stderr %q and mode %s, want 0600", code, stderr, mode)
	}
}

// TestCheckOutputLink writes to where a link points.
func TestCheckOutputLink(t *testing.T) {
	setEnvironment(t, nil)
	in, out := writeReport(t, "a.csv", goodRows), writeReport(t, "real.txt", "old\n")
	link := filepath.Join(t.TempDir(), "link.txt")
	check(t, os.Symlink(out, link))
	_, stderr, code := runArgs(t, "check", "--report", in, "--report-time="+rowDay, "--output", link)
	if info := must[os.FileInfo](t)(os.Lstat(link)); info.Mode().IsRegular() || code != 0 || stderr != "" {
		t.Errorf("got exit code %d, stderr %q and mode %s", code, stderr, info.Mode())
	}
	if content := must[[]byte](t)(os.ReadFile(out)); !strings.Contains(string(content), "compliant: ") {
		t.Errorf("got the file %q", content)
	}
}

// TestCheckBaseline writes a baseline and passes with it, until something new comes.
func TestCheckBaseline(t *testing.T) {
	setEnvironment(t, nil)
	in, file := writeReport(t, "a.csv", badRows), filepath.Join(t.TempDir(), "baseline.json")
	lastDay := time.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	at := "--report-time=2026-11-20T12:00:00Z"
	if stdout, stderr, code := runArgs(t, "check", "--report", in, at, "--write-baseline", file, "--baseline-until", lastDay); code != 0 || stderr != "" {
		t.Errorf("writing: got exit code %d, stderr %q and stdout:\n%s", code, stderr, stdout)
	}
	if stdout, _, code := runArgs(t, "check", "--report", in, at, "--baseline", file); code != 0 || !strings.Contains(stdout, "baseline of 1 finding, until the end of "+lastDay) {
		t.Errorf("with it: got exit code %d and stdout:\n%s", code, stdout)
	}
	in = writeReport(t, "a.csv", badRows+row("carl", "2026-02-01T00:00:00Z"))
	if stdout, _, code := runArgs(t, "check", "--report", in, at, "--baseline", file); code != 1 {
		t.Errorf("with a new violation: got exit code %d and stdout:\n%s", code, stdout)
	}
}

// TestCheckSARIF points to the row of the report in the checkout.
func TestCheckSARIF(t *testing.T) {
	setEnvironment(t, nil)
	in := writeReport(t, "reports/a b.csv", badRows)
	t.Chdir(filepath.Dir(filepath.Dir(in)))
	stdout, stderr, code := runArgs(t, "check", "--report", filepath.Join("reports", "a b.csv"), "--report-time="+rowDay, "--format=sarif")
	if code != 1 || stderr != "" || !strings.Contains(stdout, `"uri": "reports/a%20b.csv"`) || !strings.Contains(stdout, `"startLine": 4`) {
		t.Errorf("got exit code %d, stderr %q and stdout:\n%s", code, stderr, stdout)
	}
}

// closedPipe is a standard output that nobody reads any more.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, fmt.Errorf("write |1: broken pipe") }

func TestCheckClosedPipe(t *testing.T) {
	setEnvironment(t, nil)
	var stderr bytes.Buffer
	code := Run(t.Context(), []string{"check", "--report", writeReport(t, "a.csv", goodRows), "--report-time=" + rowDay}, closedPipe{}, &stderr)
	if want := "aws_iam_exporter: error: write to standard output: write |1: broken pipe; nobody has read all of it\n"; code != 3 || stderr.String() != want {
		t.Errorf("got exit code %d and stderr %q, want 3 and %q", code, stderr.String(), want)
	}
}

// scanned reads through the transport once, as check does, and judges.
func scanned(t *testing.T, from awsSource, args ...string) *report.Report {
	t.Helper()
	var output logText
	s, _, err := parse(append([]string{"check"}, args...), &output, &output)
	check(t, err)
	q, err := s.question()
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	scans, c, err := scanFrom(ctx, from, s, s.logger(&output), &output)
	check(t, err)
	q.Policy, q.Now = c.Policy, time.Now()
	return report.New(scans, q)
}

func through(world *awssim.World, transport http.RoundTripper) awsSource {
	config := world.Config()
	config.Credentials, config.HTTPClient = &caller{}, &http.Client{Transport: transport}
	return awsSource{config: config}
}

// TestCheckAccount reads every user of an account before it judges, with each source.
func TestCheckAccount(t *testing.T) {
	setEnvironment(t, nil)
	for _, source := range []string{"auto", "report", "live"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{Seed: 1})
				b := builder{t, world, time.Now()}
				for i := range 60 {
					name := fmt.Sprintf("user%d", i)
					b.user(name, "/", 300*day)
					must[string](t)(world.CreateKey(name, b.ago(time.Duration(i)*2*day+time.Hour)))
				}
				r := scanned(t, through(world, world.Transport()), "--iam.source="+source, "--rules=key_rotation")
				if s := r.Summary; s.Users != 60 || s.Violations != 15 || s.Compliant != 45 || s.Unknown != 0 || s.ExitCode != 1 {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

// TestCheckWaitsForReport waits while AWS makes the report, which takes minutes for a
// large account.
func TestCheckWaitsForReport(t *testing.T) {
	setEnvironment(t, nil)
	for _, source := range []string{"auto", "report"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{Seed: 1, ReportDelay: 3 * time.Minute})
				b := builder{t, world, time.Now()}
				b.user("ann", "/", 300*day)
				b.key("ann", 100*day, never)
				r := scanned(t, through(world, world.Transport()), "--iam.source="+source, "--rules=key_unused,key_rotation")
				if s := r.Summary; s.Violations != 2 || s.Unknown != 0 || s.Incomplete != 0 {
					t.Errorf("got %+v with %v", s, r.Accounts[0].Gaps)
				}
			})
		})
	}
}

// TestCheckHalfRead never calls compliant what could not be read whole.
func TestCheckHalfRead(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{Seed: 1})
		builder{t, world, time.Now()}.user("ann", "/", day)
		from := through(world, world.Transport())
		from.config.Credentials.(*caller).failing.Store(true)
		r := scanned(t, from, "--rules=key_rotation")
		if r.Summary.ExitCode != report.ExitUnknown || r.Summary.Incomplete != 1 || len(r.Accounts[0].Gaps) == 0 {
			t.Errorf("got %+v and accounts %+v", r.Summary, r.Accounts)
		}
	})
}

// TestCheckOldReport gives no all-clear where AWS hands out a report of weeks ago, when
// a key was not too old yet.
func TestCheckOldReport(t *testing.T) {
	setEnvironment(t, nil)
	for _, source := range []string{"auto", "report"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{Seed: 1})
				b := builder{t, world, time.Now()}
				b.user("ann", "/", 300*day)
				b.key("ann", 100*day, 60*day)
				made := b.ago(21 * day)
				world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation != "GetCredentialReport" {
						return nil
					}
					return world.Lie(element("GeneratedTime", made.UTC().Format(time.RFC3339)))
				})
				r := scanned(t, through(world, world.Transport()), "--iam.source="+source, "--rules=key_unused,root_access_key")
				gaps := r.Accounts[0].Gaps
				if r.Summary.ExitCode == report.ExitCompliant || r.Summary.Incomplete != 1 || len(gaps) == 0 || !strings.Contains(gaps[0], made.UTC().Format(time.RFC3339)) {
					t.Errorf("got %+v with %q, want a gap that says how old the facts are", r.Summary, gaps)
				}
			})
		})
	}
}

// TestCheckUnderAWrongClock gives no all-clear where this machine's clock is behind
// AWS's, by which a key is too old.
func TestCheckUnderAWrongClock(t *testing.T) {
	setEnvironment(t, nil)
	for _, source := range []string{"auto", "report", "live"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := func() time.Time { return time.Now().Add(60 * day) }
				world := awssim.New(awssim.Options{Seed: 1, Now: now})
				b := builder{t, world, now()}
				b.user("ann", "/", 300*day)
				b.key("ann", 100*day, never)
				r := scanned(t, through(world, world.Transport()), "--iam.source="+source, "--rules=key_rotation")
				want := []string{"AWS's dates differ by 1440h0m0s from this machine's clock, by which everything was judged: correct that clock"}
				if r.Summary.ExitCode != report.ExitUnknown || !slices.Equal(r.Accounts[0].Gaps, want) {
					t.Errorf("got %+v with %q, want no all-clear and %q", r.Summary, r.Accounts[0].Gaps, want)
				}
			})
		})
	}
}

// TestCheckWholeOrganization checks every account of an organization once it is listed.
func TestCheckWholeOrganization(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		file := newConfigFile(t, organizationList)
		config := c.realm.Config()
		config.Credentials = &caller{}
		r := scanned(t, awsSource{config: config}, "--config.file="+file.name, "--iam.source=report")
		ids := []string{}
		for _, a := range r.Accounts {
			ids = append(ids, a.ID)
		}
		if want := []string{homeID, largeID, smallID}; strings.Join(ids, " ") != strings.Join(want, " ") || r.Summary.Users == 0 {
			t.Errorf("got accounts %v with %d users, want %v", ids, r.Summary.Users, want)
		}
	})
}

// TestCheckInDoubt gives no all-clear where nobody knows whether an account of the
// organization is meant.
func TestCheckInDoubt(t *testing.T) {
	setEnvironment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		c := newCompany(t)
		const readable = 2 // of the accounts' tags, in the order of their ids: not those of the small one
		c.organization.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListTagsForResource" && n > readable {
				return awssim.JSONError(http.StatusBadRequest, "AccessDeniedException", "no")
			}
			return nil
		})
		file := newConfigFile(t, organizationList+"  include: [{tags: {stage: prod}}]\n")
		config := c.realm.Config()
		config.Credentials = &caller{}
		r := scanned(t, awsSource{config: config}, "--config.file="+file.name, "--iam.source=report", "--rules=key_rotation_due")
		want := []string{"whether the configuration means it is not known: not in include; include[0] (tag stage=prod) might match: not known: its tags"}
		if r.Summary.ExitCode != report.ExitUnknown || len(r.Accounts) != 2 || r.Accounts[1].ID != smallID || !slices.Equal(r.Accounts[1].Gaps, want) {
			t.Errorf("got %+v and accounts %+v", r.Summary, r.Accounts)
		}
	})
}

// TestNotRead never passes over an account that came while the others were read.
func TestNotRead(t *testing.T) {
	s := &inventory.Snapshot{Account: inventory.Account{ID: homeID}, Health: inventory.Health{State: inventory.StatePending}}
	p := policy.WithLimits(policy.DefaultLimits())
	scans := scansOf(view.Of(p, view.Reload{}, map[string]*inventory.Snapshot{homeID: s}, time.Now()), time.Now())
	r := report.New(scans, report.Question{Policy: p, Now: time.Now(), Rules: []policy.Rule{policy.KeyRotation}})
	if want := []string{"it was not read"}; r.Summary.ExitCode != report.ExitUnknown || !slices.Equal(r.Accounts[0].Gaps, want) {
		t.Errorf("got %+v and gaps %q, want %q", r.Summary, r.Accounts[0].Gaps, want)
	}
}
