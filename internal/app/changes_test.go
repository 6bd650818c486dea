package app

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	console  = "console_user_with_active_keys"
	noMFA    = "console_user_without_mfa"
	unused   = "key_unused"
	neverUse = "console_key_never_used"

	// At the default intervals, what is asked live shows after a sweep and a
	// refresh; the rest after a report, and this test looks only once an hour by then.
	soon  = 65 * time.Minute
	later = 5 * time.Hour
)

// change is something that happens half an hour after a report was made.
type change struct {
	name   string
	do     func(b builder, world *awssim.World)
	within time.Duration
	// until says when the news has arrived.
	until func(exposition) bool
}

func keyOf(t *testing.T, world *awssim.World, user string, n int) string {
	t.Helper()
	u, found := world.User(user)
	if !found || len(u.Keys) <= n {
		t.Fatalf("user %s has no key %d", user, n)
	}
	return u.Keys[n].ID
}

func changes() []change {
	finds := func(rule, user string) func(exposition) bool {
		return func(x exposition) bool { return x.finds(rule, user) }
	}
	clears := func(rule, user string) func(exposition) bool {
		return func(x exposition) bool { return !x.finds(rule, user) }
	}
	return []change{
		{"a console user gets a key", func(b builder, w *awssim.World) { b.key("alice", 0, never) }, soon, finds(console, "alice")},
		{"a key holder gets a password and signs in", func(b builder, w *awssim.World) {
			b.console("judy", 0, true)
			check(b.t, w.SignIn("judy", b.now))
		}, soon, finds(console, "judy")},
		{"a key holder gets a password", func(b builder, w *awssim.World) { b.console("judy", 0, true) }, later, finds(console, "judy")},
		{"a new user breaks every rule of console users", func(b builder, w *awssim.World) {
			b.user("mallory", "/", 0)
			b.console("mallory", 0, false)
			b.key("mallory", 0, never)
		}, soon, func(x exposition) bool {
			return x.finds(console, "mallory") && x.finds(noMFA, "mallory") && x.finds(neverUse, "mallory") && x.finds("key_created_at_user_setup", "mallory")
		}},
		{"the key of a console user is deleted", func(b builder, w *awssim.World) {
			check(b.t, w.DeleteKey(keyOf(b.t, w, "carol", 0)))
		}, soon, clears(console, "carol")},
		{"the key of a console user is deactivated", func(b builder, w *awssim.World) {
			check(b.t, w.SetKeyStatus(keyOf(b.t, w, "carol", 0), types.StatusTypeInactive))
		}, soon, clears(console, "carol")},
		{"the password of a key holder is removed", func(b builder, w *awssim.World) { check(b.t, w.RemovePassword("carol")) }, soon, clears(console, "carol")},
		{"a key holder with a password gets an MFA device", func(b builder, w *awssim.World) {
			must[string](b.t)(w.AddMFA("bob", b.now))
		}, soon, clears(noMFA, "bob")},
		{"the second key is deleted", func(b builder, w *awssim.World) {
			check(b.t, w.DeleteKey(keyOf(b.t, w, "heidi", 0)))
		}, soon, clears("multiple_active_keys", "heidi")},
		{"an unused key is used", func(b builder, w *awssim.World) {
			check(b.t, w.UseKey(keyOf(b.t, w, "dave", 0), awssim.Use{At: b.now, Service: "s3"}))
		}, later, clears(unused, "dave")},
		{"a user is renamed", func(b builder, w *awssim.World) { check(b.t, w.RenameUser("heidi", "heidrun")) }, 5 * time.Minute, func(x exposition) bool {
			used, known := x.value("aws_iam_access_key_used", `user_name="heidrun"`, x.keyLabel("heidrun"))
			return known && used == 1 && x.finds("multiple_active_keys", "heidrun") && len(x.find("aws_iam_user_info", `user_name="heidi"`)) == 0
		}},
		{"a user gets an owner", func(b builder, w *awssim.World) {
			check(b.t, w.TagUser("dave", "Owner", "web"))
		}, soon, func(x exposition) bool {
			_, owned := x.value("aws_iam_user_info", `user_name="dave"`, `user_owner="web"`)
			return owned
		}},
		{"a user comes under another class", func(b builder, w *awssim.World) {
			check(b.t, w.UntagUser("bobby", "kind"))
		}, soon, func(x exposition) bool {
			_, other := x.value("aws_iam_user_info", `user_name="bobby"`, `class="default"`)
			return other
		}},
		{"a user is deleted", func(b builder, w *awssim.World) { check(b.t, w.DeleteUser("bob")) }, 5 * time.Minute, func(x exposition) bool {
			return !strings.Contains(fmt.Sprint(x.facts()), `user_name="bob"`)
		}},
	}
}

