package app

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// observed returns how old the facts are said to be.
func (x exposition) observed() exposition {
	return x.only("aws_iam_account_facts_observed_timestamp_seconds")
}

// TestRestartWhileAWSIsSilent loses no series and pretends nothing.
func TestRestartWhileAWSIsSilent(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		dir := filepath.Join(t.TempDir(), "state")
		file := newConfigFile(t, branded("zebra", 100))
		args := []string{"--iam.source=" + string(source), "--state.dir=" + dir, file.flag()}
		world := taggedTown(t, "zebra")
		e := start(t, world, args...)
		time.Sleep(2*time.Hour + time.Minute)
		e.stop()
		before := e.scrape()

		time.Sleep(30 * time.Minute)
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })
		silent := start(t, world, args...)
		x := silent.scrape()
		sameBut(t, before.facts(), x.facts())
		sameBut(t, before.observed(), x.observed())
		time.Sleep(20 * time.Minute)
		x = silent.scrape()
		sameBut(t, before.facts(), x.facts())
		sameBut(t, before.observed(), x.observed())
		sameBut(t, before.only("aws_iam_account_verdicts", "aws_iam_account_access_keys", "aws_iam_account_users"), x.only("aws_iam_account_verdicts", "aws_iam_account_access_keys", "aws_iam_account_users"))
		if up, served := x.value("aws_iam_account_up"); !served || up != 0 {
			t.Errorf("up while AWS is silent: got %v, %v, want 0", up, served)
		}
		silent.lint()

		world.SetFault(nil)
		time.Sleep(6 * time.Hour)
		x = silent.scrape()
		if up, _ := x.value("aws_iam_account_up"); up != 1 {
			t.Errorf("up after AWS is back: got %v", up)
		}
		for series, at := range before.observed() {
			if x[series] <= at {
				t.Errorf("%s: got %v after AWS is back, want later than %v", series, x[series], at)
			}
		}
	})
}

// TestRestartUnderAnotherPolicy keeps facts, not verdicts.
func TestRestartUnderAnotherPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, "--state.dir="+dir)
		time.Sleep(time.Hour)
		e.stop()
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })
		strict := start(t, world, "--state.dir="+dir, "--policy.max-key-age=15d", "--policy.rotation-warning=1d")
		if x := strict.scrape(); !x.finds("key_rotation", "bobby") {
			t.Error("a key of 20 days under a limit of 15: want a finding")
		}
	})
}

// TestRestartCostsNoExtraCalls asks nobody again who was asked within the hour.
func TestRestartCostsNoExtraCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		world := town(t, time.Now(), awssim.Options{ReportDelay: time.Second})
		e := start(t, world, "--state.dir="+dir)
		time.Sleep(20 * time.Minute)
		e.stop()
		world.ResetCalls()
		start(t, world, "--state.dir="+dir)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if n := world.Calls()["ListAccessKeys"]; n > 0 {
			t.Errorf("20 minutes after a restart: got %d listings of keys that were listed within the hour", n)
		}
	})
}

// TestRestartElsewhere starts with the state of one account and the credentials
// of another: once AWS says so, nothing of the first is shown.
func TestRestartElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		e := start(t, town(t, time.Now(), awssim.Options{}), "--state.dir="+dir)
		time.Sleep(time.Hour)
		e.stop()

		other := awssim.New(awssim.Options{Seed: 2, AccountID: "999988887777"})
		b := builder{t, other, time.Now()}
		b.user("somebody", "/", 10*day)
		b.key("somebody", day, never)
		there := start(t, other, "--state.dir="+dir)
		time.Sleep(time.Minute)
		for series := range there.scrape() {
			if strings.Contains(series, "123456789012") {
				t.Errorf("still served: %s", series)
			}
		}
		time.Sleep(time.Hour)
		there.stop()

		// With the state of two accounts nobody knows whose facts to show.
		other.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })
		unsure := start(t, other, "--state.dir="+dir)
		time.Sleep(time.Minute)
		if x := unsure.scrape(); len(x.find("aws_iam_user_info")) > 0 {
			t.Errorf("before the account is known: got %v", x.find("aws_iam_user_info"))
		}
		other.SetFault(nil)
		time.Sleep(time.Minute) // the second pause
		if x := unsure.scrape(); len(x.find("aws_iam_access_key_created_timestamp_seconds", `user_name="somebody"`)) != 1 {
			t.Error("after the account is known: want its facts back")
		}
	})
}

