package fleet

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// readyAfter is when the exporter counts as ready even if AWS has not answered
// yet: its metrics tell what is wrong, and nobody sees them if it never gets
// traffic.
const readyAfter = 2 * time.Minute

// introductionPause is how soon to ask again while AWS has not even told which
// account this is: credentials or network often come a little after the process.
const introductionPause = 30 * time.Second

// Account keeps one account's snapshot fresh and judged.
type Account struct {
	fleet    *Fleet
	key      string // in the view
	reader   *awsiam.Reader
	interval time.Duration
	store    *state.Store // nil without one
	logger   *slog.Logger

	saved   time.Time   // when the facts were last kept
	tried   atomic.Bool // the first refresh has asked its few calls
	started time.Time
	failing bool     // the last refresh was incomplete; for the log
	told    []string // what was last said about users' tags; for the log
}

// Options are the settings of an Account.
type Options struct {
	Interval time.Duration // between two refreshes
	Store    *state.Store  // keeps the facts between restarts; may be nil
	Logger   *slog.Logger
}

// NewAccount returns an account of the fleet that is refreshed once Run runs.
// Until then it shows what the reader can recall.
func NewAccount(f *Fleet, reader *awsiam.Reader, o Options) *Account {
	a := &Account{fleet: f, reader: reader, interval: o.Interval, store: o.Store, logger: o.Logger, started: time.Now()}
	a.key = f.add(reader.Snapshot())
	return a
}

// Judgement returns the newest facts and verdicts.
func (a *Account) Judgement() *policy.Judgement { return a.fleet.View().Account(a.key) }

// Ready tells whether the account was asked about at least once, with success
// or without, or that this takes too long to wait for.
func (a *Account) Ready() bool { return a.tried.Load() || time.Since(a.started) >= readyAfter }

// Run refreshes the account until the context ends.
func (a *Account) Run(ctx context.Context) {
	defer func() { a.keep(a.reader.Snapshot()) }()
	for ctx.Err() == nil {
		wanting := a.fleet.wanting()
		next := time.Now().Add(a.interval)
		a.refresh(ctx, next)
		pause := time.Until(next)
		if !a.reader.Identified() {
			pause = min(pause, introductionPause)
		}
		select {
		case <-ctx.Done():
		case <-wanting:
		case <-time.After(pause):
		}
	}
}

// refresh asks the few calls, then sweeps over the users until the next
// refresh is due at the latest. Nothing is published once the context has
// ended, because the calls it cut short are no news about AWS.
func (a *Account) refresh(ctx context.Context, next time.Time) {
	a.reader.Refresh(ctx)
	if ctx.Err() != nil {
		return
	}
	a.publish()
	a.tried.Store(true)
	a.reader.Sweep(ctx, next, func(name string) bool { return a.Judgement().InBreach(name) }, a.publish)
	if ctx.Err() != nil {
		return
	}
	s := a.reader.Snapshot()
	a.keep(s)
	a.show(s)
	a.log()
}

func (a *Account) publish() {
	a.show(a.reader.Snapshot())
}

// show publishes a snapshot that nobody else has seen yet.
func (a *Account) show(s *inventory.Snapshot) {
	s.Health.Saved = a.saved
	a.fleet.board.Publish(a.key, s)
}

// keep writes the facts to disk. A failure costs nothing now, but the next
// restart. What was only recalled is not written again: another exporter, whose
// account it is, may have newer facts there.
func (a *Account) keep(s *inventory.Snapshot) {
	if a.store == nil || !a.reader.Identified() {
		return
	}
	switch err := a.store.Save(s); {
	case err == nil:
		a.saved = time.Now()
	case !errors.Is(err, state.ErrNothingKnown):
		a.logger.Error("Keep facts for the next start", "err", err)
	}
}

// log tells what is wrong after each refresh, and when all is well again.
func (a *Account) log() {
	j := a.Judgement()
	logger := a.logger.With("account_id", j.Snapshot.Account.ID)
	problems := j.Snapshot.Health.Problems
	if !slices.Equal(j.Problems, a.told) { // users' slips stay for long, and are no failure of ours
		for _, problem := range j.Problems {
			logger.Warn("Cannot use a tag", "problem", problem)
		}
		a.told = j.Problems
	}
	details := []any{"users", len(j.Snapshot.Users), "unread", unread(j.Snapshot), "findings", len(j.Findings), "took", j.Snapshot.Health.Duration}
	for _, p := range problems {
		logger.Warn("Refresh incomplete, keeping the last facts", "reason", p.Reason, "problem", p.Text)
	}
	switch {
	case len(problems) == 0 && (a.failing || j.Snapshot.Health.Refreshes == 1):
		logger.Info("Refresh complete", details...)
	default:
		logger.Debug("Refreshed", details...)
	}
	a.failing = len(problems) > 0
}

// unread counts the users whose keys no sweep has reached yet.
func unread(s *inventory.Snapshot) int {
	n := 0
	for i := range s.Users {
		if !s.Users[i].Keys.Known() {
			n++
		}
	}
	return n
}
