package fleet

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// watcher keeps one account fresh, in a goroutine of its own.
type watcher struct {
	target    Target
	described account.Options // as the account was last told; for Fleet.Reconcile alone
	board     *view.Board
	disk      *disk // nil without one
	account   *account.Account
	log       refreshLog

	saved   saved
	refresh time.Time   // when others want the next one; zero for when it is due
	tried   atomic.Bool // the first refresh has asked its few calls
	lifecycle
	mailbox
}

// lifecycle is the goroutine of a watcher.
type lifecycle struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil before the start
	stopped bool
	done    chan struct{} // closed when there is no goroutine any more
}

// start returns the context of the goroutine, and whether to run it, which is
// done once.
func (l *lifecycle) start(ctx context.Context) (context.Context, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil || l.stopped {
		return nil, false
	}
	ctx, l.cancel = context.WithCancel(ctx)
	return ctx, true
}

// stop ends the goroutine, without waiting for that.
func (l *lifecycle) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
		return
	}
	close(l.done)
}

// wait waits until the goroutine has ended after stop.
func (l *lifecycle) wait() { <-l.done }

// newWatcher returns a watcher that knows what is kept of the account. Before AWS
// has told which account it is, that is what is kept of the only one on disk.
func newWatcher(f *Fleet, t Target) *watcher {
	w := watcherOf(f, t)
	w.account = account.New(t.Client, t.Account, w.kept(t.Account.ID))
	return w
}

// newWatcherFrom returns a watcher that knows what another one knew of the account.
func newWatcherFrom(f *Fleet, t Target, other *watcher) *watcher {
	w := watcherOf(f, t)
	w.account = account.New(t.Client, t.Account, other.account.Snapshot())
	w.account.Continue(other.account)
	w.saved, w.log = other.saved, other.log
	w.log.account = t.Account.ID
	w.tried.Store(other.tried.Load())
	return w
}

func watcherOf(f *Fleet, t Target) *watcher {
	return &watcher{
		target: t, described: t.Account, board: f.board, disk: f.disk, log: refreshLog{logger: f.logger, account: t.Account.ID, common: f.common},
		lifecycle: lifecycle{done: make(chan struct{})}, mailbox: mailbox{wake: make(chan struct{}, 1)},
	}
}

// identity returns the account's id; empty if AWS has not told it.
func (w *watcher) identity() string {
	if !w.account.Identified() {
		return w.target.Account.ID
	}
	return w.account.Snapshot().Account.ID
}

// run takes the account's steps, after a pause, until the watcher is stopped.
func (w *watcher) run(ctx context.Context, pause time.Duration) {
	defer close(w.done)
	defer func() { w.save(w.account.Snapshot()) }()
	for begin := time.Now().Add(pause); ctx.Err() == nil && time.Until(begin) > 0; {
		w.rest(ctx, time.Until(begin)) // whoever wants something meanwhile waits for the turn, too
	}
	for ctx.Err() == nil {
		w.heed(w.take())
		progress := w.account.Step(ctx, w.accused())
		if ctx.Err() != nil {
			return // calls that were cut short are no news about AWS
		}
		w.note(progress)
		next := progress.Next // in the past for at once, so no zero time is to be passed over
		if !w.refresh.IsZero() && w.refresh.Before(next) {
			next = w.refresh
		}
		w.rest(ctx, time.Until(next))
	}
}

// heed does what others want.
func (w *watcher) heed(m message) {
	w.refresh = sooner(w.refresh, m.refresh)
	if !w.refresh.IsZero() && !time.Now().Before(w.refresh) {
		w.account.RefreshSoon()
		w.refresh = time.Time{}
	}
	w.account.ReadSoon(m.users...)
	if m.described != nil {
		w.account.Describe(*m.described)
		w.show(w.account.Snapshot())
	}
}

// accused are the users about whom there are findings, and what those rest on.
func (w *watcher) accused() map[string]inventory.GroupSet {
	return w.board.View().Account(w.target.Account.ID).Accused()
}

// note shows and keeps what a step has brought.
func (w *watcher) note(p account.Progress) {
	for _, news := range p.News {
		w.log.logger.Warn("Checking AWS's clock", "account_id", w.target.Account.ID, "news", news)
	}
	if p.AliasErr != nil {
		w.log.logger.Debug("Cannot learn the account's alias, asking again in an hour", "account_id", w.target.Account.ID, "err", p.AliasErr)
	}
	switch {
	case p.Restore:
		id := w.account.Snapshot().Account.ID
		w.account.Restore(w.kept(id))
		w.show(w.account.Snapshot())
	case p.Ended:
		s := w.account.Snapshot()
		w.saveIfDue(s)
		w.show(s)
		w.log.write(time.Now(), w.board.View().Account(w.target.Account.ID))
	case p.Learnt:
		w.show(w.account.Snapshot())
	}
	if p.Began {
		w.refresh = time.Time{} // whoever wanted one has it
	}
	if p.Tried {
		w.tried.Store(true)
	}
}

func (w *watcher) rest(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-timer.C:
	}
}

// show publishes a snapshot that nobody else has seen yet.
func (w *watcher) show(s *inventory.Snapshot) {
	s.Health.Saved, s.Health.Unsaved = w.saved.at, w.saved.failed
	w.board.Publish(w.target.Account.ID, s)
}
