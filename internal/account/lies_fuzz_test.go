package account

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// idOfBob stands for bob's id in the body of a lie.
const idOfBob = "AIDABOB"

// lie is what AWS answers to one operation instead of the truth.
type lie struct {
	operation    string
	needs        awsapi.Needs
	status       int
	date         string // of the answer; empty for the true one
	body         string
	part         bool // body only takes alice's place in an answer about everybody
	fromTheStart bool
}

// lieOf reads a lie from what the fuzzer makes up. The bits of how are two for
// the source and its tags, and one each for part and from the start.
func lieOf(operation, status int, how uint8, date, body string) (lie, bool) {
	needs := []awsapi.Needs{
		{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails},
		{Source: awsapi.SourceLive, Tags: awsapi.TagsFromListUserTags},
		{Source: awsapi.SourceReport, Tags: awsapi.TagsFromAuthorizationDetails},
		{Source: awsapi.SourceReport, Tags: awsapi.TagsFromListUserTags},
	}
	operations := awssim.Operations()
	if status < 200 || status > 599 || operation < 0 {
		return lie{}, false
	}
	return lie{
		operation: operations[operation%len(operations)], needs: needs[how&3],
		status: status, date: date, body: body, part: how&4 != 0, fromTheStart: how&8 != 0,
	}, true
}

// aboutEverybody reports whether the operation tells of all users at once.
func (l *lie) aboutEverybody() bool {
	return slices.Contains([]string{"ListUsers", "GetAccountAuthorizationDetails", "GetCredentialReport"}, l.operation)
}

// sparesOthers reports whether the lie is about nobody but alice. Who is told
// truly as well is not lied about under another name: that is no telling at all.
func (l *lie) sparesOthers() bool {
	if !l.aboutEverybody() {
		return true
	}
	if !l.part {
		return false
	}
	text := l.body
	if l.operation != "GetCredentialReport" {
		inner, balanced := textOf(l.body)
		if !balanced {
			return false // it may end the list early
		}
		text = inner
	}
	text = strings.ToLower(text)
	return !strings.Contains(text, "bob") && !strings.Contains(text, "carol")
}

// textOf returns the text in a piece of XML, and whether it is whole.
func textOf(piece string) (text string, whole bool) {
	decoder := xml.NewDecoder(strings.NewReader("<piece>" + piece + "</piece>"))
	depth, ended := 0, false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return text, ended
		}
		if err != nil || ended {
			return "", false
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
			ended = depth == 0
		case xml.CharData:
			text += string(token)
		}
	}
}

// tell answers in the world's stead, if the lie is about what is asked.
func (l *lie) tell(world *awssim.World, keys []string) func(string, int) http.HandlerFunc {
	answer := awssim.Raw(l.status, "text/xml", l.body)
	if l.part && l.aboutEverybody() {
		answer = world.Lie(l.inPart)
	}
	return func(operation string, _ int) http.HandlerFunc {
		if operation != l.operation {
			return nil
		}
		return func(rw http.ResponseWriter, r *http.Request) {
			about := r.Form.Get("UserName")
			if about != "" && about != "alice" || r.Form.Has("AccessKeyId") && !slices.Contains(keys, r.Form.Get("AccessKeyId")) {
				world.Lie(func(_ url.Values, truth string) string { return truth })(rw, r)
				return
			}
			if l.date != "" {
				rw.Header().Set("Date", l.date)
			}
			answer(rw, r)
		}
	}
}

// inPart puts the body in the place of what is told of alice.
func (l *lie) inPart(asked url.Values, answer string) string {
	if l.operation != "GetCredentialReport" {
		return awssim.Members(func(members []string) []string {
			for i := range members {
				if awssim.TextOf(members[i], "UserName") == "alice" {
					members[i] = l.body
				}
			}
			return members
		})(asked, answer)
	}
	report, err := base64.StdEncoding.DecodeString(awssim.TextOf(answer, "Content"))
	if err != nil {
		panic(err) // the simulator's own answer
	}
	rows := strings.Split(string(report), "\n")
	for i := range rows {
		if strings.HasPrefix(rows[i], "alice,") {
			rows[i] = l.body
		}
	}
	return awssim.Element(answer, "Content", base64.StdEncoding.EncodeToString([]byte(strings.Join(rows, "\n"))))
}

// sinners fills the world with users who violate every rule; alice comes first.
// Nobody's verdict changes within a day.
func sinners(h *harness) {
	for _, name := range []string{"alice", "bob", "carol"} {
		h.user(name)
		h.password(name)
		h.keyOf(name, time.Now().Add(-100*day))
		second := h.keyOf(name, time.Now().Add(-50*day))
		h.ok(h.world.UseKey(second, awssim.Use{At: time.Now().Add(-30 * day), Service: "s3"}))
		h.tag(name, "team", name)
		h.tag(name, second, "the second")
	}
	h.tag("carol", "exempt", "key_unused until 2100-12-31 agreed")
	h.keyOf(awssim.Root, time.Now().Add(-60*day))
}

