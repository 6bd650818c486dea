package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

const (
	// discoveryInterval is how often an organization is listed.
	discoveryInterval = time.Hour
	// discoveryPause is how soon it is listed again after a failure; after each
	// further one, it is twice as long, up to the interval.
	discoveryPause = time.Minute
	// discoveryPatience is how long readiness waits for the first list.
	discoveryPatience = 2 * time.Minute
)

// discovery lists the accounts of the organization, if the configuration names one,
// every hour.
type discovery struct {
	targets *targets
	began   time.Time
	wake    chan struct{}                      // has an element if the configuration is another
	cancel  atomic.Pointer[context.CancelFunc] // of the list under way
	tried   atomic.Bool

	asked  *config.Config       // the configuration that the next list is for
	hub    *awsapi.Hub          // whose credentials the reader has
	what   awsapi.Discovery     // what the reader asks for
	reader *organization.Reader // nil without an organization
	pause  time.Duration        // after the last failure
	log    listingLog
}

func newDiscovery(t *targets) *discovery {
	return &discovery{targets: t, log: listingLog{logger: t.logger}, began: time.Now(), wake: make(chan struct{}, 1)}
}

// ready reports whether the organization was listed, with success or without, if
// there is one, or that this takes too long to wait for.
func (d *discovery) ready() bool {
	return d.targets.organization() == nil || d.tried.Load() || time.Since(d.began) >= discoveryPatience
}

// soon has the organization listed at once, since the configuration is another. The
// list under way is for nobody any more.
func (d *discovery) soon() {
	select {
	case d.wake <- struct{}{}:
	default: // it is about to be
	}
	if cancel := d.cancel.Load(); cancel != nil { // last, so that the next list finds that it is the one that is wanted
		(*cancel)()
	}
}

// run lists the organization until the context ends.
func (d *discovery) run(ctx context.Context) {
	for ctx.Err() == nil {
		next := d.step(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step lists the organization, and returns in how long to do it again.
func (d *discovery) step(ctx context.Context) time.Duration {
	select {
	case <-d.wake: // whoever wants a list gets it now
	default:
	}
	if d.prepare(); d.reader == nil {
		d.targets.forget()
		return discoveryInterval
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.cancel.Store(&cancel)
	listing, err := d.reader.Accounts(ctx, time.Now(), d.targets.organizationID())
	asksMore := d.what != awsapi.Discovery{} // by what can take many calls
	if err == nil && asksMore && !d.asked.Organization.AsksTags() {
		err = d.targets.noteListing(d.asked, &listing)
	}
	var gaps []error
	if err == nil {
		gaps = d.reader.Complete(ctx, &listing)
	}
	if ctx.Err() != nil {
		return 0 // a list that was cut short is no news
	}
	if err == nil {
		err = d.targets.noteListing(d.asked, &listing)
	}
	d.log.write(time.Now(), &listing, gaps, err)
	d.targets.board.NoteListing(d.log.failed)
	d.tried.Store(true)
	if err != nil {
		d.pause = min(max(2*d.pause, discoveryPause), discoveryInterval)
		return d.pause
	}
	d.pause = 0
	return discoveryInterval
}

// prepare makes a reader for the organization of the configuration in force.
func (d *discovery) prepare() {
	c := d.targets.current()
	if c == d.asked {
		return
	}
	if d.asked = c; c.Organization == nil {
		d.reader, d.pause = nil, 0
		d.log = listingLog{logger: d.log.logger} // what is said of another one is news
		d.targets.board.NoteListing("")          // here, after what a list under way has said
		return
	}
	hub := d.targets.clients.currentHub()
	what := c.Discovery()
	if d.reader == nil || hub != d.hub || what != d.what {
		d.hub, d.what = hub, what
		d.reader = organization.NewReader(awsapi.NewOrganization(d.targets.clients.from.config, hub, what))
	}
}

// listingLog tells what changes between two lists of an organization.
type listingLog struct {
	logger *slog.Logger
	listed bool            // a list has come
	failed string          // what was last said about a failure; empty if the last list came
	since  time.Time       // when it began
	said   time.Time       // when something was last said about it
	gaps   map[string]bool // what was last said about tags and names that could not be read
}

func (l *listingLog) write(now time.Time, listing *organization.Listing, gaps []error, err error) {
	if err != nil {
		l.writeFailure(now, err)
		return
	}
	if l.failed != "" || !l.listed {
		l.logger.Info("Organization listed", "organization", listing.OrganizationID, "accounts", len(listing.Accounts))
	}
	l.failed, l.listed = "", true
	said := map[string]bool{}
	for _, gap := range gaps {
		text := inventory.WithoutPassing(gap.Error())
		if said[text] = true; !l.gaps[text] {
			l.logger.Warn("Listing the organization left a gap, keeping what was known", "problem", gap)
		}
	}
	l.gaps = said
}

func (l *listingLog) writeFailure(now time.Time, err error) {
	switch {
	case inventory.WithoutPassing(err.Error()) != inventory.WithoutPassing(l.failed):
		l.failed, l.since, l.said = err.Error(), now, now
		l.logger.Warn("Listing the organization failed, keeping the accounts that it had", "problem", err)
	case now.Sub(l.said) >= discoveryInterval:
		l.said = now
		l.logger.Warn("Listing the organization still fails", "for", now.Sub(l.since).Round(time.Second), "problem", err)
	}
}
