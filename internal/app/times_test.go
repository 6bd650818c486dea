package app

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// element gives every element of that name in an answer another text.
func element(name, value string) awssim.Change {
	return func(_ url.Values, answer string) string { return awssim.Element(answer, name, value) }
}

// dated answers what is so under dates that are so far ahead: those of the
// first, third, fifth … call of each operation.
func dated(ahead time.Duration) func(*exporter) hook {
	return func(e *exporter) hook { return everyOther(e.world.LieAboutDate(ahead))(e) }
}

// timeFaults are those in which AWS tells times that cannot be.
func timeFaults() []fault {
	const (
		auto, report, live = awsapi.SourceAuto, awsapi.SourceReport, awsapi.SourceLive
		future, past       = "2999-01-01T00:00:00Z", "1960-01-01T00:00:00Z"
	)
	asked := []awsapi.Source{auto, live}
	malformed := []inventory.Reason{inventory.ReasonMalformed}
	stale := func(groups ...inventory.Group) map[awsapi.Source][]inventory.Group {
		return map[awsapi.Source][]inventory.Group{auto: groups, live: groups}
	}
	return []fault{
		{name: "half the dates a day ahead", hook: dated(day), up: true},
		{name: "half the dates an hour behind", hook: dated(-time.Hour), up: true},
		{
			name: "report of next year", sources: []awsapi.Source{auto, report}, up: true,
			hook: reports(fixed(generateAnswer("COMPLETE")), newestReport(same, 365*day)),
		},
		{name: "keys made in 2999", sources: asked, hook: lie(element("CreateDate", future), "ListAccessKeys"), stale: stale(inventory.GroupKeys, inventory.GroupKeyUse), reasons: malformed},
		{name: "keys made in 1960", sources: asked, hook: lie(element("CreateDate", past), "ListAccessKeys"), stale: stale(inventory.GroupKeys, inventory.GroupKeyUse), reasons: malformed},
		{name: "keys used in 2999", sources: asked, hook: lie(element("LastUsedDate", future), "GetAccessKeyLastUsed"), stale: stale(inventory.GroupKeyUse), reasons: malformed},
		{name: "keys used in 1960", sources: asked, hook: lie(element("LastUsedDate", past), "GetAccessKeyLastUsed"), stale: stale(inventory.GroupKeyUse), reasons: malformed},
		{name: "users made in 2999", sources: asked, hook: lie(element("CreateDate", future), "ListUsers"), reasons: malformed},
		{name: "sign-ins of 2999", sources: asked, hook: lie(element("PasswordLastUsed", future), "ListUsers"), reasons: malformed},
		{name: "passwords set in 2999", sources: []awsapi.Source{live}, hook: lie(element("CreateDate", future), "GetLoginProfile"), stale: stale(inventory.GroupConsole), reasons: malformed},
	}
}

// TestTimesThatCannotBe has each of them last for a day.
func TestTimesThatCannotBe(t *testing.T) {
	eachFault(t, timeFaults(), func(*exporter) {})
}

// TestADayAheadForAMoment has AWS's dates go a day ahead for one refresh. What
// changes after it must be seen as soon as ever, also after a restart.
func TestADayAheadForAMoment(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		dir := filepath.Join(t.TempDir(), "state")
		args := []string{"--iam.source=" + string(source), "--state.dir=" + dir}
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, args...)
		time.Sleep(4*time.Hour + 10*time.Minute - time.Second) // a report is due within the refresh
		before := e.scrape()
		world.SetFault(func(string, int) http.HandlerFunc { return world.LieAboutDate(day) })
		time.Sleep(4 * time.Second)
		world.SetFault(nil)
		x := e.scrape()
		sameBut(t, before.facts(), x.facts())
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up: got %v, want 1", up)
		}
		mustNotBeOfTheFuture(t, x)

		b := builder{t, world, time.Now()}
		b.console("bobby", 0, true)             // beside an active key
		check(t, world.RemovePassword("carol")) // whose key was made at user setup
		e.stop()
		e = start(t, world, args...)
		time.Sleep(4*time.Hour + 30*time.Minute)
		x = e.scrape()
		if !x.finds("console_user_with_active_keys", "bobby") {
			t.Error("bobby's password beside a key: no finding")
		}
		if x.finds("key_created_at_user_setup", "carol") {
			t.Error("carol's key, without a password by now: still a finding")
		}
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up afterwards: got %v, want 1", up)
		}
	})
}

