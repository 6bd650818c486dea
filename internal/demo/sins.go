package demo

import (
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// sin is a way to break a rule of the policy with its default limits.
type sin struct {
	rule string
	// breaks tells whether a user, or root, breaks the rule.
	breaks func(u awssim.User, now time.Time) bool
	// tempts tells who may commit it, if they are old enough.
	tempts func(u awssim.User) bool
	commit func(a *Account, u awssim.User) error
}

// sins holds a sin for every rule. Where a rule counts days, they are made up
// at once, by keys that are older than the account had them.
func sins() []sin {
	return []sin{
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
	}
}

func isRoot(u awssim.User) bool    { return u.Name == awssim.Root }
func isPerson(u awssim.User) bool  { return u.Password && u.Path == "/people/" }
func isMachine(u awssim.User) bool { return !isRoot(u) && !u.Password && len(u.Keys) > 0 }

func hasOldPair(u awssim.User, now time.Time) bool {
	keys := activeKeys(u)
	return !isRoot(u) && len(keys) > 1 &&
		!slices.ContainsFunc(keys, func(k awssim.Key) bool { return now.Sub(k.Created) <= 7*day })
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

// hasKeyAged returns whether a user has an active key older than low, up to high.
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

// sinless tells whether a user breaks no rule.
func sinless(u awssim.User, now time.Time) bool {
	return !slices.ContainsFunc(sins(), func(s sin) bool { return s.breaks(u, now) })
}

// sinners returns who breaks the rule.
func (a *Account) sinners(s sin) []awssim.User {
	now := a.now()
	return slices.DeleteFunc(a.everyone(), func(u awssim.User) bool { return !s.breaks(u, now) })
}

// commit lets someone who is without sin break the rule, if there is anyone.
// Newcomers are too young for keys of the age that some sins need.
func (a *Account) commit(s sin) error {
	now := a.now()
	tempted := slices.DeleteFunc(a.everyone(), func(u awssim.User) bool {
		return !s.tempts(u) || now.Sub(u.Created) < 100*day || !sinless(u, now)
	})
	if len(tempted) == 0 {
		return nil
	}
	return s.commit(a, pick(a, tempted))
}

// repair makes a sinner break no rule: people lose their keys and get an MFA
// device, root loses its keys, machines get one new key.
func (a *Account) repair(u awssim.User) error {
	switch {
	case isRoot(u):
		return a.arrange(u.Name)
	case !u.Password:
		return a.arrange(u.Name, keySpec{})
	}
	if u.MFADevices == 0 {
		if _, err := a.World.AddMFA(u.Name, a.now()); err != nil {
			return err
		}
	}
	return a.arrange(u.Name)
}