// TestRestartUnderAnotherSource begins with the users of a report, none of whom
// another source can recognize. Until the keys are read their counts are
// unknown, as after a start without state, rather than zero.
func TestRestartUnderAnotherSource(t *testing.T) {
	for _, from := range awsapi.Sources() {
		for _, to := range awsapi.Sources() {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := filepath.Join(t.TempDir(), "state")
					world := town(t, time.Now(), awssim.Options{})
					e := start(t, world, "--state.dir="+dir, "--iam.source="+string(from))
					time.Sleep(time.Hour)
					e.stop()
					world.SetFault(func(operation string, _ int) http.HandlerFunc {
						if operation == "ListAccessKeys" || operation == "GetLoginProfile" {
							return awssim.Error(http.StatusForbidden, "AccessDenied", "no")
						}
						return nil
					})
					then := start(t, world, "--state.dir="+dir, "--iam.source="+string(to))
					time.Sleep(time.Minute)
					x := then.scrape()
					for _, name := range []string{"aws_iam_account_access_keys", "aws_iam_account_never_used_access_keys", "aws_iam_account_console_users"} {
						total, counts := 0.0, x.find(name)
						for _, n := range counts {
							total += n
						}
						if len(counts) > 0 && total == 0 {
							t.Errorf("%s: got 0, want what is known, or nothing", name)
						}
					}
				})
			})
		}
	}
}

// TestOnlyOwnFactsAreKept starts an exporter that does not know its account yet, with
// the state of another account's exporter. Only the other one may write that.
func TestOnlyOwnFactsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		world := town(t, time.Now(), awssim.Options{})
		e := start(t, world, "--state.dir="+dir)
		time.Sleep(10 * time.Minute)
		e.stop()
		file := filepath.Join(dir, "123456789012.json")
		before := must[os.FileInfo](t)(os.Stat(file))
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() })
		silent := start(t, world, "--state.dir="+dir)
		time.Sleep(20 * time.Minute)
		silent.stop()
		if !os.SameFile(before, must[os.FileInfo](t)(os.Stat(file))) {
			t.Error("the file was written again, by an exporter that does not know whether it is its account's")
		}
		if saved := silent.scrape().find("aws_iam_account_state_saved_timestamp_seconds"); len(saved) > 0 {
			t.Errorf("got %v, want no time", saved)
		}
	})
}

// TestDamagedState is named, ignored, and replaced.
func TestDamagedState(t *testing.T) {
	for name, damage := range map[string]func(*testing.T, string){
		"cut":      func(t *testing.T, file string) { check(t, os.Truncate(file, 100)) },
		"too open": func(t *testing.T, file string) { check(t, os.Chmod(file, 0o644)) },
		"foreign":  func(t *testing.T, file string) { check(t, os.WriteFile(file, []byte(`{"hello":"world"}`), 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "state")
				world := town(t, time.Now(), awssim.Options{})
				e := start(t, world, "--state.dir="+dir)
				time.Sleep(time.Hour)
				e.stop()
				want := e.scrape().facts()
				file := filepath.Join(dir, "123456789012.json")
				damage(t, file)

				again := start(t, world, "--state.dir="+dir)
				time.Sleep(time.Hour)
				again.stop()
				if !strings.Contains(again.log.String(), file) {
					t.Errorf("log: does not name %s: %s", file, again.log.String())
				}
				got := again.scrape().facts()
				maps.DeleteFunc(got, func(series string, _ float64) bool { _, had := want[series]; return had })
				if len(got) > 0 {
					t.Errorf("new series: %v", got)
				}
				healed := start(t, world, "--state.dir="+dir)
				healed.stop()
				if !strings.Contains(healed.log.String(), "Starting with the facts of an earlier run") {
					t.Error("log: the damaged file was not replaced")
				}
			})
		})
	}
}

// TestStateFile is for the exporter's eyes only.
func TestStateFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		e := start(t, town(t, time.Now(), awssim.Options{}), "--state.dir="+dir)
		time.Sleep(11 * time.Minute)
		first, served := e.scrape().value("aws_iam_account_state_saved_timestamp_seconds")
		if at := time.Unix(int64(first), 0); !served || time.Since(at) > 11*time.Minute {
			t.Errorf("saved: got %v, %v", at, served)
		}
		var saves []float64
		for last := first; time.Since(time.Unix(int64(first), 0)) < 4*time.Hour; time.Sleep(time.Minute) {
			saved, _ := e.scrape().value("aws_iam_account_state_saved_timestamp_seconds")
			if age := time.Since(time.Unix(int64(saved), 0)); age > time.Hour+5*time.Minute+time.Second {
				t.Errorf("after %s: the last save was %s ago, want an hour and a refresh at most", time.Since(time.Unix(int64(first), 0)), age)
			}
			if saved != last {
				saves, last = append(saves, saved), saved
			}
		}
		if len(saves) != 3 {
			t.Errorf("saved %d times in four quiet hours, want three times: an hour after the last time, at the next refresh", len(saves))
		}
		for file, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, filepath.Join(dir, "123456789012.json"): 0o600} {
			if info := must[os.FileInfo](t)(os.Stat(file)); info.Mode() != want {
				t.Errorf("%s: got mode %v, want %v", file, info.Mode(), want)
			}
		}
		content := string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "123456789012.json"))))
		for _, secret := range []string{callerKeyID, callerSecret, callerToken, "key_rotation"} {
			if strings.Contains(content, secret) {
				t.Errorf("the file has %q", secret)
			}
		}
	})
}
