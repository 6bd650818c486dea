package account

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// inEachBubble runs the test for each source.
func inEachBubble(t *testing.T, o awssim.Options, test func(*harness, awsapi.Source)) {
	t.Helper()
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, o, func(h *harness) { test(h, source) })
		})
	}
}

// inTaggedBubbles runs the test for every source and every source of tags, on
// an account with alice of the blue team, and bob, who has no tags.
func inTaggedBubbles(t *testing.T, o awssim.Options, test func(*harness, awsapi.Needs)) {
	t.Helper()
	for _, source := range awsapi.Sources() {
		for _, tags := range awsapi.TagSources() {
			t.Run(string(source)+" "+string(tags), func(t *testing.T) {
				inBubble(t, source, o, func(h *harness) {
					h.client.SetTags(tags)
					h.user("alice")
					h.user("bob")
					h.tag("alice", "team", "blue")
					test(h, awsapi.Needs{Source: source, Tags: tags})
				})
			})
		}
	}
}

func (h *harness) tag(user, key, value string) {
	h.Helper()
	h.ok(h.world.TagUser(user, key, value))
}

// refreshFor refreshes at the interval for that long.
func (h *harness) refreshFor(d time.Duration) *inventory.Snapshot {
	var s *inventory.Snapshot
	for end := time.Now().Add(d); time.Now().Before(end); {
		s = h.refresh()
	}
	return s
}

// mustHaveTags asserts the tags of a user; nil is a user without any.
func (h *harness) mustHaveTags(s *inventory.Snapshot, user string, want inventory.Tags) {
	h.Helper()
	got, known := h.find(s, user).Tags.Get()
	if !known {
		h.Errorf("tags of %s: unknown, want %v", user, want)
		return
	}
	inventorytest.Equal(h.T, want, got)
}

func (h *harness) mustNotKnowTags(s *inventory.Snapshot, user string) {
	h.Helper()
	if tags, known := h.find(s, user).Tags.Get(); known {
		h.Errorf("tags of %s: got %v, want them unknown", user, tags)
	}
}

func blue() inventory.Tags { return inventory.Tags{{Key: "team", Value: "blue"}} }

func TestTagsOfEverybody(t *testing.T) {
	inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
		h.tag("alice", "Owner", "carol@example.com")
		h.tag("alice", "a", "")
		h.ok(h.world.PutUserPolicy("alice", "own", `{"Sid":"VERYPRIVATE"}`))
		began := time.Now()
		s := h.refresh()
		h.mustHaveTags(s, "alice", inventory.Tags{{Key: "Owner", Value: "carol@example.com"}, {Key: "a"}, {Key: "team", Value: "blue"}})
		h.mustHaveTags(s, "bob", nil)
		if s.Health.State != inventory.StateUp || !s.Complete[inventory.GroupTags] {
			h.Errorf("got %s, %v, tags complete %t; want up and complete", s.Health.State, s.Health.Problems, s.Complete[inventory.GroupTags])
		}
		read := h.find(s, "alice").Tags.Observed()
		if read.Before(inventory.Truncate(began)) || read.After(began.Add(time.Minute)) {
			h.Errorf("tags observed at %s, want AWS's time of the answer, about %s", read, began)
		}
		oldest := read
		if other := h.find(s, "bob").Tags.Observed(); other.Before(oldest) {
			oldest = other
		}
		want := inventory.Freshness{Observed: oldest, Stale: oldest.Add(2*keysInterval + 3*refreshInterval)}
		inventorytest.Equal(h.T, want, s.Freshness[inventory.GroupTags])
		if text := fmt.Sprintf("%+v", s); strings.Contains(text, "VERYPRIVATE") {
			h.Error("the snapshot holds a policy")
		}
		for _, other := range awsapi.TagSources() {
			if other != needs.Tags && h.world.Calls()[string(other)] > 0 {
				h.Errorf("%s was called, want %s alone", other, needs.Tags)
			}
		}
	})
}

