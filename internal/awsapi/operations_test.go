package awsapi_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const autoPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases",
        "iam:ListUsers"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadUsers",
      "Effect": "Allow",
      "Action": [
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListMFADevices"
      ],
      "Resource": "arn:aws:iam::*:user/*"
    }
  ]
}
`

const reportPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases"
      ],
      "Resource": "*"
    }
  ]
}
`

const livePolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GetAccountSummary",
        "iam:ListAccountAliases",
        "iam:ListUsers"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadUsers",
      "Effect": "Allow",
      "Action": [
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListMFADevices"
      ],
      "Resource": "arn:aws-us-gov:iam::123456789012:user/*"
    }
  ]
}
`

const detailsPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetAccountAuthorizationDetails",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases",
        "iam:ListUsers"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadUsers",
      "Effect": "Allow",
      "Action": [
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListMFADevices"
      ],
      "Resource": "arn:aws:iam::*:user/*"
    }
  ]
}
`

const userTagsPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases",
        "iam:ListUsers"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadUsers",
      "Effect": "Allow",
      "Action": [
        "iam:GetAccessKeyLastUsed",
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListMFADevices",
        "iam:ListUserTags"
      ],
      "Resource": "arn:aws:iam::*:user/*"
    }
  ]
}
`

const reportDetailsPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetAccountAuthorizationDetails",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases"
      ],
      "Resource": "*"
    }
  ]
}
`

const reportUserTagsPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport",
        "iam:ListAccountAliases"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadUsers",
      "Effect": "Allow",
      "Action": [
        "iam:ListUserTags"
      ],
      "Resource": "arn:aws:iam::123456789012:user/*"
    }
  ]
}
`

const namedPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadAccount",
      "Effect": "Allow",
      "Action": [
        "iam:GenerateCredentialReport",
        "iam:GetCredentialReport"
      ],
      "Resource": "*"
    }
  ]
}
`

func TestPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		needs              awsapi.Needs
		partition, account string
		want               string
	}{
		"auto":                        {awsapi.Needs{Source: awsapi.SourceAuto}, "aws", "*", autoPolicy},
		"report":                      {awsapi.Needs{Source: awsapi.SourceReport}, "aws", "123456789012", reportPolicy},
		"report, a named account":     {awsapi.Needs{Source: awsapi.SourceReport, Named: true}, "aws", "123456789012", namedPolicy},
		"live, one account, GovCloud": {awsapi.Needs{Source: awsapi.SourceLive}, "aws-us-gov", "123456789012", livePolicy},
		"auto, tags of all at once":   {awsapi.Needs{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails}, "aws", "*", detailsPolicy},
		"auto, tags one by one":       {awsapi.Needs{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromListUserTags}, "aws", "*", userTagsPolicy},
		"report, tags of all at once": {awsapi.Needs{Source: awsapi.SourceReport, Tags: awsapi.TagsFromAuthorizationDetails}, "aws", "123456789012", reportDetailsPolicy},
		"report, tags one by one":     {awsapi.Needs{Source: awsapi.SourceReport, Tags: awsapi.TagsFromListUserTags}, "aws", "123456789012", reportUserTagsPolicy},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := awsapi.Reading(test.partition, test.account, test.needs).JSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if !json.Valid(got) {
				t.Error("policy: not JSON")
			}
		})
	}
}

func TestTableIsWhole(t *testing.T) {
	simulated := map[string]bool{"AssumeRole": true} // by a Realm
	for _, name := range slices.Concat(awssim.Operations(), awssim.OrganizationOperations()) {
		simulated[name] = true
	}
	for _, o := range awsapi.Operations() {
		if o.Why == "" || len(o.Sources) == 0 {
			t.Errorf("%s: no reason or no source", o.Name)
		}
		if !simulated[o.Name] {
			t.Errorf("%s: not simulated", o.Name)
		}
	}
	tags := slices.Sorted(slices.Values(awsapi.TagSources()))
	var wanted []awsapi.TagSource
	for _, o := range awsapi.Operations() {
		if o.Tags != awsapi.NoTags {
			wanted = append(wanted, o.Tags)
			if o.Name != string(o.Tags) {
				t.Errorf("tags from %s are read by %s, want the operation of that name", o.Tags, o.Name)
			}
		}
	}
	if slices.Sort(wanted); !slices.Equal(tags, wanted) {
		t.Errorf("sources of tags with an operation: got %v, want %v", wanted, tags)
	}
	if got, want := awsapi.OperationsFor(awsapi.Needs{Source: "nonsense"}), 0; len(got) != want {
		t.Errorf("operations of an unknown source: got %v, want none", got)
	}
}
