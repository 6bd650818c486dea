package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Error is a call to AWS that failed, in words that are safe to log: AWS's
// messages are left out, because the one about a wrong signature repeats the
// request's headers, the session token among them. Of the message of a denied
// call, what a Denial holds is kept, since it names the missing permission.
type Error struct {
	Action string // the operation as IAM policies spell it, iam:ListUsers
	Target string // the user or account the call was about
	Reason inventory.Reason
	Code   string // AWS's error code, if it gave one
	detail string
	err    error
}

// Wrap returns err, which came from calling the operation about the target, as
// an Error, or nil if err is nil.
func Wrap(action, target string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{
		Action: action, Target: inventory.Shorten(target, longestTarget), Reason: classify(err), Code: Code(err),
		detail: scrub(detail(err)), err: err,
	}
}

const longestTarget = 100

// WrapAboutKey is Wrap for a call about an access key, whose id the words leave
// out, whatever it looks like.
func WrapAboutKey(action, target, id string, err error) error {
	wrapped := Wrap(action, target, err)
	if failed := new(Error); errors.As(wrapped, &failed) {
		failed.detail = scrub(strings.ReplaceAll(detail(err), id, "(the key's id)"))
	}
	return wrapped
}

// Error says what failed, about whom, why, and what to do.
func (e *Error) Error() string {
	if role := new(roleError); errors.As(e.err, &role) { // nothing was called, nor about anybody
		return e.detail + "; " + e.hint()
	}
	return fmt.Sprintf("call %s for %s: %s; %s", e.Action, e.Target, e.detail, e.hint())
}

// Detail says what failed, but neither about whom nor what to do.
func (e *Error) Detail() string { return e.detail }

// Advice says what a person can do about the failure.
func (e *Error) Advice() string { return e.hint() }

// OfRole reports whether a role could not be assumed, so that nothing was called.
func (e *Error) OfRole() bool { return errors.As(e.err, new(*roleError)) }

// Lacks reports whether the call was denied for want of a statement in the caller's own
// policies, and whether AWS says so: mostly of a role, it does not say what is wanting.
func (e *Error) Lacks() (perhaps, surely bool) {
	var api smithy.APIError
	if !errors.As(e.err, &api) || e.Reason != inventory.ReasonDenied && e.Reason != inventory.ReasonRole || Code(e.err) == codeNoOrganization {
		return false, false
	}
	d, _ := ParseDenial(api.ErrorMessage())
	surely = d.Policy == ownPolicy && !d.Explicit
	return surely || d == (Denial{Principal: d.Principal, Action: d.Action, Resource: d.Resource}), surely
}

// Unwrap returns the SDK's error. Its text is not fit for logs.
func (e *Error) Unwrap() error { return e.err }

// ReasonOf returns the class of an error that Wrap made, or of any error.
func ReasonOf(err error) inventory.Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return classify(err)
}

// Code returns AWS's code for the error, or "". What is no word is no code of AWS's.
func Code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" { // the SDK's word for none
		return ""
	}
	if code := api.ErrorCode(); len(code) <= longestCode && errorCodes.MatchString(code) {
		return code
	}
	return ""
}

const longestCode = 80

// errorCodes are words that begin with capitals, which ids and secrets are not.
var errorCodes = regexp.MustCompile(`^(?:[A-Z]{1,5}[a-z]+\.?)+$`)

// IsNoSuchEntity tells whether AWS answered that the thing asked for does not
// exist. For GetLoginProfile that means no password, or no user.
func IsNoSuchEntity(err error) bool { return Code(err) == "NoSuchEntity" }

// ErrReportNotReady says that AWS did not finish a credential report in time.
var ErrReportNotReady = errors.New("AWS is still making the credential report")

// IsReportPending tells whether AWS answered that there is no finished
// credential report to hand out.
func IsReportPending(err error) bool {
	switch Code(err) {
	case "ReportInProgress", "ReportNotPresent", "ReportExpired":
		return true
	}
	return false
}

// isAnswer tells whether the error is one that the exporter takes for an
// answer: nothing went wrong with the request.
func isAnswer(err error) bool {
	return IsNoSuchEntity(err) || IsReportPending(err)
}

// codeNoOrganization says that the account that asked is in no organization.
const codeNoOrganization = "AWSOrganizationsNotInUseException"

// reasonsByCode classes the codes that AWS gives; throttling codes are the
// SDK's own list. IAM speaks AWS Query, the other services JSON with
// …Exception names, so both spellings are listed.
var reasonsByCode = map[string]inventory.Reason{
	"AccessDenied":                        inventory.ReasonDenied,
	"AccessDeniedException":               inventory.ReasonDenied,
	"UnauthorizedOperation":               inventory.ReasonDenied,
	codeNoOrganization:                    inventory.ReasonDenied,
	"AuthFailure":                         inventory.ReasonCredentials,
	"ExpiredToken":                        inventory.ReasonCredentials,
	"ExpiredTokenException":               inventory.ReasonCredentials,
	"IncompleteSignature":                 inventory.ReasonCredentials,
	"InvalidAccessKeyId":                  inventory.ReasonCredentials,
	"InvalidClientTokenId":                inventory.ReasonCredentials,
	"InvalidSignatureException":           inventory.ReasonCredentials,
	"MissingAuthenticationToken":          inventory.ReasonCredentials,
	"MissingAuthenticationTokenException": inventory.ReasonCredentials,
	"RequestExpired":                      inventory.ReasonCredentials,
	"RequestTimeTooSkewed":                inventory.ReasonCredentials,
	"SignatureDoesNotMatch":               inventory.ReasonCredentials,
	"UnrecognizedClientException":         inventory.ReasonCredentials,
	"LimitExceeded":                       inventory.ReasonReport,
	"ReportExpired":                       inventory.ReasonReport,
	"ReportInProgress":                    inventory.ReasonReport,
	"ReportNotPresent":                    inventory.ReasonReport,
	"InternalFailure":                     inventory.ReasonServer,
	"InternalError":                       inventory.ReasonServer,
	"ServiceException":                    inventory.ReasonServer,
	"ServiceFailure":                      inventory.ReasonServer,
	"ServiceUnavailable":                  inventory.ReasonServer,
}

