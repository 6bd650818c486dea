package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// knownUser is a user about whom nothing is left to ask.
func knownUser(name string) inventory.User {
	return inventory.User{
		Name: name, Created: epoch,
		Keys: inventory.Observe([]inventory.AccessKey{}, observed), Console: inventory.Observe(false, observed),
	}
}

// withKeys returns knownUser with active keys of known use.
func withKeys(name string, n int) inventory.User {
	u := knownUser(name)
	var keys []inventory.AccessKey
	for i := range n {
		k := key("AKIA"+string(rune('A'+i)), epoch.Add(time.Duration(i)*time.Hour))
		k.LastUse = use(time.Time{}, observed)
		keys = append(keys, k)
	}
	u.Keys = inventory.Observe(keys, observed)
	return u
}

func testAccount(source awsapi.Source) *Account {
	return New(idleClient(source), Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
}

func refusal(code string) error { return &smithy.GenericAPIError{Code: code, Message: "not allowed"} }

func TestNeedsPassword(t *testing.T) {
	at := func(created time.Time) []inventory.AccessKey { return []inventory.AccessKey{key("A", created)} }
	inactive := at(generated.Add(time.Hour))
	inactive[0].Status = inventory.Inactive
	yes, no := inventory.Observe(true, generated), inventory.Observe(false, generated)
	for name, test := range map[string]struct {
		live, noRow, unreported, deactivated bool
		console                              inventory.Fact[bool]
		signIn                               time.Time
		keys                                 []inventory.AccessKey
		want                                 bool
	}{
		"no report is used":               {live: true, console: no, want: true},
		"not in the report":               {noRow: true, console: no, want: true},
		"the report does not say":         {want: true},
		"no password, no key":             {console: no},
		"no password, older key":          {console: no, keys: at(epoch)},
		"no password, newer key":          {console: no, keys: at(generated.Add(time.Second)), unreported: true, want: true},
		"no password, newer but inactive": {console: no, keys: inactive},
		"no password, key not reported":   {console: no, keys: at(epoch), unreported: true, want: true},
		"no password, key reactivated":    {console: no, keys: at(epoch), deactivated: true, want: true},
		"no password, signed in since":    {console: no, signIn: generated.Add(time.Second), want: true},
		"no password, signed in before":   {console: no, signIn: generated},
		"password, no key":                {console: yes},
		"password and inactive key":       {console: yes, keys: inactive},
		"password and active key":         {console: yes, keys: at(epoch), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := &userRead{
				question: question{
					asksLive: test.live, generated: generated,
					user: inventory.User{Console: test.console, PasswordUse: use(test.signIn, observed)},
				},
				answer: answer{keys: inventory.Observe(test.keys, observed)},
			}
			if !test.noRow {
				g.row = &credreport.Row{}
			}
			for _, k := range test.keys {
				if !test.noRow && !test.unreported {
					g.row.Slots = append(g.row.Slots, credreport.Slot{Active: !test.deactivated, Created: k.Created, LastUse: credreport.Known(inventory.Use{})})
				}
			}
			if got := g.needsPassword(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// TestPasswordChanged keeps what a report told of the password's last change for
// as long as there is a password, and as of the report while there is one.
func TestPasswordChanged(t *testing.T) {
	known := inventory.Observe(epoch, generated)
	for name, test := range map[string]struct {
		live, noRow, removed bool
		before, want         inventory.Fact[time.Time]
	}{
		"as of the report":        {before: known, want: known},
		"never told":              {},
		"never told, no report":   {live: true},
		"no report is used":       {live: true, before: known, want: inventory.Observe(epoch, observed)},
		"no row any more":         {noRow: true, before: known, want: inventory.Observe(epoch, observed)},
		"password removed":        {removed: true, before: known},
		"removed, without report": {live: true, removed: true, before: known},
	} {
		t.Run(name, func(t *testing.T) {
			g := &userRead{
				question: question{asksLive: test.live},
				answer:   answer{password: awsiam.Password{Console: inventory.Observe(!test.removed, observed)}},
			}
			if !test.noRow {
				g.row = &credreport.Row{}
			}
			if got := g.passwordChanged(test.before); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestNeedsMFA(t *testing.T) {
	yes, no := inventory.Observe(true, generated), inventory.Observe(false, generated)
	one, none := credreport.Known(true), credreport.Known(false)
	yesNow, noNow := inventory.Observe(true, observed), inventory.Observe(false, observed)
	for name, test := range map[string]struct {
		live, noRow       bool
		console, password inventory.Fact[bool]
		reportsMFA        credreport.Maybe[bool]
		want              bool
	}{
		"no password":                             {console: no, reportsMFA: none},
		"unknown password":                        {reportsMFA: none},
		"password, the report tells":              {console: yes, reportsMFA: none},
		"password, the report does not tell":      {console: yes, want: true},
		"no report is used":                       {live: true, console: yes, reportsMFA: one, want: true},
		"no report is used, no password":          {live: true, password: noNow},
		"not in the report":                       {noRow: true, password: yesNow, want: true},
		"not in the report, no password":          {noRow: true, password: noNow},
		"accused still, the report says none":     {console: yes, password: yesNow, reportsMFA: none, want: true},
		"accused still, the report says one":      {console: yes, password: yesNow, reportsMFA: one},
		"password removed since":                  {console: yes, password: noNow, reportsMFA: none},
		"password made since, the report has one": {console: no, password: yesNow, reportsMFA: one},
		"password made since":                     {console: no, password: yesNow, reportsMFA: none, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := &userRead{
				question: question{asksLive: test.live, user: inventory.User{Console: test.console}},
				answer:   answer{password: awsiam.Password{Console: test.password}},
			}
			if !test.noRow {
				g.row = &credreport.Row{MFA: test.reportsMFA}
			}
			if got := g.needsMFA(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestBreaker(t *testing.T) {
	b := newBreaker()
	first, last, busy := errors.New("first"), errors.New("last"), awsapi.Wrap("iam:X", "user", refusal("Throttling"))
	for range giveUpAfter - 1 {
		b.note("iam:X", first)
	}
	for range 2 * giveUpAfter {
		b.note("iam:X", busy) // says nothing about the next call
	}
	if b.open("iam:X") {
		t.Errorf("open after %d failures, want %d", giveUpAfter-1, giveUpAfter)
	}
	b.note("iam:X", last)
	var tried []int
	for user := range 10 * giveUpAfter {
		if !b.open("iam:X") {
			tried = append(tried, user+1)
		}
	}
	if diff := cmp.Diff([]int{giveUpAfter, 2 * giveUpAfter, 4 * giveUpAfter, 8 * giveUpAfter}, tried); diff != "" {
		t.Errorf("tried for the users (-want +got):\n%s", diff)
	}
	if b.open("iam:Y") {
		t.Error("another call is given up, too")
	}
	if err := b.reason("iam:X"); !errors.Is(err, last) || !errors.Is(err, errGivenUp) || err.Error() != "last" {
		t.Errorf("reason: got %v, want the last failure, marked as given up", err)
	}
}

// TestBreakerOfWhatWorks has a call work for somebody, and then fail for many.
func TestBreakerOfWhatWorks(t *testing.T) {
	b := newBreaker()
	failMany := func() {
		for range 2 * giveUpAfter {
			b.note("iam:X", errors.New("denied"))
		}
	}
	b.note("iam:X", nil)
	failMany()
	if b.open("iam:X") {
		t.Error("given up in the sweep in which it has worked")
	}
	b = b.next().next() // no call was made in one
	failMany()
	if b.open("iam:X") {
		t.Error("given up in the sweep after one in which it has worked")
	}
	b = b.next()
	failMany()
	if !b.open("iam:X") {
		t.Error("not given up after a sweep in which it has only failed")
	}
}

// TestOneFailingCallStopsNoOther has ListAccessKeys alone fail, which costs
// neither the other facts nor, refresh after refresh, thousands of calls.
func TestOneFailingCallStopsNoOther(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"denied": denied(),
		"broken": awssim.Raw(http.StatusOK, "text/html", "<html>"),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
				const users = 60
				for i := range users {
					h.user(string(rune('a'+i/26)) + string(rune('a'+i%26)))
				}
				h.fail("ListAccessKeys", fault)
				s := h.refresh()
				if !s.Complete[inventory.GroupConsole] {
					h.Error("console access: unknown of some, want it known of all")
				}
				if got := h.calls("ListAccessKeys"); got < giveUpAfter || got >= giveUpAfter+2*readers {
					h.Errorf("failing calls in the first sweep: got %d, want %d, those under way, and a few to see whether it works", got, giveUpAfter)
				}
				h.refresh()
				calls := h.world.Calls()
				if limit := 2 * (giveUpAfter + readers); calls["ListAccessKeys"] >= limit || calls["GetLoginProfile"] >= limit {
					h.Errorf("calls in the next sweep: got %v, want only those asked anew who failed", calls)
				}
				h.world.SetFault(nil)
				h.refresh()
				h.refresh()
				if s := h.refresh(); !s.Complete[inventory.GroupKeys] || s.Health.State != inventory.StateUp {
					h.Errorf("after recovery: keys complete %t, %s; want all known", s.Complete[inventory.GroupKeys], s.Health.State)
				}
			})
		})
	}
}

// TestWhatFailsForAllIsGivenUp denies GetLoginProfile for a while.
func TestWhatFailsForAllIsGivenUp(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		const users = 60
		for i := range users {
			h.user(string(rune('a'+i/26)) + string(rune('a'+i%26)))
		}
		h.fail("GetLoginProfile", denied())

		s := h.refresh()
		if got := h.calls("GetLoginProfile"); got < giveUpAfter || got >= giveUpAfter+2*readers {
			h.Errorf("calls in the first sweep: got %d, want %d, those under way, and a few to see whether it works", got, giveUpAfter)
		}
		if n := s.Health.Errors[inventory.ReasonDenied]; n < giveUpAfter || n >= giveUpAfter+2*readers {
			h.Errorf("errors: got %d, want one for each call", n)
		}
		want := "call iam:GetLoginProfile for user aa: AccessDenied; allow iam:GetLoginProfile (`aws_iam_exporter iam-policy` with the same flags prints the policy) (and the same for 59 more users)"
		inventorytest.Equal(h.T, []inventory.Problem{{Reason: inventory.ReasonDenied, Text: want, User: "aa", Action: "iam:GetLoginProfile"}}, s.Health.Problems)
		if _, known := h.find(s, "ba").Keys.Get(); !known {
			h.Error("keys of a user: unknown, want them listed all the same")
		}

		for range 3 {
			h.refresh()
			if got := h.calls("GetLoginProfile"); got != 1 {
				h.Errorf("calls in a later sweep: got %d, want one, to see whether it works", got)
			}
		}

		h.world.SetFault(nil)
		h.refresh() // the probe works
		h.world.ResetCalls()
		s = h.refresh()
		if got := h.calls("GetLoginProfile"); got != users-1 {
			h.Errorf("calls once it works: got %d, want all others'", got)
		}
		if s.Health.State != inventory.StateUp || len(s.Health.Problems) > 0 {
			h.Errorf("state: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
	})
}

func TestListingKeysIsGivenUp(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 40 {
			h.user("user" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
		}
		h.fail("ListAccessKeys", awssim.Error(http.StatusBadRequest, "ValidationError", ""))
		s := h.refresh()
		if got := h.calls("ListAccessKeys"); got < giveUpAfter || got >= giveUpAfter+2*readers {
			h.Errorf("calls: got %d, want %d, those under way, and a few to see whether it works", got, giveUpAfter)
		}
		if s.Health.State != inventory.StateDown {
			h.Errorf("state: got %s, want down", s.Health.State)
		}
	})
}

// TestRecoveryNeedsACallThatWorked has the need for a denied call go away for
// one user, which is no news about the others.
func TestRecoveryNeedsACallThatWorked(t *testing.T) {
	f := facts{}
	failed := map[string]error{"iam:GetAccessKeyLastUsed": errors.New("denied")}
	other := &trackedUser{failed: failed}
	f.users = []*trackedUser{other}
	for name, test := range map[string]struct {
		g    *userRead
		want bool
	}{
		"not called":             {&userRead{}, false},
		"one worked, one failed": {&userRead{answer: answer{worked: map[string]bool{"iam:GetAccessKeyLastUsed": true}, failed: failed}}, false},
		"worked":                 {&userRead{answer: answer{worked: map[string]bool{"iam:GetAccessKeyLastUsed": true}}}, true},
		"another worked":         {&userRead{answer: answer{worked: map[string]bool{"iam:GetLoginProfile": true}}}, false},
	} {
		other.retry = false
		f.noteRecovery(failed, test.g)
		if other.retry != test.want {
			t.Errorf("%s: read others again: got %t, want %t", name, other.retry, test.want)
		}
	}
}

func TestThrottledWorkIsPutBack(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.key("bob")
		h.world.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListAccessKeys" && n <= 9 { // three calls with all their retries
				return throttled()
			}
			return nil
		})
		s := h.refresh()
		if got := h.calls("ListAccessKeys"); got != 11 {
			h.Errorf("ListAccessKeys: got %d calls, want 9 throttled and 2 answered", got)
		}
		if s.Health.State != inventory.StateUp || s.Health.Errors[inventory.ReasonThrottled] != 0 {
			h.Errorf("health: got %+v, want no failure", s.Health)
		}
		if n, known := h.find(s, "bob").CountKeys(inventory.Active); n != 1 || !known {
			h.Errorf("bob's active keys: got %d, %t; want one", n, known)
		}
	})
}

func TestThrottlingAllAlongEndsWithTheInterval(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.fail("ListAccessKeys", throttled())
		began := time.Now()
		s := h.refresh()
		if took := time.Since(began); took > refreshInterval+2*time.Minute {
			h.Errorf("sweep: took %s, want about the interval of %s", took, refreshInterval)
		}
		if h.find(s, "alice").Keys.Known() || s.Complete[inventory.GroupKeys] {
			h.Error("keys: known, want unknown")
		}
	})
}

