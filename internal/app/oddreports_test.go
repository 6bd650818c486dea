package app

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// judged is facts with everything that is counted of users and of root.
func (x exposition) judged() exposition {
	judged := x.facts()
	maps.Copy(judged, x.only("aws_iam_account_verdicts", "aws_iam_account_users_by_active_keys", "aws_iam_account_users_maybe_more_keys",
		"aws_iam_account_access_keys", "aws_iam_account_hidden_users"))
	return judged
}

// observation is when the oldest fact of the group was stated.
func (x exposition) observation(group inventory.Group) float64 {
	at, _ := x.value("aws_iam_account_facts_observed_timestamp_seconds", fmt.Sprintf("facts=%q", group))
	return at
}

func (e *exporter) equals(when string, want, got exposition) {
	e.t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		e.t.Errorf("%s (-want +served):\n%s", when, diff)
	}
}

// wantUp checks aws_iam_account_up.
func (e *exporter) wantUp(when string, want float64) {
	e.t.Helper()
	if up, known := e.scrape().value("aws_iam_account_up"); !known || up != want {
		e.t.Errorf("%s: aws_iam_account_up is %v, known: %t; want %v", when, up, known, want)
	}
}

// problems are those that the landing page lists.
func (e *exporter) problems() string {
	_, page := e.get("/")
	_, rest, _ := strings.Cut(page, "<h2>Problems</h2>")
	list, _, _ := strings.Cut(rest, "</section>")
	return html.UnescapeString(list)
}

// wantProblem checks that page and log tell the problem.
func (e *exporter) wantProblem(when, text string) {
	e.t.Helper()
	if problems := e.problems(); !strings.Contains(problems, text) {
		e.t.Errorf("%s: the page does not say %q, but:\n%s", when, text, problems)
	}
	if log := strings.ReplaceAll(e.log.String(), `\"`, `"`); !strings.Contains(log, text) {
		e.t.Errorf("%s: the log does not say %q", when, text)
	}
}

// wantNoProblem checks that the page tells none.
func (e *exporter) wantNoProblem(when string) {
	e.t.Helper()
	if problems := e.problems(); problems != "" {
		e.t.Errorf("%s: the page has problems left:\n%s", when, problems)
	}
}

// wantTruth checks that all is well: what is served is what a new exporter finds
// in the other world.
func (e *exporter) wantTruth(when string, twin *awssim.World, source awsapi.Source) {
	e.t.Helper()
	x := e.scrape()
	e.equals(when, truth(e.t, twin, source).judged(), x.judged())
	checkStale(e.t, x, nil)
	e.wantUp(when, 1)
	e.wantNoProblem(when)
}

// lane is a small account of which nothing comes to be in violation in the next
// ten days. Most of what happens in the tests happens to one of its users.
func lane(t *testing.T, now time.Time, name, path string, options awssim.Options) *awssim.World {
	t.Helper()
	options.Seed, options.Created = 7, now.Add(-2000*day)
	b := builder{t, awssim.New(options), now}
	b.user("early", "/", 60*day)
	b.key("early", 30*day, 2*day)
	b.user(name, path, 60*day)
	b.console(name, 60*day, true)
	b.key(name, 30*day, 2*day)
	b.user("gone", "/", 60*day)
	b.user("zoe", "/team/", 60*day)
	b.console("zoe", 60*day, true)
	b.key(awssim.Root, 1500*day, 1400*day)
	return b.world
}

// inRow changes the row of the user.
func inRow(user string, change func(string) string) func(string) string {
	return func(content string) string {
		lines := strings.Split(content, "\n")
		for i, line := range lines {
			if strings.HasPrefix(strings.TrimPrefix(line, `"`), user) {
				lines[i] = change(line)
			}
		}
		return strings.Join(lines, "\n")
	}
}

func unquoted(s string) string { return strings.ReplaceAll(s, `"`, "") }

// oddRow is a row of a report that cannot be read.
type oddRow struct {
	name       string
	user, path string
	edit       func(string) string
	problem    string
}

