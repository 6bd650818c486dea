package collector_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

var update = flag.Bool("update", false, "rewrite the golden files and docs/metrics.md")

const day = 24 * time.Hour

// now is the time of the scrapes; facts were observed a while before.
var (
	now      = time.Date(2026, 11, 20, 12, 34, 56, 0, time.UTC)
	live     = now.Add(-5 * time.Minute)
	reported = now.Add(-3 * time.Hour)
)

func ago(d time.Duration) time.Time { return now.Truncate(time.Hour).Add(-d) }

func key(id string, status inventory.Status, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: status, Created: created}
}

func used(k inventory.AccessKey, use inventory.Use) inventory.AccessKey {
	k.LastUse = inventory.Observe(use, reported)
	return k
}

func user(name string, created time.Time) inventory.User {
	return inventory.User{
		ID: "AIDA" + strings.ToUpper(name), Name: name, Path: "/",
		ARN: "arn:aws:iam::111122223333:user/" + name, Created: created,
	}
}

// full is a user about whom everything is known.
func full(name string, created time.Time, console, mfa bool, keys ...inventory.AccessKey) inventory.User {
	u := user(name, created)
	u.Keys = inventory.Observe(keys, live)
	u.Console = inventory.Observe(console, reported)
	u.MFA = inventory.Observe(mfa, reported)
	return u
}

func account(id string, users ...inventory.User) *inventory.Snapshot {
	return &inventory.Snapshot{
		Account: inventory.Account{ID: id, Name: "production", Partition: "aws", OUPath: "o-1/r-1/ou-1/"},
		Users:   users,
		Health:  inventory.Health{State: inventory.StateUp, Refreshes: 7, Finished: 7, Duration: 1500 * time.Millisecond},
	}
}

// settled says that every group has been known for every user, but for the
// tags, which nobody has asked for.
func settled(s *inventory.Snapshot) *inventory.Snapshot {
	s.Freshness = map[inventory.Group]inventory.Freshness{}
	s.Complete = map[inventory.Group]bool{}
	for _, g := range inventory.Groups() {
		if g != inventory.GroupTags {
			s.Freshness[g] = inventory.Freshness{Observed: reported, Stale: reported.Add(9 * time.Hour)}
			s.Complete[g] = true
		}
	}
	return s
}

func everything() *inventory.Snapshot {
	s3 := inventory.Use{At: ago(day), Service: "s3"}
	ec2 := inventory.Use{At: ago(60 * day), Service: "ec2", Region: "eu-central-1"}
	alice := full("alice", ago(400*day), true, true)
	alice.PasswordUse = inventory.Observe(inventory.Use{At: ago(2 * day)}, live)
	bob := full("bob", ago(100*day), true, false,
		used(key("AKIABOB0000000000001", inventory.Active, ago(100*day)), inventory.Use{}))
	bob.PasswordCreated = inventory.Observe(ago(99*day), live)
	bob.PasswordUse = inventory.Observe(inventory.Use{}, live)
	deploy := full("deploy", ago(2000*day), false, false,
		used(key("AKIADEPLOY0000000001", inventory.Active, ago(1999*day)), ec2),
		used(key("AKIADEPLOY0000000002", inventory.Active, ago(80*day)), s3),
		used(key("AKIADEPLOY0000000003", inventory.Expired, ago(40*day)), s3))
	deploy.PasswordUse = inventory.Observe(inventory.Use{At: ago(1000 * day)}, live)
	retired := full("retired", ago(500*day), false, false,
		used(key("AKIARETIRED000000001", inventory.Inactive, ago(450*day)), inventory.Use{}))

	bob = tagged(bob, "Owner", "ops", "AKIABOB0000000000001", "the old laptop")
	deploy = tagged(deploy, "kind", "robot")

	s := withTags(settled(account("111122223333", tagged(alice), bob, deploy, retired)))
	s.Health.Saved = live
	s.Root = inventory.Root{
		Created:    ago(3000 * day),
		KeyPresent: inventory.Observe(true, reported),
		Keys: inventory.Observe([]inventory.AccessKey{
			used(key("created-root", inventory.Active, ago(2900*day)), inventory.Use{At: ago(700 * day)}),
			used(key("created-root-2", inventory.Inactive, ago(2800*day)), s3),
		}, reported),
		Console:     inventory.Observe(true, reported),
		MFA:         inventory.Observe(true, reported),
		PasswordUse: inventory.Observe(inventory.Use{At: ago(300 * day)}, reported),
	}
	s.Report = inventory.Report{Wanted: true, Usable: true, Generated: reported}
	s.Health.Errors = map[inventory.Reason]uint64{inventory.ReasonThrottled: 3}
	return s
}

