package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
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

// Shared is what all clients of this process share: one token bucket, because
// accounts may share AWS's limits, and the counts of calls.
type Shared struct {
	limiter *rate.Limiter

	mu     sync.Mutex
	calls  []inventory.Calls // of each operation in the table
	needed []bool            // by a client, now or before
}

// NewShared returns the shared part for clients that together send at most
// limit requests a second.
func NewShared(limit rate.Limit) *Shared {
	s := &Shared{limiter: newLimiter(limit)}
	for _, o := range Operations() {
		s.calls = append(s.calls, inventory.Calls{Service: o.Service, Operation: o.Name})
	}
	s.needed = make([]bool, len(s.calls))
	return s
}

// Calls returns the requests sent so far, retries included: one entry for each
// operation that a client needs, or did before, in the order of the table.
func (s *Shared) Calls() []inventory.Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []inventory.Calls
	for i, needed := range s.needed {
		if needed {
			calls = append(calls, s.calls[i])
		}
	}
	return calls
}

func (s *Shared) need(needs Needs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range Operations() {
		s.needed[i] = s.needed[i] || o.neededBy(needs)
	}
}

// needRoles has the calls that assume roles shown.
func (s *Shared) needRoles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range Operations() {
		s.needed[i] = s.needed[i] || o.Roles
	}
}

// needDiscovery has the calls that find accounts shown.
func (s *Shared) needDiscovery(d Discovery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range Operations() {
		s.needed[i] = s.needed[i] || o.neededToDiscover(d)
	}
}

func (s *Shared) count(service, operation string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.calls {
		c := &s.calls[i]
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
	Needs   Needs         // which operations the guard lets through
	Rate    rate.Limit    // requests a second to this account, retries included
	Timeout time.Duration // for one attempt
	// LoadCredentials finds other credentials when AWS refuses those at hand;
	// nil if there can be no others.
	LoadCredentials LoadCredentials
	// Assume says by which role the credentials are got, in place of those of the
	// configuration; nil for those. LoadCredentials is not used then.
	Assume *Assumption
}

// Client reads one account.
type Client struct {
	IAM *iam.Client
	STS *sts.Client

	shared      *Shared
	pace        *pacer
	timeout     time.Duration
	credentials *credentials
	hub         *Hub // that assumes the account's role; nil without one

	mu    sync.Mutex
	needs Needs
}

// New returns a client for the account that the credentials of cfg belong to, or
// for the account whose role is to be assumed. It can only send the operations that
// are needed, and only as fast as the account's token bucket and the shared one allow.
func New(cfg aws.Config, shared *Shared, o Options) *Client {
	cfg = cfg.Copy()
	own := newCredentials(cfg.Credentials, o.LoadCredentials)
	c := &Client{shared: shared, pace: newPacer(o.Rate), timeout: o.Timeout, credentials: own, needs: o.Needs}
	if a := o.Assume; a != nil {
		c.hub = a.Hub
		own.load, own.current, own.remote = a.load(c.Needs), a.session(c.Needs), true
	}
	if own.current != nil {
		cfg.Credentials = own
	}
	shared.need(o.Needs)
	c.IAM = iam.NewFromConfig(cfg, func(io *iam.Options) {
		io.Retryer = newRetryer()
		io.APIOptions = append(io.APIOptions, c.middleware(ServiceIAM)...)
	})
	c.STS = sts.NewFromConfig(cfg, func(so *sts.Options) {
		so.Retryer = newRetryer()
		so.APIOptions = append(so.APIOptions, c.middleware(ServiceSTS)...)
	})
	return c
}

// Needs returns what the client serves at the moment.
func (c *Client) Needs() Needs {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.needs
}

// SetTags changes where tags come from, and with it which operations the guard
// lets through.
func (c *Client) SetTags(tags TagSource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.needs.Tags = tags
	c.shared.need(c.needs)
}

func (c *Client) middleware(service string) []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{
		c.guard(service),
		BoundAnswers,
		func(stack *middleware.Stack) error {
			a := &attempt{
				service: service, operation: stack.ID(), shared: c.shared, pace: c.pace, timeout: c.timeout,
				credentials: c.credentials, endpoint: c.endpointOf(service),
			}
			return stack.Finalize.Insert(a, "Retry", middleware.After)
		},
	}
}