func oddRows() []oddRow {
	const malformed = "; check that nothing between here and AWS changes answers"
	told := func(s string) string {
		return "call iam:GetCredentialReport for the account: in the credential report, " + s + malformed
	}
	return []oddRow{
		{"comma in the name", "o,dd", "/", unquoted, told(`the row of o,dd cannot be read: line 4: got 24 fields, want 22 as in the header`)},
		{"comma in the path", "odd", "/x,y/", unquoted, told(`the row of odd cannot be read: line 4: got 23 fields, want 22 as in the header`)},
		{
			"placeholder", "odd", "/", inRow("odd", func(row string) string { return strings.Replace(row, ",true,true,", ",true,not_supported,", 1) }),
			told(`the row of odd cannot be read: line 4, column access_key_1_active: got "not_supported", want true or false`),
		},
		{
			"nonsense", "odd", "/", inRow("odd", func(row string) string { return strings.Replace(row, ",true,true,", ",enabled,true,", 1) }),
			told(`the row of odd cannot be read: line 4, column mfa_active: got "enabled", want true, false or not_supported`),
		},
		{
			"twice", "odd", "/", inRow("odd", func(row string) string { return row + "\n" + strings.Replace(row, ",true,true,", ",false,true,", 1) }),
			told(`the row of odd cannot be read: line 5, column user: got "odd", want one row for each user: line 4 has this one already`),
		},
		{
			"quote in the path", "odd", `/x"y/`, func(content string) string {
				return strings.ReplaceAll(unquoted(strings.ReplaceAll(content, `x""y`, "x|y")), "x|y", `x"y`)
			},
			told(`the row of odd cannot be read: line 4, column arn: bare " in non-quoted-field`),
		},
		{
			"bare quote", "odd", "/", inRow("odd", func(row string) string { return strings.Replace(row, ",true,true,", `,tr"ue,true,`, 1) }),
			told(`the row of odd cannot be read: line 4, column mfa_active: bare " in non-quoted-field`),
		},
		{
			"quote never closed", "odd", "/", inRow("odd", func(row string) string { return `"` + row }),
			told(`the row of a user cannot be read: line 4, column user: extraneous or missing " in quoted-field`),
		},
		{
			"cells missing", "odd", "/", inRow("odd", func(row string) string { return strings.TrimSuffix(row, ",false,N/A,false,N/A") }),
			told(`the row of odd cannot be read: line 4: got 18 fields, want 22 as in the header: the report may be cut short, fetch it again`),
		},
	}
}

// TestOddRow has a report come of which one row cannot be read: it costs the new
// facts about its user, and with auto not even those; the report takes nobody
// for deleted.
func TestOddRow(t *testing.T) {
	for _, odd := range oddRows() {
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} {
			t.Run(odd.name+"/"+string(source), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { odd.test(t, source) })
			})
		}
	}
}

func (o *oddRow) test(t *testing.T, source awsapi.Source) {
	now := time.Now()
	world, twin := lane(t, now, o.user, o.path, awssim.Options{}), lane(t, now, o.user, o.path, awssim.Options{})
	e := start(t, world, faultArgs(source, "--iam.refresh-interval=5m", "--iam.keys-interval=1h")...)
	time.Sleep(10 * time.Minute)
	before := e.scrape()
	e.equals("before", truth(t, twin, source).judged(), before.judged())
	e.wantUp("before", 1)
	e.wantNoProblem("before")

	seen := func(w *awssim.World) { // by every source
		check(t, w.UseKey(keyOf(t, w, "early", 0), awssim.Use{At: now.Add(time.Hour), Service: "sts"}))
		must[string](t)(w.CreateUser("young", "/", now.Add(time.Hour)))
	}
	unseen := func(w *awssim.World) { // in a report without the row
		check(t, w.UseKey(keyOf(t, w, o.user, 0), awssim.Use{At: now.Add(time.Hour), Service: "ec2"}))
		check(t, w.DeleteUser("gone"))
	}
	time.Sleep(time.Hour)
	seen(world)
	unseen(world)
	seen(twin)
	if source == awsapi.SourceAuto {
		unseen(twin)
	}
	world.EditReports(o.edit)
	time.Sleep(5 * time.Hour)
	during := e.scrape()
	e.equals("with the odd row", truth(t, twin, source).judged(), during.judged())
	e.wantProblem("with the odd row", o.problem)
	if failures(during, inventory.ReasonMalformed) == 0 {
		t.Error("no failure is counted")
	}
	up := 1.0
	if source == awsapi.SourceReport {
		up = 0
		for _, group := range reported() {
			wantOld := group != inventory.GroupRoot
			if old := during.observation(group) == before.observation(group); old != wantOld {
				t.Errorf("%s: observed as before: %t, want %t", group, old, wantOld)
			}
		}
	}
	e.wantUp("with the odd row", up)
	e.lint()

	world.EditReports(nil)
	if source == awsapi.SourceReport {
		unseen(twin)
	}
	time.Sleep(5 * time.Hour)
	e.wantTruth("after", twin, source)
	checkSecrets(t, e)
}

