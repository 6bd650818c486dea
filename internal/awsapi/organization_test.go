package awsapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const hubRole = "arn:aws:iam::" + hubID + ":role/hub"

// organize puts both accounts into an organization that the first one manages.
func (m *members) organize() *awssim.Organization {
	organization := awssim.NewOrganization("o-exampleorgid", hubID)
	organization.SetMembers(
		awssim.Member{ID: hubID, Name: "hub", State: "ACTIVE", Units: []string{"ou-ab12-34567890"}},
		awssim.Member{ID: memberID, Name: "member", State: "ACTIVE"},
	)
	organization.NameUnit("ou-ab12-34567890", "Security")
	m.realm.SetOrganization(organization)
	return organization
}

// everyDiscovery is all that may be asked.
func everyDiscovery() awsapi.Discovery { return awsapi.Discovery{Tags: true, UnitNames: true} }

// discover calls every operation once.
func discover(ctx context.Context, client *awsapi.Organization) error {
	_, err := client.API.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil {
		return awsapi.Wrap("organizations:DescribeOrganization", "the organization", err)
	}
	if err := listAccounts(ctx, client); err != nil {
		return err
	}
	_, err = client.API.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: aws.String(memberID)})
	if err != nil {
		return awsapi.Wrap("organizations:ListTagsForResource", "account "+memberID, err)
	}
	_, err = client.API.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: aws.String("ou-ab12-34567890")})
	return awsapi.Wrap("organizations:DescribeOrganizationalUnit", "unit ou-ab12-34567890", err)
}

func listAccounts(ctx context.Context, client *awsapi.Organization) error {
	_, err := client.API.ListAccounts(ctx, &organizations.ListAccountsInput{})
	return awsapi.Wrap("organizations:ListAccounts", "the organization", err)
}

// TestOrganizationIsGuarded refuses every operation but those that are needed,
// before anything is sent.
func TestOrganizationIsGuarded(t *testing.T) {
	for _, discovery := range []awsapi.Discovery{{}, {Tags: true}, {UnitNames: true}, everyDiscovery()} {
		t.Run(fmt.Sprintf("%+v", discovery), func(t *testing.T) {
			m := newMembers(t, awsapi.Sessions{})
			sent := 0
			cfg := m.realm.Config()
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				sent++
				return nil, errors.New("nothing may be sent")
			})}
			allowed := map[string]bool{}
			for _, o := range awsapi.OperationsToDiscover(discovery) {
				allowed[o.Name] = true
			}
			client := awsapi.NewOrganization(cfg, m.hub, discovery)
			for _, operation := range operationsOf(client.API) {
				if allowed[operation] {
					delete(allowed, operation)
					continue
				}
				want := "refuse Organizations:" + operation + ": not among the operations that find accounts"
				if err := call(t.Context(), client.API, operation); err == nil || err.Error() != want {
					t.Errorf("error: got %v, want %s", err, want)
				}
			}
			if sent > 0 || len(allowed) > 0 {
				t.Errorf("got %d requests, and %v is not among the SDK's operations; want none of both", sent, allowed)
			}
		})
	}
}

