package web_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

const exemptionTag = "iam-exempt"

// user has one tag, which exempts unless it is empty.
func user(name, exemption string) inventory.User {
	tags := inventory.Tags{}
	if exemption != "" {
		tags = append(tags, inventory.Tag{Key: exemptionTag, Value: exemption})
	}
	return inventory.User{Name: name, Path: "/", Tags: inventory.Observe(tags, now)}
}

// listed is an account whose users are known; they are to be given by name.
func listed(id string, users ...inventory.User) *inventory.Snapshot {
	observed := inventory.Freshness{Observed: now, Stale: now.Add(time.Hour)}
	return &inventory.Snapshot{
		Account: inventory.Account{ID: id, Partition: "aws"}, Users: users,
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: observed},
	}
}

// unlisted is an account about which nothing is known yet, except perhaps its id.
func unlisted(id string) *inventory.Snapshot {
	return &inventory.Snapshot{Account: inventory.Account{ID: id}}
}

func until(t *testing.T, lastDay string) time.Time {
	t.Helper()
	end, err := policy.EndOf(lastDay)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// section returns the section of the page under that heading.
func section(t *testing.T, o web.Options, heading string) string {
	t.Helper()
	_, _, body := ask(t, web.Handler(o), "GET", "/")
	return sectionOf(t, body, heading)
}

func sectionOf(t *testing.T, body, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(body, "<h2>"+heading+"</h2>\n")
	text, _, closed := strings.Cut(after, "\n</section>")
	if !found || !closed {
		t.Fatalf("page: lacks a section %q:\n%s", heading, body)
	}
	return text
}

// problems returns the problems that the page tells, a line each.
func problems(t *testing.T, o web.Options, path string) string {
	t.Helper()
	_, _, body := ask(t, web.Handler(o), "GET", path)
	if !strings.Contains(body, "<h2>Problems</h2>") {
		return ""
	}
	list, _, _ := strings.Cut(strings.TrimPrefix(sectionOf(t, body, "Problems"), "<ul>\n"), "\n</ul>")
	return list
}

func under(p *policy.Policy, accounts ...*inventory.Snapshot) func() *view.View {
	byKey := map[string]*inventory.Snapshot{}
	for _, s := range accounts {
		byKey[s.Account.ID] = s
	}
	v := view.Of(p, view.Reload{}, byKey, now)
	return func() *view.View { return v }
}

// row is how the page shows an exemption; its rules are separated by commas.
func row(user, account, rules, reason, lastDay, state, origin string) string {
	mark := "idle"
	if state == "lapsed" || state == "names nobody" {
		mark = "warn"
	}
	rules = "<code>" + strings.ReplaceAll(rules, ", ", "</code>, <code>") + "</code>"
	return fmt.Sprintf(`<tr><td class="head name">%s</td><td data-label="Rules">%s</td><td class="mark %s">%s</td><td class="whole" data-label="Last day">%s</td>`+
		`<td class="wide name" data-label="Reason">%s</td><td class="whole" data-label="Account">%s</td><td class="whole" data-label="From">%s</td></tr>`,
		user, rules, mark, state, lastDay, reason, account, origin)
}

// why is the row of the exemption of the file that most of the tests use.
func why(user, account, state string) string {
	return row(user, account, "key_rotation", "why", "2026-12-31", state, "configuration file")
}

// hiding is the row without the reason, which might name the user. It tells which
// exemption of the file it is.
func hiding(row string, index int) string {
	row = strings.Replace(row, ">why<", ">(withheld)<", 1)
	return strings.Replace(row, ">configuration file<", fmt.Sprintf(">configuration file, exemptions[%d]<", index), 1)
}

func TestExemptions(t *testing.T) {
	const nasty, escaped = `</td><script>alert("x")</script>{{.}}`, `&lt;/td&gt;&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;{{.}}`
	const root, hidden = "&lt;root_account&gt;", "(hidden user)"
	const one, two = "111111111111", "222222222222"
	end := until(t, "2026-12-31")
	rotation := []policy.Rule{policy.KeyRotation}
	of := func(userName, account string) policy.Exemption {
		return policy.Exemption{UserName: userName, Account: account, Rules: rotation, Reason: "why", Until: end}
	}
	excluding := func(pattern string) policy.Selection {
		return policy.Selection{Exclude: []policy.Match{{UserName: policy.Glob(pattern)}}}
	}
	for name, test := range map[string]struct {
		policy   policy.Policy
		accounts []*inventory.Snapshot
		noUsers  bool
		rows     []string // none for "None."
	}{
		"none":             {accounts: []*inventory.Snapshot{listed(one, user("alice", ""))}},
		"none, no account": {},
		"of the file": {
			policy: policy.Policy{Exemptions: []policy.Exemption{
				{UserName: "break-glass", Account: one, Rules: []policy.Rule{policy.KeyUnused, policy.KeyRotation}, Reason: "for emergencies", Until: end},
				{UserName: policy.RootUserName, Rules: []policy.Rule{policy.RootAccessKey}, Reason: nasty, Until: until(t, "2026-06-01")},
				{UserName: "vendor", Rules: rotation, Reason: "cannot rotate", Until: until(t, "2026-05-31")},
				{UserName: "nobody", Rules: rotation, Reason: "a slip", Until: end},
				{UserName: "break-glass", Account: two, Rules: rotation, Reason: "no such account", Until: end},
			}},
			accounts: []*inventory.Snapshot{listed(one, user("break-glass", ""), user("vendor", ""))},
			rows: []string{
				row("break-glass", "111111111111", "key_unused, key_rotation", "for emergencies", "2026-12-31", "in force", "configuration file"),
				row(root, "every account", "root_access_key", escaped, "2026-06-01", "in force", "configuration file"),
				row("vendor", "every account", "key_rotation", "cannot rotate", "2026-05-31", "lapsed", "configuration file"),
				row("nobody", "every account", "key_rotation", "a slip", "2026-12-31", "names nobody", "configuration file"),
				row("break-glass", "222222222222", "key_rotation", "no such account", "2026-12-31", "names nobody", "configuration file"),
			},
		},
		"at length": {
			policy:   policy.Policy{Exemptions: []policy.Exemption{{UserName: policy.RootUserName, Rules: []policy.Rule{policy.RootAccessKey}, Reason: strings.Repeat("why ", 1e5), Until: end}}},
			accounts: []*inventory.Snapshot{listed(one)},
			rows:     []string{row(root, "every account", "root_access_key", strings.Repeat("why ", 75)+"…", "2026-12-31", "in force", "configuration file")},
		},
		"of tags": {
			policy: policy.Policy{ExemptionTag: exemptionTag, Exemptions: []policy.Exemption{of("carol", "")}},
			accounts: []*inventory.Snapshot{
				listed(one, user("alice", "key_unused key_rotation until 2026-06-01 "+nasty), user("bob", ""), user("carol", "not readable")),
				listed(two, user("alice", "key_unused until 2026-05-31 on leave")),
			},
			rows: []string{
				why("carol", "every account", "in force"),
				row("alice", "111111111111", "key_unused, key_rotation", escaped, "2026-06-01", "in force", "user tag"),
				row("alice", "222222222222", "key_unused", "on leave", "2026-05-31", "lapsed", "user tag"),
			},
		},
		"users not listed yet": {
			policy:   policy.Policy{Exemptions: []policy.Exemption{of("alice", one), of("bob", ""), of("carol", "")}},
			accounts: []*inventory.Snapshot{unlisted(one), listed(two, user("carol", ""))},
			rows: []string{
				why("alice", "111111111111", "not known yet whether it names anybody"),
				why("bob", "every account", "not known yet whether it names anybody"),
				why("carol", "every account", "in force"),
			},
		},
		"no account yet": {
			policy: policy.Policy{Exemptions: []policy.Exemption{of("alice", one)}},
			rows:   []string{hiding(why(hidden, "111111111111", "not known yet whether it names anybody"), 0)},
		},
		"account's id not known yet": {
			policy:   policy.Policy{ExemptionTag: exemptionTag, Exemptions: []policy.Exemption{of("alice", one), of("alice", "")}},
			accounts: []*inventory.Snapshot{listed("", user("alice", "key_unused until 2026-12-31 away"))},
			rows: []string{
				why("alice", "111111111111", "not known yet whether it names anybody"),
				why("alice", "every account", "in force"),
				row("alice", "not known yet", "key_unused", "away", "2026-12-31", "in force", "user tag"),
			},
		},
		"hidden users": {
			policy: policy.Policy{
				ExemptionTag: exemptionTag, Users: excluding("secret*"),
				Exemptions: []policy.Exemption{of("alice", ""), of("secret", ""), of("secret", two), of("secretary", ""), of(policy.RootUserName, "")},
			},
			accounts: []*inventory.Snapshot{listed(one, user("alice", ""), user("secret", ""), user("secret-too", "key_unused until 2026-12-31 away")), listed(two)},
			rows: []string{
				why("alice", "every account", "in force"),
				hiding(why(hidden, "every account", "in force"), 1),
				hiding(why(hidden, "222222222222", "names nobody"), 2),
				hiding(why(hidden, "every account", "names nobody"), 3),
				why(root, "every account", "in force"),
				row(hidden, "111111111111", "key_unused", "(withheld)", "2026-12-31", "in force", "user tag"),
			},
		},
		"hidden users who are gone, or whose names have slips": {
			policy: policy.Policy{
				Users:      excluding("alice"),
				Exemptions: []policy.Exemption{of("ALICE", ""), of("bob", one), of("bob", two), of(policy.RootUserName, two)},
			},
			accounts: []*inventory.Snapshot{listed(one, user("bob", ""))},
			rows: []string{
				hiding(why(hidden, "every account", "names nobody"), 0),
				why("bob", "111111111111", "in force"),
				hiding(why(hidden, "222222222222", "names nobody"), 2),
				why(root, "222222222222", "names nobody"),
			},
		},
		"perhaps hidden users": {
			policy:   policy.Policy{Users: excluding("secret*"), Exemptions: []policy.Exemption{of("secret", ""), of("alice", two)}},
			accounts: []*inventory.Snapshot{unlisted(one), listed(two, user("alice", ""))},
			rows: []string{
				hiding(why(hidden, "every account", "not known yet whether it names anybody"), 0),
				why("alice", "222222222222", "in force"),
			},
		},
		"no users' series": {
			policy: policy.Policy{
				ExemptionTag: exemptionTag,
				Exemptions:   []policy.Exemption{of("alice", ""), of("nobody", ""), of(policy.RootUserName, "")},
			},
			accounts: []*inventory.Snapshot{listed(one, user("alice", "key_unused until 2026-12-31 away"))},
			noUsers:  true,
			rows: []string{
				hiding(why(hidden, "every account", "in force"), 0),
				hiding(why(hidden, "every account", "names nobody"), 1),
				why(root, "every account", "in force"),
				row(hidden, "111111111111", "key_unused", "(withheld)", "2026-12-31", "in force", "user tag"),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.View, o.Users = under(&test.policy, test.accounts...), !test.noUsers
			want := []string{`<p class="said">None.</p>`}
			if len(test.rows) > 0 {
				want = []string{
					`<table class="cards">`,
					"<thead><tr><th>User</th><th>Rules</th><th>State</th><th>Last day</th><th>Reason</th><th>Account</th><th>From</th></tr></thead>", "<tbody>",
				}
				want = append(append(want, test.rows...), "</tbody>", "</table>")
			}
			if diff := cmp.Diff(want, strings.Split(section(t, o, "Exemptions"), "\n")); diff != "" {
				t.Errorf("section (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyExemptions shows some of them, and those that should be corrected first.
func TestManyExemptions(t *testing.T) {
	p := &policy.Policy{}
	for i := range 600 {
		p.Exemptions = append(p.Exemptions, policy.Exemption{UserName: policy.RootUserName, Reason: fmt.Sprintf("reason-%d.", i), Until: until(t, "2026-12-31")})
	}
	p.Exemptions[599].Until = until(t, "2026-05-31")
	o := options()
	o.View = under(p, listed("111111111111"))
	rows := regexp.MustCompile(`reason-\d+\.`).FindAllString(section(t, o, "Exemptions"), -1)
	if len(rows) != 500 || rows[0] != "reason-599." || rows[1] != "reason-0." || !strings.HasSuffix(section(t, o, "Exemptions"), `<p class="said">And 100 more.</p>`) {
		t.Errorf("got %d rows that begin with %q, want 500, the lapsed one first, and a word on the others", len(rows), rows[:2])
	}
}

// TestExemptionLapses shows that the last day counts whole, and not a moment
// more.
func TestExemptionLapses(t *testing.T) {
	o := options()
	o.View = under(&policy.Policy{Exemptions: []policy.Exemption{{UserName: policy.RootUserName, Reason: "why", Until: until(t, "2026-12-31")}}},
		listed("111111111111"))
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), `<td class="mark idle">in force</td><td class="whole" data-label="Last day">2026-12-31</td>`},
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), `<td class="mark warn">lapsed</td><td class="whole" data-label="Last day">2026-12-31</td>`},
	} {
		o.Now = func() time.Time { return test.at }
		if got := section(t, o, "Exemptions"); !strings.Contains(got, test.want) {
			t.Errorf("at %s: got %s, want %s in it", test.at, got, test.want)
		}
	}
}

func TestUnreadableExemptionTags(t *testing.T) {
	const nasty, escaped = `<script>`, `&lt;script&gt;`
	const wanted = `want rules, &#34;until&#34;, a date and a reason, such as &#34;key_rotation until 2026-12-31 vendor cannot rotate yet&#34;`
	bad := user("alice", "please")
	also := user("bob", nasty+" until 2026-12-31 because")
	rules := joined(slices.DeleteFunc(policy.Rules(), func(r policy.Rule) bool { return r.Subject() == policy.SubjectAccount })) // root has no tags
	for name, test := range map[string]struct {
		users   []inventory.User
		hide    string
		noUsers bool
		want    string
	}{
		"none": {users: []inventory.User{user("alice", "")}, want: ""},
		"two": {
			users: []inventory.User{bad, also},
			want: `<li>user alice is not exempted: tag iam-exempt: ` + wanted + `</li>` + "\n" +
				`<li>user bob is not exempted: tag iam-exempt: rule: got &#34;` + escaped + `&#34;, want one of ` + rules + `</li>`,
		},
		"one, hidden":          {users: []inventory.User{bad}, hide: "alice", want: `<li>1 exemption tag cannot be read.</li>`},
		"two, another hidden":  {users: []inventory.User{bad, also, user("carol", "")}, hide: "carol", want: `<li>2 exemption tags cannot be read.</li>`},
		"two, users unserved":  {users: []inventory.User{bad, also}, noUsers: true, want: `<li>2 exemption tags cannot be read.</li>`},
		"none, users unserved": {users: []inventory.User{user("alice", "")}, noUsers: true, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.Policy{ExemptionTag: exemptionTag}
			if test.hide != "" {
				p.Users.Exclude = []policy.Match{{UserName: policy.Glob(test.hide)}}
			}
			o := options()
			o.View, o.Users = under(&p, listed("111111111111", test.users...)), !test.noUsers
			if diff := cmp.Diff(test.want, problems(t, o, "/")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProblemsNameNoHiddenUser checks that sentences about failed calls do not
// name users that the policy hides.
func TestProblemsNameNoHiddenUser(t *testing.T) {
	const aboutAlice = `<li>user alice: denied</li>`
	const aboutSomebody = `<li>iam:ListAccessKeys failed for a user (denied). The log names the user and the cause.</li>`
	for name, test := range map[string]struct {
		about, hide string
		noUsers     bool
		want        string
	}{
		"about the account":            {want: aboutAlice, noUsers: true},
		"about a user":                 {about: "alice", want: aboutAlice},
		"about a user, another hidden": {about: "alice", hide: "bob", want: aboutAlice},
		"about a hidden user":          {about: "alice", hide: "alice", want: aboutSomebody},
		"about a user who is gone":     {about: "carol", want: aboutAlice},
		"about one gone, some hidden":  {about: "carol", hide: "bob", want: aboutSomebody},
		"about a user, users unserved": {about: "alice", noUsers: true, want: aboutSomebody},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.Policy{}
			if test.hide != "" {
				p.Users.Exclude = []policy.Match{{UserName: policy.Glob(test.hide)}}
			}
			s := listed("111111111111", user("alice", ""), user("bob", ""))
			s.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonDenied, Text: "user alice: denied", User: test.about, Action: "iam:ListAccessKeys"}}
			o := options()
			o.View, o.Users = under(&p, s), !test.noUsers
			if got := problems(t, o, "/"); !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s in it", got, test.want)
			}
		})
	}
}

// TestUsersWithoutSeriesAreCounted checks that the page explains why a user is
// missing from the metrics.
func TestUsersWithoutSeriesAreCounted(t *testing.T) {
	hideA := &policy.Policy{Users: policy.Selection{Exclude: []policy.Match{{UserName: policy.Glob("a*")}}}}
	hideTagged := &policy.Policy{Users: policy.Selection{Exclude: []policy.Match{{Tags: []policy.TagMatch{{Key: "secret", Value: policy.Glob("*")}}}}}}
	for name, test := range map[string]struct {
		policy  *policy.Policy
		noUsers bool
		want    string
	}{
		"all served":         {&policy.Policy{}, false, "There is no credential report yet. Source <code>auto</code>. 2 users.</p>"},
		"one left out":       {hideA, false, "2 users, 1 of them without series of their own: excluded by the configuration, or not known yet to be included.</p>"},
		"tags unknown":       {hideTagged, false, "2 users, 2 of them without series of their own: excluded by the configuration, or not known yet to be included.</p>"},
		"none served":        {&policy.Policy{}, true, "2 users. None has series of its own: --no-metrics.users is set.</p>"},
		"none served anyhow": {hideA, true, "2 users. None has series of its own: --no-metrics.users is set.</p>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listed("111111111111", inventory.User{Name: "alice"}, inventory.User{Name: "bob"})
			s.Report.Wanted = true
			o := options()
			o.View, o.Users = under(test.policy, s), !test.noUsers
			if got := section(t, o, "Facts and their ages"); !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s in it", got, test.want)
			}
		})
	}
}

