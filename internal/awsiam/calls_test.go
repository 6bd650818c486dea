package awsiam

import (
	"context"
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
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

func TestPages(t *testing.T) {
	type answer struct {
		truncated bool
		marker    *string
		err       error // of taking it
	}
	failure := errors.New("no")
	for name, test := range map[string]struct {
		pages []answer
		fails int // the page, from 1, that cannot be had; 0 for none
		asked []string
		want  string // the error
	}{
		"one page":            {pages: []answer{{}}, asked: []string{""}},
		"marker at the end":   {pages: []answer{{marker: aws.String("m")}}, asked: []string{""}},
		"three pages":         {pages: []answer{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("2")}, {}}, asked: []string{"", "1", "2"}},
		"first page fails":    {pages: []answer{{}}, fails: 1, asked: []string{""}, want: "no"},
		"second page fails":   {pages: []answer{{truncated: true, marker: aws.String("1")}, {}}, fails: 2, asked: []string{"", "1"}, want: "no"},
		"page is not taken":   {pages: []answer{{err: failure}}, asked: []string{""}, want: "no"},
		"marker is missing":   {pages: []answer{{truncated: true}}, asked: []string{""}, want: "page 1 is truncated, but its marker is missing or came before: expected a new one"},
		"marker is empty":     {pages: []answer{{truncated: true, marker: aws.String("")}}, asked: []string{""}, want: "page 1 is truncated, but its marker is missing or came before: expected a new one"},
		"marker comes again":  {pages: []answer{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("1")}}, asked: []string{"", "1"}, want: "page 2 is truncated, but its marker is missing or came before: expected a new one"},
		"markers in a circle": {pages: []answer{{truncated: true, marker: aws.String("1")}, {truncated: true, marker: aws.String("2")}, {truncated: true, marker: aws.String("1")}}, asked: []string{"", "1", "2"}, want: "page 3 is truncated, but its marker is missing or came before: expected a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			err := pages(t.Context(), bounds{pages: 5, bytes: 1, pause: noPause}, func(_ context.Context, marker *string) (*answer, error) {
				asked = append(asked, aws.ToString(marker))
				if len(asked) == test.fails {
					return nil, failure
				}
				return &test.pages[len(asked)-1], nil
			}, func(a *answer) (page, error) { return page{truncated: a.truncated, marker: a.marker}, a.err })
			text := ""
			if err != nil {
				text = err.Error()
			}
			inventorytest.Equal(t, test.want, text)
			inventorytest.Equal(t, test.asked, asked)
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
	alice := fmt.Sprintf(userXML, "alice", "AIDAALICE", "alice", "1999-01-02T03:04:05Z")
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
		"no name":          {fault: listing(strings.Replace(alice, "<UserName>alice</UserName>", "", 1)), err: `user "" with id "AIDAALICE", created 1999-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no id":            {fault: listing(alice, strings.Replace(alice, "<UserId>AIDAALICE</UserId>", "", 1)), err: `user "alice" with id "", created 1999-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no creation":      {fault: listing(strings.Replace(alice, "<CreateDate>1999-01-02T03:04:05Z</CreateDate>", "", 1)), err: `user "alice" with id "AIDAALICE", created 0001-01-01T00:00:00Z: expected name, id and creation date` + malformed},
		"endless":          {fault: awssim.RepeatMarker(), err: "page 2 is truncated, but its marker is missing or came before: expected a new one" + malformed},
		"marker missing":   {fault: xmlAnswer("ListUsers", "<IsTruncated>true</IsTruncated><Users/>"), err: "page 1 is truncated, but its marker is missing or came before: expected a new one" + malformed},
		"served by nobody": {fault: awssim.Raw(200, "text/xml", "<html><body>hello</body></html>"), err: "the answer is not what IAM sends (HTTP 200, request ID)" + malformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(string, int) http.HandlerFunc { return test.fault })
				users, _, _, err := readerOf(world).Users(t.Context())
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
				inventorytest.Equal(t, test.want, names)
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
	inventorytest.Equal(t, want, text)
}