// TestDiscoveryByOwnCredentials asks for everything, and counts it.
func TestDiscoveryByOwnCredentials(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	m.organize()
	if err := discover(t.Context(), awsapi.NewOrganization(m.realm.Config(), m.hub, everyDiscovery())); err != nil {
		t.Fatal(err)
	}
	want := []inventory.Calls{
		{Service: "STS", Operation: "AssumeRole"},
		{Service: "Organizations", Operation: "DescribeOrganization", Requests: 1},
		{Service: "Organizations", Operation: "ListAccounts", Requests: 1},
		{Service: "Organizations", Operation: "ListTagsForResource", Requests: 1},
		{Service: "Organizations", Operation: "DescribeOrganizationalUnit", Requests: 1},
	}
	if diff := cmp.Diff(want, m.shared.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestDiscoveryByTheInitialRole allows its session what discovery needs and no
// more, which the realm enforces, and begins another session once AWS accepts the
// one at hand no longer.
func TestDiscoveryByTheInitialRole(t *testing.T) {
	sessions := awsapi.Sessions{Name: "aws_iam_exporter", InitialRole: hubRole}
	m := newMembers(t, sessions)
	m.organize()
	m.realm.AddRole(m.home, "hub", "")
	client := awsapi.NewOrganization(m.realm.Config(), m.hub, everyDiscovery())
	for range 3 {
		if err := discover(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	m.wantAssumed(hubRole, 1)
	m.realm.EndSessions()
	err := discover(t.Context(), client)
	if got := awsapi.ReasonOf(err); got != inventory.ReasonCredentials {
		t.Errorf("reason: got %s (%v), want %s", got, err, inventory.ReasonCredentials)
	}
	if err := errors.Join(client.RenewCredentials(t.Context()), discover(t.Context(), client)); err != nil {
		t.Error(err)
	}
	m.wantAssumed(hubRole, 2)
	if err := list(t.Context(), m.client(externalID)); err != nil {
		t.Errorf("read an account by the same session: %v", err)
	}
	m.wantAssumed(hubRole, 2)
}

// TestForgottenOrganization takes back what the initial role's session may ask.
func TestForgottenOrganization(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{Name: "aws_iam_exporter", InitialRole: hubRole})
	m.organize()
	m.realm.AddRole(m.home, "hub", "")
	client := awsapi.NewOrganization(m.realm.Config(), m.hub, everyDiscovery())
	if err := discover(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	m.hub.ForgetOrganization()
	if got := awsapi.ReasonOf(discover(t.Context(), client)); got != inventory.ReasonDenied {
		t.Errorf("reason: got %s, want %s", got, inventory.ReasonDenied)
	}
	if err := list(t.Context(), m.client(externalID)); err != nil {
		t.Errorf("read an account: %v", err)
	}
}

// TestDiscoveryFailures holds what is said if accounts cannot be found.
func TestDiscoveryFailures(t *testing.T) {
	const (
		whose   = "give credentials, or an initial role, of the organization's management account or of a delegated administrator"
		printed = " (`aws_iam_exporter iam-policy --for=hub` prints the policy)"
		only    = "AWS answers this only to the management account and to delegated administrators, and only if a policy allows organizations:ListAccounts: " + whose + printed
		user    = "User: arn:aws:iam::" + hubID + ":user/exporter is not authorized to perform: organizations:ListAccounts on resource: *"
		called  = "call organizations:ListAccounts for the organization: "
	)
	answer := func(status int, code, message string) http.HandlerFunc {
		return awssim.JSONError(status, code, message)
	}
	for name, test := range map[string]struct {
		fault  http.HandlerFunc
		reason inventory.Reason
		want   string
	}{
		"not the management account": {
			answer(400, "AccessDeniedException", "You don't have permissions to access this resource."), inventory.ReasonDenied,
			called + "AccessDeniedException; " + only,
		},
		"no policy": {
			answer(400, "AccessDeniedException", user+" because no identity-based policy allows the organizations:ListAccounts action"), inventory.ReasonDenied,
			called + "AccessDeniedException: " + user + " because no identity-based policy allows the organizations:ListAccounts action; allow organizations:ListAccounts" + printed,
		},
		"a service control policy": {
			answer(400, "AccessDeniedException", user+" with an explicit deny in a service control policy"), inventory.ReasonDenied,
			called + "AccessDeniedException: " + user + " with an explicit deny in a service control policy; " +
				"a statement in a service control policy denies organizations:ListAccounts, and no policy that allows it can help: have that statement changed",
		},
		"no organization": {
			answer(400, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."), inventory.ReasonDenied,
			called + "AWSOrganizationsNotInUseException; the account that asked is in no organization: " + whose,
		},
		"throttled": {
			answer(400, "TooManyRequestsException", "AWS Organizations can't complete your request because another request is already in progress. Try again later."), inventory.ReasonThrottled,
			called + "AWS answered TooManyRequestsException (HTTP 400, request …); the call is repeated more slowly, and the next discovery asks again; others in the organization may be asking a lot",
		},
		"their own error": {
			answer(500, "ServiceException", "AWS Organizations can't complete your request because of an internal service error. Try again later."), inventory.ReasonServer,
			called + "AWS answered ServiceException (HTTP 500, request …); the exporter asks again; see AWS's health dashboard if this persists",
		},
		"expired": {
			answer(400, "ExpiredTokenException", "The security token included in the request is expired"), inventory.ReasonCredentials,
			called + "AWS answered ExpiredTokenException (HTTP 400, request …); give the exporter valid credentials, and check the machine's clock",
		},
		"no JSON": {
			awssim.Raw(200, "application/x-amz-json-1.1", "<html>"), inventory.ReasonMalformed,
			called + "the answer is not what Organizations sends (HTTP 200, request …); check that nothing between here and AWS changes answers",
		},
		"silent": {awssim.Hang(), inventory.ReasonTimeout, called + "no answer within 10s; check the network to AWS, or raise --iam.timeout"},
		"cut off": {
			awssim.Reset(), inventory.ReasonNetwork,
			called + "read tcp: read: connection reset by peer; check DNS, proxy and network to AWS",
		},
		"too long": {
			awssim.Raw(200, "application/x-amz-json-1.1", string(make([]byte, 300<<10))), inventory.ReasonMalformed,
			called + "the answer has more than 262144 bytes: expected fewer; check that nothing between here and AWS changes answers",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMembers(t, awsapi.Sessions{})
				m.organize().SetFault(func(string, int) http.HandlerFunc { return test.fault })
				err := listAccounts(t.Context(), awsapi.NewOrganization(m.realm.Config(), m.hub, awsapi.Discovery{}))
				if err == nil {
					t.Fatal("got no error")
				}
				if got := withoutRequestID(err.Error()); got != test.want {
					t.Errorf("error:\ngot  %s\nwant %s", got, test.want)
				}
				if got := awsapi.ReasonOf(err); got != test.reason {
					t.Errorf("reason: got %s, want %s", got, test.reason)
				}
			})
		})
	}
}

// TestDiscoveryWithoutAnOrganization asks with credentials of an account that is in
// none, and of one that may not list.
func TestDiscoveryWithoutAnOrganization(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	client := awsapi.NewOrganization(m.realm.Config(), m.hub, awsapi.Discovery{})
	if got := awsapi.Code(discover(t.Context(), client)); got != "AWSOrganizationsNotInUseException" {
		t.Errorf("no organization: got code %q", got)
	}
	elsewhere := awssim.NewOrganization("o-exampleorgid", memberID)
	elsewhere.SetMembers(awssim.Member{ID: memberID}, awssim.Member{ID: hubID})
	m.realm.SetOrganization(elsewhere)
	if got := awsapi.Code(discover(t.Context(), client)); got != "AccessDeniedException" {
		t.Errorf("a member without a delegation: got code %q", got)
	}
	elsewhere.Delegate(hubID)
	if err := listAccounts(t.Context(), client); err != nil {
		t.Errorf("a delegated administrator: %v", err)
	}
}

// TestDiscoveryIsPaced asks no faster than other users of the organization can bear,
// and has its being throttled slow down nothing else.
func TestDiscoveryIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMembers(t, awsapi.Sessions{})
		organization := m.organize()
		client := awsapi.NewOrganization(m.realm.Config(), m.hub, awsapi.Discovery{})
		began := time.Now()
		for range 44 {
			if err := listAccounts(t.Context(), client); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("44 requests took %s, want 10s at 4 a second after the first 4", took)
		}
		organization.SetFault(func(string, int) http.HandlerFunc {
			return awssim.JSONError(400, "TooManyRequestsException", "")
		})
		if got := awsapi.ReasonOf(listAccounts(t.Context(), client)); got != inventory.ReasonThrottled {
			t.Errorf("reason: got %s, want %s", got, inventory.ReasonThrottled)
		}
		if got := client.Pause(); got < 500*time.Millisecond {
			t.Errorf("pause after throttling: got %s, want 500ms or more", got)
		}
		began = time.Now()
		if err := list(t.Context(), m.client(externalID)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("a session began after %s, want at once", took)
		}
	})
}

// TestOrganizationsAreAskedWhereTheyAre asks in the one region of each partition that
// answers, whichever the configuration names.
func TestOrganizationsAreAskedWhereTheyAre(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "organizations.us-east-1.amazonaws.com", "eu-west-1": "organizations.us-east-1.amazonaws.com",
		"us-gov-east-1": "organizations.us-gov-west-1.amazonaws.com", "cn-north-1": "organizations.cn-northwest-1.amazonaws.com.cn",
	} {
		m := newMembers(t, awsapi.Sessions{})
		m.organize()
		var host string
		cfg := m.realm.Config()
		transport := m.realm.Transport()
		cfg.Region = region
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return transport.RoundTrip(r)
		})}
		if err := listAccounts(t.Context(), awsapi.NewOrganization(cfg, m.hub, awsapi.Discovery{})); err != nil || host != want {
			t.Errorf("%s: got host %q, error %v; want host %q", region, host, err, want)
		}
	}
}
