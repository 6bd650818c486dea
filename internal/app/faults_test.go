package app

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// hook decides which calls go wrong; see awssim.World.SetFault.
type hook = func(operation string, n int) http.HandlerFunc

// fault is one way in which AWS can be in trouble for a day.
type fault struct {
	name    string
	sources []awsapi.Source // which it matters to; empty for all
	hook    func(*exporter) hook

	args    []string           // beyond faultArgs
	lasts   time.Duration      // if not a day
	up      bool               // it keeps nothing from being learnt
	erratic bool               // whether facts get lost depends on chance
	frozen  bool               // it keeps everything from being learnt
	reasons []inventory.Reason // whose failures are counted; any number of them if up
	// stale lists the groups that go stale, for each source. All do if frozen,
	// none where nothing is listed.
	stale map[awsapi.Source][]inventory.Group
}

// always answers every call in the same way.
func always(answer http.HandlerFunc) func(*exporter) hook {
	return func(*exporter) hook {
		return func(string, int) http.HandlerFunc { return answer }
	}
}

// on answers the calls of the operations in the same way.
func on(answer http.HandlerFunc, operations ...string) func(*exporter) hook {
	return func(*exporter) hook {
		return func(operation string, _ int) http.HandlerFunc {
			if slices.Contains(operations, operation) {
				return answer
			}
			return nil
		}
	}
}

// everyOther answers the odd calls of each operation.
func everyOther(answer http.HandlerFunc, operations ...string) func(*exporter) hook {
	return func(e *exporter) hook {
		return func(operation string, n int) http.HandlerFunc {
			if n%2 == 1 && (len(operations) == 0 || slices.Contains(operations, operation)) {
				return answer
			}
			return nil
		}
	}
}

// reportAnswer is AWS's answer with a credential report.
func reportAnswer(content string, generated time.Time) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "text/xml", `<GetCredentialReportResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetCredentialReportResult>`+
		`<Content>`+base64.StdEncoding.EncodeToString([]byte(content))+`</Content><ReportFormat>text/csv</ReportFormat>`+
		`<GeneratedTime>`+generated.UTC().Format(time.RFC3339)+`</GeneratedTime></GetCredentialReportResult></GetCredentialReportResponse>`)
}

// generateAnswer is AWS's answer to a request for a report.
func generateAnswer(state string) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "text/xml", `<GenerateCredentialReportResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GenerateCredentialReportResult>`+
		`<State>`+state+`</State></GenerateCredentialReportResult></GenerateCredentialReportResponse>`)
}

// reports answers the two operations about reports.
func reports(generate, get func(*exporter) http.HandlerFunc) func(*exporter) hook {
	return func(e *exporter) hook {
		answers := map[string]http.HandlerFunc{"GenerateCredentialReport": generate(e), "GetCredentialReport": get(e)}
		return func(operation string, _ int) http.HandlerFunc { return answers[operation] }
	}
}

func fixed(answer http.HandlerFunc) func(*exporter) http.HandlerFunc {
	return func(*exporter) http.HandlerFunc { return answer }
}

// newestReport is the report that AWS has now, its content changed.
func newestReport(change func(string) string, age time.Duration) func(*exporter) http.HandlerFunc {
	return func(e *exporter) http.HandlerFunc {
		e.peeked++
		out, err := iam.NewFromConfig(e.world.Config()).GetCredentialReport(e.t.Context(), &iam.GetCredentialReportInput{})
		check(e.t, err)
		return reportAnswer(change(string(out.Content)), out.GeneratedTime.Add(age))
	}
}

func same(s string) string { return s }

// truncatedUsers is a page of users with more to come, but nothing to ask for
// them with.
const truncatedUsers = `<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><IsTruncated>true</IsTruncated>` +
	`<Users><member><Path>/</Path><UserName>` + rawContent + `</UserName><UserId>AIDAUNTRUE</UserId>` +
	`<Arn>arn:aws:iam::123456789012:user/` + rawContent + `</Arn><CreateDate>1999-01-01T00:00:00Z</CreateDate></member></Users></ListUsersResult></ListUsersResponse>`