// TestOddRowFromTheStart has the very first report hold odd rows: whoever is
// certain to exist is there without facts, and whoever is not, not at all.
func TestOddRowFromTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		edit    func(string) string
		there   bool // the user of the odd row is known to exist
		counted bool // it is known who exists
	}{
		"certain":                      {inRow("odd", func(row string) string { return strings.Replace(row, ",true,true,", ",enabled,true,", 1) }), true, true},
		"uncertain":                    {inRow("odd", func(row string) string { return strings.Replace(row, "user/odd", "user/even", 1) }), false, false},
		"creation unknown":             {inRow("odd", func(row string) string { return strings.Replace(row, "Z,true,", ",true,", 1) }), false, false},
		"two tellings of the creation": {inRow("odd", func(row string) string { return row + "\n" + strings.Replace(row, "-11-02T", "-11-03T", 1) }), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				world, twin := lane(t, now, "odd", "/", awssim.Options{}), lane(t, now, "odd", "/", awssim.Options{})
				world.EditReports(test.edit)
				e := start(t, world, faultArgs(awsapi.SourceReport, "--iam.refresh-interval=5m", "--iam.keys-interval=1h")...)
				time.Sleep(10 * time.Minute)
				x, is := e.scrape(), truth(t, twin, awsapi.SourceReport)
				e.wantUp("from the start", 0)
				if got := len(x.find("aws_iam_user_info", `user_name="odd"`)) > 0; got != test.there {
					t.Errorf("the user is there: %t, want %t", got, test.there)
				}
				for _, known := range []string{"aws_iam_user_access_keys", "aws_iam_user_console_access", "aws_iam_access_key_active", "aws_iam_finding_since_timestamp_seconds"} {
					if found := x.find(known, `user_name="odd"`); len(found) > 0 {
						t.Errorf("facts of the odd row are served: %v", found)
					}
				}
				for series, value := range is.facts() {
					if !strings.Contains(series, `user_name="odd"`) && strings.Contains(series, "user_name=") {
						if got, served := x[series]; !served || got != value {
							t.Errorf("%s: got %v, served: %t; want %v", series, got, served, value)
						}
					}
				}
				users, counted := x.value("aws_iam_account_users")
				if counted != test.counted || counted && users != 4 {
					t.Errorf("aws_iam_account_users is %v, served: %t; want 4, %t", users, counted, test.counted)
				}
				if console, known := x.value("aws_iam_account_console_users"); known {
					t.Errorf("aws_iam_account_console_users is %v, although of one user it was never known", console)
				}
				unknown, _ := x.value("aws_iam_account_verdicts", `rule="console_user_with_active_keys"`, `verdict="unknown"`)
				if test.counted && unknown != 1 {
					t.Errorf("%v users are unknown, want the one of the odd row", unknown)
				}
				if tags := x.find("aws_iam_user_info", `user_name="early"`, `<unknown>`); len(tags) > 0 {
					t.Errorf("tags are not read: %v", tags)
				}

				world.EditReports(nil)
				time.Sleep(5 * time.Hour)
				e.equals("after", truth(t, twin, awsapi.SourceReport).judged(), e.scrape().judged())
				e.wantUp("after", 1)
			})
		})
	}
}