func TestUserGoneMeanwhile(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.user("bob")
		h.key("bob")
		h.refresh()
		h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
			if operation == "ListAccessKeys" {
				return awssim.Error(http.StatusNotFound, "NoSuchEntity", "")
			}
			return nil
		})
		time.Sleep(keysInterval)
		s := h.refresh() // listed still, but AWS knows no such user
		if n, _ := h.find(s, "bob").CountKeys(inventory.Active); n != 1 {
			h.Errorf("bob's keys: got %d, want the last word on them, until a listing lacks him", n)
		}
		if s.Health.State != inventory.StateUp {
			h.Errorf("state: got %s, %v; want up", s.Health.State, s.Health.Problems)
		}
		h.ok(h.world.DeleteUser("bob"))
		if s = h.refresh(); len(s.Users) != 1 {
			h.Errorf("users: got %d, want alice alone", len(s.Users))
		}
	})
}

func TestStoppingIsNoFailure(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		h.user("alice")
		h.key("alice")
		h.refresh()
		before := h.account.Snapshot()
		h.fail("", awssim.Hang())
		ctx, cancel := context.WithCancel(h.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		h.round(ctx)
		if took := time.Since(began); took != time.Second {
			h.Errorf("stopping took %s, want none", took-time.Second)
		}
		after := h.account.Snapshot()
		inventorytest.Equal(h.T, before.Users, after.Users)
		inventorytest.Equal(h.T, before.Health.Errors, after.Health.Errors)
		inventorytest.Equal(h.T, before.Health.Problems, after.Health.Problems)
	})
}