// fromReport is an account known by its credential report alone, but for tags.
func fromReport() *inventory.Snapshot {
	bob := full("bob", ago(100*day), true, true,
		used(key("created-2026-08-12T12:00:00Z-a", inventory.Active, ago(100*day)), inventory.Use{At: ago(day), Service: "iam"}),
		used(key("created-2026-08-12T12:00:00Z-b", inventory.Active, ago(100*day)), inventory.Use{}))
	bob.MaybeMoreKeys = true
	s := withTags(settled(account("111122223333", tagged(bob, "AKIAXXXXXXXXXXXA1234", "whose key this is, no report tells"))))
	s.Report = inventory.Report{Wanted: true, Generated: reported}
	return s
}

func pending() *inventory.Snapshot {
	return &inventory.Snapshot{Health: inventory.Health{State: inventory.StatePending, Refreshes: 1}}
}

// knownByID is an account that AWS has not told us about yet.
func knownByID(id string, state inventory.State) *inventory.Snapshot {
	return &inventory.Snapshot{Account: inventory.Account{ID: id}, Health: inventory.Health{State: state, Refreshes: 1}}
}

// partly is an account whose keys may not be read, and of whose root only the
// presence of a key is known.
func partly() *inventory.Snapshot {
	carol := user("carol", ago(10*day))
	carol.Console = inventory.Observe(true, reported)
	dave := user("dave", ago(10*day))
	dave.Console = inventory.Observe(false, reported)
	eve := full("eve", ago(10*day), true, true, key("AKIAEVE0000000000001", inventory.Active, ago(9*day)))
	s := account("444455556666", carol, dave, eve)
	s.Freshness = map[inventory.Group]inventory.Freshness{
		inventory.GroupUsers:   {Observed: live, Stale: live.Add(time.Hour)},
		inventory.GroupConsole: {Observed: reported},
	}
	s.Complete = map[inventory.Group]bool{inventory.GroupUsers: true, inventory.GroupConsole: true}
	s.Root.KeyPresent = inventory.Observe(true, live)
	s.Health.State, s.Health.Unsaved = inventory.StateDown, true
	s.Health.Errors = map[inventory.Reason]uint64{inventory.ReasonDenied: 12}
	s.Health.Problems = []inventory.Problem{{Reason: inventory.ReasonDenied}, {Reason: inventory.ReasonNetwork}, {Reason: inventory.ReasonDenied, User: "carol"}}
	return s
}

// odd holds what AWS would not send, and an exposition could not carry.
func odd() *inventory.Snapshot {
	return settled(account("111122223333",
		tagged(full("a\xfe", ago(day), false, false, key("AKIA\xff", inventory.Active, ago(day))), "odd", "\"\n\\\xff"),
		full("a\xff", ago(day), false, false, key("AKIA\xff", inventory.Status("new"), now.Add(time.Hour)))))
}

// collide is a user whose keys end alike.
func collide() *inventory.Snapshot {
	bob := full("bob", ago(100*day), false, false,
		key("AKIAXXXXXXXXXXXA1234", inventory.Active, ago(100*day)),
		key("AKIAXXXXXXXXXXXB1234", inventory.Active, ago(100*day)),
		key("AKIAXXXXXXXXXXXX5678", inventory.Inactive, ago(100*day)),
		key("created-2026-08-12T12:00:00Z", inventory.Active, ago(100*day)))
	return withTags(settled(account("111122223333", tagged(bob, "AKIAXXXXXXXXXXXA1234", "the laptop", "AKIAXXXXXXXXXXXX5678", "the \"old\" server"))))
}

// scene is what a collector serves, and how.
type scene struct {
	policy    *policy.Policy // the default limits for everybody, if nil
	reload    view.Reload
	ids       view.KeyIDFormat
	noAge     bool
	noUsers   bool
	share     bool
	snapshots []*inventory.Snapshot
	watchlist watchlist.List
	notListed string
}

func (sc scene) view() *view.View {
	p := sc.policy
	if p == nil {
		p = policy.WithLimits(policy.DefaultLimits())
	}
	accounts := map[string]*inventory.Snapshot{}
	for i, s := range sc.snapshots {
		accounts[fmt.Sprintf("%06d", i)] = s
	}
	v := view.Of(p, sc.reload, accounts, now)
	v.Watchlist, v.NotListed = sc.watchlist, sc.notListed
	return v
}

