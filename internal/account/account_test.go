package account

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// TestEachSourceLearnsEverything reads one small account by each source.
func TestEachSourceLearnsEverything(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{Seed: 1}, func(h *harness) {
				_, err := h.world.CreateUser("alice", "/team/", time.Now().Add(-100*day))
				h.ok(err)
				h.password("alice")
				created, used := time.Now().Add(-91*day), time.Now().Add(-day)
				id := h.keyOf("alice", created)
				h.ok(h.world.UseKey(id, awssim.Use{At: used, Service: "s3", Region: "eu-west-1"}))
				h.user("bob")
				h.ok(h.world.TagUser("alice", "team", "blue"))
				h.client.SetTags(awsapi.TagsFromAuthorizationDetails)

				s := h.refresh()

				if s.Health.State != inventory.StateUp || len(s.Complete) != len(inventory.Groups()) {
					h.Errorf("state: got %s, %v, complete %v; want up and complete", s.Health.State, s.Health.Problems, s.Complete)
				}
				inventorytest.Equal(h.T, inventory.Account{ID: "123456789012", Partition: "aws"}, s.Account)
				alice, bob := h.find(s, "alice"), h.find(s, "bob")
				if alice.Path != "/team/" || alice.ARN != "arn:aws:iam::123456789012:user/team/alice" {
					h.Errorf("alice: got path %s, ARN %s", alice.Path, alice.ARN)
				}
				if source == awsapi.SourceReport {
					id = "created-" + created.UTC().Format(time.RFC3339)
				}
				keys, _ := alice.Keys.Get()
				if len(keys) != 1 || keys[0].ID != id || !keys[0].Created.Equal(created) {
					h.Fatalf("alice's keys: got %+v, want %s of %s", keys, id, created)
				}
				lastUse, _ := keys[0].LastUse.Get()
				inventorytest.Equal(h.T, inventory.Use{At: inventory.Truncate(used), Service: "s3", Region: "eu-west-1"}, lastUse)
				tags, _ := alice.Tags.Get()
				inventorytest.Equal(h.T, inventory.Tags{{Key: "team", Value: "blue"}}, tags)
				for name, fact := range map[string]struct {
					fact inventory.Fact[bool]
					want bool
				}{
					"alice's password": {alice.Console, true}, "alice's MFA": {alice.MFA, false}, "bob's password": {bob.Console, false},
					"root's key": {s.Root.KeyPresent, false}, "root's password": {s.Root.Console, true}, "root's MFA": {s.Root.MFA, true},
				} {
					if got, known := fact.fact.Get(); !known || got != fact.want {
						h.Errorf("%s: got %t, known %t; want %t", name, got, known, fact.want)
					}
				}
			})
		})
	}
}

// TestAnotherAccountsUsersAreRefused has the credentials change accounts.
func TestAnotherAccountsUsersAreRefused(t *testing.T) {
	for _, test := range []struct {
		source  awsapi.Source
		problem string
	}{
		{awsapi.SourceLive, `call iam:ListUsers for account 123456789012: user "alice" has the ARN "arn:aws:iam::999999999999:user/alice": expected one in account 123456789012: the credentials are another account's now; restart the exporter`},
		{awsapi.SourceReport, `call iam:GetCredentialReport for account 123456789012: user "<root_account>" has the ARN "arn:aws:iam::999999999999:root": expected one in account 123456789012`},
	} {
		t.Run(string(test.source), func(t *testing.T) {
			inBubble(t, test.source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				before := h.refresh()
				other := awssim.New(awssim.Options{AccountID: "999999999999"})
				for _, name := range []string{"alice", "eve"} {
					_, err := other.CreateUser(name, "/", time.Now())
					h.ok(err)
					_, err = other.CreateKey(name, time.Now())
					h.ok(err)
				}
				h.world.SetFault(func(string, int) http.HandlerFunc { return other.ServeHTTP })
				time.Sleep(5 * time.Hour)
				after := h.refresh()
				inventorytest.Equal(h.T, before.Users, after.Users)
				inventorytest.Equal(h.T, before.Root, after.Root)
				if p := after.Health.Problems; len(p) == 0 || p[0].Reason != inventory.ReasonMalformed || !strings.HasPrefix(p[len(p)-1].Text, test.problem) {
					h.Errorf("problems: got %v, want %s", p, test.problem)
				}
			})
		})
	}
}