func classify(err error) inventory.Reason {
	var (
		role      *roleError
		named     *Malformed
		creds     *credentialsError
		response  *awshttp.ResponseError
		sending   *smithyhttp.RequestSendError
		parsing   *smithy.DeserializationError
		timed     *timeoutError
		network   net.Error
		isNetwork = errors.As(err, &network)
	)
	if errors.As(err, &role) {
		return role.reason()
	}
	if errors.As(err, &creds) {
		return inventory.ReasonCredentials
	}
	code := Code(err)
	if reason, ok := classifyCode(code); ok {
		return reason
	}
	switch {
	case errors.Is(err, ErrReportNotReady):
		return inventory.ReasonReport
	case errors.As(err, &named):
		return inventory.ReasonMalformed
	case errors.As(err, &timed), isNetwork && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return inventory.ReasonTimeout
	case errors.As(err, &response) && response.HTTPStatusCode() >= 500:
		return inventory.ReasonServer
	case errors.As(err, &sending), isNetwork, errors.Is(err, io.ErrUnexpectedEOF):
		return inventory.ReasonNetwork
	case code == "" && (errors.As(err, &parsing) || response != nil):
		return inventory.ReasonMalformed
	}
	return inventory.ReasonOther
}

func classifyCode(code string) (inventory.Reason, bool) {
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return inventory.ReasonThrottled, true
	}
	reason, ok := reasonsByCode[code]
	return reason, ok
}

// Malformed is an answer of AWS that cannot be right.
type Malformed struct {
	What string // what is wrong with it, and what was expected
	Err  error  // the cause, if any; may be nil
}

// Error says what is wrong with the answer.
func (m *Malformed) Error() string {
	if m.Err != nil {
		return m.What + ": " + m.Err.Error()
	}
	return m.What
}

// Unwrap returns the cause.
func (m *Malformed) Unwrap() error { return m.Err }

// detail describes the failure without quoting what AWS sent.
func detail(err error) string {
	if role := new(roleError); errors.As(err, &role) {
		return role.detail()
	}
	var api smithy.APIError
	isAPI := errors.As(err, &api)
	if code := Code(err); code != "" {
		if reason, _ := classifyCode(code); reason == inventory.ReasonDenied {
			return code + denial(api.ErrorMessage())
		}
		return "AWS answered " + code + status(err)
	}
	var malformed *Malformed
	if errors.As(err, &malformed) {
		return malformed.Error()
	}
	switch classify(err) {
	case inventory.ReasonTimeout:
		var timed *timeoutError
		if errors.As(err, &timed) {
			return timed.Error()
		}
		return "no answer in time"
	case inventory.ReasonMalformed:
		return "the answer is not what " + sender(err) + " sends" + status(err)
	case inventory.ReasonServer:
		return "AWS answered with an error" + status(err)
	}
	if isAPI { // without a code, and its message is not to be shown
		return "AWS answered with an error" + status(err)
	}
	text := innermost(err).Error()
	var creds *credentialsError
	if errors.As(err, &creds) {
		return "no usable credentials were found: " + strings.Replace(text, sdksLastPlace, "none in the environment or a profile, and none from the machine (EC2's instance metadata): ", 1)
	}
	return text
}

// sdksLastPlace is how the SDK begins if it found no credentials in any other place.
const sdksLastPlace = "failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, "

// denial returns what may be shown of the message of a denied call.
func denial(message string) string {
	if d, told := ParseDenial(message); told {
		return ": " + d.String()
	}
	return ""
}

// sender names the service that was asked.
func sender(err error) string {
	var operation *smithy.OperationError
	if errors.As(err, &operation) && operation.Service() == ServiceOrganizations {
		return operation.Service()
	}
	return ServiceIAM
}

// requestIDs are what AWS's requests are called by, and nothing else.
var requestIDs = regexp.MustCompile(`^[0-9a-f-]{1,64}$`)

func status(err error) string {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() == 0 {
		return ""
	}
	s := fmt.Sprintf(" (HTTP %d", response.HTTPStatusCode())
	if requestIDs.MatchString(response.RequestID) {
		s += ", request " + response.RequestID
	}
	return s + ")"
}

// innermost strips the SDK's layers, which repeat the operation's name.
func innermost(err error) error {
	var creds *credentialsError
	if errors.As(err, &creds) {
		return creds.err
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		if _, isOp := err.(*net.OpError); isOp { //nolint:errorlint // the layer itself is wanted: it names the address
			return err
		}
		err = inner
	}
}

// keyIDs match access key ids of users and of sessions, and what looks like one.
var (
	keyIDs   = regexp.MustCompile(`(A[KS]IA)[A-Z0-9]{8,}([A-Z0-9]{4})`)
	likeKeys = regexp.MustCompile(`[A-Z0-9]{12,}([A-Z0-9]{4})`)
)

const longestDetail = 600

// scrub makes a message fit for logs: one line, not too long, no whole key id.
func scrub(message string) string {
	// Ids are hidden before the text is cut, which could leave part of one.
	message = inventory.Shorten(message, 10*longestDetail)
	message = keyIDs.ReplaceAllString(message, "$1…$2")
	message = likeKeys.ReplaceAllString(message, "…$1")
	return inventory.Shorten(message, longestDetail)
}