func TestTagsFollowChanges(t *testing.T) {
	inTaggedBubbles(t, awssim.Options{}, func(h *harness, _ awsapi.Needs) {
		h.refresh()
		h.tag("alice", "team", "red")
		h.tag("bob", "team", "green")
		s := h.refreshFor(keysInterval + refreshInterval)
		h.mustHaveTags(s, "alice", inventory.Tags{{Key: "team", Value: "red"}})
		h.mustHaveTags(s, "bob", inventory.Tags{{Key: "team", Value: "green"}})
		h.ok(h.world.UntagUser("alice", "team"))
		h.mustHaveTags(h.refreshFor(keysInterval+refreshInterval), "alice", nil)
	})
}

// TestTagsThatNobodyNeeds are neither asked for nor missed.
func TestTagsThatNobodyNeeds(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.user("alice")
		h.tag("alice", "team", "blue")
		s := h.refreshFor(2 * keysInterval)
		h.mustNotKnowTags(s, "alice")
		if _, fresh := s.Freshness[inventory.GroupTags]; fresh || s.Complete[inventory.GroupTags] || s.Health.State != inventory.StateUp {
			h.Errorf("group tags: fresh %t, complete %t, state %s; want no such group, and up", fresh, s.Complete[inventory.GroupTags], s.Health.State)
		}
		if calls := h.world.Calls(); calls["GetAccountAuthorizationDetails"]+calls["ListUserTags"] > 0 {
			h.Errorf("calls: got %v, want none about tags", calls)
		}
	})
}

func TestNoUsersNoTags(t *testing.T) {
	for _, tags := range awsapi.TagSources() {
		inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
			h.client.SetTags(tags)
			if s := h.refresh(); !s.Complete[inventory.GroupTags] || s.Health.State != inventory.StateUp {
				h.Errorf("%s: tags complete %t, %s; want complete, up", tags, s.Complete[inventory.GroupTags], s.Health.State)
			}
		})
	}
}

func TestDeniedTags(t *testing.T) {
	inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
		h.key("alice")
		h.fail(string(needs.Tags), denied())
		s := h.refresh()
		h.mustNotKnowTags(s, "alice")
		if !h.find(s, "alice").Keys.Known() || !s.Root.KeyPresent.Known() {
			h.Error("keys or root: unknown, want them asked for all the same")
		}
		if p := s.Health.Problems; len(p) != 1 || p[0].Reason != inventory.ReasonDenied || s.Health.State != inventory.StateDown ||
			!strings.Contains(p[0].Text, "; allow iam:"+string(needs.Tags)+" (") {
			h.Errorf("got %s, %v; want down, and the permission named", s.Health.State, p)
		}
		if _, fresh := s.Freshness[inventory.GroupTags]; fresh || s.Complete[inventory.GroupTags] {
			h.Errorf("freshness of tags: got %v, complete %t; want none", s.Freshness[inventory.GroupTags], s.Complete[inventory.GroupTags])
		}
		h.world.ResetCalls()
		h.refresh()
		if got := h.calls(string(needs.Tags)); got != 1 {
			h.Errorf("calls in the next refresh: got %d, want one, to see whether it works", got)
		}

		h.world.SetFault(nil)
		h.refresh()
		s = h.refresh()
		h.mustHaveTags(s, "alice", blue())
		h.mustHaveTags(s, "bob", nil)
		if s.Health.State != inventory.StateUp {
			h.Errorf("afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

// TestFailuresKeepTheTags has reading tags fail for a while after it worked.
func TestFailuresKeepTheTags(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"denied": denied(), "throttled": throttled(), "empty": awssim.Raw(200, "text/xml", ""), "endless": awssim.RepeatMarker(),
	} {
		t.Run(name, func(t *testing.T) {
			inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
				before := h.refresh()
				h.fail(string(needs.Tags), fault)
				h.tag("alice", "team", "red")
				after := h.refreshFor(keysInterval + 2*refreshInterval)
				for _, user := range []string{"alice", "bob"} {
					inventorytest.Equal(h.T, h.find(before, user).Tags, h.find(after, user).Tags)
				}
				inventorytest.Equal(h.T, before.Freshness[inventory.GroupTags], after.Freshness[inventory.GroupTags])
				if after.Health.State != inventory.StateDown {
					h.Errorf("state: got %s, want down", after.Health.State)
				}
				h.world.SetFault(nil)
				h.refresh()
				after = h.refresh()
				h.mustHaveTags(after, "alice", inventory.Tags{{Key: "team", Value: "red"}})
				if after.Health.State != inventory.StateUp {
					h.Errorf("afterwards: got %s, %v; want up", after.Health.State, after.Health.Problems)
				}
			})
		})
	}
}

