package view_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

func TestMatched(t *testing.T) {
	const here, elsewhere = "111122223333", "444455556666"
	bob := exempt("", "bob", end)
	only := func(account string) policy.Exemption { return exempt(account, "bob", end) }
	root := exempt("", policy.RootUserName, end)
	lapsed := exempt("", "bob", born)
	has, lacks := in(here, sinner("bob")), in(here, sinner("bobby"))
	type result struct{ Matched, Known bool }
	tests := []struct {
		name      string
		exemption policy.Exemption
		accounts  []*inventory.Snapshot
		want      result
	}{
		{"the user is there", bob, []*inventory.Snapshot{listed(has)}, result{true, true}},
		{"lapsed", lapsed, []*inventory.Snapshot{listed(has)}, result{true, true}},
		{"no such user", bob, []*inventory.Snapshot{listed(lacks)}, result{false, true}},
		{"no accounts", bob, nil, result{false, true}},
		{"not listed yet", bob, []*inventory.Snapshot{in(here)}, result{false, false}},
		{"in one of two", bob, []*inventory.Snapshot{listed(lacks), listed(in(elsewhere, sinner("bob")))}, result{true, true}},
		{"in one, the other not listed", bob, []*inventory.Snapshot{in(elsewhere), listed(has)}, result{true, true}},
		{"not in one, the other not listed", bob, []*inventory.Snapshot{in(elsewhere), listed(lacks)}, result{false, false}},
		{"in its account", only(here), []*inventory.Snapshot{listed(has)}, result{true, true}},
		{"in another account only", only(elsewhere), []*inventory.Snapshot{listed(has)}, result{false, true}},
		{"another account not listed", only(here), []*inventory.Snapshot{listed(lacks), in(elsewhere)}, result{false, true}},
		{"nameless account has the user", only(here), []*inventory.Snapshot{listed(in("", sinner("bob")))}, result{false, false}},
		{"nameless account lacks the user", only(here), []*inventory.Snapshot{listed(in("", sinner("eve")))}, result{false, true}},
		{"nameless account not listed", only(here), []*inventory.Snapshot{in("")}, result{false, false}},
		{"anywhere, nameless account has the user", bob, []*inventory.Snapshot{listed(in("", sinner("bob")))}, result{true, true}},
		{"root", root, []*inventory.Snapshot{in("")}, result{true, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := view.Of(under(tt.exemption), view.Reload{}, numbered(tt.accounts...), born)
			matched, known := v.Matched(0)
			if got := (result{matched, known}); got != tt.want {
				t.Errorf("Matched = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestUnmatched(t *testing.T) {
	alice, bob, carol := exempt("", "alice", end), exempt("", "bob", end), exempt("", "carol", end)
	alicesHere, bobsHere, alicesElsewhere := exempt("111122223333", "alice", end), exempt("111122223333", "bob", end), exempt("444455556666", "alice", end)
	here := listed(in("111122223333", sinner("bob")))
	type result struct {
		Unmatched int
		Known     bool
	}
	tests := []struct {
		name       string
		exemptions []policy.Exemption
		accounts   []*inventory.Snapshot
		want       result
		share      bool
	}{
		{"no exemptions, no accounts", nil, nil, result{0, true}, false},
		{"no accounts", []policy.Exemption{alice, bob}, nil, result{2, true}, false},
		{"all matched", []policy.Exemption{bob, bob}, []*inventory.Snapshot{here}, result{0, true}, false},
		{"two unmatched", []policy.Exemption{alice, bob, carol}, []*inventory.Snapshot{here}, result{2, true}, false},
		{"one not known", []policy.Exemption{bob, alice}, []*inventory.Snapshot{here, in("444455556666")}, result{0, false}, false},
		{"none not known", []policy.Exemption{bob}, []*inventory.Snapshot{here, in("444455556666")}, result{0, true}, false},
		{"those of an account that is not watched", []policy.Exemption{alicesElsewhere, alicesHere, bobsHere}, []*inventory.Snapshot{here}, result{1, true}, false},
		{"those of an account that is not watched, which is not known yet", []policy.Exemption{alicesElsewhere}, []*inventory.Snapshot{in("")}, result{0, false}, false},
		{"the account is known to be another one", []policy.Exemption{alicesElsewhere}, []*inventory.Snapshot{here}, result{0, true}, false},
		{"a share tells of its own accounts alone", []policy.Exemption{alice, carol, alicesHere, alicesElsewhere}, []*inventory.Snapshot{here}, result{1, true}, true},
		{"a share whose account is not listed", []policy.Exemption{alice, alicesHere}, []*inventory.Snapshot{in("111122223333")}, result{0, false}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, known := view.Of(under(tt.exemptions...), view.Reload{}, numbered(tt.accounts...), now).Unmatched(tt.share)
			if diff := cmp.Diff(tt.want, result{n, known}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestMatchedFollowsTheAccounts changes accounts at random, and compares what
// the board makes of each change with a view that is made from scratch. The view
// before stays as it was.
func TestMatchedFollowsTheAccounts(t *testing.T) {
	var exemptions []policy.Exemption
	users := []string{"alice", "bob", "carol", policy.RootUserName}
	accounts := []string{"111111111111", "222222222222", "333333333333"}
	for _, user := range users {
		for _, account := range append([]string{""}, accounts...) {
			exemptions = append(exemptions, exempt(account, user, end))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	p := under(exemptions...)
	b := view.New(p, view.Reload{}, view.Rendering{})
	shown := map[string]*inventory.Snapshot{}
	compare := func(got, want *view.View) {
		t.Helper()
		for i := range exemptions {
			matched, known := got.Matched(i)
			if wantMatched, wantKnown := want.Matched(i); matched != wantMatched || known != wantKnown {
				t.Fatalf("exemption of %s in %q: got %t, %t, want %t, %t", exemptions[i].UserName, exemptions[i].Account, matched, known, wantMatched, wantKnown)
			}
		}
	}
	before, wantBefore := b.View(), view.Of(p, view.Reload{}, nil, now)
	for range 1000 {
		key := accounts[random.IntN(len(accounts))]
		s := in(key)
		if random.IntN(4) == 0 {
			s.Account.ID = ""
		}
		for _, user := range users[:3] {
			if random.IntN(2) == 0 {
				s.Users = append(s.Users, sinner(user))
			}
		}
		if random.IntN(4) > 0 {
			listed(s)
		}
		if random.IntN(4) == 0 {
			delete(shown, key)
			b.Remove(key)
		} else {
			shown[key] = s
			b.Publish(key, s)
		}
		after, wantAfter := b.View(), view.Of(p, view.Reload{}, shown, now)
		compare(before, wantBefore)
		compare(after, wantAfter)
		before, wantBefore = after, wantAfter
	}
}
