package awsapi_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// failure is how a call goes wrong in a test.
type failure struct {
	fault     http.HandlerFunc                               // the answer, or
	transport func(r *http.Request) (*http.Response, error)  // what becomes of the request, or
	provider  func(context.Context) (aws.Credentials, error) // of the credentials
}

// askAbout calls GetLoginProfile about alice, with the failure in the way.
func (f failure) askAbout(t *testing.T) (attempts int, err error) {
	world := awssim.New(awssim.Options{})
	world.SetFault(func(string, int) http.HandlerFunc { return f.fault })
	cfg := world.Config()
	inner := world.Transport()
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		attempts++
		if f.transport != nil {
			return f.transport(r)
		}
		return inner.RoundTrip(r)
	})}
	if f.provider != nil {
		cfg.Credentials = aws.CredentialsProviderFunc(f.provider)
	}
	_, err = newClient(cfg, awsapi.SourceLive).IAM.GetLoginProfile(t.Context(), &iam.GetLoginProfileInput{UserName: aws.String("alice")})
	return attempts, awsapi.Wrap("iam:GetLoginProfile", "user alice", err)
}

func answered(status int, code, message string) failure {
	return failure{fault: awssim.Error(status, code, message)}
}

func sent(err error) failure {
	return failure{transport: func(*http.Request) (*http.Response, error) { return nil, err }}
}

