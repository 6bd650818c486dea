package awsapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	hubID, memberID = "111111111111", "222222222222"

	roleName   = "audit/aws-iam-exporter"
	memberRole = "arn:aws:iam::" + memberID + ":role/" + roleName
	externalID = "s3cr3t-external-id"
)

// members is a realm of two accounts, in the second of which the exporter has a
// role, and a hub that may assume it.
type members struct {
	t      *testing.T
	home   *awssim.World
	member *awssim.World
	realm  *awssim.Realm
	shared *awsapi.Shared
	hub    *awsapi.Hub
}

func newMembers(t *testing.T, sessions awsapi.Sessions) *members {
	t.Helper()
	home, member := awssim.New(awssim.Options{AccountID: hubID}), awssim.New(awssim.Options{AccountID: memberID})
	m := &members{t: t, home: home, member: member, realm: awssim.NewRealm(home, member), shared: awsapi.NewShared(1e6)}
	m.realm.AddRole(member, roleName, externalID)
	sessions.Name = "aws_iam_exporter"
	m.hub = m.newHub(m.realm.Config(), sessions)
	return m
}

func (m *members) newHub(cfg aws.Config, sessions awsapi.Sessions) *awsapi.Hub {
	hub := awsapi.NewHub(cfg, m.shared, awsapi.HubOptions{Sessions: sessions, Timeout: timeout})
	hub.SetRoles(map[string]string{memberRole: roleName})
	return hub
}

// client returns a client for the second account.
func (m *members) client(external awsapi.Secret) *awsapi.Client {
	return awsapi.New(m.realm.Config(), m.shared, awsapi.Options{
		Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1e6, Timeout: timeout,
		Assume: &awsapi.Assumption{Hub: m.hub, AccountID: memberID, Role: awsapi.Role{Name: roleName, ExternalID: external}},
	})
}

// list lists the users by the client.
func list(ctx context.Context, client *awsapi.Client) error {
	_, err := client.IAM.ListUsers(ctx, &iam.ListUsersInput{})
	return awsapi.Wrap("iam:ListUsers", "the account", err)
}

func (m *members) wantAssumed(arn string, want int) {
	m.t.Helper()
	if got := m.realm.Assumed()[arn]; got != want {
		m.t.Errorf("sessions of %s asked for: got %d, want %d", arn, got, want)
	}
}

// TestAssumedRole reads the other account by its role, in as many sessions as hours
// pass, which may do no more than the table lists: the realm enforces their policy.
func TestAssumedRole(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"clocks agree": 0, "ours is ahead": -3 * time.Hour, "ours is behind": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMembers(t, awsapi.Sessions{})
				theirs := awssim.Options{AccountID: hubID, Now: func() time.Time { return time.Now().Add(ahead) }}
				home := awssim.New(theirs)
				theirs.AccountID = memberID
				m.member = awssim.New(theirs)
				m.realm = awssim.NewRealm(home, m.member)
				m.realm.AddRole(m.member, roleName, externalID)
				m.hub = m.newHub(m.realm.Config(), awsapi.Sessions{Name: "aws_iam_exporter"})
				if _, err := m.member.CreateUser("alice", "/", time.Now()); err != nil {
					t.Fatal(err)
				}
				client := m.client(externalID)
				for range 24 * 12 {
					out, err := client.IAM.ListUsers(t.Context(), &iam.ListUsersInput{})
					if err != nil {
						t.Fatal(err)
					}
					if len(out.Users) != 1 || aws.ToString(out.Users[0].Arn) != "arn:aws:iam::"+memberID+":user/alice" {
						t.Fatalf("users: got %v, want alice of the other account", out.Users)
					}
					time.Sleep(5 * time.Minute)
				}
				if n := m.realm.Assumed()[memberRole]; n < 24 || n > 29 { // each is renewed 5 to 10 minutes before its end, at the next call
					t.Errorf("sessions in a day: got %d, want 24 to 29", n)
				}
				for _, c := range m.shared.Calls() {
					if c.Operation == "AssumeRole" && (c.Requests != uint64(m.realm.Assumed()[memberRole]) || c.Errors != 0) {
						t.Errorf("counted: got %+v, want %d without errors", c, m.realm.Assumed()[memberRole])
					}
				}
			})
		})
	}
}