// TestThrottledTagsOfOneUserArePutBack throttles as many attempts as one call
// makes.
func TestThrottledTagsOfOneUserArePutBack(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.user("alice")
		h.tag("alice", "team", "blue")
		h.world.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListUserTags" && n <= 3 {
				return throttled()
			}
			return nil
		})
		s := h.refresh()
		h.mustHaveTags(s, "alice", blue())
		if s.Health.State != inventory.StateUp || s.Health.Errors[inventory.ReasonThrottled] != 0 {
			h.Errorf("health: got %+v, want no failure", s.Health)
		}
		if calls := h.world.Calls(); calls["ListUserTags"] != 4 || calls["ListAccessKeys"] > 1 {
			h.Errorf("calls: got %v, want only the throttled one repeated", calls)
		}
	})
}

// TestTagsAreGivenUp denies ListUserTags, which then is not asked about
// everybody in vain.
func TestTagsAreGivenUp(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		const users = 60
		for i := range users {
			h.user(fmt.Sprintf("user%02d", i))
		}
		h.fail("ListUserTags", denied())
		s := h.refresh()
		if got := h.calls("ListUserTags"); got < giveUpAfter || got >= giveUpAfter+2*readers {
			h.Errorf("calls in the first sweep: got %d, want %d, those under way, and a few to see whether it works", got, giveUpAfter)
		}
		want := "call iam:ListUserTags for user user00: AccessDenied; allow iam:ListUserTags (`aws_iam_exporter iam-policy` with the same flags prints the policy) (and the same for 59 more users)"
		inventorytest.Equal(h.T, []inventory.Problem{{Reason: inventory.ReasonDenied, Text: want, User: "user00", Action: "iam:ListUserTags"}}, s.Health.Problems)
		h.world.SetFault(nil)
		h.refresh() // the probe works
		if s = h.refresh(); s.Health.State != inventory.StateUp || !s.Complete[inventory.GroupTags] {
			h.Errorf("once it works: got %s, tags complete %t; want up, complete", s.Health.State, s.Complete[inventory.GroupTags])
		}
	})
}

// TestTagsOfAllCostFewCalls reads 1,500 users, in pages of 1,000 or as many as
// AWS likes.
func TestTagsOfAllCostFewCalls(t *testing.T) {
	for name, test := range map[string]struct{ maxPage, pages int }{"as asked": {0, 2}, "fewer": {400, 4}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{MaxPage: test.maxPage}, func(h *harness) {
				h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
				for i := range 1500 {
					user := fmt.Sprintf("user%04d", i)
					h.user(user)
					h.tag(user, "number", fmt.Sprint(i))
				}
				s := h.refresh()
				for i := range s.Users {
					h.mustHaveTags(s, s.Users[i].Name, inventory.Tags{{Key: "number", Value: fmt.Sprint(i)}})
				}
				if got := h.calls(string(awsapi.TagsFromAuthorizationDetails)); got != test.pages {
					h.Errorf("calls: got %d, want %d pages", got, test.pages)
				}
				h.refreshFor(3 * keysInterval)
				if got := h.calls(string(awsapi.TagsFromAuthorizationDetails)); got != 3*test.pages {
					h.Errorf("calls in three hours: got %d, want %d pages three times", got, test.pages)
				}
			})
		})
	}
}