// cut is the beginning of an answer to any operation.
func cut() http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		name := r.Form.Get("Action")
		awssim.Raw(http.StatusOK, "text/xml", fmt.Sprintf(`<%[1]sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><%[1]sResult><Users></Users><AccessKeyMetadata></AccessKeyMetadata><!-- %s`, name, rawContent))(rw, r)
	}
}

// hollow is an answer of the right shape with nothing in it.
func hollow() http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		name := r.Form.Get("Action")
		awssim.Raw(http.StatusOK, "text/xml", fmt.Sprintf(`<%[1]sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"></%[1]sResponse>`, name))(rw, r)
	}
}

func faults() []fault {
	const (
		auto, report, live = awsapi.SourceAuto, awsapi.SourceReport, awsapi.SourceLive
		html               = "<!DOCTYPE html><html><body><h1>Sign in to the proxy: " + rawContent + "</h1></body></html>"
		unsigned           = "The request signature we calculated does not match: x-amz-security-token:" + callerToken + " " + callerSecret
	)
	slow := []string{"--iam.refresh-interval=9h", "--iam.keys-interval=9h"}
	slack := []string{"--iam.refresh-interval=2h", "--iam.keys-interval=6h", "--iam.account-rate=0.5"}
	pure := []awsapi.Source{report, live} // auto calls what these two call
	lists := []string{"ListUsers", "ListAccessKeys", "ListMFADevices", "ListUserTags", "GetAccountAuthorizationDetails"}
	listed := map[awsapi.Source][]inventory.Group{
		auto: {inventory.GroupUsers, inventory.GroupKeys, inventory.GroupKeyUse, inventory.GroupTags}, // two keys of one second are asked about one by one
		live: {inventory.GroupUsers, inventory.GroupKeys, inventory.GroupKeyUse, inventory.GroupMFA, inventory.GroupTags},
	}
	users := map[awsapi.Source][]inventory.Group{auto: {inventory.GroupUsers}, live: {inventory.GroupUsers}}
	// With auto, only a report has the status of root's key.
	all := map[awsapi.Source][]inventory.Group{report: reported(), auto: {inventory.GroupRoot}}
	reasons := func(r ...inventory.Reason) []inventory.Reason { return r }
	return []fault{
		{name: "half throttled", hook: everyOther(awssim.Error(400, "Throttling", "Rate exceeded")), up: true, reasons: reasons(inventory.ReasonThrottled)},
		{name: "all throttled", args: slack, hook: always(awssim.Error(400, "Throttling", "Rate exceeded")), frozen: true, reasons: reasons(inventory.ReasonThrottled)},
		{name: "half fail", sources: pure, hook: everyOther(awssim.Error(503, "ServiceUnavailable", rawContent)), erratic: true, reasons: reasons(inventory.ReasonServer)},
		{name: "every call fails", hook: always(awssim.Error(500, "ServiceFailure", rawContent)), frozen: true, reasons: reasons(inventory.ReasonServer)},
		{name: "bad gateway", sources: pure, hook: always(awssim.Raw(502, "text/html", html)), frozen: true, reasons: reasons(inventory.ReasonServer)},
		{name: "time-outs", hook: always(awssim.Hang()), frozen: true, reasons: reasons(inventory.ReasonTimeout)},
		{name: "connections reset", sources: pure, hook: always(awssim.Reset()), frozen: true, reasons: reasons(inventory.ReasonNetwork)},
		{name: "HTML", sources: pure, hook: always(awssim.Raw(200, "text/html", html)), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "empty answers", sources: pure, hook: always(awssim.Raw(200, "text/xml", "")), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "cut answers", sources: pure, hook: always(cut()), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "hollow answers", sources: pure, hook: always(hollow()), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "answers to another question", sources: pure, hook: always(awssim.Raw(200, "text/xml", `<OtherResponse><OtherResult/></OtherResponse>`)), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "expired token", sources: pure, hook: always(awssim.Error(403, "ExpiredToken", unsigned)), frozen: true, reasons: reasons(inventory.ReasonCredentials)},
		{name: "wrong signature", sources: pure, hook: always(awssim.Error(403, "SignatureDoesNotMatch", unsigned)), frozen: true, reasons: reasons(inventory.ReasonCredentials)},
		{name: "everything denied", sources: pure, hook: always(awssim.Error(403, "AccessDenied", "AKIAQWERTYUIOPASDFGH may not do that")), frozen: true, reasons: reasons(inventory.ReasonDenied)},
		{name: "error without a code", sources: pure, hook: always(awssim.Raw(400, "text/plain", rawContent)), frozen: true, reasons: reasons(inventory.ReasonMalformed)},
		{name: "no credentials", frozen: true, reasons: reasons(inventory.ReasonCredentials), hook: func(e *exporter) hook {
			e.caller.failing.Store(true)
			return nil
		}},
		{name: "weeks without an answer", sources: []awsapi.Source{auto}, lasts: 21 * day, args: slow, hook: always(awssim.Hang()), frozen: true, reasons: reasons(inventory.ReasonTimeout)},
		{name: "weeks without credentials", sources: pure, lasts: 21 * day, args: slow, hook: always(awssim.Error(403, "ExpiredToken", unsigned)), frozen: true, reasons: reasons(inventory.ReasonCredentials)},
		{name: "endless list", sources: []awsapi.Source{auto, live}, hook: on(awssim.RepeatMarker(), lists...), stale: listed, reasons: reasons(inventory.ReasonMalformed)},
		{name: "empty pages", sources: []awsapi.Source{auto, live}, hook: everyOther(awssim.EmptyPage(), "ListUsers", "GetAccountAuthorizationDetails"), up: true},
		{name: "missing marker", sources: []awsapi.Source{auto, live}, hook: on(awssim.Raw(200, "text/xml", truncatedUsers), "ListUsers"), stale: users, reasons: reasons(inventory.ReasonMalformed)},

		{
			name: "report stuck", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonReport),
			hook: reports(fixed(generateAnswer("INPROGRESS")), fixed(awssim.Error(404, "ReportInProgress", "Report is being generated."))),
		},
		{
			name: "report refused", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonReport),
			hook: on(awssim.Error(409, "LimitExceeded", "The service is blocked."), "GenerateCredentialReport"),
		},
		{
			name: "report is HTML", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonMalformed),
			hook: reports(fixed(generateAnswer("COMPLETE")), newestReport(func(string) string { return html }, day)),
		},
		{
			name: "report is cut", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonMalformed),
			hook: reports(fixed(generateAnswer("COMPLETE")), newestReport(func(csv string) string { return csv[:len(csv)/2] }, day)),
		},
		{
			name: "report is empty", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonMalformed),
			hook: reports(fixed(generateAnswer("COMPLETE")), newestReport(func(string) string { return "" }, day)),
		},
		{
			name: "report never younger", sources: []awsapi.Source{auto, report}, stale: all, reasons: reasons(inventory.ReasonReport),
			hook: reports(fixed(generateAnswer("COMPLETE")), newestReport(same, 0)),
		},
	}
}

