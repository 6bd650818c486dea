package awsapi_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

const (
	exporterARN = "arn:aws:iam::123456789012:user/exporter"
	notAllowed  = "User: " + exporterARN + " is not authorized to perform: iam:ListAccessKeys"
)

// deniedMessages are AWS's, as its documentation has them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func deniedMessages() map[string]awsapi.Denial {
	of := func(d awsapi.Denial) awsapi.Denial {
		d.Principal, d.Action = exporterARN, "iam:ListAccessKeys"
		return d
	}
	const resource = "arn:aws:iam::123456789012:user/team/alice"
	return map[string]awsapi.Denial{
		notAllowed:                               of(awsapi.Denial{}),
		notAllowed + " on resource: user alice":  of(awsapi.Denial{Resource: "user alice"}),
		notAllowed + " on resource: *":           of(awsapi.Denial{Resource: "*"}),
		notAllowed + " on resource: " + resource: of(awsapi.Denial{Resource: resource}),
		notAllowed + " with an explicit deny":    of(awsapi.Denial{Explicit: true}),
		notAllowed + " on a thing unheard of":    of(awsapi.Denial{}),
		notAllowed + " on resource: access key 0ZZ9X9XXXXXXXXXX0000 because no identity-based policy allows the iam:ListAccessKeys action":                                   of(awsapi.Denial{Resource: "access key", Policy: "identity-based policy"}),
		notAllowed + " because no identity-based policy allows the iam:ListAccessKeys action":                                                                                of(awsapi.Denial{Policy: "identity-based policy"}),
		notAllowed + " on resource: " + resource + " because no permissions boundary allows the iam:ListAccessKeys action":                                                   of(awsapi.Denial{Resource: resource, Policy: "permissions boundary"}),
		notAllowed + " on resource: " + resource + " because no service control policy allows the iam:ListAccessKeys action":                                                 of(awsapi.Denial{Resource: resource, Policy: "service control policy"}),
		notAllowed + " on resource: " + resource + " because no session policy allows the iam:ListAccessKeys action":                                                         of(awsapi.Denial{Resource: resource, Policy: "session policy"}),
		notAllowed + " on resource: user alice with an explicit deny in a service control policy":                                                                            of(awsapi.Denial{Resource: "user alice", Policy: "service control policy", Explicit: true}),
		notAllowed + " on resource: user alice with an explicit deny in a service control policy: arn:aws:organizations::123456789012:policy/o-x/service_control_policy/p-y": of(awsapi.Denial{Resource: "user alice", Policy: "service control policy", Explicit: true}),
		notAllowed + " on resource: user alice with an explicit deny in an identity-based policy":                                                                            of(awsapi.Denial{Resource: "user alice", Policy: "identity-based policy", Explicit: true}),
		notAllowed + " on resource: user alice with an explicit deny in a permissions boundary":                                                                              of(awsapi.Denial{Resource: "user alice", Policy: "permissions boundary", Explicit: true}),
		notAllowed + " on resource: user alice with an explicit deny in a VPC endpoint policy":                                                                               of(awsapi.Denial{Resource: "user alice", Policy: "VPC endpoint policy", Explicit: true}),
		notAllowed + " on resource: user alice with an explicit deny in a resource control policy":                                                                           of(awsapi.Denial{Resource: "user alice", Policy: "resource control policy", Explicit: true}),
		"User: " + exporterARN + " is not authorized to perform: organizations:DescribeOrganizationalUnit on resource: arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-ab12-34567890 because no identity-based policy allows the organizations:DescribeOrganizationalUnit action": {
			Principal: exporterARN, Action: "organizations:DescribeOrganizationalUnit",
			Resource: "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-ab12-34567890", Policy: "identity-based policy",
		},
		"User: arn:aws-cn:sts::123456789012:assumed-role/reader/session@1 is not authorized to perform: sts:AssumeRole on resource: arn:aws-cn:iam::123456789012:role/reader because no role trust policy allows the sts:AssumeRole action": {
			Principal: "arn:aws-cn:sts::123456789012:assumed-role/reader/session@1", Action: "sts:AssumeRole",
			Resource: "arn:aws-cn:iam::123456789012:role/reader", Policy: "role trust policy",
		},
	}
}

func TestParseDenial(t *testing.T) {
	for message, want := range deniedMessages() {
		got, told := awsapi.ParseDenial(message)
		if diff := cmp.Diff(want, got); diff != "" || !told {
			t.Errorf("%s: told %t (-want +got):\n%s", message, told, diff)
		}
	}
	for _, message := range []string{
		"", "no", "You are not authorized to perform this operation. Encoded authorization failure message: AbCd",
		"User: " + secretToken + " is not authorized to perform: iam:ListUsers",
		"User: " + exporterARN + " is not authorized to perform: " + secretToken,
		"Signature=" + secretToken + " " + notAllowed,
		"User: arn:aws:iam::123456789012:user/" + strings.Repeat("x", 10000) + " is not authorized to perform: iam:ListUsers",
	} {
		if got, told := awsapi.ParseDenial(message); told {
			t.Errorf("%q: got %+v, want it not to be understood", message, got)
		}
	}
}

// shownDenial is all that may be shown of a message.
var shownDenial = regexp.MustCompile(`^User: arn:[\w:+=,.@/-]+ is not authorized to perform: [a-z0-9-]+:[A-Za-z]+` +
	`( on resource: (\*|arn:[\w:+=,.@/*-]+|user [\w+=,.@-]+|access key))?` +
	`( with an explicit deny( in an? [A-Za-z -]+)?| because no [A-Za-z -]+ allows the [a-z0-9-]+:[A-Za-z]+ action)?$`)

// FuzzDenials has AWS say anything at all about a call that it denies. What is
// shown of it is a sentence of AWS's, of bounded length, and means the same when
// it is read again.
func FuzzDenials(f *testing.F) {
	for message := range deniedMessages() {
		f.Add(message)
	}
	f.Add(notAllowed + " on resource: user alice POST / x-amz-security-token:" + secretToken)
	f.Fuzz(func(t *testing.T, message string) {
		d, told := awsapi.ParseDenial(message)
		if !told {
			if d != (awsapi.Denial{}) {
				t.Errorf("got %+v of a message that is not understood", d)
			}
			return
		}
		text := d.String()
		if !shownDenial.MatchString(text) || len(text) > 2000 || !utf8.ValidString(text) {
			t.Errorf("got %q", text)
		}
		if again, told := awsapi.ParseDenial(text); !told || again != d {
			t.Errorf("got %+v, and of its own words %+v", d, again)
		}
	})
}
