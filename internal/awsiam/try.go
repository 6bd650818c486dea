package awsiam

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// aUser stands for users in errors about what was tried on them: who they are is
// nothing to the question of whether it is allowed.
const aUser = "a user"

// Nobody is the name of a user that no account has, for calls that are to learn only
// whether they are allowed. It begins like no name that a policy is likely to be
// limited to.
const Nobody = "made-up-by-check-access-of-aws_iam_exporter"

// Try makes the cheapest call of an operation to learn whether it is allowed, and
// throws the answer away. Operations about a user need a name, which may be Nobody,
// and that about a key a key's id; the others take neither. Those whose answers
// lead to users and keys have methods of their own. That AWS says
// there is no such thing, or no report yet, proves that it may be asked: it judges
// whether a caller may ask before it looks. Errors name neither user nor key.
func (r Reader) Try(ctx context.Context, action, user, key string) error {
	call, known := tries()[action]
	if !known {
		return fmt.Errorf("try %s: nobody has said how", action)
	}
	err := call(ctx, r.client.IAM, user, key)
	switch {
	case awsapi.IsNoSuchEntity(err), awsapi.IsReportPending(err):
		return nil
	case key != "":
		return awsapi.WrapAboutKey(action, "a key of "+aUser, key, err)
	case user != "":
		return awsapi.Wrap(action, aUser, err)
	}
	return awsapi.Wrap(action, "the account", err)
}

type try func(ctx context.Context, api *iam.Client, user, key string) error

// tries returns the cheapest call of each operation.
func tries() map[string]try {
	one := aws.Int32(1)
	return map[string]try{
		ListAliases: func(ctx context.Context, api *iam.Client, _, _ string) error {
			_, err := api.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{MaxItems: one})
			return err
		},
		GetSummary: func(ctx context.Context, api *iam.Client, _, _ string) error {
			_, err := api.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
			return err
		},
		GenerateReport: func(ctx context.Context, api *iam.Client, _, _ string) error {
			_, err := api.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
			return err
		},
		GetDetails: func(ctx context.Context, api *iam.Client, _, _ string) error {
			_, err := api.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{
				Filter: []types.EntityType{types.EntityTypeUser}, MaxItems: one,
			})
			return err
		},
		GetKeyUse: func(ctx context.Context, api *iam.Client, _, key string) error {
			_, err := api.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &key})
			return err
		},
		GetPassword: func(ctx context.Context, api *iam.Client, user, _ string) error {
			_, err := api.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &user})
			return err
		},
		ListMFA: func(ctx context.Context, api *iam.Client, user, _ string) error {
			_, err := api.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: &user, MaxItems: one})
			return err
		},
		ListTags: func(ctx context.Context, api *iam.Client, user, _ string) error {
			_, err := api.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: &user, MaxItems: one})
			return err
		},
	}
}

// mostEmptyPages is how many pages without a user are read on from, which AWS may send.
const mostEmptyPages = 5

// SomeUsers returns the names of at most so many users, by one call if its page has
// any, and whether the account has no others; none if it has none.
func (r Reader) SomeUsers(ctx context.Context, most int32) (names []string, all bool, err error) {
	var marker *string
	for range mostEmptyPages {
		out, err := r.client.IAM.ListUsers(ctx, &iam.ListUsersInput{MaxItems: &most, Marker: marker})
		if err == nil && out.Users == nil {
			err = missingElement("Users")
		}
		if err != nil {
			return nil, false, awsapi.Wrap(ListUsers, "the account", err)
		}
		for i := range out.Users {
			names = append(names, aws.ToString(out.Users[i].UserName))
		}
		if marker = out.Marker; len(names) > 0 || !out.IsTruncated {
			return names, !out.IsTruncated, nil
		}
	}
	return nil, false, awsapi.Wrap(ListUsers, "the account", &awsapi.Malformed{What: fmt.Sprintf("%d pages without a user: expected users, or an end", mostEmptyPages)})
}

// SomeKey returns the id of one of the user's keys; empty without one. Nobody, and
// a user who is gone, has none.
func (r Reader) SomeKey(ctx context.Context, user string) (string, error) {
	out, err := r.client.IAM.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user, MaxItems: aws.Int32(1)})
	if err == nil && out.AccessKeyMetadata == nil {
		err = missingElement("AccessKeyMetadata")
	}
	switch {
	case awsapi.IsNoSuchEntity(err):
		return "", nil
	case err != nil:
		return "", awsapi.Wrap(ListKeys, aUser, err)
	case len(out.AccessKeyMetadata) == 0:
		return "", nil
	}
	return aws.ToString(out.AccessKeyMetadata[0].AccessKeyId), nil
}

// ReportedUsers returns the names in the newest credential report, those with keys apart;
// none while there is no report to hand out, or one that cannot be read. An error
// says that it may not be read, or that AWS did not answer.
func (r Reader) ReportedUsers(ctx context.Context) (withKeys, others []string, err error) {
	report, err := r.Report(ctx)
	var unreadable *UserError
	switch {
	case awsapi.IsReportPending(err), errors.As(err, &unreadable):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	for i := range report.Users {
		if u := &report.Users[i]; len(u.Slots) > 0 {
			withKeys = append(withKeys, u.User)
		} else {
			others = append(others, u.User)
		}
	}
	return withKeys, others, nil
}
