package organization

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The calls, as IAM policies spell them.
const (
	Describe     = "organizations:DescribeOrganization"
	ListAccounts = "organizations:ListAccounts"
	ListTags     = "organizations:ListTagsForResource"
	DescribeUnit = "organizations:DescribeOrganizationalUnit"
)

// about is what the calls that are about no single account are about.
const about = "the organization"

// Reader reads an organization. It keeps nothing between two listings but tags and
// names of units, which cost a call each. It is for one goroutine.
type Reader struct {
	client *awsapi.Organization
	tags   cache[inventory.Tags] // by account id
	units  cache[string]         // names, by the unit's id
}

// NewReader returns a reader of the organization that the client reaches.
func NewReader(client *awsapi.Organization) *Reader { return &Reader{client: client} }

// identity is what tells an organization from others.
type identity struct{ partition, id, management string }

func (o identity) arnOf(accountID string) string {
	return fmt.Sprintf("arn:%s:organizations::%s:account/%s/%s", o.partition, o.management, o.id, accountID)
}

// List returns what Accounts does, once Complete has added to it.
func (r *Reader) List(ctx context.Context, now time.Time, expected string) (listing Listing, gaps []error, err error) {
	if listing, err = r.Accounts(ctx, now, expected); err != nil {
		return Listing{}, nil, err
	}
	return listing, r.Complete(ctx, &listing), nil
}

// Accounts returns all accounts of the organization, which must be the expected one;
// empty for any. It has neither their tags nor the names of their units. Half a listing is an error, and so is one that contradicts itself.
//
// The listing is as of now, which is this machine's time and not AWS's: it is
// compared with nothing but later times of this machine, and no key is judged by it.
func (r *Reader) Accounts(ctx context.Context, now time.Time, expected string) (Listing, error) {
	if err := r.client.RenewCredentials(ctx); err != nil {
		return Listing{}, awsapi.Wrap(Describe, about, err)
	}
	organization, err := r.describe(ctx, expected)
	if err != nil {
		return Listing{}, awsapi.Wrap(Describe, about, err)
	}
	accounts, err := r.accounts(ctx, organization)
	if err != nil {
		return Listing{}, awsapi.Wrap(ListAccounts, about, err)
	}
	return Listing{organization.id, organization.management, accounts, now}, nil
}

// Complete reads the tags of the accounts and the names of their units, as far as
// those are asked for and due. Gaps are failures to: what they would have told is as
// it was read before, or not known.
func (r *Reader) Complete(ctx context.Context, listing *Listing) (gaps []error) {
	for _, add := range []func(context.Context, *Listing) error{r.addTags, r.addUnitNames} {
		if err := add(ctx, listing); err != nil {
			gaps = append(gaps, err)
		}
	}
	return gaps
}

// TryTags learns whether an account's tags may be read.
func (r *Reader) TryTags(ctx context.Context, accountID string) error {
	_, err := r.tagsOf(ctx, accountID)
	return err
}

// TryUnit learns whether an organizational unit may be read.
func (r *Reader) TryUnit(ctx context.Context, id string) error {
	_, err := r.unitName(ctx, id)
	return err
}

// describe returns the organization that the credentials belong to.
func (r *Reader) describe(ctx context.Context, expected string) (identity, error) {
	out, err := r.client.API.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil {
		return identity{}, err
	}
	if out.Organization == nil {
		return identity{}, missingElement("Organization")
	}
	o := identity{r.client.Partition(), aws.ToString(out.Organization.Id), aws.ToString(out.Organization.MasterAccountId)}
	if !IsID(o.id) || !inventory.IsAccountID(o.management) {
		return identity{}, &awsapi.Malformed{What: fmt.Sprintf("organization %q managed by account %q: expected an id of an organization and one of an account",
			shortened(o.id), shortened(o.management))}
	}
	if expected != "" && o.id != expected {
		r.client.WantCredentials()
		return identity{}, anotherOrganization(o.id, expected)
	}
	return o, nil
}

