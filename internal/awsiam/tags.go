package awsiam

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// AllTags returns every user with identity and tags, as of the first page, but for
// those of whom something is said that cannot be, who are in odd. The answers hold the users' inline policies too, which go no further.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func (r Reader) AllTags(ctx context.Context) (users []inventory.User, odd []*UserError, err error) {
	var first time.Time
	all := userListing{action: GetDetails, ids: map[string]bool{}}
	err = pages(ctx, r.ofAccount(), func(ctx context.Context, marker *string) (*iam.GetAccountAuthorizationDetailsOutput, error) {
		return r.client.IAM.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{
			Filter: []types.EntityType{types.EntityTypeUser}, Marker: marker, MaxItems: aws.Int32(pageSize),
		})
	}, func(out *iam.GetAccountAuthorizationDetailsOutput) (page, error) {
		if out.UserDetailList == nil {
			return page{}, missingElement("UserDetailList")
		}
		if first.IsZero() {
			first = r.observedAt(out.ResultMetadata)
		}
		for i := range out.UserDetailList {
			u := &out.UserDetailList[i]
			user, err := fromDetail(u, first)
			if err := all.add(user, cmp.Or(err, checkUserLengths(&user), checkTagLengths(u.Tags))); err != nil {
				return page{}, err
			}
		}
		return page{out.IsTruncated, out.Marker, all.elements()}, nil
	})
	if err == nil {
		users, err = all.distinct()
	}
	return users, all.odd, awsapi.Wrap(GetDetails, "the account", err)
}

// fromDetail takes a user without a list of tags for one without tags: AWS does
// not promise to send an empty list.
func fromDetail(u *types.UserDetail, observed time.Time) (inventory.User, error) {
	user := inventory.User{
		ID: aws.ToString(u.UserId), Name: aws.ToString(u.UserName), ARN: aws.ToString(u.Arn),
		Created: inventory.Truncate(aws.ToTime(u.CreateDate)),
	}
	tags, err := orderTags(u.Tags)
	user.Tags = inventory.Observe(tags, observed)
	return user, err
}

// checkTagLengths refuses tags that are longer than any of AWS's.
func checkTagLengths(list []types.Tag) error {
	for _, t := range list {
		err := checkLengths(
			longText{"the key of a tag", aws.ToString(t.Key), inventory.LongestTagKey},
			longText{"the value of a tag", aws.ToString(t.Value), inventory.LongestTagValue},
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// Tags returns the user's tags.
func (r Reader) Tags(ctx context.Context, user string) (inventory.Fact[inventory.Tags], error) {
	var (
		listed []types.Tag
		first  time.Time
	)
	err := pages(ctx, r.ofUser(), func(ctx context.Context, marker *string) (*iam.ListUserTagsOutput, error) {
		return r.client.IAM.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListUserTagsOutput) (page, error) {
		if out.Tags == nil {
			return page{}, missingElement("Tags")
		}
		if first.IsZero() {
			first = r.observedAt(out.ResultMetadata)
		}
		listed = append(listed, out.Tags...)
		return page{out.IsTruncated, out.Marker, len(listed)}, checkNumber("tags", len(listed))
	})
	var tags inventory.Tags
	if err == nil {
		err = checkTagLengths(listed)
	}
	if err == nil {
		tags, err = orderTags(listed)
	}
	if err != nil {
		return inventory.Fact[inventory.Tags]{}, awsapi.Wrap(ListTags, "user "+user, err)
	}
	return inventory.Observe(tags, first), nil
}

// orderTags sorts the tags by key, drops repetitions, and refuses tags without
// a key and keys with two values. It names no tag: values are nobody's business,
// and keys can be ids of access keys.
func orderTags(list []types.Tag) (inventory.Tags, error) {
	if err := checkNumber("tags", len(list)); err != nil {
		return nil, err
	}
	var tags inventory.Tags
	for _, t := range list {
		tags = append(tags, inventory.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	slices.SortFunc(tags, func(a, b inventory.Tag) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	})
	tags = slices.Compact(tags)
	for i, t := range tags {
		if t.Key == "" || slices.ContainsFunc(tags[:i], func(other inventory.Tag) bool { return strings.EqualFold(other.Key, t.Key) }) {
			return nil, &awsapi.Malformed{What: "a user has a tag without a key, or two of one key: expected a key of its own for each"}
		}
	}
	return tags, nil
}
