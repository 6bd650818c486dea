package conformance

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// wantTags returns alice's tags: keys that differ only in case are one.
func (s *suite) wantTags() map[string]string {
	want := map[string]string{"Team": "blue", "Owner": "bob@example.com", s.keys[0]: "backup job", "empty": ""}
	if s.differs(tagKeysByCase) {
		want["team"] = "red"
	}
	return want
}

func mapOf(tags []types.Tag) map[string]string {
	m := make(map[string]string)
	for _, tag := range tags {
		m[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return m
}

func (s *suite) tags(t *testing.T) {
	for name, want := range map[string]map[string]string{"alice": s.wantTags(), "person-a": {}} {
		out, err := s.target.IAM().ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: &name})
		check(t, err)
		equal(t, "truncated", false, out.IsTruncated)
		equal(t, "tags of "+name, want, mapOf(out.Tags))
	}
}

func (s *suite) tagsOfAll(t *testing.T) {
	out, err := s.target.IAM().GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{
		Filter: []types.EntityType{types.EntityTypeUser},
	})
	check(t, err)
	equal(t, "truncated", false, out.IsTruncated)
	equal(t, "others than users", 0, len(out.GroupDetailList)+len(out.RoleDetailList)+len(out.Policies))
	users := make(map[string]types.UserDetail)
	for _, u := range out.UserDetailList {
		users[aws.ToString(u.UserName)] = u
	}
	equal(t, "users", len(s.names()), len(users))
	alice := users["alice"]
	equal(t, "path", "/people/", aws.ToString(alice.Path))
	equal(t, "ARN", "arn:aws:iam::123456789012:user/people/alice", aws.ToString(alice.Arn))
	equal(t, "id prefix", !s.differs(foreignUserIDs), strings.HasPrefix(aws.ToString(alice.UserId), "AIDA"))
	s.whole(t, "creation", alice.CreateDate)
	equal(t, "alice's tags", s.wantTags(), mapOf(alice.Tags))
	equal(t, "tags of who has none", map[string]string{}, mapOf(users["person-a"].Tags))
	equal(t, "inline policies", 1, len(alice.UserPolicyList))
	document, err := url.PathUnescape(aws.ToString(alice.UserPolicyList[0].PolicyDocument))
	check(t, err)
	equal(t, "inline policy", policyDocument, document)
}

func (s *suite) pagesOfTags(t *testing.T) {
	names := make(map[string]bool)
	pages := 0
	p := iam.NewGetAccountAuthorizationDetailsPaginator(s.target.IAM(), &iam.GetAccountAuthorizationDetailsInput{
		Filter: []types.EntityType{types.EntityTypeUser}, MaxItems: aws.Int32(3),
	})
	for ; p.HasMorePages(); pages++ {
		out, err := p.NextPage(t.Context())
		check(t, err)
		for _, u := range out.UserDetailList {
			names[aws.ToString(u.UserName)] = true
		}
	}
	equal(t, "users", len(s.names()), len(names))
	equal(t, "pages of details", expect(s, detailsUnpaged, 3, 1), pages)

	pages = 0
	keys := make(map[string]string)
	q := iam.NewListUserTagsPaginator(s.target.IAM(), &iam.ListUserTagsInput{UserName: aws.String("alice"), MaxItems: aws.Int32(3)})
	for ; q.HasMorePages(); pages++ {
		out, err := q.NextPage(t.Context())
		check(t, err)
		for key, value := range mapOf(out.Tags) {
			keys[key] = value
		}
	}
	equal(t, "tags", s.wantTags(), keys)
	equal(t, "pages of tags", expect(s, userTagsUnpaged, 2, 1), pages)

	_, err := s.target.IAM().GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1001)})
	equal(t, "too large a page", expect(s, pageSizeUnchecked, "ValidationError", ""), code(err))
}

// foreignMarker uses the marker of a page that had another filter.
func (s *suite) foreignMarker(t *testing.T) {
	ctx, client := t.Context(), s.target.IAM()
	users := []types.EntityType{types.EntityTypeUser}
	first, err := client.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Filter: users, MaxItems: aws.Int32(3)})
	check(t, err)
	equal(t, "truncated", !s.differs(detailsUnpaged), first.IsTruncated)
	if s.differs(detailsUnpaged) {
		return
	}
	_, err = client.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Marker: first.Marker})
	equal(t, "error", "ValidationError", code(err))
}