func TestListKeys(t *testing.T) {
	const keyXML = `<member><UserName>alice</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate></member>`
	keysAnswer := func(members ...string) http.HandlerFunc {
		return xmlAnswer("ListAccessKeys", "<AccessKeyMetadata>"+strings.Join(members, "")+"</AccessKeyMetadata><IsTruncated>false</IsTruncated>")
	}
	const malformed = "; check that nothing between here and AWS changes answers"
	a := fmt.Sprintf(keyXML, "AKIAA", "Active", "1999-06-01T12:00:00Z")
	b := fmt.Sprintf(keyXML, "AKIAB", "Inactive", "1999-05-31T12:00:00Z")
	c := fmt.Sprintf(keyXML, "AKIAC", "Expired", "1999-06-01T12:00:00.9Z")
	expired := inventory.AccessKey{ID: "AKIAC", Status: inventory.Expired, Created: epoch}
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		want  []inventory.AccessKey
		err   string // after "call iam:ListAccessKeys for user alice: "
	}{
		"none":             {fault: keysAnswer()},
		"by creation, id":  {fault: keysAnswer(c, a, b), want: []inventory.AccessKey{{ID: "AKIAB", Status: inventory.Inactive, Created: epoch.Add(-day)}, key("AKIAA", epoch), expired}},
		"repeated":         {fault: keysAnswer(a, a), want: []inventory.AccessKey{key("AKIAA", epoch)}},
		"unknown status":   {fault: keysAnswer(fmt.Sprintf(keyXML, "AKIAA", "Sleeping", "1999-06-01T12:00:00Z")), err: `a key with status "", created 1999-06-01T12:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"no creation date": {fault: keysAnswer(b, strings.Replace(a, "<CreateDate>1999-06-01T12:00:00Z</CreateDate>", "", 1)), err: `a key with status "active", created 0001-01-01T00:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"no id":            {fault: keysAnswer(strings.Replace(a, "<AccessKeyId>AKIAA</AccessKeyId>", "", 1)), err: `a key with status "active", created 1999-06-01T12:00:00Z: expected id, creation date, and status Active, Inactive or Expired` + malformed},
		"empty body":       {fault: awssim.Raw(200, "text/xml", ""), err: "the answer has no AccessKeyMetadata: expected one, be it empty" + malformed},
		"endless":          {fault: awssim.RepeatMarker(), err: "page 2 is truncated, but its marker is missing or came before: expected a new one" + malformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(string, int) http.HandlerFunc { return test.fault })
				keys, err := readerOf(world).Keys(t.Context(), "alice")
				if test.err != "" {
					mustFail(t, "call iam:ListAccessKeys for user alice: "+test.err, err)
					inventorytest.Equal(t, inventory.Fact[[]inventory.AccessKey]{}, keys)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				inventorytest.Equal(t, inventory.Observe(test.want, inventory.Truncate(time.Now())), keys)
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
		c, ctx := readerOf(world), t.Context()
		one, all := taggedReaderOf(world, awsapi.TagsFromListUserTags), taggedReaderOf(world, awsapi.TagsFromAuthorizationDetails)
		for name, ask := range map[string]func() (any, error){
			"AccessKeyLastUsed": func() (any, error) { f, err := c.KeyUse(ctx, "alice", "AKIAA"); return f.Known(), err },
			"LoginProfile":      func() (any, error) { p, err := c.Password(ctx, "alice"); return p.Console.Known(), err },
			"MFADevices":        func() (any, error) { f, err := c.MFA(ctx, "alice"); return f.Known(), err },
			"SummaryMap":        func() (any, error) { r, err := c.Root(ctx); return r.KeyPresent.Known(), err },
			"Tags":              func() (any, error) { f, err := one.Tags(ctx, "alice"); return f.Known(), err },
			"UserDetailList":    func() (any, error) { users, _, err := all.AllTags(ctx); return len(users) > 0, err },
			"account":           func() (any, error) { a, err := c.Account(ctx); return a.ID != "", err },
			"report":            func() (any, error) { r, err := c.Report(ctx); return r != nil, err },
		} {
			known, err := ask()
			if known != false || awsapi.ReasonOf(err) != inventory.ReasonMalformed {
				t.Errorf("%s: got known %v, error %v; want an error that calls the answer malformed", name, known, err)
			}
		}
	})
}

// TestHalfASummaryTellsNothing has GetAccountSummary leave out what is needed.
func TestHalfASummaryTellsNothing(t *testing.T) {
	const whole = "<entry><key>AccountAccessKeysPresent</key><value>1</value></entry><entry><key>AccountMFAEnabled</key><value>0</value></entry>"
	first, last, _ := strings.Cut(whole, "</entry>")
	for name, test := range map[string]struct {
		entries string
		known   bool
	}{"nothing": {"", false}, "no device": {first + "</entry>", false}, "no keys": {last, false}, "all but the password": {whole, true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awssim.Options{}, func(h *harness) {
				h.world.SetFault(func(string, int) http.HandlerFunc {
					return awssim.Raw(200, "text/xml", "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>"+test.entries+"</SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>")
				})
				root, err := readerOf(h.world).Root(h.Context())
				if failed := awsapi.ReasonOf(err) == inventory.ReasonMalformed; failed == test.known || root.KeyPresent.Known() != test.known || root.MFA.Known() != test.known {
					t.Errorf("got %+v, error %v; want facts %t, or an error that calls the answer malformed", root, err, test.known)
				}
			})
		})
	}
}