// reported lists the groups that a report has, which are all but the tags.
func reported() []inventory.Group {
	return slices.DeleteFunc(inventory.Groups(), func(g inventory.Group) bool { return g == inventory.GroupTags })
}

// TestFaults has each fault last for a day, in which three users would come to
// be in violation.
func TestFaults(t *testing.T) {
	eachFault(t, faults(), func(*exporter) {})
}

// eachFault tests each fault with each source that it matters to, and then does
// the rest with the exporter that has met it.
func eachFault(t *testing.T, faults []fault, rest func(*exporter)) {
	t.Helper()
	twins := newTwins()
	for _, f := range faults {
		for _, source := range awsapi.Sources() {
			if len(f.sources) > 0 && !slices.Contains(f.sources, source) {
				continue
			}
			t.Run(f.name+"/"+string(source), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { rest(f.test(t, twins[source])) })
			})
		}
	}
}

// faultArgs hide key ids, so that none may show anywhere, and slow the
// exporter down, so that a day costs few calls.
func faultArgs(source awsapi.Source, more ...string) []string {
	args := []string{"--iam.source=" + string(source), "--metrics.access-key-id=suffix", configured(source)}
	if len(more) == 0 {
		more = []string{"--iam.refresh-interval=3h", "--iam.keys-interval=6h"}
	}
	return append(args, more...)
}

