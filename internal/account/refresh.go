package account

import (
	"context"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// refresh asks, in few calls, for what changes the picture of the whole
// account. A failure leaves the facts it was about as they were, and stands in
// the next snapshot's health.
type refresh struct {
	*memory
	began time.Time
}

func (r *refresh) run(ctx context.Context) {
	source := r.needs().Source
	if source != awsapi.SourceReport {
		r.refreshUsers(ctx)
	}
	if !r.trouble.wrongAccount("users") && source != awsapi.SourceLive && r.report.due(r.clock.now(), r.o.ReportLife) {
		r.refreshReport(ctx)
	}
	if r.trouble.wrongAccount("users", "report") {
		return
	}
	if r.tags.source == awsapi.TagsFromAuthorizationDetails {
		r.refreshTags(ctx)
	}
	if r.trouble.wrongAccount("tags") {
		return
	}
	if source == awsapi.SourceAuto {
		r.report.decideFallback(time.Now(), r.reportUsable())
	}
	r.refreshRoot(ctx)
}

func (r *refresh) refreshUsers(ctx context.Context) {
	users, observed, err := r.reads.Users(ctx)
	if err == nil {
		err = r.checkListing(ctx, users)
	}
	if r.trouble.note(ctx, "users", err); err != nil {
		return
	}
	r.known.relist(users, observed)
	r.joinReport()
}

// refreshTags reads everybody's tags when they are due.
func (r *refresh) refreshTags(ctx context.Context) {
	if r.known.listed.IsZero() || !r.tagsDue(r.began) {
		return
	}
	users, err := r.reads.AllTags(ctx)
	if err == nil {
		err = checkUsers(awsiam.GetDetails, r.known.account.ID, users)
	}
	if r.needs().Tags != r.tags.source {
		return // no longer wanted, so the guard may have cut the reading short
	}
	if r.trouble.note(ctx, "tags", err); err != nil {
		return
	}
	r.tags.read = r.began
	r.known.joinTags(users, r.needs().Source)
}

// refreshRoot asks about root where no report tells.
func (r *refresh) refreshRoot(ctx context.Context) {
	if r.needs().Source == awsapi.SourceReport || r.reportUsable() {
		r.trouble.end("root")
		return
	}
	root, err := r.reads.Root(ctx)
	if r.trouble.note(ctx, "root", err); err == nil {
		r.known.root = inventory.MergeRoot(r.known.root, root)
	}
}

func (r *refresh) refreshReport(ctx context.Context) {
	known := r.report.generated()
	if r.report.awaitedFrom.IsZero() {
		r.report.awaitedFrom = time.Now()
	}
	newest, err := r.fetchReport(ctx, known)
	if err == nil {
		r.clock.set(newest.Served)
		err = checkReport(r.known.account.ID, newest)
	}
	if err == nil && !newest.Generated.After(known) && !r.reportUsable() {
		// AWS still hands out a report that it should have replaced long ago.
		err = awsapi.Wrap(awsiam.GetReport, "the account", awsapi.ErrReportNotReady)
	}
	r.report.denied = err != nil && awsapi.ReasonOf(err) == inventory.ReasonDenied
	if r.trouble.note(ctx, "report", err); err != nil || !newest.Generated.After(known) {
		return
	}
	r.takeReport(newest)
}

// reportPauses are the waits for a report in the making: a small account's is
// there within seconds, a large one's takes longer. With GenerateCredentialReport
// they bound a refresh to three calls.
func reportPauses() []time.Duration { return []time.Duration{3 * time.Second, 25 * time.Second} }

// fetchReport has AWS make a report and returns the newest one, which may be
// known already: AWS keeps a report for hours and makes no other meanwhile.
func (r *refresh) fetchReport(ctx context.Context, newerThan time.Time) (*awsiam.Report, error) {
	complete, err := r.reads.GenerateReport(ctx)
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
		report, err := r.reads.Report(ctx)
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
