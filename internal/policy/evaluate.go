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

// Finding is one violation that is not exempted.
type Finding struct {
	Rule     Rule
	UserName string    // RootUserName for root
	KeyID    string    // empty unless the rule judges keys
	Since    time.Time // when the violation began; zero if nothing tells, which only root can have
}

// Evaluation is a snapshot with its verdicts. It is immutable.
type Evaluation struct {
	Snapshot *inventory.Snapshot
	Policy   *Policy
	// Users holds the classification of each of the snapshot's users, in the same
	// order.
	Users []Classification
	// RootOwner is whom a finding about root belongs to: the account's owner, or empty
	// if its tags name none or are not known.
	RootOwner string
	// Findings holds every violation that is not exempted, ordered by rule (as
	// Rules), user and key.
	Findings []Finding
	// Exemptions holds those that name somebody in the account, lapsed ones too.
	Exemptions []Exemption
	// ValidUntil is when the next exemption ends. The evaluation does not hold any
	// more from then on. It is zero if no exemption ends.
	ValidUntil time.Time
	// Problems says, a sentence each, which exemption tags cannot be used.
	Problems []string

	counts  map[Rule]tally
	accused map[string]inventory.GroupSet
	excused map[exemptionKey]bool
}

// tally counts the verdicts of one rule.
type tally struct{ compliant, violation, exempted, unknown int }

// Count returns how many subjects of the rule got the verdict.
func (ev *Evaluation) Count(rule Rule, verdict Verdict) int {
	switch counts := ev.counts[rule]; verdict {
	case Compliant:
		return counts.compliant
	case Violation:
		return counts.violation
	case Exempted:
		return counts.exempted
	case Unknown:
		return counts.unknown
	}
	return 0
}

// Total returns how many subjects got the verdict, of all rules together.
func (ev *Evaluation) Total(verdict Verdict) int {
	n := 0
	for rule := range ev.counts {
		n += ev.Count(rule, verdict)
	}
	return n
}

// Accused returns the users about whom there is a finding, by name, with the facts
// that their findings rest on. It is not to be written to.
func (ev *Evaluation) Accused() map[string]inventory.GroupSet { return ev.accused }

// Find returns the user of that name, and how the user is classified; nil if there is
// none, and for root.
func (ev *Evaluation) Find(userName string) (*inventory.User, *Classification) {
	users := ev.Snapshot.Users
	i := sort.Search(len(users), func(i int) bool { return users[i].Name >= userName }) // slices.BinarySearchFunc would copy users
	if i == len(users) || users[i].Name != userName {
		return nil, nil
	}
	return &users[i], &ev.Users[i]
}

// Classification returns how the user of that name is classified; nil if there is
// none, and for root.
func (ev *Evaluation) Classification(userName string) *Classification {
	_, classification := ev.Find(userName)
	return classification
}

// Evaluate judges every subject of the snapshot under every rule. The moment
// decides which exemptions are in force, and nothing else.
func Evaluate(snapshot *inventory.Snapshot, policy *Policy, now time.Time) *Evaluation {
	ev := &Evaluation{
		Snapshot:  snapshot,
		Policy:    policy,
		Users:     make([]Classification, len(snapshot.Users)),
		RootOwner: policy.ownerOfAccount(&snapshot.Account),
		counts:    map[Rule]tally{},
		excused:   map[exemptionKey]bool{},
	}
	for i := range snapshot.Users {
		ev.Users[i] = policy.classification(&snapshot.Account, &snapshot.Users[i])
	}
	ev.collectExemptions(now)
	rests := make([]inventory.GroupSet, len(snapshot.Users)+1) // of each user, and of root
	for _, r := range rules() {
		ev.judge(r, rests)
	}
	ev.accuse(rests)
	return ev
}

// judge judges every subject under the rule, and adds to the facts that findings about
// each user rest on, and to those about root.
func (ev *Evaluation) judge(r rule, rests []inventory.GroupSet) {
	first := len(ev.Findings)
	e := evaluator{rule: r, excused: ev.excused, findings: ev.Findings}
	for i := range rests {
		before := len(e.findings)
		if i < len(ev.Snapshot.Users) {
			e.judgeUser(ev.Users[i].Limits(), &ev.Snapshot.Users[i])
		} else {
			e.judgeRoot(&ev.Snapshot.Root)
		}
		if len(e.findings) > before {
			rests[i] |= r.rests
		}
	}
	ev.Findings, ev.counts[r.name] = e.findings, e.tally

	found := ev.Findings[first:]
	slices.SortFunc(found, func(x, y Finding) int {
		if byName := strings.Compare(x.UserName, y.UserName); byName != 0 {
			return byName
		}
		return strings.Compare(x.KeyID, y.KeyID)
	})
}

