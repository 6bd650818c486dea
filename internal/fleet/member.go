package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// member is one account that is watched.
type member struct {
	wanted    Wanted
	described account.Options // as the account was last told; for Fleet.Reconcile alone
	board     *view.Board
	store     *state.Store // nil without one
	account   *account.Account
	log       refreshLog

	saved saved
	tried atomic.Bool // the first refresh has asked its few calls
	life
	mailbox
}

// life is the goroutine of a member.
type life struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil before the start
	stopped bool
	done    chan struct{} // closed when there is no goroutine any more
}

// start returns the context of the goroutine, and whether to run it, which is
// done once.
func (l *life) start(ctx context.Context) (context.Context, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil || l.stopped {
		return nil, false
	}
	ctx, l.cancel = context.WithCancel(ctx)
	return ctx, true
}

// stop ends the goroutine, without waiting for that.
func (l *life) stop() {
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
func (l *life) wait() { <-l.done }

// message is what others want of a member.
type message struct {
	refresh   bool             // at once
	described *account.Options // what is told of the account now; nil for nothing new
	users     []string         // to be read soon
}

// mailbox holds what others want of a member until it has time.
type mailbox struct {
	mutex  sync.Mutex
	letter message
	wake   chan struct{} // has an element if there is a letter
}

// tell leaves a message and wakes the member up.
func (b *mailbox) tell(m message) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.letter.refresh = b.letter.refresh || m.refresh
	b.letter.users = append(b.letter.users, m.users...)
	if m.described != nil {
		b.letter.described = m.described
	}
	select {
	case b.wake <- struct{}{}:
	default: // it is awake
	}
}

func (b *mailbox) take() message {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	letter := b.letter
	b.letter = message{}
	return letter
}

// newMember returns a member that knows what is kept of the account. Before AWS
// has told which account it is, that is what is kept of the only one on disk.
func newMember(f *Fleet, w Wanted) *member {
	m := memberOf(f, w)
	m.account = account.New(w.Client, w.Account, m.kept(w.Account.ID))
	return m
}

// newMemberFrom returns a member that knows what another one knew of the account.
func newMemberFrom(f *Fleet, w Wanted, other *member) *member {
	m := memberOf(f, w)
	m.account = account.New(w.Client, w.Account, other.account.Snapshot())
	m.account.Continue(other.account)
	m.saved = other.saved
	return m
}

func memberOf(f *Fleet, w Wanted) *member {
	return &member{
		wanted: w, described: w.Account, board: f.board, store: f.store, log: refreshLog{logger: f.logger},
		life: life{done: make(chan struct{})}, mailbox: mailbox{wake: make(chan struct{}, 1)},
	}
}

// run takes the account's steps, after a pause, until the member is stopped.
func (m *member) run(ctx context.Context, pause time.Duration) {
	defer close(m.done)
	defer func() { m.save(m.account.Snapshot()) }()
	for begin := time.Now().Add(pause); ctx.Err() == nil && time.Until(begin) > 0; {
		m.rest(ctx, time.Until(begin)) // whoever wants something meanwhile waits for the turn, too
	}
	for ctx.Err() == nil {
		letter := m.take()
		if letter.refresh {
			m.account.RefreshSoon()
		}
		m.account.ReadSoon(letter.users...)
		if letter.described != nil {
			m.account.Describe(*letter.described)
			m.show(m.account.Snapshot())
		}
		progress := m.account.Step(ctx, m.accused())
		if ctx.Err() != nil {
			return // calls that were cut short are no news about AWS
		}
		m.note(progress)
		m.rest(ctx, time.Until(progress.Next))
	}
}

// accused are the users about whom there are findings, and what those rest on.
func (m *member) accused() map[string]inventory.GroupSet {
	return m.board.View().Account(m.wanted.Account.ID).Accused()
}

// note shows and keeps what a step has brought.
func (m *member) note(p account.Progress) {
	for _, news := range p.News {
		m.log.logger.Warn("Checking AWS's clock", "account_id", m.wanted.Account.ID, "news", news)
	}
	if p.AliasErr != nil {
		m.log.logger.Debug("Cannot learn the account's alias, asking again in an hour", "account_id", m.wanted.Account.ID, "err", p.AliasErr)
	}
	switch {
	case p.Restore:
		id := m.account.Snapshot().Account.ID
		m.account.Restore(m.kept(id))
	case p.Ended:
		s := m.account.Snapshot()
		m.saveIfDue(s)
		m.show(s)
		m.log.write(time.Now(), m.board.View().Account(m.wanted.Account.ID))
	case p.Learnt:
		m.show(m.account.Snapshot())
	}
	if p.Tried {
		m.tried.Store(true)
	}
}

func (m *member) rest(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-timer.C:
	}
}

// show publishes a snapshot that nobody else has seen yet.
func (m *member) show(s *inventory.Snapshot) {
	s.Health.Saved = m.saved.at
	m.board.Publish(m.wanted.Account.ID, s)
}

// saveInterval is how often facts that have not changed are written again, for
// the sake of the times of their observation.
const saveInterval = time.Hour

// saved is what was last written to disk.
type saved struct {
	at    time.Time // zero if nothing was
	facts inventory.Digest
}

// saveIfDue saves the facts if they are others than those on disk, or if that was
// long ago.
func (m *member) saveIfDue(s *inventory.Snapshot) {
	if m.store == nil || time.Since(m.saved.at) < saveInterval && m.saved.facts == s.Digest() {
		return
	}
	m.save(s)
}

// save writes the facts to disk. A failure costs nothing now, but the next
// restart. What was only restored is not written again: another exporter, whose
// account it is, may have newer facts there.
func (m *member) save(s *inventory.Snapshot) {
	if m.store == nil || !m.account.Identified() {
		return
	}
	err, now := m.store.Save(s), time.Now()
	if errors.Is(err, state.ErrNothingKnown) {
		return
	}
	if err == nil {
		m.saved = saved{at: now, facts: s.Digest()}
	}
	m.log.writeSaving(now, err)
}

// kept returns what an earlier process knew of the account, or nil. Without an
// id it is the only account on disk.
func (m *member) kept(id string) *inventory.Snapshot {
	if m.store == nil {
		return nil
	}
	load := func() (*inventory.Snapshot, error) { return m.store.Load(id) }
	if id == "" {
		load = m.store.Sole
	}
	known, err := load()
	switch {
	case err != nil:
		m.log.logger.Warn("Starting without the facts of an earlier run", "err", err)
	case known != nil:
		m.log.logger.Info("Starting with the facts of an earlier run", "account_id", known.Account.ID,
			"users", len(known.Users), "listed", known.Freshness[inventory.GroupUsers].Observed)
	}
	return known
}
