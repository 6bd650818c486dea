package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
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

// findingsOf returns rule and user of each finding that the page lists, and the account
// if there are several.
func findingsOf(t *testing.T, body string) (rows []string) {
	t.Helper()
	row := regexp.MustCompile(`<tr class="\w+(?: same)?"><td class="head"><b>[^<]*</b> <code>(\w+)</code>.*?data-label="User"><a href="[^"]*">(?:<i>)?([^<]*)(?:</i>)?</a>(?:.*?<small>(\d{12})</small>)?`)
	for _, cells := range row.FindAllStringSubmatch(body, -1) {
		rows = append(rows, strings.TrimSpace(strings.Join(cells[1:], " ")))
	}
	return rows
}

// someFindings are two accounts with findings of several kinds, owners and ages.
func someFindings() func() *view.View {
	const day = 24 * time.Hour
	p := policy.WithLimits(policy.DefaultLimits())
	p.OwnerTags = []string{"Owner"}
	owned := func(user inventory.User, owner string) inventory.User {
		user.Tags = inventory.Observe(inventory.Tags{{Key: "Owner", Value: owner}}, now)
		return user
	}
	one, two := whole("111111111111", 3, 100*day), whole("222222222222", 2, 80*day)
	one.Account.Name, two.Account.Name = "production", "sandbox"
	one.Users[0] = owned(one.Users[0], "payments")
	one.Users[1] = owned(one.Users[1], "data")
	one.Users[2].Tags = inventory.Observe(inventory.Tags{}, now)
	keys, _ := one.Users[1].Keys.Get()
	keys[0].Created = now.Add(-400 * day)
	two.Root.Keys = inventory.Observe([]inventory.AccessKey{{Status: inventory.Active, Created: now.Add(-10 * day)}}, now)
	two.Root.KeyPresent = inventory.Observe(true, now)
	two.Users[0].Console, two.Users[0].MFA = inventory.Observe(true, now), inventory.Observe(false, now)
	two.Users[0] = owned(two.Users[0], "payments")
	return under(p, one, two)
}