// keyLabel is the label of one of the user's keys.
func (x exposition) keyLabel(user string) string {
	for _, series := range slices.Sorted(maps.Keys(x.find("aws_iam_access_key_active", `user_name="`+user+`"`))) {
		label, _, _ := strings.Cut(series[strings.Index(series, "access_key_id="):], ",")
		return label
	}
	return "no key"
}

// TestChanges has auto see each change in time, at the default intervals, and
// take nothing back when the next reports come. AWS shows changes only after a
// while.
func TestChanges(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, c.test)
		})
	}
}

func (c *change) test(t *testing.T) {
	const delay = 2 * time.Minute
	world := town(t, time.Now(), awssim.Options{VisibilityDelay: delay})
	time.Sleep(delay)
	e := start(t, world, "--iam.source=auto", configured(awsapi.SourceAuto))
	time.Sleep(30*time.Minute + time.Second)
	if c.until(e.scrape()) {
		t.Fatal("the news is there before it happened")
	}
	c.do(builder{t, world, time.Now()}, world)
	happened, arrived := time.Now(), time.Duration(0)
	for i := range 24 { // until after the report after the next
		step := 5 * time.Minute
		if i >= 15 {
			step = time.Hour
		}
		time.Sleep(step)
		switch there := c.until(e.scrape()); {
		case there && arrived == 0:
			arrived = time.Since(happened)
		case !there && arrived != 0:
			t.Fatalf("the news came after %s and was taken back by %s", arrived, time.Since(happened))
		}
	}
	e.lint()
	if limit := c.within + delay + 5*time.Minute; arrived == 0 || arrived > limit {
		t.Errorf("the news came after %s (0s: never), want %s at most", arrived, limit)
	}
}

// TestUsedKeyIsNeverCalledUnused uses a key after the report that is still in
// force when the key would have been unused for too long.
func TestUsedKeyIsNeverCalledUnused(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, "--iam.source="+string(source), configured(source))
		time.Sleep(7*time.Hour + 50*time.Minute)
		check(t, world.UseKey(keyOf(t, world, "soon-idle", 0), awssim.Use{At: time.Now(), Service: "s3"}))
		for _, x := range e.watch(5*time.Hour, 15*time.Minute) {
			if x.finds(unused, "soon-idle") {
				t.Fatalf("the key is called unused at %s", time.Now())
			}
		}
	})
}

// TestRecreatedUserInheritsNothing replaces a user in violation by one of the same
// name without a password or key.
func TestRecreatedUserInheritsNothing(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, "--iam.source="+string(source), configured(source))
		time.Sleep(30*time.Minute + time.Second)
		check(t, world.DeleteUser("bob"))
		created := time.Now()
		builder{t, world, created}.user("bob", "/", 0)
		replaced := false
		for _, x := range e.watch(5*time.Hour, 15*time.Minute) {
			since, known := x.value("aws_iam_user_created_timestamp_seconds", `user_name="bob"`)
			if !known {
				t.Error("no user bob is served")
			}
			replaced = since == float64(created.Unix())
			if !replaced {
				continue
			}
			access, _ := x.value("aws_iam_user_console_access", `user_name="bob"`)
			if keys := x.find("aws_iam_access_key_active", `user_name="bob"`); access != 0 || len(keys) > 0 || x.finds(console, "bob") || x.finds(noMFA, "bob") {
				t.Errorf("the new bob inherits console access %v, keys %v", access, keys)
			}
		}
		if !replaced {
			t.Error("the new bob is not served after 5 hours")
		}
	})
}

