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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	ListAliases       = "iam:ListAccountAliases"
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
type Reader struct {
	client *awsapi.Client
	clock  *Clock
}

// New returns a reader of the account that the client reaches. What it reads is
// of the time that the clock makes of AWS's dates.
func New(client *awsapi.Client, clock *Clock) Reader { return Reader{client, clock} }

// Needs returns what the reader may ask for at the moment.
func (r Reader) Needs() awsapi.Needs { return r.client.Needs() }

// RenewCredentials loads the credentials anew if there is reason to, and reports
// whether it did: then Account has to tell whose they are.
func (r Reader) RenewCredentials(ctx context.Context) (renewed bool, err error) {
	renewed, err = r.client.RenewCredentials(ctx)
	return renewed, awsapi.Wrap(GetCallerIdentity, "credentials read again", err)
}

// KeyInUse tells what has signed the last request: the id of an access key, or that it was a
// session of the account's role. As long as it is the same, answers are about the same account.
func (r Reader) KeyInUse() string { return r.client.KeyInUse() }

// WantCredentials has RenewCredentials load them anew.
func (r Reader) WantCredentials() { r.client.WantCredentials() }

// observedAt returns when AWS gave an answer, so that a wrong clock here judges
// no key.
func (r Reader) observedAt(m middleware.Metadata) time.Time {
	date, _ := awsmiddleware.GetServerTime(m)
	return inventory.Truncate(r.clock.observe(date))
}

// observedInError is observedAt for an answer that came as an error.
func (r Reader) observedInError(err error) time.Time {
	var date time.Time
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if told, err := http.ParseTime(response.Response.Header.Get("Date")); err == nil {
			date = told
		}
	}
	return inventory.Truncate(r.clock.observe(date))
}

// happened refuses the time of something that cannot have happened then: not
// before IAM was there, nor after now.
func (r Reader) happened(what string, at time.Time) error {
	if latest := r.clock.Latest(); at.Unix() <= 0 || at.After(latest) {
		return &awsapi.Malformed{What: fmt.Sprintf("%s at %s: expected a time between 1970 and now, which is about %s",
			what, at.UTC().Format(time.RFC3339), inventory.Truncate(latest).Format(time.RFC3339))}
	}
	return nil
}

// Account returns the account that the credentials belong to.
func (r Reader) Account(ctx context.Context) (inventory.Account, error) {
	account, _, err := r.Caller(ctx)
	return account, err
}

// Caller returns the account that the credentials belong to, and the ARN of whom
// they belong to.
func (r Reader) Caller(ctx context.Context) (account inventory.Account, arn string, err error) {
	const action, target = GetCallerIdentity, "these credentials"
	out, err := r.client.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil {
		account, err = accountOf(aws.ToString(out.Account), aws.ToString(out.Arn))
	}
	if err != nil {
		return inventory.Account{}, "", awsapi.Wrap(action, target, err)
	}
	r.observedAt(out.ResultMetadata) // sets the clock
	return account, aws.ToString(out.Arn), nil
}

// Alias returns what the account's own administrators call it; empty if they
// don't, or if it is none that AWS allows.
func (r Reader) Alias(ctx context.Context) (string, error) {
	out, err := r.client.IAM.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
	if err == nil {
		err = checkAliases(out)
	}
	switch {
	case err != nil:
		return "", awsapi.Wrap(ListAliases, "the account", err)
	case len(out.AccountAliases) == 0 || !isAlias(out.AccountAliases[0]):
		return "", nil
	}
	return out.AccountAliases[0], nil
}

// checkAliases refuses an answer that may not tell everything, or more than can
// be: an account has one alias at most.
func checkAliases(out *iam.ListAccountAliasesOutput) error {
	switch n := len(out.AccountAliases); {
	case out.AccountAliases == nil:
		return missingElement("AccountAliases")
	case out.IsTruncated || n > 1:
		return &awsapi.Malformed{What: fmt.Sprintf("the account has %d aliases or more: expected one at most", n)}
	}
	return nil
}