func dial(err error) *net.OpError {
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

const (
	secretToken = "FwoGZXIvYXdzEEcaDNOTTOBEPRINTED"
	signature   = "The request signature we calculated does not match. The Canonical String for this request should have been 'POST / x-amz-security-token:" + secretToken + "'"

	again       = "; the exporter asks again"
	health      = "; the exporter asks again; see AWS's health dashboard if this persists"
	credentials = "; give the exporter valid credentials of this account, and check the machine's clock"
	noKeys      = "; give the exporter credentials: by AWS_ environment variables, a profile in ~/.aws, or a role of its machine or pod"
	assume      = "; let these credentials assume the role: by a policy of theirs and by the role's trust policy"
	allow       = "; allow iam:GetLoginProfile (`aws_iam_exporter iam-policy` with the same flags prints the policy)"
	slower      = "; the call is repeated more slowly; lower --iam.account-rate if this persists"
	network     = "; check DNS, proxy and network to AWS"
	later       = "; check the network to AWS, or raise --iam.timeout"
	tampered    = "; check that nothing between here and AWS changes answers"
	fourHours   = "; AWS makes a report at most every four hours; the exporter asks again"
)

var requestID = regexp.MustCompile(`request [0-9a-f-]{36}`)

// TestFailures sends each failure through the SDK, its retries included.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		failure  failure
		reason   inventory.Reason
		code     string
		attempts int
		text     string // after "call iam:GetLoginProfile for user alice: "
	}{
		"throttled":              {answered(400, "Throttling", "Rate exceeded"), inventory.ReasonThrottled, "Throttling", 3, "AWS answered Throttling (HTTP 400, request ID)" + slower},
		"throttled, JSON":        {answered(400, "ThrottlingException", ""), inventory.ReasonThrottled, "ThrottlingException", 3, "AWS answered ThrottlingException (HTTP 400, request ID)" + slower},
		"too many requests":      {answered(429, "TooManyRequestsException", ""), inventory.ReasonThrottled, "TooManyRequestsException", 3, "AWS answered TooManyRequestsException (HTTP 429, request ID)" + slower},
		"request limit exceeded": {answered(503, "RequestLimitExceeded", ""), inventory.ReasonThrottled, "RequestLimitExceeded", 3, "AWS answered RequestLimitExceeded (HTTP 503, request ID)" + slower},

		"denied": {answered(403, "AccessDenied", "User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetLoginProfile on resource: user alice"), inventory.ReasonDenied, "AccessDenied", 1, "AccessDenied: User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetLoginProfile on resource: user alice" + allow},
		"denied, lines": {
			answered(403, "AccessDenied", " User: arn:aws:iam::123456789012:user/exporter is not\n\tauthorized to perform: iam:GetLoginProfile "), inventory.ReasonDenied, "AccessDenied", 1,
			"AccessDenied: User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetLoginProfile" + allow,
		},
		"denied, JSON":      {answered(400, "AccessDeniedException", "no"), inventory.ReasonDenied, "AccessDeniedException", 1, "AccessDeniedException" + allow},
		"denied, at length": {answered(403, "AccessDenied", strings.Repeat("no ", 1000)), inventory.ReasonDenied, "AccessDenied", 1, "AccessDenied" + allow},
		"denied, key id":    {answered(403, "AccessDenied", "not on AKIAIOSFODNN7EXAMPLE nor 0ZZ9X9XXXXXXXXXX0000"), inventory.ReasonDenied, "AccessDenied", 1, "AccessDenied" + allow},
		"denied, in a name": {
			answered(403, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/ASIAIOSFODNN7EXAMPLF/0ZZ9X9XXXXXXXXXX0000 is not authorized to perform: iam:GetLoginProfile on resource: user AKIAIOSFODNN7EXAMPLE but AKIASHORT stays"),
			inventory.ReasonDenied, "AccessDenied", 1,
			"AccessDenied: User: arn:aws:sts::123456789012:assumed-role/ASIA…MPLF/…0000 is not authorized to perform: iam:GetLoginProfile on resource: user AKIA…MPLE" + allow,
		},
		"denied, quoting the request": {
			answered(403, "AccessDenied", "User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetLoginProfile on resource: user alice because no identity-based policy allows the iam:GetLoginProfile action. "+signature),
			inventory.ReasonDenied, "AccessDenied", 1,
			"AccessDenied: User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetLoginProfile on resource: user alice because no identity-based policy allows the iam:GetLoginProfile action" + allow,
		},
		"denied, nothing but the request": {answered(403, "AccessDenied", signature), inventory.ReasonDenied, "AccessDenied", 1, "AccessDenied" + allow},

		"code of a megabyte":       {answered(403, "AccessDenied"+strings.Repeat("d", 1<<20), ""), inventory.ReasonMalformed, "", 1, "the answer has more than 262144 bytes: expected fewer" + tampered},
		"code of 100 kB":           {answered(403, "AccessDenied"+strings.Repeat("d", 1e5), ""), inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 403, request ID)" + tampered},
		"code that is an id":       {answered(403, "0ZZ9X9XXXXXXXXXX0000", ""), inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 403, request ID)" + tampered},
		"code that is a token":     {answered(403, secretToken, ""), inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 403, request ID)" + tampered},
		"request id of 100 kB":     {failure{fault: oddRequestID(strings.Repeat("f", 1e5))}, inventory.ReasonThrottled, "Throttling", 3, "AWS answered Throttling (HTTP 400)" + slower},
		"request id that is an id": {failure{fault: oddRequestID("0ZZ9X9XXXXXXXXXX0000")}, inventory.ReasonThrottled, "Throttling", 3, "AWS answered Throttling (HTTP 400)" + slower},

		"unknown key":       {answered(403, "InvalidClientTokenId", "The security token included in the request is invalid."), inventory.ReasonCredentials, "InvalidClientTokenId", 1, "AWS answered InvalidClientTokenId (HTTP 403, request ID)" + credentials},
		"expired":           {answered(403, "ExpiredToken", "expired"), inventory.ReasonCredentials, "ExpiredToken", 1, "AWS answered ExpiredToken (HTTP 403, request ID)" + credentials},
		"expired, JSON":     {answered(400, "ExpiredTokenException", "expired"), inventory.ReasonCredentials, "ExpiredTokenException", 1, "AWS answered ExpiredTokenException (HTTP 400, request ID)" + credentials},
		"wrong signature":   {answered(403, "SignatureDoesNotMatch", signature), inventory.ReasonCredentials, "SignatureDoesNotMatch", 1, "AWS answered SignatureDoesNotMatch (HTTP 403, request ID)" + credentials},
		"unsigned":          {answered(403, "MissingAuthenticationToken", ""), inventory.ReasonCredentials, "MissingAuthenticationToken", 1, "AWS answered MissingAuthenticationToken (HTTP 403, request ID)" + credentials},
		"unrecognized":      {answered(400, "UnrecognizedClientException", ""), inventory.ReasonCredentials, "UnrecognizedClientException", 1, "AWS answered UnrecognizedClientException (HTTP 400, request ID)" + credentials},
		"no credentials":    {failure{provider: failing(errors.New("no EC2 IMDS role found"))}, inventory.ReasonCredentials, "", 0, "no usable credentials were found: no EC2 IMDS role found" + noKeys},
		"role not assumed":  {failure{provider: failing(assuming("AccessDenied", "User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/reader"))}, inventory.ReasonCredentials, "AccessDenied", 0, "AccessDenied: User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/reader" + assume},
		"role, no code":     {failure{provider: failing(assuming(secretToken, signature))}, inventory.ReasonCredentials, "", 0, "AWS answered with an error" + credentials},
		"role, signature":   {failure{provider: failing(assuming("SignatureDoesNotMatch", signature))}, inventory.ReasonCredentials, "SignatureDoesNotMatch", 0, "AWS answered SignatureDoesNotMatch" + credentials},
		"provider, timeout": {failure{provider: failing(dial(syscall.ETIMEDOUT))}, inventory.ReasonCredentials, "", 0, "no usable credentials were found: dial tcp: connection timed out" + noKeys},

		"service failure": {answered(500, "ServiceFailure", "oops"), inventory.ReasonServer, "ServiceFailure", 3, "AWS answered ServiceFailure (HTTP 500, request ID)" + health},
		"unavailable":     {answered(503, "ServiceUnavailable", ""), inventory.ReasonServer, "ServiceUnavailable", 3, "AWS answered ServiceUnavailable (HTTP 503, request ID)" + health},
		"new server code": {answered(500, "NeverHeardOf", ""), inventory.ReasonServer, "NeverHeardOf", 3, "AWS answered NeverHeardOf (HTTP 500, request ID)" + health},
		"500 HTML":        {failure{fault: awssim.Raw(500, "text/html", "<html><body>oops</body></html>")}, inventory.ReasonServer, "", 3, "AWS answered with an error (HTTP 500, request ID)" + health},
		"503 HTML":        {failure{fault: awssim.Raw(503, "text/html", "<html><body>busy<br></body></html>")}, inventory.ReasonServer, "", 3, "AWS answered with an error (HTTP 503, request ID)" + health},
		"502 empty":       {failure{fault: awssim.Raw(502, "text/plain", "")}, inventory.ReasonServer, "", 3, "AWS answered with an error (HTTP 502, request ID)" + health},

		"200 HTML":      {failure{fault: awssim.Raw(200, "text/html", "<html><body>Please log in<br></body></html>")}, inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 200, request ID)" + tampered},
		"403 HTML":      {failure{fault: awssim.Raw(403, "text/html", "<html><body>blocked</body></html>")}, inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 403, request ID)" + tampered},
		"truncated XML": {failure{fault: awssim.Raw(200, "text/xml", "<GetLoginProfileResponse><GetLoginProfileResult><LoginProf")}, inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 200, request ID)" + tampered},
		"wrong date":    {failure{fault: awssim.Raw(200, "text/xml", "<GetLoginProfileResponse><GetLoginProfileResult><LoginProfile><CreateDate>yesterday</CreateDate></LoginProfile></GetLoginProfileResult></GetLoginProfileResponse>")}, inventory.ReasonMalformed, "", 1, "the answer is not what IAM sends (HTTP 200, request ID)" + tampered},

		"connection reset":   {failure{fault: awssim.Reset()}, inventory.ReasonNetwork, "", 3, "read tcp: read: connection reset by peer" + network},
		"connection refused": {sent(dial(syscall.ECONNREFUSED)), inventory.ReasonNetwork, "", 3, "dial tcp: connection refused" + network},
		"no such host":       {sent(dial(&net.DNSError{Err: "no such host", Name: "iam.amazonaws.com", IsNotFound: true})), inventory.ReasonNetwork, "", 1, "dial tcp: lookup iam.amazonaws.com: no such host; check the region (AWS_REGION, or region in the profile), DNS, proxy and network to AWS"},
		"unknown authority":  {sent(x509.UnknownAuthorityError{}), inventory.ReasonNetwork, "", 3, "x509: certificate signed by unknown authority" + network},
		"broken body":        {failure{transport: breaking}, inventory.ReasonNetwork, "", 1, "unexpected EOF" + network},

		"hangs":        {failure{fault: awssim.Hang()}, inventory.ReasonTimeout, "", 3, "no answer within 10s" + later},
		"dial timeout": {sent(dial(syscall.ETIMEDOUT)), inventory.ReasonTimeout, "", 3, "no answer in time" + later},

		"limit exceeded":  {answered(409, "LimitExceeded", "Cannot exceed quota"), inventory.ReasonReport, "LimitExceeded", 1, "AWS answered LimitExceeded (HTTP 409, request ID)" + fourHours},
		"report not made": {answered(404, "ReportInProgress", ""), inventory.ReasonReport, "ReportInProgress", 1, "AWS answered ReportInProgress (HTTP 404, request ID)" + fourHours},
		"report missing":  {answered(410, "ReportNotPresent", ""), inventory.ReasonReport, "ReportNotPresent", 1, "AWS answered ReportNotPresent (HTTP 410, request ID)" + fourHours},
		"report expired":  {answered(410, "ReportExpired", ""), inventory.ReasonReport, "ReportExpired", 1, "AWS answered ReportExpired (HTTP 410, request ID)" + fourHours},

		"invalid":        {answered(400, "ValidationError", "1 validation error detected"), inventory.ReasonOther, "ValidationError", 1, "AWS answered ValidationError (HTTP 400, request ID)" + again},
		"new code":       {answered(400, "NeverHeardOf", "secret"), inventory.ReasonOther, "NeverHeardOf", 1, "AWS answered NeverHeardOf (HTTP 400, request ID)" + again},
		"no such entity": {answered(404, "NoSuchEntity", ""), inventory.ReasonOther, "NoSuchEntity", 1, "AWS answered NoSuchEntity (HTTP 404, request ID)" + again},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, err := test.failure.askAbout(t)
				if err == nil {
					t.Fatal("error: got none")
				}
				var got *awsapi.Error
				if !errors.As(err, &got) {
					t.Fatalf("error: got %T, want *awsapi.Error", err)
				}
				text := requestID.ReplaceAllString(strings.TrimPrefix(err.Error(), "call iam:GetLoginProfile for user alice: "), "request ID")
				if diff := cmp.Diff(test.text, text); diff != "" {
					t.Errorf("text (-want +got):\n%s", diff)
				}
				if got.Reason != test.reason || got.Code != test.code || attempts != test.attempts {
					t.Errorf("got reason %q, code %q, %d attempts; want %q, %q, %d", got.Reason, got.Code, attempts, test.reason, test.code, test.attempts)
				}
				if reason := awsapi.ReasonOf(fmt.Errorf("read users: %w", err)); reason != test.reason {
					t.Errorf("reason of the wrapped error: got %q, want %q", reason, test.reason)
				}
				if strings.Contains(err.Error(), secretToken) || !utf8.ValidString(err.Error()) {
					t.Errorf("text: got %q, want no token in it, and valid UTF-8", err)
				}
			})
		})
	}
}

