package account

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// TestOneThrottledCallStarvesNobody throttles GetLoginProfile alone, for ever,
// at the default rate: some users need it, and all others are read all the same.
func TestOneThrottledCallStarvesNobody(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		for i := range 100 {
			name := fmt.Sprintf("user%02d", i)
			h.user(name)
			if i < 10 {
				h.password(name)
				h.key(name)
			}
		}
		h.begin(awsapi.SourceAuto, 5, 20) // as slowly as by default
		h.fail("GetLoginProfile", throttled())
		var s *inventory.Snapshot
		for range 24 { // two hours
			s = h.refresh()
		}
		if !s.Complete[inventory.GroupKeys] {
			h.Error("keys: unknown of some, want them known of all")
		}
		if got := h.world.Calls()["ListAccessKeys"]; got > 400 {
			h.Errorf("listings of keys: got %d, want no more than the interval asks for", got)
		}
		if s.Health.State != inventory.StateDown || s.Health.Errors[inventory.ReasonThrottled] == 0 {
			h.Errorf("state: got %s, errors %v; want down, because AWS throttles", s.Health.State, s.Health.Errors)
		}
		want := "call iam:GetLoginProfile for user user0"
		if p := s.Health.Problems; len(p) != 1 || p[0].Reason != inventory.ReasonThrottled || !strings.HasPrefix(p[0].Text, want) {
			h.Errorf("problems: got %v, want one: %s…", p, want)
		}

		h.world.SetFault(nil)
		for range 12 {
			s = h.refresh()
		}
		if s.Health.State != inventory.StateUp || !h.find(s, "user03").PasswordCreated.Known() {
			h.Errorf("after recovery: got %s, %v; want up, and all known", s.Health.State, s.Health.Problems)
		}
	})
}

// TestOneThrottledCallFreezesNoOther throttles GetLoginProfile alone for a day, in
// which the user gets another key.
func TestOneThrottledCallFreezesNoOther(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				h.password("alice")
				h.key("alice")
				h.begin(source, 5, 20)
				h.refresh()
				h.fail("GetLoginProfile", throttled())
				h.refreshFor(keysInterval)
				h.key("alice")
				s := h.refreshFor(day)
				keys := h.find(s, "alice").Keys
				if got, _ := keys.Get(); len(got) != 2 || time.Since(keys.Observed()) > 2*keysInterval {
					h.Errorf("keys: got %d as of %s ago, want two, read each hour", len(got), time.Since(keys.Observed()))
				}
			})
		})
	}
}

// TestRootIsAsOldAsItsOldestFact loses the report, after which a summary goes
// on telling that root has a key, but not whether the key is active.
func TestRootIsAsOldAsItsOldestFact(t *testing.T) {
	for name, test := range map[string]struct {
		key   bool
		stale bool
	}{
		"with a key": {key: true, stale: true},
		"without":    {},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
				if test.key {
					h.key(awssim.Root)
				}
				h.refresh()
				h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if strings.HasSuffix(operation, "CredentialReport") {
						return denied()
					}
					return nil
				})
				var s *inventory.Snapshot
				for range 6 * 12 { // hours
					s = h.refresh()
				}
				if got := time.Now().After(s.Freshness[inventory.GroupRoot].Stale); got != test.stale {
					h.Errorf("root is stale: got %t, want %t; %v", got, test.stale, s.Freshness[inventory.GroupRoot])
				}
			})
		})
	}
}

// TestEmptyListingOfAnotherAccount has the credentials change to an account
// without users, which says nothing about this one.
func TestEmptyListingOfAnotherAccount(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				before := h.refresh()
				other := awssim.New(awssim.Options{AccountID: "999999999999"})
				h.world.SetFault(func(string, int) http.HandlerFunc { return other.ServeHTTP })
				s := h.refresh()
				inventorytest.Equal(h.T, before.Users, s.Users)
				want := "call iam:ListUsers for account 123456789012: the listing is of account 999999999999: the credentials are another account's now; restart the exporter"
				if p := s.Health.Problems; len(p) != 1 || !strings.HasPrefix(p[0].Text, want) {
					h.Errorf("problems: got %v, want %s", p, want)
				}

				h.world.SetFault(nil)
				h.ok(h.world.DeleteUser("alice"))
				if s = h.refresh(); len(s.Users) != 0 || s.Health.State != inventory.StateUp {
					h.Errorf("the account's own empty listing: got %d users, %s; want none, up", len(s.Users), s.Health.State)
				}
			})
		})
	}
}

