package awsapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/semaphore"
)

// LoadCredentials finds out anew where credentials come from, reading the SDK's
// environment and files again.
type LoadCredentials func(context.Context) (aws.CredentialsProvider, error)

// credentials sign a client's requests. The SDK reads some of its files only
// once, so whoever was refused has to load them anew.
type credentials struct {
	load LoadCredentials // nil if there is nothing to load anew
	// remote tells that they are got by calls that are paced as all others are.
	remote bool
	// pause is how long a failure to get others stands before that is tried again:
	// long where many ask for them, else 0.
	pause time.Duration
	// loading is held while others are looked for: who waits is served by what that finds.
	loading *semaphore.Weighted

	mu      sync.Mutex
	current aws.CredentialsProvider
	loads   int       // how often others came, which tells those at hand from those before
	tried   time.Time // when others were last looked for
	refused bool      // AWS did not take them, or there were none
	failure error     // why, or why there are no others; nil if neither is so
	wanted  bool      // to be loaded anew
	key     string    // what KeyInUse returns
}

// newCredentials returns what the provider gives, or, once that is of no use, what is
// loaded anew.
func newCredentials(current aws.CredentialsProvider, load LoadCredentials) *credentials {
	return &credentials{load: load, loading: semaphore.NewWeighted(1), current: current}
}

// lookupPause is how long nobody looks again for what all accounts need and none of
// them could get.
const lookupPause = 5 * time.Second

// Retrieve implements aws.CredentialsProvider. It marks failures, which would
// otherwise look like any other error.
func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	found, err := current.Retrieve(ctx)
	if err != nil {
		return found, &credentialsError{err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = found.AccessKeyID
	if c.remote {
		c.key = "a session of the role" // which is of one account, whichever session it is
	}
	return found, nil
}

// KeyInUse tells whether credentials may have changed: it returns the id of the access
// key that has signed the last request, or what is the same for all sessions of the
// account's role; empty before the first.
func (c *Client) KeyInUse() string {
	c.credentials.mu.Lock()
	defer c.credentials.mu.Unlock()
	return c.credentials.key
}

// prepare gets credentials that calls have to be made for before a request waits
// for its turn: how long those calls wait for theirs must not count as time that
// AWS takes to answer.
func (c *credentials) prepare(ctx context.Context) error {
	if !c.remote {
		return nil
	}
	_, err := c.Retrieve(ctx)
	return err
}

// atHand returns what noteRefusal is to be told of a request that begins now.
func (c *credentials) atHand() (loads int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loads
}

// noteRefusal takes in that those at hand after so many loads are of no use. If they
// were replaced meanwhile, that is known.
func (c *credentials) noteRefusal(loads int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if loads == c.loads {
		c.refused, c.failure = true, err
	}
}

// want has them loaded anew when they are next renewed. It reports whether
// those at hand were refused.
func (c *credentials) want() (refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = true
	return c.refused
}

// wasRefused reports whether AWS has refused those at hand.
func (c *credentials) wasRefused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// renew loads them anew if they were refused, or if that is wanted. Those at
// hand stay if that fails, and a later call tries again: the next one, or the first
// after the pause.
func (c *credentials) renew(ctx context.Context) (renewed bool, err error) {
	if err := c.loading.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("wait for credentials that are being looked for: %w", err)
	}
	defer c.loading.Release(1)
	c.mu.Lock()
	wanted, failure := c.wanted, c.failure
	early := !wanted && time.Since(c.tried) < c.pause
	c.wanted = false // here, since others may come while these are loaded
	c.mu.Unlock()
	switch {
	case c.load == nil || !wanted && failure == nil:
		return false, nil
	case early:
		return false, failure
	}
	provider, err := c.load(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && errors.Is(ctx.Err(), context.Canceled) { // the caller was stopped, which tells nothing about them
		c.wanted = c.wanted || wanted
		return false, &credentialsError{err}
	}
	if c.tried = time.Now(); err != nil {
		c.failure = &credentialsError{err}
		return false, c.failure
	}
	c.current, c.refused, c.failure = provider, false, nil
	c.loads++
	return true, nil
}

// RenewCredentials loads the credentials anew if AWS has refused them, or if
// WantCredentials was called. It reports whether it did, so that they may belong
// to another account now.
func (c *Client) RenewCredentials(ctx context.Context) (renewed bool, err error) {
	return c.credentials.renew(ctx)
}

// WantCredentials has RenewCredentials load them anew, because those at hand are not
// the right ones. It reports whether AWS has refused them, so that there is no sense
// in waiting for that.
func (c *Client) WantCredentials() (refused bool) {
	if c.hub != nil {
		c.hub.WantCredentials()
	}
	return c.credentials.want()
}

// NoteOtherCredentials is WantCredentials if there may be other credentials, and
// nothing is known against those at hand: the session of a role that AWS accepts
// goes on, and only the next one begins with other credentials of the exporter.
func (c *Client) NoteOtherCredentials() (refused bool) {
	if c.hub == nil {
		return c.credentials.want()
	}
	c.hub.WantCredentials()
	return c.credentials.wasRefused()
}

// credentialsError is a failure to obtain credentials.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Advised is an error about which something better can be said than its class
// tells.
type Advised struct {
	Err error
	Say string // what went wrong, if Err does not say it well
	Do  string // what a person can do about it
}

// Error says what went wrong, without the advice.
func (a *Advised) Error() string {
	if a.Say != "" {
		return a.Say
	}
	return a.Err.Error()
}

// Unwrap returns the error itself.
func (a *Advised) Unwrap() error { return a.Err }
