package awsapi

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// discoveryRate is how many requests a second an organization is asked at most.
// AWS counts them for the whole organization, so that whoever asks a lot is in the
// way of everybody; it answers some operations about ten times a second.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const discoveryRate rate.Limit = 4

// Organization asks which accounts an organization has, with the credentials by
// which a hub assumes the accounts' roles.
type Organization struct {
	API *organizations.Client

	hub         *Hub
	discovery   Discovery
	pace        *pacer // of its own: to be throttled here must not slow down sessions
	credentials *credentials
}

// NewOrganization returns a client for the organization that the hub's credentials
// belong to, or those of its initial role. It can only send the operations that
// the discovery needs.
func NewOrganization(cfg aws.Config, hub *Hub, discovery Discovery) *Organization {
	cfg = cfg.Copy()
	c := &Organization{
		hub: hub, discovery: discovery, credentials: hub.discoverBy(discovery),
		pace: newPacer(min(discoveryRate, hub.shared.limiter.Limit())),
	}
	hub.shared.needDiscovery(discovery)
	cfg.Credentials = c.credentials
	c.API = organizations.NewFromConfig(cfg, func(o *organizations.Options) {
		o.Retryer = newRetryer()
		o.APIOptions = append(o.APIOptions, c.guard, BoundAnswers, c.attempts)
	})
	return c
}

// discoverBy allows the discovery, and returns the credentials that it is made with.
func (h *Hub) discoverBy(discovery Discovery) *credentials {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.discovery = &discovery
	if h.initial == nil {
		return h.credentials
	}
	c := newCredentials(h.initial, func(ctx context.Context) (aws.CredentialsProvider, error) {
		if err := h.renew(ctx); err != nil {
			return nil, err
		}
		h.initial.end()
		return h.initial, nil
	})
	c.remote = true
	return c
}

// ForgetOrganization takes back what NewOrganization has allowed the session of the
// initial role.
func (h *Hub) ForgetOrganization() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.discovery = nil
}

// Discovery returns what the client serves.
func (c *Organization) Discovery() Discovery { return c.discovery }

// Partition returns the partition that the organization is in.
func (c *Organization) Partition() string { return c.hub.partition }

// Pause returns how long the client waits at present between two requests, if it
// sends many.
func (c *Organization) Pause() time.Duration { return c.pace.pause(c.hub.shared) }

// RenewCredentials loads the credentials anew if AWS has refused them, or if
// WantCredentials was called.
func (c *Organization) RenewCredentials(ctx context.Context) error {
	_, err := c.credentials.renew(ctx)
	return err
}

// WantCredentials has RenewCredentials load them anew, because those at hand are not
// the right ones.
func (c *Organization) WantCredentials() {
	c.hub.WantCredentials()
	c.credentials.want()
}

// guard makes building a request fail, before anything is signed or sent, for
// every operation that the discovery does not need.
func (c *Organization) guard(stack *middleware.Stack) error {
	for _, o := range OperationsToDiscover(c.discovery) {
		if o.Name == stack.ID() {
			return nil
		}
	}
	return fmt.Errorf("refuse %s:%s: not among the operations that find accounts", ServiceOrganizations, stack.ID())
}

func (c *Organization) attempts(stack *middleware.Stack) error {
	options := c.API.Options() //nolint:forbidigo // asks AWS nothing
	a := &attempt{
		service: ServiceOrganizations, operation: stack.ID(), shared: c.hub.shared, pace: c.pace, timeout: c.hub.o.Timeout,
		credentials: c.credentials,
		endpoint:    endpointOf(ServiceOrganizations, options.BaseEndpoint, options.EndpointOptions.UseFIPSEndpoint),
	}
	return stack.Finalize.Insert(a, "Retry", middleware.After)
}