// test has the fault last for its time, and returns the exporter that has met it.
func (f *fault) test(t *testing.T, twin *twin) *exporter {
	source, began := twin.source, time.Now()
	e := start(t, town(t, began, awssim.Options{}), faultArgs(source, f.args...)...)
	time.Sleep(10 * time.Minute)
	before, was := e.scrape(), twin.truth(t, began)
	between(t, "before", was, before, was)

	e.world.SetFault(f.hook(e))
	lasts := cmp.Or(f.lasts, day)
	during := e.watch(lasts, lasts/4)
	is := before
	if !f.frozen {
		is = twin.truth(t, began)
	}
	for i, x := range during {
		between(t, fmt.Sprintf("after %s of the fault", time.Duration(i+1)*lasts/4), before, x, is)
	}
	last := during[len(during)-1]
	if f.frozen {
		counts := []string{"aws_iam_account_users_by_active_keys", "aws_iam_account_verdicts"}
		if diff := gocmp.Diff(before.only(counts...), last.only(counts...)); diff != "" {
			t.Errorf("counts move while nothing is learnt (-before +during):\n%s", diff)
		}
	}
	f.checkHealth(t, before, last)
	stale := f.stale[source]
	if f.frozen {
		stale = inventory.Groups()
	}
	checkStale(t, last, stale)
	checkReady(e)
	e.lint()
	e.recover(twin, began)
	return e
}

// recover ends the fault of a town that began at the time, and checks that the
// exporter finds the truth, and has shown no secret on the way.
func (e *exporter) recover(twin *twin, began time.Time) {
	e.t.Helper()
	e.world.SetFault(nil)
	e.caller.failing.Store(false)
	time.Sleep(10 * time.Hour)
	after, is := e.scrape(), twin.truth(e.t, began)
	between(e.t, "after the fault", is, after, is)
	checkStale(e.t, after, nil)
	if up, _ := after.value("aws_iam_account_up"); up != 1 {
		e.t.Errorf("after the fault: aws_iam_account_up is %v", up)
	}
	checkCalls(e.t, e, twin.source)
	checkSecrets(e.t, e)
}

// findOut is how long a new exporter gets to find out everything.
const findOut = 2 * time.Minute

// truth is what a new exporter serves in a world without trouble.
func truth(t *testing.T, world *awssim.World, source awsapi.Source) exposition {
	t.Helper()
	e := start(t, world, faultArgs(source)...)
	time.Sleep(findOut)
	x := e.scrape()
	e.stop()
	return x
}

// twin is the town that nothing befalls. All of the towns begin at the same
// moment of synctest's clock, so what one test has found to be true at a time is
// so for the others.
type twin struct {
	source awsapi.Source

	mu     sync.Mutex // held while the truth is found out
	truths map[int64]exposition
}

func newTwins() map[awsapi.Source]*twin {
	twins := map[awsapi.Source]*twin{}
	for _, source := range awsapi.Sources() {
		twins[source] = &twin{source: source, truths: map[int64]exposition{}}
	}
	return twins
}

// truth is what the source finds to be so now in the town that began at the
// time. It takes as long whether somebody has found it out already or not.
func (w *twin) truth(t *testing.T, began time.Time) exposition {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().Unix()
	if known, ok := w.truths[now]; ok {
		time.Sleep(findOut)
		return known
	}
	w.truths[now] = truth(t, town(t, began, awssim.Options{}), w.source)
	return w.truths[now]
}

// watch scrapes again and again for the time.
func (e *exporter) watch(long, step time.Duration) []exposition {
	e.t.Helper()
	var scrapes []exposition
	for range int(long / step) {
		time.Sleep(step)
		scrapes = append(scrapes, e.scrape())
	}
	return scrapes
}

