package awsapi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	// sessionDuration is the longest that AWS allows for a role that is assumed by
	// another role's session, and every role allows it.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	sessionDuration = time.Hour
	// A session is renewed this long before its end, or a little later: by chance,
	// so that sessions that began together are not renewed together.
	sessionMargin       = 10 * time.Minute
	sessionMarginJitter = 0.5

	operationAssumeRole = "AssumeRole"
)

// session provides the credentials of an assumed role, renewed before they end.
type session struct {
	client    stscreds.AssumeRoleAPIClient
	arn       string
	accountID string // that the session must be of; empty for any
	external  Secret
	settings  Sessions
	policy    func() (string, error)      // what the session may do at most
	before    func(context.Context) error // a new one begins; nil for nothing
	initial   bool                        // the role is that of the hub itself
	pause     time.Duration               // as that of credentials, where the role is gone

	mu        sync.Mutex
	under     string                // the policy of the session at hand
	cache     *aws.CredentialsCache // nil before the first
	refusal   error                 // why AWS let nobody have the role when that was last tried; nil if it was not so
	refusedAt time.Time
}

func newSession(client stscreds.AssumeRoleAPIClient, arn string, external Secret, settings Sessions, policy func() (string, error)) *session {
	return &session{client: client, arn: arn, external: external, settings: settings, policy: policy}
}

// Retrieve implements aws.CredentialsProvider.
func (s *session) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cache, err := s.current()
	if err != nil {
		return aws.Credentials{}, err
	}
	found, err := cache.Retrieve(ctx)
	if err != nil {
		failed := &roleError{arn: s.arn, initial: s.initial, err: err}
		s.noteRefusal(cache, failed)
		return aws.Credentials{}, failed
	}
	return found, nil
}

// noteRefusal takes in that AWS lets nobody have the role, for the time being. That it
// was busy or silent is another matter.
func (s *session) noteRefusal(by *aws.CredentialsCache, failed *roleError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := failed.reason()
	if by == s.cache && (reason == inventory.ReasonRole || reason == inventory.ReasonOther) {
		s.refusal, s.refusedAt = failed, time.Now()
	}
}

// current returns the session under the policy of the moment: another one if the
// policy is another. It returns an error if that was refused a moment ago.
func (s *session) current() (*aws.CredentialsCache, error) {
	policy, err := s.policy()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cache == nil || s.under != policy:
		begin := stscreds.NewAssumeRoleProvider(s.client, s.arn, s.describe(policy))
		s.under, s.cache = policy, aws.NewCredentialsCache(sessions{begin, s.before, s.accountID}, func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow, o.ExpiryWindowJitterFrac = sessionMargin, sessionMarginJitter
		})
		s.refusal = nil
	case s.refusal != nil && time.Since(s.refusedAt) < s.pause:
		return nil, s.refusal
	}
	return s.cache, nil
}

// sessions begins sessions, whose end is by this machine's clock, which is the one
// that it is compared with. By AWS's, a clock that is an hour ahead would make each
// call begin another session. One of the wrong account is refused here, so that
// nobody keeps it.
type sessions struct {
	aws.CredentialsProvider
	before    func(context.Context) error // nil for nothing
	accountID string                      // empty for any
}

// Retrieve implements aws.CredentialsProvider.
func (p sessions) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if p.before != nil {
		if err := p.before(ctx); err != nil {
			return aws.Credentials{}, err
		}
	}
	found, err := p.CredentialsProvider.Retrieve(ctx)
	if err == nil && p.accountID != "" && found.AccountID != "" && found.AccountID != p.accountID {
		err = &Malformed{What: fmt.Sprintf("the session is of account %s, want account %s", inventory.Shorten(found.AccountID, longestTarget), p.accountID)}
	}
	found.Expires = time.Now().Add(sessionDuration) // the call may have waited long for its turn, but not for its answer
	return found, err
}

func (s *session) describe(policy string) func(*stscreds.AssumeRoleOptions) {
	return func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration, o.Policy = s.settings.Name, sessionDuration, aws.String(policy)
		if s.external != "" {
			o.ExternalID = aws.String(string(s.external))
		}
		if s.settings.SourceIdentity != "" {
			o.SourceIdentity = aws.String(s.settings.SourceIdentity)
		}
	}
}

// end has the next call begin another session.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache = nil
}

// retry has the next call ask for the role, even if it was refused a moment ago.
func (s *session) retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = nil
}

// roleError is a failure to assume a role.
type roleError struct {
	arn     string
	initial bool // it is that of the hub itself
	err     error
}

func (e *roleError) Error() string { return fmt.Sprintf("assume role %s: %v", e.arn, e.err) }
func (e *roleError) Unwrap() error { return e.err }

// RetryableError keeps the SDK from repeating what was repeated already.
func (e *roleError) RetryableError() bool { return false }

// reason classes the failure. AWS says the same of a role that is missing and of
// one that may not be assumed.
func (e *roleError) reason() inventory.Reason {
	if reason := classify(e.err); reason != inventory.ReasonDenied {
		return reason
	}
	return inventory.ReasonRole
}

// detail describes the failure without quoting what AWS sent.
func (e *roleError) detail() string { return fmt.Sprintf("assume role %s: %s", e.arn, detail(e.err)) }

// hint says what a person can do about it.
func (e *roleError) hint() string {
	switch reason := e.reason(); {
	case reason == inventory.ReasonRole:
		return roleHint(e)
	case Code(e.err) == "RegionDisabledException":
		return "activate this region for STS in the account that assumes the role, or set AWS_REGION to another one"
	default:
		return (&Error{Action: actionAssumeRole, Reason: reason, err: e.err}).hint()
	}
}
