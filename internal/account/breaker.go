package account

import (
	"errors"
	"sync"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// giveUpAfter is how many times in a row a call may fail before the sweep
// no longer makes it: what fails for ten users in a row fails for all, and
// each failure is an event in the customer's CloudTrail.
const giveUpAfter = 10

// errGivenUp marks calls that were not made because they failed for others.
var errGivenUp = errors.New("not asked, because it failed for other users")

// breaker counts, for one sweep, how often in a row each call has failed, and
// how often in a row any call has failed for another reason than a policy.
type breaker struct {
	mu         sync.Mutex
	failures   map[string]int
	last       map[string]error
	unanswered int
}

func newBreaker() *breaker {
	return &breaker{failures: map[string]int{}, last: map[string]error{}}
}

func (b *breaker) note(action string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reason := awsapi.ReasonOf(err)
	switch {
	case err == nil:
		b.failures[action], b.unanswered = 0, 0
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

func (b *breaker) open(action string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures[action] >= giveUpAfter
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
