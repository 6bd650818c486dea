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

// The calls about one user, as IAM policies spell them.
const (
	listKeys    = "iam:ListAccessKeys"
	listMFA     = "iam:ListMFADevices"
	getKeyUse   = "iam:GetAccessKeyLastUsed"
	getPassword = "iam:GetLoginProfile"
	listTags    = "iam:ListUserTags"
)

// pageSize is the most that IAM hands out at once.
const pageSize = 1000

// calls makes single, typed calls to AWS and checks the answers. It keeps no state.
type calls struct{ client *awsapi.Client }

// observedAt returns AWS's own clock at the time of an answer, so that a wrong
// clock here judges no key; the local clock where the answer has no date.
func observedAt(m middleware.Metadata) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok && !t.IsZero() {
		return whole(t)
	}
	return whole(time.Now())
}

// observedInError is observedAt for an answer that came as an error.
func observedInError(err error) time.Time {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if t, err := http.ParseTime(response.Response.Header.Get("Date")); err == nil {
			return whole(t)
		}
	}
	return whole(time.Now())
}

// whole truncates to the second, the unit in which AWS's sources agree.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// account returns the account that the credentials belong to, and the time by
// AWS's clock.
func (c calls) account(ctx context.Context) (inventory.Account, time.Time, error) {
	const action, target = "sts:GetCallerIdentity", "these credentials"
	out, err := c.client.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
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

// noElement tells of an answer without what was asked for. The SDK passes on an
// empty body as an answer; taken at its word, it would empty an account.
func noElement(element string) error {
	return &awsapi.Malformed{What: "the answer has no " + element + ": expected one, be it empty"}
}

// listUsers returns every user, and the time of the first page, before which
// nothing is promised. Access keys, console access and MFA are unknown in it.
func (c calls) listUsers(ctx context.Context) ([]inventory.User, time.Time, error) {
	var (
		users []inventory.User
		first time.Time
	)
	err := pages(func(marker *string) (*iam.ListUsersOutput, error) {
		return c.client.IAM.ListUsers(ctx, &iam.ListUsersInput{Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListUsersOutput) (bool, *string, error) {
		if out.Users == nil {
			return false, nil, noElement("Users")
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
	return users, first, awsapi.Wrap("iam:ListUsers", "the account", err)
}

func fromListing(u *types.User, observed time.Time) inventory.User {
	user := inventory.User{
		ID: aws.ToString(u.UserId), Name: aws.ToString(u.UserName), ARN: aws.ToString(u.Arn),
		Path: aws.ToString(u.Path), Created: whole(aws.ToTime(u.CreateDate)),
		PasswordUse: inventory.Observe(inventory.Use{}, observed),
	}
	if u.PasswordLastUsed != nil {
		user.PasswordUse = inventory.Observe(inventory.Use{At: whole(*u.PasswordLastUsed)}, observed)
	}
	return user
}

// checkUsers refuses users that lack what they are known by.
func checkUsers(users []inventory.User) error {
	for _, u := range users {
		if u.ID == "" || u.Name == "" || u.Created.Unix() <= 0 {
			return &aboutUser{u.Name, "", &awsapi.Malformed{What: fmt.Sprintf("user %q with id %q, created %s: expected name, id and creation date", u.Name, u.ID, u.Created.Format(time.RFC3339))}}
		}
	}
	return nil
}

// listKeys returns the user's access keys ordered by creation, with their last
// use unknown.
func (c calls) listKeys(ctx context.Context, user string) (inventory.Fact[[]inventory.AccessKey], error) {
	var (
		keys  []inventory.AccessKey
		first time.Time
	)
	err := pages(func(marker *string) (*iam.ListAccessKeysOutput, error) {
		return c.client.IAM.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListAccessKeysOutput) (bool, *string, error) {
		if out.AccessKeyMetadata == nil {
			return false, nil, noElement("AccessKeyMetadata")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		for _, k := range out.AccessKeyMetadata {
			keys = append(keys, inventory.AccessKey{
				ID: aws.ToString(k.AccessKeyId), Status: statusOf(k.Status), Created: whole(aws.ToTime(k.CreateDate)),
			})
		}
		return out.IsTruncated, out.Marker, nil
	})
	if err == nil {
		keys, err = orderKeys(keys)
	}
	if err != nil {
		return inventory.Fact[[]inventory.AccessKey]{}, awsapi.Wrap(listKeys, "user "+user, err)
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
	slices.SortFunc(keys, compareKeys)
	return slices.CompactFunc(keys, func(a, b inventory.AccessKey) bool { return a.ID == b.ID }), nil
}

// keyUse returns the key's last use. A key that is gone meanwhile is unknown.
func (c calls) keyUse(ctx context.Context, user, id string) (inventory.Fact[inventory.Use], error) {
	out, err := c.client.IAM.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	if err != nil {
		return inventory.Fact[inventory.Use]{}, awsapi.Wrap(getKeyUse, "a key of user "+user, err)
	}
	last := out.AccessKeyLastUsed
	if last == nil {
		return inventory.Fact[inventory.Use]{}, awsapi.Wrap(getKeyUse, "a key of user "+user, noElement("AccessKeyLastUsed"))
	}
	use := inventory.Use{}
	if last.LastUsedDate != nil {
		use = inventory.Use{At: whole(*last.LastUsedDate), Region: orEmpty(last.Region), Service: orEmpty(last.ServiceName)}
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

// password is what GetLoginProfile tells.
type password struct {
	console inventory.Fact[bool]
	created inventory.Fact[time.Time] // unknown without a password
}

// password tells whether the user has one. No login profile means no password,
// or no user; the next listing tells which.
func (c calls) password(ctx context.Context, user string) (password, error) {
	out, err := c.client.IAM.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &user})
	if awsapi.IsNoSuchEntity(err) {
		return password{console: inventory.Observe(false, observedInError(err))}, nil
	}
	if err != nil {
		return password{}, awsapi.Wrap(getPassword, "user "+user, err)
	}
	if out.LoginProfile == nil {
		return password{}, awsapi.Wrap(getPassword, "user "+user, noElement("LoginProfile"))
	}
	observed := observedAt(out.ResultMetadata)
	p := password{console: inventory.Observe(true, observed)}
	if out.LoginProfile.CreateDate != nil {
		p.created = inventory.Observe(whole(*out.LoginProfile.CreateDate), observed)
	}
	return p, nil
}

// mfa tells whether the user has an MFA device.
func (c calls) mfa(ctx context.Context, user string) (inventory.Fact[bool], error) {
	var (
		devices int
		first   time.Time
	)
	err := pages(func(marker *string) (*iam.ListMFADevicesOutput, error) {
		return c.client.IAM.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListMFADevicesOutput) (bool, *string, error) {
		if out.MFADevices == nil {
			return false, nil, noElement("MFADevices")
		}
		if first.IsZero() {
			first = observedAt(out.ResultMetadata)
		}
		devices += len(out.MFADevices)
		return out.IsTruncated, out.Marker, nil
	})
	if err != nil {
		return inventory.Fact[bool]{}, awsapi.Wrap(listMFA, "user "+user, err)
	}
	return inventory.Observe(devices > 0, first), nil
}

// rootSummary returns what GetAccountSummary tells of root: whether it has
// keys, but not their status; a password; an MFA device.
func (c calls) rootSummary(ctx context.Context) (inventory.Root, error) {
	out, err := c.client.IAM.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return inventory.Root{}, awsapi.Wrap("iam:GetAccountSummary", "the account", err)
	}
	if out.SummaryMap == nil {
		return inventory.Root{}, awsapi.Wrap("iam:GetAccountSummary", "the account", noElement("SummaryMap"))
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

// reportPauses are the waits for a report in the making: a small account's is
// there within seconds, a large one's takes longer. With GenerateCredentialReport
// they bound a refresh to three calls.
func reportPauses() []time.Duration { return []time.Duration{3 * time.Second, 25 * time.Second} }

// report is a parsed credential report.
type report struct {
	*credreport.Report
	generated time.Time
	served    time.Time // by AWS's clock
}

// report has AWS make a report and returns the newest one. AWS keeps a report
// for four hours, shared by all tools, and makes no other meanwhile; the one
// returned may therefore be known already.
func (c calls) report(ctx context.Context, newerThan time.Time) (*report, error) {
	generate, err := c.client.IAM.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
	if err != nil {
		return nil, awsapi.Wrap("iam:GenerateCredentialReport", "the account", err)
	}
	pauses := reportPauses()
	if generate.State == types.ReportStateTypeComplete {
		pauses = []time.Duration{0}
	}
	for _, pause := range pauses {
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		r, err := c.getReport(ctx)
		switch {
		case awsapi.IsReportPending(err):
			continue
		case err != nil:
			return nil, awsapi.Wrap("iam:GetCredentialReport", "the account", err)
		case generate.State != types.ReportStateTypeComplete && !r.generated.After(newerThan):
			continue // the old one, while the new one is in the making
		}
		return r, nil
	}
	return nil, awsapi.Wrap("iam:GetCredentialReport", "the account", awsapi.ErrReportNotReady)
}

func (c calls) getReport(ctx context.Context) (*report, error) {
	out, err := c.client.IAM.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	if err != nil {
		return nil, err
	}
	if out.GeneratedTime == nil {
		return nil, &awsapi.Malformed{What: "the report has no generation time"}
	}
	parsed, err := credreport.Parse(out.Content)
	if err != nil {
		// It quotes what it cannot read, which may be anybody's name.
		return nil, &aboutUser{somebody, "", &awsapi.Malformed{What: "the credential report cannot be used", Err: err}}
	}
	return &report{Report: parsed, generated: whole(*out.GeneratedTime), served: observedAt(out.ResultMetadata)}, nil
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
