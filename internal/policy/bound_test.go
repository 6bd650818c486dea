package policy_test

import (
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// TestBound has one user and root break rules, with more and less known about when that
// began.
func TestBound(t *testing.T) {
	seen := at(100 * day)
	user := inventory.User{
		Name: "alice", Created: born, Console: known(true, seen), MFA: known(false, seen),
		Keys: keys(seen, neverUsed(active("AKIA1", born), seen), neverUsed(active("AKIA2", at(day)), seen)),
	}
	dated := user
	dated.PasswordCreated = known(at(2*day), seen)
	rootWith := func(created time.Time, key inventory.AccessKey) inventory.Root {
		return inventory.Root{
			Created: created, Console: known(true, seen), MFA: known(false, seen), KeyPresent: known(true, seen),
			Keys: keys(seen, key),
		}
	}
	const notBefore, undated = policy.NotBefore, policy.Undated
	for name, test := range map[string]struct {
		user inventory.User
		root inventory.Root
		want map[policy.Rule]policy.Bound // of those that are not exact
	}{
		"everything known": {dated, rootWith(born, active("", at(day))), map[policy.Rule]policy.Bound{
			policy.ConsoleUserWithoutMFA: notBefore, policy.RootUserWithoutMFA: notBefore,
		}},
		"no password's age": {user, rootWith(born, active("", time.Time{})), map[policy.Rule]policy.Bound{
			policy.ConsoleUserWithoutMFA: notBefore, policy.ConsoleUserWithActiveKeys: notBefore, policy.KeyCreatedAtUserSetup: notBefore,
			policy.ConsoleKeyNeverUsed: notBefore, policy.RootUserWithoutMFA: notBefore, policy.RootAccessKey: notBefore,
		}},
		"no age of root": {dated, rootWith(time.Time{}, active("", time.Time{})), map[policy.Rule]policy.Bound{
			policy.ConsoleUserWithoutMFA: notBefore, policy.RootUserWithoutMFA: undated, policy.RootAccessKey: undated,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(test.user)
			s.Root = test.root
			ev := policy.Evaluate(s, policy.WithLimits(policy.DefaultLimits()), seen)
			rules := map[policy.Rule]bool{}
			for i := range ev.Findings {
				rule := ev.Findings[i].Rule
				rules[rule] = true
				if got := ev.Bound(&ev.Findings[i]); got != test.want[rule] {
					t.Errorf("%s: got bound %d, want %d", rule, got, test.want[rule])
				}
			}
			for _, rule := range []policy.Rule{
				policy.MultipleActiveKeys, policy.ConsoleUserWithActiveKeys, policy.KeyCreatedAtUserSetup, policy.ConsoleKeyNeverUsed, policy.KeyRotation,
				policy.KeyUnused, policy.ConsoleUserWithoutMFA, policy.RootAccessKey, policy.RootUserWithoutMFA,
			} {
				if !rules[rule] {
					t.Errorf("no finding of %s", rule)
				}
			}
		})
	}
}
