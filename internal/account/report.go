package account

import (
	"maps"
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
)

// ReportLife is how long AWS keeps a credential report before it makes another.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const ReportLife = 4 * time.Hour

// reportPatience is how long a report may be late before its facts are asked
// for one by one: a large account's report takes minutes to make, and asking
// for everything live costs thousands of calls.
const reportPatience = 15 * time.Minute

// reportState is what is known of the account's credential report.
type reportState struct {
	newest      *awsiam.Report             // nil before the first
	born        time.Time                  // from when on the newest one's life counts, by AWS's clock
	bornHere    time.Time                  // the same by ours
	taken       time.Time                  // when the newest came, by our clock
	rows        map[string]*credreport.Row // of the newest, by user name
	awaitedFrom time.Time                  // since when a report is waited for
	polls       []time.Time                // when to look again for a report in the making
	denied      bool                       // the report is not allowed
	outlived    bool                       // the newest looked older than reports get when it came
	misdated    bool                       // the newest is younger than it looks, and to be read again
	liveSince   time.Time                  // since when auto does without a report; zero if it does not
}

// generated returns when the newest report was made; zero before the first.
func (r *reportState) generated() time.Time {
	if r.newest == nil {
		return time.Time{}
	}
	return r.newest.Generated
}

// within is facts.within for the report.
func (r *reportState) within(now, latest, here time.Time) {
	if r.newest == nil {
		return
	}
	if r.newest.Generated.After(now) {
		r.newest = &awsiam.Report{Report: r.newest.Report, Generated: now}
	}
	r.born = now.Add(r.bornHere.Sub(here))
	r.misdated = r.born.Sub(r.newest.Generated) > clockTolerance && !r.outlived
	maps.DeleteFunc(r.rows, func(_ string, row *credreport.Row) bool { return row.Happened(latest) != nil })
}

// take notes a newer report. AWS hands out none that has outlived its life, so
// the life of one that looks as if it had counts from when it came: something
// between here and AWS has a fast clock.
func (r *reportState) take(newest *awsiam.Report, life time.Duration, now, here time.Time) {
	age := newest.Age
	if r.outlived = age > life; r.outlived {
		age = 0
	}
	r.newest, r.taken, r.born, r.bornHere = newest, here, now.Add(-age), here.Add(-age)
}

// younger reports whether the newest report is younger than that by AWS's clock,
// now, and by ours, here. They disagree where one of them was set, or stood still
// while the machine was suspended.
func (r *reportState) younger(age time.Duration, now, here time.Time) (byAWS, byOurs bool) {
	return now.Before(r.born.Add(age)), here.Before(r.bornHere.Add(age))
}

// due reports whether a newer report can exist than the newest one, by either
// clock.
func (r *reportState) due(life time.Duration, now, here time.Time) bool {
	byAWS, byOurs := r.younger(life, now, here)
	return r.newest == nil || r.misdated || !byAWS || !byOurs
}

// decideFallback lets auto do without a report once none can be had: not
// allowed, too old, or late for too long.
func (r *reportState) decideFallback(now time.Time, usable bool) {
	late := r.newest != nil || !r.awaitedFrom.IsZero() && now.Sub(r.awaitedFrom) >= reportPatience
	switch {
	case usable:
		r.liveSince = time.Time{}
	case r.liveSince.IsZero() && (r.denied || late):
		r.liveSince = now
	}
}

// reportSlack is how late a report may come before it is given up: a refresh
// or two must fall due, and AWS takes its time.
func (m *memory) reportSlack() time.Duration { return 2*m.o.RefreshInterval + reportPatience }

// reportUsable reports whether the facts that reports give come from one. It does
// so as long as either clock has it young enough.
func (m *memory) reportUsable() bool {
	byAWS, byOurs := m.report.younger(m.o.ReportLife+m.reportSlack(), m.clock.Now(), time.Now())
	return m.report.newest != nil && (byAWS || byOurs)
}

// asksLive reports whether console access, MFA and key use are asked user by user.
func (m *memory) asksLive() bool {
	return m.needs().Source == awsapi.SourceLive || !m.report.liveSince.IsZero()
}

// takeReport takes over the facts of a report that is newer than the one before.
func (m *memory) takeReport(newest *awsiam.Report) {
	m.report.take(newest, m.o.ReportLife, m.clock.Now(), time.Now())
	m.trouble.count(m.reportGaps()...)
	if newest.Root != nil {
		m.known.root.told = newest.Root.RootFacts(newest.Generated)
	}
	if m.needs().Source == awsapi.SourceReport {
		m.known.setUsersFromReport(newest)
		return
	}
	m.report.rows = make(map[string]*credreport.Row, len(newest.Users))
	for i := range newest.Users {
		m.report.rows[newest.Users[i].User] = &newest.Users[i]
	}
	m.joinReport()
}

// joinReport puts together what live answers and the newest report tell of users.
func (m *memory) joinReport() {
	if m.needs().Source != awsapi.SourceReport { // whose users are nothing but rows
		m.known.joinRows(m.report.rows, m.report.generated())
	}
}

// reportGaps returns what the newest report ought to tell and does not.
func (m *memory) reportGaps() []error {
	if m.report.newest == nil {
		return nil
	}
	var gaps []error
	for _, gap := range m.report.newest.Gaps() {
		var err error = &awsapi.Malformed{What: "in the credential report, " + gap.Err.Error()}
		switch {
		case gap.Row == nil || gap.Row.User == credreport.RootUser:
		case gap.Row.ARN == "": // it may be anybody's
			err = &awsiam.UserError{Name: awsiam.Somebody, Err: err}
		default:
			err = &awsiam.UserError{Name: gap.Row.User, Err: err}
		}
		gaps = append(gaps, awsapi.Wrap(awsiam.GetReport, "the account", err))
	}
	return gaps
}

// lacksReported reports whether something is not known, or only as of an earlier
// time, because the newest report does not tell it. With auto that ends once it
// was asked live.
func (m *memory) lacksReported() bool {
	newest := m.report.newest
	switch {
	case newest == nil || newest.Root != nil && len(newest.Unreadable) == 0:
		return false
	case m.needs().Source == awsapi.SourceReport:
		return true
	}
	root := m.known.root.joined()
	if keys := root.AccessKeys(); newest.Root == nil && keys.Observed().Before(newest.Generated) {
		return true
	}
	return len(newest.Unreadable) > 0 && slices.ContainsFunc(m.known.users, func(user *trackedUser) bool {
		return user.row == nil && !user.Created.After(newest.Generated) && user.attempted.Before(m.report.taken)
	})
}
