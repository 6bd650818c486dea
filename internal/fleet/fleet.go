// Package fleet watches a set of accounts: it keeps each of them fresh in a
// goroutine of its own, and all of them judged under one policy.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// readyAfter is when the exporter counts as ready even if AWS has not answered
// yet: its metrics tell what is wrong, and nobody sees them if it never gets
// traffic.
const readyAfter = 2 * time.Minute

// Options are the settings of a Fleet.
type Options struct {
	Store *state.Store // keeps the facts between restarts; may be nil
	// Pause lies between the starts of two accounts, so that many of them do not
	// ask AWS everything at the same moment, now and at every refresh.
	Pause  time.Duration
	Logger *slog.Logger
}

// Target is an account that is to be watched.
type Target struct {
	Client  *awsapi.Client
	Account account.Options // its ID may be empty for one account, that of the credentials
}

// sameReading reports whether both want the same account read in the same way.
func (t *Target) sameReading(other *Target) bool {
	return t.Client == other.Client && t.Account.SameReading(other.Account)
}

// Fleet holds the accounts that are watched, by id. Its methods may be called
// at the same time.
type Fleet struct {
	board  *view.Board
	disk   *disk // nil without one
	pause  time.Duration
	logger *slog.Logger
	common *common
	began  time.Time

	reconciling sync.Mutex // held while the set of accounts changes
	mu          sync.Mutex // guards watchers
	watchers    map[string]*watcher
	added       chan struct{} // has an element if watchers are to be started
}

// New returns a fleet that watches no account yet. What it learns is shown on
// the board.
func New(board *view.Board, o Options) *Fleet {
	return &Fleet{
		board: board, disk: newDisk(o.Store), pause: o.Pause, logger: o.Logger, common: newCommon(), began: time.Now(),
		watchers: map[string]*watcher{}, added: make(chan struct{}, 1),
	}
}

// Run keeps the accounts fresh until the context ends.
func (f *Fleet) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		f.startAll(ctx, &running)
		select {
		case <-ctx.Done():
			return
		case <-f.added:
		}
	}
}

// startAll starts those that are not running, one after the other.
func (f *Fleet) startAll(ctx context.Context, running *sync.WaitGroup) {
	var pause time.Duration
	for _, w := range f.all() {
		if own, ok := w.start(ctx); ok {
			wait := pause // the goroutine may begin after the next was counted
			running.Go(func() { w.run(own, wait) })
			pause += f.pause
		}
	}
}

// Reconcile has the targets watched, and nobody else. Accounts that are no target go,
// with everything about them; new ones are shown at once, with what is kept of them;
// those that are to be read in another way keep what is known; those of whom something
// else is told go on; and all others notice nothing. It returns an error, and changes
// nothing, if two targets have the same id.
func (f *Fleet) Reconcile(targets []Target) error {
	return f.reconcile(targets, func() {})
}

// Reload is Reconcile under another policy, which is in force from one moment to
// the next for every account that stays: those that go are judged under the
// policy before to the end, and those that come under the new one alone. Clients
// must be ready for what it needs.
func (f *Fleet) Reload(targets []Target, p *policy.Policy) error {
	return f.reconcile(targets, func() {
		before := f.board.Apply(p)
		if p.NeedsTags() && !before.NeedsTags() {
			f.refresh(f.all())
		}
	})
}

// reconcile calls change once nobody is left who is no target, and before anybody
// comes.
func (f *Fleet) reconcile(targets []Target, change func()) error {
	byID := make(map[string]*Target, len(targets))
	for i, t := range targets {
		if byID[t.Account.ID] != nil {
			return fmt.Errorf("watch accounts: got account %q twice, want each once", t.Account.ID)
		}
		byID[t.Account.ID] = &targets[i]
	}
	f.reconciling.Lock()
	defer f.reconciling.Unlock()
	f.dropOthers(byID)
	change()
	for _, t := range targets {
		if f.watcher(t.Account.ID) == nil {
			f.add(t.Account.ID, newWatcher(f, t))
		}
	}
	select {
	case f.added <- struct{}{}:
	default: // somebody else has said so
	}
	return nil
}

// dropOthers stops every watcher whose account is no target as it is, and waits until
// none of them can show anything more.
func (f *Fleet) dropOthers(targets map[string]*Target) {
	var dropped []*watcher
	for _, w := range f.all() {
		t, still := targets[w.target.Account.ID]
		if !still || !t.sameReading(&w.target) {
			w.stop()
			dropped = append(dropped, w)
			continue
		}
		if !t.Account.Equal(w.described) {
			w.described = t.Account
			w.tell(message{described: &t.Account})
		}
	}
	for _, w := range dropped {
		w.wait()
		f.replace(w, targets)
	}
}

// replace removes a watcher that has ended. If its account is a target, in another way
// or by its id, another watcher goes on with what is known.
func (f *Fleet) replace(w *watcher, targets map[string]*Target) {
	key := w.target.Account.ID
	f.mu.Lock()
	delete(f.watchers, key)
	f.mu.Unlock()
	id := key
	if targets[key] == nil {
		id = w.identity()
	}
	t := targets[id]
	if t != nil && f.watcher(id) == nil {
		f.add(id, newWatcherFrom(f, *t, w))
	}
	if t == nil || id != key || t.Account.Suspended {
		f.common.forget(key) // nobody asks there any more
	}
	if t == nil || id != key {
		f.board.Remove(key) // last, so that the account is never missed
	}
}

func (f *Fleet) add(id string, w *watcher) {
	w.show(w.account.Snapshot())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers[id] = w
}

func (f *Fleet) watcher(id string) *watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watchers[id]
}

// all returns the watchers, ordered by id.
func (f *Fleet) all() []*watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*watcher, 0, len(f.watchers))
	for _, id := range slices.Sorted(maps.Keys(f.watchers)) {
		all = append(all, f.watchers[id])
	}
	return all
}

// Source returns where facts about the account come from; empty if it is not
// watched. That of the credentials may have any id.
func (f *Fleet) Source(accountID string) awsapi.Source {
	if w := cmp.Or(f.watcher(accountID), f.watcher("")); w != nil {
		return w.target.Client.Needs().Source
	}
	return ""
}

// Ready reports whether every account was asked about at least once, with
// success or without, or that this takes too long to wait for.
func (f *Fleet) Ready() bool {
	return time.Since(f.began) >= readyAfter ||
		!slices.ContainsFunc(f.all(), func(w *watcher) bool { return !w.tried.Load() })
}

// RenewCredentials has every account's credentials loaded anew: soon where AWS has
// refused those at hand, else at the next refresh.
func (f *Fleet) RenewCredentials() {
	var refused []*watcher
	for _, w := range f.all() {
		if w.target.Client.NoteOtherCredentials() {
			refused = append(refused, w)
		}
	}
	f.refresh(refused)
}

// refresh has accounts refreshed before it is time, one after the other: all at once
// would stay so from then on.
func (f *Fleet) refresh(watchers []*watcher) {
	at := time.Now()
	for _, w := range watchers {
		w.tell(message{refresh: at})
		at = at.Add(f.pause)
	}
}

// ReadSoon has users of an account read without waiting for their turn, because
// something is known to have happened to them. It does nothing for an account
// that is not watched.
func (f *Fleet) ReadSoon(accountID string, users ...string) {
	if w := f.watcher(accountID); w != nil {
		w.tell(message{users: users})
	}
}
