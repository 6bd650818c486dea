package policy

import "github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"

// Bound says how much is known about when a violation began.
type Bound int

// What is known about when a violation began.
const (
	Exactly   Bound = iota // it began then, as far as AWS tells
	NotBefore              // it began then at the earliest
	NotAfter               // it began then at the latest
)

// Bound returns how much is known about when the violation of a finding began.
func (j *Evaluation) Bound(f *Finding) Bound {
	switch f.Rule {
	case ConsoleUserWithoutMFA: // AWS does not say when a device was removed
		return NotBefore
	case ConsoleUserWithActiveKeys, KeyCreatedAtUserSetup, ConsoleKeyNeverUsed:
		if user, _ := j.Find(f.UserName); user != nil && !user.PasswordCreated.Known() {
			return NotBefore
		}
	case RootUserWithoutMFA:
		return j.sinceRoot(f)
	case RootAccessKey:
		keys, _ := j.Snapshot.Root.AccessKeys().Get()
		for _, key := range keys {
			if key.Status == inventory.Active && key.Created.Equal(f.Since) {
				return Exactly
			}
		}
		return j.sinceRoot(f)
	}
	return Exactly
}

// sinceRoot returns what is known of what began after root came to be: if nobody knows
// when that was, since when it was seen.
func (j *Evaluation) sinceRoot(f *Finding) Bound {
	if created := j.Snapshot.Root.Created; created.IsZero() || !created.Equal(f.Since) {
		return NotAfter
	}
	return NotBefore
}
