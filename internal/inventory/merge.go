package inventory

import (
	"cmp"
	"strings"
	"time"
)

// Bringing together what AWS says in several places about one thing. Nothing
// is guessed: the facts themselves tell which of them is later.

// CompareKeys orders the keys of a user: by creation, then id.
func CompareKeys(a, b AccessKey) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
}

// MergeUse joins two statements about the last use of the same thing. A last
// use only ever moves forward, while AWS's sources learn of it at different
// speeds: the later use is true, as of the later statement.
func MergeUse(a, b Fact[Use]) Fact[Use] {
	use, known := a.Get()
	if !known {
		return b
	}
	other, known := b.Get()
	if !known {
		return a
	}
	newest := a.Newer(b)
	if v, _ := newest.Get(); v.At.Equal(use.At) && v.At.Equal(other.At) {
		return newest
	}
	if other.At.After(use.At) {
		use = other
	}
	return Observe(use, newest.Observed())
}

// MergeChange joins two statements about the last change of the same thing, as
// MergeUse does for uses.
func MergeChange(a, b Fact[time.Time]) Fact[time.Time] {
	newest := a.Newer(b)
	at, _ := newest.Get()
	for _, fact := range []Fact[time.Time]{a, b} {
		if other, known := fact.Get(); known && other.After(at) {
			return Observe(other, newest.Observed())
		}
	}
	return newest
}

// CarryUse gives each of the keys the last use that was known of it earlier,
// unless it has a later one. It writes to keys.
func CarryUse(keys, earlier []AccessKey) {
	for i := range keys {
		for _, old := range earlier {
			if old.ID == keys[i].ID {
				keys[i].LastUse = MergeUse(old.LastUse, keys[i].LastUse)
			}
		}
	}
}

// Relisted returns the user as a new listing has it: with everything that was
// known of u but what the listing tells. Both must be the same user.
func (u User) Relisted(listed User) User {
	u.ID, u.Name, u.ARN, u.Path, u.Created = listed.ID, listed.Name, listed.ARN, listed.Path, listed.Created
	u.PasswordUse = listed.PasswordUse
	return u
}

// MergeRoot brings what is known of root up to date.
func MergeRoot(old, now Root) Root {
	merged := Root{
		Created:     now.Created,
		KeyPresent:  old.KeyPresent.Newer(now.KeyPresent),
		Keys:        old.Keys.Newer(now.Keys),
		Console:     old.Console.Newer(now.Console),
		MFA:         old.MFA.Newer(now.MFA),
		PasswordUse: MergeUse(old.PasswordUse, now.PasswordUse),
	}
	if merged.Created.IsZero() {
		merged.Created = old.Created
	}
	// A root user without a password needs no MFA device, and older reports do
	// not say whether there is a password.
	console, _ := merged.Console.Get()
	if mfa, _ := merged.MFA.Get(); !mfa && !console {
		merged.MFA = Fact[bool]{}
	}
	return merged
}

// AccountOf returns the account id in an ARN of IAM, and its partition; both
// are empty if it is none.
func AccountOf(arn string) (id, partition string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" {
		return "", ""
	}
	return parts[4], parts[1]
}

// Truncate cuts a time to the second, the unit in which AWS's sources agree.
func Truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