// TestOddRowAfterRestart has an exporter begin again with kept facts and a
// report with an odd row.
func TestOddRowAfterRestart(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				world, twin := lane(t, now, "odd", "/", awssim.Options{}), lane(t, now, "odd", "/", awssim.Options{})
				args := append(faultArgs(source, "--iam.refresh-interval=5m", "--iam.keys-interval=1h"), "--state.dir="+filepath.Join(t.TempDir(), "state"))
				e := start(t, world, args...)
				time.Sleep(10 * time.Minute)
				e.stop()
				world.EditReports(inRow("odd", func(row string) string { return strings.Replace(row, ",true,true,", ",enabled,true,", 1) }))
				again := start(t, world, args...)
				time.Sleep(5 * time.Hour)
				again.equals("after the restart", truth(t, twin, source).judged(), again.scrape().judged())
				up := 1.0
				if source == awsapi.SourceReport {
					up = 0
				}
				again.wantUp("after the restart", up)
			})
		})
	}
}

// withoutRoot takes the rows of root out.
func withoutRoot(content string) string {
	var lines []string
	for line := range strings.SplitSeq(content, "\n") {
		if !strings.HasPrefix(line, awssim.Root) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// TestReportWithoutRoot has a report come without a row of root, or with two:
// auto asks for a summary instead, which tells everything unless root has a key.
func TestReportWithoutRoot(t *testing.T) {
	const told = "call iam:GetCredentialReport for the account: in the credential report, "
	twice := inRow(awssim.Root, func(row string) string { return row + "\n" + strings.Replace(row, ",true,", ",false,", 1) })
	for name, test := range map[string]struct {
		edit    func(string) string
		keys    bool
		problem string
	}{
		"no row, a key":        {withoutRoot, true, told + "there is no row of <root_account>"},
		"no row, no key":       {withoutRoot, false, told + "there is no row of <root_account>"},
		"two rows, a key":      {twice, true, told + "the row of <root_account> cannot be read: line 3, column user: got \"<root_account>\", want one row for each user: line 2 has this one already"},
		"two rows, and no key": {twice, false, told + "the row of <root_account> cannot be read: line 3, column user: got \"<root_account>\", want one row for each user: line 2 has this one already"},
	} {
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} {
			t.Run(name+"/"+string(source), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testReportWithoutRoot(t, source, test.edit, test.keys, test.problem) })
			})
		}
	}
}

func testReportWithoutRoot(t *testing.T, source awsapi.Source, edit func(string) string, keys bool, problem string) {
	now := time.Now()
	world, twin := lane(t, now, "odd", "/", awssim.Options{}), lane(t, now, "odd", "/", awssim.Options{})
	if !keys {
		for _, w := range []*awssim.World{world, twin} {
			root, _ := w.User(awssim.Root)
			check(t, w.DeleteKey(root.Keys[0].ID))
		}
	}
	e := start(t, world, faultArgs(source, "--iam.refresh-interval=5m", "--iam.keys-interval=1h")...)
	time.Sleep(10 * time.Minute)
	before := e.scrape()
	e.equals("before", truth(t, twin, source).judged(), before.judged())
	e.wantNoProblem("before")

	root, _ := world.User(awssim.Root)
	check(t, world.RemoveMFA(awssim.Root))
	if !keys {
		b := builder{t, world, now}
		b.key(awssim.Root, 0, never)
		root, _ = world.User(awssim.Root)
		check(t, world.DeleteKey(root.Keys[0].ID))
	}
	world.EditReports(edit)
	time.Sleep(5 * time.Hour)
	during := e.scrape()
	want := before.judged()
	up := 0.0
	if source == awsapi.SourceAuto {
		want[`aws_iam_root_mfa_enabled{account_id="123456789012"}`] = 0 // the summary says so
		want[`aws_iam_account_verdicts{account_id="123456789012",rule="root_user_without_mfa",verdict="compliant"}`] = 0
		want[`aws_iam_account_verdicts{account_id="123456789012",rule="root_user_without_mfa",verdict="violation"}`] = 1
		want[`aws_iam_finding_since_timestamp_seconds{access_key_id="",account_id="123456789012",rule="root_user_without_mfa",user_name="<root_account>",user_owner=""}`] = float64(now.Add(-2000 * day).Unix())
		if !keys {
			up = 1 // the summary tells everything
		}
	}
	e.equals("without a row of root", want, during.judged())
	e.wantUp("without a row of root", up)
	e.wantProblem("without a row of root", problem)
	if asked := world.Calls()["GetAccountSummary"] > 0; asked != (source == awsapi.SourceAuto) {
		t.Errorf("GetAccountSummary is asked: %t", asked)
	}
	if old := during.observation(inventory.GroupRoot) == before.observation(inventory.GroupRoot); old != (keys || source == awsapi.SourceReport) {
		t.Errorf("the facts about root are observed as before: %t", old)
	}

	world.EditReports(nil)
	check(t, twin.RemoveMFA(awssim.Root))
	time.Sleep(5 * time.Hour)
	e.wantTruth("after", twin, source)
}

