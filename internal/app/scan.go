package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

const (
	// scanPause is how long to wait before looking again whether all is read.
	scanPause = 100 * time.Millisecond
	// progressPause is how often to say how far it is.
	progressPause = 10 * time.Second
	// reportPatience is how long to wait for a credential report that AWS still makes:
	// that of a large account takes minutes, and it is asked for again at each refresh.
	reportPatience = 25 * time.Minute
)

// scanAWS reads every account of the configuration once. Nothing is kept.
func scanAWS(ctx context.Context, s *settings, stderr io.Writer) ([]report.Scan, *config.Config, error) {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer func() { cancel(); _ = group.Wait() }() // what ends is what was cut short here
	if err := s.quiet(); err != nil {
		return nil, nil, err
	}
	logger := s.logger(stderr)
	from, err := connect(ctx, group, s, logger)
	if err != nil {
		return nil, nil, err
	}
	return scanFrom(ctx, from, s, logger, stderr)
}

func scanFrom(ctx context.Context, from awsSource, s *settings, logger *slog.Logger, stderr io.Writer) ([]report.Scan, *config.Config, error) {
	c, err := configuration(from, s)
	if err != nil {
		return nil, nil, err
	}
	w := newWatching(from, s, view.New(c.Policy, view.Reload{}), nil, logger)
	if err := w.targets.begin(c); err != nil {
		return nil, nil, err
	}
	reading, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.run(reading) }()
	v, err := w.waitUntilRead(ctx, stderr)
	stop()
	<-done
	if err != nil {
		return nil, nil, err
	}
	return append(scansOf(v), w.targets.scansInDoubt()...), c, nil
}

// waitUntilRead waits until every account was read once, or cannot be, and returns
// what is known then.
func (w *watching) waitUntilRead(ctx context.Context, stderr io.Writer) (*view.View, error) {
	began := time.Now()
	said := began
	for {
		listed := w.targets.organization() == nil || w.discovery.tried.Load() // before the view, which then has every account
		v, patient := w.board.View(), time.Since(began) < reportPatience
		read, all := countRead(v, patient), len(v.Accounts())
		switch {
		case !listed: // tags, which come last, may decide on classes
		case w.targets.organization() != nil && w.targets.organizationID() == "":
			return nil, fmt.Errorf("no account was checked: %s", v.NotListed)
		case read == all:
			return v, nil
		case time.Since(said) >= progressPause:
			said = time.Now()
			_, _ = fmt.Fprintf(stderr, "%d of %d accounts read; %d users to go\n", read, all, countUnread(v)) // a report does not fail for it
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("stopped before everything was read")
		case <-time.After(scanPause):
		}
	}
}

func countRead(v *view.View, patient bool) int {
	n := 0
	for _, a := range v.Accounts() {
		if isRead(a.Snapshot, patient) {
			n++
		}
	}
	return n
}

// isRead reports whether waiting longer brings no more: everybody was read, or
// something failed that another round would have to ask again.
func isRead(s *inventory.Snapshot, patient bool) bool {
	switch {
	case s.Health.State == inventory.StateSuspended:
		return true
	case s.Health.Finished == 0 || patient && onlyReportMissing(s.Health.Problems):
		return false
	}
	return s.Sweep.Unread == 0 || s.Health.State == inventory.StateDown
}

// onlyReportMissing reports whether all that is wrong is that AWS has no credential
// report ready.
func onlyReportMissing(problems []inventory.Problem) bool {
	return len(problems) > 0 && !slices.ContainsFunc(problems, func(p inventory.Problem) bool { return p.Reason != inventory.ReasonReport })
}

func countUnread(v *view.View) int {
	n := 0
	for _, a := range v.Accounts() {
		n += a.Snapshot.Sweep.Unread
	}
	return n
}

// scansInDoubt returns the accounts of the organization of which nobody knows whether
// the configuration means them. They are not read, and are no all-clear.
func (t *targets) scansInDoubt() []report.Scan {
	o := t.organization()
	if o == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var scans []report.Scan
	for _, d := range organization.Select(t.list.Listing(), o.Include, o.Exclude) {
		if inDoubt(&d) && t.isOurs(d.Account.ID) && !t.list.Watches(d.Account.ID) {
			scans = append(scans, report.Scan{
				Snapshot: &inventory.Snapshot{Account: inventory.Account{ID: d.Account.ID, Name: d.Account.Name}},
				Gaps:     []string{"whether the configuration means it is not known: " + d.Why},
			})
		}
	}
	return scans
}

func scansOf(v *view.View) []report.Scan {
	var scans []report.Scan
	for _, a := range v.Accounts() {
		scans = append(scans, report.Scan{Snapshot: a.Snapshot, Gaps: gapsOf(a)})
	}
	return scans
}

// gapsOf returns why not everything about the account is known.
func gapsOf(a *policy.Evaluation) []string {
	s := a.Snapshot
	var gaps []string
	for _, problem := range s.Health.Problems {
		gaps = append(gaps, problem.Text)
	}
	if s.Sweep.Unread > 0 {
		gaps = append(gaps, fmt.Sprintf("%d users were not read", s.Sweep.Unread))
	}
	switch {
	case len(gaps) > 0 || s.Health.State == inventory.StateSuspended:
	case s.Health.Finished == 0:
		gaps = append(gaps, "it was not read")
	case s.Health.State == inventory.StateDown:
		gaps = append(gaps, "the last reading failed")
	}
	return gaps
}
