package account

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// groupsOf returns the groups' oldest observations and whether each is complete.
func groupsOf(s *inventory.Snapshot) (map[inventory.Group]time.Time, map[inventory.Group]bool) {
	oldest := map[inventory.Group]time.Time{}
	for g, f := range s.Freshness {
		oldest[g] = f.Observed
	}
	return oldest, s.Complete
}

func accountOf(users ...inventory.User) *Account {
	r := testAccount(awsapi.SourceAuto)
	for _, u := range users {
		r.known.users = append(r.known.users, &trackedUser{User: u, live: u, attempted: observed})
	}
	return r
}

func TestFreshness(t *testing.T) {
	early, late := epoch, epoch.Add(time.Hour)
	all := func(at time.Time) map[inventory.Group]time.Time {
		return map[inventory.Group]time.Time{
			inventory.GroupUsers: at, inventory.GroupKeys: at, inventory.GroupKeyUse: at, inventory.GroupConsole: at, inventory.GroupMFA: at,
		}
	}
	complete := map[inventory.Group]bool{
		inventory.GroupUsers: true, inventory.GroupKeys: true, inventory.GroupKeyUse: true, inventory.GroupConsole: true, inventory.GroupMFA: true,
	}
	user := func(console bool, at time.Time, keys ...inventory.AccessKey) inventory.User {
		u := inventory.User{Keys: inventory.Observe(keys, at), Console: inventory.Observe(console, at)}
		if console {
			u.MFA = inventory.Observe(false, at)
		}
		return u
	}
	used := func(at time.Time) inventory.AccessKey { return inventory.AccessKey{ID: "A", LastUse: use(epoch, at)} }
	for name, test := range map[string]struct {
		listed   time.Time
		users    []inventory.User
		oldest   map[inventory.Group]time.Time
		complete map[inventory.Group]bool
	}{
		"nothing known":   {time.Time{}, nil, map[inventory.Group]time.Time{}, map[inventory.Group]bool{}},
		"nobody":          {early, nil, all(early), complete},
		"listed only":     {early, []inventory.User{{}}, map[inventory.Group]time.Time{inventory.GroupUsers: early}, map[inventory.Group]bool{inventory.GroupUsers: true}},
		"oldest of all":   {late, []inventory.User{user(true, late, used(late)), user(true, early, used(early))}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: early, inventory.GroupConsole: early, inventory.GroupMFA: early}, complete},
		"no key at all":   {late, []inventory.User{user(true, early)}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: early, inventory.GroupConsole: early, inventory.GroupMFA: early}, complete},
		"nobody with MFA": {late, []inventory.User{user(false, early, used(late))}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: late, inventory.GroupConsole: early, inventory.GroupMFA: early}, complete},
		"one user unread": {late, []inventory.User{user(false, early, used(early)), {}}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: early, inventory.GroupConsole: early}, map[inventory.Group]bool{inventory.GroupUsers: true}},
		"use unknown":     {late, []inventory.User{user(false, early, used(early), inventory.AccessKey{ID: "B"})}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: early, inventory.GroupConsole: early, inventory.GroupMFA: early}, map[inventory.Group]bool{inventory.GroupUsers: true, inventory.GroupKeys: true, inventory.GroupConsole: true, inventory.GroupMFA: true}},
		"MFA unknown":     {late, []inventory.User{{Keys: inventory.Observe([]inventory.AccessKey(nil), early), Console: inventory.Observe(true, early)}}, map[inventory.Group]time.Time{inventory.GroupUsers: late, inventory.GroupKeys: early, inventory.GroupKeyUse: early, inventory.GroupConsole: early}, map[inventory.Group]bool{inventory.GroupUsers: true, inventory.GroupKeys: true, inventory.GroupKeyUse: true, inventory.GroupConsole: true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := accountOf(test.users...)
			r.known.listed = test.listed
			oldest, complete := groupsOf(r.Snapshot())
			inventorytest.Equal(t, test.oldest, oldest)
			inventorytest.Equal(t, test.complete, complete)
		})
	}
}

func TestFreshnessOfRoot(t *testing.T) {
	early, late := inventory.Observe(true, epoch), inventory.Observe(true, epoch.Add(time.Hour))
	for name, test := range map[string]struct {
		root     inventory.Root
		oldest   time.Time
		complete bool
	}{
		"unknown":           {},
		"known":             {inventory.Root{KeyPresent: late, Console: early}, epoch, true},
		"password not told": {inventory.Root{KeyPresent: early}, epoch, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := accountOf()
			r.known.root.told = test.root
			oldest, complete := groupsOf(r.Snapshot())
			inventorytest.Equal(t, test.oldest, oldest[inventory.GroupRoot])
			inventorytest.Equal(t, test.complete, complete[inventory.GroupRoot])
		})
	}
}

