package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// boardOf returns the cells of the board of accounts, as text.
func boardOf(t *testing.T, o web.Options, path string) (rows []string) {
	t.Helper()
	_, _, body := ask(t, web.Handler(o), "GET", path)
	tags := regexp.MustCompile(`<[^>]*>`)
	for line := range strings.Lines(sectionOf(t, body, "Accounts")) {
		if !strings.HasPrefix(line, "<tr>") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "</td></tr>"), "</td>")
		for i := range cells {
			cells[i] = strings.TrimSpace(tags.ReplaceAllString(cells[i], ""))
		}
		rows = append(rows, strings.TrimSpace(strings.Join(cells, " | ")))
	}
	return rows
}

// broken is an account in the state, with so many users who each have a key that is
// too old.
func broken(id string, state inventory.State, findings int) *inventory.Snapshot {
	key := inventory.AccessKey{ID: "AKIAA", Status: inventory.Active, Created: now.Add(-100 * 24 * time.Hour)}
	key.LastUse = inventory.Observe(inventory.Use{At: now}, now)
	var users []inventory.User
	for i := range findings {
		users = append(users, inventory.User{
			Name: fmt.Sprintf("user-%03d", i), Console: inventory.Observe(false, now),
			Keys: inventory.Observe([]inventory.AccessKey{key}, now),
		})
	}
	s := listed(id, users...)
	s.Root = inventory.Root{KeyPresent: inventory.Observe(false, now), Console: inventory.Observe(false, now)}
	s.Freshness[inventory.GroupRoot] = s.Freshness[inventory.GroupUsers]
	s.Health.State = state
	return s
}

func stale(s *inventory.Snapshot, groups ...inventory.Group) *inventory.Snapshot {
	for _, group := range groups {
		s.Freshness[group] = inventory.Freshness{Observed: now.Add(-time.Hour), Stale: now.Add(-time.Minute)}
	}
	return s
}

// TestWorstAccountsComeFirst puts first what nobody knows for a failure, then what root
// does, then findings.
func TestWorstAccountsComeFirst(t *testing.T) {
	const down, pending, up = inventory.StateDown, inventory.StatePending, inventory.StateUp
	denied := broken("900000000001", down, 0)
	denied.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonDenied, Text: "first"}, {Reason: inventory.ReasonTimeout, Text: "second"}}
	old := broken("900000000005", up, 1)
	old.Freshness[inventory.GroupRoot] = inventory.Freshness{Observed: now.Add(-400*24*time.Hour - 90*time.Minute), Stale: now.Add(time.Minute)}
	odd := broken("900000000007", up, 0)
	odd.Users = []inventory.User{user("alice", "please")}
	early := broken("900000000010", up, 0)
	early.Freshness[inventory.GroupUsers] = inventory.Freshness{Observed: now.Add(time.Second), Stale: now.Add(time.Hour)}
	blind := unlisted("900000000013")
	blind.Health = inventory.Health{State: down, Problems: []inventory.Problem{{Reason: inventory.ReasonRole, Text: "why"}}}
	open := broken("900000000012", up, 0)
	open.Root.Console, open.Root.MFA = inventory.Observe(true, now), inventory.Observe(false, now)
	unnamed := unlisted("")
	unnamed.Health.State = pending
	o := options()
	p := policy.WithLimits(policy.DefaultLimits())
	p.ExemptionTag = exemptionTag
	o.View = under(p,
		broken("900000000002", up, 3), denied, broken("900000000003", up, 1), stale(broken("900000000004", up, 0), inventory.GroupKeys, inventory.GroupUsers),
		old, stale(broken("900000000006", down, 2), inventory.GroupUsers), odd, broken("900000000008", pending, 1),
		stale(broken("900000000009", pending, 2), inventory.GroupMFA), early, unnamed, blind, open,
	)
	want := []string{
		"900000000013 | cannot be read | – | – | – | – | – | – | the role cannot be assumed",
		"900000000012 | up to date | 1 | 0 | 0 | 0 | 0 | 0 seconds |",
		"900000000002 | up to date | 0 | 3 | 0 | 0 | 3 | 0 seconds |",
		"900000000006 | not read whole | 0 | 2 | 0 | 0 | 2 | 1 hour | facts: users",
		"900000000009 | out of date | 0 | 2 | 0 | 0 | 2 | 1 hour | facts: mfa",
		"900000000008 | first reading | 0 | 1 | 0 | 0 | 1 | 0 seconds |",
		"900000000003 | up to date | 0 | 1 | 0 | 0 | 1 | 0 seconds |",
		"900000000005 | up to date | 0 | 1 | 0 | 0 | 1 | 400 days |",
		"900000000001 | not read whole | 0 | 0 | 0 | 0 | 0 | 0 seconds | a permission is missing",
		"900000000004 | out of date | 0 | 0 | 0 | 0 | 0 | 1 hour | facts: users, keys",
		"not known yet | first reading | – | – | – | – | – | – |",
		"900000000007 | up to date | 0 | 0 | 0 | 9 | 1 | 0 seconds | an exemption tag cannot be read",
		"900000000010 | up to date | 0 | 0 | 0 | 0 | 0 | 0 seconds |",
	}
	if diff := cmp.Diff(want, boardOf(t, o, "/")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for query, want := range map[string][]string{
		"?state=stale": {want[4], want[9]}, "?account=900000000005": want[7:8], "?account=*7&state=up": want[11:12], "?account=nix": nil,
	} {
		if diff := cmp.Diff(want, boardOf(t, o, "/"+query)); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", query, diff)
		}
	}
}