// TestFactsAreAsOldAsTheAnswer has AWS's clock go a little ahead of ours.
func TestFactsAreAsOldAsTheAnswer(t *testing.T) {
	ahead := func() time.Time { return time.Now().Add(50 * time.Second) }
	inBubble(t, awssim.Options{Now: ahead, MaxPage: 1}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.password("alice")
		id := h.key("alice")
		c, ctx, want := readerOf(h.world), h.Context(), inventory.Truncate(ahead())
		users, _, listed, err := c.Users(ctx)
		h.ok(err)
		keys, err := c.Keys(ctx, "alice")
		h.ok(err)
		used, err := c.KeyUse(ctx, "alice", id)
		h.ok(err)
		with, err := c.Password(ctx, "alice")
		h.ok(err)
		without, err := c.Password(ctx, "bob") // the date of an error
		h.ok(err)
		mfa, err := c.MFA(ctx, "alice")
		h.ok(err)
		root, err := c.Root(ctx)
		h.ok(err)
		for name, got := range map[string]time.Time{
			"users": listed, "last sign-in": users[1].PasswordUse.Observed(), "keys": keys.Observed(), "key use": used.Observed(),
			"password": with.Console.Observed(), "no password": without.Console.Observed(), "password creation": with.Created.Observed(),
			"MFA": mfa.Observed(), "root": root.KeyPresent.Observed(),
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
		_, _, got, err := readerOf(world).Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		inventorytest.Equal(t, inventory.Truncate(time.Now()), got)
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
			inBubble(t, awssim.Options{}, func(h *harness) {
				h.user("alice")
				id := h.key("alice")
				if !test.use.At.IsZero() {
					h.ok(h.world.UseKey(id, test.use))
				}
				got, err := readerOf(h.world).KeyUse(h.Context(), "alice", id)
				h.ok(err)
				inventorytest.Equal(h.T, inventory.Observe(test.want, inventory.Truncate(time.Now())), got)
			})
		})
	}
}

func TestAlias(t *testing.T) {
	const malformed = "; check that nothing between here and AWS changes answers"
	answer := func(names ...string) http.HandlerFunc {
		members := ""
		for _, name := range names {
			members += "<member>" + name + "</member>"
		}
		return xmlAnswer("ListAccountAliases", "<IsTruncated>false</IsTruncated><AccountAliases>"+members+"</AccountAliases>")
	}
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		want  string
		err   string // after "call iam:ListAccountAliases for the account: "
	}{
		"none":            {fault: answer()},
		"one":             {fault: answer("blue-team-2"), want: "blue-team-2"},
		"the shortest":    {fault: answer("abc"), want: "abc"},
		"the longest":     {fault: answer(strings.Repeat("a", 63)), want: strings.Repeat("a", 63)},
		"too short":       {fault: answer("ab")},
		"too long":        {fault: answer(strings.Repeat("a", 64))},
		"capitals":        {fault: answer("Blue")},
		"other letters":   {fault: answer("größe")},
		"a line's end":    {fault: answer("blue&#10;team")},
		"the same twice":  {fault: answer("blue", "blue"), err: "the account has 2 aliases or more: expected one at most" + malformed},
		"more to come":    {fault: xmlAnswer("ListAccountAliases", "<IsTruncated>true</IsTruncated><Marker>m</Marker><AccountAliases/>"), err: "the account has 0 aliases or more: expected one at most" + malformed},
		"no list":         {fault: xmlAnswer("ListAccountAliases", "<IsTruncated>false</IsTruncated>"), err: "the answer has no AccountAliases: expected one, be it empty" + malformed},
		"an empty answer": {fault: awssim.Raw(200, "text/xml", ""), err: "the answer has no AccountAliases: expected one, be it empty" + malformed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awssim.Options{}, func(h *harness) {
				h.world.SetFault(func(string, int) http.HandlerFunc { return test.fault })
				got, err := readerOf(h.world).Alias(h.Context())
				if test.err != "" {
					mustFail(h.T, "call iam:ListAccountAliases for the account: "+test.err, err)
					return
				}
				h.ok(err)
				inventorytest.Equal(h.T, test.want, got)
			})
		})
	}
}

func TestWhenAReportWasMade(t *testing.T) {
	now := epoch
	for name, test := range map[string]struct {
		told, served, date time.Time
		made               time.Time
		age                time.Duration
	}{
		"clocks agree":             {now.Add(-time.Hour), now, now, now.Add(-time.Hour), time.Hour},
		"made at once":             {now, now, now, now, 0},
		"our clock is slow":        {now.Add(4 * time.Hour), now, now.Add(5 * time.Hour), now.Add(-time.Hour), time.Hour},
		"our clock is fast":        {now.Add(-6 * time.Hour), now, now.Add(-5 * time.Hour), now.Add(-6 * time.Hour), time.Hour},
		"said to be of next year":  {now.Add(365 * day), now, now, now, 0},
		"said to be of a year ago": {now.Add(-365 * day), now, now, now.Add(-365 * day), 365 * day},
		"no date":                  {now.Add(-time.Hour), now, time.Time{}, now.Add(-time.Hour), time.Hour},
	} {
		if made, age := generated(test.told, test.served, test.date); !made.Equal(test.made) || age != test.age {
			t.Errorf("%s: got %s, %s old; want %s, %s old", name, made, age, test.made, test.age)
		}
	}
}
