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

// saved is what was last written to disk.
type saved struct {
	at    time.Time // zero if nothing was
	facts inventory.Digest
}

// saveIfDue saves the facts if they are others than those on disk, or if that was
// long ago.
func (w *watcher) saveIfDue(s *inventory.Snapshot) {
	if w.store == nil || time.Since(w.saved.at) < saveInterval && w.saved.facts == s.Digest() {
		return
	}
	w.save(s)
}

// save writes the facts to disk. A failure costs nothing now, but the next
// restart. What was only restored is not written again: another exporter, whose
// account it is, may have newer facts there.
func (w *watcher) save(s *inventory.Snapshot) {
	if w.store == nil || !w.account.Identified() {
		return
	}
	err, now := w.store.Save(s), time.Now()
	if errors.Is(err, state.ErrNothingKnown) {
		return
	}
	if err == nil {
		w.saved = saved{at: now, facts: s.Digest()}
	}
	w.log.writeSaving(now, err)
}

// kept returns what an earlier process knew of the account, or nil. Without an
// id it is the only account on disk.
func (w *watcher) kept(id string) *inventory.Snapshot {
	if w.store == nil {
		return nil
	}
	load := func() (*inventory.Snapshot, error) { return w.store.Load(id) }
	if id == "" {
		load = w.store.Sole
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