// fleet are n accounts of a few users each: of a hundred, five are down, three stale,
// two pending, and the others up. All have long names.
func fleet(n int) []*inventory.Snapshot {
	var accounts []*inventory.Snapshot
	for i := range n {
		id, s := fmt.Sprintf("%012d", 7*i+1), (*inventory.Snapshot)(nil)
		switch i % 100 {
		case 0, 20, 40, 60, 80:
			s = stale(broken(id, inventory.StateDown, i%7), inventory.GroupUsers)
			s.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonCredentials, Text: "sts:AssumeRole: denied"}}
		case 10, 50, 90:
			s = stale(broken(id, inventory.StateUp, i%7), inventory.GroupKeys, inventory.GroupKeyUse, inventory.GroupConsole)
		case 30, 70:
			s = unlisted(id)
			s.Health.State = inventory.StatePending
		default:
			s = broken(id, inventory.StateUp, i%7)
		}
		s.Account.Name = fmt.Sprintf("Department of %s, number %d", strings.Repeat("Accounts & ", 20), i)
		accounts = append(accounts, s)
	}
	return accounts
}

// TestTwoThousandAccounts checks what the landing page holds of them, and how long
// it is.
func TestTwoThousandAccounts(t *testing.T) {
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), fleet(2000)...)
	handler := web.Handler(o)
	_, _, body := ask(t, handler, "GET", "/")
	for _, want := range []string{
		`<p class="said">2000 accounts, the worst first. <a class="chip warn" href="?state=down#accounts">100 not read whole</a> <a class="chip warn" href="?state=stale#accounts">60 out of date</a> ` +
			`<a class="chip unknown" href="?state=pending#accounts">40 first reading</a> <a class="chip idle" href="?state=up#accounts">1800 up to date</a> </p>`,
		"<summary>1950 more accounts</summary>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("page: lacks %s", want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	_, header, zipped := send(t, handler, r)
	page := unzipped(t, header, zipped)
	if roles.ReplaceAllString(page, "") != body || len(zipped) > 1e5 {
		t.Errorf("page: got %d compressed bytes, %q; want the same page in less than 100 kB", len(zipped), header)
	}
	if len(page) > 1.2e6 {
		t.Errorf("page: got %d bytes, want less than 1.2 MB", len(page))
	}

	rows := boardOf(t, o, "/")
	counts, links := map[string]int{}, regexp.MustCompile(`<tr><td class="head name"><a href="/accounts/(\d{12})">`).FindAllStringSubmatch(body, -1)
	for i, row := range rows {
		cells := strings.Split(row, " | ")
		counts[cells[1]]++
		if !strings.HasSuffix(cells[0], links[i][1]) {
			t.Errorf("row %d: account %s leads to that of %s", i, cells[0], links[i][1])
		}
		if i > 0 && !inOrder(strings.Split(rows[i-1], " | "), cells) {
			t.Errorf("row %d comes after a better one:\n%s\n%s", i, rows[i-1], row)
		}
	}
	if diff := cmp.Diff(map[string]int{"not read whole": 100, "out of date": 60, "first reading": 40, "up to date": 1800}, counts); diff != "" {
		t.Errorf("accounts by state (-want +got):\n%s", diff)
	}
}