// endpointOf says what to check about the service's endpoint.
func (c *Client) endpointOf(service string) string {
	if service == ServiceSTS {
		options := c.STS.Options() //nolint:forbidigo // asks AWS nothing
		return endpointOf(service, options.BaseEndpoint, options.EndpointOptions.UseFIPSEndpoint)
	}
	options := c.IAM.Options() //nolint:forbidigo // asks AWS nothing
	return endpointOf(service, options.BaseEndpoint, options.EndpointOptions.UseFIPSEndpoint)
}

// endpointOf says what to check about an endpoint if it comes from a setting;
// otherwise nothing.
func endpointOf(service string, base *string, fips aws.FIPSEndpointState) string {
	switch {
	case base != nil:
		address := "which is no URL"
		if u, err := url.Parse(*base); err == nil {
			address = scrub(u.Redacted())
		}
		return fmt.Sprintf("check the endpoint %s: AWS_ENDPOINT_URL_%s, AWS_ENDPOINT_URL or endpoint_url of the profile sets it", address, strings.ToUpper(service))
	case fips == aws.FIPSEndpointStateEnabled:
		return fmt.Sprintf("check that %s has a FIPS endpoint in the region: AWS_USE_FIPS_ENDPOINT or use_fips_endpoint of the profile asks for it, and most regions have none", service)
	}
	return ""
}

// newRetryer is the SDK's standard retryer without its quota: the token
// buckets pace retries like everything else, and a quota spent on one user
// would fail the next.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.RateLimiter = ratelimit.None })
}

// guard makes building a request fail for every operation that the table does
// not list as needed, before anything is signed or sent.
func (c *Client) guard(service string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		needs := c.Needs()
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
	shared             *Shared
	pace               *pacer
	timeout            time.Duration
	credentials        *credentials
	endpoint           string // what to check about a configured one; empty if it is AWS's own
}

// ID names the middleware for the SDK.
func (a *attempt) ID() string { return "PaceAndCountAttempt" }

// HandleFinalize runs one attempt.
func (a *attempt) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	loads := a.credentials.atHand()
	if err := a.credentials.prepare(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, a.noteFailure(ctx, loads, err)
	}
	if err := a.pace.wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("wait for the account's token bucket: %w", err)
	}
	if err := a.shared.limiter.Wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("wait for the process's token bucket: %w", err)
	}
	loads = a.credentials.atHand()
	if err := a.credentials.prepare(ctx); err != nil { // again: that wait can outlast a session
		return middleware.FinalizeOutput{}, middleware.Metadata{}, a.noteFailure(ctx, loads, err)
	}
	attemptCtx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	out, metadata, err := next.HandleFinalize(attemptCtx, in)
	late := err != nil && attemptCtx.Err() != nil && ctx.Err() == nil
	unsent := new(credentialsError)
	switch {
	case errors.As(err, &unsent) && late:
		err = &credentialsError{fmt.Errorf("where they come from gave no answer within %s", a.timeout)}
	case errors.As(err, &unsent): // without credentials nothing was sent
	case late:
		// The SDK takes a context that ended for the caller's wish to stop, and
		// would not retry.
		err = &timeoutError{after: a.timeout}
		a.shared.count(a.service, a.operation, err)
	default:
		a.shared.count(a.service, a.operation, err)
	}
	return out, metadata, a.noteFailure(ctx, loads, err)
}

// noteFailure does what follows from the class of a failure of a request that began
// after so many loads of credentials, and adds what is known about its cause.
func (a *attempt) noteFailure(ctx context.Context, loads int, err error) error {
	if err == nil {
		return nil
	}
	switch classify(err) {
	case inventory.ReasonThrottled:
		a.pace.slowDown(time.Now())
	case inventory.ReasonCredentials:
		if ctx.Err() == nil { // else the caller does not want it any more, which tells nothing about them
			a.credentials.noteRefusal(loads, err)
		}
		if role := new(roleError); a.credentials.remote && !errors.As(err, &role) {
			return &Advised{Err: err, Do: "the session of the account's role has ended before its time; the exporter begins another with the next refresh"}
		}
	case inventory.ReasonNetwork, inventory.ReasonTimeout:
		if a.endpoint != "" {
			return &Advised{Err: err, Do: a.endpoint}
		}
	}
	return err
}

type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// Timeout makes the SDK retry.
func (e *timeoutError) Timeout() bool { return true }