// isAlias reports whether AWS could have taken the text as an alias.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccountAlias.html
func isAlias(text string) bool {
	return len(text) >= 3 && len(text) <= 63 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// missingElement tells of an answer without what was asked for. The SDK passes on an
// empty body as an answer; taken at its word, it would empty an account.
func missingElement(element string) error {
	return &awsapi.Malformed{What: "the answer has no " + element + ": expected one, be it empty"}
}

// Users returns every user, and when AWS listed them, which is the time of the
// first page: nothing is promised of later ones. Access keys, console access and
// MFA are unknown in it. Users about whom something is said that cannot be are
// not among them, but in odd.
func (r Reader) Users(ctx context.Context) (users []inventory.User, odd []*UserError, observed time.Time, err error) {
	all := userListing{action: ListUsers, ids: map[string]bool{}}
	err = pages(ctx, r.ofAccount(), func(ctx context.Context, marker *string) (*iam.ListUsersOutput, error) {
		return r.client.IAM.ListUsers(ctx, &iam.ListUsersInput{Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListUsersOutput) (page, error) {
		if out.Users == nil {
			return page{}, missingElement("Users")
		}
		told := r.observedAt(out.ResultMetadata)
		if observed.IsZero() {
			observed = told
		}
		for i := range out.Users {
			user := fromListing(&out.Users[i], told)
			if err := all.add(user, checkUserLengths(&user)); err != nil {
				return page{}, err
			}
		}
		return page{out.IsTruncated, out.Marker, all.elements()}, nil
	})
	if err == nil {
		users, err = all.distinct()
	}
	if err != nil {
		return nil, nil, time.Time{}, awsapi.Wrap(ListUsers, "the account", err)
	}
	users, odd = r.apart(users)
	return users, append(all.odd, odd...), observed, nil
}

// apart tells the users of whom something cannot be from all others.
func (r Reader) apart(all []inventory.User) (users []inventory.User, odd []*UserError) {
	for i := range all {
		u := &all[i]
		err := r.happened("created", u.Created)
		if use, _ := u.PasswordUse.Get(); err == nil && !use.Never() {
			err = r.happened("signed in", use.At)
		}
		if err == nil {
			users = append(users, *u)
			continue
		}
		odd = append(odd, &UserError{Name: u.Name, Action: ListUsers, Err: awsapi.Wrap(ListUsers, "user "+u.Name, err)})
	}
	return users, odd
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
		if u.ID == "" || u.Name == "" || u.Created.IsZero() {
			return &UserError{Name: u.Name, Err: &awsapi.Malformed{What: fmt.Sprintf("user %q with id %q, created %s: expected name, id and creation date", u.Name, u.ID, u.Created.Format(time.RFC3339))}}
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
	err := pages(ctx, r.ofUser(), func(ctx context.Context, marker *string) (*iam.ListAccessKeysOutput, error) {
		return r.client.IAM.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListAccessKeysOutput) (page, error) {
		if out.AccessKeyMetadata == nil {
			return page{}, missingElement("AccessKeyMetadata")
		}
		if first.IsZero() {
			first = r.observedAt(out.ResultMetadata)
		}
		for _, k := range out.AccessKeyMetadata {
			if err := checkAbout(user, k.UserName); err != nil {
				return page{}, err
			}
			keys = append(keys, inventory.AccessKey{
				ID: aws.ToString(k.AccessKeyId), Status: statusOf(k.Status), Created: inventory.Truncate(aws.ToTime(k.CreateDate)),
			})
		}
		return page{out.IsTruncated, out.Marker, len(keys)}, checkNumber("keys", len(keys))
	})
	if err == nil {
		keys, err = orderKeys(keys)
	}
	for i := 0; i < len(keys) && err == nil; i++ {
		err = r.happened("a key created", keys[i].Created)
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
// that lack id, creation date or a known status, or are told in two ways.
func orderKeys(keys []inventory.AccessKey) ([]inventory.AccessKey, error) {
	for _, k := range keys {
		if k.ID == "" || k.Status == "" || k.Created.IsZero() {
			return nil, &awsapi.Malformed{What: fmt.Sprintf("a key with status %q, created %s: expected id, creation date, and status Active, Inactive or Expired", k.Status, k.Created.Format(time.RFC3339))}
		}
	}
	for i := range keys {
		if err := checkLengths(longText{"the id of a key", keys[i].ID, inventory.LongestID}); err != nil {
			return nil, err
		}
	}
	keys, err := distinctKeys(keys)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, inventory.CompareKeys)
	return keys, nil
}

// KeyUse returns the key's last use. A key that is gone meanwhile is unknown.
func (r Reader) KeyUse(ctx context.Context, user, id string) (inventory.Fact[inventory.Use], error) {
	out, err := r.client.IAM.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	if err != nil {
		return inventory.Fact[inventory.Use]{}, awsapi.WrapAboutKey(GetKeyUse, "a key of user "+user, id, err)
	}
	last := out.AccessKeyLastUsed
	if last == nil {
		return inventory.Fact[inventory.Use]{}, awsapi.WrapAboutKey(GetKeyUse, "a key of user "+user, id, missingElement("AccessKeyLastUsed"))
	}
	use := inventory.Use{}
	if last.LastUsedDate != nil {
		use = inventory.Use{At: inventory.Truncate(*last.LastUsedDate), Region: orEmpty(last.Region), Service: orEmpty(last.ServiceName)}
	}
	observed := r.observedAt(out.ResultMetadata)
	err = checkLengths(longText{"the region", use.Region, inventory.LongestWord}, longText{"the service", use.Service, inventory.LongestWord})
	if err == nil && !use.Never() {
		err = r.happened("last used", use.At)
	}
	if err != nil {
		return inventory.Fact[inventory.Use]{}, awsapi.WrapAboutKey(GetKeyUse, "a key of user "+user, id, err)
	}
	return inventory.Observe(use, observed), nil
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
		return Password{Console: inventory.Observe(false, r.observedInError(err))}, nil
	}
	if err != nil {
		return Password{}, awsapi.Wrap(GetPassword, "user "+user, err)
	}
	if out.LoginProfile == nil {
		return Password{}, awsapi.Wrap(GetPassword, "user "+user, missingElement("LoginProfile"))
	}
	if err := checkAbout(user, out.LoginProfile.UserName); err != nil {
		return Password{}, awsapi.Wrap(GetPassword, "user "+user, err)
	}
	observed := r.observedAt(out.ResultMetadata)
	p := Password{Console: inventory.Observe(true, observed)}
	if out.LoginProfile.CreateDate != nil {
		created := inventory.Truncate(*out.LoginProfile.CreateDate)
		if err := r.happened("a password set", created); err != nil {
			return Password{}, awsapi.Wrap(GetPassword, "user "+user, err)
		}
		p.Created = inventory.Observe(created, observed)
	}
	return p, nil
}

// MFA reports whether the user has an MFA device.
func (r Reader) MFA(ctx context.Context, user string) (inventory.Fact[bool], error) {
	var (
		devices int
		first   time.Time
	)
	err := pages(ctx, r.ofUser(), func(ctx context.Context, marker *string) (*iam.ListMFADevicesOutput, error) {
		return r.client.IAM.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: &user, Marker: marker, MaxItems: aws.Int32(pageSize)})
	}, func(out *iam.ListMFADevicesOutput) (page, error) {
		if out.MFADevices == nil {
			return page{}, missingElement("MFADevices")
		}
		if first.IsZero() {
			first = r.observedAt(out.ResultMetadata)
		}
		for _, device := range out.MFADevices {
			if err := checkAbout(user, device.UserName); err != nil {
				return page{}, err
			}
		}
		devices += len(out.MFADevices)
		return page{out.IsTruncated, out.Marker, devices}, checkNumber("MFA devices", devices)
	})
	if err != nil {
		return inventory.Fact[bool]{}, awsapi.Wrap(ListMFA, "user "+user, err)
	}
	return inventory.Observe(devices > 0, first), nil
}

// Root returns what GetAccountSummary tells of root: whether it has
// keys, but not their status; a password, unless AWS leaves that out; an MFA device.
func (r Reader) Root(ctx context.Context) (inventory.Root, error) {
	out, err := r.client.IAM.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return inventory.Root{}, awsapi.Wrap(GetSummary, "the account", err)
	}
	if out.SummaryMap == nil {
		return inventory.Root{}, awsapi.Wrap(GetSummary, "the account", missingElement("SummaryMap"))
	}
	for _, name := range []types.SummaryKeyType{types.SummaryKeyTypeAccountAccessKeysPresent, types.SummaryKeyTypeAccountMFAEnabled} {
		if _, told := out.SummaryMap[string(name)]; !told {
			return inventory.Root{}, awsapi.Wrap(GetSummary, "the account", missingElement(string(name)))
		}
	}
	observed := r.observedAt(out.ResultMetadata)
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
	Generated time.Time     // when AWS made it, by the clock of the reader
	Age       time.Duration // when AWS handed it out, by AWS's own date
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
		return nil, &UserError{Name: Somebody, Err: &awsapi.Malformed{What: "the credential report cannot be used", Err: err}}
	}
	date, _ := awsmiddleware.GetServerTime(out.ResultMetadata)
	made, age := generated(inventory.Truncate(*out.GeneratedTime), r.observedAt(out.ResultMetadata), inventory.Truncate(date))
	parsed.SetApart(r.clock.Latest())
	return &Report{Report: parsed, Generated: made, Age: age}, nil
}

// generated returns when AWS made a report that it said was of the time told, and
// how old it was. It was served at that time by the clock of the reader, and under
// that date of AWS's, by which its age counts. One that is said to be of a time to
// come is new.
func generated(told, served, date time.Time) (made time.Time, age time.Duration) {
	if date.Unix() <= 0 { // none
		date = served
	}
	age = max(0, date.Sub(told))
	if told.After(served) {
		return served.Add(-age), age
	}
	return told, age
}

// Somebody stands for a user whose name is not known. No user can have it.
const Somebody = "<somebody>"

// UserError is a failure whose words name a user.
type UserError struct {
	Name   string
	ID     string // AWS's, where the name cannot be; else empty
	Action string // the call about the user; empty if the words are about more than one
	Err    error
}

func (e *UserError) Error() string { return e.Err.Error() }

// Unwrap returns the failure itself.
func (e *UserError) Unwrap() error { return e.Err }