// TestRightCredentialsHeal has another account answer for ten minutes.
func TestRightCredentialsHeal(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.user("alice")
				h.refresh()
				other := awssim.New(awssim.Options{AccountID: "999999999999"})
				_, err := other.CreateUser("eve", "/", time.Now())
				h.ok(err)
				time.Sleep(5 * time.Hour)
				h.world.SetFault(func(string, int) http.HandlerFunc { return other.ServeHTTP })
				h.refresh()
				s := h.refresh()
				if s.Health.State != inventory.StateDown {
					h.Errorf("state under another account: got %s, want down", s.Health.State)
				}
				h.world.SetFault(nil)
				h.user("bob")
				h.refresh()
				if s = h.refresh(); s.Health.State != inventory.StateUp || len(s.Users) != 2 {
					h.Errorf("state afterwards: got %s with %d users, %v; want up with 2", s.Health.State, len(s.Users), s.Health.Problems)
				}
			})
		})
	}
}

// TestOneStrangerStopsNoSweep has AWS tell of one user of another account among its
// own. The answer is refused whole, and the users are read all the same, as long as AWS
// says that the credentials are this account's, and does not fail to say whose.
func TestOneStrangerStopsNoSweep(t *testing.T) {
	const own, foreign = "123456789012:user/bob", "999999999999:user/bob"
	const whose = "AWS did not say whether the credentials are another account's now"
	stranger := strings.NewReplacer(own, foreign)
	for _, operation := range []string{"GetCredentialReport", "ListUsers", "GetAccountAuthorizationDetails"} {
		for account, why := range map[string]string{"123456789012": "", "999999999999": "restart the exporter", "nobody knows": whose} {
			sweeps := why == ""
			t.Run(operation+" by "+account, func(t *testing.T) {
				inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
					h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
					h.user("alice")
					h.user("bob")
					h.refresh()
					if operation == "GetCredentialReport" { // whose bytes are not text
						h.world.EditReports(stranger.Replace)
					}
					h.world.SetFault(func(called string, _ int) http.HandlerFunc {
						switch {
						case called == "GetCallerIdentity" && why == whose:
							return awssim.Error(http.StatusForbidden, "Throttling", "no")
						case called == "GetCallerIdentity":
							return awssim.New(awssim.Options{AccountID: account}).ServeHTTP
						case called == operation:
							return h.world.Lie(func(_ url.Values, answer string) string { return stranger.Replace(answer) })
						}
						return nil
					})
					time.Sleep(5 * time.Hour)
					h.refresh() // in which some are read before the report comes
					h.key("alice")
					h.user("carol")
					h.world.ResetCalls()
					s := h.refreshFor(2 * keysInterval)
					want := "call iam:" + operation + ` for account 123456789012: user "bob" has the ARN "arn:aws:iam::` + foreign + `": expected one in account 123456789012`
					if p := s.Health.Problems; s.Health.State != inventory.StateDown || len(p) != 1 || !strings.HasPrefix(p[0].Text, want) || !strings.Contains(p[0].Text, why) || sweeps && strings.Contains(p[0].Text, "credentials are") {
						h.Errorf("got %s, %v; want down, because %s", s.Health.State, p, want)
					}
					keys := h.find(s, "alice").Keys
					if listed, _ := keys.Get(); (len(listed) == 1) != sweeps || sweeps && time.Since(keys.Observed()) > keysInterval+refreshInterval {
						h.Errorf("keys of alice: got %d as of %s ago, want them read: %t", len(listed), time.Since(keys.Observed()), sweeps)
					}
					if n := h.world.Calls()["ListAccessKeys"]; !sweeps && n != 0 {
						h.Errorf("asked about users of another account %d times, want never", n)
					}
					h.world.EditReports(nil)
					h.world.SetFault(nil)
					time.Sleep(5 * time.Hour)
					if s = h.refresh(); s.Health.State != inventory.StateUp || len(s.Users) != 3 {
						h.Errorf("afterwards: got %s, %d users, %v; want up with 3", s.Health.State, len(s.Users), s.Health.Problems)
					}
				})
			})
		}
	}
}