// TestTagsOfEachUserCostOneCall counts the calls of three hours, in which the
// source report reads a new one.
func TestTagsOfEachUserCostOneCall(t *testing.T) {
	inEachBubble(t, awssim.Options{ReportLife: 2 * time.Hour}, func(h *harness, source awsapi.Source) {
		h.account.o.ReportLife = 2 * time.Hour
		h.client.SetTags(awsapi.TagsFromListUserTags)
		for i := range 10 {
			h.user(fmt.Sprintf("user%02d", i))
		}
		h.refreshFor(3 * keysInterval)
		calls := h.world.Calls()
		// Whoever falls due before the next refresh is read in this one, so
		// that an hour is 55 minutes.
		if got := calls["ListUserTags"]; got != 40 {
			h.Errorf("ListUserTags: got %d calls, want four for each of 10 users", got)
		}
		if got := calls["GetCredentialReport"]; source == awsapi.SourceReport && (got != 2 || calls["ListAccountAliases"] != 3 || len(calls) != 5) {
			h.Errorf("calls: got %v, want two reports, the alias three times, and nothing but those and tags", calls)
		}
	})
}

// TestTagsOutliveAReport has a new report come, which tells nothing about tags.
func TestTagsOutliveAReport(t *testing.T) {
	for _, tags := range awsapi.TagSources() {
		t.Run(string(tags), func(t *testing.T) {
			inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
				h.client.SetTags(tags)
				h.user("alice")
				h.tag("alice", "team", "blue")
				h.refresh()
				h.fail(string(tags), denied())
				h.refreshFor(4 * time.Hour)
				s := h.refresh()
				if age := time.Since(s.Report.Generated); age > time.Hour {
					h.Fatalf("the report is %s old, want a new one", age)
				}
				h.mustHaveTags(s, "alice", blue())
				if s.Health.State != inventory.StateDown {
					h.Errorf("state: got %s, want down, because reading tags fails", s.Health.State)
				}
			})
		})
	}
}

// TestNewUserIsTagged has a user come between two rounds.
func TestNewUserIsTagged(t *testing.T) {
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		for _, tags := range awsapi.TagSources() {
			t.Run(string(source)+" "+string(tags), func(t *testing.T) {
				inBubble(t, source, awssim.Options{}, func(h *harness) {
					h.client.SetTags(tags)
					h.user("alice")
					h.refresh()
					h.world.ResetCalls()
					h.user("carol")
					h.tag("carol", "team", "blue")
					h.mustHaveTags(h.refresh(), "carol", blue())
					h.refresh()
					if got := h.calls(string(tags)); got != 1 {
						h.Errorf("calls: got %d, want one for the new user", got)
					}
				})
			})
		}
	}
}

// TestTagsOfANewUserComeWithTheFirstView reads tags before the sweep begins, so
// that no finding is published without its owner.
func TestTagsOfANewUserComeWithTheFirstView(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
		h.user("alice")
		h.tag("alice", "team", "blue")
		for len(h.account.Snapshot().Users) == 0 {
			h.step(h.Context())
		}
		h.mustHaveTags(h.account.Snapshot(), "alice", blue())
	})
}

// TestRenamedUserKeepsTags leaves AWS no chance to tell them anew, but for the
// source report, to which a user is another under another name.
func TestRenamedUserKeepsTags(t *testing.T) {
	inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
		h.refresh()
		h.ok(h.world.RenameUser("alice", "alicia"))
		if needs.Source == awsapi.SourceReport {
			h.refreshFor(4*time.Hour + refreshInterval)
		} else {
			h.fail(string(needs.Tags), denied())
		}
		h.mustHaveTags(h.refresh(), "alicia", blue())
	})
}

func TestNewUserUnderAnOldNameInheritsNoTags(t *testing.T) {
	inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
		h.refresh()
		h.ok(h.world.DeleteUser("alice"))
		time.Sleep(time.Second)
		h.user("alice")
		h.fail(string(needs.Tags), denied())
		if needs.Source == awsapi.SourceReport {
			h.refreshFor(4 * time.Hour)
		}
		h.mustNotKnowTags(h.refresh(), "alice")
		h.world.SetFault(nil)
		h.refresh()
		h.mustHaveTags(h.refresh(), "alice", nil)
	})
}

