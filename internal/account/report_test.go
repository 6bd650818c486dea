package account

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

func TestReportInTheMaking(t *testing.T) {
	for name, test := range map[string]struct {
		delay time.Duration
		took  time.Duration
		calls int
		err   string
	}{
		"made at once":  {0, 3 * time.Second, 1, ""},
		"small account": {2 * time.Second, 3 * time.Second, 1, ""},
		"large account": {20 * time.Second, 28 * time.Second, 2, ""},
		"not in time":   {time.Hour, 28 * time.Second, 2, "call iam:GetCredentialReport for the account: AWS is still making the credential report; AWS makes a report at most every four hours; the exporter asks again"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{ReportDelay: test.delay}, func(h *harness) {
				began := time.Now()
				h.account.RefreshSoon()
				for {
					p := h.account.Step(h.Context(), nil)
					if p.Ended || h.account.Snapshot().Report.Usable {
						break
					}
					time.Sleep(time.Until(p.Next))
				}
				if took := time.Since(began); took != test.took {
					h.Errorf("took %s, want %s", took, test.took)
				}
				if got := h.world.Calls()["GetCredentialReport"]; got != test.calls {
					h.Errorf("GetCredentialReport: got %d calls, want %d", got, test.calls)
				}
				snapshot := h.account.Snapshot()
				if test.err != "" {
					inventorytest.Equal(h.T, []inventory.Problem{{Reason: inventory.ReasonReport, Text: test.err}}, snapshot.Health.Problems)
					return
				}
				inventorytest.Equal(h.T, inventory.Truncate(began), snapshot.Report.Generated)
			})
		})
	}
}

// TestRefusedReportIsFetchedOnce has AWS refuse to make a report: one that is
// there counts, if it is a newer one, and AWS is asked for it once.
func TestRefusedReportIsFetchedOnce(t *testing.T) {
	const refused = "call iam:GenerateCredentialReport for the account: "
	for name, test := range map[string]struct {
		fault http.HandlerFunc
		newer bool
		calls int
		err   string
	}{
		"denied, and a newer one": {denied(), true, 1, ""},
		"denied, and the old one": {denied(), false, 1, refused + "AccessDenied"},
		"busy, and a newer one":   {awssim.Error(http.StatusConflict, "LimitExceeded", "busy"), true, 1, ""},
		"unreachable":             {awssim.Reset(), true, 0, refused},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
				before := h.refresh().Report.Generated
				time.Sleep(5 * time.Hour)
				if test.newer { // made by another tool
					_, err := iam.NewFromConfig(h.world.Config()).GenerateCredentialReport(h.Context(), &iam.GenerateCredentialReportInput{})
					h.ok(err)
					time.Sleep(time.Minute)
				}
				h.fail("GenerateCredentialReport", test.fault)
				h.world.ResetCalls()
				s := h.refresh()
				if calls := h.calls("GetCredentialReport"); calls != test.calls {
					h.Errorf("GetCredentialReport: got %d calls, want %d", calls, test.calls)
				}
				if after := s.Report.Generated; after.After(before) != (test.err == "") {
					h.Errorf("report: got that of %s after that of %s", after, before)
				}
				switch p := s.Health.Problems; {
				case test.err == "" && len(p) > 0, test.err != "" && (len(p) != 1 || !strings.HasPrefix(p[0].Text, test.err)):
					h.Errorf("problems: got %v, want %q", p, test.err)
				}
			})
		})
	}
}

// oddly changes the user's row so that it cannot be read.
func oddly(user string) func(string) string {
	return func(content string) string {
		lines := strings.Split(content, "\n")
		for i := range lines {
			if strings.HasPrefix(lines[i], user+",") {
				lines[i] = strings.Replace(lines[i], ",false,N/A,false,N/A", ",false,N/A,false,N/A,N/A", 1)
			}
		}
		return strings.Join(lines, "\n")
	}
}

