// Package awsiam makes single, typed reads of an AWS account, and checks what
// comes back. It keeps no state: what the answers mean together, and whom to
// ask about next, is decided elsewhere.
package awsiam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The calls, as IAM policies spell them.
const (
	GetCallerIdentity = "sts:GetCallerIdentity"
	ListUsers         = "iam:ListUsers"
	GetSummary        = "iam:GetAccountSummary"
	GenerateReport    = "iam:GenerateCredentialReport"
	GetReport         = "iam:GetCredentialReport"
	GetDetails        = "iam:GetAccountAuthorizationDetails"

	// About one user.
	ListKeys    = "iam:ListAccessKeys"
	ListMFA     = "iam:ListMFADevices"
	GetKeyUse   = "iam:GetAccessKeyLastUsed"
	GetPassword = "iam:GetLoginProfile"
	ListTags    = "iam:ListUserTags"
)

// pageSize is the most that IAM hands out at once.
const pageSize = 1000

// Reader reads one account. Several goroutines may use it at once.
type Reader struct{ client *awsapi.Client }

// New returns a reader of the account that the client reaches.
func New(client *awsapi.Client) Reader { return Reader{client} }

// Needs returns what the reader may ask for at the moment.
func (r Reader) Needs() awsapi.Needs { return r.client.Needs() }

// observedAt returns AWS's own clock at the time of an answer, so that a wrong
// clock here judges no key; the local clock where the answer has no date.
func observedAt(m middleware.Metadata) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok && !t.IsZero() {
		return inventory.Truncate(t)
	}
	return inventory.Truncate(time.Now())
}

// observedInError is observedAt for an answer that came as an error.
func observedInError(err error) time.Time {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if t, err := http.ParseTime(response.Response.Header.Get("Date")); err == nil {
			return inventory.Truncate(t)
		}
	}
	return inventory.Truncate(time.Now())
}

// Account returns the account that the credentials belong to, and the time by
// AWS's clock.
func (r Reader) Account(ctx context.Context) (inventory.Account, time.Time, error) {
	const action, target = GetCallerIdentity, "these credentials"
	out, err := r.client.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return inventory.Account{}, time.Time{}, awsapi.Wrap(action, target, err)
	}
	id := aws.ToString(out.Account)
	caller, err := arn.Parse(aws.ToString(out.Arn))
	if err != nil || id == "" {
		err = &awsapi.Malformed{What: fmt.Sprintf("account %q, ARN %q: expected a 12-digit id and an ARN", id, aws.ToString(out.Arn))}
		return inventory.Account{}, time.Time{}, awsapi.Wrap(action, target, err)
	}
	return inventory.Account{ID: id, Partition: caller.Partition}, observedAt(out.ResultMetadata), nil
}

// pages calls next, and take with what it returns, until the listing is complete. A page may be empty; only
// IsTruncated tells the end. A marker that is missing or comes again would
// make half a listing look complete, or never end.
func pages[O any](next func(marker *string) (*O, error), take func(*O) (truncated bool, marker *string, err error)) error {
	var marker *string
	seen := map[string]bool{}
	for {
		out, err := next(marker)
		if err != nil {
			return err
		}
		truncated, following, err := take(out)
		if err != nil {
			return err
		}
		if !truncated {
			return nil
		}
		m := aws.ToString(following)
		if m == "" || seen[m] {
			return &awsapi.Malformed{What: fmt.Sprintf("page %d is truncated, but its marker is missing or came before: expected a new one", len(seen)+1)}
		}
		seen[m] = true
		marker = following
	}
}

// missingElement tells of an answer without what was asked for. The SDK passes on an
// empty body as an answer; taken at its word, it would empty an account.
func missingElement(element string) error {
	return &awsapi.Malformed{What: "the answer has no " + element + ": expected one, be it empty"}
}

