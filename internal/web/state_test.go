package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// whole is an account about which everything is known: so many users, each with a
// key of that age.
func whole(id string, users int, age time.Duration) *inventory.Snapshot {
	s := &inventory.Snapshot{
		Account: inventory.Account{ID: id, Partition: "aws"}, Freshness: map[inventory.Group]inventory.Freshness{},
		Root: inventory.Root{
			KeyPresent: inventory.Observe(false, now), Console: inventory.Observe(true, now), MFA: inventory.Observe(true, now),
		},
		Complete: map[inventory.Group]bool{},
		Health:   inventory.Health{State: inventory.StateUp, Refreshes: 1, Finished: 1, Next: now.Add(4*time.Minute + 10*time.Second)},
	}
	for _, group := range inventory.Groups() {
		if group != inventory.GroupTags {
			s.Freshness[group] = inventory.Freshness{Observed: now.Add(-time.Minute), Stale: now.Add(time.Hour)}
			s.Complete[group] = true
		}
	}
	for i := range users {
		key := inventory.AccessKey{ID: fmt.Sprintf("AKIA%016d", i), Status: inventory.Active, Created: now.Add(-age)}
		key.LastUse = inventory.Observe(inventory.Use{At: now.Add(-time.Hour)}, now)
		s.Users = append(s.Users, inventory.User{
			Name: fmt.Sprintf("user-%03d", i), Created: now.Add(-age - time.Hour), Console: inventory.Observe(false, now),
			Keys: inventory.Observe([]inventory.AccessKey{key}, now),
		})
	}
	return s
}