// TestAgesGrowWhileAWSIsSilent has the age of each key grow as each minute begins,
// although no refresh succeeds.
func TestAgesGrowWhileAWSIsSilent(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, "--iam.source="+string(source), configured(source), keyAge)
		time.Sleep(10*time.Minute + 30*time.Second)
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		const ages = "aws_iam_access_key_age_seconds"
		want := e.scrape().only(ages)
		if len(want) == 0 {
			t.Fatal("no age is served")
		}
		for range 60 {
			time.Sleep(time.Minute)
			for key := range want {
				want[key] += 60
			}
			if diff := gocmp.Diff(want, e.scrape().only(ages)); diff != "" {
				t.Fatalf("at %s (-want +served):\n%s", time.Now(), diff)
			}
		}
	})
}

// mustNotBeOfTheFuture looks at the times at which facts are said to be observed.
func mustNotBeOfTheFuture(t *testing.T, x exposition) {
	t.Helper()
	for series, at := range x.observed() {
		if limit := float64(time.Now().Add(time.Minute).Unix()); at > limit {
			t.Errorf("%s: got %v, which is to come", series, at)
		}
	}
}

// TestClocksThatAreSet has AWS's clock, or that of something in between, go wrong
// for ten hours, and right again: nothing is lost, and nothing is said to be
// wrong.
func TestClocksThatAreSet(t *testing.T) {
	for name, step := range map[string]time.Duration{"ahead": 6 * time.Hour, "behind": -6 * time.Hour} {
		for _, proxy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, proxy %t", name, proxy), func(t *testing.T) {
				eachSource(t, func(t *testing.T, source awsapi.Source) { testClockThatIsSet(t, source, step, proxy) })
			})
		}
	}
}

func testClockThatIsSet(t *testing.T, source awsapi.Source, step time.Duration, proxy bool) {
	var ahead atomic.Int64 // of this clock, in nanoseconds; answers are made while it is set
	world := town(t, time.Now(), awssim.Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	e := start(t, world, "--iam.source="+string(source), "--iam.refresh-interval=20m")
	time.Sleep(time.Hour)
	before := e.scrape()
	mustBeWell := func(when string) exposition {
		t.Helper()
		x := e.scrape()
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			_, page := e.get("/")
			t.Fatalf("%s: up is %v, want 1; %s", when, up, page)
		}
		for series := range before.only("aws_iam_access_key_created", "aws_iam_user_access_keys", "aws_iam_user_console_access", "aws_iam_access_key_used") {
			if _, served := x[series]; !served {
				t.Fatalf("%s: %s is lost", when, series)
			}
		}
		return x
	}
	if proxy {
		world.SetFault(func(string, int) http.HandlerFunc { return world.LieAboutDate(step) })
	} else {
		ahead.Store(int64(step))
	}
	for range 15 {
		time.Sleep(40 * time.Minute)
		mustBeWell("set")
	}
	users := mustBeWell("set for long").observed()[`aws_iam_account_facts_observed_timestamp_seconds{account_id="123456789012",facts="users"}`]
	if now := float64(time.Now().Add(step).Unix()); source != awsapi.SourceReport && (users > now+60 || users < now-1200) {
		t.Errorf("users observed at %v, want it of late by the dates that AWS gives, %v", users, now)
	}
	world.SetFault(nil)
	ahead.Store(0)
	for range 15 {
		time.Sleep(40 * time.Minute)
		mustBeWell("set back")
	}
	mustNotBeOfTheFuture(t, mustBeWell("set back for long"))
}

// TestPoisonedStateHeals starts with facts that another process took from lies:
// observed tomorrow, of keys used in 2999.
func TestPoisonedStateHeals(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		dir := filepath.Join(t.TempDir(), "state")
		args := []string{"--iam.source=" + string(source), "--state.dir=" + dir}
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, args...)
		time.Sleep(time.Hour)
		before := e.scrape()
		e.stop()
		poison(t, dir)

		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })
		e = start(t, world, args...)
		time.Sleep(time.Minute)
		if x := e.scrape(); len(x.find("aws_iam_user_access_keys")) == 0 {
			t.Error("while AWS is silent: no keys, want those that were kept")
		}
		world.SetFault(nil)
		time.Sleep(90 * time.Minute)
		x := e.scrape()
		sameBut(t, before.facts(), x.facts())
		mustNotBeOfTheFuture(t, x)
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up afterwards: got %v, want 1", up)
		}
	})
}

