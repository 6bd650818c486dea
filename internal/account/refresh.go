package account

import (
	"context"
	"fmt"
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

// list asks who there is.
func (r *refresh) list(ctx context.Context) {
	by := r.reads.KeyInUse()
	users, odd, observed, err := r.reads.Users(ctx)
	if err == nil {
		err = r.checkListing(ctx, users)
	}
	if r.trouble.note(ctx, "users", err); err != nil {
		return
	}
	r.prove(by)
	r.trouble.note(ctx, "odd users", firstOf(odd))
	r.known.relist(users, odd, observed)
	r.joinReport()
	r.tagAll(ctx)
}

// firstOf says what is wrong about the first of some users, and about how many
// others.
func firstOf(odd []*awsiam.UserError) error {
	switch len(odd) {
	case 0:
		return nil
	case 1:
		return odd[0]
	}
	return &awsiam.UserError{
		Name: odd[0].Name, Action: odd[0].Action,
		Err: fmt.Errorf("%w (and something of the kind for %d others)", odd[0].Err, len(odd)-1),
	}
}

// tagAll reads everybody's tags when they are due.
func (r *refresh) tagAll(ctx context.Context) {
	if r.tags.source != awsapi.TagsFromAuthorizationDetails || !r.tagsDue(r.began) {
		return
	}
	r.tags.asked = r.began
	users, odd, err := r.reads.AllTags(ctx)
	if err == nil {
		err = r.checkOwners(ctx, awsiam.GetDetails, namesOf(users))
	}
	if r.needs().Tags != r.tags.source {
		return // no longer wanted, so the guard may have cut the reading short
	}
	if r.trouble.note(ctx, "tags", err); err != nil {
		return
	}
	r.trouble.note(ctx, "odd tags", firstOf(odd))
	r.tags.read = r.began
	r.known.joinTags(users, r.needs().Source)
}

// askReport has AWS make a report if a newer one can exist. AWS keeps a report
// for hours, shared by all tools, and makes no other meanwhile. One that has to
// be made is looked for a little later, by poll.
func (r *refresh) askReport(ctx context.Context) {
	if r.needs().Source == awsapi.SourceLive || !r.report.due(r.o.ReportLife, r.clock.Now(), time.Now()) {
		return
	}
	if r.report.awaitedFrom.IsZero() {
		r.report.awaitedFrom = time.Now()
	}
	complete, err := r.reads.GenerateReport(ctx)
	switch {
	case err != nil:
		r.takeOther(ctx, err)
	case complete:
		newest, err := r.reads.Report(ctx)
		r.noteReport(ctx, newest, err)
	default:
		r.report.polls = reportPolls(time.Now())
	}
}

// reportPolls are when to look for a report in the making: a small account's is
// there within seconds, a large one's takes longer.
func reportPolls(now time.Time) []time.Time {
	return []time.Time{now.Add(3 * time.Second), now.Add(28 * time.Second)}
}

// takeOther takes a report that somebody else has had made, though this exporter
// may not. What kept it from that is said if there is none.
func (r *refresh) takeOther(ctx context.Context, refused error) {
	if awsapi.Code(refused) == "" { // AWS has not answered, so it would not answer this either
		r.noteReport(ctx, nil, refused)
		return
	}
	newest, err := r.reads.Report(ctx)
	if err != nil || !newest.Generated.After(r.report.generated()) {
		newest, err = nil, refused
	}
	r.noteReport(ctx, newest, err)
}

// poll looks for the report in the making.
func (r *refresh) poll(ctx context.Context) {
	r.report.polls = r.report.polls[1:]
	newest, err := r.reads.Report(ctx)
	pending := awsapi.IsReportPending(err) || err == nil && !newest.Generated.After(r.report.generated())
	switch {
	case pending && len(r.report.polls) > 0:
		return
	case pending:
		newest, err = nil, awsapi.Wrap(awsiam.GetReport, "the account", awsapi.ErrReportNotReady)
	}
	r.report.polls = nil
	r.noteReport(ctx, newest, err)
}

// noteReport takes a report, or the failure to get one.
func (r *refresh) noteReport(ctx context.Context, newest *awsiam.Report, err error) {
	if err == nil {
		err = r.checkOwners(ctx, awsiam.GetReport, ownersOf(newest))
	}
	known := r.report.generated()
	r.report.misdated = r.report.misdated && err != nil
	if err == nil && !newest.Generated.After(known) && !r.reportUsable() {
		// AWS still hands out a report that it should have replaced long ago.
		err = awsapi.Wrap(awsiam.GetReport, "the account", awsapi.ErrReportNotReady)
	}
	r.report.denied = err != nil && awsapi.ReasonOf(err) == inventory.ReasonDenied
	if r.trouble.note(ctx, "report", err); err == nil && newest.Generated.After(known) {
		r.takeReport(newest)
	}
}

// conclude asks what depends on whether there is a report.
func (r *refresh) conclude(ctx context.Context) {
	if r.trouble.wrongAccount("users", "report") {
		return
	}
	if r.tagAll(ctx); r.trouble.wrongAccount("tags") {
		return
	}
	source := r.needs().Source
	if source == awsapi.SourceAuto {
		r.report.decideFallback(time.Now(), r.reportUsable())
	}
	if source == awsapi.SourceReport || r.reportUsable() && r.report.newest.Root != nil {
		r.trouble.end("root")
		return
	}
	by := r.reads.KeyInUse()
	root, err := r.reads.Root(ctx)
	if r.trouble.note(ctx, "root", err); err == nil {
		r.known.root.takeLive(root, r.isProven(by))
	}
}