// accuse notes about whom there are findings, and what they rest on.
func (ev *Evaluation) accuse(rests []inventory.GroupSet) {
	accused := 0
	for _, groups := range rests {
		if groups != 0 {
			accused++
		}
	}
	ev.accused = make(map[string]inventory.GroupSet, accused)
	for i, groups := range rests {
		name := RootUserName
		if i < len(ev.Snapshot.Users) {
			name = ev.Snapshot.Users[i].Name
		}
		if groups != 0 {
			ev.accused[name] |= groups
		}
	}
}

// evaluator judges every subject of one rule.
type evaluator struct {
	rule     rule
	excused  map[exemptionKey]bool
	tally    tally
	findings []Finding              // those of earlier rules come first
	told     func(Finding, Verdict) // nil if nobody listens
}

func (e *evaluator) judgeRoot(root *inventory.Root) {
	if e.rule.root != nil {
		e.add(RootUserName, "", e.rule.root(root))
	}
}

// judgeUser judges one user. The limits are nil while they are unknown.
func (e *evaluator) judgeUser(limits *Limits, user *inventory.User) {
	switch {
	case e.rule.user != nil:
		e.add(user.Name, "", e.rule.user(limits, user))
	case e.rule.key == nil: // the rule is about root
	case !user.Keys.Known():
		e.add(user.Name, "", e.unlistedKeys(user))
	default:
		keys, _ := user.Keys.Get()
		for i := range keys {
			if keys[i].Status == inventory.Active {
				e.add(user.Name, keys[i].ID, e.rule.key(limits, user, &keys[i]))
			}
		}
	}
}

// unlistedKeys judges, as one subject, the keys of a user whose keys are
// unknown: no console access is enough to clear them under a rule that only
// console users can break.
func (e *evaluator) unlistedKeys(user *inventory.User) outcome {
	if e.rule.consoleOnly {
		return outcome{violated: both(user.Console, fact{})}
	}
	return outcome{}
}

// add counts the outcome, and keeps the finding if it is a violation that nobody
// is excused from.
func (e *evaluator) add(userName, keyID string, o outcome) {
	verdict := e.verdict(userName, o)
	if e.told != nil {
		e.told(Finding{e.rule.name, userName, keyID, o.since}, verdict)
	}
	switch verdict {
	case Unknown:
		e.tally.unknown++
	case Compliant:
		e.tally.compliant++
	case Exempted:
		e.tally.exempted++
	case Violation:
		e.tally.violation++
		if len(e.findings) == cap(e.findings) { // append alone would copy large lists often
			e.findings = slices.Grow(e.findings, len(e.findings)+1)
		}
		e.findings = append(e.findings, Finding{e.rule.name, userName, keyID, o.since})
	}
}

func (e *evaluator) verdict(userName string, o outcome) Verdict {
	violated, known := o.violated.Get()
	switch {
	case !known:
		return Unknown
	case !violated:
		return Compliant
	case e.excused[exemptionKey{userName, e.rule.name}]:
		return Exempted
	}
	return Violation
}

// Each tells the verdict about every subject, in the order of rules and users. Since
// says something only of violations, exempted ones included.
func (ev *Evaluation) Each(told func(Finding, Verdict)) {
	for _, r := range rules() {
		e := evaluator{rule: r, excused: ev.excused, told: told}
		for i := range ev.Snapshot.Users {
			e.judgeUser(ev.Users[i].Limits(), &ev.Snapshot.Users[i])
		}
		e.judgeRoot(&ev.Snapshot.Root)
	}
}

// Excuse returns the exemption in force that excuses the user from the rule; nil
// without one.
func (ev *Evaluation) Excuse(userName string, rule Rule, now time.Time) *Exemption {
	for i := range ev.Exemptions {
		if e := &ev.Exemptions[i]; e.UserName == userName && slices.Contains(e.Rules, rule) && e.InForce(now) {
			return e
		}
	}
	return nil
}