// TestSnapshotsNeverChange keeps deep copies of snapshots, goes on refreshing
// while all kinds of facts change, and compares; the race detector watches
// readers of the old snapshots meanwhile.
func TestSnapshotsNeverChange(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{Seed: 1}, func(h *harness) {
				h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
				var readers sync.WaitGroup
				defer readers.Wait()
				for _, name := range []string{"alice", "bob", "carol"} {
					h.user(name)
					h.password(name)
				}
				h.key("alice")
				tied := time.Now().Add(-20 * day)
				h.keyOf("bob", tied)
				h.keyOf("bob", tied)
				var shots, copies []*inventory.Snapshot
				for round := range 12 {
					s := h.refresh()
					shots, copies = append(shots, s), append(copies, deepCopy(s))
					readers.Go(func() { _ = deepCopy(s) })
					h.live(round)
					if round == 6 {
						h.client.SetTags(awsapi.TagsFromListUserTags)
					}
					time.Sleep(time.Hour)
				}
				for i := range shots {
					if diff := cmp.Diff(copies[i], shots[i], inventorytest.Facts()); diff != "" {
						h.Errorf("snapshot %d changed (-then +now):\n%s", i, diff)
					}
				}
			})
		})
	}
}

// live changes something about every kind of fact.
func (h *harness) live(round int) {
	for _, name := range []string{"alice", "bob"} {
		u, _ := h.world.User(name)
		for _, k := range u.Keys {
			h.ok(h.world.UseKey(k.ID, awssim.Use{At: time.Now(), Service: "s3", Region: "eu-west-1"}))
		}
	}
	h.ok(h.world.TagUser("bob", "round", fmt.Sprint(round)))
	switch round % 3 {
	case 0:
		h.ok(h.world.RemovePassword("alice"))
		h.keyOf("carol", time.Now())
	case 1:
		h.password("alice")
		_, err := h.world.AddMFA("alice", time.Now())
		h.ok(err)
	case 2:
		h.ok(h.world.RemoveMFA("alice"))
		u, _ := h.world.User("carol")
		h.ok(h.world.DeleteKey(u.Keys[0].ID))
	}
}