// TestSentence says in every situation how things stand, and in which colour.
func TestSentence(t *testing.T) {
	const day = 24 * time.Hour
	const one, two, three = "111111111111", "222222222222", "333333333333"
	changed := func(s *inventory.Snapshot, change func(*inventory.Snapshot)) *inventory.Snapshot { change(s); return s }
	refused := func(id string, reason inventory.Reason) *inventory.Snapshot {
		return &inventory.Snapshot{
			Account: inventory.Account{ID: id},
			Health:  inventory.Health{State: inventory.StateDown, Problems: []inventory.Problem{{Reason: reason, Text: "why"}}},
		}
	}
	reading := func(s *inventory.Snapshot, unread int, length time.Duration) *inventory.Snapshot {
		s.Health.State, s.Sweep = inventory.StatePending, inventory.Sweep{Length: length, Unread: unread}
		return s
	}
	exempting := policy.WithLimits(policy.DefaultLimits())
	exempting.Exemptions = []policy.Exemption{{UserName: "user-000", Rules: []policy.Rule{policy.KeyRotation}, Reason: "why", Until: now.Add(day)}}
	for name, test := range map[string]struct {
		policy   *policy.Policy
		accounts []*inventory.Snapshot
		problem  string // of listing the organization
		reload   view.Reload
		want     string
		tone     string
	}{
		"nothing":                  {want: "No account is watched yet.", tone: "unknown"},
		"no organization":          {problem: "denied", want: "No account is watched yet: the organization could not be listed.", tone: "unknown"},
		"not read yet":             {accounts: []*inventory.Snapshot{{Health: inventory.Health{State: inventory.StatePending}}}, want: "Nothing is known yet: the account is being read for the first time.", tone: "unknown"},
		"no credentials":           {accounts: []*inventory.Snapshot{refused("", inventory.ReasonCredentials)}, want: "Nothing is known yet: there are no AWS credentials, or AWS does not accept them.", tone: "unknown"},
		"denied":                   {accounts: []*inventory.Snapshot{refused(one, inventory.ReasonDenied)}, want: "Nothing is known yet: a permission is missing.", tone: "unknown"},
		"healthy":                  {accounts: []*inventory.Snapshot{whole(one, 3, day)}, want: "Nothing needs action: 3 users comply.", tone: "good"},
		"healthy, one user":        {accounts: []*inventory.Snapshot{whole(one, 1, day)}, want: "Nothing needs action: 1 user complies.", tone: "good"},
		"healthy, several":         {accounts: []*inventory.Snapshot{whole(one, 3, day), whole(two, 4, day)}, want: "Nothing needs action: 7 users of 2 accounts comply.", tone: "good"},
		"empty":                    {accounts: []*inventory.Snapshot{whole(one, 0, day)}, want: "Nothing needs action: the account has no IAM users.", tone: "good"},
		"exempted":                 {policy: exempting, accounts: []*inventory.Snapshot{whole(one, 1, 100*day)}, want: "Nothing needs action: no findings among 1 user, 1 violation is exempted.", tone: "good"},
		"due":                      {accounts: []*inventory.Snapshot{whole(one, 2, 80*day)}, want: "Nothing needs action yet: 2 keys are due for rotation soon.", tone: "warn"},
		"violated":                 {accounts: []*inventory.Snapshot{whole(one, 27, 100*day)}, want: "27 findings need action.", tone: "bad"},
		"violated, one":            {accounts: []*inventory.Snapshot{whole(one, 1, 100*day)}, want: "1 finding needs action.", tone: "bad"},
		"violated, of several":     {accounts: []*inventory.Snapshot{whole(one, 9, 100*day), whole(two, 1, 80*day), whole(three, 5, day)}, want: "9 findings need action in 1 of 3 accounts, and 1 key is due for rotation soon.", tone: "bad"},
		"stale":                    {accounts: []*inventory.Snapshot{stale(whole(one, 3, day), inventory.GroupKeys, inventory.GroupMFA)}, want: "No findings, but 2 facts are out of date.", tone: "warn"},
		"stale and violated":       {accounts: []*inventory.Snapshot{stale(whole(one, 3, 100*day), inventory.GroupKeys)}, want: "3 findings need action. warn: 1 fact is out of date.", tone: "bad"},
		"unknown":                  {accounts: []*inventory.Snapshot{changed(whole(one, 3, day), func(s *inventory.Snapshot) { s.Root = inventory.Root{} })}, want: "No findings, but 2 verdicts are unknown.", tone: "unknown"},
		"reading":                  {accounts: []*inventory.Snapshot{reading(whole(one, 247, day), 223, 4*time.Minute)}, want: "No findings so far; 24 of 247 users read, about 4 minutes to go.", tone: "unknown"},
		"reading, violated":        {accounts: []*inventory.Snapshot{reading(whole(one, 30, 100*day), 10, 0)}, want: "30 findings need action so far. unknown: 20 of 30 users read.", tone: "bad"},
		"down":                     {accounts: []*inventory.Snapshot{changed(whole(one, 3, day), func(s *inventory.Snapshot) { s.Health.State = inventory.StateDown })}, want: "No findings, but not everything can be read.", tone: "warn"},
		"several, one cannot":      {accounts: []*inventory.Snapshot{whole(one, 3, day), refused(two, inventory.ReasonRole)}, want: "No findings, but 1 account cannot be read.", tone: "unknown"},
		"several, one in part":     {accounts: []*inventory.Snapshot{whole(one, 3, day), changed(whole(two, 1, day), func(s *inventory.Snapshot) { s.Health.State = inventory.StateDown })}, want: "No findings, but 1 account can be read in part only.", tone: "warn"},
		"several, one not yet":     {accounts: []*inventory.Snapshot{whole(one, 3, day), {Account: inventory.Account{ID: two}, Health: inventory.Health{State: inventory.StatePending}}}, want: "No findings so far, but 1 account has not been read yet.", tone: "unknown"},
		"suspended":                {accounts: []*inventory.Snapshot{{Account: inventory.Account{ID: one}, Health: inventory.Health{State: inventory.StateSuspended}}}, want: "The account is suspended and not read; nothing is known.", tone: "idle"},
		"suspended, several":       {accounts: []*inventory.Snapshot{{Account: inventory.Account{ID: one}, Health: inventory.Health{State: inventory.StateSuspended}}, {Account: inventory.Account{ID: two}, Health: inventory.Health{State: inventory.StateSuspended}}}, want: "All 2 accounts are suspended and not read; nothing is known.", tone: "idle"},
		"suspended, known":         {accounts: []*inventory.Snapshot{changed(whole(one, 3, day), func(s *inventory.Snapshot) { s.Health.State = inventory.StateSuspended })}, want: "No findings, but the account is suspended and not read any more.", tone: "unknown"},
		"one of several suspended": {accounts: []*inventory.Snapshot{whole(one, 3, day), changed(whole(two, 3, day), func(s *inventory.Snapshot) { s.Health.State = inventory.StateSuspended })}, want: "No findings, but 1 account is suspended and not read any more.", tone: "unknown"},
		"root, users not known": {accounts: []*inventory.Snapshot{changed(whole(one, 0, day), func(s *inventory.Snapshot) {
			s.Freshness = map[inventory.Group]inventory.Freshness{inventory.GroupRoot: s.Freshness[inventory.GroupRoot]}
			s.Root.MFA, s.Health.State = inventory.Observe(false, now), inventory.StateDown
		})}, want: "1 finding needs action. unknown: The users are not known.", tone: "bad"},
		"due, one unknown": {accounts: []*inventory.Snapshot{changed(whole(one, 2, 80*day), func(s *inventory.Snapshot) { s.Root = inventory.Root{} })}, want: "No findings, and 2 keys are due for rotation soon. unknown: 2 verdicts are unknown.", tone: "warn"},
		"one being read, others not yet": {accounts: []*inventory.Snapshot{
			reading(whole(one, 247, day), 223, 4*time.Minute),
			{Account: inventory.Account{ID: two}, Health: inventory.Health{State: inventory.StatePending}},
			changed(whole(three, 1, day), func(s *inventory.Snapshot) { s.Root = inventory.Root{} }),
		}, want: "No findings so far; 1 account has not been read yet; 24 of 247 users read, about 4 minutes to go; 2 other verdicts are unknown.", tone: "unknown"},
		"several reasons": {accounts: []*inventory.Snapshot{refused(one, inventory.ReasonRole), refused(two, inventory.ReasonNetwork)}, want: "Nothing is known yet: reading from AWS fails.", tone: "unknown"},
		"one reason":      {accounts: []*inventory.Snapshot{refused(one, inventory.ReasonRole), refused(two, inventory.ReasonRole)}, want: "Nothing is known yet: the role cannot be assumed.", tone: "unknown"},
		"one fails, others not yet": {accounts: []*inventory.Snapshot{
			refused(one, inventory.ReasonRole), {Account: inventory.Account{ID: two}, Health: inventory.Health{State: inventory.StatePending}},
		}, want: "Nothing is known yet: 1 account cannot be read and 1 account is being read for the first time.", tone: "unknown"},
		"reload failed":           {accounts: []*inventory.Snapshot{whole(one, 3, day)}, reload: view.Reload{Wanted: true}, want: "No findings, but the last reload of the configuration failed.", tone: "warn"},
		"organization not listed": {accounts: []*inventory.Snapshot{whole(one, 3, day)}, problem: "denied", want: "No findings, but the organization could not be listed.", tone: "warn"},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.policy
			if p == nil {
				p = policy.WithLimits(policy.DefaultLimits())
			}
			byKey := map[string]*inventory.Snapshot{}
			for _, s := range test.accounts {
				byKey[s.Account.ID] = s
			}
			v := view.Of(p, test.reload, byKey, now)
			v.NotListed = test.problem
			o := options()
			o.View = func() *view.View { return v }
			_, _, body := ask(t, web.Handler(o), "GET", "/")
			found := regexp.MustCompile(`(?s)<section class="state (\w+)".*?<p class="sentence">(.*?)</p>(?:\n<p class="also (\w+)">(.*?)</p>)?`).FindStringSubmatch(body)
			if found == nil {
				t.Fatalf("page: lacks a sentence:\n%s", body)
			}
			got := found[2]
			if found[4] != "" {
				got += " " + found[3] + ": " + found[4]
			}
			if found[1] != test.tone || got != test.want {
				t.Errorf("got %s: %s\nwant %s: %s", found[1], got, test.tone, test.want)
			}
		})
	}
}