func TestFilterAndSort(t *testing.T) {
	o := options()
	o.View = someFindings()
	handler := web.Handler(o)
	const (
		root     = "root_access_key root user 222222222222"
		keys     = "console_user_with_active_keys user-000 222222222222"
		mfa      = "console_user_without_mfa user-000 222222222222"
		data     = "key_rotation user-001 111111111111"
		payments = "key_rotation user-000 111111111111"
		unowned  = "key_rotation user-002 111111111111"
		due0     = "key_rotation_due user-000 222222222222"
		due1     = "key_rotation_due user-001 222222222222"
	)
	all := []string{root, data, mfa, keys, due0, payments, unowned, due1} // what is about a user stays together
	for query, want := range map[string]struct {
		rows []string
		says string
	}{
		"":                                    {all, "6 findings and 2 keys due soon; worst first."},
		"?rule=key_rotation":                  {[]string{data, payments, unowned}, "3 findings, of 8 rows; worst first."},
		"?owner=payments":                     {[]string{mfa, keys, due0, payments}, "3 findings and 1 key due soon, of 8 rows; worst first."},
		"?owner=pay*":                         {[]string{mfa, keys, due0, payments}, "3 findings and 1 key due soon, of 8 rows; worst first."},
		"?owner=%3Cnone%3E":                   {[]string{root, unowned}, "2 findings, of 8 rows"},
		"?owner=%3Cnone%3E&rule=key_rotation": {[]string{unowned}, ">owner nobody named ×</a>"},
		"?owner=%3Cunknown%3E":                {[]string{due1}, "1 key due soon, of 8 rows; worst first."},
		"?owner=%3Cunknown%3E&sort=age":       {[]string{due1}, ">owner not known yet ×</a>"},
		"?user=user-002":                      {[]string{unowned}, "1 finding, of 8 rows"},
		"?user=%3Croot_account%3E":            {[]string{root}, "1 finding, of 8 rows"},
		"?user=root*":                         {[]string{root}, "1 finding, of 8 rows"}, // as the page calls it
		"?user=USER-00%3f&rule=key_rotation":  {[]string{data, payments, unowned}, "3 findings, of 8 rows"},
		"?account=111111111111":               {[]string{data, payments, unowned}, "3 findings, of 8 rows"},
		"?account=sand*":                      {[]string{root, mfa, keys, due0, due1}, "3 findings and 2 keys due soon, of 8 rows"},
		"?account=sandbox&user=%3CROOT*&rule=root_access_key&owner=*&state=up": {[]string{root}, "1 finding, of 8 rows"},
		"?state=down":                        {nil, "The filter leaves none of 8 rows."},
		"?user=ser":                          {nil, `<a href="?user=%2Aser%2A#findings">Look for a part of the name</a>`},
		"?sort=age":                          {[]string{data, payments, unowned, keys, due0, due1, root, mfa}, "oldest key first"},
		"?sort=-age":                         {[]string{root, keys, due0, due1, payments, unowned, data, mfa}, "newest key first"},
		"?sort=user&rule=key_*":              {[]string{root, mfa, keys, payments, due0, data, due1, unowned}, "There is no rule &#34;key_*&#34;; findings of every rule are shown."},
		"?sort=since":                        {[]string{data, mfa, keys, root, payments, unowned, due0, due1}, "oldest finding first"},
		"?sort=owner":                        {[]string{due1, data, mfa, keys, payments, due0, root, unowned}, "by owner"},
		"?sort=account":                      {[]string{data, payments, unowned, root, mfa, keys, due0, due1}, "by account"},
		"?sort=-rule":                        {[]string{root, data, payments, unowned, due0, due1, mfa, keys}, "by rule, from Z"},
		"?sort=size":                         {all, "Findings cannot be sorted by &#34;size&#34;; it is one of severity, since, age, rule, user, owner, account. The worst come first."},
		"?state=ill":                         {all, "There is no state &#34;ill&#34; of accounts; it is one of down, stale, pending, up, suspended. All are shown."},
		"?page=2":                            {all, "There is no page 2; this is the last."},
		"?page=-1":                           {all, "There is no page &#34;-1&#34;; this is the first."},
		"?owners=payments":                   {all, "&#34;owners&#34; in the address means nothing here"},
		"?user=%3Croot_account%3E&user=x":    {[]string{root}, "The address says &#34;user&#34; several times; the first counts."},
		"?user=%zz&rule=key_unused":          {nil, "A part of the address cannot be read; that part is not applied."},
		"?user=%ff":                          {all, "The user in the address is too long or no text, so it is not applied."},
		"?user=" + strings.Repeat("x", 5000): {all, "The address is too long, so no filter is applied."},
	} {
		t.Run(query[:min(len(query), 60)], func(t *testing.T) {
			status, _, body := ask(t, handler, "GET", "/"+query)
			if status != http.StatusOK {
				t.Fatalf("got status %d", status)
			}
			if diff := cmp.Diff(want.rows, findingsOf(t, body)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if !strings.Contains(body, want.says) {
				t.Errorf("page: lacks %s in\n%s", want.says, sectionOf(t, body, "Findings"))
			}
		})
	}
	_, _, body := ask(t, handler, "GET", "/accounts/111111111111?owner=data&sort=-since")
	if diff := cmp.Diff([]string{"key_rotation user-001"}, findingsOf(t, body)); diff != "" {
		t.Errorf("page of an account: rows (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		`<th aria-sort="descending"><a href="?owner=data&amp;sort=since#findings">Since</a></th>`, `<th><a href="?owner=data&amp;sort=age#findings">Key age</a></th>`,
		`<input name="owner" value="data"`, `<option value="-since" selected>`, `<a href="?sort=-since#findings">Clear</a>`, `<details class="filter" open>`, `<p class="who">Only <a href="?sort=-since#findings" title="Show others, too">owner data ×</a> </p>`,
		`<p class="who">Who must act: <a href="?owner=%3Cnone%3E&amp;sort=-since#findings"><i>nobody named</i> <b>1</b></a> <a href="?owner=data&amp;sort=-since#findings">data <b>1</b></a> <a href="?owner=payments&amp;sort=-since#findings">payments <b>1</b></a> </p>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("page: lacks %s", want)
		}
	}
}

// TestUnownedFindings says that nobody is named where no finding that is shown has an
// owner, and only there.
func TestUnownedFindings(t *testing.T) {
	o := options()
	o.View = someFindings()
	handler := web.Handler(o)
	for query, want := range map[string]bool{
		"":                       false,
		"?rule=key_rotation_due": false, // of which one has an owner, though nobody must act yet
		"?rule=root_access_key":  false, // which no user's tags decide
		"?owner=%3Cnone%3E":      false, // since others are offered
		"?user=user-002":         true,
	} {
		_, _, body := ask(t, handler, "GET", "/"+query)
		if got := strings.Contains(body, "Who must act on these is not known: no tag names an owner."); got != want {
			t.Errorf("%q: says that nobody is named: %t, want %t", query, got, want)
		}
	}
}

// TestPages goes from page to page by the links, and finds each finding once.
func TestPages(t *testing.T) {
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), whole("111111111111", 235, 100*24*time.Hour))
	handler := web.Handler(o)
	seen, says := map[string]int{}, []string{}
	link := regexp.MustCompile(`<a href="(\?[^"]*)#findings" rel="next">`)
	for path := "/?sort=user"; path != ""; {
		_, _, body := ask(t, handler, "GET", path)
		for _, row := range findingsOf(t, body) {
			seen[row]++
		}
		says = append(says, regexp.MustCompile(`\d+ to \d+ of \d+: \d+ findings; by user`).FindString(body))
		if path = ""; link.MatchString(body) {
			path = "/" + html.UnescapeString(link.FindStringSubmatch(body)[1])
		}
	}
	want := []string{
		"1 to 50 of 235: 235 findings; by user", "51 to 100 of 235: 235 findings; by user", "101 to 150 of 235: 235 findings; by user", "151 to 200 of 235: 235 findings; by user",
		"201 to 235 of 235: 235 findings; by user",
	}
	if diff := cmp.Diff(want, says); diff != "" || len(seen) != 235 {
		t.Errorf("saw %d findings, want 235; pages (-want +got):\n%s", len(seen), diff)
	}
}

// TestKeysOfFindings shows the keys that a finding is about, as the setting has them.
func TestKeysOfFindings(t *testing.T) {
	s := whole("111111111111", 1, 100*24*time.Hour)
	old, _ := s.Users[0].Keys.Get()
	old[0].ID = "AKIAQQQQQQQQQQQQ0001"
	second, inactive := old[0], old[0]
	second.ID, second.Created = "AKIAQQQQQQQQQQQQ0002", now.Add(-20*24*time.Hour)
	inactive.ID, inactive.Status = "AKIAQQQQQQQQQQQQ0003", inventory.Inactive
	s.Users[0].Keys = inventory.Observe([]inventory.AccessKey{old[0], inactive, second}, now)
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), s)
	cell := regexp.MustCompile(`data-label="Access key">(.*?)</td><td class="age" data-label="Key age">(.*?)</td>`)
	for format, ids := range map[view.KeyIDFormat][]string{
		"": {"AKIAQQQQQQQQQQQQ0001", "AKIAQQQQQQQQQQQQ0002"}, view.KeyIDFull: {"AKIAQQQQQQQQQQQQ0001", "AKIAQQQQQQQQQQQQ0002"}, view.KeyIDSuffix: {"0001", "0002"},
	} {
		o.AccessKeyIDs = format
		_, _, body := ask(t, web.Handler(o), "GET", "/?sort=rule")
		var got []string
		for _, cells := range cell.FindAllStringSubmatch(body, -1) {
			got = append(got, cells[1], regexp.MustCompile(`<[^>]*>`).ReplaceAllString(cells[2], ""))
		}
		want := []string{
			"<code>" + ids[0] + "</code> <small>used 1 hour ago</small> ", "100 days 2026-02-21 ", // too old
			"<code>" + ids[0] + "</code> <small>used 1 hour ago</small> <code>" + ids[1] + "</code> <small>used 1 hour ago</small> ", "100 days 2026-02-21 20 days 2026-05-12 ", // several
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: keys and their ages (-want +got):\n%s", format, diff)
		}
		if format == view.KeyIDSuffix && strings.Contains(body, "AKIA") {
			t.Error("page: has whole ids")
		}
	}
}

