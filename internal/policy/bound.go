package policy

import "github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"

// Bound says how much is known about when a violation began.
type Bound int

// What is known about when a violation began.
const (
	Exactly   Bound = iota // it began then, as far as AWS tells
	NotBefore              // it began then at the earliest
	Undated                // nothing tells, and the time is zero
)

// Bound returns how much is known about when the violation of a finding began.
func (ev *Evaluation) Bound(f *Finding) Bound {
	switch f.Rule {
	case ConsoleUserWithoutMFA: // AWS does not say when a device was removed
		return NotBefore
	case ConsoleUserWithActiveKeys, KeyCreatedAtUserSetup, ConsoleKeyNeverUsed:
		if user, _ := ev.Find(f.UserName); user != nil && !user.PasswordCreated.Known() {
			return NotBefore
		}
	case RootUserWithoutMFA:
		return sinceRoot(f)
	case RootAccessKey:
		keys, _ := ev.Snapshot.Root.AccessKeys().Get()
		for _, key := range keys {
			if key.Status == inventory.Active && key.Created.Equal(f.Since) && !f.Since.IsZero() {
				return Exactly
			}
		}
		return sinceRoot(f)
	}
	return Exactly
}

// sinceRoot returns what is known of what began after root came to be.
func sinceRoot(f *Finding) Bound {
	if f.Since.IsZero() {
		return Undated
	}
	return NotBefore
}