// TestTagsOfWhoLeftSinceTheReport are neither asked for all the time nor do they
// make the group look old.
func TestTagsOfWhoLeftSinceTheReport(t *testing.T) {
	for _, tags := range awsapi.TagSources() {
		for name, first := range map[string]time.Duration{"known": refreshInterval, "unknown": 0} {
			t.Run(string(tags)+" "+name, func(t *testing.T) {
				inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
					if first > 0 {
						h.client.SetTags(tags)
					}
					h.user("alice")
					h.user("bob")
					h.tag("bob", "team", "blue")
					h.refresh()
					h.client.SetTags(tags)
					h.ok(h.world.DeleteUser("bob"))
					s := h.refreshFor(3*keysInterval + refreshInterval)
					if len(s.Users) != 2 {
						h.Fatalf("users: got %d, want bob in the report still", len(s.Users))
					}
					if first > 0 {
						h.mustHaveTags(s, "bob", blue())
					} else {
						h.mustNotKnowTags(s, "bob")
					}
					fresh := s.Freshness[inventory.GroupTags]
					if age := time.Since(fresh.Observed); age > keysInterval+refreshInterval || !s.Complete[inventory.GroupTags] || s.Health.State != inventory.StateUp {
						h.Errorf("tags: %s old, complete %t, %s; want them fresh, complete, up", age, s.Complete[inventory.GroupTags], s.Health.State)
					}
					if got := h.calls(string(tags)); got > 8 {
						h.Errorf("calls in three hours: got %d, want one or two an hour", got)
					}
				})
			})
		}
	}
}

// TestFailuresEndWithTheUser denies the tags of users of whom one leaves before
// they can be read.
func TestFailuresEndWithTheUser(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.user("alice")
		h.user("bob")
		h.fail("ListUserTags", denied())
		h.refresh()
		h.ok(h.world.DeleteUser("bob"))
		h.world.SetFault(nil)
		s := h.refreshFor(4 * refreshInterval)
		if s.Health.State != inventory.StateUp || len(s.Users) != 2 {
			h.Errorf("got %s with %d users, %v; want up with both in the report", s.Health.State, len(s.Users), s.Health.Problems)
		}
		h.world.ResetCalls()
		h.refresh()
		if got := h.calls("ListUserTags"); got != 0 {
			h.Errorf("calls about who left: got %d, want none before the next round", got)
		}
	})
}

