package awsapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// everyNeeds returns each combination of settings.
func everyNeeds() []awsapi.Needs {
	var all []awsapi.Needs
	for _, source := range awsapi.Sources() {
		for _, tags := range append(awsapi.TagSources(), awsapi.NoTags) {
			all = append(all, awsapi.Needs{Source: source, Tags: tags})
		}
	}
	return all
}

func TestSessionPolicySaysTheSameAndIsShort(t *testing.T) {
	for _, needs := range everyNeeds() {
		t.Run(fmt.Sprintf("%s,%s", needs.Source, needs.Tags), func(t *testing.T) {
			const partition, account = "aws-iso-b", "123456789012" // a long name
			got, err := awsapi.SessionPolicy(needs, partition, account)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > 2048 {
				t.Errorf("length: got %d, AWS takes 2048", len(got))
			}
			if strings.ContainsAny(got, " \n\t") {
				t.Errorf("policy has blanks: %s", got)
			}
			printed, err := awsapi.Reading(partition, account, needs).JSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decoded(t, string(printed)), decoded(t, got)); diff != "" {
				t.Errorf("session policy is not the printed one (-printed +session):\n%s", diff)
			}
		})
	}
}

func TestSessionPolicyOfNothing(t *testing.T) {
	_, err := awsapi.SessionPolicy(awsapi.Needs{Source: "nonsense"}, "aws", "123456789012")
	if err == nil || err.Error() != `session policy for source "nonsense": nothing to allow` {
		t.Errorf("error: got %v", err)
	}
}

func TestHubSessionPolicy(t *testing.T) {
	many := make([]string, 0, 100)
	for i := range cap(many) {
		many = append(many, fmt.Sprintf("audit/team-%02d/aws-iam-exporter", i))
	}
	for name, test := range map[string]struct {
		sessions  awsapi.Sessions
		partition string
		roles     []string
		discovery *awsapi.Discovery
		want      string
	}{
		"one name": {
			partition: "aws", roles: []string{"audit/aws-iam-exporter"},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::*:role/audit/aws-iam-exporter"]}]}`,
		},
		"each name once, in order": {
			partition: "aws-cn", roles: []string{"b", "a&c", "b"},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws-cn:iam::*:role/a&c","arn:aws-cn:iam::*:role/b"]}]}`,
		},
		"source identity": {
			sessions: awsapi.Sessions{SourceIdentity: "exporter"}, partition: "aws", roles: []string{"a"},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity"],` +
				`"Resource":["arn:aws:iam::*:role/a"]}]}`,
		},
		"too many names": {
			partition: "aws", roles: many,
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::*:role/*"]}]}`,
		},
		"accounts to find, and no role yet": {
			partition: "aws", discovery: &awsapi.Discovery{},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"ReadOrganization","Effect":"Allow",` +
				`"Action":["organizations:DescribeOrganization","organizations:ListAccounts"],"Resource":"*"}]}`,
		},
		"accounts to find, with all that is told of them": {
			partition: "aws", roles: []string{"a"}, discovery: &awsapi.Discovery{Tags: true, UnitNames: true},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::*:role/a"]},{"Sid":"ReadOrganization","Effect":"Allow",` +
				`"Action":["organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit",` +
				`"organizations:ListAccounts","organizations:ListTagsForResource"],"Resource":"*"}]}`,
		},
		"too many names, and accounts to find": {
			partition: "aws", roles: many, discovery: &awsapi.Discovery{},
			want: `{"Version":"2012-10-17","Statement":[{"Sid":"AssumeRoles","Effect":"Allow","Action":["sts:AssumeRole"],` +
				`"Resource":["arn:aws:iam::*:role/*"]},{"Sid":"ReadOrganization","Effect":"Allow",` +
				`"Action":["organizations:DescribeOrganization","organizations:ListAccounts"],"Resource":"*"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.roles)
			got, err := awsapi.HubSessionPolicy(test.sessions, test.partition, test.roles, test.discovery)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			if !slices.Equal(given, test.roles) {
				t.Error("the caller's names were put in order")
			}
		})
	}
	if _, err := awsapi.HubSessionPolicy(awsapi.Sessions{}, "aws", nil, nil); err == nil {
		t.Error("no role: got no error")
	}
}

// TestHubSessionPolicyTakesWhatFits adds names until they no longer fit, one
// character at a time.
func TestHubSessionPolicyTakesWhatFits(t *testing.T) {
	longest := 0
	for length := range 2048 {
		got, err := awsapi.HubSessionPolicy(awsapi.Sessions{}, "aws", []string{strings.Repeat("r", length+1)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 2048 {
			t.Fatalf("a name of %d characters: got a policy of %d, AWS takes 2048", length+1, len(got))
		}
		longest = max(longest, len(got))
	}
	if longest != 2048 {
		t.Errorf("longest policy: got %d characters, want all of 2048", longest)
	}
}

func decoded(t *testing.T, document string) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(document), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOnly keeps the statements that say something about the actions.
func TestOnly(t *testing.T) {
	all := awsapi.Reading("aws", "111111111111", awsapi.Needs{Source: awsapi.SourceAuto})
	for _, test := range []struct {
		actions []string
		want    string
	}{
		{[]string{"iam:ListUsers"}, `{"Version":"2012-10-17","Statement":[{"Sid":"ReadAccount","Effect":"Allow","Action":["iam:ListUsers"],"Resource":"*"}]}`},
		{
			[]string{"iam:ListMFADevices", "iam:ListUsers", "iam:ListUserTags"},
			`{"Version":"2012-10-17","Statement":[{"Sid":"ReadAccount","Effect":"Allow","Action":["iam:ListUsers"],"Resource":"*"},` +
				`{"Sid":"ReadUsers","Effect":"Allow","Action":["iam:ListMFADevices"],"Resource":"arn:aws:iam::111111111111:user/*"}]}`,
		},
		{nil, `{"Version":"2012-10-17","Statement":null}`},
	} {
		got, err := all.Only(test.actions...).Minified()
		if err != nil || got != test.want {
			t.Errorf("%v: got %s, %v, want %s", test.actions, got, err, test.want)
		}
	}
}
