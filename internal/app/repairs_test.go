package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// TestRepairsAreSeenSoon mends what only a report or a live call tells, just after
// the report: within a keys interval and a refresh the finding must be gone, and
// nothing else may be.
func TestRepairsAreSeenSoon(t *testing.T) {
	repairs := []struct {
		rule, user string
		repair     func(b builder)
	}{
		{"console_user_without_mfa", "walter", func(b builder) { must[string](b.t)(b.world.AddMFA("walter", time.Now())) }},
		{"console_user_without_mfa", "xenia", func(b builder) { check(b.t, b.world.RemovePassword("xenia")) }},
		{"password_unused", "xenia", func(builder) {}}, // it went with the password
		{"password_unused", "yves", func(b builder) { check(b.t, b.world.SignIn("yves", time.Now())) }},
		{"console_key_never_used", "yves", func(b builder) {
			yves, _ := b.world.User("yves")
			check(b.t, b.world.UseKey(yves.Keys[0].ID, awssim.Use{At: time.Now(), Service: "s3", Region: "eu-west-1"}))
		}},
		{"key_unused", "zoe", func(b builder) {
			zoe, _ := b.world.User("zoe")
			check(b.t, b.world.UseKey(zoe.Keys[0].ID, awssim.Use{At: time.Now(), Service: "s3", Region: "eu-west-1"}))
		}},
	}
	synctest.Test(t, func(t *testing.T) {
		b := builder{t, town(t, time.Now(), awssim.Options{}), time.Now()}
		for _, name := range []string{"walter", "xenia", "yves"} {
			b.user(name, "/", 100*day)
			b.console(name, 99*day, name == "yves")
		}
		b.key("yves", 20*day, never)
		b.user("zoe", "/", 100*day)
		b.key("zoe", 60*day, 50*day)
		e := start(t, b.world, "--iam.source=auto")
		time.Sleep(20 * time.Minute)
		before := e.scrape()
		for _, r := range repairs {
			if !before.finds(r.rule, r.user) {
				t.Fatalf("before: no finding %s of %s", r.rule, r.user)
			}
			r.repair(b)
		}
		time.Sleep(65 * time.Minute)
		after := e.scrape()
		if generated, _ := after.value("aws_iam_account_credential_report_usable"); generated != 1 {
			t.Fatal("the report is not in use")
		}
		for _, r := range repairs {
			if after.finds(r.rule, r.user) {
				t.Errorf("an hour after the repair: still a finding %s of %s", r.rule, r.user)
			}
		}
		gone := len(before.find("aws_iam_finding_since_timestamp_seconds")) - len(after.find("aws_iam_finding_since_timestamp_seconds"))
		if gone != len(repairs) {
			t.Errorf("findings that are gone: got %d, want the %d that were repaired", gone, len(repairs))
		}
		if calls := b.world.Calls()["GenerateCredentialReport"]; calls != 1 {
			t.Errorf("reports asked for: got %d, want the first alone", calls)
		}
	})
}

// TestChangedPasswordIsNeverCalledUnused changes a password after the report that is
// still in force when it would have been unused for too long. Only a report tells of
// that, so the user must be accused neither before it nor after.
func TestChangedPasswordIsNeverCalledUnused(t *testing.T) {
	for _, source := range []string{"auto", "report"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := builder{t, town(t, time.Now(), awssim.Options{}), time.Now()}
				for _, name := range []string{"una", "ida"} {
					b.user(name, "/", 100*day)
					b.console(name, 45*day-7*time.Hour-55*time.Minute, true)
				}
				e := start(t, b.world, "--iam.source="+source)
				time.Sleep(7*time.Hour + 50*time.Minute)
				check(t, b.world.ChangePassword("una", time.Now()))
				accused := false
				for _, x := range e.watch(6*time.Hour, 15*time.Minute) {
					if x.finds("password_unused", "una") {
						t.Fatalf("the password is called unused at %s", time.Now())
					}
					accused = accused || x.finds("password_unused", "ida")
				}
				if !accused {
					t.Error("nobody is accused whose password was left alone")
				}
				deadline, _ := e.scrape().value("aws_iam_user_password_unused_deadline_timestamp_seconds", `user_name="una"`)
				if want := float64(b.now.Add(7*time.Hour + 50*time.Minute + 45*day).Unix()); deadline != want {
					t.Errorf("deadline: got %v, want %v, from the change on", deadline, want)
				}
			})
		})
	}
}

// TestPasswordUnusedLive counts from the creation of the password, since no live call
// tells of a change, and until the user signs in.
func TestPasswordUnusedLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := builder{t, town(t, time.Now(), awssim.Options{}), time.Now()}
		b.user("una", "/", 100*day)
		b.console("una", 50*day, true)
		check(t, b.world.ChangePassword("una", b.ago(day)))
		e := start(t, b.world, "--iam.source=live")
		time.Sleep(20 * time.Minute)
		if !e.scrape().finds("password_unused", "una") {
			t.Error("no finding before the sign-in")
		}
		check(t, b.world.SignIn("una", time.Now()))
		time.Sleep(10 * time.Minute)
		if e.scrape().finds("password_unused", "una") {
			t.Error("still a finding after the sign-in")
		}
	})
}

// TestRootWithoutMFA adds a device, and takes the password away instead.
func TestRootWithoutMFA(t *testing.T) {
	for _, source := range []string{"auto", "report", "live"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := town(t, time.Now(), awssim.Options{})
				e := start(t, world, "--iam.source="+source)
				expect := func(want bool) {
					t.Helper()
					time.Sleep(9 * time.Hour) // two reports
					if got := e.scrape().finds("root_user_without_mfa", "<root_account>"); got != want {
						t.Errorf("found: %t, want %t", got, want)
					}
				}
				expect(false)
				check(t, world.RemoveMFA(awssim.Root))
				expect(true)
				check(t, world.SetRootPassword(awssim.RootPasswordDisabled))
				expect(false)
				check(t, world.SetRootPassword(awssim.RootPasswordEnabled))
				expect(true)
				must[string](t)(world.AddMFA(awssim.Root, time.Now()))
				expect(false)
			})
		})
	}
}
