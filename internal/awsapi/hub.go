package awsapi

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// HubOptions are the settings of a Hub.
type HubOptions struct {
	Sessions        Sessions
	Timeout         time.Duration   // for one attempt
	LoadCredentials LoadCredentials // as in Options
}

// Hub gets the credentials of accounts by assuming their roles. It can send
// nothing but AssumeRole, for no other roles than those it was told of. It is
// shared by all accounts, as are its own credentials.
type Hub struct {
	shared      *Shared
	pace        *pacer
	o           HubOptions
	partition   string
	credentials *credentials // the exporter's own
	initial     *session     // of the initial role; nil without one
	own, sts    *sts.Client  // with the exporter's own credentials, and with those that assume the accounts' roles

	mu        sync.Mutex
	roles     map[string]string // the names of roles that may be assumed, by ARN
	discovery *Discovery        // what is asked of the organization; nil for nothing
}

// NewHub returns a hub with the credentials of cfg, which is not used to read any
// account.
func NewHub(cfg aws.Config, shared *Shared, o HubOptions) *Hub {
	cfg = cfg.Copy()
	h := &Hub{
		shared: shared, pace: newPacer(shared.limiter.Limit()), o: o, partition: PartitionOf(cfg.Region),
		credentials: newCredentials(cfg.Credentials, o.LoadCredentials), roles: map[string]string{},
	}
	h.credentials.pause = lookupPause
	shared.needRoles()
	cfg.Credentials = h.credentials
	h.own = h.client(cfg)
	h.sts = h.own
	if arn := o.Sessions.InitialRole; arn != "" {
		h.initial = newSession(h.own, arn, "", o.Sessions, h.initialPolicy)
		h.initial.initial, h.initial.pause, cfg.Credentials = true, lookupPause, h.initial
		h.initial.before = func(ctx context.Context) error { _, err := h.renewOwn(ctx); return err }
		h.sts = h.client(cfg)
	}
	return h
}

func (h *Hub) client(cfg aws.Config) *sts.Client {
	var client *sts.Client
	client = sts.NewFromConfig(cfg, func(so *sts.Options) {
		so.Retryer = newRetryer()
		so.APIOptions = append(so.APIOptions, h.guard, BoundAnswers, func(stack *middleware.Stack) error {
			options := client.Options() //nolint:forbidigo // asks AWS nothing
			a := &attempt{
				service: ServiceSTS, operation: stack.ID(), shared: h.shared, pace: h.pace, timeout: h.o.Timeout, credentials: h.credentials,
				endpoint: endpointOf(ServiceSTS, options.BaseEndpoint, options.EndpointOptions.UseFIPSEndpoint),
			}
			return stack.Finalize.Insert(a, "Retry", middleware.After)
		})
	})
	return client
}

// SetRoles tells which roles may be assumed, beside the initial one: the name of
// each by its ARN.
func (h *Hub) SetRoles(names map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roles = maps.Clone(names)
}

func (h *Hub) mayAssume(arn string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.roles[arn]
	return known || arn == h.o.Sessions.InitialRole && arn != ""
}

// initialPolicy is what the initial role's session may do: assume the accounts'
// roles, and read nothing but which accounts there are, if that is asked.
func (h *Hub) initialPolicy() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.roles))
	for _, name := range h.roles {
		names = append(names, name)
	}
	return HubSessionPolicy(h.o.Sessions, h.partition, names, h.discovery)
}

// AssumeInitialRole begins a session of the initial role, if there is one and none
// has begun yet.
func (h *Hub) AssumeInitialRole(ctx context.Context) error {
	if h.initial == nil {
		return nil
	}
	_, err := h.initial.Retrieve(ctx)
	return Wrap(actionAssumeRole, "the initial role", err)
}

// guard makes building a request fail, before anything is signed or sent, for
// every operation but AssumeRole, and every role but those that are configured.
func (h *Hub) guard(stack *middleware.Stack) error {
	if stack.ID() != operationAssumeRole {
		return fmt.Errorf("refuse %s:%s: roles are all that may be asked for here", ServiceSTS, stack.ID())
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("GuardRole",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			input, ok := in.Parameters.(*sts.AssumeRoleInput)
			if arn := ""; !ok || !h.mayAssume(aws.ToString(input.RoleArn)) {
				if ok {
					arn = aws.ToString(input.RoleArn)
				}
				return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("refuse to assume role %q: the configuration does not name it", arn)
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}

// WantCredentials has the exporter's own credentials loaded anew before the next
// session, or the next list of the organization.
func (h *Hub) WantCredentials() {
	h.credentials.want()
	if h.initial != nil {
		h.initial.retry()
	}
}

// renew is renewOwn, and ends the session of the initial role that began with others.
func (h *Hub) renew(ctx context.Context) error {
	renewed, err := h.renewOwn(ctx)
	if renewed && h.initial != nil {
		h.initial.end()
	}
	return err
}

// renewOwn loads the exporter's own credentials anew if there is reason to. If that
// fails, those at hand may still do, unless AWS has refused them.
func (h *Hub) renewOwn(ctx context.Context) (renewed bool, err error) {
	renewed, err = h.credentials.renew(ctx)
	if err != nil && !h.credentials.wasRefused() {
		return false, nil
	}
	return renewed, err
}

// Assumption says by which role an account's credentials are got.
type Assumption struct {
	Hub       *Hub
	AccountID string
	Role      Role
}

func (a *Assumption) arn() string { return a.Role.ARN(a.Hub.partition, a.AccountID) }

// session returns a new session of the role under the policy of what is needed
// at each moment.
func (a *Assumption) session(needs func() Needs) *session {
	s := newSession(a.Hub.sts, a.arn(), a.Role.ExternalID, a.Hub.o.Sessions, a.policy(needs))
	s.accountID, s.before = a.AccountID, a.Hub.renew
	return s
}

// policy returns the session policy of what is needed. It is asked for before each
// call to AWS, and written anew only where something else is needed.
func (a *Assumption) policy(needs func() Needs) func() (string, error) {
	var mu sync.Mutex
	var last Needs
	var document string // of the last; empty before the first
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		now := needs()
		if document != "" && now == last {
			return document, nil
		}
		written, err := SessionPolicy(now, a.Hub.partition, a.AccountID)
		if err == nil {
			last, document = now, written
		}
		return written, err
	}
}

// load returns a function that begins another session.
func (a *Assumption) load(needs func() Needs) LoadCredentials {
	return func(context.Context) (aws.CredentialsProvider, error) { return a.session(needs), nil }
}
