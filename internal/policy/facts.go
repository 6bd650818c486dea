package policy

import (
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// fact is a truth that can be unknown, with the moment as of which it holds.
type fact = inventory.Fact[bool]

// both is a and b: one that is false decides, even while the other is unknown.
func both(a, b fact) fact {
	isA, knownA := a.Get()
	isB, knownB := b.Get()
	switch {
	case knownA && !isA:
		return a
	case knownB && !isB:
		return b
	case knownA && knownB:
		return inventory.Observe(true, earlier(a.Observed(), b.Observed()))
	}
	return fact{}
}

func not(a fact) fact {
	if is, known := a.Get(); known {
		return inventory.Observe(!is, a.Observed())
	}
	return a
}

// hasActiveKey reports whether the user has an active key.
func hasActiveKey(user *inventory.User) inventory.Fact[bool] {
	n, known := user.CountKeys(inventory.Active)
	if !known {
		return fact{}
	}
	return inventory.Observe(n > 0, user.Keys.Observed())
}

// ConsoleWithActiveKeys reports whether the user has console access as well as
// an active key. Either of them known to be missing is enough to deny it.
func ConsoleWithActiveKeys(user *inventory.User) inventory.Fact[bool] {
	return both(user.Console, hasActiveKey(user))
}

// NeverUsed reports whether no use of the key is on record.
func NeverUsed(key *inventory.AccessKey) inventory.Fact[bool] {
	use, known := key.LastUse.Get()
	if !known {
		return fact{}
	}
	return inventory.Observe(use.Never(), key.LastUse.Observed())
}

// passwordSet returns when the present password was set: its last change, or its
// creation if that is later or the change is not known.
func passwordSet(user *inventory.User) inventory.Fact[time.Time] {
	changed, told := user.PasswordChanged.Get()
	created, known := user.PasswordCreated.Get()
	if !told || known && created.After(changed) {
		return user.PasswordCreated
	}
	return user.PasswordChanged
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