// TestRootKeysOfFindings shows of root's active keys what AWS tells, which is no id, and
// perhaps neither creation nor use.
func TestRootKeysOfFindings(t *testing.T) {
	const day = 24 * time.Hour
	s := whole("111111111111", 0, 0)
	s.Root.MFA = inventory.Observe(false, now)
	s.Root.KeyPresent = inventory.Observe(true, now)
	s.Root.Keys = inventory.Observe([]inventory.AccessKey{
		{Status: inventory.Inactive, Created: now.Add(-900 * day)},
		{Status: inventory.Active},
		{Status: inventory.Active, Created: now.Add(-10 * day), LastUse: inventory.Observe(inventory.Use{}, now)},
		{Status: inventory.Active, Created: now.Add(-100 * day), LastUse: inventory.Observe(inventory.Use{At: now.Add(-3 * day)}, now)},
	}, now)
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), s)
	_, _, body := ask(t, web.Handler(o), "GET", "/?rule=root_access_key")
	const id = `<i>id not known</i>`
	want := []string{
		id + ` <small>used 3 days ago</small> ` + id + ` <small>never used</small> ` + id + ` <small>use not known</small> `,
		`<time datetime="2026-02-21T12:00:00Z" title="created 2026-02-21T12:00:00Z">100 days</time> <small>2026-02-21</small> ` +
			`<time datetime="2026-05-22T12:00:00Z" title="created 2026-05-22T12:00:00Z">10 days</time> <small>2026-05-22</small> <i>not known</i> `,
	}
	cells := regexp.MustCompile(`data-label="Access key">(.*?)</td><td class="age" data-label="Key age">(.*?)</td>`).FindStringSubmatch(body)
	if len(cells) == 0 {
		t.Fatalf("no keys in\n%s", body)
	}
	if diff := cmp.Diff(want, cells[1:]); diff != "" {
		t.Errorf("keys and their ages (-want +got):\n%s", diff)
	}
	if _, _, body := ask(t, web.Handler(o), "GET", "/?rule=root_user_without_mfa"); strings.Contains(body, id) {
		t.Error("a finding that is about no key shows some")
	}
}