// TestAnotherAccountsAnswersAreForgotten has the credentials become another account's
// once the users are listed. The next listing shows it, and what came in between is not
// to be believed.
func TestAnotherAccountsAnswersAreForgotten(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				var changed atomic.Bool
				config := h.world.Config()
				config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					if changed.Load() {
						return aws.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "x"}, nil
					}
					return aws.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: "x"}, nil
				})
				client := awsapi.New(config, awsapi.NewShared(1e6), awsapi.Options{Needs: awsapi.Needs{Source: source}, Rate: 1e6, Timeout: 10 * time.Second})
				h.account = New(client, Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
				h.user("alice")
				h.key("alice")
				before := h.refreshFor(2 * refreshInterval)

				other := awssim.New(awssim.Options{AccountID: "999999999999"})
				_, err := other.CreateUser("alice", "/", time.Now())
				h.ok(err)
				h.ok(other.SetRootPassword(awssim.RootPasswordDisabled))
				h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if changed.Load() {
						return other.ServeHTTP
					}
					changed.Store(operation == "ListUsers")
					return nil
				})
				h.account.ReadSoon("alice")
				s := h.refreshFor(4 * refreshInterval)
				if s.Health.State != inventory.StateDown {
					h.Errorf("state under another account: got %s, want down", s.Health.State)
				}
				inventorytest.Equal(h.T, h.find(before, "alice").Keys, h.find(s, "alice").Keys)
				if has, _ := s.Root.Console.Get(); !has {
					h.Error("root: got what the other account's is like")
				}

				changed.Store(false)
				h.world.SetFault(nil)
				s = h.refreshFor(2 * refreshInterval)
				keys := h.find(s, "alice").Keys
				if got, _ := keys.Get(); len(got) != 1 || time.Since(keys.Observed()) > 2*refreshInterval || s.Health.State != inventory.StateUp {
					h.Errorf("afterwards: got %d keys as of %s ago, %s; want one, read again", len(got), time.Since(keys.Observed()), s.Health.State)
				}
			})
		})
	}
}

// TestClockSetAfterTheStart has our clock five hours behind AWS's at first.
func TestClockSetAfterTheStart(t *testing.T) {
	ahead := 5 * time.Hour
	now := func() time.Time { return time.Now().Add(ahead) }
	inBubble(t, awsapi.SourceReport, awssim.Options{Now: now}, func(h *harness) {
		h.user("alice")
		h.refresh()
		ahead = 0
		time.Sleep(10 * time.Hour)
		h.refresh() // the next report tells the time
		h.world.ResetCalls()
		for range 12 {
			h.refresh()
		}
		if got := h.world.Calls()["GenerateCredentialReport"]; got != 0 {
			h.Errorf("reports asked for within an hour of the last: got %d, want none", got)
		}
		if s := h.account.Snapshot(); !s.Report.Usable {
			h.Errorf("report of %s: not usable at %s", s.Report.Generated, time.Now())
		}
	})
}

// TestFactsOfTheFutureAreRestoredAsOfNow keeps facts that an earlier process observed
// under a clock that was a year ahead, of an account that AWS tells of first.
func TestFactsOfTheFutureAreRestoredAsOfNow(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.password("alice")
		h.refresh()
		kept := h.account.Snapshot().Aged(365 * day)
		h.account = New(h.client, Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
		if p := h.account.Step(h.Context(), nil); !p.Restore {
			t.Fatalf("first step: got %+v, want it to have the facts restored", p)
		}
		h.account.Restore(kept)
		h.ok(h.world.RemovePassword("alice"))
		s := h.refreshFor(6 * time.Hour)
		for fact := range h.find(s, "alice").KnownFacts() {
			if fact.Observed.After(time.Now()) {
				h.Errorf("%s: observed at %s, which is to come", fact.Name, fact.Observed)
			}
		}
		if has, _ := h.find(s, "alice").Console.Get(); has {
			h.Error("console access: still there six hours after the password went")
		}
	})
}

