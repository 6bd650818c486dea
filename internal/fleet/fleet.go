// Package fleet keeps the snapshots of accounts fresh and judged.
package fleet

import (
	"fmt"
	"sync"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// Fleet holds the newest snapshot of every account, all judged under the same
// policy.
type Fleet struct {
	board *view.Board

	mu    sync.Mutex    // guards what follows
	size  int           // how many accounts there are
	wants chan struct{} // closed and replaced when a policy wants facts that the last one did not
}

// New returns a fleet without accounts, under the policy.
func New(p *policy.Policy, reload view.Reload) *Fleet {
	return &Fleet{board: view.New(p, reload), wants: make(chan struct{})}
}

// View returns what is known and judged now, all of it under one policy.
func (f *Fleet) View() *view.View { return f.board.View() }

// Apply puts another policy into force: from one moment to the next, for every
// account, whatever is under way.
func (f *Fleet) Apply(p *policy.Policy) {
	before := f.board.Apply(p)
	if !p.NeedsTags() || before.NeedsTags() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.wants)
	f.wants = make(chan struct{})
}

// NoteFailedReload says that a new configuration could not be used; the policy
// in force stays.
func (f *Fleet) NoteFailedReload() { f.board.NoteFailedReload() }

// wanting returns a channel that is closed when a policy comes into force that
// wants facts which the last one did not.
func (f *Fleet) wanting() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wants
}

// add makes room for an account and returns the key by which the view knows it.
// It stays the same when AWS tells the account's id.
func (f *Fleet) add(s *inventory.Snapshot) string {
	f.mu.Lock()
	f.size++
	key := fmt.Sprintf("%06d", f.size)
	f.mu.Unlock()
	f.board.Publish(key, s)
	return key
}
