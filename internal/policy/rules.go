// Package policy judges the access keys of an account: pure functions of a
// snapshot, without a clock of their own. A rule is judged as of the moment at
// which AWS stated the facts that it rests on, so facts that no longer change
// neither raise a finding nor resolve one.
package policy

// Rule names a rule.
type Rule string

// The rules.
const (
	MultipleActiveKeys        Rule = "multiple_active_keys"
	ConsoleUserWithActiveKeys Rule = "console_user_with_active_keys"
	KeyCreatedAtUserSetup     Rule = "key_created_at_user_setup"
	ConsoleKeyNeverUsed       Rule = "console_key_never_used"
	KeyRotation               Rule = "key_rotation"
	KeyRotationDue            Rule = "key_rotation_due"
	KeyUnused                 Rule = "key_unused"
	RootAccessKey             Rule = "root_access_key"
	ConsoleUserWithoutMFA     Rule = "console_user_without_mfa"
)

// Rules lists every rule, in the order in which they are shown.
func Rules() []Rule {
	return []Rule{
		MultipleActiveKeys, ConsoleUserWithActiveKeys, KeyCreatedAtUserSetup, ConsoleKeyNeverUsed,
		KeyRotation, KeyRotationDue, KeyUnused, RootAccessKey, ConsoleUserWithoutMFA,
	}
}

// Subject is the kind of thing that a rule judges.
type Subject string

// The kinds of subjects. Every user is one; every active key is one, and so is
// a user whose keys are unknown, in the place of the keys that may be there;
// every account is one.
const (
	SubjectUser    Subject = "user"
	SubjectKey     Subject = "key"
	SubjectAccount Subject = "account"
)

// Subject returns the kind of thing that the rule judges.
func (r Rule) Subject() Subject {
	switch r {
	case KeyCreatedAtUserSetup, ConsoleKeyNeverUsed, KeyRotation, KeyRotationDue, KeyUnused:
		return SubjectKey
	case RootAccessKey:
		return SubjectAccount
	default:
		return SubjectUser
	}
}

// Description says in one line what a breach of the rule is.
func (r Rule) Description() string {
	switch r {
	case MultipleActiveKeys:
		return "The user has two or more active access keys, for longer than a rotation may take."
	case ConsoleUserWithActiveKeys:
		return "The user has console access and an active access key."
	case KeyCreatedAtUserSetup:
		return "The user has console access and an active access key that was created together with the user."
	case ConsoleKeyNeverUsed:
		return "The user has console access and an active access key that was never used."
	case KeyRotation:
		return "The access key is active and older than the policy allows."
	case KeyRotationDue:
		return "The access key is active and will soon be older than the policy allows."
	case KeyUnused:
		return "The access key is active and has not been used for longer than the policy allows."
	case RootAccessKey:
		return "The root user has an active access key."
	case ConsoleUserWithoutMFA:
		return "The user has console access and no MFA device."
	}
	return ""
}

// Verdict is the outcome of judging one subject under one rule.
type Verdict string

// The verdicts.
const (
	Compliant Verdict = "compliant"
	Breach    Verdict = "breach"
	Exempted  Verdict = "exempted" // in breach, and excused from the rule
	Unknown   Verdict = "unknown"  // the facts that would decide are not known
)

// Verdicts lists every verdict.
func Verdicts() []Verdict { return []Verdict{Compliant, Breach, Exempted, Unknown} }
