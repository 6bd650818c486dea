// Package policy judges the access keys and passwords of an account: pure functions of a
// snapshot, without a clock of their own. A rule is judged as of the moment at
// which AWS stated the facts that it rests on, so facts that no longer change
// neither raise a finding nor resolve one.
package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

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
	PasswordUnused            Rule = "password_unused"
	RootUserWithoutMFA        Rule = "root_user_without_mfa"
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

// Verdict is the outcome of judging one subject under one rule.
type Verdict string

// The verdicts.
const (
	Compliant Verdict = "compliant"
	Violation Verdict = "violation"
	Exempted  Verdict = "exempted" // in violation, and excused from the rule
	Unknown   Verdict = "unknown"  // the facts that would decide are not known
)

// Verdicts lists every verdict.
func Verdicts() []Verdict { return []Verdict{Compliant, Violation, Exempted, Unknown} }

// rule is how a rule judges. It has the one judge that its subject asks for,
// which gets nil for limits that are unknown.
type rule struct {
	name        Rule
	subject     Subject
	title       string
	description string
	// rests are the facts that a violation rests on.
	rests inventory.GroupSet
	// consoleOnly marks the rules about keys that only console users can break.
	consoleOnly bool

	user func(*Limits, *inventory.User) outcome
	key  func(*Limits, *inventory.User, *inventory.AccessKey) outcome
	root func(*inventory.Root) outcome
}