// comingAndGoing is the watchlist of an organization: one account was taken out, one is
// back, and one is to be forgotten.
func comingAndGoing() watchlist.List {
	return watchlist.List{OrganizationID: "o-a1b2c3d4e5", Listed: ago(time.Hour), Removals: []watchlist.Removal{
		{AccountID: "111122223333", Reason: watchlist.Closed, At: ago(day)},
		{AccountID: "222233334444", Reason: watchlist.LeftOrganization, At: ago(34 * day)},
		{AccountID: "333344445555", Reason: watchlist.Excluded, At: ago(watchlist.Memory)},
	}}
}

// undatedRoot is an account whose root user has a key and no MFA device, since nobody knows
// when.
func undatedRoot() *inventory.Snapshot {
	s := rootOnly()
	s.Root.Created, s.Root.MFA = time.Time{}, inventory.Observe(false, reported)
	s.Root.Keys = inventory.Observe([]inventory.AccessKey{used(key("created-root", inventory.Active, time.Time{}), inventory.Use{})}, reported)
	return s
}

// rootOnly is an account of which nothing is known but root: the users could not be
// listed.
func rootOnly() *inventory.Snapshot {
	s := everything()
	s.Users = nil
	s.Freshness = map[inventory.Group]inventory.Freshness{inventory.GroupRoot: s.Freshness[inventory.GroupRoot]}
	s.Complete = nil
	return s
}

// suspended is an account that its organization has suspended.
func suspended() *inventory.Snapshot {
	s := everything()
	s.Health.State, s.Account.State = inventory.StateSuspended, "suspended"
	for group, fresh := range s.Freshness {
		s.Freshness[group] = inventory.Freshness{Observed: fresh.Observed}
	}
	return s
}

func (sc scene) build() *collector.Collector {
	v := sc.view()
	return sc.over(func() *view.View { return v })
}

// over returns a collector of the view, with this scene's options.
func (sc scene) over(current func() *view.View) *collector.Collector {
	return collector.New(sc.options(), source(current))
}

// source returns the view, and some calls.
func source(current func() *view.View) collector.Source {
	return collector.Source{
		View: current,
		API: func() []inventory.Calls {
			return []inventory.Calls{
				{Service: "iam", Operation: "ListUsers", Requests: 9, Errors: 2, Throttles: 1},
				{Service: "sts", Operation: "GetCallerIdentity", Requests: 1},
			}
		},
	}
}

func (sc scene) options() collector.Options {
	return collector.Options{
		Now:          func() time.Time { return now },
		AccessKeyIDs: sc.ids,
		KeyAge:       !sc.noAge,
		Users:        !sc.noUsers,
		Share:        sc.share,
	}
}

// render returns what is rendered of the scene, and the library's text of the same.
func (sc scene) render(tb testing.TB) (rendered, library string) {
	tb.Helper()
	r := collector.NewRenderer(sc.options())
	v := sc.view().RenderedBy(r.Rendering())
	return served(tb, r.Page(v)), libraryText(tb, collector.OfView(sc.options(), source(func() *view.View { return v })))
}

func of(snapshots ...*inventory.Snapshot) []*inventory.Snapshot { return snapshots }

func scenes() map[string]scene {
	unnamed := pending()
	unnamed.Health.State = inventory.StateDown
	return map[string]scene{
		"everything":         {snapshots: of(everything()), policy: everyPolicy(), reload: reloaded()},
		"pending":            {snapshots: of(pending())},
		"partly":             {snapshots: of(partly())},
		"root-only":          {snapshots: of(rootOnly())},
		"share":              {snapshots: of(exempted()), policy: exemptions(), share: true},
		"report":             {snapshots: of(fromReport()), policy: describing(), ids: view.KeyIDSuffix},
		"suffix":             {snapshots: of(collide()), policy: describing(), ids: view.KeyIDSuffix},
		"no-age":             {snapshots: of(collide()), noAge: true},
		"two-accounts":       {snapshots: of(everything(), partly())},
		"known-by-id":        {snapshots: of(knownByID("444455556666", inventory.StatePending), knownByID("777788889999", inventory.StateDown))},
		"two-unnamed":        {snapshots: of(pending(), unnamed)},
		"odd":                {snapshots: of(odd()), policy: oddTags(), ids: view.KeyIDSuffix},
		"none":               {},
		"classes":            {snapshots: of(classed()), policy: classes()},
		"owners":             {snapshots: of(owned()), policy: owners()},
		"account-tags":       {snapshots: of(ownedAccount(), partly()), policy: accountTags()},
		"exemptions":         {snapshots: of(exempted()), policy: exemptions()},
		"exemptions-unknown": {snapshots: of(exempted(), pending()), policy: exemptions()},
		"hidden":             {snapshots: of(private()), policy: hiding()},
		"only":               {snapshots: of(private()), policy: including()},
		"no-users":           {snapshots: of(everything(), private()), policy: rootExempted(), noUsers: true},
		"organization":       {snapshots: of(suspended()), watchlist: comingAndGoing()},
		"not-listed":         {watchlist: comingAndGoing(), notListed: "denied"},
		"root-undated":       {snapshots: of(undatedRoot())},
		"reload-failed":      {reload: view.Reload{Wanted: true, At: live}},
	}
}

