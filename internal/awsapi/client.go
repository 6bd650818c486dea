package awsapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Process is what all clients of this process share: one token bucket, because
// accounts may share AWS's limits, and the counts of calls.
type Process struct {
	limiter *rate.Limiter

	mu    sync.Mutex
	needs Needs
	calls []inventory.Calls // of each operation in the table
}

// NewProcess returns the shared part for clients that serve the needs. All of
// them together send at most limit requests a second.
func NewProcess(needs Needs, limit rate.Limit) *Process {
	p := &Process{limiter: newLimiter(limit), needs: needs}
	for _, o := range Operations() {
		p.calls = append(p.calls, inventory.Calls{Service: o.Service, Operation: o.Name})
	}
	return p
}

// Needs returns what the clients of the process serve.
func (p *Process) Needs() Needs {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.needs
}

// SetTags changes where tags come from, and with it which operations the guard
// lets through.
func (p *Process) SetTags(tags TagSource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.needs.Tags = tags
}

// Calls returns the requests sent so far, retries included: one entry for each
// operation that is needed, or was before, in the order of the table.
func (p *Process) Calls() []inventory.Calls {
	p.mu.Lock()
	defer p.mu.Unlock()
	var calls []inventory.Calls
	for i, o := range Operations() {
		if o.neededBy(p.needs) || p.calls[i].Requests > 0 {
			calls = append(calls, p.calls[i])
		}
	}
	return calls
}

func (p *Process) count(service, operation string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.calls {
		c := &p.calls[i]
		if c.Service != service || c.Operation != operation {
			continue
		}
		c.Requests++
		if err != nil && !isAnswer(err) {
			c.Errors++
		}
		if err != nil && classify(err) == inventory.ReasonThrottled {
			c.Throttles++
		}
	}
}

// Options are the settings of one account's client.
type Options struct {
	Rate    rate.Limit    // requests a second to this account, retries included
	Timeout time.Duration // for one attempt
}

// Client reads one account.
type Client struct {
	IAM *iam.Client
	STS *sts.Client

	process *Process
}

// Needs returns what the client serves at the moment.
func (c *Client) Needs() Needs { return c.process.Needs() }

// New returns a client for the account that the credentials of cfg belong to.
// It can only send the operations that are needed, and only as fast as
// the account's and the process's token buckets allow.
func New(cfg aws.Config, process *Process, o Options) *Client {
	cfg = cfg.Copy()
	if cfg.Credentials != nil {
		cfg.Credentials = namedFailure{cfg.Credentials}
	}
	pace := newPacer(o.Rate)
	options := func(service string) []func(*middleware.Stack) error {
		return []func(*middleware.Stack) error{
			guard(service, process),
			func(stack *middleware.Stack) error {
				a := &attempt{service: service, operation: stack.ID(), process: process, pace: pace, timeout: o.Timeout}
				return stack.Finalize.Insert(a, "Retry", middleware.After)
			},
		}
	}
	return &Client{
		process: process,
		IAM: iam.NewFromConfig(cfg, func(io *iam.Options) {
			io.Retryer = newRetryer()
			io.APIOptions = append(io.APIOptions, options(ServiceIAM)...)
		}),
		STS: sts.NewFromConfig(cfg, func(so *sts.Options) {
			so.Retryer = newRetryer()
			so.APIOptions = append(so.APIOptions, options(ServiceSTS)...)
		}),
	}
}

// newRetryer is the SDK's standard retryer without its quota: the token
// buckets pace retries like everything else, and a quota spent on one user
// would fail the next.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.None })
}

// guard makes building a request fail for every operation that the table does
// not list as needed, before anything is signed or sent.
func guard(service string, process *Process) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		needs := process.Needs()
		for _, o := range OperationsFor(needs) {
			if o.Service == service && o.Name == stack.ID() {
				return nil
			}
		}
		return fmt.Errorf("refuse %s:%s: not among the operations that source %q may call", service, stack.ID(), needs.Source)
	}
}

// attempt is the middleware around each single attempt: it waits for the token
// buckets, bounds the attempt in time, and counts it.
type attempt struct {
	service, operation string
	process            *Process
	pace               *pacer
	timeout            time.Duration
}

// ID names the middleware for the SDK.
func (a *attempt) ID() string { return "PaceAndCountAttempt" }

// HandleFinalize runs one attempt.
func (a *attempt) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	if err := a.pace.wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("wait for the account's token bucket: %w", err)
	}
	if err := a.process.limiter.Wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("wait for the process's token bucket: %w", err)
	}
	attemptCtx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	out, metadata, err := next.HandleFinalize(attemptCtx, in)
	if err != nil && attemptCtx.Err() != nil && ctx.Err() == nil {
		// The SDK takes a context that ended for the caller's wish to stop, and
		// would not retry.
		err = &timeoutError{after: a.timeout}
	}
	if unsent := new(credentialsError); !errors.As(err, &unsent) { // without credentials nothing was sent
		a.process.count(a.service, a.operation, err)
	}
	if err != nil && classify(err) == inventory.ReasonThrottled {
		a.pace.slowDown(time.Now())
	}
	return out, metadata, err
}

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// Timeout makes the SDK retry.
func (e *timeoutError) Timeout() bool { return true }

// namedFailure marks failures to obtain credentials, which would otherwise
// look like any other error.
type namedFailure struct{ aws.CredentialsProvider }

func (p namedFailure) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &credentialsError{err}
	}
	return c, nil
}

type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
