// Package awssim simulates the operations of AWS IAM, STS and Organizations that
// the exporter uses, for --demo, tests and benchmarks: a World of users and access
// keys that tests change by methods and that answers as AWS does, in AWS's own wire
// format.
package awssim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options describe how a World behaves. The zero value is an account that answers
// at once and never throttles.
type Options struct {
	AccountID string           // default 123456789012
	Partition string           // default aws
	Created   time.Time        // when the account and its root user came to be; default now
	Now       func() time.Time // the world's clock; default time.Now
	Seed      uint64           // of ids and of the order of report slots

	// MaxPage caps how many items a page holds, even if the caller asks for more,
	// as AWS may. 0 means no cap.
	MaxPage int
	// VisibilityDelay is how long a change stays hidden from reads: IAM is
	// eventually consistent.
	VisibilityDelay time.Duration

	ReportDelay time.Duration // how long the generation of a report takes
	ReportLife  time.Duration // how long a report lasts before a new one can be generated; default 4h
	// ReportExtraColumn adds additional_credentials_info, which AWS documents
	// but was not seen in live reports.
	ReportExtraColumn bool

	Rate  float64 // requests per second and operation; 0 means no throttle
	Burst int     // of that throttle; at least 1

	KeysPerUser int // default 2, AWS's quota
}

func (o Options) withDefaults() Options {
	o.AccountID = cmp.Or(o.AccountID, "123456789012")
	o.Partition = cmp.Or(o.Partition, "aws")
	o.ReportLife = cmp.Or(o.ReportLife, 4*time.Hour)
	o.KeysPerUser = cmp.Or(o.KeysPerUser, 2)
	o.Burst = max(o.Burst, 1)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Created.IsZero() {
		o.Created = o.Now()
	}
	return o
}

// World is one simulated AWS account. Its methods are safe for concurrent use.
type World struct {
	options    Options
	operations map[string]operation

	mu       sync.Mutex
	ids      *rand.Rand // apart from requests, so that these don't change ids
	requests *rand.Rand
	truth    *account // what was changed
	shown    *account // what reads see; the same account if nothing is delayed
	pending  []change // in order of their due times
	report   reports
	limiters map[string]*rate.Limiter
	calls    map[string]int
	fault    func(operation string, n int) http.HandlerFunc
	faultN   map[string]int // calls since the fault hook was set
}

// change is an accepted change that reads do not see yet.
type change struct {
	due   time.Time
	apply func(*account) error
}

// New returns a world without users. Its root user has a password and an MFA
// device, and no access keys.
func New(options Options) *World {
	options = options.withDefaults()
	w := &World{
		options:    options,
		operations: operations(),
		ids:        rand.New(rand.NewPCG(options.Seed, 0)),
		requests:   rand.New(rand.NewPCG(options.Seed, math.MaxUint64)),
		truth:      newAccount(options.Created),
		limiters:   make(map[string]*rate.Limiter),
		calls:      make(map[string]int),
		faultN:     make(map[string]int),
	}
	w.shown = w.truth
	if options.VisibilityDelay > 0 {
		w.shown = newAccount(options.Created)
	}
	if options.Rate > 0 {
		for name := range w.operations {
			w.limiters[name] = rate.NewLimiter(rate.Limit(options.Rate), options.Burst)
		}
	}
	return w
}

// AccountID returns the account's id.
func (w *World) AccountID() string { return w.options.AccountID }

// change applies a change at once to the truth, and to what reads see when it
// is due. It therefore calls apply twice, once for each account.
func (w *World) change(apply func(*account) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := apply(w.truth); err != nil {
		return err
	}
	if w.shown != w.truth {
		due := w.options.Now().Add(w.options.VisibilityDelay)
		w.pending = append(w.pending, change{due, apply})
	}
	return nil
}

// settle makes visible what is due. It is called with the lock held.
func (w *World) settle(now time.Time) {
	done := 0
	for _, c := range w.pending {
		if c.due.After(now) {
			break
		}
		// It succeeded on the truth, in the same order of changes.
		if err := c.apply(w.shown); err != nil {
			panic(fmt.Sprintf("awssim: delayed change failed: %v", err))
		}
		done++
	}
	w.pending = w.pending[done:]
}

// newID returns a fresh unique id: the prefix and n random characters of the
// alphabet that AWS uses.
func (w *World) newID(prefix string, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	w.mu.Lock()
	defer w.mu.Unlock()
	var id strings.Builder
	id.WriteString(prefix)
	for range n {
		id.WriteByte(alphabet[w.ids.IntN(len(alphabet))])
	}
	return id.String()
}

// Calls counts the requests received by operation, failed and throttled ones
// included. Requests for unknown operations count as InvalidAction.
func (w *World) Calls() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.calls)
}

// ResetCalls sets the counts of Calls to zero.
func (w *World) ResetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.calls)
}

// SetFault installs a hook that is asked before every request, with the
// operation and the number of its calls since the hook was set, from 1. A
// handler that it returns answers instead of the world. A nil hook clears.
func (w *World) SetFault(hook func(operation string, n int) http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = hook
	clear(w.faultN)
}

// errNoEntity says that a change names a user or key that does not exist.
var errNoEntity = errors.New("no such user or key")
