package policy

import (
	"slices"
	"strings"
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
	Policy   *Policy
	// Users tells how each of the snapshot's users stands, in the same order.
	Users []Standing
	// Findings holds every breach that is not exempted, ordered by rule (as
	// Rules), user and key.
	Findings []Finding
	// Exemptions holds those that name somebody in the account, lapsed ones too.
	Exemptions []Exemption
	// Changes is when the next exemption ends, from when on the judgement is no
	// longer true; zero if none does.
	Changes time.Time
	// Problems says, a sentence each, what users' tags ask for in vain.
	Problems []string

	counts   map[Rule]tally
	inBreach map[string]bool
	excused  map[excuse]bool
}

// tally counts the verdicts of one rule.
type tally struct{ compliant, breach, exempted, unknown int }

// Count returns how many subjects of the rule got the verdict.
func (j *Judgement) Count(rule Rule, verdict Verdict) int {
	switch counts := j.counts[rule]; verdict {
	case Compliant:
		return counts.compliant
	case Breach:
		return counts.breach
	case Exempted:
		return counts.exempted
	case Unknown:
		return counts.unknown
	}
	return 0
}

// InBreach tells whether there is a finding about the user of that name.
func (j *Judgement) InBreach(userName string) bool { return j.inBreach[userName] }

// Find returns the user of that name, and how the user stands; nil if there is
// none, and for root.
func (j *Judgement) Find(userName string) (*inventory.User, *Standing) {
	users := j.Snapshot.Users
	i, found := slices.BinarySearchFunc(users, userName, func(u inventory.User, name string) int {
		return strings.Compare(u.Name, name)
	})
	if !found {
		return nil, nil
	}
	return &users[i], &j.Users[i]
}

// Standing returns how the user of that name stands; nil if there is none, and
// for root.
func (j *Judgement) Standing(userName string) *Standing {
	_, standing := j.Find(userName)
	return standing
}

// Judge judges every subject of the snapshot under every rule. The moment
// decides which exemptions are in force, and nothing else.
func Judge(snapshot *inventory.Snapshot, policy *Policy, now time.Time) *Judgement {
	j := &Judgement{
		Snapshot: snapshot,
		Policy:   policy,
		Users:    make([]Standing, len(snapshot.Users)),
		counts:   map[Rule]tally{},
		inBreach: map[string]bool{},
		excused:  map[excuse]bool{},
	}
	for i := range snapshot.Users {
		j.Users[i] = policy.standing(&snapshot.Users[i])
	}
	j.collectExemptions(now)
	for _, r := range rules() {
		j.judge(r)
	}
	return j
}

// judge judges every subject under the rule.
func (j *Judgement) judge(r rule) {
	first := len(j.Findings)
	b := bench{rule: r, excused: j.excused, findings: j.Findings}
	for i := range j.Snapshot.Users {
		b.judgeUser(j.Users[i].Limits(), &j.Snapshot.Users[i])
	}
	b.judgeRoot(&j.Snapshot.Root)
	j.Findings, j.counts[r.name] = b.findings, b.tally

	found := j.Findings[first:]
	slices.SortFunc(found, func(x, y Finding) int {
		if byName := strings.Compare(x.UserName, y.UserName); byName != 0 {
			return byName
		}
		return strings.Compare(x.KeyID, y.KeyID)
	})
	for i := range found {
		if i == 0 || found[i].UserName != found[i-1].UserName {
			j.inBreach[found[i].UserName] = true
		}
	}
}

// bench judges every subject of one rule.
type bench struct {
	rule     rule
	excused  map[excuse]bool
	tally    tally
	findings []Finding // those of earlier rules come first
}

func (b *bench) judgeRoot(root *inventory.Root) {
	if b.rule.root != nil {
		b.add(RootUserName, "", b.rule.root(root))
	}
}

// judgeUser judges one user. The limits are nil while they are unknown.
func (b *bench) judgeUser(limits *Limits, user *inventory.User) {
	switch {
	case b.rule.user != nil:
		b.add(user.Name, "", b.rule.user(limits, user))
	case b.rule.key == nil: // the rule is about root
	case !user.Keys.Known():
		b.add(user.Name, "", b.unlistedKeys(user))
	default:
		keys, _ := user.Keys.Get()
		for i := range keys {
			if keys[i].Status == inventory.Active {
				b.add(user.Name, keys[i].ID, b.rule.key(limits, user, &keys[i]))
			}
		}
	}
}

// unlistedKeys judges, as one subject, the keys of a user whose keys are
// unknown: no console access is enough to clear them under a rule that only
// console users can break.
func (b *bench) unlistedKeys(user *inventory.User) outcome {
	if b.rule.consoleOnly {
		return outcome{breach: both(user.Console, fact{})}
	}
	return outcome{}
}

// add counts the outcome, and keeps the finding if it is a breach that nobody
// is excused from.
func (b *bench) add(userName, keyID string, o outcome) {
	breach, known := o.breach.Get()
	switch {
	case !known:
		b.tally.unknown++
	case !breach:
		b.tally.compliant++
	case b.excused[excuse{userName, b.rule.name}]:
		b.tally.exempted++
	default:
		b.tally.breach++
		if len(b.findings) == cap(b.findings) { // append alone would copy large lists often
			b.findings = slices.Grow(b.findings, len(b.findings)+1)
		}
		b.findings = append(b.findings, Finding{b.rule.name, userName, keyID, o.since})
	}
}

// outcome tells whether a subject is in breach, and if so since when.
type outcome struct {
	breach fact
	since  time.Time
}

// isPast tells whether a deadline had passed at the observation, to the second.
func isPast(deadline, observed time.Time) bool { return observed.Unix() > deadline.Unix() }

// passed is the outcome of a rule that is in breach once a deadline has passed.
func passed(deadline, observed time.Time) outcome {
	return outcome{breach: inventory.Observe(isPast(deadline, observed), observed), since: deadline}
}

func multipleActiveKeys(l *Limits, user *inventory.User) outcome {
	if !user.Keys.Known() {
		return outcome{}
	}
	if n, _ := user.CountKeys(inventory.Active); n < 2 {
		return outcome{breach: inventory.Observe(false, user.Keys.Observed())}
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

// keyRotationDue ends where keyRotation begins, so that a key is in breach of
// one of them at a time.
func keyRotationDue(l *Limits, user *inventory.User, key *inventory.AccessKey) outcome {
	if l == nil {
		return outcome{}
	}
	deadline, observed := l.RotationDeadline(key), user.Keys.Observed()
	if isPast(deadline, observed) {
		return outcome{breach: inventory.Observe(false, observed)}
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
		return outcome{breach: inventory.Observe(false, observed)}
	}
	return outcome{}
}

func rootAccessKey(root *inventory.Root) outcome {
	fact := root.AccessKeys()
	keys, known := fact.Get()
	if !known {
		return outcome{}
	}
	o := outcome{breach: inventory.Observe(false, fact.Observed())}
	for _, key := range keys {
		if key.Status != inventory.Active {
			continue
		}
		since := rootKeySince(root, key, fact.Observed())
		if found, _ := o.breach.Get(); !found || since.Before(o.since) {
			o = outcome{inventory.Observe(true, fact.Observed()), since}
		}
	}
	return o
}

// rootKeySince returns when the key came to be, or else root itself, or else
// when the key was seen: the earliest moment on record.
func rootKeySince(root *inventory.Root, key inventory.AccessKey, observed time.Time) time.Time {
	switch {
	case !key.Created.IsZero():
		return key.Created
	case !root.Created.IsZero():
		return root.Created
	}
	return observed
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