// TestHintsAboutDenials tells permissions that are missing from those that are
// taken away, which no policy that allows the call gives back.
func TestHintsAboutDenials(t *testing.T) {
	const who = "User: arn:aws:sts::123456789012:assumed-role/exporter/x is not authorized to perform: iam:GetLoginProfile on resource: user alice "
	denies := func(policy string) string {
		return "; a statement in a " + policy + " denies iam:GetLoginProfile, and no policy that allows it can help: have that statement changed"
	}
	lacks := func(policy string) string {
		return "; a " + policy + " that applies here has to allow iam:GetLoginProfile too: have it changed"
	}
	for message, hint := range map[string]string{
		"because no identity-based policy allows the iam:GetLoginProfile action":  allow,
		"with an explicit deny in an identity-based policy":                       denies("policy of the exporter's own user or role"),
		"with an explicit deny in a service control policy":                       denies("service control policy"),
		"with an explicit deny in a resource control policy":                      denies("resource control policy"),
		"with an explicit deny in a permissions boundary":                         denies("permissions boundary"),
		"with an explicit deny in a session policy":                               denies("session policy"),
		"with an explicit deny in a VPC endpoint policy":                          denies("VPC endpoint policy"),
		"because no service control policy allows the iam:GetLoginProfile action": lacks("service control policy"),
		"because no permissions boundary allows the iam:GetLoginProfile action":   lacks("permissions boundary"),
		"because no session policy allows the iam:GetLoginProfile action":         lacks("session policy"),
		"with an explicit deny in something new": "; a statement denies iam:GetLoginProfile, AWS does not say where, and no policy that allows it can help: " +
			"look through the policies of the exporter's own user or role, its permissions boundary and the organization's policies",
	} {
		t.Run(message, func(t *testing.T) {
			_, err := answered(403, "AccessDenied", who+message).askAbout(t)
			if err == nil || !strings.HasSuffix(err.Error(), hint) {
				t.Errorf("got %v, want it to end in %q", err, hint)
			}
		})
	}
}

