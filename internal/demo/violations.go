package demo

import (
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// violation is a way to violate a rule of the policy with its default limits.
type violation struct {
	rule string
	// breaks reports whether a user, or root, violates the rule.
	breaks func(u awssim.User, now time.Time) bool
	// applies reports whether a user who is old enough may be made a violator.
	applies func(u awssim.User) bool
	apply   func(a *Account, u awssim.User) error
}

// violations holds one for every rule. Where a rule counts days, nobody has to
// wait for them: the keys are created with the age that they need.
func violations() []violation {
	return []violation{
		{"multiple_active_keys", hasOldPair, isMachine, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: 60 * day, idle: day}, keySpec{age: 20 * day, idle: time.Hour})
		}},
		{"console_user_with_active_keys", isConsoleUserWithKey, isPerson, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(day, 20*day), idle: time.Minute})
		}},
		{"key_created_at_user_setup", hasSetupKey, isPerson, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.now().Sub(u.Created) - 5*time.Minute, idle: 3 * time.Minute})
		}},
		{"console_key_never_used", hasUnusedConsoleKey, isPerson, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(time.Minute, 40*day), idle: never})
		}},
		{"key_rotation", hasKeyAged(90*day, never), isMachine, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(91*day, 5*365*day), idle: time.Hour})
		}},
		{"key_rotation_due", hasKeyAged(76*day, 90*day), isMachine, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(77*day, 89*day), idle: time.Hour})
		}},
		{"key_unused", hasIdleKey, isMachine, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(60*day, 75*day), idle: a.between(46*day, 59*day)})
		}},
		{"root_access_key", isRootWithKey, isRoot, func(a *Account, u awssim.User) error {
			return a.arrange(u.Name, keySpec{age: a.between(day, 400*day), idle: time.Hour})
		}},
		{"console_user_without_mfa", hasNoMFA, isPerson, func(a *Account, u awssim.User) error {
			return a.World.RemoveMFA(u.Name)
		}},
		{"password_unused", hasIdlePassword, isPerson, func(a *Account, u awssim.User) error {
			return a.World.SignIn(u.Name, a.now().Add(-a.between(46*day, 59*day)))
		}},
		{"root_user_without_mfa", isRootWithoutMFA, isRoot, func(a *Account, u awssim.User) error {
			return a.World.RemoveMFA(u.Name)
		}},
	}
}

func isRoot(u awssim.User) bool    { return u.Name == awssim.Root }
func isPerson(u awssim.User) bool  { return u.Password && u.Path == "/people/" }
func isMachine(u awssim.User) bool { return !isRoot(u) && !u.Password && len(u.Keys) > 0 }

func hasOldPair(u awssim.User, now time.Time) bool {
	old := slices.DeleteFunc(activeKeys(u), func(k awssim.Key) bool { return now.Sub(k.Created) <= 7*day })
	return !isRoot(u) && len(old) > 1
}

func isConsoleUserWithKey(u awssim.User, _ time.Time) bool {
	return u.Password && len(activeKeys(u)) > 0
}

func hasSetupKey(u awssim.User, _ time.Time) bool {
	return u.Password && slices.ContainsFunc(activeKeys(u), func(k awssim.Key) bool {
		return k.Created.Sub(u.Created) <= 15*time.Minute
	})
}

func hasUnusedConsoleKey(u awssim.User, _ time.Time) bool {
	return u.Password && slices.ContainsFunc(activeKeys(u), func(k awssim.Key) bool { return k.Use.At.IsZero() })
}

// hasKeyAged returns a function that reports whether a user has an active key
// older than low, up to high.
func hasKeyAged(low, high time.Duration) func(awssim.User, time.Time) bool {
	return func(u awssim.User, now time.Time) bool {
		return !isRoot(u) && slices.ContainsFunc(activeKeys(u), func(k awssim.Key) bool {
			age := now.Sub(k.Created)
			return age > low && age <= high
		})
	}
}

func hasIdleKey(u awssim.User, now time.Time) bool {
	return !isRoot(u) && slices.ContainsFunc(activeKeys(u), func(k awssim.Key) bool {
		last := k.Use.At
		if last.IsZero() {
			last = k.Created
		}
		return now.Sub(last) > 45*day
	})
}

func isRootWithKey(u awssim.User, _ time.Time) bool { return isRoot(u) && len(activeKeys(u)) > 0 }

func hasNoMFA(u awssim.User, _ time.Time) bool {
	return !isRoot(u) && u.Password && u.MFADevices == 0
}

func hasIdlePassword(u awssim.User, now time.Time) bool {
	last := u.PasswordSet
	if u.SignedIn.After(last) {
		last = u.SignedIn
	}
	return !isRoot(u) && u.Password && now.Sub(last) > 45*day
}

func isRootWithoutMFA(u awssim.User, _ time.Time) bool { return isRoot(u) && u.MFADevices == 0 }

// isAboutRoot reports whether root alone can violate the rule.
func (v violation) isAboutRoot() bool { return policy.Rule(v.rule).Subject() == policy.SubjectAccount }

// compliant reports whether a user violates no rule.
func compliant(u awssim.User, now time.Time) bool {
	return !slices.ContainsFunc(violations(), func(v violation) bool { return v.breaks(u, now) })
}

// violators returns the users who violate the rule, root included.
func (a *Account) violators(v violation) []awssim.User {
	now := a.now()
	return slices.DeleteFunc(a.everyone(), func(u awssim.User) bool { return !v.breaks(u, now) })
}

// apply makes a compliant user violate the rule, if there is one to choose. There is
// one root, who may violate several.
// Newcomers are too young for keys of the age that some violations need.
func (a *Account) apply(v violation) error {
	now := a.now()
	candidates := slices.DeleteFunc(a.everyone(), func(u awssim.User) bool {
		fits := compliant(u, now) || isRoot(u) && !v.breaks(u, now)
		return !v.applies(u) || now.Sub(u.Created) < 100*day || !fits
	})
	if len(candidates) == 0 {
		return nil
	}
	return v.apply(a, pick(a, candidates))
}

// repair makes a user compliant: people lose their keys, get an MFA device and sign
// in, root loses its keys and gets a device, machines get one new key.
func (a *Account) repair(u awssim.User) error {
	if !isRoot(u) && !u.Password {
		return a.arrange(u.Name, keySpec{})
	}
	if u.MFADevices == 0 {
		if _, err := a.World.AddMFA(u.Name, a.now()); err != nil {
			return err
		}
	}
	if hasIdlePassword(u, a.now()) {
		if err := a.World.SignIn(u.Name, a.now()); err != nil {
			return err
		}
	}
	return a.arrange(u.Name)
}