// deepCopy copies everything that a snapshot shares with others.
func deepCopy(s *inventory.Snapshot) *inventory.Snapshot {
	c := *s
	c.Users = append([]inventory.User(nil), s.Users...)
	for i := range c.Users {
		c.Users[i].Keys, c.Users[i].Tags = copyList(c.Users[i].Keys), copyList(c.Users[i].Tags)
	}
	c.Root.Keys = copyList(s.Root.Keys)
	c.Freshness, c.Complete, c.Health.Errors = maps.Clone(s.Freshness), maps.Clone(s.Complete), maps.Clone(s.Health.Errors)
	c.Health.Problems = append([]inventory.Problem(nil), s.Health.Problems...)
	return &c
}

func copyList[L ~[]T, T any](f inventory.Fact[L]) inventory.Fact[L] {
	list, known := f.Get()
	if !known {
		return f
	}
	return inventory.Observe(append(list[:0:0], list...), f.Observed())
}

// TestAnOutageIsNotThePace lets listings fail for so long that the sweep comes
// by nobody but a few.
func TestAnOutageIsNotThePace(t *testing.T) {
	inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
		for i := range 240 {
			h.user(fmt.Sprintf("user%03d", i))
		}
		h.refresh()
		h.fail("ListAccessKeys", awssim.Error(http.StatusBadRequest, "ValidationError", ""))
		for end := time.Now().Add(4 * time.Hour); time.Now().Before(end); {
			h.refresh()
		}
		h.world.SetFault(nil)
		keys := h.refresh().Freshness[inventory.GroupKeys]
		if got, want := keys.Stale.Sub(keys.Observed), 2*keysInterval+3*refreshInterval; got != want {
			h.Errorf("keys count as fresh for %s, want %s", got, want)
		}
	})
}