// accounts returns all accounts, ordered by id, without their tags.
func (r *Reader) accounts(ctx context.Context, organization identity) ([]Account, error) {
	byID := map[string]*Account{}
	err := pages(ctx, r.ofAccounts(), func(ctx context.Context, token *string) (string, int, error) {
		out, err := r.client.API.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: token, MaxResults: aws.Int32(pageSize)})
		if err != nil {
			return "", 0, err
		}
		next := aws.ToString(out.NextToken)
		if out.Accounts == nil && next == "" {
			return "", 0, missingElement("Accounts")
		}
		for i := range out.Accounts {
			if err := take(byID, &out.Accounts[i], organization); err != nil {
				return "", 0, err
			}
		}
		return next, len(byID), nil
	})
	if err != nil {
		return nil, err
	}
	if byID[organization.management] == nil {
		return nil, &awsapi.Malformed{What: fmt.Sprintf("the listing has %d accounts, and the one that manages the organization, %s, is none of them: expected it",
			len(byID), organization.management)}
	}
	accounts := make([]Account, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		accounts = append(accounts, *byID[id])
	}
	return accounts, nil
}

// take adds an account to those of a listing. Pages may tell of one again while
// others come and go, but not in two ways: nobody can say which of them is true.
func take(byID map[string]*Account, told *types.Account, organization identity) error {
	account, err := accountOf(told, organization)
	if err != nil {
		return err
	}
	if first := byID[account.ID]; first != nil {
		if !first.same(&account) {
			return &awsapi.Malformed{What: fmt.Sprintf("account %s is told of in two ways: expected one", account.ID)}
		}
		return nil
	}
	if len(byID) == mostAccounts {
		return &awsapi.Malformed{What: fmt.Sprintf("the organization has more than %d accounts: expected fewer", mostAccounts)}
	}
	byID[account.ID] = &account
	return nil
}

// accountOf checks an account that AWS tells of. The address of its owner goes no
// further.
func accountOf(told *types.Account, organization identity) (Account, error) {
	id, itsARN := aws.ToString(told.Id), aws.ToString(told.Arn)
	switch {
	case !inventory.IsAccountID(id):
		return Account{}, &awsapi.Malformed{What: fmt.Sprintf("an account with id %q: expected 12 digits", shortened(id))}
	case itsARN == organization.arnOf(id):
	case organizationIn(itsARN) != "" && organizationIn(itsARN) != organization.id:
		return Account{}, anotherOrganization(organizationIn(itsARN), organization.id)
	default:
		return Account{}, &awsapi.Malformed{What: fmt.Sprintf("account %s has ARN %q: expected %s", id, shortened(itsARN), organization.arnOf(id))}
	}
	return Account{
		ID: id, Name: shownName(aws.ToString(told.Name), longestAccountName),
		State:  stateOf(string(told.State), string(told.Status)),
		OUPath: parentsOf(told.Paths, organization.id, id),
	}, nil
}

// organizationIn returns the organization in an account's ARN; empty if it is none.
func organizationIn(accountARN string) string {
	parsed, err := arn.Parse(accountARN)
	if err != nil || parsed.Service != "organizations" {
		return ""
	}
	parts := strings.Split(parsed.Resource, "/")
	if len(parts) != 3 || parts[0] != "account" || !IsID(parts[1]) {
		return ""
	}
	return parts[1]
}

func anotherOrganization(got, want string) error {
	return &awsapi.Advised{
		Err: &awsapi.Malformed{What: fmt.Sprintf("the answer is about organization %s: expected %s", got, want)},
		Do:  "give credentials, or an initial role, of organization " + want + "; its accounts stay as they were. To watch another organization instead, restart the exporter, with --state.dir empty or without its accounts.json",
	}
}

// missingElement tells of an answer without what was asked for: the SDK passes on an
// empty body as an answer.
func missingElement(element string) error {
	return &awsapi.Malformed{What: "the answer has no " + element + ": expected one, be it empty"}
}

