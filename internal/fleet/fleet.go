// Package fleet keeps the snapshots of accounts fresh and judged.
package fleet

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// Fleet holds the newest snapshot of every account, all judged under the same
// policy.
type Fleet struct {
	mu    sync.Mutex // held while the view is replaced
	view  atomic.Pointer[policy.View]
	wants chan struct{} // closed and replaced when a policy wants facts that the last one did not
}

// New returns a fleet without accounts, under the policy.
func New(p *policy.Policy, reload policy.Reload) *Fleet {
	f := &Fleet{wants: make(chan struct{})}
	f.view.Store(&policy.View{Policy: p, Reload: reload})
	return f
}

// View returns what is known and judged now, all of it under one policy. It
// judges anew if an exemption has ended since; otherwise it never waits.
func (f *Fleet) View() *policy.View {
	view := f.view.Load()
	if !outdated(view, time.Now()) {
		return view
	}
	return f.replace(func(v *policy.View) { v.Judgements = judgeAll(v, time.Now()) })
}

func outdated(view *policy.View, now time.Time) bool {
	return slices.ContainsFunc(view.Judgements, func(j *policy.Judgement) bool {
		return !j.Changes.IsZero() && !now.Before(j.Changes)
	})
}

func judgeAll(v *policy.View, now time.Time) []*policy.Judgement {
	judged := make([]*policy.Judgement, len(v.Judgements))
	for i, j := range v.Judgements {
		judged[i] = policy.Judge(j.Snapshot, v.Policy, now)
	}
	return judged
}

// Apply puts another policy into force: from one moment to the next, for every
// account, whatever is under way.
func (f *Fleet) Apply(p *policy.Policy) {
	f.replace(func(v *policy.View) {
		now := time.Now()
		if p.NeedsTags() && !v.Policy.NeedsTags() {
			close(f.wants)
			f.wants = make(chan struct{})
		}
		v.Policy = p
		v.Reload = policy.Reload{Wanted: true, Successful: true, At: now}
		v.Judgements = judgeAll(v, now)
	})
}

// NoteFailedReload says that a new configuration could not be used; the policy
// in force stays.
func (f *Fleet) NoteFailedReload() {
	f.replace(func(v *policy.View) { v.Reload.Successful = false })
}

// wanting returns a channel that is closed when a policy comes into force that
// wants facts which the last one did not.
func (f *Fleet) wanting() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wants
}

// add makes room for an account and returns its place.
func (f *Fleet) add(s *inventory.Snapshot) int {
	v := f.replace(func(v *policy.View) {
		v.Judgements = append(slices.Clip(v.Judgements), policy.Judge(s, v.Policy, time.Now()))
	})
	return len(v.Judgements) - 1
}

// publish replaces the snapshot of the account at the place.
func (f *Fleet) publish(place int, s *inventory.Snapshot) {
	f.replace(func(v *policy.View) {
		v.Judgements = slices.Clone(v.Judgements)
		v.Judgements[place] = policy.Judge(s, v.Policy, time.Now())
	})
}

// replace lets change make the next view out of a copy of the present one.
func (f *Fleet) replace(change func(*policy.View)) *policy.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *f.view.Load()
	change(&next)
	f.view.Store(&next)
	return &next
}
