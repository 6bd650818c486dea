package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
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
	w := newWatching(from, s, view.New(c.Policy, view.Reload{}, view.Rendering{}), nil, logger)
	if err := w.targets.begin(c); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	reading, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.run(reading) }()
	v, err := w.waitUntilRead(ctx, stderr)
	stop()
	<-done
	if err != nil {
		return nil, nil, err
	}
	return append(scansOf(v, began), w.targets.scansInDoubt()...), c, nil
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
	for _, d := range o.Select(t.list.Listing()) {
		if inDoubt(&d) && t.share.has(d.Account.ID) && !t.list.Watches(d.Account.ID) {
			scans = append(scans, report.Scan{
				Snapshot: &inventory.Snapshot{Account: inventory.Account{ID: d.Account.ID, Name: d.Account.Name}},
				Gaps:     []string{"whether the configuration means it is not known: " + d.Why},
			})
		}
	}
	return scans
}

// scansOf returns what is known of each account since the reading began.
func scansOf(v *view.View, began time.Time) []report.Scan {
	var scans []report.Scan
	for _, a := range v.Accounts() {
		scans = append(scans, report.Scan{Snapshot: a.Snapshot, Gaps: gapsOf(a.Snapshot, began)})
	}
	return scans
}

// gapsOf returns why not everything about the account is known.
func gapsOf(s *inventory.Snapshot, began time.Time) []string {
	var gaps []string
	for _, problem := range s.Health.Problems {
		gaps = append(gaps, problem.Text)
	}
	if s.Sweep.Unread > 0 {
		gaps = append(gaps, fmt.Sprintf("%d users were not read", s.Sweep.Unread))
	}
	if doubt := s.Health.Doubt.Abs().Round(time.Second); doubt != 0 {
		gaps = append(gaps, fmt.Sprintf("AWS's dates differ by %s from this machine's clock, by which everything was judged: correct that clock", doubt))
	}
	if old := oldGap(s, began.Add(s.Health.Skew)); old != "" {
		gaps = append(gaps, old)
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

// oldGap tells of facts that were stale before the reading began: AWS has handed out a
// credential report that it should have replaced, and who is compliant by that may
// be no longer. It is empty if there are none.
func oldGap(s *inventory.Snapshot, began time.Time) string {
	var groups []string
	var oldest time.Time
	for _, group := range inventory.Groups() {
		if f := s.Freshness[group]; f.IsStale(began) {
			groups = append(groups, string(group))
			if oldest.IsZero() || f.Observed.Before(oldest) {
				oldest = f.Observed
			}
		}
	}
	if len(groups) == 0 {
		return ""
	}
	return fmt.Sprintf("the newest facts about %s are too old: of %s", strings.Join(groups, ", "), oldest.UTC().Format(time.RFC3339))
}