// addTags adds the accounts' tags, if they are wanted.
func (r *Reader) addTags(ctx context.Context, listing *Listing) error {
	if !r.client.Discovery().Tags {
		return nil
	}
	ids := make([]string, 0, len(listing.Accounts))
	for i := range listing.Accounts {
		ids = append(ids, listing.Accounts[i].ID)
	}
	err := r.tags.fill(ctx, listing.Observed, ids, r.tagsOf)
	for i := range listing.Accounts {
		a := &listing.Accounts[i]
		a.Tags, _ = r.tags.get(a.ID)
	}
	return err
}

// tagsOf returns the account's tags; an empty list if it has none.
func (r *Reader) tagsOf(ctx context.Context, accountID string) (inventory.Tags, error) {
	tags := inventory.Tags{}
	err := pages(ctx, r.ofTags(), func(ctx context.Context, token *string) (string, int, error) {
		out, err := r.client.API.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &accountID, NextToken: token})
		if err != nil {
			return "", 0, err
		}
		next := aws.ToString(out.NextToken)
		if out.Tags == nil && next == "" {
			return "", 0, missingElement("Tags")
		}
		for _, t := range out.Tags {
			tags = append(tags, inventory.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
		}
		return next, len(tags), checkTags(tags)
	})
	if err == nil {
		tags, err = orderTags(tags)
	}
	if err != nil {
		return nil, awsapi.Wrap(ListTags, "account "+accountID, err)
	}
	return tags, nil
}

// mostTags is how many tags of one account are taken for true. AWS allows 50.
const mostTags = 1000

func checkTags(tags inventory.Tags) error {
	if len(tags) > mostTags {
		return &awsapi.Malformed{What: fmt.Sprintf("an account has more than %d tags: expected fewer", mostTags)}
	}
	for _, t := range tags {
		if t.Key == "" || utf8.RuneCountInString(t.Key) > inventory.LongestTagKey || utf8.RuneCountInString(t.Value) > inventory.LongestTagValue {
			return &awsapi.Malformed{What: "an account has a tag without a key, or one that is too long: expected neither"}
		}
	}
	return nil
}

// orderTags sorts the tags by key, drops repetitions, and refuses keys with two
// values. Unlike in IAM, case tells keys apart.
func orderTags(tags inventory.Tags) (inventory.Tags, error) {
	slices.SortFunc(tags, func(a, b inventory.Tag) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	})
	tags = slices.Compact(tags)
	for i := 1; i < len(tags); i++ {
		if tags[i].Key == tags[i-1].Key {
			return nil, &awsapi.Malformed{What: "an account has two tags of one key: expected a key of its own for each"}
		}
	}
	return tags, nil
}

// addUnitNames adds the names of organizational units, if they are wanted.
func (r *Reader) addUnitNames(ctx context.Context, listing *Listing) error {
	if !r.client.Discovery().UnitNames {
		return nil
	}
	units := map[string]bool{}
	for i := range listing.Accounts {
		for _, id := range listing.Accounts[i].OUPath {
			if unitIDs.MatchString(id) { // the root has a name that says nothing
				units[id] = true
			}
		}
	}
	err := r.units.fill(ctx, listing.Observed, slices.Sorted(maps.Keys(units)), r.unitName)
	for i := range listing.Accounts {
		a := &listing.Accounts[i]
		for _, id := range a.OUPath {
			name, _ := r.units.get(id)
			a.OUNames = append(a.OUNames, name)
		}
	}
	return err
}

func (r *Reader) unitName(ctx context.Context, id string) (string, error) {
	out, err := r.client.API.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &id})
	if err == nil && (out.OrganizationalUnit == nil || aws.ToString(out.OrganizationalUnit.Id) != id) {
		err = &awsapi.Malformed{What: "the answer is not about the organizational unit that was asked about: expected it to be"}
	}
	if err != nil {
		return "", awsapi.Wrap(DescribeUnit, "organizational unit "+id, err)
	}
	return shownName(aws.ToString(out.OrganizationalUnit.Name), longestUnitName), nil
}

// longestShown is how much is shown of what AWS sent in place of what was expected.
const longestShown = 150

func shortened(text string) string { return inventory.Shorten(text, longestShown) }