func TestUsersOfSeveralPages(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{MaxPage: 7}, func(h *harness) {
		for i := range 30 {
			h.user(fmt.Sprintf("user%02d", i))
		}
		s := h.refresh()
		if len(s.Users) != 30 {
			h.Fatalf("users: got %d, want 30", len(s.Users))
		}
		for i := range s.Users {
			if want := fmt.Sprintf("user%02d", i); s.Users[i].Name != want {
				h.Errorf("user %d: got %s, want %s", i, s.Users[i].Name, want)
			}
		}
	})
}

// TestDuplicateUsers has a listing show users twice, as pages do while users
// come and go, and one name under two ids while a user is replaced.
func TestDuplicateUsers(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		user := func(name, id, created string) string { return fmt.Sprintf(userXML, name, id, name, created) }
		answer := listingOf(
			user("bob", "AIDAB", "1999-01-01T00:00:00Z"), user("alice", "AIDAOLD", "1999-01-01T00:00:00Z"),
			user("bob", "AIDAB", "1999-01-01T00:00:00Z"), user("alice", "AIDANEW", "1999-05-01T00:00:00Z"))
		h.fail("ListUsers", answer)
		s := h.refresh()
		var ids []string
		for _, u := range s.Users {
			ids = append(ids, u.ID)
		}
		inventorytest.Equal(h.T, []string{"AIDANEW", "AIDAB"}, ids)
	})
}

func TestAccountIsAskedUntilItIsKnown(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.fail("GetCallerIdentity", denied())
		s := h.refresh()
		if s.Health.State != inventory.StateDown || len(s.Users) != 0 || h.calls("ListUsers") != 0 {
			h.Errorf("state: got %s, %d users; want down, and nothing asked", s.Health.State, len(s.Users))
		}
		h.world.SetFault(nil)
		if s = h.refresh(); s.Health.State != inventory.StateUp || len(s.Users) != 1 {
			h.Errorf("state: got %s, %d users; want up, and alice", s.Health.State, len(s.Users))
		}
		h.refresh()
		if got := h.calls("GetCallerIdentity"); got != 1 {
			h.Errorf("GetCallerIdentity: got %d calls, want the one that worked", got)
		}
		if s.Health.Errors[inventory.ReasonDenied] != 1 {
			h.Errorf("errors: got %v, want one denied", s.Health.Errors)
		}
	})
}

// TestReportIsAskedForOnceANewerOneCanExist also holds with a clock that is
// far from AWS's.
func TestReportIsAskedForOnceANewerOneCanExist(t *testing.T) {
	for name, skew := range map[string]time.Duration{"right clock": 0, "slow clock": 3 * day, "fast clock": -3 * day} {
		t.Run(name, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(skew) }
			inBubble(t, awsapi.SourceAuto, awssim.Options{Now: now}, func(h *harness) {
				h.user("alice")
				h.refreshFor(4 * refreshInterval) // by when AWS's time is certain
				h.world.ResetCalls()
				for range 43 { // until 3h55m after the report
					h.refresh()
				}
				if got := h.calls("GenerateCredentialReport"); got != 0 {
					h.Errorf("calls while the report lives: got %d, want none", got)
				}
				h.refresh()
				s := h.refresh()
				if got := h.calls("GenerateCredentialReport"); got != 1 {
					h.Errorf("calls once it has expired: got %d, want one", got)
				}
				if age := now().Sub(s.Report.Generated); !s.Report.Usable || age > 2*refreshInterval {
					h.Errorf("report: usable %t, %s old; want a new one", s.Report.Usable, age)
				}
			})
		})
	}
}

