package policy

import (
	"slices"
	"sort"
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

	counts  map[Rule]tally
	accused map[string]bool
	excused map[excuse]bool
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

// Accused returns the names of the users about whom there is a finding. It is
// not to be written to.
func (j *Judgement) Accused() map[string]bool { return j.accused }

// Find returns the user of that name, and how the user stands; nil if there is
// none, and for root.
func (j *Judgement) Find(userName string) (*inventory.User, *Standing) {
	users := j.Snapshot.Users
	i := sort.Search(len(users), func(i int) bool { return users[i].Name >= userName }) // slices.BinarySearchFunc would copy users
	if i == len(users) || users[i].Name != userName {
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
		accused:  map[string]bool{},
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
			j.accused[found[i].UserName] = true
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