// TestOldReportOverwritesNothing has a report come long after it was made, and
// a password go in between, which is seen live.
func TestOldReportOverwritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := town(t, time.Now(), awssim.Options{ReportDelay: 20 * time.Minute})
		e := start(t, world, "--iam.source=auto", configured(awsapi.SourceAuto), "--iam.keys-interval=5m")
		time.Sleep(4*time.Hour + 30*time.Second) // the second report is being made since 4:00
		if !e.scrape().finds(console, "carol") {
			t.Fatal("carol's key is not found")
		}
		time.Sleep(6 * time.Minute)
		check(t, world.RemovePassword("carol"))
		time.Sleep(6 * time.Minute)
		for _, x := range e.watch(time.Hour, time.Minute) {
			if x.finds(console, "carol") {
				t.Fatalf("carol's removed password is back at %s", time.Now())
			}
		}
	})
}

// TestManyUsers lists more users than fit into many pages.
func TestManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1100
		world := awssim.New(awssim.Options{Seed: 1, MaxPage: 37})
		b := builder{t, world, time.Now()}
		for i := range many {
			name := fmt.Sprintf("user-%04d", i)
			b.user(name, "/", 100*day)
			b.key(name, 10*day, day)
		}
		e := start(t, world, "--iam.source=auto", configured(awsapi.SourceAuto), "--iam.rate=1e4", "--iam.account-rate=1e4")
		time.Sleep(time.Minute)
		x := e.scrape()
		if users, _ := x.value("aws_iam_account_users"); users != many {
			t.Errorf("users: got %v, want %d", users, many)
		}
		if used := len(x.find("aws_iam_access_key_used")); used != many {
			t.Errorf("keys with known use: got %d, want %d", used, many)
		}
	})
}

// TestUserDeletedWhileRead deletes users between listing them and reading their keys.
func TestUserDeletedWhileRead(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		t.Run(string(source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := town(t, time.Now(), awssim.Options{})
				e := start(t, world, "--iam.source="+string(source), configured(source), "--metrics.access-key-id=suffix")
				time.Sleep(58 * time.Minute)
				before := e.scrape()
				gone := []string{"bob", "carol", "heidi", "svc+ci@example.com"}
				world.SetFault(func(operation string, n int) http.HandlerFunc {
					if operation == "ListAccessKeys" && n == 1 {
						for _, name := range gone {
							check(t, world.DeleteUser(name))
						}
					}
					return nil
				})
				time.Sleep(20 * time.Minute)
				x, is := e.scrape(), truth(t, world, source)
				between(t, "after the deletion", is, x, is)
				for _, reason := range inventory.Reasons() {
					if failures(x, reason) != 0 {
						t.Errorf("%s: %v failures are counted", reason, failures(x, reason))
					}
				}
				if up, _ := x.value("aws_iam_account_up"); up != 1 || world.Calls()["ListAccessKeys"] == 0 {
					t.Errorf("aws_iam_account_up is %v", up)
				}
				if lost := len(before.find("aws_iam_user_info")) - len(x.find("aws_iam_user_info")); lost != len(gone) {
					t.Errorf("%d users went, want %d", lost, len(gone))
				}
			})
		})
	}
}

// recorder notes which users AWS is asked about.
type recorder struct {
	http.RoundTripper
	mu    sync.Mutex
	asked map[string][]string // users by operation
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.asked[form.Get("Action")] = append(r.asked[form.Get("Action")], form.Get("UserName"))
	r.mu.Unlock()
	return r.RoundTripper.RoundTrip(request)
}

// take returns and forgets the users that the operation was asked about.
func (r *recorder) take(operation string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked[operation]
	delete(r.asked, operation)
	return asked
}