// TestHostileNames has users, owners and accounts named as badly as can be.
func TestHostileNames(t *testing.T) {
	const nasty = "\"><script>alert('x')</script>&{{.}}\u202e\x00*?"
	p := policy.WithLimits(policy.DefaultLimits())
	p.OwnerTags = []string{"Owner"}
	s := whole("111111111111", 1, 100*24*time.Hour)
	s.Account.Name = nasty
	s.Users[0].Name = nasty + strings.Repeat("n", 500)
	s.Users[0].Tags = inventory.Observe(inventory.Tags{{Key: "Owner", Value: nasty}}, now)
	o := options()
	o.View = under(p, s, whole("222222222222", 1, time.Hour))
	handler := web.Handler(o)
	paths := []string{"/", "/accounts/111111111111", "/?user=" + url.QueryEscape(nasty), "/?" + url.QueryEscape(nasty) + "=1", "/?rule=" + url.QueryEscape(nasty)}
	_, _, body := ask(t, handler, "GET", "/")
	for _, link := range regexp.MustCompile(`href="(\?[^"#]*)`).FindAllStringSubmatch(body, -1) {
		paths = append(paths, "/"+html.UnescapeString(link[1]))
	}
	for _, path := range paths {
		status, _, body := ask(t, handler, "GET", path)
		if status != http.StatusOK || strings.ContainsAny(body, "\u202e\x00") || strings.Contains(body, "<script") || strings.Contains(body, strings.Repeat("n", 100)+"<") {
			t.Errorf("%s: got status %d and\n%s", path, status, body)
		}
	}
	_, _, body = ask(t, handler, "GET", "/")
	for _, name := range []string{"user", "owner"} { // the link of each leads to the finding
		link := regexp.MustCompile(`href="(\?` + name + `=%22[^"]*)`).FindStringSubmatch(body)
		if link == nil {
			t.Fatalf("no link for the %s", name)
		}
		if _, _, body := ask(t, handler, "GET", "/"+html.UnescapeString(link[1])); len(findingsOf(t, body)) != 0 && !strings.Contains(body, "key_rotation") {
			t.Errorf("the link of the %s leads to no finding", name)
		}
	}
}

