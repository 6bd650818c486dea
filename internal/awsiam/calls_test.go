package awsiam

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

func TestPages(t *testing.T) {
	type page struct {
		truncated bool
		marker    *string
		err       error // of taking it
	}
	failure := errors.New("no")
	for name, test := range map[string]struct {
		pages []page
		fails int // the page, from 1, that cannot be had; 0 for none
		asked []string
		want  string // the error
	}{
		"one page":            {pages: []page{{}}, asked: []string{""}},
		"marker at the end":   {pages: []page{{marker: aws.String("m")}}, asked: []string{""}},
		"three pages":         {pages: []page{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("2")}, {}}, asked: []string{"", "1", "2"}},
		"first page fails":    {pages: []page{{}}, fails: 1, asked: []string{""}, want: "no"},
		"second page fails":   {pages: []page{{truncated: true, marker: aws.String("1")}, {}}, fails: 2, asked: []string{"", "1"}, want: "no"},
		"page is not taken":   {pages: []page{{err: failure}}, asked: []string{""}, want: "no"},
		"marker is missing":   {pages: []page{{truncated: true}}, asked: []string{""}, want: "page 1 is truncated, but its marker is missing or came before: expected a new one"},
		"marker is empty":     {pages: []page{{truncated: true, marker: aws.String("")}}, asked: []string{""}, want: "page 1 is truncated, but its marker is missing or came before: expected a new one"},
		"marker comes again":  {pages: []page{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("1")}}, asked: []string{"", "1"}, want: "page 2 is truncated, but its marker is missing or came before: expected a new one"},
		"markers in a circle": {pages: []page{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("2")}, {truncated: true, marker: aws.String("1")}}, asked: []string{"", "1", "2"}, want: "page 3 is truncated, but its marker is missing or came before: expected a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			err := pages(func(marker *string) (*page, error) {
				asked = append(asked, aws.ToString(marker))
				if len(asked) == test.fails {
					return nil, failure
				}
				return &test.pages[len(asked)-1], nil
			}, func(p *page) (bool, *string, error) { return p.truncated, p.marker, p.err })
			text := ""
			if err != nil {
				text = err.Error()
			}
			mustEqual(t, test.want, text)
			mustEqual(t, test.asked, asked)
		})
	}
}

const userXML = `<member><Path>/</Path><UserName>%s</UserName><UserId>%s</UserId><Arn>arn:aws:iam::123456789012:user/%s</Arn><CreateDate>%s</CreateDate></member>`

// listing is ListUsers' answer with the members.
func listing(members ...string) http.HandlerFunc {
	return xmlAnswer("ListUsers", "<IsTruncated>false</IsTruncated><Users>"+strings.Join(members, "")+"</Users>")
}

func xmlAnswer(operation, inner string) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "text/xml", fmt.Sprintf("<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, inner))
}

func TestListUsers(t *testing.T) {
	alice := fmt.Sprintf(userXML, "alice", "AIDAALICE", "alice", "2026-01-02T03:04:05Z")
	const malformed = "; check that nothing between here and AWS changes answers"
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		want  []string // names
		err   string   // after "call iam:ListUsers for the account: "
	}{
		"nobody":           {fault: listing()},
		"one":              {fault: listing(alice), want: []string{"alice"}},
		"empty body":       {fault: awssim.Raw(200, "text/xml", ""), err: "the answer has no Users: expected one, be it empty" + malformed},
		"plain text":       {fault: awssim.Raw(200, "text/plain", "hello"), err: "the answer has no Users: expected one, be it empty" + malformed},
		"no list":          {fault: xmlAnswer("ListUsers", "<IsTruncated>false</IsTruncated>"), err: "the answer has no Users: expected one, be it empty" + malformed},
		"no name":          {fault: listing(strings.Replace(alice, "<UserName>alice</UserName>", "", 1)), err: `user "" with id "AIDAALICE", created 2026-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no id":            {fault: listing(alice, strings.Replace(alice, "<UserId>AIDAALICE</UserId>", "", 1)), err: `user "alice" with id "", created 2026-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no creation":      {fault: listing(strings.Replace(alice, "<CreateDate>2026-01-02T03:04:05Z</CreateDate>", "", 1)), err: `user "alice" with id "AIDAALICE", created 0001-01-01T00:00:00Z: expected name, id and creation date` + malformed},
		"endless":          {fault: awssim.RepeatMarker(), err: "page 2 is truncated, but its marker is missing or came before: expected a new one" + malformed},
		"marker missing":   {fault: xmlAnswer("ListUsers", "<IsTruncated>true</IsTruncated><Users/>"), err: "page 1 is truncated, but its marker is missing or came before: expected a new one" + malformed},
		"served by nobody": {fault: awssim.Raw(200, "text/xml", "<html><body>hello</body></html>"), err: "the answer is not what IAM sends (HTTP 200, request ID)" + malformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(string, int) http.HandlerFunc { return test.fault })
				users, _, err := callsOf(world).listUsers(t.Context())
				if test.err != "" {
					mustFail(t, "call iam:ListUsers for the account: "+test.err, err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, u := range users {
					names = append(names, u.Name)
				}
				mustEqual(t, test.want, names)
			})
		})
	}
}

