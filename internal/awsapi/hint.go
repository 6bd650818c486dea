package awsapi

import (
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// hint says what a person can do about the failure.
func (e *Error) hint() string {
	var advised *Advised
	var role *roleError
	switch {
	case errors.As(e.err, &role):
		return role.hint()
	case errors.As(e.err, &advised):
		return advised.Do
	case isDiscovery(e.Action) && e.Reason == inventory.ReasonDenied:
		return discoveryHint(e.Action, e.err)
	case isDiscovery(e.Action) && e.Reason == inventory.ReasonThrottled:
		return "the call is repeated more slowly, and the next discovery asks again; others in the organization may be asking a lot"
	}
	switch e.Reason {
	case inventory.ReasonThrottled:
		return "the call is repeated more slowly; lower --iam.account-rate if this persists"
	case inventory.ReasonDenied:
		return deniedHint(e.Action, e.err)
	case inventory.ReasonCredentials:
		return credentialsHint(e.Action, e.err)
	case inventory.ReasonTimeout:
		return "check the network to AWS, or raise --iam.timeout"
	case inventory.ReasonNetwork:
		const network = "DNS, proxy and network to AWS"
		if host := new(net.DNSError); errors.As(e.err, &host) && host.IsNotFound {
			return "check the region (AWS_REGION, or region in the profile), " + network
		}
		return "check " + network
	case inventory.ReasonMalformed:
		return "check that nothing between here and AWS changes answers"
	case inventory.ReasonReport:
		return "AWS makes a report at most every four hours; the exporter asks again"
	case inventory.ReasonServer:
		return "the exporter asks again; see AWS's health dashboard if this persists"
	default:
		return "the exporter asks again"
	}
}

// deniedHint tells a permission that is missing from one that is taken away:
// nothing that allows the action helps against that.
func deniedHint(action string, err error) string {
	var d Denial
	var api smithy.APIError
	if errors.As(err, &api) {
		d, _ = ParseDenial(api.ErrorMessage())
	}
	switch {
	case d.Policy == "" && d.Explicit:
		return "a statement denies " + action + ", AWS does not say where, and no policy that allows it can help: look through the policies of the exporter's own user or role, its permissions boundary and the organization's policies"
	case d.Policy == "" || !d.Explicit && d.Policy == ownPolicy:
		return "allow " + action + " (`aws_iam_exporter iam-policy` with the same flags prints the policy)"
	case d.Explicit:
		return "a statement in a " + inWords(d.Policy) + " denies " + action + ", and no policy that allows it can help: have that statement changed"
	}
	return "a " + inWords(d.Policy) + " that applies here has to allow " + action + " too: have it changed"
}

// isDiscovery reports whether the action tells of an organization.
func isDiscovery(action string) bool { return strings.HasPrefix(action, "organizations:") }

// discoveryHint says who may ask about an organization. AWS names no policy if the
// account is the wrong one.
func discoveryHint(action string, err error) string {
	const whose = "credentials, or an initial role, of the organization's management account or of a delegated administrator"
	if Code(err) == codeNoOrganization {
		return "the account that asked is in no organization: give " + whose
	}
	var d Denial
	var api smithy.APIError
	if errors.As(err, &api) {
		d, _ = ParseDenial(api.ErrorMessage())
	}
	const printed = " (`aws_iam_exporter iam-policy --for=hub` prints the policy)"
	switch {
	case d.Explicit, d.Policy != "" && d.Policy != ownPolicy:
		return deniedHint(action, err)
	case d.Policy != "":
		return "allow " + action + printed
	}
	return "AWS answers this only to the management account and to delegated administrators, and only if a policy allows " + action +
		": give " + whose + printed
}

// roleHint says what to check if a role cannot be assumed. AWS gives one answer to
// a role that is missing, to one whose trust policy lacks the caller and to a wrong
// external id, so that nobody learns from it which roles there are.
func roleHint(e *roleError) string {
	var d Denial
	var api smithy.APIError
	if errors.As(e.err, &api) {
		d, _ = ParseDenial(api.ErrorMessage())
	}
	if d.Explicit && d.Policy != "" {
		return deniedHint(actionAssumeRole, e.err)
	}
	policies := "`aws_iam_exporter iam-policy --for=member --trust` and `--for=hub` print the policies"
	if e.initial {
		policies = "`aws_iam_exporter iam-policy --for=caller` prints the exporter's policy"
	}
	return "AWS says the same if the role is missing, if its trust policy does not let the exporter in, if the external id is wrong, " +
		"and if the exporter itself may not assume it: check all four (" + policies + ")"
}

func inWords(kind string) string {
	if kind == ownPolicy {
		return "policy of the exporter's own user or role"
	}
	return kind
}

// credentialsHint says what to do about credentials that AWS did not take, or that
// were not found.
func credentialsHint(action string, err error) string {
	var missing *credentialsError
	var answer smithy.APIError
	switch isMissing := errors.As(err, &missing); {
	case isMissing && !errors.As(err, &answer): // nobody was asked, or nobody has answered
		return "give the exporter credentials: by AWS_ environment variables, a profile in ~/.aws, or a role of its machine or pod"
	case isMissing && Code(err) == "AccessDenied":
		return "let these credentials assume the role: by a policy of theirs and by the role's trust policy"
	case action == "sts:GetCallerIdentity", action == actionAssumeRole, isDiscovery(action): // they are not the account's, or that is not known
		return "give the exporter valid credentials, and check the machine's clock"
	}
	return "give the exporter valid credentials of this account, and check the machine's clock"
}