func joined(rules []policy.Rule) string {
	var names []string
	for _, rule := range rules {
		names = append(names, string(rule))
	}
	return strings.Join(names, ", ")
}

// TestTagsAreShownWhereTheyCount checks that the age of the tags is shown only if
// the policy needs them or they are known anyway.
func TestTagsAreShownWhereTheyCount(t *testing.T) {
	needing := &policy.Policy{OwnerTags: []string{"Owner"}}
	tagged := listed("111111111111")
	tagged.Freshness[inventory.GroupTags] = inventory.Freshness{Observed: now.Add(-time.Hour), Stale: now.Add(-time.Minute)}
	const stale = `<tr><td class="head"><code>tags</code> the users&#39; tags</td><td class="mark warn">out of date since 2026-06-01T11:59:00Z</td><td class="number" data-label="Age">1 hour</td><td data-label="Oldest observed">2026-06-01T11:00:00Z</td></tr>`
	for name, test := range map[string]struct {
		policy  *policy.Policy
		account *inventory.Snapshot
		want    string // empty for no row
	}{
		"not needed":            {&policy.Policy{}, listed("111111111111"), ""},
		"not needed, but there": {&policy.Policy{}, tagged, stale},
		"needed":                {needing, tagged, stale},
		"needed, not there":     {needing, listed("111111111111"), `<tr><td class="head"><code>tags</code> the users&#39; tags</td><td class="mark unknown">not known yet</td><td class="number" data-label="Age">–</td><td data-label="Oldest observed">–</td></tr>`},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.View = under(test.policy, test.account)
			lines := strings.Split(section(t, o, "Facts and their ages"), "\n")
			i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "<code>tags</code>") })
			got := ""
			if i >= 0 {
				got = lines[i]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicySection(t *testing.T) {
	strict := policy.Limits{MaxKeyAge: 30 * 24 * time.Hour, RotationWarning: 36 * time.Hour, MaxKeyIdle: 24 * time.Hour, MaxPasswordIdle: 48 * time.Hour}
	const head = " The first class that matches a user counts; the last is for users that no other matches.</p>\n<table class=\"cards policy\" aria-label=\"Policy\">\n" +
		`<thead><tr><th>Class</th><th class="number">Maximum key age</th><th class="number">Rotation warning</th><th class="number">Maximum key idle time</th><th class="number">Maximum password idle time</th><th class="number">Rotation overlap</th><th class="number">Setup window</th></tr></thead>` + "\n<tbody>\n"
	class := func(name, keyAge, warning, keyIdle, passwordIdle, overlap, window string) string {
		return fmt.Sprintf(`<tr><td class="head"><code>%s</code></td><td class="number" data-label="Maximum key age">%s</td><td class="number" data-label="Rotation warning">%s</td>`+
			`<td class="number" data-label="Maximum key idle time">%s</td><td class="number" data-label="Maximum password idle time">%s</td>`+
			`<td class="number" data-label="Rotation overlap">%s</td><td class="number" data-label="Setup window">%s</td></tr>`+"\n", name, keyAge, warning, keyIdle, passwordIdle, overlap, window)
	}
	defaults := class("default", "90d", "14d", "45d", "45d", "7d", "15m") + "</tbody>\n</table>"
	at := time.Date(2026, 6, 1, 13, 30, 0, 0, time.FixedZone("", 2*60*60))
	for name, test := range map[string]struct {
		classes []policy.Class
		reload  view.Reload
		want    string
	}{
		"no file": {
			want: `<p class="said">There is no configuration file.` + head + defaults,
		},
		"classes": {
			classes: []policy.Class{{Name: "people", Limits: strict}, {Name: "<machines>", Limits: policy.DefaultLimits()}},
			reload:  view.Reload{Wanted: true, Successful: true, At: at},
			want: `<p class="said">The configuration file, as read at 2026-06-01T11:30:00Z, is in force.` + head +
				class("people", "30d", "1d12h", "1d", "2d", "0s", "0s") + class("&lt;machines&gt;", "90d", "14d", "45d", "45d", "7d", "15m") + defaults,
		},
		"failed reload": {
			reload: view.Reload{Wanted: true, At: at},
			want: `<p class="said warn">The last reload failed; the configuration file stays in force as it was read at 2026-06-01T11:30:00Z. The log says why.` +
				head + defaults,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy.WithLimits(policy.DefaultLimits())
			p.Classes = test.classes
			o := options()
			o.View = func() *view.View { return view.Of(p, test.reload, nil, now) }
			if diff := cmp.Diff(test.want, section(t, o, "Policy")); diff != "" {
				t.Errorf("section (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLandingPageWithoutAccounts(t *testing.T) {
	_, _, body := ask(t, web.Handler(options()), "GET", "/")
	if got := strings.Count(body, "<h2>"); got != 2 || !strings.Contains(body, `<p class="sentence">No account is watched yet.</p>`) {
		t.Errorf("page: got %d sections, want the policy and the exemptions, and a word on accounts:\n%s", got, body)
	}
}