func TestDoingWithoutAReport(t *testing.T) {
	for name, test := range map[string]struct {
		fault http.HandlerFunc // of GenerateCredentialReport
		delay time.Duration
		live  bool // asked live at the first refresh
	}{
		"denied":         {denied(), 0, true},
		"limited":        {awssim.Error(http.StatusConflict, "LimitExceeded", ""), 0, false},
		"late":           {nil, 24 * time.Hour, false},
		"made meanwhile": {nil, 6 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceAuto, awssim.Options{ReportDelay: test.delay}, func(h *harness) {
				h.user("alice")
				h.key("alice")
				h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation == "GenerateCredentialReport" {
						return test.fault
					}
					return nil
				})
				s := h.refresh()
				if got := h.find(s, "alice").Console.Known(); got != test.live || s.Report.Usable {
					h.Errorf("at first: console access known %t, report usable %t; want %t, false", got, s.Report.Usable, test.live)
				}
				if !h.find(s, "alice").Keys.Known() {
					h.Error("keys: unknown, want them listed whatever the report")
				}
				for range 4 {
					s = h.refresh()
				}
				if !h.find(s, "alice").Console.Known() {
					h.Error("console access after 25m: unknown, want known")
				}
				made := name == "made meanwhile"
				asked := h.calls("GetLoginProfile") > 0
				if s.Report.Usable != made || asked == made {
					h.Errorf("after 25m: report usable %t, passwords asked %t; want %t, %t", s.Report.Usable, asked, made, !made)
				}
			})
		})
	}
}

// TestLiveWordsOutliveOlderReports gives a user a password and a key after the
// report, and takes the password away again after the next.
func TestLiveWordsOutliveOlderReports(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.refresh()
		h.password("alice")
		h.keyOf("alice", time.Now())
		sees := func(want bool, within time.Duration) {
			h.Helper()
			for end := time.Now().Add(within); ; {
				console, _ := h.find(h.refresh(), "alice").Console.Get()
				if console == want {
					return
				}
				if !time.Now().Before(end) {
					h.Fatalf("console access: got %t after %s, want %t", console, within, want)
				}
			}
		}
		sees(true, keysInterval+refreshInterval)
		for range 12 { // the report still says no
			if console, _ := h.find(h.refresh(), "alice").Console.Get(); !console {
				h.Fatal("console access: got no, want the live answer to stand")
			}
		}
		h.ok(h.world.RemovePassword("alice"))
		sees(false, keysInterval+refreshInterval)
		if created := h.find(h.account.Snapshot(), "alice").PasswordCreated; created.Known() {
			h.Error("password creation: known without a password")
		}
	})
}

func TestNewUserUnderAnOldNameInheritsNothing(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.password("alice")
		before := h.find(h.refresh(), "alice").ID
		h.ok(h.world.DeleteUser("alice"))
		h.user("alice")
		alice := h.find(h.refresh(), "alice")
		if console, known := alice.Console.Get(); console || !known || alice.ID == before {
			h.Errorf("alice: got id %s, console access %t, known %t; want another user, without", alice.ID, console, known)
		}
	})
}

func TestRenamedUserKeepsFacts(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.password("alice")
		id := h.key("alice")
		before := h.find(h.refresh(), "alice")
		h.ok(h.world.RenameUser("alice", "alicia"))
		s := h.refresh()
		after := h.find(s, "alicia")
		keys, _ := after.Keys.Get()
		console, _ := after.Console.Get()
		if len(s.Users) != 1 || after.ID != before.ID || !console || len(keys) != 1 || keys[0].ID != id {
			h.Errorf("got %+v, want the same user under another name", after)
		}
	})
}

func TestFailuresKeepTheFacts(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"hang": awssim.Hang(), "reset": awssim.Reset(), "empty": awssim.Raw(200, "text/xml", ""), "text": awssim.Raw(200, "text/plain", "hello"),
		"HTML": awssim.Raw(200, "text/html", "<html>"), "error": awssim.Error(500, "ServiceFailure", ""), "denied": denied(), "throttled": throttled(),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
				for i := range 11 {
					user := fmt.Sprintf("user%02d", i)
					h.user(user)
					h.password(user)
					h.key(user)
				}
				before := h.refresh()
				h.fail("", fault)
				var after *inventory.Snapshot
				for end := time.Now().Add(90 * time.Minute); time.Now().Before(end); {
					after = h.refresh()
				}
				inventorytest.Equal(h.T, before.Users, after.Users)
				inventorytest.Equal(h.T, before.Root, after.Root)
				inventorytest.Equal(h.T, before.Freshness, after.Freshness)
				if after.Health.State != inventory.StateDown {
					h.Errorf("state: got %s, want down", after.Health.State)
				}
				h.world.SetFault(nil)
				h.refresh()
				if s := h.refresh(); s.Health.State != inventory.StateUp {
					h.Errorf("state afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
				}
			})
		})
	}
}
