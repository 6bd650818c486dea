package fleet

import (
	"errors"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/state"
)

// saveInterval is how often facts that have not changed are written again, for
// the sake of the times of their observation.
const saveInterval = time.Hour

// savesAtOnce is how many accounts are saved at the same time: when a process stops,
// all of them are to be, and each takes memory for its file and a thread to write it.
const savesAtOnce = 8

// disk is where the accounts of a fleet are kept.
type disk struct {
	*state.Store
	turns chan struct{} // has an element for each account that is being saved
}

func newDisk(store *state.Store) *disk {
	if store == nil {
		return nil
	}
	return &disk{store, make(chan struct{}, savesAtOnce)}
}

// Save saves the facts once it is their turn.
func (d *disk) Save(s *inventory.Snapshot) error {
	d.turns <- struct{}{}
	defer func() { <-d.turns }()
	return d.Store.Save(s)
}

// saved is what was last written to disk.
type saved struct {
	at     time.Time // zero if nothing was
	facts  inventory.Digest
	failed bool // the attempt after that
}

// saveIfDue saves the facts if they are others than those on disk, or if that was
// long ago.
func (w *watcher) saveIfDue(s *inventory.Snapshot) {
	if w.disk == nil || time.Since(w.saved.at) < saveInterval && w.saved.facts == s.Digest() {
		return
	}
	w.save(s)
}

// save writes the facts to disk. A failure costs nothing now, but the next
// restart. What was only restored is not written again: another exporter, whose
// account it is, may have newer facts there.
func (w *watcher) save(s *inventory.Snapshot) {
	if w.disk == nil || !w.account.Identified() {
		return
	}
	err, now := w.disk.Save(s), time.Now()
	if errors.Is(err, state.ErrNothingKnown) {
		return
	}
	if w.saved.failed = err != nil; err == nil {
		w.saved = saved{at: now, facts: s.Digest()}
	}
	w.log.writeSaving(now, s.Account.ID, err)
}

// kept returns what an earlier process knew of the account, or nil. Without an
// id it is the only account on disk.
func (w *watcher) kept(id string) *inventory.Snapshot {
	if w.disk == nil {
		return nil
	}
	load := func() (*inventory.Snapshot, error) { return w.disk.Load(id) }
	if id == "" {
		load = w.disk.Sole
	}
	known, err := load()
	switch {
	case err != nil:
		w.log.logger.Warn("Starting without the facts of an earlier run", "err", err)
	case known != nil:
		w.log.logger.Info("Starting with the facts of an earlier run", "account_id", known.Account.ID,
			"users", len(known.Users), "listed", known.Freshness[inventory.GroupUsers].Observed)
	}
	return known
}
