package account

import (
	"context"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
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
	rows        map[string]*credreport.Row // of the newest, by user name
	awaitedFrom time.Time                  // since when a report is waited for
	denied      bool                       // the report is not allowed
	liveSince   time.Time                  // since when auto does without a report; zero if it does not
}

// generated returns when the newest report was made; zero before the first.
func (r *reportState) generated() time.Time {
	if r.newest == nil {
		return time.Time{}
	}
	return r.newest.Generated
}

// due reports whether a newer report can exist than the newest one.
func (r *reportState) due(now time.Time, life time.Duration) bool {
	return r.newest == nil || !now.Before(r.newest.Generated.Add(life))
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
func (a *Account) reportSlack() time.Duration { return 2*a.o.RefreshInterval + reportPatience }

// reportUsable reports whether the facts that reports give come from one.
func (a *Account) reportUsable() bool {
	return a.report.newest != nil && a.clock.now().Before(a.report.newest.Generated.Add(a.o.ReportLife+a.reportSlack()))
}

// asksLive reports whether console access, MFA and key use are asked user by user.
func (a *Account) asksLive() bool {
	return a.needs().Source == awsapi.SourceLive || !a.report.liveSince.IsZero()
}

func (a *Account) refreshReport(ctx context.Context) {
	known := a.report.generated()
	if a.report.awaitedFrom.IsZero() {
		a.report.awaitedFrom = time.Now()
	}
	newest, err := a.fetchReport(ctx, known)
	if err == nil {
		a.clock.set(newest.Served)
		err = checkReport(a.known.account.ID, newest)
	}
	if err == nil && !newest.Generated.After(known) && !a.reportUsable() {
		// AWS still hands out a report that it should have replaced long ago.
		err = awsapi.Wrap(awsiam.GetReport, "the account", awsapi.ErrReportNotReady)
	}
	a.report.denied = err != nil && awsapi.ReasonOf(err) == inventory.ReasonDenied
	if a.trouble.note(ctx, "report", err); err != nil || !newest.Generated.After(known) {
		return
	}
	a.takeReport(newest)
}

// takeReport takes over the facts of a report that is newer than the one before.
func (a *Account) takeReport(newest *awsiam.Report) {
	a.report.newest = newest
	if newest.Root != nil {
		a.known.root = inventory.MergeRoot(a.known.root, newest.Root.RootFacts(newest.Generated))
	}
	if a.needs().Source == awsapi.SourceReport {
		a.known.setUsersFromReport(newest)
		return
	}
	a.report.rows = make(map[string]*credreport.Row, len(newest.Users))
	for i := range newest.Users {
		a.report.rows[newest.Users[i].User] = &newest.Users[i]
	}
	a.joinReport()
}

// joinReport gives the users what the newest report tells of them.
func (a *Account) joinReport() {
	if a.needs().Source == awsapi.SourceAuto {
		a.known.joinRows(a.report.rows, a.report.generated())
	}
}

// reportPauses are the waits for a report in the making: a small account's is
// there within seconds, a large one's takes longer. With GenerateCredentialReport
// they bound a refresh to three calls.
func reportPauses() []time.Duration { return []time.Duration{3 * time.Second, 25 * time.Second} }

// fetchReport has AWS make a report and returns the newest one, which may be
// known already: AWS keeps a report for hours and makes no other meanwhile.
func (a *Account) fetchReport(ctx context.Context, newerThan time.Time) (*awsiam.Report, error) {
	complete, err := a.reads.GenerateReport(ctx)
	if err != nil {
		return nil, err
	}
	pauses := reportPauses()
	if complete {
		pauses = []time.Duration{0}
	}
	for _, pause := range pauses {
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		report, err := a.reads.Report(ctx)
		switch {
		case awsapi.IsReportPending(err):
			continue
		case err != nil:
			return nil, err
		case !complete && !report.Generated.After(newerThan):
			continue // the old one, while the new one is in the making
		}
		return report, nil
	}
	return nil, awsapi.Wrap(awsiam.GetReport, "the account", awsapi.ErrReportNotReady)
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
