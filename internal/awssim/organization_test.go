package awssim_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const (
	homeID, otherID = "111111111111", "222222222222"
	organizationID  = "o-exampleorgid"
)

// organized returns a realm of one account, its organization with three members,
// and a client of that account.
func organized(managementID string) (*awssim.Realm, *awssim.Organization, *organizations.Client) {
	realm := awssim.NewRealm(awssim.New(awssim.Options{AccountID: homeID}))
	o := awssim.NewOrganization(organizationID, managementID)
	o.SetMembers(
		awssim.Member{ID: homeID, Name: "home", State: "ACTIVE", Status: "ACTIVE", Units: []string{"ou-ab12-11111111"}},
		awssim.Member{ID: otherID, Name: "other", Status: "SUSPENDED", Tags: []awssim.Tag{{Key: "Owner", Value: "x"}, {Key: "env", Value: "dev"}}},
		awssim.Member{ID: "333333333333", ARN: "arn:odd", Paths: []string{}},
	)
	o.NameUnit("ou-ab12-11111111", "Security")
	realm.SetOrganization(o)
	client := organizations.NewFromConfig(realm.Config(), func(o *organizations.Options) { o.Retryer = aws.NopRetryer{} })
	return realm, o, client
}

// codeOf returns AWS's code for the error.
func codeOf(err error) string {
	var failure smithy.APIError
	if errors.As(err, &failure) {
		return failure.ErrorCode()
	}
	return ""
}

func TestOrganizationAnswers(t *testing.T) {
	_, o, client := organized(homeID)
	described, err := client.DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{})
	if err != nil || aws.ToString(described.Organization.Id) != organizationID || aws.ToString(described.Organization.MasterAccountId) != homeID {
		t.Errorf("organization: got %v, error %v", described, err)
	}
	listed, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range listed.Accounts {
		got = append(got, fmt.Sprint(aws.ToString(a.Id), " ", aws.ToString(a.Name), " ", a.State, "/", a.Status, " ", aws.ToString(a.Arn), " ", a.Paths))
	}
	want := []string{
		"111111111111 home ACTIVE/ACTIVE arn:aws:organizations::111111111111:account/o-exampleorgid/111111111111 [o-exampleorgid/r-ab12/ou-ab12-11111111/111111111111/]",
		"222222222222 other /SUSPENDED arn:aws:organizations::111111111111:account/o-exampleorgid/222222222222 [o-exampleorgid/r-ab12/222222222222/]",
		"333333333333  / arn:odd []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	tags, err := client.ListTagsForResource(t.Context(), &organizations.ListTagsForResourceInput{ResourceId: aws.String(otherID)})
	if err != nil || len(tags.Tags) != 2 || aws.ToString(tags.Tags[1].Key) != "env" || aws.ToString(tags.Tags[1].Value) != "dev" {
		t.Errorf("tags: got %v, error %v", tags, err)
	}
	unit, err := client.DescribeOrganizationalUnit(t.Context(), &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: aws.String("ou-ab12-11111111")})
	if err != nil || aws.ToString(unit.OrganizationalUnit.Name) != "Security" {
		t.Errorf("unit: got %v, error %v", unit, err)
	}
	calls := map[string]int{"DescribeOrganization": 1, "ListAccounts": 1, "ListTagsForResource": 1, "DescribeOrganizationalUnit": 1}
	if diff := cmp.Diff(calls, o.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestOrganizationPages(t *testing.T) {
	_, o, client := organized(homeID)
	o.SetPages(2, true)
	var sizes []int
	pages := organizations.NewListAccountsPaginator(client, &organizations.ListAccountsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Accounts))
	}
	if diff := cmp.Diff([]int{0, 2, 0, 1}, sizes); diff != "" {
		t.Errorf("sizes of pages (-want +got):\n%s", diff)
	}
	for name, input := range map[string]organizations.ListAccountsInput{
		"a large page": {MaxResults: aws.Int32(21)}, "an odd token": {NextToken: aws.String("x")}, "a token past the end": {NextToken: aws.String("4")},
	} {
		if _, err := client.ListAccounts(t.Context(), &input); codeOf(err) != "InvalidInputException" {
			t.Errorf("%s: got error %v, want InvalidInputException", name, err)
		}
	}
}

func TestOrganizationRefuses(t *testing.T) {
	realm, o, client := organized(otherID)
	list := func() string {
		_, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
		return codeOf(err)
	}
	if got := list(); got != "AccessDeniedException" {
		t.Errorf("a member lists: got %q, want AccessDeniedException", got)
	}
	if _, err := client.DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{}); err != nil {
		t.Errorf("a member asks for its organization: got %v", err)
	}
	o.Delegate(homeID)
	if got := list(); got != "" {
		t.Errorf("a delegated administrator lists: got %q", got)
	}
	_, err := client.ListTagsForResource(t.Context(), &organizations.ListTagsForResourceInput{ResourceId: aws.String("999999999999")})
	if codeOf(err) != "TargetNotFoundException" {
		t.Errorf("tags of a stranger: got %v, want TargetNotFoundException", err)
	}
	_, err = client.DescribeOrganizationalUnit(t.Context(), &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: aws.String("ou-ab12-99999999")})
	if codeOf(err) != "OrganizationalUnitNotFoundException" {
		t.Errorf("an unknown unit: got %v, want OrganizationalUnitNotFoundException", err)
	}
	o.SetFault(func(operation string, n int) http.HandlerFunc {
		if operation == "ListAccounts" && n == 2 {
			return awssim.JSONError(http.StatusBadRequest, "TooManyRequestsException", "later")
		}
		return nil
	})
	if got := [3]string{list(), list(), list()}; got != [3]string{"", "TooManyRequestsException", ""} {
		t.Errorf("with a fault at the second call: got %q", got)
	}
	realm.SetOrganization(nil)
	if got := list(); got != "AWSOrganizationsNotInUseException" {
		t.Errorf("without an organization: got %q, want AWSOrganizationsNotInUseException", got)
	}
	if _, err := client.ListRoots(t.Context(), &organizations.ListRootsInput{}); err == nil {
		t.Error("an operation that is not simulated: got no error")
	}
}
