// Package conformance is a suite of reads with the real SDK that every stand-in
// for AWS, the simulator and moto, must answer in the same way. It keeps both to
// the shapes, pages and errors that the exporter relies on.
package conformance

import (
	"context"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// Target is a stand-in for AWS, with an account that has no users yet. What it
// creates has the present time.
type Target interface {
	Name() string // "simulator" or "moto"
	IAM() *iam.Client
	STS() *sts.Client

	CreateUser(ctx context.Context, name, path string) error
	DeleteUser(ctx context.Context, name string) error // of a user without anything
	SetPassword(ctx context.Context, name string) error
	AddMFA(ctx context.Context, name string) error
	CreateKey(ctx context.Context, name string) (id string, err error)
	DeactivateKey(ctx context.Context, name, id string) error
	SetAlias(ctx context.Context, alias string) error
	TagUser(ctx context.Context, name, key, value string) error
	PutUserPolicy(ctx context.Context, name, policyName, document string) error
}

// policyDocument is alice's inline policy, which is returned along with all tags.
const policyDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`

// people is how many more users the account gets, so that lists have pages.
const people = 7

type suite struct {
	target Target
	keys   []string // alice's: the first is active, the second inactive
	begun  time.Time
}

// Run builds a small account in the target and reads it in every way that the
// exporter does.
func Run(t *testing.T, target Target) {
	s := &suite{target: target, begun: time.Now().UTC().Truncate(time.Second)}
	s.reportAbsent(t)
	s.populate(t)
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"users", s.users},
		{"users under a path", s.usersUnderPath},
		{"pages of users", s.pages},
		{"too large a page", s.pageTooLarge},
		{"keys", s.accessKeys},
		{"no keys", s.noKeys},
		{"use of a new key", s.newKeyUse},
		{"password", s.password},
		{"MFA devices", s.mfaDevices},
		{"tags", s.tags},
		{"tags of all", s.tagsOfAll},
		{"pages of tags", s.pagesOfTags},
		{"marker under another filter", s.foreignMarker},
		{"what does not exist", s.unknown},
		{"summary", s.summary},
		{"caller", s.caller},
		{"alias", s.alias},
		{"report", s.report},
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

func (s *suite) populate(t *testing.T) {
	ctx, target := t.Context(), s.target
	check(t, target.CreateUser(ctx, "alice", "/people/"))
	check(t, target.SetPassword(ctx, "alice"))
	check(t, target.AddMFA(ctx, "alice"))
	for range 2 {
		id, err := target.CreateKey(ctx, "alice")
		check(t, err)
		s.keys = append(s.keys, id)
	}
	check(t, target.DeactivateKey(ctx, "alice", s.keys[1]))
	for _, tag := range [][2]string{{"team", "red"}, {"Owner", "bob@example.com"}, {s.keys[0], "backup job"}, {"empty", ""}, {"Team", "blue"}} {
		check(t, target.TagUser(ctx, "alice", tag[0], tag[1]))
	}
	check(t, target.PutUserPolicy(ctx, "alice", "own", policyDocument))
	for _, name := range s.names()[1:] {
		check(t, target.CreateUser(ctx, name, "/"))
	}
	check(t, target.CreateUser(ctx, "gone", "/"))
	check(t, target.DeleteUser(ctx, "gone"))
}

// names returns all users of the account in the order of the simulator.
func (s *suite) names() []string {
	names := []string{"alice"}
	for i := range people {
		names = append(names, "person-"+string(rune('a'+i)))
	}
	return names
}

func (s *suite) users(t *testing.T) {
	out, err := s.target.IAM().ListUsers(t.Context(), &iam.ListUsersInput{})
	check(t, err)
	equal(t, "names", s.names(), sortedNames(out.Users))
	equal(t, "truncated", false, out.IsTruncated)
	alice := find(t, out.Users, "alice")
	equal(t, "path", "/people/", aws.ToString(alice.Path))
	equal(t, "ARN", "arn:aws:iam::123456789012:user/people/alice", aws.ToString(alice.Arn))
	equal(t, "id prefix", !s.differs(foreignUserIDs), strings.HasPrefix(aws.ToString(alice.UserId), "AIDA"))
	equal(t, "last sign-in", nil, alice.PasswordLastUsed)
	s.whole(t, "creation", alice.CreateDate)
}

func (s *suite) usersUnderPath(t *testing.T) {
	out, err := s.target.IAM().ListUsers(t.Context(), &iam.ListUsersInput{PathPrefix: aws.String("/people/")})
	check(t, err)
	equal(t, "names", []string{"alice"}, sortedNames(out.Users))
}

func (s *suite) pages(t *testing.T) {
	var got []types.User
	pages := 0
	p := iam.NewListUsersPaginator(s.target.IAM(), &iam.ListUsersInput{MaxItems: aws.Int32(3)})
	for ; p.HasMorePages(); pages++ {
		out, err := p.NextPage(t.Context())
		check(t, err)
		got = append(got, out.Users...)
	}
	equal(t, "names", s.names(), sortedNames(got))
	equal(t, "pages", expect(s, listUsersUnpaged, 3, 1), pages)
}

func (s *suite) pageTooLarge(t *testing.T) {
	_, err := s.target.IAM().ListUsers(t.Context(), &iam.ListUsersInput{MaxItems: aws.Int32(1001)})
	equal(t, "error", expect(s, pageSizeUnchecked, "ValidationError", ""), code(err))
}

func (s *suite) accessKeys(t *testing.T) {
	out, err := s.target.IAM().ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("alice")})
	check(t, err)
	equal(t, "truncated", false, out.IsTruncated)
	statuses := make(map[string]types.StatusType)
	for _, k := range out.AccessKeyMetadata {
		statuses[aws.ToString(k.AccessKeyId)] = k.Status
		equal(t, "owner", "alice", aws.ToString(k.UserName))
		equal(t, "length of the id", 20, len(aws.ToString(k.AccessKeyId)))
		s.whole(t, "creation", k.CreateDate)
	}
	equal(t, "statuses", map[string]types.StatusType{
		s.keys[0]: types.StatusTypeActive, s.keys[1]: types.StatusTypeInactive,
	}, statuses)
}

func (s *suite) noKeys(t *testing.T) {
	out, err := s.target.IAM().ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("person-a")})
	check(t, err)
	equal(t, "keys", 0, len(out.AccessKeyMetadata))
}

func (s *suite) newKeyUse(t *testing.T) {
	out, err := s.target.IAM().GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &s.keys[0]})
	check(t, err)
	equal(t, "owner", "alice", aws.ToString(out.UserName))
	equal(t, "date", nil, out.AccessKeyLastUsed.LastUsedDate)
	equal(t, "service", "N/A", aws.ToString(out.AccessKeyLastUsed.ServiceName))
	equal(t, "region", "N/A", aws.ToString(out.AccessKeyLastUsed.Region))
}

func (s *suite) password(t *testing.T) {
	out, err := s.target.IAM().GetLoginProfile(t.Context(), &iam.GetLoginProfileInput{UserName: aws.String("alice")})
	check(t, err)
	equal(t, "user", "alice", aws.ToString(out.LoginProfile.UserName))
	s.whole(t, "creation", out.LoginProfile.CreateDate)
}

func (s *suite) mfaDevices(t *testing.T) {
	for name, want := range map[string]int{"alice": 1, "person-a": 0} {
		out, err := s.target.IAM().ListMFADevices(t.Context(), &iam.ListMFADevicesInput{UserName: &name})
		check(t, err)
		equal(t, "devices of "+name, want, len(out.MFADevices))
	}
}

func (s *suite) unknown(t *testing.T) {
	ctx, client := t.Context(), s.target.IAM()
	gone, nobody, noKey := aws.String("gone"), aws.String("nobody"), aws.String("AKIAAAAAAAAAAAAAAAAA")
	_, keys := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: gone})
	_, devices := client.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: gone})
	_, userless := client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: nobody})
	_, passwordless := client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: aws.String("person-a")})
	_, use := client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: noKey})
	_, tags := client.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: gone})
	for what, err := range map[string]error{
		"keys of a deleted user": keys, "devices of a deleted user": devices,
		"password of nobody": userless, "no password": passwordless, "unknown key": use,
		"tags of a deleted user": tags,
	} {
		equal(t, what, "NoSuchEntity", code(err))
	}
	equal(t, "typed error", true, errors.As(keys, new(*types.NoSuchEntityException)))
}

func (s *suite) summary(t *testing.T) {
	out, err := s.target.IAM().GetAccountSummary(t.Context(), nil)
	check(t, err)
	want := map[string]int32{
		"Users": people + 1, "UsersQuota": 5000, "AccessKeysPerUserQuota": 2, "MFADevices": 1, "AccountAccessKeysPresent": 0,
	}
	for name, value := range want {
		equal(t, name, value, out.SummaryMap[name])
	}
	_, mfaTold := out.SummaryMap["AccountMFAEnabled"]
	equal(t, "AccountMFAEnabled is told", true, mfaTold)
	_, passwordTold := out.SummaryMap["AccountPasswordPresent"]
	equal(t, "AccountPasswordPresent is told", !s.differs(summaryNoPassword), passwordTold)
}

func (s *suite) caller(t *testing.T) {
	out, err := s.target.STS().GetCallerIdentity(t.Context(), nil)
	check(t, err)
	equal(t, "account", "123456789012", aws.ToString(out.Account))
	owner, _, _ := strings.Cut(aws.ToString(out.Arn), "/")
	equal(t, "ARN", expect(s, callerUnderSTS, "arn:aws:iam::123456789012:user", "arn:aws:sts::123456789012:user"), owner)
}

func (s *suite) alias(t *testing.T) {
	for _, want := range [][]string{{}, {"blue-team"}} {
		for _, alias := range want {
			check(t, s.target.SetAlias(t.Context(), alias))
		}
		out, err := s.target.IAM().ListAccountAliases(t.Context(), nil)
		check(t, err)
		equal(t, "aliases", want, out.AccountAliases)
		equal(t, "truncated", false, out.IsTruncated)
	}
}

func (s *suite) reportAbsent(t *testing.T) {
	_, err := s.target.IAM().GetCredentialReport(t.Context(), nil)
	equal(t, "report before the first", "ReportNotPresent", code(err))
	equal(t, "typed error", true, errors.As(err, new(*types.CredentialReportNotPresentException)))
}

func (s *suite) report(t *testing.T) {
	ctx, client := t.Context(), s.target.IAM()
	first, err := client.GenerateCredentialReport(ctx, nil)
	check(t, err)
	second, err := client.GenerateCredentialReport(ctx, nil)
	check(t, err)
	states := []types.ReportStateType{first.State, second.State}
	equal(t, "states", []types.ReportStateType{types.ReportStateTypeStarted, types.ReportStateTypeComplete}, states)
	out, err := client.GetCredentialReport(ctx, nil)
	check(t, err)
	equal(t, "format", types.ReportFormatTypeTextCsv, out.ReportFormat)
	if s.differs(reportConstantDate) {
		equal(t, "year", 2015, out.GeneratedTime.Year())
	} else {
		s.recent(t, "generation", out.GeneratedTime)
	}
	equal(t, "ends in a line feed", s.differs(reportEndsInLF), strings.HasSuffix(string(out.Content), "\n"))
	rows, err := csv.NewReader(strings.NewReader(string(out.Content))).ReadAll()
	check(t, err)
	s.rows(t, rows)
}

func (s *suite) rows(t *testing.T, rows [][]string) {
	equal(t, "columns", strings.Fields(`user arn user_creation_time password_enabled password_last_used
		password_last_changed password_next_rotation mfa_active
		access_key_1_active access_key_1_last_rotated access_key_1_last_used_date access_key_1_last_used_region access_key_1_last_used_service
		access_key_2_active access_key_2_last_rotated access_key_2_last_used_date access_key_2_last_used_region access_key_2_last_used_service
		cert_1_active cert_1_last_rotated cert_2_active cert_2_last_rotated`), rows[0])
	var names []string
	cells := make(map[string]map[string]string)
	for _, row := range rows[1:] {
		names = append(names, row[0])
		cells[row[0]] = make(map[string]string)
		for i, value := range row {
			cells[row[0]][rows[0][i]] = value
		}
	}
	want := append([]string{"<root_account>"}, s.names()...)
	equal(t, "users", expect(s, reportNoRoot, want, s.names()), names)
	s.aliceRow(t, cells["alice"])
	noPassword := expect(s, reportNoPasswordWord, "N/A", "not_supported")
	equal(t, "password use without password", noPassword, cells["person-a"]["password_last_used"])
}

func (s *suite) aliceRow(t *testing.T, row map[string]string) {
	equal(t, "password", []string{"true", "no_information"}, []string{row["password_enabled"], row["password_last_used"]})
	equal(t, "MFA", "true", row["mfa_active"])
	equal(t, "active key slots", []string{"false", "true"}, slices.Sorted(slices.Values([]string{row["access_key_1_active"], row["access_key_2_active"]})))
	suffix := expect(s, reportDatesOffset, "Z", "+00:00")
	// The inactive key keeps its date.
	for _, column := range []string{"user_creation_time", "access_key_1_last_rotated", "access_key_2_last_rotated"} {
		created, err := time.Parse(time.RFC3339, row[column])
		check(t, err)
		s.recent(t, column, &created)
		equal(t, "suffix of "+column, suffix, row[column][len("2006-01-02T15:04:05"):])
	}
	equal(t, "key use", "N/A", row["access_key_1_last_used_date"])
}

// recent asserts that a time lies within the run of the suite.
func (s *suite) recent(t *testing.T, what string, at *time.Time) {
	t.Helper()
	if at == nil {
		t.Fatalf("%s: no time", what)
	}
	if at.Before(s.begun) || at.After(time.Now()) {
		t.Errorf("%s: %v is not within the run since %v", what, at, s.begun)
	}
}

// whole asserts that a live answer's time has whole seconds.
func (s *suite) whole(t *testing.T, what string, at *time.Time) {
	t.Helper()
	s.recent(t, what, at)
	equal(t, what+" has whole seconds", !s.differs(fractionalSeconds), at.Nanosecond() == 0)
}

func sortedNames(users []types.User) []string {
	var names []string
	for _, u := range users {
		names = append(names, aws.ToString(u.UserName))
	}
	slices.Sort(names)
	return names
}

func find(t *testing.T, users []types.User, name string) types.User {
	t.Helper()
	i := slices.IndexFunc(users, func(u types.User) bool { return aws.ToString(u.UserName) == name })
	if i < 0 {
		t.Fatalf("user %s is missing", name)
	}
	return users[i]
}

// code returns the code of an AWS error, empty for no error.
func code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