// between checks the promise that holds in every trouble: what was true before and
// is true now is served, and nothing is served that was true at neither time.
func between(t *testing.T, when string, before, served, now exposition) {
	t.Helper()
	before, served, now = before.facts(), served.facts(), now.facts()
	for series, value := range before {
		got, ok := served[series]
		if again, still := now[series]; still && again == value && (!ok || got != value) {
			t.Errorf("%s: %s is %v (served: %t), want %v", when, series, got, ok, value)
		}
	}
	for series, value := range served {
		if strings.Contains(series, `"`+policy.UnknownValue+`"`) {
			if !now.hasButForOwner(series, value) && !before.hasButForOwner(series, value) {
				t.Errorf("%s: %s is served as %v, which is untrue for any owner", when, series, value)
			}
			continue
		}
		was, known := before[series]
		is, knownNow := now[series]
		if (!known || was != value) && (!knownNow || is != value) {
			t.Errorf("%s: %s is served as %v, which is untrue", when, series, value)
		}
	}
}

// hasButForOwner reports whether a series with the value differs from this one in
// nothing but what comes from tags.
func (x exposition) hasButForOwner(series string, value float64) bool {
	tags := regexp.MustCompile(`(class|tag_\w+|user_owner)="[^"]*"`)
	want := tags.ReplaceAllString(series, "")
	for other, v := range x {
		if v == value && tags.ReplaceAllString(other, "") == want {
			return true
		}
	}
	return false
}

func (f *fault) checkHealth(t *testing.T, before, during exposition) {
	t.Helper()
	if up, _ := during.value("aws_iam_account_up"); (up == 1) != f.up && !f.erratic {
		t.Errorf("aws_iam_account_up: got %v, want up=%t", up, f.up)
	}
	for _, reason := range inventory.Reasons() {
		more := failures(during, reason) - failures(before, reason)
		switch expected := slices.Contains(f.reasons, reason); {
		case expected && more == 0 && !f.up && !f.erratic:
			t.Errorf("%s: no failure is counted", reason)
		case !expected && more > 0:
			t.Errorf("%s: %v failures are counted", reason, more)
		}
	}
}

func failures(x exposition, reason inventory.Reason) float64 {
	count, _ := x.value("aws_iam_account_refresh_errors_total", fmt.Sprintf("reason=%q", reason))
	return count
}

func checkStale(t *testing.T, x exposition, want []inventory.Group) {
	t.Helper()
	got := []inventory.Group{}
	for _, group := range inventory.Groups() {
		stale, known := x.value("aws_iam_account_facts_stale_timestamp_seconds", fmt.Sprintf("facts=%q", group))
		if !known || float64(time.Now().Unix()) > stale {
			got = append(got, group)
		}
	}
	if diff := gocmp.Diff(append([]inventory.Group{}, want...), got); diff != "" {
		t.Errorf("stale groups (-want +got):\n%s", diff)
	}
}

func checkReady(e *exporter) {
	e.t.Helper()
	for _, probe := range []string{"/-/ready", "/-/healthy"} {
		if status, _ := e.get(probe); status != http.StatusOK {
			e.t.Errorf("%s answers %d", probe, status)
		}
	}
}

// checkCalls compares the requests that the exporter counts with those that
// AWS received, which are of no other operations than the source may call.
func checkCalls(t *testing.T, e *exporter, source awsapi.Source) {
	t.Helper()
	x := e.scrape()
	received := e.world.Calls()
	received["GetCredentialReport"] -= e.peeked
	for _, o := range needsOf(source) {
		labels := []string{fmt.Sprintf("operation=%q", o.Name), fmt.Sprintf("service=%q", o.Service)}
		counted, known := x.value("aws_iam_exporter_api_requests_total", labels...)
		if !known || int(counted) != received[o.Name] {
			t.Errorf("%s: the exporter counts %v requests, AWS %d", o.Name, counted, received[o.Name])
		}
		delete(received, o.Name)
	}
	maps.DeleteFunc(received, func(_ string, calls int) bool { return calls == 0 })
	if len(received) > 0 {
		t.Errorf("source %s made calls that it may not make: %v", source, received)
	}
}

