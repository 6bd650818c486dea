package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

const day = 24 * time.Hour

// born is when every user and, unless a case says otherwise, every key of these
// tests came to be.
var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return born.Add(d) }

func known[T any](value T, observed time.Time) inventory.Fact[T] {
	return inventory.Observe(value, observed)
}

func keys(observed time.Time, keys ...inventory.AccessKey) inventory.Fact[[]inventory.AccessKey] {
	return inventory.Observe(keys, observed)
}

func active(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

func usedAt(k inventory.AccessKey, used, observed time.Time) inventory.AccessKey {
	k.LastUse = inventory.Observe(inventory.Use{At: used}, observed)
	return k
}

func neverUsed(k inventory.AccessKey, observed time.Time) inventory.AccessKey {
	return usedAt(k, time.Time{}, observed)
}

func status(k inventory.AccessKey, s inventory.Status) inventory.AccessKey {
	k.Status = s
	return k
}

func snapshot(users ...inventory.User) *inventory.Snapshot {
	return &inventory.Snapshot{Users: users}
}

// outcome is what one rule says of one subject; Since is zero without a finding.
type outcome struct {
	Verdict policy.Verdict
	Since   time.Time
}

// judged returns what one rule says of the only subject of a snapshot.
func judged(t *testing.T, s *inventory.Snapshot, l policy.Limits, rule policy.Rule) outcome {
	t.Helper()
	return judgedUnder(t, s, policy.WithLimits(l), rule)
}

func judgedUnder(t *testing.T, s *inventory.Snapshot, p *policy.Policy, rule policy.Rule) outcome {
	t.Helper()
	j := policy.Evaluate(s, p, born)
	var got outcome
	for _, v := range policy.Verdicts() {
		switch n := j.Count(rule, v); {
		case n == 1 && got.Verdict == "":
			got.Verdict = v
		case n != 0:
			t.Fatalf("Count(%s, %s) = %d beside %q, want one subject", rule, v, n, got.Verdict)
		}
	}
	for _, f := range j.Findings {
		if f.Rule == rule {
			got.Since = f.Since
		}
	}
	return got
}

var (
	compliant = outcome{Verdict: policy.Compliant}
	unknown   = outcome{Verdict: policy.Unknown}
	none      = outcome{}
)

func violation(since time.Time) outcome { return outcome{policy.Violation, since} }

func TestUserRules(t *testing.T) {
	const never = time.Duration(0)
	overlap := func(d time.Duration) policy.Limits {
		l := policy.DefaultLimits()
		l.RotationOverlap = d
		return l
	}
	late := at(1000 * day)
	two := func(observed time.Time) inventory.Fact[[]inventory.AccessKey] {
		return keys(observed, active("a", born), active("b", at(10*day)))
	}
	tests := []struct {
		name   string
		rule   policy.Rule
		limits policy.Limits
		user   inventory.User
		want   outcome
	}{
		{"keys unknown", policy.MultipleActiveKeys, policy.DefaultLimits(), inventory.User{}, unknown},
		{"no keys", policy.MultipleActiveKeys, policy.DefaultLimits(), inventory.User{Keys: keys(late)}, compliant},
		{"one key", policy.MultipleActiveKeys, policy.DefaultLimits(), inventory.User{Keys: keys(late, active("a", born))}, compliant},
		{
			"a second before the overlap ends", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: two(at(17*day - time.Second))},
			compliant,
		},
		{
			"when the overlap ends", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: two(at(17 * day))},
			compliant,
		},
		{
			"within the second in which it ends", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: two(at(17*day + 999*time.Millisecond))},
			compliant,
		},
		{
			"a second after the overlap", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: two(at(17*day + time.Second))},
			violation(at(17 * day)),
		},
		{
			"no overlap, in the second of creation", policy.MultipleActiveKeys, overlap(never),
			inventory.User{Keys: two(at(10 * day))},
			compliant,
		},
		{
			"no overlap, a second later", policy.MultipleActiveKeys, overlap(never),
			inventory.User{Keys: two(at(10*day + time.Second))},
			violation(at(10 * day)),
		},
		{
			"the second key inactive", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(late, active("a", born), status(active("b", at(day)), inventory.Inactive))},
			compliant,
		},
		{
			"the second key expired", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(late, active("a", born), status(active("b", at(day)), inventory.Expired))},
			compliant,
		},
		{
			"three keys count from the second-oldest", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(late, active("a", born), active("c", at(day)), active("b", at(2*day)))},
			violation(at(8 * day)),
		},
		{
			"a new key every six days", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(at(19*day), active("a", born), active("b", at(6*day)), active("c", at(12*day)), active("d", at(18*day)))},
			violation(at(13 * day)),
		},
		{
			"an inactive key in between is no second", policy.MultipleActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(at(19*day), active("a", born), status(active("b", at(6*day)), inventory.Inactive), active("c", at(18*day)))},
			compliant,
		},

		{"nothing known", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(), inventory.User{}, unknown},
		{
			"no console, keys unknown", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{Console: known(false, late)},
			compliant,
		},
		{
			"console, keys unknown", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{Console: known(true, late)},
			unknown,
		},
		{
			"no active key, console unknown", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(late, status(active("a", born), inventory.Inactive))},
			compliant,
		},
		{
			"active key, console unknown", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{Keys: keys(late, active("a", born))},
			unknown,
		},
		{
			"console and keys, since the oldest", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{
				Console: known(true, late),
				Keys:    keys(late, status(active("x", born), inventory.Inactive), active("b", at(day)), active("a", at(2*day))),
			},
			violation(at(day)),
		},
		{
			"console and keys, password later", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{
				Console: known(true, late), PasswordCreated: known(at(3*day), late),
				Keys: keys(late, active("a", at(day))),
			},
			violation(at(3 * day)),
		},
		{
			"console and keys, password earlier", policy.ConsoleUserWithActiveKeys, policy.DefaultLimits(),
			inventory.User{
				Console: known(true, late), PasswordCreated: known(born, late),
				Keys: keys(late, active("a", at(day))),
			},
			violation(at(day)),
		},

		{"MFA and console unknown", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(), inventory.User{}, unknown},
		{
			"no console, MFA unknown", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{Console: known(false, late)},
			compliant,
		},
		{
			"console, MFA unknown", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{Console: known(true, late)},
			unknown,
		},
		{
			"MFA, console unknown", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{MFA: known(true, late)},
			compliant,
		},
		{
			"no MFA, console unknown", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{MFA: known(false, late)},
			unknown,
		},
		{
			"console with MFA", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{Console: known(true, late), MFA: known(true, late)},
			compliant,
		},
		{
			"console without MFA, since the user", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{Console: known(true, late), MFA: known(false, late)},
			violation(born),
		},
		{
			"console without MFA, since the password", policy.ConsoleUserWithoutMFA, policy.DefaultLimits(),
			inventory.User{Console: known(true, late), MFA: known(false, late), PasswordCreated: known(at(day), late)},
			violation(at(day)),
		},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule)+"/"+tt.name, func(t *testing.T) {
			tt.user.Name, tt.user.Created = "alice", born
			if diff := cmp.Diff(tt.want, judged(t, snapshot(tt.user), tt.limits, tt.rule)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestKeyRules(t *testing.T) {
	late := at(1000 * day)
	key := active("a", born)
	tests := []struct {
		name string
		rule policy.Rule
		user inventory.User
		want outcome
	}{
		{"a day before", policy.KeyRotation, inventory.User{Keys: keys(at(89*day), key)}, compliant},
		{"after 90 days", policy.KeyRotation, inventory.User{Keys: keys(at(90*day), key)}, compliant},
		{"a second after 90 days", policy.KeyRotation, inventory.User{Keys: keys(at(90*day+time.Second), key)}, violation(at(90 * day))},
		{"after 91 days", policy.KeyRotation, inventory.User{Keys: keys(at(91*day), key)}, violation(at(90 * day))},
		{"keys unknown", policy.KeyRotation, inventory.User{}, unknown},
		{"no keys", policy.KeyRotation, inventory.User{Keys: keys(late)}, none},
		{"inactive only", policy.KeyRotation, inventory.User{Keys: keys(late, status(key, inventory.Inactive), status(active("b", born), inventory.Expired))}, none},

		{"before the warning", policy.KeyRotationDue, inventory.User{Keys: keys(at(76*day), key)}, compliant},
		{"a second into the warning", policy.KeyRotationDue, inventory.User{Keys: keys(at(76*day+time.Second), key)}, violation(at(76 * day))},
		{"at the deadline", policy.KeyRotationDue, inventory.User{Keys: keys(at(90*day), key)}, violation(at(76 * day))},
		{"within the second of the deadline", policy.KeyRotationDue, inventory.User{Keys: keys(at(90*day+time.Second-1), key)}, violation(at(76 * day))},
		{"past the deadline", policy.KeyRotationDue, inventory.User{Keys: keys(at(90*day+time.Second), key)}, compliant},
		{"keys unknown", policy.KeyRotationDue, inventory.User{}, unknown},

		{"never used, 45 days", policy.KeyUnused, inventory.User{Keys: keys(at(45*day), neverUsed(key, at(45*day)))}, compliant},
		{
			"never used, a second more", policy.KeyUnused,
			inventory.User{Keys: keys(at(45*day+time.Second), neverUsed(key, at(45*day+time.Second)))},
			violation(at(45 * day)),
		},
		{"never used, 46 days", policy.KeyUnused, inventory.User{Keys: keys(at(46*day), neverUsed(key, at(46*day)))}, violation(at(45 * day))},
		{"used, 45 days ago", policy.KeyUnused, inventory.User{Keys: keys(at(145*day), usedAt(key, at(100*day), at(145*day)))}, compliant},
		{
			"used, a second more", policy.KeyUnused,
			inventory.User{Keys: keys(at(145*day+time.Second), usedAt(key, at(100*day), at(145*day+time.Second)))},
			violation(at(145 * day)),
		},
		{"use unknown, key young", policy.KeyUnused, inventory.User{Keys: keys(at(45*day), key)}, compliant},
		{"use unknown, key old", policy.KeyUnused, inventory.User{Keys: keys(at(45*day+time.Second), key)}, unknown},
		{
			"use observed before the deadline, keys long after", policy.KeyUnused,
			inventory.User{Keys: keys(at(60*day), neverUsed(key, at(44*day)))},
			compliant,
		},
		{
			"keys observed before the deadline, use long after", policy.KeyUnused,
			inventory.User{Keys: keys(at(44*day), neverUsed(key, at(60*day)))},
			compliant,
		},
		{"keys unknown", policy.KeyUnused, inventory.User{}, unknown},
		{"no console", policy.KeyUnused, inventory.User{Console: known(false, late)}, unknown},

		{
			"at the end of the window", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), Keys: keys(late, active("a", at(15*time.Minute)))},
			violation(at(15 * time.Minute)),
		},
		{
			"a second after the window", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), Keys: keys(late, active("a", at(15*time.Minute+time.Second)))},
			compliant,
		},
		{
			"in the second of the user", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), Keys: keys(late, key)},
			violation(born),
		},
		{
			"used all the same", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), Keys: keys(late, usedAt(key, late, late))},
			violation(born),
		},
		{
			"password later", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), PasswordCreated: known(at(day), late), Keys: keys(late, key)},
			violation(at(day)),
		},
		{"no console", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(false, late), Keys: keys(late, key)}, compliant},
		{"console unknown", policy.KeyCreatedAtUserSetup, inventory.User{Keys: keys(late, key)}, unknown},
		{"console unknown, key later", policy.KeyCreatedAtUserSetup, inventory.User{Keys: keys(late, active("a", at(day)))}, compliant},
		{"keys unknown", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(true, late)}, unknown},
		{"keys unknown, no console", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(false, late)}, compliant},
		{
			"inactive", policy.KeyCreatedAtUserSetup,
			inventory.User{Console: known(true, late), Keys: keys(late, status(key, inventory.Inactive))},
			none,
		},

		{
			"console, never used", policy.ConsoleKeyNeverUsed,
			inventory.User{Console: known(true, late), Keys: keys(late, neverUsed(key, late))},
			violation(born),
		},
		{
			"console, never used, password later", policy.ConsoleKeyNeverUsed,
			inventory.User{Console: known(true, late), PasswordCreated: known(at(day), late), Keys: keys(late, neverUsed(key, late))},
			violation(at(day)),
		},
		{
			"console, used", policy.ConsoleKeyNeverUsed,
			inventory.User{Console: known(true, late), Keys: keys(late, usedAt(key, born, late))},
			compliant,
		},
		{
			"console, use unknown", policy.ConsoleKeyNeverUsed,
			inventory.User{Console: known(true, late), Keys: keys(late, key)},
			unknown,
		},
		{
			"no console, use unknown", policy.ConsoleKeyNeverUsed,
			inventory.User{Console: known(false, late), Keys: keys(late, key)},
			compliant,
		},
		{"console unknown, used", policy.ConsoleKeyNeverUsed, inventory.User{Keys: keys(late, usedAt(key, born, late))}, compliant},
		{"console unknown, never used", policy.ConsoleKeyNeverUsed, inventory.User{Keys: keys(late, neverUsed(key, late))}, unknown},
		{"keys unknown", policy.ConsoleKeyNeverUsed, inventory.User{}, unknown},
		{"keys unknown, no console", policy.ConsoleKeyNeverUsed, inventory.User{Console: known(false, late)}, compliant},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule)+"/"+tt.name, func(t *testing.T) {
			tt.user.Name, tt.user.Created = "alice", born
			if diff := cmp.Diff(tt.want, judged(t, snapshot(tt.user), policy.DefaultLimits(), tt.rule)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRootAccessKey(t *testing.T) {
	early, late := at(10*day), at(20*day)
	key := active("a", at(day))
	tests := []struct {
		name string
		root inventory.Root
		want outcome
	}{
		{"nothing known", inventory.Root{}, unknown},
		{"no keys", inventory.Root{Keys: keys(late)}, compliant},
		{"inactive key", inventory.Root{Keys: keys(late, status(key, inventory.Inactive))}, compliant},
		{"active keys, since the oldest", inventory.Root{Keys: keys(late, active("b", at(2*day)), key)}, violation(at(day))},
		{"active key of unknown age, since root", inventory.Root{Created: born, Keys: keys(late, active("a", time.Time{}))}, violation(born)},
		{"nothing dated", inventory.Root{Keys: keys(late, active("a", time.Time{}))}, violation(time.Time{})},
		{"one key dated, root not", inventory.Root{Keys: keys(late, active("a", time.Time{}), active("b", at(2*day)))}, violation(time.Time{})},
		{"present, status unknown", inventory.Root{KeyPresent: known(true, late)}, unknown},
		{"absent, listing unknown", inventory.Root{KeyPresent: known(false, late)}, compliant},
		{"listed, then present", inventory.Root{Keys: keys(early, key), KeyPresent: known(true, late)}, violation(at(day))},
		{"listed, then absent", inventory.Root{Keys: keys(early, key), KeyPresent: known(false, late)}, compliant},
		{"none listed, then present", inventory.Root{Keys: keys(early), KeyPresent: known(true, late)}, unknown},
		{"none listed, then absent", inventory.Root{Keys: keys(early), KeyPresent: known(false, late)}, compliant},
		{"absent, then listed", inventory.Root{Keys: keys(late, key), KeyPresent: known(false, early)}, violation(at(day))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judged(t, &inventory.Snapshot{Root: tt.root}, policy.DefaultLimits(), policy.RootAccessKey)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestPasswordUnused has users born 45 days before the last moment at which a
// password as old as they are is in the clear.
func TestPasswordUnused(t *testing.T) {
	end := at(45 * day)
	tests := []struct {
		name          string
		console       inventory.Fact[bool]
		used, created inventory.Fact[time.Time] // used at zero: never
		changed       inventory.Fact[time.Time]
		want          outcome
	}{
		{"nothing known", unsaid[bool](), unsaid[time.Time](), unsaid[time.Time](), unsaid[time.Time](), unknown},
		{"no console access", known(false, at(100*day)), unsaid[time.Time](), unsaid[time.Time](), unsaid[time.Time](), compliant},
		{"no console access, an old sign-in", known(false, at(100*day)), known(born, at(100*day)), unsaid[time.Time](), unsaid[time.Time](), compliant},
		{"console unknown", unsaid[bool](), known(born, at(100*day)), unsaid[time.Time](), known(born, at(100*day)), unknown},

		{"never used, 45 days", known(true, end), known(time.Time{}, end), known(born, end), unsaid[time.Time](), compliant},
		{"never used, within the second", known(true, end.Add(time.Second-1)), known(time.Time{}, end.Add(time.Second-1)), known(born, end.Add(time.Second-1)), unsaid[time.Time](), compliant},
		{"never used, a second more", known(true, end.Add(time.Second)), known(time.Time{}, end.Add(time.Second)), known(born, end.Add(time.Second)), unsaid[time.Time](), violation(end)},
		{"used, 45 days ago", known(true, at(55*day)), known(at(10*day), at(55*day)), unsaid[time.Time](), known(born, at(55*day)), compliant},
		{"used, a second more", known(true, at(55*day+time.Second)), known(at(10*day), at(55*day+time.Second)), unsaid[time.Time](), known(born, at(55*day+time.Second)), violation(at(55 * day))},
		{"used before it was changed, 45 days", known(true, at(65*day)), known(at(10*day), at(65*day)), unsaid[time.Time](), known(at(20*day), at(65*day)), compliant},
		{
			"used before it was changed, a second more", known(true, at(65*day+time.Second)), known(at(10*day), at(65*day+time.Second)),
			unsaid[time.Time](), known(at(20*day), at(65*day+time.Second)), violation(at(65 * day)),
		},
		{"changed after it was made", known(true, at(100*day)), known(time.Time{}, at(100*day)), known(at(10*day), at(100*day)), known(at(20*day), at(100*day)), violation(at(65 * day))},
		{"made anew after the change", known(true, at(100*day)), known(time.Time{}, at(100*day)), known(at(30*day), at(100*day)), known(at(20*day), at(50*day)), violation(at(75 * day))},

		{"the change of long ago is all that is old", known(true, at(100*day)), known(time.Time{}, at(100*day)), unsaid[time.Time](), known(born, end), compliant},
		{"the sign-in of long ago is all that is old", known(true, at(100*day)), known(time.Time{}, end), unsaid[time.Time](), known(born, at(100*day)), compliant},
		{"the password of long ago is all that is old", known(true, end), known(time.Time{}, at(100*day)), unsaid[time.Time](), known(born, at(100*day)), compliant},

		{"nothing but console access, young user", known(true, end), unsaid[time.Time](), unsaid[time.Time](), unsaid[time.Time](), compliant},
		{"nothing but console access, a second more", known(true, end.Add(time.Second)), unsaid[time.Time](), unsaid[time.Time](), unsaid[time.Time](), unknown},
		{"set lately, use unknown", known(true, at(100*day)), unsaid[time.Time](), known(at(55*day), at(100*day)), unsaid[time.Time](), compliant},
		{"set long ago, use unknown", known(true, at(100*day+time.Second)), unsaid[time.Time](), known(at(55*day), at(100*day)), unsaid[time.Time](), unknown},
		{"used lately, setting unknown", known(true, at(100*day)), known(at(55*day), at(100*day)), unsaid[time.Time](), unsaid[time.Time](), compliant},
		{"used long ago, setting unknown", known(true, at(100*day+time.Second)), known(at(55*day), at(100*day)), unsaid[time.Time](), unsaid[time.Time](), unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user := inventory.User{Name: "alice", Created: born, Console: tt.console, PasswordCreated: tt.created, PasswordChanged: tt.changed}
			if used, told := tt.used.Get(); told {
				user.PasswordUse = known(inventory.Use{At: used}, tt.used.Observed())
			}
			if diff := cmp.Diff(tt.want, judged(t, snapshot(user), policy.DefaultLimits(), policy.PasswordUnused)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func unsaid[T any]() inventory.Fact[T] { return inventory.Fact[T]{} }

func TestRootUserWithoutMFA(t *testing.T) {
	early, late := at(10*day), at(20*day)
	tests := []struct {
		name string
		root inventory.Root
		want outcome
	}{
		{"nothing known", inventory.Root{}, unknown},
		{"password unknown", inventory.Root{MFA: known(false, late)}, unknown},
		{"MFA unknown", inventory.Root{Console: known(true, late)}, unknown},
		{"no password", inventory.Root{Console: known(false, late)}, compliant},
		{"no password, no MFA", inventory.Root{Console: known(false, late), MFA: known(false, late)}, compliant},
		{"MFA, password unknown", inventory.Root{MFA: known(true, late)}, compliant},
		{"password and MFA", inventory.Root{Console: known(true, late), MFA: known(true, late)}, compliant},
		{"since root", inventory.Root{Created: born, Console: known(true, late), MFA: known(false, late)}, violation(born)},
		{"root not dated", inventory.Root{Console: known(true, late), MFA: known(false, early)}, violation(time.Time{})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judged(t, &inventory.Snapshot{Root: tt.root}, policy.DefaultLimits(), policy.RootUserWithoutMFA)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	late := at(1000 * day)
	s := snapshot(
		inventory.User{
			Name: "bob", Created: born, Console: known(true, late), MFA: known(true, late),
			Keys: keys(late, neverUsed(active("z", born), late), usedAt(active("a", at(10*day)), late, late)),
		},
		inventory.User{Name: "bobby", Created: born, Console: known(false, late), Keys: keys(late)},
		inventory.User{Name: "carol", Created: born},
	)
	s.Root.Keys = keys(late, active("r", born))
	j := policy.Evaluate(s, policy.WithLimits(policy.DefaultLimits()), born)

	want := []policy.Finding{
		{policy.MultipleActiveKeys, "bob", "", at(17 * day)},
		{policy.ConsoleUserWithActiveKeys, "bob", "", born},
		{policy.KeyCreatedAtUserSetup, "bob", "z", born},
		{policy.ConsoleKeyNeverUsed, "bob", "z", born},
		{policy.KeyRotation, "bob", "a", at(100 * day)},
		{policy.KeyRotation, "bob", "z", at(90 * day)},
		{policy.KeyUnused, "bob", "z", at(45 * day)},
		{policy.RootAccessKey, policy.RootUserName, "", born},
	}
	if diff := cmp.Diff(want, j.Findings); diff != "" {
		t.Errorf("Findings: -want +got:\n%s", diff)
	}
	counts := map[policy.Rule]map[policy.Verdict]int{}
	for _, r := range policy.Rules() {
		counts[r] = map[policy.Verdict]int{}
		for _, v := range policy.Verdicts() {
			if n := j.Count(r, v); n != 0 {
				counts[r][v] = n
			}
		}
	}
	wantCounts := map[policy.Rule]map[policy.Verdict]int{
		policy.MultipleActiveKeys:        {policy.Violation: 1, policy.Compliant: 1, policy.Unknown: 1},
		policy.ConsoleUserWithActiveKeys: {policy.Violation: 1, policy.Compliant: 1, policy.Unknown: 1},
		policy.KeyCreatedAtUserSetup:     {policy.Violation: 1, policy.Compliant: 1, policy.Unknown: 1},
		policy.ConsoleKeyNeverUsed:       {policy.Violation: 1, policy.Compliant: 1, policy.Unknown: 1},
		policy.KeyRotation:               {policy.Violation: 2, policy.Unknown: 1},
		policy.KeyRotationDue:            {policy.Compliant: 2, policy.Unknown: 1},
		policy.KeyUnused:                 {policy.Violation: 1, policy.Compliant: 1, policy.Unknown: 1},
		policy.RootAccessKey:             {policy.Violation: 1},
		policy.ConsoleUserWithoutMFA:     {policy.Compliant: 2, policy.Unknown: 1},
		policy.PasswordUnused:            {policy.Compliant: 1, policy.Unknown: 2},
		policy.RootUserWithoutMFA:        {policy.Unknown: 1},
	}
	if diff := cmp.Diff(wantCounts, counts); diff != "" {
		t.Errorf("Count: -want +got:\n%s", diff)
	}
	for name, want := range map[string]bool{"bob": true, "bobby": false, "carol": false, policy.RootUserName: true} {
		if got := (j.Accused()[name] != 0); got != want {
			t.Errorf("accused %q: got %t, want %t", name, got, want)
		}
	}
}

// TestJudgeKnowsNoClock judges the same facts in another account, whose other
// facts are years newer: what is frozen is judged as before.
func TestJudgeKnowsNoClock(t *testing.T) {
	frozen := inventory.User{Name: "bob", Created: born, Keys: keys(at(45*day), neverUsed(active("a", born), at(45*day)))}
	fresh := inventory.User{Name: "zoe", Created: at(5000 * day), Keys: keys(at(5000 * day))}
	alone := policy.Evaluate(snapshot(frozen), policy.WithLimits(policy.DefaultLimits()), born)
	beside := policy.Evaluate(snapshot(frozen, fresh), policy.WithLimits(policy.DefaultLimits()), born)
	if diff := cmp.Diff(alone.Findings, beside.Findings); diff != "" {
		t.Errorf("-alone +beside fresh facts:\n%s", diff)
	}
	if beside.Accused()["bob"] != 0 {
		t.Error("a key was found unused on facts from before its deadline")
	}
}

func TestConsoleWithActiveKeys(t *testing.T) {
	early, late := at(day), at(2*day)
	tests := []struct {
		name string
		user inventory.User
		want inventory.Fact[bool]
	}{
		{"unknown", inventory.User{}, inventory.Fact[bool]{}},
		{"both, as old as the older", inventory.User{Console: known(true, early), Keys: keys(late, active("a", born))}, known(true, early)},
		{"both, the other way round", inventory.User{Console: known(true, late), Keys: keys(early, active("a", born))}, known(true, early)},
		{"no console", inventory.User{Console: known(false, early)}, known(false, early)},
		{"no keys", inventory.User{Keys: keys(late)}, known(false, late)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policy.ConsoleWithActiveKeys(&tt.user); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{5_000, 100_000} {
		s := crowd(n)
		for name, p := range map[string]*policy.Policy{"limits": policy.WithLimits(policy.DefaultLimits()), "classes": elaborate()} {
			b.Run(fmt.Sprintf("users=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					policy.Evaluate(s, p, born)
				}
			})
		}
	}
}

// elaborate is a policy that looks at everything about every user.
func elaborate() *policy.Policy {
	console := true
	p := policy.WithLimits(policy.DefaultLimits())
	for i := range 5 {
		p.Classes = append(p.Classes, policy.Class{
			Name: fmt.Sprint("tagged-", i), Match: withTag("kind", fmt.Sprintf("robot-%d-*", i)), Limits: policy.DefaultLimits(),
		})
	}
	p.Classes = append(p.Classes,
		policy.Class{Name: "named", Match: named("*-00001?"), Limits: policy.DefaultLimits()},
		policy.Class{Name: "people", Match: policy.Match{Console: &console}, Limits: policy.DefaultLimits()})
	p.OwnerTags = []string{"Owner", "team"}
	p.ExemptionTag = "exemptionKey"
	p.Users.Exclude = []policy.Match{named("ceo*")}
	for i := range 50 {
		p.Exemptions = append(p.Exemptions, exempt(fmt.Sprintf("user-%06d", 3*i), at(5000*day), policy.KeyRotation))
	}
	return p
}

// crowd is an account in which every third user is in violation of something.
func crowd(n int) *inventory.Snapshot {
	now := at(200 * day)
	s := &inventory.Snapshot{}
	for i := range n {
		u := inventory.User{
			Name: fmt.Sprintf("user-%06d", i), Created: born,
			Console: known(i%10 == 0, now), MFA: known(i%20 == 0, now),
			Tags: tags("cost-center", "4711", "kind", "human", "team", "red"),
		}
		created := at(180 * day)
		if i%3 == 0 {
			created = at(day)
		}
		u.Keys = keys(now, usedAt(active("AKIA0000000000000001", created), now, now), neverUsed(active("AKIA0000000000000002", at(195*day)), now))
		s.Users = append(s.Users, u)
	}
	return s
}

// TestEach tells of every subject what is counted, and of violations what is found.
func TestEach(t *testing.T) {
	s := in("111122223333", sinner("ann"), sinner("bob"), inventory.User{Name: "eve", Created: born})
	s.Root.Keys = keys(at(1000*day), active("r", born))
	j := policy.Evaluate(s, withExemptions(exempt("ann", end, policy.KeyRotation)), end.Add(-1))
	counts := map[policy.Rule]map[policy.Verdict]int{}
	found := map[policy.Finding]bool{}
	j.Each(func(f policy.Finding, v policy.Verdict) {
		if counts[f.Rule] == nil {
			counts[f.Rule] = map[policy.Verdict]int{}
		}
		counts[f.Rule][v]++
		if v == policy.Violation {
			found[f] = true
		}
	})
	for _, rule := range policy.Rules() {
		if diff := cmp.Diff(counted(j, rule), counts[rule]); diff != "" {
			t.Errorf("%s: -counted +told:\n%s", rule, diff)
		}
	}
	for _, f := range j.Findings {
		if !found[f] {
			t.Errorf("was not told of %v", f)
		}
	}
	if len(found) != len(j.Findings) {
		t.Errorf("told of %d violations, want %d", len(found), len(j.Findings))
	}
	if e := j.Excuse("ann", policy.KeyRotation, end.Add(-1)); e == nil || !e.Until.Equal(end) {
		t.Errorf("ann is excused by %v", e)
	}
	for name, e := range map[string]*policy.Exemption{
		"lapsed": j.Excuse("ann", policy.KeyRotation, end), "bob": j.Excuse("bob", policy.KeyRotation, end.Add(-1)),
		"another rule": j.Excuse("ann", policy.KeyUnused, end.Add(-1)),
	} {
		if e != nil {
			t.Errorf("%s: excused by %v", name, e)
		}
	}
}
