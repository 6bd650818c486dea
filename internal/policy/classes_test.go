package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// untold is a policy under which the class of users without known tags is unknown.
func untold() *policy.Policy {
	p := policy.WithLimits(policy.DefaultLimits())
	p.Classes = []policy.Class{{Name: "robots", Match: withTag("kind", "robot"), Limits: policy.DefaultLimits()}}
	return p
}

// TestUnknownClass judges users of unknown class: what needs no limits is still
// decided, the rest is unknown, and nobody is cleared for want of tags.
func TestUnknownClass(t *testing.T) {
	late := at(1000 * day)
	key := active("a", born)
	one, two := keys(late, neverUsed(key, late)), keys(late, key, active("b", at(day)))
	tests := []struct {
		name string
		rule policy.Rule
		user inventory.User
		want outcome
	}{
		{"keys unknown", policy.MultipleActiveKeys, inventory.User{}, unknown},
		{"no key", policy.MultipleActiveKeys, inventory.User{Keys: keys(late)}, compliant},
		{"one key", policy.MultipleActiveKeys, inventory.User{Keys: one}, compliant},
		{"one active of two", policy.MultipleActiveKeys, inventory.User{Keys: keys(late, key, status(active("b", born), inventory.Inactive))}, compliant},
		{"two keys", policy.MultipleActiveKeys, inventory.User{Keys: two}, unknown},

		{"in violation", policy.ConsoleUserWithActiveKeys, inventory.User{Console: known(true, late), Keys: one}, violation(born)},
		{"compliant", policy.ConsoleUserWithActiveKeys, inventory.User{Console: known(false, late), Keys: one}, compliant},

		{"console", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(true, late), Keys: one}, unknown},
		{"no console", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(false, late), Keys: one}, compliant},
		{"console unknown", policy.KeyCreatedAtUserSetup, inventory.User{Keys: one}, unknown},
		{"keys unknown, no console", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(false, late)}, compliant},
		{"keys unknown", policy.KeyCreatedAtUserSetup, inventory.User{Console: known(true, late)}, unknown},

		{"in violation", policy.ConsoleKeyNeverUsed, inventory.User{Console: known(true, late), Keys: one}, violation(born)},
		{"compliant", policy.ConsoleKeyNeverUsed, inventory.User{Console: known(false, late), Keys: one}, compliant},

		{"an old key", policy.KeyRotation, inventory.User{Keys: one}, unknown},
		{"a new key", policy.KeyRotation, inventory.User{Keys: keys(born, key)}, unknown},
		{"no key", policy.KeyRotation, inventory.User{Keys: keys(late)}, none},
		{"an old key", policy.KeyRotationDue, inventory.User{Keys: one}, unknown},
		{"a new key", policy.KeyRotationDue, inventory.User{Keys: keys(born, key)}, unknown},

		{"never used", policy.KeyUnused, inventory.User{Keys: one}, unknown},
		{"used just now", policy.KeyUnused, inventory.User{Keys: keys(late, usedAt(key, late, late))}, unknown},
		{"use unknown, key new", policy.KeyUnused, inventory.User{Keys: keys(born, key)}, unknown},

		{"in violation", policy.ConsoleUserWithoutMFA, inventory.User{Console: known(true, late), MFA: known(false, late)}, violation(born)},
		{"compliant", policy.ConsoleUserWithoutMFA, inventory.User{Console: known(true, late), MFA: known(true, late)}, compliant},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule)+"/"+tt.name, func(t *testing.T) {
			tt.user.Name, tt.user.Created = "alice", born
			if diff := cmp.Diff(tt.want, judgedUnder(t, snapshot(tt.user), untold(), tt.rule)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}

	t.Run("classification", func(t *testing.T) {
		s := classification(inventory.User{Name: "alice"}, untold())
		if s.ClassName() != policy.UnknownClass || s.Limits() != nil {
			t.Errorf("class %s with limits %v, want %s without", s.ClassName(), s.Limits(), policy.UnknownClass)
		}
	})
	t.Run("root has no class", func(t *testing.T) {
		s := &inventory.Snapshot{Root: inventory.Root{Keys: keys(late, key)}}
		if diff := cmp.Diff(violation(born), judgedUnder(t, s, untold(), policy.RootAccessKey)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestLimitsOfClasses puts users of two classes and of none a second before,
// at, and after every limit of theirs.
func TestLimitsOfClasses(t *testing.T) {
	strict := policy.Limits{MaxKeyAge: 30 * day, RotationWarning: 5 * day, MaxKeyIdle: 10 * day, RotationOverlap: 0, SetupWindow: time.Minute}
	loose := policy.Limits{MaxKeyAge: 365 * day, RotationWarning: 30 * day, MaxKeyIdle: 200 * day, RotationOverlap: 50 * day, SetupWindow: 3 * time.Hour}
	p := policy.WithLimits(policy.DefaultLimits())
	p.Classes = []policy.Class{
		{Name: "strict", Match: named("strict"), Limits: strict},
		{Name: "loose", Match: named("l*"), Limits: loose},
	}
	console := known(true, born)
	key := active("a", born)
	rules := []struct {
		rule policy.Rule
		name string
		// limit is when the rule changes its mind, and user is somebody judged at
		// the moment.
		limit         func(policy.Limits) time.Time
		user          func(time.Time) inventory.User
		before, after func(policy.Limits) outcome // before includes the limit
	}{
		{
			policy.MultipleActiveKeys, "overlap",
			func(l policy.Limits) time.Time { return at(day).Add(l.RotationOverlap) },
			func(now time.Time) inventory.User {
				return inventory.User{Keys: keys(now, key, active("b", at(day)))}
			},
			always(compliant), func(l policy.Limits) outcome { return violation(at(day + l.RotationOverlap)) },
		},
		{
			policy.KeyRotation, "age",
			func(l policy.Limits) time.Time { return at(l.MaxKeyAge) },
			func(now time.Time) inventory.User { return inventory.User{Keys: keys(now, key)} },
			always(compliant), func(l policy.Limits) outcome { return violation(at(l.MaxKeyAge)) },
		},
		{
			policy.KeyRotationDue, "warning",
			func(l policy.Limits) time.Time { return at(l.MaxKeyAge - l.RotationWarning) },
			func(now time.Time) inventory.User { return inventory.User{Keys: keys(now, key)} },
			always(compliant), func(l policy.Limits) outcome { return violation(at(l.MaxKeyAge - l.RotationWarning)) },
		},
		{
			policy.KeyRotationDue, "age",
			func(l policy.Limits) time.Time { return at(l.MaxKeyAge) },
			func(now time.Time) inventory.User { return inventory.User{Keys: keys(now, key)} },
			func(l policy.Limits) outcome { return violation(at(l.MaxKeyAge - l.RotationWarning)) }, always(compliant),
		},
		{
			policy.KeyUnused, "idle",
			func(l policy.Limits) time.Time { return at(l.MaxKeyIdle) },
			func(now time.Time) inventory.User { return inventory.User{Keys: keys(now, neverUsed(key, now))} },
			always(compliant), func(l policy.Limits) outcome { return violation(at(l.MaxKeyIdle)) },
		},
		{
			policy.KeyUnused, "idle since use",
			func(l policy.Limits) time.Time { return at(3*day + l.MaxKeyIdle) },
			func(now time.Time) inventory.User {
				return inventory.User{Keys: keys(now, usedAt(key, at(3*day), now))}
			},
			always(compliant), func(l policy.Limits) outcome { return violation(at(3*day + l.MaxKeyIdle)) },
		},
		{
			policy.KeyUnused, "idle, use unknown",
			func(l policy.Limits) time.Time { return at(l.MaxKeyIdle) },
			func(now time.Time) inventory.User { return inventory.User{Keys: keys(now, key)} },
			always(compliant), always(unknown),
		},
		{
			policy.KeyCreatedAtUserSetup, "window",
			func(l policy.Limits) time.Time { return at(l.SetupWindow) },
			func(created time.Time) inventory.User {
				return inventory.User{Console: console, Keys: keys(at(1000*day), active("a", created))}
			},
			nil, always(compliant),
		},
	}
	classes := []struct {
		user   string
		limits policy.Limits
	}{{"strict", strict}, {"loose", loose}, {"other", policy.DefaultLimits()}}
	for _, r := range rules {
		for _, c := range classes {
			for name, offset := range map[string]time.Duration{"a second before": -time.Second, "at": 0, "a second after": time.Second} {
				t.Run(string(r.rule)+"/"+r.name+"/"+c.user+"/"+name, func(t *testing.T) {
					moment := r.limit(c.limits).Add(offset)
					u := r.user(moment)
					u.Name, u.Created = c.user, born
					var want outcome
					switch {
					case offset > 0:
						want = r.after(c.limits)
					case r.before != nil:
						want = r.before(c.limits)
					default: // in violation since the key's creation
						want = violation(moment)
					}
					if diff := cmp.Diff(want, judgedUnder(t, snapshot(u), p, r.rule)); diff != "" {
						t.Errorf("-want +got:\n%s", diff)
					}
				})
			}
		}
	}
}

func always(o outcome) func(policy.Limits) outcome {
	return func(policy.Limits) outcome { return o }
}
