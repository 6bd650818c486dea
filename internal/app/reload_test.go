package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// configFile is a configuration file that a test rewrites.
type configFile struct {
	t    *testing.T
	name string
}

func newConfigFile(t *testing.T, content string) configFile {
	t.Helper()
	f := configFile{t, filepath.Join(t.TempDir(), "config.yml")}
	f.write(content)
	return f
}

func (f configFile) write(content string) {
	f.t.Helper()
	check(f.t, os.WriteFile(f.name, []byte(content), 0o600))
}

func (f configFile) flag() string { return "--config.file=" + f.name }

// post sends a POST and returns the status and body of the answer.
func (e *exporter) post(path string) (int, string) {
	answer := httptest.NewRecorder()
	e.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, nil))
	return answer.Code, answer.Body.String()
}

// taggedTown is the town where users have an owner tag for each of the names.
func taggedTown(t *testing.T, names ...string) *awssim.World {
	t.Helper()
	world := town(t, time.Now(), awssim.Options{})
	for _, user := range world.Users() {
		for _, name := range names {
			check(t, world.TagUser(user.Name, name, name+" owner of "+user.Name))
		}
	}
	return world
}

// branded is a configuration in which everything that can have a name has the
// brand in it.
func branded(brand string, days int) string {
	return fmt.Sprintf(`
policy:
  defaults: {max_key_age: %[2]dd}
  classes:
    - {name: %[1]s-people, match: {path: /people/*}, max_key_age: %[2]dd, max_key_idle: %[2]dd}
owner_tags: [%[1]s]
user_tags: [%[1]s]
exemptions:
  - {user: bob, rules: [console_user_without_mfa], reason: %[1]s, until: 2100-01-01}
`, brand, days)
}

// TestReloadUnderLoad reloads while many scrape. Each of them must be served,
// and be served one configuration.
func TestReloadUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reloads, scrapers, scrapes = 200, 4, 1000 // every other reload is refused
		brands := []string{"xylophone", "zebra"}
		file := newConfigFile(t, branded(brands[0], 100))
		world := awssim.New(awssim.Options{}) // a small one, for many scrapes
		b := builder{t, world, time.Now()}
		for _, user := range []string{"alice", "bob", "carol"} {
			b.user(user, "/people/", 300*day)
			b.key(user, 150*day, never)
			for _, brand := range brands {
				check(t, world.TagUser(user, brand, brand+" owner of "+user))
			}
		}
		b.console("bob", 300*day, false)
		e := start(t, world, file.flag())
		time.Sleep(10 * time.Minute)
		synctest.Wait()

		wanted := brandCounts(t, e, brands)
		served, done := make(chan string), make(chan struct{})
		var group sync.WaitGroup
		for range scrapers {
			group.Go(func() {
				for {
					select {
					case served <- oneBrand(e, brands, wanted):
					case <-done:
						return
					}
				}
			})
		}
		for i := range reloads {
			brand, nonsense := brands[i/2%2], i%2 == 1 // nonsense must change nothing
			content := branded(brand, 100)
			if nonsense {
				content = branded(brand, -1)
			}
			file.write(content)
			reloaded := make(chan struct{})
			go func() { // beside the scrapes, which must not wait for it
				defer close(reloaded)
				if status, body := e.post("/-/reload"); (status == http.StatusOK) == nonsense {
					t.Errorf("reload %d: got status %d: %s", i, status, body)
				}
			}()
			for range scrapes / reloads {
				if problem := <-served; problem != "" {
					t.Error(problem)
				}
			}
			<-reloaded
		}
		close(done)
		group.Wait()
	})
}

// oneBrand scrapes, and says what is wrong if that fails or shows anything but
// one configuration.
func oneBrand(e *exporter, brands []string, wanted int) string {
	answer := httptest.NewRecorder()
	e.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body := answer.Body.String()
	got := [2]int{strings.Count(body, brands[0]), strings.Count(body, brands[1])}
	if answer.Code != http.StatusOK || got != [2]int{wanted, 0} && got != [2]int{0, wanted} {
		return fmt.Sprintf("got status %d and the brands %d times, want 200 and one of them %d times", answer.Code, got, wanted)
	}
	return ""
}