// TestConfiguredEndpoints names the setting behind an endpoint that cannot be
// reached.
func TestConfiguredEndpoints(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*aws.Config)
		hint   string
	}{
		"AWS's own": {func(*aws.Config) {}, network},
		"of a setting": {
			func(c *aws.Config) { c.BaseEndpoint = aws.String("http://me:s3cr3t@127.0.0.1:9") },
			"; check the endpoint http://me:xxxxx@127.0.0.1:9: AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL or endpoint_url of the profile sets it",
		},
		"FIPS": {
			func(c *aws.Config) { c.ConfigSources = []any{fips{}} },
			"; check that IAM has a FIPS endpoint in the region: AWS_USE_FIPS_ENDPOINT or use_fips_endpoint of the profile asks for it, and most regions have none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := awssim.New(awssim.Options{}).Config()
				cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, dial(syscall.ECONNREFUSED) })}
				test.change(&cfg)
				_, err := newClient(cfg, awsapi.SourceLive).IAM.ListUsers(t.Context(), &iam.ListUsersInput{})
				if err = awsapi.Wrap("iam:ListUsers", "the account", err); !strings.HasSuffix(err.Error(), "connection refused"+test.hint) {
					t.Errorf("got %v, want it to end in %q", err, test.hint)
				}
				if awsapi.ReasonOf(err) != inventory.ReasonNetwork {
					t.Errorf("reason: got %q, want %q", awsapi.ReasonOf(err), inventory.ReasonNetwork)
				}
			})
		})
	}
}