// TestRoleFailures holds what is said of roles that cannot be assumed.
func TestRoleFailures(t *testing.T) {
	const allFour = "AWS says the same if the role is missing, if its trust policy does not let the exporter in, if the external id is wrong, " +
		"and if the exporter itself may not assume it: check all four (`aws_iam_exporter iam-policy --for=member --trust` and `--for=hub` print the policies)"
	denied := "assume role " + memberRole + ": AccessDenied: User: arn:aws:iam::" + hubID +
		":user/exporter is not authorized to perform: sts:AssumeRole on resource: " + memberRole
	answer := func(status int, code, message string) func(*members) {
		return func(m *members) {
			m.realm.SetFault(func(string, int) http.HandlerFunc { return awssim.Error(status, code, message) })
		}
	}
	for name, test := range map[string]struct {
		change func(*members)
		given  awsapi.Secret
		reason inventory.Reason
		want   string
	}{
		"missing":           {func(m *members) { m.realm.RemoveRole(m.member, roleName) }, externalID, inventory.ReasonRole, denied + "; " + allFour},
		"wrong external id": {func(*members) {}, "an0ther-external-id", inventory.ReasonRole, denied + "; " + allFour},
		"a service control policy": {
			answer(403, "AccessDenied", "User: arn:aws:iam::"+hubID+":user/exporter is not authorized to perform: sts:AssumeRole on resource: "+memberRole+" with an explicit deny in a service control policy"),
			externalID, inventory.ReasonRole,
			denied + " with an explicit deny in a service control policy; a statement in a service control policy denies sts:AssumeRole, and no policy that allows it can help: have that statement changed",
		},
		"the region is off": {
			answer(403, "RegionDisabledException", "STS is not activated in this region for account:111111111111."), externalID, inventory.ReasonOther,
			"assume role " + memberRole + ": AWS answered RegionDisabledException (HTTP 403, request …); " +
				"activate this region for STS in the account that assumes the role, or set AWS_REGION to another one",
		},
		"the hub's credentials are over": {
			answer(403, "ExpiredToken", "The security token included in the request is expired"), externalID, inventory.ReasonCredentials,
			"assume role " + memberRole + ": AWS answered ExpiredToken (HTTP 403, request …); " +
				"give the exporter valid credentials, and check the machine's clock",
		},
		"throttled": {
			answer(400, "Throttling", "Rate exceeded"), externalID, inventory.ReasonThrottled,
			"assume role " + memberRole + ": AWS answered Throttling (HTTP 400, request …); the call is repeated more slowly; lower --iam.account-rate if this persists",
		},
		"silent": {
			func(m *members) { m.realm.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() }) }, externalID, inventory.ReasonTimeout,
			"assume role " + memberRole + ": no answer within 10s; check the network to AWS, or raise --iam.timeout",
		},
		"cut off": {
			func(m *members) { m.realm.SetFault(func(string, int) http.HandlerFunc { return awssim.Reset() }) }, externalID, inventory.ReasonNetwork,
			"assume role " + memberRole + ": read tcp: read: connection reset by peer; check DNS, proxy and network to AWS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMembers(t, awsapi.Sessions{})
				test.change(m)
				err := list(t.Context(), m.client(test.given))
				if err == nil {
					t.Fatal("got no error")
				}
				if got := withoutRequestID(err.Error()); got != test.want {
					t.Errorf("error:\ngot  %s\nwant %s", got, test.want)
				}
				if got := awsapi.ReasonOf(err); got != test.reason {
					t.Errorf("reason: got %s, want %s", got, test.reason)
				}
				if shown := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)); strings.Contains(shown, externalID) {
					t.Errorf("the external id shows in %s", shown)
				}
				if n := m.realm.Assumed()[memberRole]; n > 3 {
					t.Errorf("attempts: got %d, want at most 3: the reading must not repeat what the session has repeated", n)
				}
				if calls := m.member.Calls(); len(calls) > 0 {
					t.Errorf("calls without a session: %v", calls)
				}
			})
		})
	}
}

// withoutRequestID replaces what differs from run to run.
func withoutRequestID(text string) string {
	before, rest, found := strings.Cut(text, "request ")
	if !found {
		return text
	}
	_, after, _ := strings.Cut(rest, ")")
	return before + "request …)" + after
}