func strictPolicy() *policy.Policy {
	p := policy.WithLimits(policy.DefaultLimits())
	p.Classes = []policy.Class{{
		Name: "short", Limits: policy.Limits{MaxKeyAge: day, MaxKeyIdle: day, SetupWindow: 60 * day},
		Match: policy.Match{Tags: []policy.TagMatch{{Key: "team", Value: policy.Glob("bob")}}},
	}}
	p.OwnerTags, p.UserTags, p.KeyDescriptions, p.ExemptionTag = []string{"team"}, []string{"team"}, true, "exempt"
	return p
}

// judge gathers, in every way, what would be served of the snapshot, and returns
// the findings about everybody but alice and root.
func judge(t *testing.T, s *inventory.Snapshot) []policy.Finding {
	t.Helper()
	checkSound(t, s)
	v := view.Of(strictPolicy(), view.Reload{}, map[string]*inventory.Snapshot{"": s}, time.Now())
	for _, ids := range []view.KeyIDFormat{view.KeyIDFull, view.KeyIDSuffix} {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(collector.New(
			collector.Options{Now: time.Now, AccessKeyIDs: ids, KeyAge: true, Users: true},
			collector.Source{View: func() *view.View { return v }, API: func() []inventory.Calls { return nil }},
		))
		if _, err := registry.Gather(); err != nil {
			t.Errorf("gather: %v", err)
		}
	}
	var others []policy.Finding
	for _, f := range v.Accounts()[0].Findings {
		if f.UserName == "bob" || f.UserName == "carol" {
			others = append(others, f)
		}
	}
	return others
}