// TestDeniedUsersStandInNobodysWay has AWS never tell of users who come before all
// others, and of more of them than a sweep tolerates failures in a row.
func TestDeniedUsersStandInNobodysWay(t *testing.T) {
	for _, operation := range []string{"ListAccessKeys", "GetLoginProfile"} {
		for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
			t.Run(operation+" with "+string(source), func(t *testing.T) {
				inBubble(t, source, awssim.Options{}, func(h *harness) {
					for i := range 4 * giveUpAfter {
						for _, name := range []string{fmt.Sprintf("bad%02d", i), fmt.Sprintf("good%02d", i)} {
							h.user(name)
							h.key(name)
							h.password(name)
						}
					}
					h.world.SetFault(func(called string, _ int) http.HandlerFunc {
						if called != operation {
							return nil
						}
						return func(rw http.ResponseWriter, r *http.Request) {
							if strings.HasPrefix(r.Form.Get("UserName"), "bad") {
								denied()(rw, r)
								return
							}
							h.world.Lie(func(_ url.Values, answer string) string { return answer })(rw, r)
						}
					})
					for hour := range 3 {
						s := h.refreshFor(keysInterval)
						for i := range s.Users {
							user := &s.Users[i]
							observed := user.Keys.Observed()
							if operation == "GetLoginProfile" {
								observed = user.PasswordCreated.Observed()
							}
							if age := time.Since(observed); strings.HasPrefix(user.Name, "good") && age > keysInterval {
								h.Errorf("hour %d: what is known of %s is %s old, want an hour at most", hour+1, user.Name, age)
							}
						}
					}
				})
			})
		}
	}
}