// TestHubIsGuarded has the hub refuse every operation but one, and every role but
// those it was told of, before anything is sent.
func TestHubIsGuarded(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	sent := 0
	cfg := m.realm.Config()
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		sent++
		return nil, errors.New("nothing may be sent")
	})}
	client := awsapi.STSOf(m.newHub(cfg, awsapi.Sessions{Name: "aws_iam_exporter"}))
	for _, operation := range operationsOf(client) {
		if operation == "AssumeRole" {
			continue
		}
		want := "refuse STS:" + operation + ": roles are all that may be asked for here"
		if err := call(t.Context(), client, operation); err == nil || err.Error() != want {
			t.Errorf("error: got %v, want %s", err, want)
		}
	}
	for _, arn := range []string{"", "arn:aws:iam::" + memberID + ":role/Admin", "arn:aws:iam::333333333333:role/" + roleName} {
		_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(arn), RoleSessionName: aws.String("x1")})
		want := fmt.Sprintf("refuse to assume role %q: the configuration does not name it", arn)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("role %q: got error %v, want %s", arn, err, want)
		}
	}
	if sent > 0 {
		t.Errorf("requests: got %d, want none", sent)
	}
}

// TestSessionFollowsTheNeeds begins another session when more is needed than the
// one at hand may do, and only then.
func TestSessionFollowsTheNeeds(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	client := m.client(externalID)
	for _, step := range []struct {
		tags     awsapi.TagSource
		sessions int
	}{{awsapi.NoTags, 1}, {awsapi.TagsFromAuthorizationDetails, 2}, {awsapi.TagsFromAuthorizationDetails, 2}, {awsapi.NoTags, 3}} {
		client.SetTags(step.tags)
		if step.tags != awsapi.NoTags {
			if _, err := client.IAM.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{}); err != nil {
				t.Errorf("with %s: %v", step.tags, err)
			}
		}
		if err := list(t.Context(), client); err != nil {
			t.Errorf("with %q: %v", step.tags, err)
		}
		m.wantAssumed(memberRole, step.sessions)
	}
}

// TestInitialRole goes through a role of the hub, whose session may do nothing but
// assume the accounts' roles.
func TestInitialRole(t *testing.T) {
	const initial = "arn:aws:iam::" + hubID + ":role/hub"
	home, member := awssim.New(awssim.Options{AccountID: hubID}), awssim.New(awssim.Options{AccountID: memberID})
	m := &members{t: t, member: member, realm: awssim.NewRealm(home, member), shared: awsapi.NewShared(1e6)}
	m.realm.AddRole(home, "hub", "")
	m.realm.AddRole(member, roleName, externalID)
	var mu sync.Mutex
	var policies []string
	cfg := m.realm.Config()
	transport := m.realm.Transport()
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		mu.Lock()
		policies = append(policies, form.Get("Policy"))
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		return transport.RoundTrip(r)
	})}
	m.hub = m.newHub(cfg, awsapi.Sessions{Name: "aws_iam_exporter", InitialRole: initial})
	client := m.client(externalID)
	for range 3 {
		if err := list(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	m.wantAssumed(initial, 1)
	m.wantAssumed(memberRole, 1)
	if calls := home.Calls(); len(calls) > 0 {
		t.Errorf("calls to the hub's account: %v", calls)
	}
	const want = `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::*:role/` + roleName + `"]}]}`
	if len(policies) != 2 || policies[0] != want {
		t.Errorf("policy of the initial role's session:\ngot  %s\nwant %s", policies, want)
	}
}

// TestSessionOfAnotherAccount refuses a session that is not of the account, and begins
// another with the next call.
func TestSessionOfAnotherAccount(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	client := m.client(externalID)
	m.realm.SetFault(func(string, int) http.HandlerFunc {
		return awssim.Raw(http.StatusOK, "text/xml", `<AssumeRoleResponse><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::333333333333:assumed-role/x/y</Arn><AssumedRoleId>AROAX:y</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>`)
	})
	err := list(t.Context(), client)
	const want = "assume role " + memberRole + ": the session is of account 333333333333, want account " + memberID +
		"; check that nothing between here and AWS changes answers"
	if err == nil || err.Error() != want {
		t.Errorf("error:\ngot  %v\nwant %s", err, want)
	}
	if calls := m.member.Calls(); len(calls) > 0 {
		t.Errorf("calls with that session: %v", calls)
	}
	m.realm.SetFault(nil)
	if err := list(t.Context(), client); err != nil {
		t.Errorf("with the right session: %v", err)
	}
}

// TestWaitingForATurnIsNotSlowness has a session begin while the process's turn
// comes so rarely that the wait for it is longer than AWS may take to answer.
func TestWaitingForATurnIsNotSlowness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMembers(t, awsapi.Sessions{})
		m.shared = awsapi.NewShared(rate.Every(30 * time.Second))
		m.hub = m.newHub(m.realm.Config(), awsapi.Sessions{Name: "aws_iam_exporter"})
		client := m.client(externalID)
		began := time.Now()
		for range 2 {
			if err := list(t.Context(), client); err != nil {
				t.Fatal(err)
			}
		}
		if took, want := time.Since(began), time.Minute; took != want {
			t.Errorf("three requests took %s, want %s", took, want)
		}
	})
}