// TestFindingsOfHiddenUsers counts those of users who may not be named, and says why
// they are not listed. Root may be.
func TestFindingsOfHiddenUsers(t *testing.T) {
	s := whole("111111111111", 3, 100*24*time.Hour)
	s.Root.MFA = inventory.Observe(false, now)
	hiding := policy.WithLimits(policy.DefaultLimits())
	hiding.Users.Exclude = []policy.Match{{UserName: policy.Glob("user-001")}}
	for name, test := range map[string]struct {
		policy *policy.Policy
		users  bool
		rows   int
		says   string
		not    string
	}{
		"excluded":   {hiding, true, 3, "1 finding about hidden users is counted and not listed: the configuration excludes them, or it is not known yet whether it includes them.", "user-001"},
		"not served": {policy.WithLimits(policy.DefaultLimits()), false, 1, "3 findings about users are counted and not listed, because --no-metrics.users is set.", "user-0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.View, o.Users = under(test.policy, s), test.users
			for _, path := range []string{"/", "/?rule=key_rotation&sort=user", "/accounts/111111111111"} {
				_, _, body := ask(t, web.Handler(o), "GET", path)
				if strings.Contains(body, test.not) || !strings.Contains(body, test.says) || !strings.Contains(body, "4 findings need action") {
					t.Errorf("%s: want %q and 4 findings, and not %q in\n%s", path, test.says, test.not, body)
				}
			}
			_, _, body := ask(t, web.Handler(o), "GET", "/")
			if rows := findingsOf(t, body); len(rows) != test.rows || !slices.Contains(rows, "root_user_without_mfa root user") {
				t.Errorf("got rows %q, want %d with root", rows, test.rows)
			}
			if _, _, body := ask(t, web.Handler(o), "GET", "/?user=user-001"); len(findingsOf(t, body)) > 0 {
				t.Error("asked by name, the page tells of a hidden user")
			}
		})
	}
}

// FuzzAddress asks for pages by any address.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"", "rule=key_rotation", "user=a*&sort=-age", "owner=%3Cnone%3E", "page=99", "user=%zz;&&=", "account=(?i)[*&state=up"} {
		f.Add(seed)
	}
	o := options()
	o.View = someFindings()
	handler := web.Handler(o)
	f.Fuzz(func(t *testing.T, query string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		status, _, body := send(t, handler, r)
		if status != http.StatusOK || !strings.HasSuffix(body, "</html>\n") || len(body) > 100_000 {
			t.Fatalf("%q: got status %d, %d bytes", query, status, len(body))
		}
		for _, link := range regexp.MustCompile(`href="(\?[^"#]*)`).FindAllStringSubmatch(body, -1) {
			raw := strings.TrimPrefix(html.UnescapeString(link[1]), "?")
			if _, err := url.ParseQuery(raw); err != nil {
				t.Errorf("%q: link %q: %v", query, raw, err)
			}
		}
	})
}