// brandCounts returns how often a scrape names the brand of the configuration
// in force, which must be the same for all brands.
func brandCounts(t *testing.T, e *exporter, brands []string) int {
	t.Helper()
	_, body := e.get("/metrics")
	n := strings.Count(body, brands[0])
	if n < 25 || strings.Contains(body, brands[1]) {
		t.Fatalf("the scrape names %q %d times, want at least 25, and %q never", brands[0], n, brands[1])
	}
	return n
}

// TestReload goes from one configuration to a bad one and to another.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newConfigFile(t, branded("xylophone", 100))
		e := start(t, taggedTown(t, "xylophone", "zebra"), file.flag())
		time.Sleep(10 * time.Minute)
		const successful, at = "aws_iam_exporter_config_last_reload_successful", "aws_iam_exporter_config_last_reload_success_timestamp_seconds"
		first := e.scrape()
		if first[successful] != 1 || first[at] != float64(time.Now().Add(-10*time.Minute).Unix()) {
			t.Errorf("after the start: got %v at %v", first[successful], first[at])
		}

		file.write(branded("zebra", 100) + "colour: striped\n")
		status, body := e.post("/-/reload")
		if want := file.name + ":10: colour: unknown field"; status != http.StatusInternalServerError || !strings.Contains(body, want) {
			t.Errorf("bad reload: got %d, %q, want 500 and %q", status, body, want)
		}
		second := e.scrape()
		if second[successful] != 0 || second[at] != first[at] {
			t.Errorf("after a bad reload: got %v at %v, want 0 at %v", second[successful], second[at], first[at])
		}
		delete(first, successful)
		delete(second, successful)
		sameBut(t, first.only("aws_iam_"), second.only("aws_iam_"))

		file.write(branded("zebra", 200))
		if status, body = e.post("/-/reload"); status != http.StatusOK {
			t.Errorf("reload: got %d, %q, want 200", status, body)
		}
		third := e.scrape()
		if third[successful] != 1 || third[at] != float64(time.Now().Unix()) {
			t.Errorf("after a reload: got %v at %v, want 1 now", third[successful], third[at])
		}
		if got := third[`aws_iam_policy_max_key_age_seconds{class="default"}`]; got != (200 * day).Seconds() {
			t.Errorf("limit in force: got %v s, want 200 days", got)
		}
		e.lint()

		synctest.Wait()
		details := " file=" + file.name + " classes=1 exemptions=1\n"
		for _, want := range []string{`msg="Configuration read"` + details, `msg="Keeping the old configuration" err="` + file.name, `msg="Configuration reloaded"` + details} {
			if got := strings.Count(e.log.String(), want); got != 1 {
				t.Errorf("log: got %q %d times, want it once", want, got)
			}
		}
	})
}

// sameBut checks that two scrapes are the same.
func sameBut(t *testing.T, want, got exposition) {
	t.Helper()
	for series, value := range want {
		if other, served := got[series]; !served || other != value {
			t.Errorf("%s: got %v (%v), want %v", series, other, served, value)
		}
	}
	for series := range got {
		if _, served := want[series]; !served {
			t.Errorf("%s: is new", series)
		}
	}
}

// TestReloadThatWantsTags has the tags read at once, and then no more.
func TestReloadThatWantsTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newConfigFile(t, "# nothing")
		e := start(t, taggedTown(t, "zebra"), file.flag())
		time.Sleep(7 * time.Minute)
		if owner := e.scrape().find("aws_iam_user_info", `user_owner="zebra`); len(owner) > 0 {
			t.Errorf("without owner_tags: got %v", owner)
		}
		file.write("owner_tags: [zebra]\n")
		if status, body := e.post("/-/reload"); status != http.StatusOK {
			t.Fatalf("reload: got %d, %q", status, body)
		}
		time.Sleep(10 * time.Second)
		x := e.scrape()
		if got, users := len(x.find("aws_iam_user_info", `user_owner="zebra owner`)), len(x.find("aws_iam_user_info")); got != users {
			t.Errorf("soon after: got owners of %d users, want of all %d", got, users)
		}
		file.write("tags_from: ListUserTags\n")
		if status, body := e.post("/-/reload"); status != http.StatusOK {
			t.Fatalf("reload: got %d, %q", status, body)
		}
		e.world.ResetCalls()
		time.Sleep(3 * time.Hour)
		x = e.scrape()
		if owned := x.find("aws_iam_user_info", `user_owner="zebra`); len(owned) > 0 {
			t.Errorf("without owner_tags again: got %v", owned)
		}
		if observed := x.find("aws_iam_account_facts_observed_timestamp_seconds", `facts="tags"`); len(observed) > 0 {
			t.Errorf("without owner_tags again: got %v", observed)
		}
		if calls := e.world.Calls(); calls["GetAccountAuthorizationDetails"]+calls["ListUserTags"] > 0 {
			t.Errorf("without owner_tags again: got calls %v", calls)
		}
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up: got %v", up)
		}
	})
}