func mustFail(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("error: got none, want %s", want)
	}
	text := err.Error()
	if before, rest, found := strings.Cut(text, "request "); found {
		_, after, _ := strings.Cut(rest, ")")
		text = before + "request ID)" + after
	}
	mustEqual(t, want, text)
}

func TestListKeys(t *testing.T) {
	const keyXML = `<member><UserName>alice</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate></member>`
	keysAnswer := func(members ...string) http.HandlerFunc {
		return xmlAnswer("ListAccessKeys", "<AccessKeyMetadata>"+strings.Join(members, "")+"</AccessKeyMetadata><IsTruncated>false</IsTruncated>")
	}
	const malformed = "; check that nothing between here and AWS changes answers"
	a := fmt.Sprintf(keyXML, "AKIAA", "Active", "2026-06-01T12:00:00Z")
	b := fmt.Sprintf(keyXML, "AKIAB", "Inactive", "2026-05-31T12:00:00Z")
	c := fmt.Sprintf(keyXML, "AKIAC", "Expired", "2026-06-01T12:00:00.9Z")
	expired := inventory.AccessKey{ID: "AKIAC", Status: inventory.Expired, Created: epoch}
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		want  []inventory.AccessKey
		err   string // after "call iam:ListAccessKeys for user alice: "
	}{
		"none":             {fault: keysAnswer()},
		"by creation, id":  {fault: keysAnswer(c, a, b), want: []inventory.AccessKey{{ID: "AKIAB", Status: inventory.Inactive, Created: epoch.Add(-day)}, key("AKIAA", epoch), expired}},
		"repeated":         {fault: keysAnswer(a, a), want: []inventory.AccessKey{key("AKIAA", epoch)}},
		"unknown status":   {fault: keysAnswer(fmt.Sprintf(keyXML, "AKIAA", "Sleeping", "2026-06-01T12:00:00Z")), err: `a key with status "", created 2026-06-01T12:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"no creation date": {fault: keysAnswer(b, strings.Replace(a, "<CreateDate>2026-06-01T12:00:00Z</CreateDate>", "", 1)), err: `a key with status "active", created 0001-01-01T00:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"no id":            {fault: keysAnswer(strings.Replace(a, "<AccessKeyId>AKIAA</AccessKeyId>", "", 1)), err: `a key with status "active", created 2026-06-01T12:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"empty body":       {fault: awssim.Raw(200, "text/xml", ""), err: "the answer has no AccessKeyMetadata: expected one, be it empty" + malformed},
		"endless":          {fault: awssim.RepeatMarker(), err: "page 2 is truncated, but its marker is missing or came before: expected a new one" + malformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(string, int) http.HandlerFunc { return test.fault })
				keys, err := callsOf(world).listKeys(t.Context(), "alice")
				if test.err != "" {
					mustFail(t, "call iam:ListAccessKeys for user alice: "+test.err, err)
					mustEqual(t, inventory.Fact[[]inventory.AccessKey]{}, keys)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, inventory.Observe(test.want, whole(time.Now())), keys)
			})
		})
	}
}

// TestEmptyAnswersTellNothing holds what the SDK takes for an empty answer to
// be an error rather than "no", "never" or "none".
func TestEmptyAnswersTellNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Raw(200, "text/xml", "") })
		c, ctx := callsOf(world), t.Context()
		one, all := taggedCallsOf(world, awsapi.TagsFromListUserTags), taggedCallsOf(world, awsapi.TagsFromAuthorizationDetails)
		for name, ask := range map[string]func() (any, error){
			"AccessKeyLastUsed": func() (any, error) { f, err := c.keyUse(ctx, "alice", "AKIAA"); return f.Known(), err },
			"LoginProfile":      func() (any, error) { p, err := c.password(ctx, "alice"); return p.console.Known(), err },
			"MFADevices":        func() (any, error) { f, err := c.mfa(ctx, "alice"); return f.Known(), err },
			"SummaryMap":        func() (any, error) { r, err := c.rootSummary(ctx); return r.KeyPresent.Known(), err },
			"Tags":              func() (any, error) { f, err := one.listTags(ctx, "alice"); return f.Known(), err },
			"UserDetailList":    func() (any, error) { users, err := all.allTags(ctx); return len(users) > 0, err },
			"account":           func() (any, error) { a, _, err := c.account(ctx); return a.ID != "", err },
			"report":            func() (any, error) { r, err := c.report(ctx, time.Time{}); return r != nil, err },
		} {
			known, err := ask()
			if known != false || awsapi.ReasonOf(err) != inventory.ReasonMalformed {
				t.Errorf("%s: got known %v, error %v; want an error that calls the answer malformed", name, known, err)
			}
		}
	})
}

// TestFactsAreAsOldAsTheAnswer has AWS's clock go two hours ahead of ours.
func TestFactsAreAsOldAsTheAnswer(t *testing.T) {
	ahead := func() time.Time { return time.Now().Add(2 * time.Hour) }
	inBubble(t, awsapi.SourceAuto, awssim.Options{Now: ahead, MaxPage: 1}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.password("alice")
		id := h.key("alice")
		c, ctx, want := callsOf(h.world), h.Context(), whole(ahead())
		users, listed, err := c.listUsers(ctx)
		h.ok(err)
		keys, err := c.listKeys(ctx, "alice")
		h.ok(err)
		used, err := c.keyUse(ctx, "alice", id)
		h.ok(err)
		with, err := c.password(ctx, "alice")
		h.ok(err)
		without, err := c.password(ctx, "bob") // the date of an error
		h.ok(err)
		mfa, err := c.mfa(ctx, "alice")
		h.ok(err)
		root, err := c.rootSummary(ctx)
		h.ok(err)
		_, asked, err := c.account(ctx)
		h.ok(err)
		for name, got := range map[string]time.Time{
			"users": listed, "last sign-in": users[1].PasswordUse.Observed(), "keys": keys.Observed(), "key use": used.Observed(),
			"password": with.console.Observed(), "no password": without.console.Observed(), "password creation": with.created.Observed(),
			"MFA": mfa.Observed(), "root": root.KeyPresent.Observed(), "account": asked,
		} {
			if !got.Equal(want) {
				h.Errorf("%s: observed %s, want AWS's time %s", name, got, want)
			}
		}
	})
}

func TestAnswersWithoutDateAreAsOldAsOurClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
		world.SetFault(func(string, int) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Del("Date")
				listing()(w, r)
			}
		})
		_, got, err := callsOf(world).listUsers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, whole(time.Now()), got)
	})
}

func TestKeyUse(t *testing.T) {
	for name, test := range map[string]struct {
		use  awssim.Use
		want inventory.Use
	}{
		"never":           {},
		"somewhere":       {awssim.Use{At: epoch, Service: "s3", Region: "eu-west-1"}, inventory.Use{At: epoch, Service: "s3", Region: "eu-west-1"}},
		"no region":       {awssim.Use{At: epoch, Service: "iam"}, inventory.Use{At: epoch, Service: "iam"}},
		"within a second": {awssim.Use{At: epoch.Add(999 * time.Millisecond)}, inventory.Use{At: epoch}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
				h.user("alice")
				id := h.key("alice")
				if !test.use.At.IsZero() {
					h.ok(h.world.UseKey(id, test.use))
				}
				got, err := callsOf(h.world).keyUse(h.Context(), "alice", id)
				h.ok(err)
				mustEqual(h.T, inventory.Observe(test.want, whole(time.Now())), got)
			})
		})
	}
}

func TestReportInTheMaking(t *testing.T) {
	for name, test := range map[string]struct {
		delay time.Duration
		took  time.Duration
		calls int
		err   string
	}{
		"made at once":  {0, 3 * time.Second, 1, ""},
		"small account": {2 * time.Second, 3 * time.Second, 1, ""},
		"large account": {20 * time.Second, 28 * time.Second, 2, ""},
		"not in time":   {time.Hour, 28 * time.Second, 2, "call iam:GetCredentialReport for the account: AWS is still making the credential report; AWS makes a report at most every four hours; the exporter asks again"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{ReportDelay: test.delay}, func(h *harness) {
				began := time.Now()
				r, err := callsOf(h.world).report(h.Context(), time.Time{})
				if took := time.Since(began); took != test.took {
					h.Errorf("took %s, want %s", took, test.took)
				}
				if got := h.world.Calls()["GetCredentialReport"]; got != test.calls {
					h.Errorf("GetCredentialReport: got %d calls, want %d", got, test.calls)
				}
				if test.err != "" {
					mustFail(h.T, test.err, err)
					return
				}
				h.ok(err)
				mustEqual(h.T, whole(began), r.generated)
			})
		})
	}
}