// TestRefusedReport has a report come that was cut, or is another account's:
// nothing of it is used.
func TestRefusedReport(t *testing.T) {
	cut := func(n int) func(string) string {
		return func(content string) string { return content[:len(content)-n] }
	}
	const told = "call iam:GetCredentialReport for the account: the credential report cannot be used: parse credential report: line 6"
	for name, test := range map[string]struct {
		edit    func(string) string
		problem string
	}{
		"a short last row":        {cut(4), told + ": got 21 fields, want 22 as in the header: the report may be cut short, fetch it again"},
		"half a value at the end": {cut(1), told + `, column cert_2_last_rotated: got "N/", want a whole value: the report may be cut short, fetch it again`},
		"another account": {
			func(content string) string { return strings.ReplaceAll(content, "123456789012", "999999999999") },
			`call iam:GetCredentialReport for account 123456789012: user "<root_account>" has the ARN "arn:aws:iam::999999999999:root": expected one in account 123456789012`,
		},
		"an odd row of another account": {
			inRow("odd", func(row string) string {
				return strings.NewReplacer("123456789012", "999999999999", ",true,true,", ",enabled,true,").Replace(row)
			}),
			`call iam:GetCredentialReport for account 123456789012: user "odd" has the ARN "arn:aws:iam::999999999999:user/odd": expected one in account 123456789012`,
		},
	} {
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} {
			t.Run(name+"/"+string(source), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testRefusedReport(t, source, test.edit, test.problem) })
			})
		}
	}
}

func testRefusedReport(t *testing.T, source awsapi.Source, edit func(string) string, problem string) {
	now := time.Now()
	world, twin := lane(t, now, "odd", "/", awssim.Options{}), lane(t, now, "odd", "/", awssim.Options{})
	e := start(t, world, faultArgs(source, "--iam.refresh-interval=5m", "--iam.keys-interval=1h")...)
	time.Sleep(10 * time.Minute)
	before := e.scrape()
	e.equals("before", truth(t, twin, source).judged(), before.judged())

	for _, w := range []*awssim.World{world, twin} {
		check(t, w.RemoveMFA("zoe"))
	}
	world.EditReports(edit)
	time.Sleep(4*time.Hour + 5*time.Minute)
	during, want := e.scrape(), before.judged()
	e.equals("with the report refused", want, during.judged())
	e.wantUp("with the report refused", 0)
	e.wantProblem("with the report refused", problem)
	if source == awsapi.SourceReport {
		for _, group := range reported() {
			if during.observation(group) != before.observation(group) {
				t.Errorf("%s: observed anew, although the report is refused", group)
			}
		}
	}

	world.EditReports(nil)
	time.Sleep(5 * time.Hour)
	e.wantTruth("after", twin, source)
}