// BenchmarkFindings shows the first page of so many findings, filtered and sorted.
func BenchmarkFindings(b *testing.B) {
	o := options()
	var accounts []*inventory.Snapshot
	for i := range 100 {
		accounts = append(accounts, whole(fmt.Sprintf("%012d", i), 3000, 100*24*time.Hour))
	}
	o.View = under(policy.WithLimits(policy.DefaultLimits()), accounts...)
	handler := web.Handler(o)
	for _, query := range []string{"", "?sort=user", "?user=*99"} {
		b.Run("findings=300000/query="+query, func(b *testing.B) {
			for b.Loop() {
				r, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "/"+query, nil)
				handler.ServeHTTP(discard{}, r)
			}
		})
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// TestEqualFindingsAboutRoot has three accounts whose root users have no MFA device, of
// which one has an owner. The page folds these findings, unless somebody looks for them.
func TestEqualFindingsAboutRoot(t *testing.T) {
	p := policy.WithLimits(policy.DefaultLimits())
	p.OwnerTags = []string{"Owner"}
	var accounts []*inventory.Snapshot
	for i, id := range []string{"111111111111", "222222222222", "333333333333"} {
		s := whole(id, 1, 100*24*time.Hour)
		s.Root.MFA, s.Root.Created = inventory.Observe(false, now), now.Add(-time.Duration(1000-i)*24*time.Hour)
		accounts = append(accounts, s)
	}
	o := options()
	o.View = under(p, accounts...)
	const root, key = "root_user_without_mfa root user ", "key_rotation user-000 "
	for query, want := range map[string]struct {
		rows []string
		says string
	}{
		"":                            {[]string{root + "111111111111", key + "111111111111", key + "222222222222", key + "333333333333"}, `<small>111111111111</small></a> <a href="?rule=root_user_without_mfa#findings">and 2 more accounts</a></td>`},
		"?rule=root_user_without_mfa": {[]string{root + "111111111111", root + "222222222222", root + "333333333333"}, "3 findings, of 6 rows; worst first."},
		"?sort=since":                 {[]string{root + "111111111111", root + "222222222222", root + "333333333333", key + "111111111111", key + "222222222222", key + "333333333333"}, "6 findings; oldest finding first."},
	} {
		_, _, body := ask(t, web.Handler(o), "GET", "/"+query)
		if diff := cmp.Diff(want.rows, findingsOf(t, body)); diff != "" {
			t.Errorf("%q: rows (-want +got):\n%s", query, diff)
		}
		if !strings.Contains(body, want.says) {
			t.Errorf("%q: page lacks %s in\n%s", query, want.says, sectionOf(t, body, "Findings"))
		}
	}
}

// TestOldestOfEqualFindings has one row for the root keys of three accounts: that of the
// oldest, though another account has the worst finding of all.
func TestOldestOfEqualFindings(t *testing.T) {
	const day = 24 * time.Hour
	var accounts []*inventory.Snapshot
	for i, id := range []string{"111111111111", "222222222222", "333333333333"} {
		s := whole(id, 1, 10*day)
		s.Root.MFA, s.Root.Created = inventory.Observe(i > 0, now), now.Add(-1000*day)
		s.Root.KeyPresent = inventory.Observe(true, now)
		s.Root.Keys = inventory.Observe([]inventory.AccessKey{{Status: inventory.Active, Created: now.Add(-time.Duration(100*(i+1)) * day)}}, now)
		accounts = append(accounts, s)
	}
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), accounts...)
	_, _, body := ask(t, web.Handler(o), "GET", "/")
	want := []string{"root_user_without_mfa root user 111111111111", "root_access_key root user 333333333333"}
	if diff := cmp.Diff(want, findingsOf(t, body)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestSinceBounds says of a time that is but a bound on which side it is.
func TestSinceBounds(t *testing.T) {
	const day = 24 * time.Hour
	s := whole("111111111111", 1, 100*day)
	s.Users[0].Console, s.Users[0].MFA = inventory.Observe(true, now), inventory.Observe(false, now)
	s.Root.MFA = inventory.Observe(false, now.Add(-time.Hour))
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), s)
	since := regexp.MustCompile(`</b> <code>(\w+)</code>.*data-label="Since"><time [^>]*>[^<]*</time> <small>([^<]*)</small>`)
	got := map[string]string{}
	_, _, body := ask(t, web.Handler(o), "GET", "/")
	for _, cells := range since.FindAllStringSubmatch(body, -1) {
		got[cells[1]] = cells[2]
	}
	want := map[string]string{ // of root, nothing tells
		"console_user_without_mfa":      "at most 100 days",
		"console_user_with_active_keys": "at most 100 days", "key_rotation": "10 days",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("since (-want +got):\n%s", diff)
	}
}

// TestDue says to the minute only what is due within a day.
func TestDue(t *testing.T) {
	const day = 24 * time.Hour
	for age, want := range map[time.Duration]string{
		80 * day:                `">2026-06-11</time> <small>due in 10 days</small>`,
		89*day + time.Second:    `">2026-06-02 11:59</time> <small>due in 23 hours</small>`,
		90*day - 30*time.Minute: `">2026-06-01 12:30</time> <small>due in 30 minutes</small>`,
	} {
		o := options()
		o.View = under(policy.WithLimits(policy.DefaultLimits()), whole("111111111111", 1, age))
		if _, _, body := ask(t, web.Handler(o), "GET", "/"); !strings.Contains(body, want) {
			t.Errorf("a key of %s: lacks %s in\n%s", age, want, sectionOf(t, body, "Findings"))
		}
	}
}

// TestUndatedFinding shows a violation whose beginning nothing tells.
func TestUndatedFinding(t *testing.T) {
	s := whole("111111111111", 1, time.Hour)
	s.Root.Keys = inventory.Observe([]inventory.AccessKey{{Status: inventory.Active}}, now)
	s.Root.KeyPresent = inventory.Observe(true, now)
	s.Root.Created = time.Time{}
	o := options()
	o.View = under(policy.WithLimits(policy.DefaultLimits()), s)
	_, _, body := ask(t, web.Handler(o), "GET", "/")
	if !strings.Contains(body, `<td data-label="Since">not known</td>`) || strings.Contains(body, "0001-01-01") {
		t.Errorf("the page has no word that the beginning is not known, in\n%s", body)
	}
}