// TestClockFarBehindAtTheStart has our clock sixty days behind AWS's. Once AWS's time
// is trusted, nothing stays as of two months ago.
func TestClockFarBehindAtTheStart(t *testing.T) {
	now := func() time.Time { return time.Now().Add(60 * day) }
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{Now: now}, func(h *harness) {
				h.user("alice")
				h.key("alice")
				s := h.refreshFor(30 * time.Minute)
				for fact := range h.find(s, "alice").KnownFacts() {
					if age := now().Sub(fact.Observed); age > time.Hour {
						h.Errorf("%s: %s old", fact.Name, age)
					}
				}
				for fact := range s.Root.KnownFacts() {
					if age := now().Sub(fact.Observed); age > time.Hour {
						h.Errorf("root's %s: %s old", fact.Name, age)
					}
				}
			})
		})
	}
}

// TestAReloadKeepsTheTime has our clock five hours ahead of AWS's, and the account be
// read in another way once AWS's time is trusted.
func TestAReloadKeepsTheTime(t *testing.T) {
	ahead := 5 * time.Hour
	now := func() time.Time { return time.Now().Add(-ahead) }
	inBubble(t, awsapi.SourceLive, awssim.Options{Now: now}, func(h *harness) {
		_, err := h.world.CreateUser("alice", "/", now().Add(-100*day))
		h.ok(err)
		h.keyOf("alice", now().Add(-50*day))
		h.refreshFor(time.Hour)
		before := h.account
		h.account = New(h.client, Options{RefreshInterval: 2 * refreshInterval, KeysInterval: keysInterval}, before.Snapshot())
		h.account.Continue(before)
		h.account.ReadSoon("alice")
		s := h.refresh()
		if at := h.find(s, "alice").Keys.Observed(); at.After(now()) {
			h.Errorf("keys: observed at %s by AWS's clock, which shows %s", at, now())
		}
	})
}

// TestSweepGoesOnHoweverLongTheRefreshTakes has the few calls take all the time.
func TestSweepGoesOnHoweverLongTheRefreshTakes(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 12 {
			h.user(fmt.Sprintf("user%02d", i))
		}
		h.account.o.RefreshInterval = 0
		for range 3 {
			h.round(h.Context())
		}
		if s := h.account.Snapshot(); !s.Complete[inventory.GroupKeys] {
			h.Error("keys: unknown of some after three refreshes, want a batch of 4 in each")
		}
	})
}

// TestWhatIsOwedIsAsked throttles the last of the calls about a user for a while.
func TestWhatIsOwedIsAsked(t *testing.T) {
	inBubble(t, awsapi.SourceAuto, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.password("alice")
		h.key("alice")
		h.refresh()
		_, err := h.world.AddMFA("alice", time.Now())
		h.ok(err)
		h.world.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListMFADevices" && n <= 3 { // as often as one call tries
				return throttled()
			}
			return nil
		})
		h.world.ResetCalls()
		time.Sleep(keysInterval)
		s := h.refresh()
		if mfa, _ := h.find(s, "alice").MFA.Get(); !mfa {
			h.Error("alice's MFA device: unknown to the exporter, want it asked for once AWS has time")
		}
		if got := h.world.Calls(); got["ListAccessKeys"] != 1 || got["GetLoginProfile"] != 1 || got["ListMFADevices"] != 4 {
			h.Errorf("calls: got %v, want only the throttled one repeated", got)
		}
		if s.Health.State != inventory.StateUp {
			h.Errorf("state: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

// TestFailureBesideThrottling denies one call for good while another is
// throttled: asking for the rest does not forget what was denied.
func TestFailureBesideThrottling(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.key("alice")
		h.world.SetFault(func(operation string, n int) http.HandlerFunc {
			switch {
			case operation == "GetAccessKeyLastUsed":
				return denied()
			case operation == "GetLoginProfile" && n <= 3:
				return throttled()
			}
			return nil
		})
		s := h.refresh()
		if !h.find(s, "alice").Console.Known() {
			h.Error("console access: unknown, want it asked for again")
		}
		if p := s.Health.Problems; s.Health.State != inventory.StateDown || len(p) != 1 || p[0].Reason != inventory.ReasonDenied {
			h.Errorf("got %s, %v; want down, because a call is denied", s.Health.State, p)
		}
	})
}
