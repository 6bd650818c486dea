package account

import (
	"errors"
	"math/bits"
	"sync"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// giveUpAfter is how often a call may fail before the sweep hardly makes it any
// more: what fails for ten users and works for nobody fails for all, and each
// failure is an event in the customer's CloudTrail.
const giveUpAfter = 10

// errGivenUp marks calls that were not made because they failed for others.
var errGivenUp = errors.New("not asked, because it failed for other users")

// breaker counts, for one sweep, how often each call has failed, and how often in
// a row any call has failed for another reason than a policy.
type breaker struct {
	mu         sync.Mutex
	works      map[string]bool // what has worked for somebody, in this sweep or the one before
	worked     map[string]bool // what has in this sweep
	failures   map[string]int
	last       map[string]error
	skipped    map[string]int // how often each call was not made
	unanswered int
}

func newBreaker() *breaker {
	return &breaker{
		works: map[string]bool{}, worked: map[string]bool{},
		failures: map[string]int{}, last: map[string]error{}, skipped: map[string]int{},
	}
}

// next returns the breaker of the next sweep. What has worked the last time that it
// was asked is asked about everybody: if it fails now, it may fail for some.
func (b *breaker) next() *breaker {
	n := newBreaker()
	for action := range b.works {
		n.works[action] = b.worked[action] || b.failures[action] == 0
	}
	return n
}

func (b *breaker) note(action string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reason := awsapi.ReasonOf(err)
	switch {
	case err == nil:
		b.unanswered = 0
		b.works[action], b.worked[action] = true, true
		return
	case reason == inventory.ReasonThrottled:
		return
	case reason == inventory.ReasonRole: // it fails for everybody, and each time AWS is asked for it
		b.unanswered = giveUpAfter
	case reason != inventory.ReasonDenied:
		b.unanswered++
	}
	b.failures[action]++
	b.last[action] = err
}

// unreachable reports whether there is no sense in asking AWS for anything more.
func (b *breaker) unreachable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unanswered >= giveUpAfter
}

// open reports whether to do without the call for the next user. It is still tried
// now and then, ever more seldom: it may fail for those alone who came first.
func (b *breaker) open(action string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.works[action] || b.failures[action] < giveUpAfter {
		return false
	}
	b.skipped[action]++
	rounds, rest := b.skipped[action]/giveUpAfter, b.skipped[action]%giveUpAfter
	return rest != 0 || bits.OnesCount(uint(rounds)) != 1
}

func (b *breaker) reason(action string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &givenUp{b.last[action]}
}

// givenUp carries the error that other users met, and its class.
type givenUp struct{ err error }

func (e *givenUp) Error() string   { return e.err.Error() }
func (e *givenUp) Unwrap() []error { return []error{e.err, errGivenUp} }