// fips is a setting of the SDK that asks for FIPS endpoints.
type fips struct{}

func (fips) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, true, nil
}

// TestRefusedCredentialsAreRenewed renews them after AWS has refused them or
// somebody wants that, and at no other time.
func TestRefusedCredentialsAreRenewed(t *testing.T) {
	world := awssim.New(awssim.Options{})
	loads := 0
	var failure error
	client := awsapi.New(world.Config(), awsapi.NewShared(1e6), awsapi.Options{
		Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1e6, Timeout: timeout,
		LoadCredentials: func(context.Context) (aws.CredentialsProvider, error) {
			loads++
			return world.Config().Credentials, failure
		},
	})
	renew := func(when string, want bool, wantLoads int) {
		t.Helper()
		if renewed, err := client.RenewCredentials(t.Context()); renewed != want || loads != wantLoads || !errors.Is(err, failure) {
			t.Errorf("%s: got %t, %v after %d loads, want %t after %d", when, renewed, err, loads, want, wantLoads)
		}
	}
	ask := func(answer http.HandlerFunc) {
		world.SetFault(func(string, int) http.HandlerFunc { return answer })
		_, _ = client.IAM.ListUsers(t.Context(), &iam.ListUsersInput{})
	}
	renew("at first", false, 0)
	ask(nil)
	ask(awssim.Error(403, "AccessDenied", ""))
	renew("after other answers", false, 0)
	ask(awssim.Error(403, "ExpiredToken", ""))
	failure = errors.New("the file is being written")
	renew("after a refusal, in vain", false, 1)
	failure = nil
	renew("again", true, 2)
	renew("once they are new", false, 2)
	if client.WantCredentials() {
		t.Error("wanted: got them refused, want not")
	}
	renew("when wanted", true, 3)
	ask(awssim.Error(403, "ExpiredToken", ""))
	if !client.WantCredentials() {
		t.Error("wanted after a refusal: got them not refused")
	}
	renew("when wanted and refused", true, 4)
}

func failing(err error) func(context.Context) (aws.Credentials, error) {
	return func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err }
}