func names(s *inventory.Snapshot) []string {
	var all []string
	for i := range s.Users {
		all = append(all, s.Users[i].Name)
	}
	return all
}

// TestOddRowTakesNobodyAway has users go, and one be made anew under its name,
// while reports have a row that cannot be read.
func TestOddRowTakesNobodyAway(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		for _, name := range []string{"alice", "bob", "carol", "dave"} {
			h.user(name)
			h.key(name)
		}
		first := h.refresh()
		h.ok(h.world.DeleteUser("alice"))
		h.ok(h.world.DeleteUser("bob"))
		h.ok(h.world.DeleteUser("carol"))
		_, err := h.world.CreateUser("carol", "/", time.Now())
		h.ok(err)
		_, err = h.world.CreateUser("bob", "/", time.Now())
		h.ok(err)
		h.world.EditReports(oddly("bob"))
		time.Sleep(4 * time.Hour)
		s := h.refresh()
		if got := names(s); !slices.Equal(got, []string{"alice", "bob", "carol", "dave"}) {
			h.Errorf("users: got %v, want all four", got)
		}
		inventorytest.Equal(h.T, *h.find(first, "alice"), *h.find(s, "alice"))
		for name, known := range map[string]bool{"bob": false, "carol": true} { // both made anew
			u := h.find(s, name)
			if keys, _ := u.Keys.Get(); u.Keys.Known() != known || len(keys) > 0 || u.Created.Equal(h.find(first, name).Created) {
				h.Errorf("%s: got %+v, want somebody new, with keys known: %t", name, u, known)
			}
		}
		if got, want := s.Freshness[inventory.GroupUsers].Observed, first.Freshness[inventory.GroupUsers].Observed; !got.Equal(want) {
			h.Errorf("users are listed as of %s, want %s: nobody knows who is gone", got, want)
		}
		h.world.EditReports(nil)
		time.Sleep(4 * time.Hour)
		if got := names(h.refresh()); !slices.Equal(got, []string{"bob", "carol", "dave"}) {
			h.Errorf("users: got %v, want alice gone", got)
		}
	})
}

// TestOddRowIsAskedLive has auto learn from AWS what a row does not tell: it is
// down until then, and says so for as long as the report is in use.
func TestOddRowIsAskedLive(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.key("bob")
		h.password("bob")
		h.refresh()
		time.Sleep(3 * time.Hour)
		h.refresh() // reads everybody again
		h.world.EditReports(oddly("bob"))
		time.Sleep(time.Hour - refreshInterval)
		h.account.RefreshSoon()
		for before := h.account.Snapshot().Report.Generated; !h.account.Snapshot().Report.Generated.After(before); {
			h.step(h.Context())
		}
		asked := h.account.Snapshot()
		if p := asked.Health.Problems; asked.Health.State != inventory.StateDown || len(p) != 1 || p[0].User != "bob" || p[0].Reason != inventory.ReasonMalformed {
			h.Errorf("before bob is asked: state %s, problems %+v; want down, because of bob's row", asked.Health.State, p)
		}
		if n := asked.Health.Errors[inventory.ReasonMalformed]; n != 1 {
			h.Errorf("%d failures counted, want 1", n)
		}
		for !h.step(h.Context()).Ended {
		}
		time.Sleep(refreshInterval)
		s := h.refresh()
		if p := s.Health.Problems; s.Health.State != inventory.StateUp || len(p) != 1 {
			h.Errorf("after bob is asked: state %s, problems %+v; want up, and the problem", s.Health.State, p)
		}
		if n := s.Health.Errors[inventory.ReasonMalformed]; n != 1 {
			h.Errorf("%d failures counted, want the one", n)
		}
		if u := h.find(s, "bob"); u.Console.Observed().Before(time.Now().Add(-time.Hour)) {
			h.Errorf("bob's console access is known as of %s, want it asked live", u.Console.Observed())
		}
	})
}