// TestCompleteStaysSo has a new user come, of whom nothing is known yet.
func TestCompleteStaysSo(t *testing.T) {
	r := accountOf(knownUser("alice"))
	r.known.listed = observed
	if s := r.Snapshot(); !s.Complete[inventory.GroupKeys] {
		t.Error("keys: not complete, want complete")
	}
	r.known.users = append(r.known.users, &trackedUser{User: inventory.User{Name: "bob"}})
	s := r.Snapshot()
	if !s.Complete[inventory.GroupKeys] || !s.Freshness[inventory.GroupKeys].Observed.Equal(observed) {
		t.Errorf("keys: complete %t, %v; want complete, as old as alice's", s.Complete[inventory.GroupKeys], s.Freshness[inventory.GroupKeys])
	}
}

func TestLifetime(t *testing.T) {
	const (
		refresh = 15 * time.Minute
		sweep   = 2*time.Hour + refresh
		report  = 4*time.Hour + 25*time.Minute + refreshInterval
		slow    = 6*time.Hour + refresh // with a sweep that takes three hours
	)
	for name, test := range map[string]struct {
		source awsapi.Source
		cycle  time.Duration
		want   lifetimesOf
	}{
		"report":                      {awsapi.SourceReport, 0, lives(report, lifetimesOf{inventory.GroupTags: sweep})},
		"report, slow sweep for tags": {awsapi.SourceReport, 3 * time.Hour, lives(report, lifetimesOf{inventory.GroupTags: slow})},
		"auto": {awsapi.SourceAuto, 0, lives(report, lifetimesOf{
			inventory.GroupUsers: refresh, inventory.GroupKeys: sweep, inventory.GroupTags: sweep,
		})},
		"auto, slow sweep": {awsapi.SourceAuto, 3 * time.Hour, lives(slow, lifetimesOf{inventory.GroupUsers: refresh})},
		"live": {awsapi.SourceLive, 30 * time.Minute, lives(sweep, lifetimesOf{
			inventory.GroupUsers: refresh, inventory.GroupRoot: refresh,
		})},
	} {
		t.Run(name, func(t *testing.T) {
			r := testAccount(test.source)
			r.known.users = []*trackedUser{{User: knownUser("alice"), attempted: epoch}}
			r.pace = paceOf(test.cycle, 1)
			got := lifetimesOf{}
			for _, g := range inventory.Groups() {
				got[g] = r.lifetimes().of(g)
			}
			inventorytest.Equal(t, test.want, got)
		})
	}
}

type lifetimesOf = map[inventory.Group]time.Duration

// lives has every group live for the time, but for some.
func lives(long time.Duration, but lifetimesOf) lifetimesOf {
	all := lifetimesOf{}
	for _, g := range inventory.Groups() {
		all[g] = long
	}
	maps.Copy(all, but)
	return all
}

func TestStaleIsLifetimeAfterTheOldest(t *testing.T) {
	r := accountOf(knownUser("alice"))
	r.known.listed = epoch
	inventorytest.Equal(t, inventory.Freshness{Observed: epoch, Stale: epoch.Add(15 * time.Minute)}, r.Snapshot().Freshness[inventory.GroupUsers])
}

func TestState(t *testing.T) {
	failure := map[string]error{"users": errors.New("no")}
	for name, test := range map[string]struct {
		finished uint64 // refreshes
		failed   map[string]error
		user     map[string]error
		want     inventory.State
	}{
		"at first":        {0, nil, nil, inventory.StatePending},
		"a bad beginning": {0, failure, nil, inventory.StateDown},
		"all is well":     {1, nil, nil, inventory.StateUp},
		"a refresh fails": {1, failure, nil, inventory.StateDown},
		"a user fails":    {1, nil, failure, inventory.StateDown},
	} {
		t.Run(name, func(t *testing.T) {
			r := accountOf(knownUser("alice"), knownUser("bob"))
			r.health.Finished, r.trouble.failed, r.known.users[1].failed = test.finished, test.failed, test.user
			if got := r.Snapshot().Health.State; got != test.want {
				t.Errorf("state: got %s, want %s", got, test.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	reset := errors.New("reset")
	forbidden := awsapi.Wrap("iam:GetLoginProfile", "user alice", refusal("AccessDenied"))
	r := accountOf(knownUser("alice"), knownUser("bob"), knownUser("carol"))
	r.trouble.failed = map[string]error{"users": errors.New("users"), "report": awsapi.ErrReportNotReady}
	r.known.users[0].failed = map[string]error{"iam:GetLoginProfile": forbidden, "iam:ListAccessKeys": reset}
	r.known.users[1].failed = map[string]error{"iam:GetLoginProfile": &givenUp{forbidden}}
	r.known.users[2].failed = map[string]error{"iam:GetLoginProfile": reset}
	inventorytest.Equal(t, []inventory.Problem{
		{Reason: inventory.ReasonReport, Text: "AWS is still making the credential report"},
		{Reason: inventory.ReasonOther, Text: "users"},
		{Reason: inventory.ReasonDenied, Text: "call iam:GetLoginProfile for user alice: AccessDenied; allow iam:GetLoginProfile (`aws_iam_exporter iam-policy` with the same flags prints the policy) (and the same for 1 more user)"},
		{Reason: inventory.ReasonOther, Text: "reset"},
		{Reason: inventory.ReasonOther, Text: "reset"},
	}, r.Snapshot().Health.Problems)
}