func TestTagsOfAnotherAccountAreRefused(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
		h.user("alice")
		h.tag("alice", "team", "blue")
		before := h.refresh()
		other := awssim.New(awssim.Options{AccountID: "999999999999"})
		_, err := other.CreateUser("alice", "/", time.Now().Add(-100*day))
		h.ok(err)
		h.ok(other.TagUser("alice", "team", "red"))
		h.fail("GetAccountAuthorizationDetails", other.ServeHTTP)
		time.Sleep(keysInterval)
		h.world.ResetCalls()
		s := h.refresh()
		inventorytest.Equal(h.T, before.Users[0].Tags, s.Users[0].Tags)
		want := `call iam:GetAccountAuthorizationDetails for account 123456789012: user "alice" has the ARN "arn:aws:iam::999999999999:user/alice": expected one in account 123456789012: the credentials are another account's now; restart the exporter`
		if p := s.Health.Problems; len(p) != 1 || !strings.HasPrefix(p[0].Text, want) {
			h.Errorf("problems: got %v, want %s", p, want)
		}
		if got := h.world.Calls()["ListAccessKeys"]; got != 0 {
			h.Errorf("keys of the other account: asked for %d times, want none", got)
		}
		h.world.SetFault(nil)
		if s = h.refresh(); s.Health.State != inventory.StateUp {
			h.Errorf("afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

// TestTagsAskedByNameAreOfTheSameAccount has the credentials change between two
// reports, while tags are asked for by name.
func TestTagsAskedByNameAreOfTheSameAccount(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.user("alice")
		h.tag("alice", "team", "blue")
		h.refresh()
		other := awssim.New(awssim.Options{AccountID: "999999999999"})
		_, err := other.CreateUser("alice", "/", time.Now().Add(-100*day))
		h.ok(err)
		h.ok(other.TagUser("alice", "team", "red"))
		h.world.SetFault(func(string, int) http.HandlerFunc { return other.ServeHTTP })
		s := h.refreshFor(2 * keysInterval)
		h.mustHaveTags(s, "alice", blue())
		const want = "the credentials are another account's now; restart the exporter"
		if p := s.Health.Problems; len(p) != 1 || !strings.Contains(p[0].Text, want) || s.Health.State != inventory.StateDown {
			h.Errorf("problems: got %v, %s; want one that says %q, down", p, s.Health.State, want)
		}
		h.world.SetFault(nil)
		if s = h.refreshFor(2 * keysInterval); s.Health.State != inventory.StateUp {
			h.Errorf("afterwards: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

// TestSourceOfTagsChanges goes through all of them while the exporter runs.
func TestSourceOfTagsChanges(t *testing.T) {
	inEachBubble(t, awssim.Options{}, func(h *harness, _ awsapi.Source) {
		h.user("alice")
		h.tag("alice", "team", "blue")
		h.refresh()
		for i, tags := range []awsapi.TagSource{
			awsapi.TagsFromListUserTags, awsapi.TagsFromAuthorizationDetails, awsapi.TagsFromListUserTags, awsapi.NoTags,
			awsapi.TagsFromAuthorizationDetails, awsapi.NoTags, awsapi.TagsFromListUserTags,
		} {
			h.client.SetTags(tags)
			h.world.ResetCalls()
			s := h.refresh()
			_, fresh := s.Freshness[inventory.GroupTags]
			if tags == awsapi.NoTags {
				h.mustNotKnowTags(s, "alice")
			} else {
				h.mustHaveTags(s, "alice", blue())
			}
			if wanted := tags != awsapi.NoTags; fresh != wanted || s.Complete[inventory.GroupTags] != wanted || s.Health.State != inventory.StateUp {
				h.Errorf("%d, tags from %q: fresh %t, complete %t, %s", i, tags, fresh, s.Complete[inventory.GroupTags], s.Health.State)
			}
			for _, other := range awsapi.TagSources() {
				if got := h.world.Calls()[string(other)]; other != tags && got > 0 {
					h.Errorf("%d, tags from %q: %s called %d times", i, tags, other, got)
				}
			}
		}
	})
}

// TestFailuresEndWithTheSourceOfTags denies all that reads tags, and then does
// without.
func TestFailuresEndWithTheSourceOfTags(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{"denied": denied(), "throttled": throttled()} {
		t.Run(name, func(t *testing.T) {
			inTaggedBubbles(t, awssim.Options{}, func(h *harness, needs awsapi.Needs) {
				h.fail(string(needs.Tags), fault)
				if s := h.refresh(); s.Health.State != inventory.StateDown {
					h.Errorf("state: got %s, want down", s.Health.State)
				}
				h.client.SetTags(awsapi.NoTags)
				if s := h.refresh(); s.Health.State != inventory.StateUp || len(s.Health.Problems) > 0 {
					h.Errorf("without tags: got %s, %v; want up", s.Health.State, s.Health.Problems)
				}
			})
		})
	}
}

// TestSourceOfTagsChangesMeanwhile has a new configuration come while tags are
// read, from when on the guard refuses the rest.
func TestSourceOfTagsChangesMeanwhile(t *testing.T) {
	for _, next := range []awsapi.TagSource{awsapi.NoTags, awsapi.TagsFromAuthorizationDetails, awsapi.TagsFromListUserTags} {
		t.Run("to "+string(next), func(t *testing.T) {
			inTaggedBubbles(t, awssim.Options{MaxPage: 1}, func(h *harness, needs awsapi.Needs) {
				for i := range 20 {
					h.user(fmt.Sprintf("user%02d", i))
				}
				h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation == string(needs.Tags) {
						h.client.SetTags(next)
					}
					return nil
				})
				h.refresh()
				if s := h.refresh(); s.Health.State != inventory.StateUp || len(s.Health.Errors) > 0 {
					h.Errorf("health: got %s, %v, %v; want up, without errors", s.Health.State, s.Health.Problems, s.Health.Errors)
				}
			})
		})
	}
}

// TestForgottenTags has an earlier process have known tags that nobody wants
// any more.
func TestForgottenTags(t *testing.T) {
	user := knownUser("alice")
	user.Tags = inventory.Observe(blue(), observed)
	r := accountOf(user)
	r.known.complete[inventory.GroupTags] = true
	r.setTagSource(awsapi.NoTags)
	s := r.Snapshot()
	if s.Users[0].Tags.Known() || s.Complete[inventory.GroupTags] {
		t.Errorf("tags: known %t, complete %t; want neither", s.Users[0].Tags.Known(), s.Complete[inventory.GroupTags])
	}
}

func TestSweepEndsWithItsPurpose(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.user("alice")
		h.refreshFor(keysInterval)
		h.client.SetTags(awsapi.NoTags)
		h.refreshFor(10 * time.Hour)
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.refresh()
		tags := h.refresh().Freshness[inventory.GroupTags]
		if got, want := tags.Stale.Sub(tags.Observed), 2*keysInterval+3*refreshInterval; got != want {
			h.Errorf("tags count as fresh for %s, want %s: the pause is not the pace", got, want)
		}
	})
}

func TestFreshnessOfTags(t *testing.T) {
	tagged := func(at time.Time) inventory.User {
		u := knownUser("alice")
		u.Tags = inventory.Observe(blue(), at)
		return u
	}
	early, late := epoch, epoch.Add(time.Hour)
	for name, test := range map[string]struct {
		source   awsapi.TagSource
		users    []*trackedUser
		oldest   time.Time
		complete bool
	}{
		"not wanted":                {awsapi.NoTags, []*trackedUser{{User: tagged(early)}}, time.Time{}, false},
		"not wanted of nobody":      {awsapi.NoTags, nil, time.Time{}, false},
		"of nobody":                 {awsapi.TagsFromListUserTags, nil, observed, true},
		"of all":                    {awsapi.TagsFromListUserTags, []*trackedUser{{User: tagged(late)}, {User: tagged(early)}}, early, true},
		"unknown of one":            {awsapi.TagsFromAuthorizationDetails, []*trackedUser{{User: tagged(late)}, {User: knownUser("bob")}}, late, false},
		"unknown of all":            {awsapi.TagsFromAuthorizationDetails, []*trackedUser{{User: knownUser("bob")}}, time.Time{}, false},
		"unknown of one who left":   {awsapi.TagsFromListUserTags, []*trackedUser{{User: tagged(late)}, {User: knownUser("bob"), missing: true}}, late, true},
		"old, of one who left":      {awsapi.TagsFromListUserTags, []*trackedUser{{User: tagged(late)}, {User: tagged(early), missing: true}}, late, true},
		"known of nobody but those": {awsapi.TagsFromListUserTags, []*trackedUser{{User: tagged(early), missing: true}}, observed, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := testAccount(awsapi.SourceReport)
			r.tags.source, r.known.users, r.known.listed = test.source, test.users, observed
			s := r.Snapshot()
			inventorytest.Equal(t, test.oldest, s.Freshness[inventory.GroupTags].Observed)
			inventorytest.Equal(t, test.complete, s.Complete[inventory.GroupTags])
		})
	}
}

func TestJoinTags(t *testing.T) {
	user := func(id, name string, created time.Time, tags inventory.Fact[inventory.Tags]) inventory.User {
		return inventory.User{ID: id, Name: name, Created: created, Tags: tags}
	}
	old := inventory.Observe(inventory.Tags{{Key: "team", Value: "old"}}, epoch)
	now := inventory.Observe(blue(), observed)
	other := inventory.Observe(inventory.Tags{{Key: "team", Value: "red"}}, observed)
	for name, test := range map[string]struct {
		source  awsapi.Source
		told    []inventory.User
		want    inventory.Fact[inventory.Tags]
		missing bool
	}{
		"nobody":                         {source: awsapi.SourceLive, want: old},
		"nobody, in a report":            {source: awsapi.SourceReport, want: old, missing: true},
		"one":                            {awsapi.SourceLive, []inventory.User{user("A", "alice", epoch, now)}, now, false},
		"one, in a report":               {awsapi.SourceReport, []inventory.User{user("A", "alice", epoch, now)}, now, false},
		"renamed":                        {awsapi.SourceAuto, []inventory.User{user("A", "alicia", epoch, now)}, now, false},
		"renamed, in a report":           {awsapi.SourceReport, []inventory.User{user("A", "alicia", epoch, now)}, old, true},
		"made anew":                      {awsapi.SourceAuto, []inventory.User{user("B", "alice", epoch, now)}, old, false},
		"made anew, in a report":         {awsapi.SourceReport, []inventory.User{user("B", "alice", epoch.Add(time.Second), now)}, old, true},
		"repeated":                       {awsapi.SourceLive, []inventory.User{user("A", "alice", epoch, now), user("A", "alice", epoch, now)}, now, false},
		"in two ways":                    {awsapi.SourceLive, []inventory.User{user("A", "alice", epoch, now), user("A", "alice", epoch, other)}, old, false},
		"in two ways and again":          {awsapi.SourceLive, []inventory.User{user("A", "alice", epoch, now), user("A", "alice", epoch, other), user("A", "alice", epoch, now)}, old, false},
		"two of a second, in a report":   {awsapi.SourceReport, []inventory.User{user("A", "alice", epoch, now), user("B", "alice", epoch, now)}, old, false},
		"two of one name, in a report":   {awsapi.SourceReport, []inventory.User{user("B", "alice", epoch.Add(day), other), user("A", "alice", epoch, now)}, now, false},
		"two of one name, told apart":    {awsapi.SourceLive, []inventory.User{user("B", "alice", epoch, other), user("A", "alice", epoch, now)}, now, false},
		"another, who is not listed yet": {awsapi.SourceLive, []inventory.User{user("B", "bob", epoch, now)}, old, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := testAccount(test.source)
			rec := &trackedUser{User: user("A", "alice", epoch, old), live: user("A", "alice", epoch, old)}
			if test.source == awsapi.SourceReport {
				rec.ID = ""
			}
			r.known.users = []*trackedUser{rec}
			r.known.joinTags(test.told, test.source)
			inventorytest.Equal(t, test.want, rec.Tags)
			if rec.missing != test.missing {
				t.Errorf("missing: got %t, want %t", rec.missing, test.missing)
			}
		})
	}
}

func TestTagsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		tagged := knownUser("alice")
		tagged.Tags = inventory.Observe(blue(), observed)
		for name, test := range map[string]struct {
			read   time.Time
			failed error
			rec    trackedUser
			want   bool
		}{
			"never read":             {rec: trackedUser{User: tagged}, want: true},
			"read just now":          {read: now, rec: trackedUser{User: tagged}},
			"read a while ago":       {read: now.Add(1 - keysInterval), rec: trackedUser{User: tagged}},
			"read long ago":          {read: now.Add(-keysInterval), rec: trackedUser{User: tagged}, want: true},
			"failed":                 {read: now, failed: errors.New("no"), rec: trackedUser{User: tagged}, want: true},
			"new user":               {read: now, rec: trackedUser{User: knownUser("alice")}, want: true},
			"who left since unknown": {read: now, rec: trackedUser{User: knownUser("alice"), missing: true}},
		} {
			r := testAccount(awsapi.SourceReport)
			r.known.listed, r.tags.read, r.known.users = observed, test.read, []*trackedUser{&test.rec}
			if test.failed != nil {
				r.trouble.failed["tags"] = test.failed
			}
			if got := r.tagsDue(now); got != test.want {
				t.Errorf("%s: got %t, want %t", name, got, test.want)
			}
		}
	})
}