// TestFailingUsersStandInNobodysWay has AWS refuse for good to tell the tags of
// more users than a sweep tolerates failures in a row.
func TestFailingUsersStandInNobodysWay(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			inBubble(t, source, awssim.Options{}, func(h *harness) {
				h.client.SetTags(awsapi.TagsFromListUserTags)
				for i := range 3 * giveUpAfter {
					h.user(fmt.Sprintf("bad%02d", i))
					h.user(fmt.Sprintf("good%02d", i))
				}
				h.refreshFor(keysInterval)
				h.world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation != "ListUserTags" {
						return nil
					}
					return func(rw http.ResponseWriter, r *http.Request) {
						time.Sleep(100 * time.Millisecond) // so that several are asked at once
						if strings.HasPrefix(r.Form.Get("UserName"), "bad") {
							awssim.Error(http.StatusBadRequest, "Odd", "odd")(rw, r)
							return
						}
						awssim.Raw(http.StatusOK, "text/xml", `<ListUserTagsResponse><ListUserTagsResult><Tags/></ListUserTagsResult></ListUserTagsResponse>`)(rw, r)
					}
				})
				s := h.refreshFor(12 * keysInterval)
				for i := range s.Users {
					user := &s.Users[i]
					if age := time.Since(user.Tags.Observed()); strings.HasPrefix(user.Name, "good") && age > 3*keysInterval {
						h.Errorf("tags of %s: %s old after 12 hours, want 3 hours at most", user.Name, age)
					}
				}
			})
		})
	}
}

// TestDeniedThatItIsThere has AWS list a user with a key, and say of one of them that
// there is none. Once that may be because it went meanwhile, but not each time.
func TestDeniedThatItIsThere(t *testing.T) {
	for _, operation := range []string{"ListAccessKeys", "GetAccessKeyLastUsed", "ListMFADevices"} {
		t.Run(operation, func(t *testing.T) {
			inBubble(t, awsapi.SourceLive, awssim.Options{}, func(h *harness) {
				h.user("alice")
				h.key("alice")
				h.password("alice")
				h.fail(operation, awssim.Error(http.StatusNotFound, "NoSuchEntity", ""))
				if s := h.refresh(); s.Health.State == inventory.StateDown {
					h.Errorf("after one refresh: got %v, want no failure", s.Health.Problems)
				}
				h.refresh()
				s := h.refresh()
				if len(s.Health.Problems) != 1 || s.Health.State != inventory.StateDown || s.Health.Problems[0].User != "alice" || s.Health.Problems[0].Reason != inventory.ReasonMalformed {
					h.Errorf("after several: got %s, %v; want a malformed answer about alice", s.Health.State, s.Health.Problems)
				}
				if s.Health.Errors[inventory.ReasonMalformed] == 0 {
					h.Error("no failure is counted")
				}
				h.world.SetFault(nil)
				if s := h.refreshFor(2 * refreshInterval); s.Health.State != inventory.StateUp {
					h.Errorf("once it is there: got %s, %v", s.Health.State, s.Health.Problems)
				}
			})
		})
	}
}

// TestReadSoonWaitsForAWS wants a user read while AWS does not tell whose the
// credentials are: it is done as soon as AWS does.
func TestReadSoonWaitsForAWS(t *testing.T) {
	inBubble(t, awsapi.SourceReport, awssim.Options{}, func(h *harness) {
		h.client.SetTags(awsapi.TagsFromListUserTags)
		h.user("alice")
		h.round(h.Context())
		h.world.ResetCalls()
		h.fail("GetCallerIdentity", denied())
		h.account.ReadSoon("alice")
		for range 2 {
			if p := h.account.Step(h.Context(), nil); p.Learnt || h.world.Calls()["ListUserTags"] != 0 {
				h.Errorf("not knowing whose the credentials are: got %+v, calls %v", p, h.world.Calls())
			}
		}
		h.world.SetFault(nil)
		for range 2 {
			h.account.Step(h.Context(), nil)
		}
		if n := h.world.Calls()["ListUserTags"]; n != 1 {
			h.Errorf("afterwards: asked about alice %d times, want once", n)
		}
	})
}
