package awsapi_test

import (
	"encoding/json"
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
        "iam:GetCredentialReport"
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

func TestPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		source             awsapi.Source
		partition, account string
		want               string
	}{
		"auto":                        {awsapi.SourceAuto, "aws", "*", autoPolicy},
		"report":                      {awsapi.SourceReport, "aws", "123456789012", reportPolicy},
		"live, one account, GovCloud": {awsapi.SourceLive, "aws-us-gov", "123456789012", livePolicy},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := awsapi.Policy(awsapi.Needs{Source: test.source}, test.partition, test.account)
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
	simulated := map[string]bool{}
	for _, name := range awssim.Operations() {
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
	if got, want := awsapi.OperationsFor(awsapi.Needs{Source: "nonsense"}), 0; len(got) != want {
		t.Errorf("operations of an unknown source: got %v, want none", got)
	}
}
