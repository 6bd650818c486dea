package report

import (
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// judge judges one account.
type judge struct {
	*Question
	scan  *Scan
	told  *policy.Evaluation // as of the moment that is asked about
	until time.Time          // that moment

	// Verdicts by subject, each nil where it is the told one.
	latest map[policy.Finding]policy.Verdict // of facts as of the latest possible moment
	now    map[policy.Finding]policy.Verdict // as of now, if the moment asked about is ahead
}

func newJudge(scan *Scan, q *Question) *judge {
	j := &judge{Question: q, scan: scan, until: q.Now.Add(q.Ahead)}
	j.told = policy.Evaluate(ahead(scan.Snapshot, q.Ahead), q.Policy, j.until)
	if scan.Latest != nil {
		j.latest = verdicts(policy.Evaluate(ahead(scan.Latest, q.Ahead), q.Policy, j.until))
	}
	if q.Ahead > 0 {
		j.now = verdicts(policy.Evaluate(scan.Snapshot, q.Policy, q.Now))
	}
	return j
}

func ahead(s *inventory.Snapshot, by time.Duration) *inventory.Snapshot {
	if by == 0 {
		return s
	}
	return s.Aged(by)
}

// verdicts returns the verdict about every subject.
func verdicts(e *policy.Evaluation) map[policy.Finding]policy.Verdict {
	all := map[policy.Finding]policy.Verdict{}
	e.Each(func(f policy.Finding, v policy.Verdict) { all[subject(f)] = v })
	return all
}

// subject is the finding without its time.
func subject(f policy.Finding) policy.Finding {
	f.Since = time.Time{}
	return f
}

// each tells the verdict about every subject under the rules that are asked for.
func (j *judge) each(tell func(policy.Finding, policy.Verdict)) {
	j.told.Each(func(f policy.Finding, v policy.Verdict) {
		if !slices.Contains(j.Rules, f.Rule) {
			return
		}
		if j.latest != nil && j.latest[subject(f)] != v {
			v = policy.Unknown
		}
		tell(f, v)
	})
}

func (j *judge) counts() []Count {
	byRule := map[policy.Rule]*Count{}
	counts := make([]Count, len(j.Rules))
	for i, rule := range j.Rules {
		counts[i].Rule, byRule[rule] = rule, &counts[i]
	}
	j.each(func(f policy.Finding, v policy.Verdict) {
		switch c := byRule[f.Rule]; v {
		case policy.Compliant:
			c.Compliant++
		case policy.Violation:
			c.Violation++
		case policy.Exempted:
			c.Exempted++
		case policy.Unknown:
			c.Unknown++
		}
	})
	return counts
}

// results returns every verdict that is not compliant.
func (j *judge) results() []Result {
	var all []Result
	j.each(func(f policy.Finding, v policy.Verdict) {
		if v != policy.Compliant {
			all = append(all, j.result(f, v))
		}
	})
	return all
}

func (j *judge) result(f policy.Finding, v policy.Verdict) Result {
	r := Result{
		Identity: Identity{f.Rule, j.told.Snapshot.Account.ID, f.UserName, f.KeyID}, Verdict: v,
		Severity: f.Rule.Severity(), Controls: Controls(f.Rule), Owner: j.told.RootOwner,
	}
	if user, classification := j.told.Find(f.UserName); user != nil {
		keys, _ := user.Keys.Get()
		r.AccessKeyID = j.KeyIDs.Show(f.KeyID, keys)
		r.Class, r.Owner, r.hidden = classification.ClassName(), classification.Owner, classification.Hidden || j.NoUsers
	}
	if line := j.scan.Lines[f.UserName]; line > 0 {
		r.Location = &Location{j.scan.File, line}
	}
	if v == policy.Unknown {
		return r
	}
	r.Since = f.Since.UTC()
	if v == policy.Exempted {
		if e := j.told.Excuse(f.UserName, f.Rule, j.until); e != nil {
			r.Exemption = &Exemption{e.Reason, policy.LastDay(e.Until)}
		}
		return r
	}
	if j.now != nil {
		r.Expected = j.now[subject(f)] != policy.Violation
	}
	r.Baseline = j.Baseline.excuses(r.Identity, j.until)
	r.Fails = !r.Baseline && slices.Contains(j.FailOn, f.Rule)
	return r
}