// TestEightKeys has a user make a new key every six days, and keep them all.
func TestEightKeys(t *testing.T) {
	column := func(value string) func(string) string {
		return func(content string) string {
			lines := strings.Split(content, "\n")
			for i := range lines[1:] {
				lines[i+1] += "," + value
			}
			return lines[0] + ",additional_credentials_info\n" + strings.Join(lines[1:], "\n")
		}
	}
	for _, test := range []struct {
		name    string
		source  awsapi.Source
		edit    func(string) string
		keys    float64 // active ones, as served; absent if 0
		maybe   float64
		unknown float64 // users by active keys
	}{
		{"live", awsapi.SourceLive, nil, 8, 0, 0},
		{"auto", awsapi.SourceAuto, nil, 8, 0, 0},
		{"report", awsapi.SourceReport, nil, 2, 1, 0},
		{"report that says there are more", awsapi.SourceReport, column("6 more keys"), 0, 0, 1},
		{"report that says there are no more", awsapi.SourceReport, column("0"), 2, 0, 0},
		{"report that declines to say", awsapi.SourceReport, column("no_information"), 2, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				world := awssim.New(awssim.Options{Seed: 3, KeysPerUser: 8, Created: now.Add(-2000 * day)})
				b := builder{t, world, now}
				b.user("many", "/", 60*day)
				b.key("many", 6*day, day)
				world.EditReports(test.edit)
				e := start(t, world, "--iam.source="+string(test.source))
				time.Sleep(90 * time.Minute)
				x := e.scrape()
				maybe, _ := x.value("aws_iam_account_users_maybe_more_keys")
				if x.finds("multiple_active_keys", "many") || maybe != 0 {
					t.Errorf("one key: finding %v, %v users maybe with more keys", x.find("aws_iam_finding_since_timestamp_seconds"), maybe)
				}

				for n := range 7 { // the youngest is of today
					b.key("many", time.Duration(n)*6*day+time.Duration(n+1)*time.Hour, day)
				}
				time.Sleep(5 * time.Hour)
				x = e.scrape()
				active, _ := x.value("aws_iam_user_access_keys", `status="active"`)
				maybe, counted := x.value("aws_iam_account_users_maybe_more_keys")
				unknown, _ := x.value("aws_iam_account_users_by_active_keys", `active_keys="unknown"`)
				if active != test.keys || !counted || maybe != test.maybe || unknown != test.unknown {
					t.Errorf("%v active keys, %v users maybe with more (served: %t), %v unknown; want %v, %v, %v", active, maybe, counted, unknown, test.keys, test.maybe, test.unknown)
				}
				since, found := x.value("aws_iam_finding_since_timestamp_seconds", `rule="multiple_active_keys"`)
				deadline, told := x.value("aws_iam_user_rotation_overlap_deadline_timestamp_seconds")
				if second := float64(b.ago(30*day + 6*time.Hour).Add(7 * day).Unix()); test.keys == 8 && (!found || since != second || deadline != second) {
					t.Errorf("eight keys: a finding since %v (%t), deadline %v; want the second-oldest key's %v", since, found, deadline, second)
				}
				if told != (test.keys > 0) {
					t.Errorf("the deadline is told: %t", told)
				}
				verdicts := x.find("aws_iam_account_verdicts", `rule="multiple_active_keys"`, `verdict="unknown"`)
				for _, n := range verdicts {
					if n != test.unknown {
						t.Errorf("unknown verdicts: %v, want %v", n, test.unknown)
					}
				}
			})
		})
	}
}