// inOrder reports whether the cells of one row may come before those of the next.
func inOrder(a, b []string) bool {
	findings := func(cells []string) string { return strings.Replace(cells[3], "–", "0", 1) } // of one digit each
	if x, y := findings(a), findings(b); x != y {
		return x > y
	}
	states := []string{"not read whole", "out of date", "first reading", "up to date"}
	if x, y := slices.Index(states, a[1]), slices.Index(states, b[1]); x != y {
		return x < y
	}
	return a[0][len(a[0])-12:] < b[0][len(b[0])-12:]
}

// TestProblemsAreUnderTheirAccount has two accounts fail for reasons of their own.
func TestProblemsAreUnderTheirAccount(t *testing.T) {
	one, two := broken("111111111111", inventory.StateDown, 0), broken("222222222222", inventory.StateDown, 0)
	one.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonDenied, Text: "iam:ListUsers: denied"}}
	two.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonTimeout, Text: "iam:ListUsers: no answer"}}
	two = stale(two, inventory.GroupMFA)
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), one, two)
	want := []string{
		"111111111111 | not read whole | 0 | 0 | 0 | 0 | 0 | 0 seconds | a permission is missing",
		"222222222222 | not read whole | 0 | 0 | 0 | 0 | 0 | 1 hour | AWS does not answer in time",
	}
	if diff := cmp.Diff(want, boardOf(t, o, "/")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for id, want := range map[string]string{
		"111111111111": `<li>iam:ListUsers: denied</li>`,
		"222222222222": "<li>iam:ListUsers: no answer</li>\n<li>The facts about mfa are out of date: the oldest were observed at 2026-06-01T11:00:00Z; newer ones were due by 2026-06-01T11:59:00Z.</li>",
	} {
		if diff := cmp.Diff(want, problems(t, o, "/accounts/"+id)); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", id, diff)
		}
		_, _, body := ask(t, web.Handler(o), "GET", "/accounts/"+id)
		heads := regexp.MustCompile(`<(?:title|h1)>(?:[^<]* – )?Account (\d+)`).FindAllStringSubmatch(body, -1)
		if len(heads) != 2 || strings.Count(body, id) != 2 {
			t.Errorf("%s: got headings %q, want the account in each of two, and nowhere else in\n%s", id, heads, body)
		}
	}
}

// TestAccountsByTheirExemptions shows on an account's page those that concern it.
func TestAccountsByTheirExemptions(t *testing.T) {
	const one, two = "111111111111", "222222222222"
	of := func(userName, account string) policy.Exemption {
		return policy.Exemption{UserName: userName, Account: account, Rules: []policy.Rule{policy.KeyRotation}, Reason: "why", Until: until(t, "2026-12-31")}
	}
	p := policy.Policy{ExemptionTag: exemptionTag, Exemptions: []policy.Exemption{
		of("alice", ""), of("bob", ""), of("nobody", ""), of("alice", one), of("nobody", two), of(policy.RootUserName, ""), of("carol", ""),
	}}
	p.Users.Exclude = []policy.Match{{UserName: policy.Glob("carol")}}
	o := options()
	o.View = under(&p,
		listed(one, user("alice", ""), user("carol", "")),
		listed(two, user("bob", ""), user("dave", "key_unused until 2026-05-31 on leave")),
		listed("333333333333"),
	)
	root := why("&lt;root_account&gt;", "every account", "in force")
	for id, want := range map[string][]string{
		one: {why("alice", "every account", "in force"), why("alice", one, "in force"), root, hiding(why("(hidden user)", "every account", "in force"), 6)},
		two: {
			why("bob", "every account", "in force"), hiding(why("(hidden user)", two, "names nobody"), 4), root,
			row("dave", two, "key_unused", "on leave", "2026-05-31", "lapsed", "user tag"),
		},
		"333333333333": {root},
	} {
		_, _, body := ask(t, web.Handler(o), "GET", "/accounts/"+id)
		_, got, _ := strings.Cut(sectionOf(t, body, "Exemptions"), "<tbody>\n")
		got, _, _ = strings.Cut(got, "\n</tbody>")
		if diff := cmp.Diff(want, strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

// TestAccountsShareAReading has pages of several accounts made of what was read once,
// and everybody get the page that they asked for.
func TestAccountsShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options()
		o.View = under(policy.WithLimits(policy.DefaultLimits()), listed("111111111111"), listed("222222222222"))
		goOn, readings := make(chan struct{}), 0
		o.Now = func() time.Time { readings++; <-goOn; return now }
		handler := web.Handler(o)
		for path, title := range map[string]string{
			"/": "aws_iam_exporter", "/accounts/111111111111": "Account 111111111111", "/accounts/222222222222": "Account 222222222222",
		} {
			go func() {
				if _, _, body := ask(t, handler, "GET", path); !strings.Contains(body, " – "+title+"</title>") {
					t.Errorf("%s: got another page:\n%s", path, body)
				}
			}()
		}
		synctest.Wait()
		close(goOn)
		synctest.Wait()
		if readings != 1 {
			t.Errorf("got %d readings, want 1", readings)
		}
	})
}

