package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

const day = 24 * time.Hour

var (
	born = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	now  = born.Add(1000 * day)
	// end is when the exemptions of these tests end, unless a test says otherwise.
	end = now.Add(10 * day)
)

// sinner is in violation of console_user_without_mfa.
func sinner(name string) inventory.User {
	return inventory.User{Name: name, Created: born, Console: inventory.Observe(true, now), MFA: inventory.Observe(false, now)}
}

// in is an account whose users, to be given by name, are not listed yet.
func in(account string, users ...inventory.User) *inventory.Snapshot {
	return &inventory.Snapshot{Account: inventory.Account{ID: account}, Users: users}
}

func listed(s *inventory.Snapshot) *inventory.Snapshot {
	s.Freshness = map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: born}}
	return s
}

func exempt(account, user string, until time.Time) policy.Exemption {
	return policy.Exemption{Account: account, UserName: user, Rules: []policy.Rule{policy.ConsoleUserWithoutMFA}, Reason: "agreed", Until: until}
}

func under(exemptions ...policy.Exemption) *policy.Policy {
	p := policy.WithLimits(policy.DefaultLimits())
	p.Exemptions = exemptions
	return p
}

// numbered gives the accounts keys in their order.
func numbered(accounts ...*inventory.Snapshot) map[string]*inventory.Snapshot {
	byKey := map[string]*inventory.Snapshot{}
	for i, s := range accounts {
		byKey[fmt.Sprintf("%06d", i)] = s
	}
	return byKey
}

// names returns the names of the only users of the accounts in view.
func names(v *view.View) []string {
	var all []string
	for _, j := range v.Accounts() {
		all = append(all, j.Snapshot.Users[0].Name)
	}
	return all
}

func TestAccountsByKey(t *testing.T) {
	p := under(exempt("222222222222", "bob", end))
	v := view.Of(p, view.Reload{Wanted: true}, map[string]*inventory.Snapshot{
		"222222222222": in("222222222222", sinner("bob")),
		"":             in("", sinner("nobody")),
		"333333333333": in("333333333333", sinner("carol")),
		"111111111111": in("111111111111", sinner("alice")),
	}, now)
	if diff := cmp.Diff([]string{"nobody", "alice", "bob", "carol"}, names(v)); diff != "" {
		t.Errorf("accounts in the order of their keys (-want +got):\n%s", diff)
	}
	for key, user := range map[string]string{"": "nobody", "111111111111": "alice", "222222222222": "bob", "333333333333": "carol"} {
		j := v.Account(key)
		if j == nil || j.Snapshot.Users[0].Name != user {
			t.Errorf("Account(%q): got %v, want that of %s", key, j, user)
			continue
		}
		if want := user != "bob"; (j.Accused()[user] != 0) != want {
			t.Errorf("%s is in violation: got %t, want %t", user, !want, want)
		}
	}
	for _, key := range []string{"0", "1", "444444444444"} {
		if j := v.Account(key); j != nil {
			t.Errorf("Account(%q): got %v, want none", key, j)
		}
	}
	if v.Policy != p || v.Reload != (view.Reload{Wanted: true}) {
		t.Errorf("got policy %v and reload %v, want those given", v.Policy, v.Reload)
	}
}