// TestFallback denies the report to auto for half a day.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := town(t, time.Now(), awssim.Options{})
		record := &recorder{RoundTripper: world.Transport(), asked: map[string][]string{}}
		e := startThrough(t, world, record, "--iam.source=auto", configured(awsapi.SourceAuto))
		usable := func() float64 {
			value, _ := e.scrape().value("aws_iam_account_credential_report_usable")
			return value
		}
		time.Sleep(time.Hour)
		if usable() != 1 {
			t.Fatal("the report is not usable although AWS has one")
		}
		world.SetFault(on(awssim.Error(403, "AccessDenied", "no"), "GenerateCredentialReport", "GetCredentialReport")(nil))
		time.Sleep(3*time.Hour + 20*time.Minute) // the report is 4:20 old: late, but good
		if usable() != 1 {
			t.Error("the report is not usable although it is recent")
		}
		record.take("GetLoginProfile")
		time.Sleep(20 * time.Minute)
		if usable() != 0 {
			t.Error("the report is usable although it is too old")
		}
		checkHoldersFirst(t, world, record.take("GetLoginProfile"))
		time.Sleep(9 * time.Hour)
		checkStale(t, e.scrape(), []inventory.Group{inventory.GroupRoot}) // only a report has the status of root's key

		world.SetFault(nil)
		time.Sleep(20 * time.Minute)
		calls := world.Calls()
		time.Sleep(2 * time.Hour)
		if usable() != 1 || world.Calls()["GetAccountSummary"] != calls["GetAccountSummary"] {
			t.Error("with a new report, auto still asks live")
		}
	})
}

// checkHoldersFirst checks that everybody was asked about, those with an active
// key before the others, except where calls ran at the same time.
func checkHoldersFirst(t *testing.T, world *awssim.World, asked []string) {
	t.Helper()
	const together = 4
	holders, others := 0, 0
	for _, user := range world.Users() {
		place := slices.Index(asked, user.Name)
		active := slices.ContainsFunc(user.Keys, func(k awssim.Key) bool { return k.Status == types.StatusTypeActive })
		switch {
		case place < 0:
			t.Errorf("user %s was not asked about", user.Name)
		case active:
			holders = max(holders, place)
		case others == 0 || place < others:
			others = place
		}
	}
	if holders >= others+together {
		t.Errorf("a user without active keys came before one with: %v", asked)
	}
}

// TestClockSkew sets the exporter's clock wrong in various ways: nothing may
// differ, not even the ages of keys.
func TestClockSkew(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			right := withClock(t, source, 0)
			for _, ahead := range []time.Duration{-3 * day, -2 * time.Hour, 2 * time.Hour, 3 * day} {
				if diff := gocmp.Diff(right, withClock(t, source, ahead)); diff != "" {
					t.Errorf("with a clock %s ahead (-right clock +wrong clock):\n%s", ahead, diff)
				}
			}
		})
	}
}

// withClock returns what an exporter whose clock is ahead of AWS's serves; the
// time is the same by AWS's clock, no matter what the exporter's shows.
func withClock(t *testing.T, source awsapi.Source, ahead time.Duration) (served exposition) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(4*day + ahead)
		awsNow := func() time.Time { return time.Now().Add(-ahead) }
		e := start(t, town(t, awsNow(), awssim.Options{Now: awsNow}), "--iam.source="+string(source), configured(source), keyAge, "--iam.refresh-interval=30m", "--iam.keys-interval=1h", "--iam.rate=1e6", "--iam.account-rate=1e6")
		time.Sleep(13*time.Hour + 30*time.Second) // three users come to be in violation, and no age is about to grow
		x := e.scrape()
		if !x.finds(unused, "soon-idle") {
			t.Error("soon-idle is not in violation")
		}
		served = x.facts()
		maps.Copy(served, x.only("aws_iam_account_access_keys", "aws_iam_access_key_age_seconds", "aws_iam_account_verdicts", "aws_iam_account_up", "aws_iam_account_facts_observed", "aws_iam_account_credential_report_usable"))
	})
	return served
}