func TestExposition(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(scene.build())
			path := filepath.Join("testdata", name+".prom")
			if *update {
				write(t, path, encode(t, registry))
			}
			golden, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer golden.Close()
			if err := testutil.GatherAndCompare(registry, golden); err != nil {
				t.Error(err)
			}
			problems, err := testutil.GatherAndLint(registry)
			if err != nil || len(problems) > 0 {
				t.Errorf("GatherAndLint = %v, %v", problems, err)
			}
		})
	}
}

// TestEveryMetricIsServed holds the goldens to the table: a metric that no case
// serves is not tested, and one that no row describes is not documented.
func TestEveryMetricIsServed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(scene{snapshots: of(everything(), partly()), policy: everyPolicy(), reload: reloaded(), watchlist: comingAndGoing()}.build())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var served, described []string
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			if !strings.HasPrefix(l.GetName(), "tag_") { // only the configuration knows these
				labels = append(labels, l.GetName())
			}
		}
		served = append(served, fmt.Sprint(f.GetName(), strings.ToLower(f.GetType().String()), f.GetHelp(), labels))
	}
	for _, m := range collector.Metrics() {
		if m.Name != "aws_iam_exporter_build_info" {
			labels := slices.Sorted(slices.Values(m.Labels))
			described = append(described, fmt.Sprint(m.Name, m.Type, m.Help, labels))
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("-described +served:\n%s", diff)
	}
}

func TestAgeBands(t *testing.T) {
	tests := []struct {
		age  time.Duration
		want string
	}{
		{-time.Hour, "0-30d"},
		{0, "0-30d"},
		{30 * day, "0-30d"},
		{30*day + time.Second, "30-45d"},
		{45 * day, "30-45d"},
		{45*day + time.Second, "45-90d"},
		{90 * day, "45-90d"},
		{90*day + time.Second, "90-180d"},
		{180 * day, "90-180d"},
		{180*day + time.Second, "180-365d"},
		{365 * day, "180-365d"},
		{365*day + time.Second, "1-2y"},
		{730 * day, "1-2y"},
		{730*day + time.Second, "2-5y"},
		{1825 * day, "2-5y"},
		{1825*day + time.Second, "5y+"},
		{20000 * day, "5y+"},
	}
	for _, tt := range tests {
		t.Run(tt.age.String(), func(t *testing.T) {
			s := settled(account("111122223333", full("bob", ago(0), false, false, key("a", inventory.Active, now.Add(-tt.age)))))
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(scene{snapshots: of(s)}.build())
			want := fmt.Sprintf(`aws_iam_account_access_keys{account_id="111122223333",age_band=%q,status="active"} 1`, tt.want)
			if got := string(encode(t, registry)); !strings.Contains(got, want+"\n") {
				t.Errorf("want %s", want)
			}
		})
	}
}

func encode(tb testing.TB, g prometheus.Gatherer) []byte {
	tb.Helper()
	var b bytes.Buffer
	families, err := g.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	encoder := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// crowd is an account of n users with three active keys to two of them, and a
// tenth with console access.
func crowd(n int) *inventory.Snapshot {
	var users []inventory.User
	for i := range n {
		keys := []inventory.AccessKey{
			used(key(fmt.Sprintf("AKIA%016d", 2*i), inventory.Active, ago(time.Duration(i%200)*day)),
				inventory.Use{At: ago(day), Service: "s3", Region: "eu-central-1"}),
		}
		if i%2 == 0 {
			keys = append(keys, used(key(fmt.Sprintf("AKIA%016d", 2*i+1), inventory.Active, ago(day)), inventory.Use{}))
		}
		users = append(users, full(fmt.Sprintf("user-%06d", i), ago(300*day), i%10 == 0, true, keys...))
	}
	return settled(account("111122223333", users...))
}