// TestRevokedSession begins another session once AWS accepts the one at hand no
// longer, and the credentials are renewed.
func TestRevokedSession(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	client := m.client(externalID)
	if err := list(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	m.realm.EndSessions()
	err := list(t.Context(), client)
	if got := awsapi.ReasonOf(err); got != inventory.ReasonCredentials {
		t.Errorf("reason: got %s, want %s", got, inventory.ReasonCredentials)
	}
	const want = "call iam:ListUsers for the account: AWS answered ExpiredToken (HTTP 403, request …); " +
		"the session of the account's role has ended before its time; the exporter begins another with the next refresh"
	if got := withoutRequestID(err.Error()); got != want {
		t.Errorf("error:\ngot  %s\nwant %s", got, want)
	}
	if renewed, err := client.RenewCredentials(t.Context()); err != nil || !renewed {
		t.Errorf("renewed: got %t, %v, want true", renewed, err)
	}
	if err := list(t.Context(), client); err != nil {
		t.Error(err)
	}
	m.wantAssumed(memberRole, 2)
}

// TestSecretsShowNowhere formats a role in every way that logs and errors do.
func TestSecretsShowNowhere(t *testing.T) {
	role := awsapi.Role{Name: roleName, ExternalID: externalID}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, role); strings.Contains(got, externalID) || strings.Contains(got, fmt.Sprintf("%x", externalID)) {
			t.Errorf("%s: got %s", verb, got)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a role", "role", role, "id", role.ExternalID)
	slog.New(slog.NewTextHandler(&log, nil)).Info("a role", "role", role, "id", role.ExternalID)
	if strings.Contains(log.String(), externalID) || strings.Count(log.String(), "(hidden)") != 4 {
		t.Errorf("logged: %s", log.String())
	}
}

// TestASessionThatEndsWhileWaiting has calls wait for their turn for longer than a
// session lasts. None of them counts that as a failure of the credentials.
func TestASessionThatEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMembers(t, awsapi.Sessions{})
		m.shared = awsapi.NewShared(rate.Every(2 * time.Minute))
		m.hub = m.newHub(m.realm.Config(), awsapi.Sessions{Name: "aws_iam_exporter"})
		client := m.client(externalID)
		var calls sync.WaitGroup
		for range 100 { // in a queue of more than three hours
			calls.Go(func() {
				if err := list(t.Context(), client); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if n := m.realm.Assumed()[memberRole]; n > 5 {
			t.Errorf("sessions: got %d, want one an hour", n)
		}
	})
}

// TestOtherCredentials begins another session where the one at hand is not the right
// one, and none where the exporter may have other credentials by now.
func TestOtherCredentials(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	client := m.client(externalID)
	for i, step := range []struct {
		change   func() bool
		renewed  bool
		sessions int
	}{
		{func() bool { return false }, false, 1},
		{client.NoteOtherCredentials, false, 1},
		{client.WantCredentials, true, 2},
	} {
		if refused := step.change(); refused {
			t.Errorf("step %d: refused, want none refused", i)
		}
		if renewed, err := client.RenewCredentials(t.Context()); err != nil || renewed != step.renewed {
			t.Errorf("step %d: renewed: got %t, %v, want %t", i, renewed, err, step.renewed)
		}
		if err := list(t.Context(), client); err != nil {
			t.Error(err)
		}
		m.wantAssumed(memberRole, step.sessions)
	}
}

// TestCredentialsThatChangeWhileLoaded are loaded once more.
func TestCredentialsThatChangeWhileLoaded(t *testing.T) {
	m := newMembers(t, awsapi.Sessions{})
	var client *awsapi.Client
	loads := 0
	client = awsapi.New(m.realm.Config(), m.shared, awsapi.Options{LoadCredentials: func(context.Context) (aws.CredentialsProvider, error) {
		if loads++; loads == 1 {
			client.NoteOtherCredentials() // which this loading may have missed
		}
		return m.realm.Config().Credentials, nil
	}})
	client.WantCredentials()
	for range 3 {
		if _, err := client.RenewCredentials(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if loads != 2 {
		t.Errorf("loaded %d times, want 2", loads)
	}
}
