package fleet

import (
	"sync"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
)

// message is what others want of a watcher.
type message struct {
	refresh   time.Time        // when to refresh, unless that was done by then; zero for not at all
	described *account.Options // what is told of the account now; nil for nothing new
	users     []string         // to be read soon
}

// mailbox holds what others want of a watcher until it has time.
type mailbox struct {
	mutex   sync.Mutex
	pending message
	wake    chan struct{} // has an element if something is pending
}

// tell adds to what is pending, and wakes the watcher up.
func (b *mailbox) tell(m message) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.pending.refresh = sooner(b.pending.refresh, m.refresh)
	b.pending.users = append(b.pending.users, m.users...)
	if m.described != nil {
		b.pending.described = m.described
	}
	select {
	case b.wake <- struct{}{}:
	default: // it is awake
	}
}

// take returns what is pending, which nothing is then.
func (b *mailbox) take() message {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	all := b.pending
	b.pending = message{}
	return all
}

// sooner returns the earlier of two times, of which a zero one says nothing.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