// checkSecrets looks for what must never show in everything that the exporter
// has written or shows.
func checkSecrets(t *testing.T, e *exporter) {
	t.Helper()
	_, landing := e.get("/")
	secrets := []string{callerKeyID, callerSecret, callerToken, rawContent, "AKIAQWERTYUIOPASDFGH"}
	for _, user := range e.world.Users() {
		for _, key := range user.Keys {
			secrets = append(secrets, key.ID)
		}
	}
	for where, text := range map[string]string{"the log": e.log.String(), "the landing page": landing, "/metrics": e.scraped} {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows %q: …%s…", where, secret, text[max(0, at-200):min(len(text), at+200)])
			}
		}
	}
}

// TestDenied denies each operation that a source may call: first to an
// exporter that knows everything, then to one that knows nothing.
func TestDenied(t *testing.T) {
	twins := newTwins()
	for _, source := range awsapi.Sources() {
		for _, o := range needsOf(source) {
			denied := on(awssim.Error(403, "AccessDenied", "User: "+callerKeyID+" is not authorized to perform: "+o.Action()), o.Name)
			t.Run(string(source)+"/"+o.Name+"/later", func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := fault{hook: denied, stale: map[awsapi.Source][]inventory.Group{source: freezes(source, o.Name)}}
					if called := needs(source, o.Name); called {
						f.reasons = []inventory.Reason{inventory.ReasonDenied}
					} else {
						f.up = true
					}
					f.test(t, twins[source])
				})
			})
			t.Run(string(source)+"/"+o.Name+"/from the start", func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testDeniedFromStart(t, twins[source], denied) })
			})
		}
	}
}

func testDeniedFromStart(t *testing.T, twin *twin, denied func(*exporter) hook) {
	began := time.Now()
	world := town(t, began, awssim.Options{})
	world.SetFault(denied(nil))
	e := start(t, world, faultArgs(twin.source)...)
	time.Sleep(day)
	x, is := e.scrape(), twin.truth(t, began)
	between(t, "denied", nil, x, is)
	up, _ := x.value("aws_iam_account_up")
	if counted := failures(x, inventory.ReasonDenied); (up == 1) != (counted == 0) {
		t.Errorf("aws_iam_account_up is %v, while %v failures are counted", up, counted)
	}
	checkReady(e)
	e.lint()
	e.recover(twin, began)
}

// needs reports whether a source still has to call the operation once it knows
// everything about the town.
func needs(source awsapi.Source, operation string) bool {
	switch operation {
	case "GetCallerIdentity": // asked once
		return false
	case "ListAccountAliases": // tells no fact
		return false
	case "GetAccountSummary": // auto has a report
		return source == awsapi.SourceLive
	}
	return true
}

// freezes lists the groups that nothing but the operation keeps fresh.
func freezes(source awsapi.Source, operation string) []inventory.Group {
	switch {
	case operation == string(tagSource(source)):
		return []inventory.Group{inventory.GroupTags}
	case source == awsapi.SourceReport && needs(source, operation):
		return reported()
	case source == awsapi.SourceReport:
		return nil
	}
	groups := map[string][]inventory.Group{
		"ListUsers": {inventory.GroupUsers},
		// In auto too, some keys are in no report's slot.
		"ListAccessKeys":       {inventory.GroupKeys, inventory.GroupKeyUse},
		"GetAccessKeyLastUsed": {inventory.GroupKeyUse},
	}
	if source == awsapi.SourceAuto { // only a report has the status of root's key
		groups["GenerateCredentialReport"] = []inventory.Group{inventory.GroupRoot}
		groups["GetCredentialReport"] = []inventory.Group{inventory.GroupRoot}
	}
	if source == awsapi.SourceLive {
		groups["GetLoginProfile"] = []inventory.Group{inventory.GroupConsole}
		groups["ListMFADevices"] = []inventory.Group{inventory.GroupMFA}
		groups["GetAccountSummary"] = []inventory.Group{inventory.GroupRoot}
	}
	return groups[operation]
}
