package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// RootUserName stands for the root user wherever a user name is shown; it is
// the credential report's own word, and no IAM user can have it.
const RootUserName = "<root_account>"

// Finding is a rule in breach.
type Finding struct {
	Rule     Rule
	UserName string    // RootUserName for root
	KeyID    string    // empty unless the rule judges keys
	Since    time.Time // when the breach began
}

// Judgement is a snapshot with its verdicts. It is immutable.
type Judgement struct {
	Snapshot *inventory.Snapshot
	Limits   Limits
	// Findings holds every breach, ordered by rule (as Rules), user and key.
	Findings []Finding

	counts   map[Rule]map[Verdict]int
	inBreach map[string]bool
}

// Count returns how many subjects of the rule got the verdict.
func (j *Judgement) Count(rule Rule, verdict Verdict) int { return j.counts[rule][verdict] }

// InBreach tells whether there is a finding about the user of that name.
func (j *Judgement) InBreach(userName string) bool { return j.inBreach[userName] }

// Judge judges every subject of the snapshot under every rule.
func Judge(snapshot *inventory.Snapshot, limits Limits) *Judgement {
	j := &Judgement{
		Snapshot: snapshot,
		Limits:   limits,
		counts:   map[Rule]map[Verdict]int{},
		inBreach: map[string]bool{},
	}
	for _, rule := range Rules() {
		j.counts[rule] = map[Verdict]int{}
		j.judge(rule)
	}
	return j
}

func (j *Judgement) judge(rule Rule) {
	first := len(j.Findings)
	if rule.Subject() == SubjectAccount {
		j.add(Finding{Rule: rule, UserName: RootUserName}, judgeRoot(&j.Snapshot.Root))
	} else {
		for i := range j.Snapshot.Users {
			j.judgeUser(rule, &j.Snapshot.Users[i])
		}
	}
	slices.SortFunc(j.Findings[first:], func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.UserName, b.UserName), cmp.Compare(a.KeyID, b.KeyID))
	})
}

func (j *Judgement) judgeUser(rule Rule, user *inventory.User) {
	finding := Finding{Rule: rule, UserName: user.Name}
	switch {
	case rule.Subject() == SubjectUser:
		j.add(finding, j.Limits.user(rule, user))
	case !user.Keys.Known():
		j.add(finding, unlistedKeys(rule, user))
	default:
		for key := range user.ActiveKeys() {
			finding.KeyID = key.ID
			j.add(finding, j.Limits.key(rule, user, key))
		}
	}
}

// add counts the outcome, and keeps the finding if it is a breach.
func (j *Judgement) add(finding Finding, o outcome) {
	breach, known := o.breach.Get()
	switch {
	case !known:
		j.counts[finding.Rule][Unknown]++
	case !breach:
		j.counts[finding.Rule][Compliant]++
	default:
		j.counts[finding.Rule][Breach]++
		j.inBreach[finding.UserName] = true
		finding.Since = o.since
		j.Findings = append(j.Findings, finding)
	}
}

// outcome tells whether a subject is in breach, and if so since when.
type outcome struct {
	breach fact
	since  time.Time
}

// passed is the outcome of a rule that is in breach once a deadline has passed,
// as of the observation, to the second.
func passed(deadline, observed time.Time) outcome {
	asOf := observed.Truncate(time.Second)
	return outcome{breach: inventory.Observe(asOf.After(deadline), observed), since: deadline}
}

// user judges a user under a rule about users.
func (l Limits) user(rule Rule, user *inventory.User) outcome {
	switch rule {
	case MultipleActiveKeys:
		return l.multipleActiveKeys(user)
	case ConsoleUserWithActiveKeys:
		return outcome{ConsoleWithActiveKeys(user), withPassword(user, oldestActive(user))}
	case ConsoleUserWithoutMFA:
		since := user.Created
		if created, known := user.PasswordCreated.Get(); known {
			since = created
		}
		return outcome{both(user.Console, not(user.MFA)), since}
	}
	return outcome{}
}

func (l Limits) multipleActiveKeys(user *inventory.User) outcome {
	if !user.Keys.Known() {
		return outcome{}
	}
	deadline, several := l.OverlapDeadline(user)
	if !several {
		return outcome{breach: inventory.Observe(false, user.Keys.Observed())}
	}
	return passed(deadline, user.Keys.Observed())
}

// key judges an active key of the user under a rule about keys.
func (l Limits) key(rule Rule, user *inventory.User, key *inventory.AccessKey) outcome {
	observed := user.Keys.Observed()
	switch rule {
	case KeyCreatedAtUserSetup:
		atSetup := inventory.Observe(l.CreatedAtSetup(user, key), observed)
		return outcome{both(user.Console, atSetup), withPassword(user, key.Created)}
	case ConsoleKeyNeverUsed:
		return outcome{both(user.Console, NeverUsed(key)), withPassword(user, key.Created)}
	case KeyRotation:
		return passed(l.RotationDeadline(key), observed)
	case KeyRotationDue:
		return l.rotationDue(key, observed)
	case KeyUnused:
		return l.unused(key, observed)
	}
	return outcome{}
}

// rotationDue ends where KeyRotation begins, so that a key is in breach of one
// of them at a time.
func (l Limits) rotationDue(key *inventory.AccessKey, observed time.Time) outcome {
	due := passed(l.RotationDeadline(key).Add(-l.RotationWarning), observed)
	due.breach = both(due.breach, not(passed(l.RotationDeadline(key), observed).breach))
	return due
}

func (l Limits) unused(key *inventory.AccessKey, observed time.Time) outcome {
	if deadline, known := l.UnusedDeadline(key); known {
		return passed(deadline, earlier(observed, key.LastUse.Observed()))
	}
	// A key too young to be unused for too long is in the clear, used or not.
	o := passed(key.Created.Add(l.MaxKeyIdle), observed)
	if late, _ := o.breach.Get(); late {
		return outcome{}
	}
	return o
}

// unlistedKeys judges, as one subject, the keys of a user whose keys are
// unknown: no console access is enough to clear them under the rules about
// keys of console users.
func unlistedKeys(rule Rule, user *inventory.User) outcome {
	if rule == KeyCreatedAtUserSetup || rule == ConsoleKeyNeverUsed {
		return outcome{breach: both(user.Console, fact{})}
	}
	return outcome{}
}

func judgeRoot(root *inventory.Root) outcome {
	keys, known := RootKeys(root)
	if !known {
		return outcome{}
	}
	observed := root.Keys.Observed()
	if !root.Keys.Known() {
		observed = root.KeyPresent.Observed()
	}
	active := slices.DeleteFunc(slices.Clone(keys), func(k inventory.AccessKey) bool {
		return k.Status != inventory.Active
	})
	if len(active) == 0 {
		return outcome{breach: inventory.Observe(false, observed)}
	}
	return outcome{inventory.Observe(true, observed), rootKeySince(root, active)}
}

// rootKeySince returns when the oldest of the keys came to be, or root itself
// where that is not on record.
func rootKeySince(root *inventory.Root, keys []inventory.AccessKey) time.Time {
	oldest := slices.MinFunc(keys, func(a, b inventory.AccessKey) int { return a.Created.Compare(b.Created) })
	if oldest.Created.IsZero() {
		return root.Created
	}
	return oldest.Created
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
