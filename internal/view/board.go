package view

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// Board holds the view in force and replaces it as accounts and the policy
// change. Its methods may be called at the same time. Nobody judges while
// holding the lock that guards the view, so accounts do not wait for one
// another, and readers wait for nothing.
type Board struct {
	rendering Rendering
	view      atomic.Pointer[View]
	judge     func(*inventory.Snapshot, *policy.Policy, time.Time) *policy.Evaluation // policy.Evaluate; tests watch it

	mu    sync.Mutex        // held while the view is replaced
	turn  uint64            // counts what was published and removed
	turns map[string]uint64 // the turn that last changed each account

	reloading sync.Mutex // held while a reload takes effect
}

// Rendering makes what is served of an account. Nothing is made of accounts if the
// functions are nil. They are called at the same time, and never by who asks for a view.
type Rendering struct {
	// Render renders an account. What it was before, and how that was rendered, are nil
	// at first.
	Render func(now, before *policy.Evaluation, rendered *exposition.Part) *exposition.Part
	// RenderClock renders anew what depends on the time of day.
	RenderClock func(now *policy.Evaluation, rendered *exposition.Part) *exposition.Part
}

// New returns a board without accounts, under the policy.
func New(p *policy.Policy, reload Reload, rendering Rendering) *Board {
	b := &Board{rendering: rendering, judge: policy.Evaluate, turns: map[string]uint64{}}
	b.view.Store(newView(p, reload, nil))
	return b
}

// View returns what is served now, all of it under one policy. It never waits.
func (b *Board) View() *View { return b.view.Load() }

// replace replaces accounts, given by those that they replace, unless something else
// has replaced them.
func (b *Board) replace(renewed map[*account]*account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.Store(b.view.Load().replace(renewed))
}

// judged judges and renders an account. What it was before is nil at first.
func (b *Board) judged(key string, s *inventory.Snapshot, p *policy.Policy, before *account) *account {
	a := newAccount(key, b.judge(s, p, time.Now()))
	switch {
	case b.rendering.Render == nil:
	case before == nil:
		a.rendered = b.rendering.Render(a.Evaluation, nil, nil)
	default:
		a.rendered = b.rendering.Render(a.Evaluation, before.Evaluation, before.rendered)
	}
	return a
}

// KeepTime does what the time of day asks for whenever a minute of the clock begins,
// until the context ends: it judges accounts again in which an exemption has ended, and
// renders what depends on the time. Exemptions end with a day.
func (b *Board) KeepTime(ctx context.Context) {
	minute := time.NewTimer(untilNextMinute())
	defer minute.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
			b.judgeAgain(time.Now())
			b.renderClock()
			minute.Reset(untilNextMinute())
		}
	}
}

// judgeAgain judges each account again in which an exemption has ended, and shows it
// before it turns to the next.
func (b *Board) judgeAgain(now time.Time) {
	b.mu.Lock() // what is shown from now on was found not to be outdated
	v := b.view.Load()
	b.mu.Unlock()
	for _, old := range v.accounts {
		if old.outdated(now) {
			b.replace(map[*account]*account{old: b.judged(old.key, old.Snapshot, v.Policy, old)})
		}
	}
}

func untilNextMinute() time.Duration {
	return time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))
}

func (b *Board) renderClock() {
	if b.rendering.RenderClock == nil {
		return
	}
	renewed := map[*account]*account{}
	for _, old := range b.view.Load().accounts {
		next := *old
		next.rendered = b.rendering.RenderClock(old.Evaluation, old.rendered)
		renewed[old] = &next
	}
	b.replace(renewed)
}

// Publish serves the snapshot of the account of that key, from now on and in
// place of the one before. Of several that are published at the same time, the
// one whose call began last stays.
func (b *Board) Publish(key string, s *inventory.Snapshot) {
	turn := b.nextTurn()
	for {
		v := b.view.Load()
		if b.show(b.judged(key, s, v.Policy, v.find(key)), turn) {
			return
		}
	}
}

func (b *Board) nextTurn() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	return b.turn
}

// show puts the account into the view, unless a later turn has changed it. It
// reports false if another policy is in force than it was judged under, or an exemption
// has ended since.
func (b *Board) show(a *account, turn uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.view.Load()
	switch {
	case turn < b.turns[a.key]:
		return true
	case v.Policy != a.Policy, a.outdated(time.Now()):
		return false
	}
	b.turns[a.key] = turn
	b.view.Store(v.with(a))
	return true
}

// Remove serves the account of that key no longer, nor what is being published
// of it.
func (b *Board) Remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	b.turns[key] = b.turn
	b.view.Store(b.view.Load().without(key))
}

// Apply puts another policy into force, from one moment to the next for every
// account, and returns the one before.
func (b *Board) Apply(p *policy.Policy) (before *policy.Policy) {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	judged := map[string]*account{}
	for {
		old := b.view.Load()
		if b.swap(old, b.under(p, old, judged)) {
			return old.Policy
		}
	}
}

// under returns the view under another policy. It adds the accounts to those
// that are judged under it already, and judges none of them again unless it has to.
func (b *Board) under(p *policy.Policy, v *View, judged map[string]*account) *View {
	accounts := make([]*account, len(v.accounts))
	for i, a := range v.accounts {
		if known := judged[a.key]; known == nil || known.Snapshot != a.Snapshot || known.outdated(time.Now()) {
			judged[a.key] = b.judged(a.key, a.Snapshot, p, a)
		}
		accounts[i] = judged[a.key]
	}
	next := newView(p, Reload{Wanted: true, Successful: true, At: time.Now()}, accounts)
	next.Watchlist, next.NotListed = v.Watchlist, v.NotListed
	return next
}

// swap replaces the view, unless something else has, or an exemption has ended since the
// next one was judged.
func (b *Board) swap(old, next *View) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if slices.ContainsFunc(next.accounts, func(a *account) bool { return a.outdated(now) }) {
		return false
	}
	return b.view.CompareAndSwap(old, next)
}

// SetWatchlist says which accounts were taken out, and when the organization was last
// listed.
func (b *Board) SetWatchlist(r watchlist.List) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *b.view.Load()
	next.Watchlist = r
	b.view.Store(&next)
}

// NoteListing says why the organization could not be listed; empty if it could.
func (b *Board) NoteListing(problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *b.view.Load()
	next.NotListed = problem
	b.view.Store(&next)
}

// NoteFailedReload says that a new configuration could not be used; the policy
// in force stays.
func (b *Board) NoteFailedReload() {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	next := *b.view.Load()
	next.Reload.Successful = false
	b.view.Store(&next)
}