// rules returns every rule, in the order in which they are shown.
func rules() []rule {
	keys, use := inventory.GroupsOf(inventory.GroupKeys), inventory.GroupsOf(inventory.GroupKeyUse)
	keysAndConsole := keys | inventory.GroupsOf(inventory.GroupConsole)
	return []rule{
		{
			name: MultipleActiveKeys, subject: SubjectUser, user: multipleActiveKeys, rests: keys,
			title:       "Several active keys",
			description: "The user has two or more active access keys, for longer than a rotation may take.",
		},
		{
			name: ConsoleUserWithActiveKeys, subject: SubjectUser, user: consoleUserWithActiveKeys, rests: keysAndConsole,
			title:       "Console user with an active key",
			description: "The user has console access and an active access key.",
		},
		{
			name: KeyCreatedAtUserSetup, subject: SubjectKey, key: keyCreatedAtUserSetup, consoleOnly: true, rests: keysAndConsole,
			title:       "Key made together with its user",
			description: "The user has console access and an active access key that was created together with the user.",
		},
		{
			name: ConsoleKeyNeverUsed, subject: SubjectKey, key: consoleKeyNeverUsed, consoleOnly: true, rests: keysAndConsole | use,
			title:       "Console user's key never used",
			description: "The user has console access and an active access key that was never used.",
		},
		{
			name: KeyRotation, subject: SubjectKey, key: keyRotation, rests: keys,
			title:       "Key too old",
			description: "The access key is active and older than the policy allows.",
		},
		{
			name: KeyRotationDue, subject: SubjectKey, key: keyRotationDue, rests: keys,
			title:       "Key soon too old",
			description: "The access key is active and will soon be older than the policy allows.",
		},
		{
			name: KeyUnused, subject: SubjectKey, key: keyUnused, rests: keys | use,
			title:       "Key unused for too long",
			description: "The access key is active and has not been used for longer than the policy allows.",
		},
		{
			name: RootAccessKey, subject: SubjectAccount, root: rootAccessKey, rests: inventory.GroupsOf(inventory.GroupRoot),
			title:       "Root has an active key",
			description: "The root user has an active access key.",
		},
		{
			name: ConsoleUserWithoutMFA, subject: SubjectUser, user: consoleUserWithoutMFA, rests: inventory.GroupsOf(inventory.GroupConsole, inventory.GroupMFA),
			title:       "Console user without MFA",
			description: "The user has console access and no MFA device.",
		},
		{
			name: PasswordUnused, subject: SubjectUser, user: passwordUnused, rests: inventory.GroupsOf(inventory.GroupUsers, inventory.GroupConsole),
			title:       "Password unused for too long",
			description: "The user has console access and has not signed in for longer than the policy allows.",
		},
		{
			name: RootUserWithoutMFA, subject: SubjectAccount, root: rootUserWithoutMFA, rests: inventory.GroupsOf(inventory.GroupRoot),
			title:       "Root without MFA",
			description: "The root user has a password and no MFA device.",
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

// RulesAbout lists the rules that judge subjects of the kind, in the order in which
// they are shown.
func RulesAbout(subject Subject) []Rule {
	return slices.DeleteFunc(Rules(), func(r Rule) bool { return r.Subject() != subject })
}

// Subject returns the kind of thing that the rule judges.
func (r Rule) Subject() Subject { return r.find().subject }

// Title says in a few words what a violation of the rule is.
func (r Rule) Title() string { return r.find().title }

// Description says in one sentence what a violation of the rule is.
func (r Rule) Description() string { return r.find().description }

// Rests returns the facts that a violation of the rule rests on.
func (r Rule) Rests() inventory.GroupSet { return r.find().rests }

// Documents is where the project's documents are read, with a slash at its end.
const Documents = "https://github.com/aws-iam-exporter/aws_iam_exporter/blob/main/"

// Runbook returns the address of what to do about a violation of the rule.
func (r Rule) Runbook() string {
	return Documents + "alerts/runbooks.md#iam" + strings.ReplaceAll(string(r), "_", "")
}

func (r Rule) find() rule {
	for _, known := range rules() {
		if known.name == r {
			return known
		}
	}
	return rule{}
}

// outcome says whether a subject is in violation, and if so since when; zero if nothing
// tells.
type outcome struct {
	violated fact
	since    time.Time
}

// isPast reports whether a deadline had passed at the observation, to the second.
func isPast(deadline, observed time.Time) bool { return observed.Unix() > deadline.Unix() }

// passed is the outcome of a rule that is in violation once a deadline has passed.
func passed(deadline, observed time.Time) outcome {
	return outcome{violated: inventory.Observe(isPast(deadline, observed), observed), since: deadline}
}

func multipleActiveKeys(l *Limits, user *inventory.User) outcome {
	if !user.Keys.Known() {
		return outcome{}
	}
	if n, _ := user.CountKeys(inventory.Active); n < 2 {
		return outcome{violated: inventory.Observe(false, user.Keys.Observed())}
	}
	if l == nil {
		return outcome{}
	}
	deadline, _ := l.OverlapDeadline(user)
	return passed(deadline, user.Keys.Observed())
}

func consoleUserWithActiveKeys(_ *Limits, user *inventory.User) outcome {
	return outcome{ConsoleWithActiveKeys(user), withPassword(user, oldestActive(user))}
}

func consoleUserWithoutMFA(_ *Limits, user *inventory.User) outcome {
	since := user.Created
	if created, known := user.PasswordCreated.Get(); known {
		since = created
	}
	return outcome{both(user.Console, not(user.MFA)), since}
}

func keyCreatedAtUserSetup(l *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	atSetup := fact{}
	if l != nil {
		atSetup = inventory.Observe(l.CreatedAtSetup(user, key), user.Keys.Observed())
	}
	return outcome{both(user.Console, atSetup), withPassword(user, key.Created)}
}

func consoleKeyNeverUsed(_ *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	return outcome{both(user.Console, NeverUsed(key)), withPassword(user, key.Created)}
}

func keyRotation(l *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	if l == nil {
		return outcome{}
	}
	return passed(l.RotationDeadline(key), user.Keys.Observed())
}

// keyRotationDue ends where keyRotation begins, so that a key is in violation of
// one of them at a time.
func keyRotationDue(l *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	if l == nil {
		return outcome{}
	}
	deadline, observed := l.RotationDeadline(key), user.Keys.Observed()
	if isPast(deadline, observed) {
		return outcome{violated: inventory.Observe(false, observed)}
	}
	return passed(deadline.Add(-l.RotationWarning), observed)
}

func keyUnused(l *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	if l == nil {
		return outcome{}
	}
	if deadline, known := l.UnusedDeadline(key); known {
		return passed(deadline, earlier(user.Keys.Observed(), key.LastUse.Observed()))
	}
	// A key too young to be unused for too long is in the clear, used or not.
	if observed := user.Keys.Observed(); !isPast(key.Created.Add(l.MaxKeyIdle), observed) {
		return outcome{violated: inventory.Observe(false, observed)}
	}
	return outcome{}
}

func passwordUnused(l *Limits, user *inventory.User) outcome {
	if l == nil {
		return outcome{violated: both(user.Console, fact{})}
	}
	deadline, known := l.PasswordUnusedDeadline(user)
	if known {
		observed := earlier(user.Console.Observed(), earlier(passwordSet(user).Observed(), user.PasswordUse.Observed()))
		return passed(deadline, observed)
	}
	return outcome{violated: both(user.Console, l.mayBeUnused(user))}
}

// mayBeUnused is false of a password that cannot have been unused for too long,
// whatever else is not known of it: its user is too young, or was there lately.
// Otherwise it is unknown.
func (l Limits) mayBeUnused(user *inventory.User) fact {
	use, _ := user.PasswordUse.Get()
	set, _ := passwordSet(user).Get()
	from := later(user.Created, later(set, use.At))
	if observed := user.Console.Observed(); !isPast(from.Add(l.MaxPasswordIdle), observed) {
		return inventory.Observe(false, observed)
	}
	return fact{}
}

func rootUserWithoutMFA(root *inventory.Root) outcome {
	return outcome{both(root.Console, not(root.MFA)), root.Created}
}

func rootAccessKey(root *inventory.Root) outcome {
	fact := root.AccessKeys()
	keys, known := fact.Get()
	if !known {
		return outcome{}
	}
	o := outcome{violated: inventory.Observe(false, fact.Observed())}
	for _, key := range keys {
		if key.Status != inventory.Active {
			continue
		}
		since := rootKeySince(root, key)
		if found, _ := o.violated.Get(); !found || since.Before(o.since) {
			o = outcome{inventory.Observe(true, fact.Observed()), since}
		}
	}
	return o
}

// rootKeySince returns when the key came to be, or else root itself; zero if neither
// is on record. When the key was seen says nothing: an old key would look new.
func rootKeySince(root *inventory.Root, key inventory.AccessKey) time.Time {
	if key.Created.IsZero() {
		return root.Created
	}
	return key.Created
}

// oldestActive returns when the oldest active key came to be; zero without one.
func oldestActive(user *inventory.User) time.Time {
	for key := range user.ActiveKeys() {
		return key.Created // keys are ordered by creation
	}
	return time.Time{}
}

// withPassword returns when a user had both a key of that creation and the
// password; where the password's creation is unknown, the key's stands alone.
func withPassword(user *inventory.User, keyCreated time.Time) time.Time {
	created, _ := user.PasswordCreated.Get()
	return later(keyCreated, created)
}