// Users returns every user, and the time of the first page, before which
// nothing is promised. Access keys, console access and MFA are unknown in it.
func (r Reader) Users(ctx context.Context) ([]inventory.User, time.Time, error) {
	var (
		users []inventory.User
		first time.Time
	)
	err := pages(func(marker *string) (*iam.ListUsersOutput, error) {
		return r.client.IAM.ListUsers(ctx, &iam.ListUsersInput{Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListUsersOutput) (bool, *string, error) {
		if out.Users == nil {
			return false, nil, missingElement("Users")
		}
		observed := observedAt(out.ResultMetadata)
		if first.IsZero() {
			first = observed
		}
		for i := range out.Users {
			users = append(users, fromListing(&out.Users[i], observed))
		}
		return out.IsTruncated, out.Marker, nil
	})
	if err == nil {
		err = checkUsers(users)
	}
	return users, first, awsapi.Wrap(ListUsers, "the account", err)
}

func fromListing(u *types.User, observed time.Time) inventory.User {
	user := inventory.User{
		ID: aws.ToString(u.UserId), Name: aws.ToString(u.UserName), ARN: aws.ToString(u.Arn),
		Path: aws.ToString(u.Path), Created: inventory.Truncate(aws.ToTime(u.CreateDate)),
		PasswordUse: inventory.Observe(inventory.Use{}, observed),
	}
	if u.PasswordLastUsed != nil {
		user.PasswordUse = inventory.Observe(inventory.Use{At: inventory.Truncate(*u.PasswordLastUsed)}, observed)
	}
	return user
}

// checkUsers refuses users that lack what they are known by.
func checkUsers(users []inventory.User) error {
	for _, u := range users {
		if u.ID == "" || u.Name == "" || u.Created.Unix() <= 0 {
			return &UserError{u.Name, "", &awsapi.Malformed{What: fmt.Sprintf("user %q with id %q, created %s: expected name, id and creation date", u.Name, u.ID, u.Created.Format(time.RFC3339))}}
		}
	}
	return nil
}

// Keys returns the user's access keys ordered by creation, with their last
// use unknown.
func (r Reader) Keys(ctx context.Context, user string) (inventory.Fact[[]inventory.AccessKey], error) {
	var (
		keys  []inventory.AccessKey
		first time.Time
	)
	err := pages(func(marker *string) (*iam.ListAccessKeysOutput, error) {
		return r.client.IAM.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListAccessKeysOutput) (bool, *string, error) {
		if out.AccessKeyMetadata == nil {
			return false, nil, missingElement("AccessKeyMetadata")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		for _, k := range out.AccessKeyMetadata {
			keys = append(keys, inventory.AccessKey{
				ID: aws.ToString(k.AccessKeyId), Status: statusOf(k.Status), Created: inventory.Truncate(aws.ToTime(k.CreateDate)),
			})
		}
		return out.IsTruncated, out.Marker, nil
	})
	if err == nil {
		keys, err = orderKeys(keys)
	}
	if err != nil {
		return inventory.Fact[[]inventory.AccessKey]{}, awsapi.Wrap(ListKeys, "user "+user, err)
	}
	return inventory.Observe(keys, first), nil
}

// statusOf returns "" for a status that this program does not know.
func statusOf(s types.StatusType) inventory.Status {
	switch s {
	case types.StatusTypeActive:
		return inventory.Active
	case types.StatusTypeInactive:
		return inventory.Inactive
	case types.StatusTypeExpired:
		return inventory.Expired
	}
	return ""
}

// orderKeys sorts by creation, then id, drops repetitions, and refuses keys
// that lack id, creation date or a known status.
func orderKeys(keys []inventory.AccessKey) ([]inventory.AccessKey, error) {
	for _, k := range keys {
		if k.ID == "" || k.Status == "" || k.Created.Unix() <= 0 {
			return nil, &awsapi.Malformed{What: fmt.Sprintf("a key with status %q, created %s: expected id, creation date, and status Active, Inactive or Expired", k.Status, k.Created.Format(time.RFC3339))}
		}
	}
	slices.SortFunc(keys, inventory.CompareKeys)
	return slices.CompactFunc(keys, func(a, b inventory.AccessKey) bool { return a.ID == b.ID }), nil
}

// KeyUse returns the key's last use. A key that is gone meanwhile is unknown.
func (r Reader) KeyUse(ctx context.Context, user, id string) (inventory.Fact[inventory.Use], error) {
	out, err := r.client.IAM.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	if err != nil {
		return inventory.Fact[inventory.Use]{}, awsapi.Wrap(GetKeyUse, "a key of user "+user, err)
	}
	last := out.AccessKeyLastUsed
	if last == nil {
		return inventory.Fact[inventory.Use]{}, awsapi.Wrap(GetKeyUse, "a key of user "+user, missingElement("AccessKeyLastUsed"))
	}
	use := inventory.Use{}
	if last.LastUsedDate != nil {
		use = inventory.Use{At: inventory.Truncate(*last.LastUsedDate), Region: orEmpty(last.Region), Service: orEmpty(last.ServiceName)}
	}
	return inventory.Observe(use, observedAt(out.ResultMetadata)), nil
}

// orEmpty turns AWS's "N/A" into "".
func orEmpty(s *string) string {
	if v := aws.ToString(s); v != "N/A" {
		return v
	}
	return ""
}

// Password is what GetLoginProfile tells.
type Password struct {
	Console inventory.Fact[bool]
	Created inventory.Fact[time.Time] // unknown without a password
}

// Password reports whether the user has one. No login profile means no
// password, or no user; the next listing tells which.
func (r Reader) Password(ctx context.Context, user string) (Password, error) {
	out, err := r.client.IAM.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &user})
	if awsapi.IsNoSuchEntity(err) {
		return Password{Console: inventory.Observe(false, observedInError(err))}, nil
	}
	if err != nil {
		return Password{}, awsapi.Wrap(GetPassword, "user "+user, err)
	}
	if out.LoginProfile == nil {
		return Password{}, awsapi.Wrap(GetPassword, "user "+user, missingElement("LoginProfile"))
	}
	observed := observedAt(out.ResultMetadata)
	p := Password{Console: inventory.Observe(true, observed)}
	if out.LoginProfile.CreateDate != nil {
		p.Created = inventory.Observe(inventory.Truncate(*out.LoginProfile.CreateDate), observed)
	}
	return p, nil
}

// MFA reports whether the user has an MFA device.
func (r Reader) MFA(ctx context.Context, user string) (inventory.Fact[bool], error) {
	var (
		devices int
		first   time.Time
	)
	err := pages(func(marker *string) (*iam.ListMFADevicesOutput, error) {
		return r.client.IAM.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListMFADevicesOutput) (bool, *string, error) {
		if out.MFADevices == nil {
			return false, nil, missingElement("MFADevices")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		devices += len(out.MFADevices)
		return out.IsTruncated, out.Marker, nil
	})
	if err != nil {
		return inventory.Fact[bool]{}, awsapi.Wrap(ListMFA, "user "+user, err)
	}
	return inventory.Observe(devices > 0, first), nil
}

// Root returns what GetAccountSummary tells of root: whether it has
// keys, but not their status; a password; an MFA device.
func (r Reader) Root(ctx context.Context) (inventory.Root, error) {
	out, err := r.client.IAM.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return inventory.Root{}, awsapi.Wrap(GetSummary, "the account", err)
	}
	if out.SummaryMap == nil {
		return inventory.Root{}, awsapi.Wrap(GetSummary, "the account", missingElement("SummaryMap"))
	}
	observed := observedAt(out.ResultMetadata)
	fact := func(name types.SummaryKeyType) inventory.Fact[bool] {
		n, ok := out.SummaryMap[string(name)]
		if !ok {
			return inventory.Fact[bool]{}
		}
		return inventory.Observe(n > 0, observed)
	}
	return inventory.Root{
		KeyPresent: fact(types.SummaryKeyTypeAccountAccessKeysPresent),
		Console:    fact(types.SummaryKeyTypeAccountPasswordPresent),
		MFA:        fact(types.SummaryKeyTypeAccountMFAEnabled),
	}, nil
}

// Report is a parsed credential report.
type Report struct {
	*credreport.Report
	Generated time.Time // when AWS made it
	Served    time.Time // when AWS handed it out, by AWS's clock
}

// GenerateReport has AWS make a report, and reports whether one is there
// already. AWS keeps a report for four hours, shared by all tools, and makes no
// other meanwhile.
func (r Reader) GenerateReport(ctx context.Context) (complete bool, err error) {
	out, err := r.client.IAM.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
	if err != nil {
		return false, awsapi.Wrap(GenerateReport, "the account", err)
	}
	return out.State == types.ReportStateTypeComplete, nil
}

// Report returns the newest report. While the first one is in the making the
// error is one of awsapi.IsReportPending.
func (r Reader) Report(ctx context.Context) (*Report, error) {
	report, err := r.getReport(ctx)
	if err != nil {
		return nil, awsapi.Wrap(GetReport, "the account", err)
	}
	return report, nil
}

func (r Reader) getReport(ctx context.Context) (*Report, error) {
	out, err := r.client.IAM.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	if err != nil {
		return nil, err
	}
	if out.GeneratedTime == nil {
		return nil, &awsapi.Malformed{What: "the report has no generation time"}
	}
	parsed, err := credreport.Parse(out.Content)
	if err != nil {
		// It quotes what it cannot read, which may be anybody's name.
		return nil, &UserError{Somebody, "", &awsapi.Malformed{What: "the credential report cannot be used", Err: err}}
	}
	return &Report{Report: parsed, Generated: inventory.Truncate(*out.GeneratedTime), Served: observedAt(out.ResultMetadata)}, nil
}

// Somebody stands for a user whose name is not known. No user can have it.
const Somebody = "<somebody>"

// UserError is a failure whose words name a user.
type UserError struct {
	Name   string
	Action string // the call about the user; empty if the words are about more than one
	Err    error
}

func (e *UserError) Error() string { return e.Err.Error() }

// Unwrap returns the failure itself.
func (e *UserError) Unwrap() error { return e.Err }
