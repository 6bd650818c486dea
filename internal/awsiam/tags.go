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

// getDetails reads everybody's tags at once.
const getDetails = "iam:GetAccountAuthorizationDetails"

// setTagSource takes on where tags come from. Tags that nobody wants are
// forgotten, and what went wrong with another source is over; tags that it has
// told stay until the new one tells them.
func (r *Reader) setTagSource(source awsapi.TagSource) {
	if source == awsapi.NoTags {
		delete(r.complete, inventory.GroupTags)
		for _, rec := range r.ordered {
			rec.user.Tags = inventory.Fact[inventory.Tags]{}
		}
	}
	if source == r.tags {
		return
	}
	r.tags, r.tagsRead = source, time.Time{}
	delete(r.failed, "tags")
	for _, rec := range r.ordered {
		delete(rec.failed, listTags)
		delete(rec.owed, listTags)
		rec.departed = false
	}
}

// refreshTags reads everybody's tags when they are due.
func (r *Reader) refreshTags(ctx context.Context) {
	if r.listed.IsZero() || !r.tagsDue() {
		return
	}
	users, err := r.calls.allTags(ctx)
	if err == nil {
		err = r.checkAccounts(getDetails, users)
	}
	if r.calls.client.Needs().Tags != r.tags {
		return // no longer wanted, so the guard may have cut the reading short
	}
	if r.note(ctx, "tags", err); err != nil {
		return
	}
	r.tagsRead = r.began
	r.joinTags(users)
}

// tagsDue tells whether to read everybody's tags: as often as keys are read,
// again after a failure, and for the sake of a new user.
func (r *Reader) tagsDue() bool {
	return r.failed["tags"] != nil || r.began.Sub(r.tagsRead) >= r.o.KeysInterval ||
		slices.ContainsFunc(r.ordered, func(rec *record) bool { return !rec.user.Tags.Known() && !rec.departed })
}

// identity is what tells a user from all others, in one source.
type identity struct {
	id      string
	name    string
	created time.Time
}

// identityOf returns the user's id or, as reports have none, name and creation
// second, so that a user made anew under an old name inherits nothing.
func (r *Reader) identityOf(user *inventory.User) identity {
	if r.o.Source == awsapi.SourceReport {
		return identity{name: user.Name, created: user.Created}
	}
	return identity{id: user.ID}
}

// joinTags takes over the tags of the users. Who is not among them keeps what
// was known, and so does who is among them twice and not alike.
func (r *Reader) joinTags(users []inventory.User) {
	told := make(map[identity]*inventory.User, len(users)) // nil if told in two ways
	for i := range users {
		user := &users[i]
		id := r.identityOf(user)
		if other, twice := told[id]; twice && (other == nil || !sameTags(other, user)) {
			user = nil
		}
		told[id] = user
	}
	for _, rec := range r.ordered {
		user, found := told[r.identityOf(&rec.user)]
		rec.departed = !found && r.o.Source == awsapi.SourceReport
		if user != nil {
			rec.user.Tags = user.Tags
		}
	}
}

func sameTags(a, b *inventory.User) bool {
	tags, _ := a.Tags.Get()
	other, _ := b.Tags.Get()
	return a.ID == b.ID && slices.Equal(tags, other)
}

// allTags returns every user with identity and tags, as of the first page. The
// answers hold the users' inline policies too, which go no further.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func (c calls) allTags(ctx context.Context) ([]inventory.User, error) {
	var (
		users []inventory.User
		first time.Time
	)
	err := pages(func(marker *string) (*iam.GetAccountAuthorizationDetailsOutput, error) {
		return c.client.IAM.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{
			Filter: []types.EntityType{types.EntityTypeUser}, Marker: marker, MaxItems: aws.Int32(pageSize),
		})
	}, func(out *iam.GetAccountAuthorizationDetailsOutput) (bool, *string, error) {
		if out.UserDetailList == nil {
			return false, nil, noElement("UserDetailList")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		for i := range out.UserDetailList {
			user, err := fromDetail(&out.UserDetailList[i], first)
			if err != nil {
				return false, nil, err
			}
			users = append(users, user)
		}
		return out.IsTruncated, out.Marker, nil
	})
	if err == nil {
		err = checkUsers(users)
	}
	return users, awsapi.Wrap(getDetails, "the account", err)
}

// fromDetail takes a user without a list of tags for one without tags: AWS does
// not promise to send an empty list.
func fromDetail(u *types.UserDetail, observed time.Time) (inventory.User, error) {
	user := inventory.User{
		ID: aws.ToString(u.UserId), Name: aws.ToString(u.UserName), ARN: aws.ToString(u.Arn),
		Created: whole(aws.ToTime(u.CreateDate)),
	}
	tags, err := orderTags(u.Tags)
	user.Tags = inventory.Observe(tags, observed)
	return user, err
}

// listTags returns the user's tags.
func (c calls) listTags(ctx context.Context, user string) (inventory.Fact[inventory.Tags], error) {
	var (
		listed []types.Tag
		first  time.Time
	)
	err := pages(func(marker *string) (*iam.ListUserTagsOutput, error) {
		return c.client.IAM.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListUserTagsOutput) (bool, *string, error) {
		if out.Tags == nil {
			return false, nil, noElement("Tags")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		listed = append(listed, out.Tags...)
		return out.IsTruncated, out.Marker, nil
	})
	var tags inventory.Tags
	if err == nil {
		tags, err = orderTags(listed)
	}
	if err != nil {
		return inventory.Fact[inventory.Tags]{}, awsapi.Wrap(listTags, "user "+user, err)
	}
	return inventory.Observe(tags, first), nil
}

// orderTags sorts the tags by key, drops repetitions, and refuses tags without
// a key and keys with two values. It names no tag: values are nobody's business,
// and keys can be ids of access keys.
func orderTags(list []types.Tag) (inventory.Tags, error) {
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
