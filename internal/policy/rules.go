// Package policy judges the access keys of an account: pure functions of a
// snapshot, without a clock of their own. A rule is judged as of the moment at
// which AWS stated the facts that it rests on, so facts that no longer change
// neither raise a finding nor resolve one.
package policy

import "github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"

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

// rule is how a rule judges. It has the one judge that its subject asks for,
// which gets nil for limits that are unknown.
type rule struct {
	name        Rule
	subject     Subject
	description string
	// consoleOnly marks the rules about keys that only console users can break.
	consoleOnly bool

	user func(*Limits, *inventory.User) outcome
	key  func(*Limits, *inventory.User, *inventory.AccessKey) outcome
	root func(*inventory.Root) outcome
}

// rules returns every rule, in the order in which they are shown.
func rules() []rule {
	return []rule{
		{
			name: MultipleActiveKeys, subject: SubjectUser, user: multipleActiveKeys,
			description: "The user has two or more active access keys, for longer than a rotation may take.",
		},
		{
			name: ConsoleUserWithActiveKeys, subject: SubjectUser, user: consoleUserWithActiveKeys,
			description: "The user has console access and an active access key.",
		},
		{
			name: KeyCreatedAtUserSetup, subject: SubjectKey, key: keyCreatedAtUserSetup, consoleOnly: true,
			description: "The user has console access and an active access key that was created together with the user.",
		},
		{
			name: ConsoleKeyNeverUsed, subject: SubjectKey, key: consoleKeyNeverUsed, consoleOnly: true,
			description: "The user has console access and an active access key that was never used.",
		},
		{
			name: KeyRotation, subject: SubjectKey, key: keyRotation,
			description: "The access key is active and older than the policy allows.",
		},
		{
			name: KeyRotationDue, subject: SubjectKey, key: keyRotationDue,
			description: "The access key is active and will soon be older than the policy allows.",
		},
		{
			name: KeyUnused, subject: SubjectKey, key: keyUnused,
			description: "The access key is active and has not been used for longer than the policy allows.",
		},
		{
			name: RootAccessKey, subject: SubjectAccount, root: rootAccessKey,
			description: "The root user has an active access key.",
		},
		{
			name: ConsoleUserWithoutMFA, subject: SubjectUser, user: consoleUserWithoutMFA,
			description: "The user has console access and no MFA device.",
		},
	}
}

// Rules lists every rule, in the order in which they are shown.
func Rules() []Rule {
	var names []Rule
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

// Subject returns the kind of thing that the rule judges.
func (r Rule) Subject() Subject { return r.find().subject }

// Description says in one sentence what a breach of the rule is.
func (r Rule) Description() string { return r.find().description }

func (r Rule) find() rule {
	for _, known := range rules() {
		if known.name == r {
			return known
		}
	}
	return rule{}
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