// TestNextRefresh says when the page was made, and when it will be worth another look.
func TestNextRefresh(t *testing.T) {
	next := func(id string, at time.Time, refreshes uint64) *inventory.Snapshot {
		s := whole(id, 1, time.Hour)
		s.Health.Next, s.Health.Refreshes = at, refreshes
		return s
	}
	const one, two, three = "111111111111", "222222222222", "333333333333"
	soon, late := now.Add(250*time.Second), now.Add(-12*time.Minute)
	for name, test := range map[string]struct {
		accounts []*inventory.Snapshot
		want     string
	}{
		"to come":          {[]*inventory.Snapshot{next(one, soon, 1)}, " Next refresh at 12:04:10 UTC, in 4 minutes."},
		"at once":          {[]*inventory.Snapshot{next(one, now, 1)}, " Next refresh at 12:00:00 UTC, now."},
		"another day":      {[]*inventory.Snapshot{next(one, now.Add(30*time.Hour), 1)}, " Next refresh at 2026-06-02 18:00 UTC, in 30 hours."},
		"a little late":    {[]*inventory.Snapshot{next(one, now.Add(-time.Minute), 1)}, ""},
		"overdue":          {[]*inventory.Snapshot{next(one, late, 1)}, " The next refresh is overdue by 12 minutes."},
		"under way":        {[]*inventory.Snapshot{next(one, soon, 2)}, " A refresh is under way; the next begins at 12:04:10 UTC, in 4 minutes."},
		"long under way":   {[]*inventory.Snapshot{next(one, late, 2)}, " A refresh is under way."},
		"none to come":     {[]*inventory.Snapshot{next(one, time.Time{}, 1)}, ""},
		"several accounts": {[]*inventory.Snapshot{next(two, now.Add(time.Hour), 1), next(one, soon, 2), next(three, late, 1)}, " The next account is refreshed at 12:04:10 UTC, in 4 minutes. 1 account is being refreshed. 1 refresh is overdue, by up to 12 minutes."},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.View = under(policy.WithLimits(policy.DefaultLimits()), test.accounts...)
			_, _, body := ask(t, web.Handler(o), "GET", "/")
			if want := `Page made <time datetime="2026-06-01T12:00:00Z">2026-06-01 12:00:00 UTC</time>; it does not update itself.` + test.want + "</p>"; !strings.Contains(body, want) {
				t.Errorf("page: lacks %s", want)
			}
		})
	}
}