// FuzzLies has AWS answer one operation with anything at all, whole or in the
// place of what is so of alice, under any date. Whatever it is, /metrics gathers,
// and no finding changes about those of whom AWS tells the truth.
func FuzzLies(f *testing.F) {
	operations := awssim.Operations()
	for i, operation := range operations {
		truth := realAnswer(f, operation)
		for _, how := range hows(i, 8) {
			f.Add(i, http.StatusOK, how, "", truth)
		}
		for _, date := range []string{"Thu, 01 Jan 2999 00:00:00 GMT", "Fri, 01 Jan 1960 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "soon"} {
			f.Add(i, http.StatusOK, uint8(i), date, truth)
		}
		f.Add(i, http.StatusBadRequest, uint8(i), "", "<ErrorResponse><Error><Code>Odd</Code></Error></ErrorResponse>")
		for _, body := range knownLies(operation) {
			for _, how := range hows(i, 12) {
				f.Add(i, http.StatusOK, how, "", body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, operation, status int, how uint8, date, body string) {
		l, possible := lieOf(operation, status, how, date, body)
		if !possible {
			return
		}
		inBubble(t, l.needs.Source, awssim.Options{KeysPerUser: 3}, func(h *harness) {
			h.client.SetTags(l.needs.Tags)
			sinners(h)
			was := judge(t, h.refresh())
			if len(was) < 12 {
				t.Fatalf("only these findings: %v", was)
			}
			alice, _ := h.world.User("alice")
			bob, _ := h.world.User("bob")
			l.body = strings.ReplaceAll(l.body, idOfBob, bob.ID)
			spares := l.sparesOthers()
			if l.fromTheStart {
				h.begin(l.needs.Source, 1e6, 1e6)
				h.client.SetTags(l.needs.Tags)
			}
			h.world.SetFault(l.tell(h.world, []string{alice.Keys[0].ID, alice.Keys[1].ID}))
			for _, pause := range []time.Duration{0, 5 * time.Hour, 0} { // the report is renewed too
				time.Sleep(pause)
				is := judge(t, h.refresh())
				if l.fromTheStart { // what is unknown accuses nobody
					is = append(is, slices.DeleteFunc(slices.Clone(was), func(f policy.Finding) bool { return slices.Contains(is, f) })...)
					slices.SortFunc(is, func(a, b policy.Finding) int { return slices.Index(was, a) - slices.Index(was, b) })
				}
				if diff := cmp.Diff(was, is); spares && diff != "" {
					t.Errorf("findings about whom AWS tells the truth (-before +now):\n%s", diff)
				}
			}
		})
	})
}

// hows returns the first ways of lying about the operation, but for those in which
// nobody asks, and for copies of others. One will do for the fuzzer, which finds the
// others by itself and has little time.
func hows(operation int, first uint8) []uint8 {
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		return []uint8{0}
	}
	var ways []uint8
	for how := range first {
		l, _ := lieOf(operation, http.StatusOK, how, "", "")
		asked := slices.ContainsFunc(awsapi.OperationsFor(l.needs), func(o awsapi.Operation) bool { return o.Name == l.operation })
		if asked && (!l.part || l.aboutEverybody()) {
			ways = append(ways, how)
		}
	}
	return ways
}

// knownLies are answers that were once believed, or cost more than they should.
func knownLies(operation string) []string {
	const (
		user   = `<member><Path>/</Path><UserName>%s</UserName><UserId>%s</UserId><Arn>arn:aws:iam::123456789012:user/%[1]s</Arn><CreateDate>%s</CreateDate></member>`
		key    = `<member><UserName>alice</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate></member>`
		row    = "%s,arn:aws:iam::123456789012:user/%[1]s,2026-01-02T03:04:05Z,%s,N/A,N/A,N/A,%s,%s,%s,%s,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
		latest = "2999-01-01T00:00:00Z"
	)
	long := strings.Repeat("x", 5000)
	answer := func(inner ...string) string {
		return fmt.Sprintf("<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", operation, strings.Join(inner, ""))
	}
	keys := func(members ...string) string {
		return answer("<AccessKeyMetadata>", strings.Join(members, ""), "</AccessKeyMetadata>")
	}
	a := fmt.Sprintf(key, "AKIAA", "Active", "2024-01-01T00:00:00Z")
	b := fmt.Sprintf(key, "AKIAB", "Active", "2024-02-01T00:00:00Z")
	switch operation {
	case "ListAccessKeys":
		return []string{
			keys(a, b, fmt.Sprintf(key, "AKIAA", "Active", "2024-03-01T00:00:00Z")),
			keys(fmt.Sprintf(key, long, "Active", "2024-03-01T00:00:00Z")),
			keys(a, fmt.Sprintf(key, "AKIAA", "Inactive", "2024-01-01T00:00:00Z")),
			keys(fmt.Sprintf(key, "AKIAA", "Active", latest), fmt.Sprintf(key, "AKIAB", "Active", "0001-01-01T00:00:00Z")),
			keys(a, b, fmt.Sprintf(key, "A", "Expired", "1971-01-01T00:00:00Z"), fmt.Sprintf(key, "\\xff", "Active", "9999-12-31T23:59:59Z")),
		}
	case "GetAccessKeyLastUsed":
		var lies []string
		for _, date := range []string{latest, "1960-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z"} {
			lies = append(lies, answer("<AccessKeyLastUsed><LastUsedDate>"+date+"</LastUsedDate><ServiceName>s3</ServiceName></AccessKeyLastUsed>"))
		}
		return lies
	case "GetLoginProfile":
		return []string{answer("<LoginProfile><CreateDate>" + latest + "</CreateDate></LoginProfile>"), answer("<LoginProfile><CreateDate>0001-01-01T00:00:00Z</CreateDate></LoginProfile>")}
	case "ListUsers", "GetAccountAuthorizationDetails":
		return []string{
			fmt.Sprintf(user, "alice", "AIDAX", latest),
			fmt.Sprintf(user, "alice", "AIDAX", "2026-01-02T03:04:05Z") + fmt.Sprintf(user, "mallory", "AIDAX", "2026-01-02T03:04:05Z"),
			fmt.Sprintf(user, "mallory", idOfBob, "2026-01-02T03:04:05Z"),
			fmt.Sprintf(user, long, "AIDAX", "2026-01-02T03:04:05Z"), fmt.Sprintf(user, "alice", long, "2026-01-02T03:04:05Z"),
			strings.Repeat(fmt.Sprintf(user, "alice", "", "2026-01-02T03:04:05Z"), 1000),
			"</Users><Users>", "",
		}
	case "GetCallerIdentity":
		return []string{
			answer("<Account>12345</Account><Arn>arn:aws:iam::12345:root</Arn>"),
			answer("<Account>&lt;script&gt;</Account><Arn>arn:aws:iam::&lt;script&gt;:root</Arn>"),
			answer("<Account>999999999999</Account><Arn>arn:aws:iam::999999999999:root</Arn>"),
		}
	case "GetCredentialReport":
		return []string{
			fmt.Sprintf(row, "alice", "true", "false", "not_supported", "no_information", "N/A"),
			fmt.Sprintf(row, "alice", "true", "false", "true", latest, latest),
			fmt.Sprintf(row, "alice", "true", "false", "true", "1960-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
			fmt.Sprintf(row, long, "true", "false", "true", "2026-01-02T03:04:05Z", "N/A"), long, strings.Repeat(",", len(long)),
			fmt.Sprintf(row, "ali,ce", "true", "false", "true", "2026-01-02T03:04:05Z", "N/A"),
			fmt.Sprintf(row, `ali"ce`, "true", "false", "true", "2026-01-02T03:04:05Z", "N/A"),
			strings.Repeat(fmt.Sprintf(row, "alice", "true", "false", "true", "2026-01-02T03:04:05Z", "N/A")+"\n", 2), "alice,", `"`, "",
		}
	}
	return nil
}