// TestReloadOfBadAccounts keeps what is in force, says why, and shows no external id.
func TestReloadOfBadAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := newConfigFile(t, "# nothing")
		e := start(t, town(t, time.Now(), awssim.Options{}), file.flag())
		time.Sleep(time.Minute)
		for name, test := range map[string]struct{ content, want string }{
			"no accounts":        {"account_defaults: {role: audit}", "1: account_defaults: got it without accounts, want a list of accounts to apply it to"},
			"no role":            {"accounts: [{id: '111122223333'}]", "1: accounts[0].role: missing, want a role here or in account_defaults, or null for the account of the exporter's own credentials"},
			"a bad external id":  {"accounts:\n- {id: '111122223333', role: audit, external_id: 's3cr3t!'}", "2: accounts[0].external_id: got a value that is not shown, want an external id: 2 to 1224 letters, digits and _+=,.@:/-"},
			"excluded by a name": {"users: {exclude: [{account_name: test}]}", "1: users.exclude[0].account_name: got it, want account_id, account_ou or account_tags, since the account's own administrators may change its name, and that must hide nobody"},
		} {
			file.write(test.content)
			status, body := e.post("/-/reload")
			if want := file.name + ":" + test.want; status != http.StatusInternalServerError || !strings.Contains(body, want) || strings.Contains(body, "s3cr3t") {
				t.Errorf("%s: got %d, %q, want %q", name, status, body, want)
			}
		}
		if successful, _ := e.scrape().value("aws_iam_exporter_config_last_reload_successful"); successful != 0 {
			t.Errorf("last reload successful: got %v, want 0", successful)
		}
		if strings.Contains(e.log.String(), "s3cr3t") {
			t.Error("an external id is in the log")
		}
	})
}

// TestExemptionEnds sees an exemption end to the second, while AWS is silent.
func TestExemptionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lastDay := time.Now().UTC().Add(2 * day)
		end := lastDay.Truncate(day).Add(day)
		file := newConfigFile(t, fmt.Sprintf("exemptions: [{user: bob, rules: [console_user_without_mfa], reason: r, until: %s}]\n", lastDay.Format(time.DateOnly)))
		// Few refreshes, so that days of a silent AWS cost few calls.
		e := start(t, town(t, time.Now(), awssim.Options{}), file.flag(), "--iam.refresh-interval=2h", "--iam.keys-interval=6h")
		time.Sleep(time.Hour)
		e.world.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })

		verdicts := func(verdict string) float64 {
			v, _ := e.scrape().value("aws_iam_account_verdicts", `rule="console_user_without_mfa"`, `verdict="`+verdict+`"`)
			return v
		}
		expiry := func() float64 {
			v, _ := e.scrape().value("aws_iam_exemption_expiry_timestamp_seconds", `user_name="bob"`, `rule="console_user_without_mfa"`)
			return v
		}
		before := verdicts("violation")
		time.Sleep(time.Until(end) - time.Nanosecond)
		if e.scrape().finds("console_user_without_mfa", "bob") || verdicts("exempted") != 1 || verdicts("violation") != before || expiry() != float64(end.Unix()) {
			t.Errorf("just before the end: want bob exempted until %v, got until %v", end.Unix(), expiry())
		}
		time.Sleep(time.Nanosecond)
		if !e.scrape().finds("console_user_without_mfa", "bob") || verdicts("exempted") != 0 || verdicts("violation") != before+1 || expiry() != float64(end.Unix()) {
			t.Error("at the end: want bob's violation")
		}
	})
}