// TestWhatARowHasToldStays has a user be renamed, so that the report is about
// nobody of that name, while AWS denies what would be asked instead.
func TestWhatARowHasToldStays(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.password("alice")
		_, err := h.world.AddMFA("alice", time.Now())
		h.ok(err)
		h.ok(h.world.UseKey(h.key("alice"), awssim.Use{At: time.Now().Add(-day), Service: "s3", Region: "eu-west-1"}))
		before := h.find(h.refresh(), "alice")
		h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "GetLoginProfile" || operation == "ListMFADevices" || operation == "GetAccessKeyLastUsed" {
				return denied()
			}
			return nil
		})
		h.ok(h.world.RenameUser("alice", "alicia"))
		after := h.find(h.refreshFor(2*keysInterval), "alicia")
		inventorytest.Equal(h.T, before.Console, after.Console)
		inventorytest.Equal(h.T, before.MFA, after.MFA)
		was, _ := before.Keys.Get()
		is, _ := after.Keys.Get()
		inventorytest.Equal(h.T, was, is)
	})
}

// TestRowOfTheFuture has a report tell that bob's key was used in 2999.
func TestRowOfTheFuture(t *testing.T) {
	for source, state := range map[awsapi.Source]inventory.State{awsapi.SourceReport: inventory.StateDown, awsapi.SourceAuto: inventory.StateUp} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				h.user("bob")
				id := h.key("bob")
				used := time.Now().Add(-day)
				h.ok(h.world.UseKey(id, awssim.Use{At: used, Service: "s3", Region: "eu-west-1"}))
				h.refresh()
				h.world.EditReports(func(content string) string {
					return strings.ReplaceAll(content, used.UTC().Format("2006-01-02T15:04:05"), "2999-01-01T00:00:00")
				})
				time.Sleep(4 * time.Hour)
				h.refresh()
				s := h.refresh()
				if p := s.Health.Problems; s.Health.State != state || len(p) != 1 || p[0].User != "bob" || !strings.Contains(p[0].Text, "a key used at 2999-01-01T00:00:00Z") {
					h.Errorf("state %s, problems %+v; want %s, because of bob's row", s.Health.State, p, state)
				}
				keys, _ := h.find(s, "bob").Keys.Get()
				if use, known := keys[0].LastUse.Get(); !known || !use.At.Equal(inventory.Truncate(used)) {
					h.Errorf("bob's key: used at %s, known %t; want %s, as before", use.At, known, used)
				}
				if alice := h.find(s, "alice"); time.Since(alice.Console.Observed()) > time.Hour {
					h.Errorf("alice's console access: observed at %s, want it of the new report", alice.Console.Observed())
				}
				h.world.EditReports(nil)
				time.Sleep(4 * time.Hour)
				h.refresh()
				if s = h.refresh(); s.Health.State != inventory.StateUp || len(s.Health.Problems) > 0 {
					h.Errorf("afterwards: state %s, problems %+v; want up", s.Health.State, s.Health.Problems)
				}
			})
		})
	}
}

// TestManyOddRows bounds what is said of them.
func TestManyOddRows(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		edits := map[string]bool{}
		for i := range 50 {
			name := fmt.Sprintf("user-%02d", i)
			h.user(name)
			edits[name] = i >= 10
		}
		h.world.EditReports(func(content string) string {
			for name, odd := range edits {
				if odd {
					content = oddly(name)(content)
				}
			}
			return content
		})
		s := h.refresh()
		var users []string
		for _, p := range s.Health.Problems {
			users = append(users, p.User)
		}
		if !slices.Equal(users, []string{"user-10", "user-11", "user-12", ""}) || !strings.Contains(s.Health.Problems[3].Text, "37 more rows cannot be read, the first of them in line 16") {
			h.Errorf("problems: got %+v, want three rows by name and the number of the others", s.Health.Problems)
		}
	})
}