// poison has everything in the only state file be observed tomorrow, and every
// key and password be used in 2999.
func poison(t *testing.T, dir string) {
	t.Helper()
	store := must[*state.Store](t)(state.Open(dir))
	kept := must[*inventory.Snapshot](t)(store.Sole())
	tomorrow, future := time.Now().Add(day).UTC().Truncate(time.Second), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	kept.Freshness[inventory.GroupUsers] = inventory.Freshness{Observed: tomorrow}
	for i := range kept.Users {
		user := &kept.Users[i]
		keys, _ := user.Keys.Get()
		for k := range keys {
			keys[k].LastUse = inventory.Observe(inventory.Use{At: future}, tomorrow)
		}
		user.Keys = inventory.Observe(keys, tomorrow)
		user.PasswordUse = inventory.Observe(inventory.Use{At: future}, tomorrow)
		if console, known := user.Console.Get(); known {
			user.Console = inventory.Observe(console, tomorrow)
		}
	}
	check(t, store.Save(kept))
}

// TestOneImpossibleUser has AWS tell of one user what cannot be: everybody else
// is as ever, and the user's last facts stay.
func TestOneImpossibleUser(t *testing.T) {
	twins := newTwins()
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		if source == awsapi.SourceReport {
			return // whose rows are another test's
		}
		began, twin := time.Now(), twins[source]
		world := town(t, began, awssim.Options{})
		e := start(t, world, faultArgs(source)...)
		time.Sleep(10 * time.Minute)
		before, was := e.scrape(), twin.truth(t, began)
		between(t, "before", was, before, was)
		world.SetFault(lie(awssim.Members(func(members []string) []string {
			for i, member := range members {
				if strings.Contains(member, "<UserName>bob</UserName>") {
					members[i] = awssim.Element(member, "PasswordLastUsed", "2999-01-01T00:00:00Z")
					members[i] = awssim.Element(members[i], "CreateDate", "2999-01-01T00:00:00Z")
				}
			}
			return members
		}), "ListUsers")(e))
		time.Sleep(day)
		during, is := e.scrape(), twin.truth(t, began)
		between(t, "during", before, during, is)
		for series, value := range is.facts() {
			if !strings.Contains(series, `"bob"`) && during[series] != value {
				t.Errorf("during: %s is %v, want %v", series, during[series], value)
			}
		}
		_, page := e.get("/")
		if want := "user bob: created at 2999-01-01T00:00:00Z: expected a time between 1970 and now"; !strings.Contains(page, want) {
			t.Errorf("page: does not say %q", want)
		}
		if users := during.find("aws_iam_user_info", `user_name="bob"`); len(users) != 1 {
			t.Errorf("bob: got %v, want him as he was", users)
		}
		e.recover(twin, began)
	})
}

// TestWhatIsReadSoFar follows the first hour of an account that takes 10 minutes
// to read: nothing is called complete before everybody was read once, and users
// who come later change nothing.
func TestWhatIsReadSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := builder{t, awssim.New(awssim.Options{}), time.Now()}
		for i := range 600 {
			b.user(fmt.Sprintf("user%03d", i), "/", 30*day)
		}
		e := start(t, b.world, "--iam.source=live", "--iam.account-rate=2")
		mustBe := func(when string, unread float64, up, known bool, page string) {
			t.Helper()
			x := e.scrape()
			got, _ := x.value("aws_iam_account_unread_users")
			if diff := got - unread; diff < -40 || diff > 40 {
				t.Errorf("%s: unread users: got %v, want about %v", when, got, unread)
			}
			if value, served := x.value("aws_iam_account_up"); served != known || (value == 1) != up {
				t.Errorf("%s: up: got %v, served %t; want %t, %t", when, value, served, up, known)
			}
			if _, text := e.get("/"); !strings.Contains(text, page) {
				t.Errorf("%s: page: does not say %q", when, page)
			}
		}
		time.Sleep(61 * time.Second)
		mustBe("after a minute", 540, false, false, "users read, about 9 minutes to go")
		time.Sleep(5 * time.Minute)
		mustBe("after six minutes, in the second refresh", 240, false, false, "users read, about 4 minutes to go")
		time.Sleep(5 * time.Minute)
		mustBe("after eleven minutes", 0, true, true, "The last refresh got every fact it asked for.")
		b.user("new", "/", 0)
		b.world.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListAccessKeys" {
				return awssim.Hang()
			}
			return nil
		})
		time.Sleep(4*time.Minute + 5*time.Second) // the listing of the next refresh has come
		x := e.scrape()
		if n, _ := x.value("aws_iam_account_unread_users"); n != 1 {
			t.Errorf("unread users with a new one: got %v, want 1", n)
		}
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up with a new user who was not read yet: got %v, want 1", up)
		}
	})
}