// TestKeysOfOneSecond has two keys of one second in reports, of which one is
// used: what tells them apart must not move from one to the other.
func TestKeysOfOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		world := awssim.New(awssim.Options{Created: now.Add(-2000 * day), Seed: 1})
		b := builder{t, world, now}
		b.user("tied", "/", 100*day)
		first, second := b.key("tied", 50*day, never), b.key("tied", 50*day, never)
		id := `access_key_id="created-` + b.ago(50*day).UTC().Format(time.RFC3339)
		e := start(t, world, "--iam.source=report")
		states := func(when, activeA, activeB, usedA, usedB string) {
			t.Helper()
			time.Sleep(5 * time.Hour)
			x := e.scrape()
			show := func(name, suffix string) string {
				if value, known := x.value(name, id+suffix+`"`); known {
					return fmt.Sprint(value)
				}
				return "unknown"
			}
			got := []string{
				show("aws_iam_access_key_active", "-a"), show("aws_iam_access_key_active", "-b"),
				show("aws_iam_access_key_used", "-a"), show("aws_iam_access_key_used", "-b"),
			}
			if diff := gocmp.Diff([]string{activeA, activeB, usedA, usedB}, got); diff != "" {
				t.Errorf("%s: active and used, -a and -b (-want +got):\n%s", when, diff)
			}
			for _, suffix := range []string{"-a", "-b"} {
				unknown := show("aws_iam_access_key_used", suffix) == "unknown"
				if told := show("aws_iam_access_key_unused_deadline_timestamp_seconds", suffix) != "unknown"; unknown && told {
					t.Errorf("%s: %s has a deadline, although its use is unknown", when, suffix)
				}
			}
		}
		states("never used", "1", "1", "0", "0")
		if x := e.scrape(); len(x.find("aws_iam_finding_since_timestamp_seconds", `rule="key_unused"`)) != 2 {
			t.Errorf("never used: findings %v, want both", x.find("aws_iam_finding_since_timestamp_seconds"))
		}
		check(t, world.UseKey(second, awssim.Use{At: time.Now(), Service: "s3"}))
		states("one was used", "1", "1", "unknown", "unknown")
		if x := e.scrape(); x.finds("key_unused", "tied") {
			t.Errorf("one was used: findings %v, want none: which one is not known", x.find("aws_iam_finding_since_timestamp_seconds"))
		}
		check(t, world.SetKeyStatus(first, types.StatusTypeInactive))
		states("the other is inactive", "1", "0", "1", "0")
		check(t, world.SetKeyStatus(first, types.StatusTypeActive))
		use := awssim.Use{At: time.Now(), Service: "s3"}
		check(t, world.UseKey(first, use))
		check(t, world.UseKey(second, use))
		states("used alike", "1", "1", "1", "1")
	})
}

// TestReportOfAnotherTool has AWS refuse to make a report, while another tool
// may have one made: it is as good as one's own.
func TestReportOfAnotherTool(t *testing.T) {
	for name, refusal := range map[string]http.HandlerFunc{
		"busy":   awssim.Error(409, "LimitExceeded", "The service is blocked."),
		"denied": awssim.Error(403, "AccessDenied", "not authorized to perform: iam:GenerateCredentialReport"),
	} {
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} {
			t.Run(name+"/"+string(source), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testReportOfAnotherTool(t, source, refusal) })
			})
		}
	}
}

func testReportOfAnotherTool(t *testing.T, source awsapi.Source, refusal http.HandlerFunc) {
	now := time.Now()
	world, twin := lane(t, now, "odd", "/", awssim.Options{}), lane(t, now, "odd", "/", awssim.Options{})
	var other atomic.Bool
	world.SetFault(func(operation string, _ int) http.HandlerFunc {
		if operation == "GenerateCredentialReport" && !other.Load() {
			return refusal
		}
		return nil
	})
	otherTool := func() {
		other.Store(true)
		must[*iam.GenerateCredentialReportOutput](t)(iam.NewFromConfig(world.Config()).GenerateCredentialReport(t.Context(), &iam.GenerateCredentialReportInput{}))
		other.Store(false)
	}
	e := start(t, world, faultArgs(source, "--iam.refresh-interval=5m", "--iam.keys-interval=1h")...)
	time.Sleep(7 * time.Minute)
	e.wantUp("without a report", 0)
	e.wantProblem("without a report", "call iam:GenerateCredentialReport for the account: ")

	otherTool()
	time.Sleep(80 * time.Minute)
	for range 2 {
		e.equals("with another tool's report", truth(t, twin, source).judged(), e.scrape().judged())
		e.wantUp("with another tool's report", 1)
		e.wantNoProblem("with another tool's report")
		time.Sleep(time.Hour)
	}
	time.Sleep(2 * time.Hour)
	e.wantUp("with that report gone", 0)
	otherTool()
	time.Sleep(80 * time.Minute)
	e.equals("with the next report", truth(t, twin, source).judged(), e.scrape().judged())
	e.wantUp("with the next report", 1)
	e.wantNoProblem("with the next report")
}