// TestPagesOfAccountsNeedNothingInline checks that they are whole under the content
// security policy, and that their links lead somewhere.
func TestPagesOfAccountsNeedNothingInline(t *testing.T) {
	o := options()
	o.View, o.Demo = under(excusing(t), three()...), "A demo."
	handler := web.Handler(o)
	for _, path := range []string{"/", "/accounts/222222222222"} {
		_, _, body := ask(t, handler, "GET", path)
		if inline := regexp.MustCompile(`(?i)<style|<script|<b>legacy|\s(style|on[a-z]+)\s*=|javascript:|data:`).FindString(body); inline != "" {
			t.Errorf("%s: has %q", path, inline)
		}
		if !strings.HasPrefix(body, "<!DOCTYPE html>\n") || !strings.HasSuffix(body, "</html>\n") || !strings.Contains(body, `<p id="demo" class="demo">A demo.</p>`) {
			t.Errorf("%s: is not a whole document, with the note on the demo", path)
		}
		for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			link[1] = html.UnescapeString(link[1])
			if strings.HasPrefix(link[1], policy.Documents) {
				continue
			}
			if strings.HasPrefix(link[1], "?") {
				link[1] = path + link[1]
			}
			if name, within := strings.CutPrefix(link[1], "#"); within {
				if !strings.Contains(body, ` id="`+name+`"`) {
					t.Errorf("%s: %s leads nowhere", path, link[1])
				}
			} else if status, _, _ := ask(t, handler, "GET", link[1]); status != http.StatusOK {
				t.Errorf("%s: %s: got status %d, want 200", path, link[1], status)
			}
		}
	}
}

// TestAccountThatGoesMeanwhile is watched when the request comes, and not any more
// when the page is made.
func TestAccountThatGoesMeanwhile(t *testing.T) {
	o := options()
	with, without := under(policy.WithLimits(policy.DefaultLimits()), listed("111111111111")), o.View
	calls := 0
	o.View = func() *view.View {
		if calls++; calls == 1 {
			return with()
		}
		return without()
	}
	status, header, body := ask(t, web.Handler(o), "GET", "/accounts/111111111111")
	if status != http.StatusNotFound || header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(body, "No account of that id is watched") {
		t.Errorf("got status %d, %q, %q; want 404 and a sentence", status, header, body)
	}
}

// TestCallersAccount has a page of its own once AWS has told its id. Until then the
// landing page has it.
func TestCallersAccount(t *testing.T) {
	o := options()
	known := judged(func(*inventory.Snapshot) {})().Accounts()[0].Snapshot
	for id, want := range map[string]int{"123456789012": http.StatusOK, "": http.StatusNotFound} {
		s := *known
		s.Account.ID = id
		v := view.Of(policy.WithLimits(policy.DefaultLimits()), view.Reload{}, map[string]*inventory.Snapshot{"": &s}, now)
		o.View = func() *view.View { return v }
		if status, _, _ := ask(t, web.Handler(o), "GET", "/accounts/123456789012"); status != want {
			t.Errorf("id %q: got status %d, want %d", id, status, want)
		}
		if _, _, body := ask(t, web.Handler(o), "GET", "/"); !strings.Contains(body, "<h1>Account ") {
			t.Errorf("id %q: the landing page lacks the account:\n%s", id, body)
		}
	}
}