// assuming is how the SDK's providers of credentials report a refusal of STS.
func assuming(code, message string) error {
	return fmt.Errorf("failed to refresh cached credentials, %w", &smithy.OperationError{
		ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{Code: code, Message: message},
	})
}

// oddRequestID answers that the caller is throttled, under that request id.
func oddRequestID(id string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("x-amzn-RequestId", id)
		awssim.Error(400, "Throttling", "")(rw, r)
	}
}

// breaking answers with a body that breaks off.
func breaking(r *http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader("<GetLoginProfileResponse><GetLogin"), brokenReader{})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWrapKeepsSuccess(t *testing.T) {
	if err := awsapi.Wrap("iam:ListUsers", "the account", nil); err != nil {
		t.Errorf("error: got %v, want none", err)
	}
}

func TestOwnErrors(t *testing.T) {
	cause := errors.New("line 2: too short")
	for name, test := range map[string]struct {
		err    error
		reason inventory.Reason
		text   string
	}{
		"malformed":            {&awsapi.Malformed{What: "the report has no generation time"}, inventory.ReasonMalformed, "the report has no generation time" + tampered},
		"malformed by a cause": {&awsapi.Malformed{What: "the credential report cannot be used", Err: cause}, inventory.ReasonMalformed, "the credential report cannot be used: line 2: too short" + tampered},
		"report not ready":     {awsapi.ErrReportNotReady, inventory.ReasonReport, "AWS is still making the credential report" + fourHours},
		"deadline":             {context.DeadlineExceeded, inventory.ReasonTimeout, "no answer in time" + later},
		"anything":             {errors.New("something with AKIAIOSFODNN7EXAMPLE"), inventory.ReasonOther, "something with AKIA…MPLE" + again},
	} {
		t.Run(name, func(t *testing.T) {
			err := awsapi.Wrap("iam:GetCredentialReport", "the account", test.err)
			if diff := cmp.Diff("call iam:GetCredentialReport for the account: "+test.text, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if got := awsapi.ReasonOf(err); got != test.reason {
				t.Errorf("reason: got %q, want %q", got, test.reason)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("error: got %v, want %v within", err, test.err)
			}
		})
	}
	if !errors.Is(&awsapi.Malformed{Err: cause}, cause) {
		t.Error("malformed: want its cause within")
	}
}

func TestReportPending(t *testing.T) {
	for code, want := range map[string]bool{
		"ReportInProgress": true, "ReportNotPresent": true, "ReportExpired": true,
		"ServiceFailure": false, "LimitExceeded": false, "": false,
	} {
		if got := awsapi.IsReportPending(&smithy.GenericAPIError{Code: code}); got != want {
			t.Errorf("%q: got %t, want %t", code, got, want)
		}
	}
}

// TestLacks tells a call that a statement would allow from one that it would not.
func TestLacks(t *testing.T) {
	const who = "User: arn:aws:sts::123456789012:assumed-role/exporter/x is not authorized to perform: iam:GetLoginProfile on resource: user alice "
	for _, test := range []struct {
		code, message   string
		perhaps, surely bool
	}{
		{"AccessDenied", who + "because no identity-based policy allows the iam:GetLoginProfile action", true, true},
		{"AccessDenied", who, true, false},
		{"AccessDenied", "no", true, false},
		{"AccessDenied", who + "with an explicit deny in an identity-based policy", false, false},
		{"AccessDenied", who + "with an explicit deny", false, false},
		{"AccessDenied", who + "with an explicit deny in a service control policy", false, false},
		{"AccessDenied", who + "because no permissions boundary allows the iam:GetLoginProfile action", false, false},
		{"Throttling", who, false, false},
		{"AWSOrganizationsNotInUseException", "no", false, false},
	} {
		_, err := answered(403, test.code, test.message).askAbout(t)
		failed := new(awsapi.Error)
		if !errors.As(err, &failed) {
			t.Fatalf("got %v, want an Error", err)
		}
		if perhaps, surely := failed.Lacks(); perhaps != test.perhaps || surely != test.surely || failed.OfRole() {
			t.Errorf("%s %s: got %t, %t, want %t, %t", test.code, test.message, perhaps, surely, test.perhaps, test.surely)
		}
	}
}
