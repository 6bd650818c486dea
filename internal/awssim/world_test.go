package awssim_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// start is the time of the tests' worlds.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func fixed() time.Time { return start() }

// once returns a client that makes one attempt a call.
func once(w *awssim.World) *iam.Client {
	return iam.NewFromConfig(w.Config(), func(o *iam.Options) { o.Retryer = aws.NopRetryer{} })
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](t *testing.T) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		check(t, err)
		return value
	}
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func addUsers(t *testing.T, w *awssim.World, names ...string) {
	t.Helper()
	for _, name := range names {
		get[string](t)(w.CreateUser(name, "", start()))
	}
}

func userNames(t *testing.T, client *iam.Client, maxItems int32) (names []string, pages int) {
	t.Helper()
	input := &iam.ListUsersInput{}
	if maxItems > 0 {
		input.MaxItems = aws.Int32(maxItems)
	}
	for p := iam.NewListUsersPaginator(client, input); p.HasMorePages(); pages++ {
		page := get[*iam.ListUsersOutput](t)(p.NextPage(t.Context()))
		for _, u := range page.Users {
			names = append(names, aws.ToString(u.UserName))
		}
	}
	return names, pages
}

func TestPaging(t *testing.T) {
	tests := []struct {
		name      string
		maxPage   int
		asked     int32
		wantPages int
	}{
		{"default page", 0, 0, 3},
		{"one page", 0, 1000, 1},
		{"as asked", 0, 7, 36},
		{"fewer than asked", 50, 1000, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := awssim.New(awssim.Options{Now: fixed, MaxPage: test.maxPage})
			var want []string
			for i := range 250 {
				want = append(want, fmt.Sprintf("user-%03d", i))
			}
			addUsers(t, w, want...)
			got, pages := userNames(t, once(w), test.asked)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if pages != test.wantPages {
				t.Errorf("got %d pages, want %d", pages, test.wantPages)
			}
		})
	}
}

func TestPagingOverShortLists(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed, KeysPerUser: 5, MaxPage: 2})
	addUsers(t, w, "alice")
	var want, got []string
	for range 5 {
		want = append(want, get[string](t)(w.CreateKey("alice", start())))
	}
	p := iam.NewListAccessKeysPaginator(once(w), &iam.ListAccessKeysInput{UserName: aws.String("alice")})
	for p.HasMorePages() {
		for _, k := range get[*iam.ListAccessKeysOutput](t)(p.NextPage(t.Context())).AccessKeyMetadata {
			got = append(got, aws.ToString(k.AccessKeyId))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestMarkerSurvivesDeletion(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	addUsers(t, w, "a", "b", "c", "d")
	client := once(w)
	first := get[*iam.ListUsersOutput](t)(client.ListUsers(t.Context(), &iam.ListUsersInput{MaxItems: aws.Int32(2)}))
	check(t, w.DeleteUser("c"))
	second := get[*iam.ListUsersOutput](t)(client.ListUsers(t.Context(), &iam.ListUsersInput{Marker: first.Marker}))
	if len(second.Users) != 1 || aws.ToString(second.Users[0].UserName) != "d" {
		t.Errorf("second page holds %d users, want only d", len(second.Users))
	}
}

func TestVisibilityDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{VisibilityDelay: 10 * time.Second})
		client := once(w)
		addUsers(t, w, "alice")
		check(t, w.SetPassword("alice", start()))
		if got, _ := userNames(t, client, 0); len(got) != 0 {
			t.Errorf("new user is visible at once: %v", got)
		}
		if u, ok := w.User("alice"); !ok || !u.Password {
			t.Errorf("User(alice) = %+v, %v; want the truth without delay", u, ok)
		}
		time.Sleep(5 * time.Second)
		check(t, w.RenameUser("alice", "Alicia"))
		time.Sleep(5 * time.Second)
		if got, _ := userNames(t, client, 0); !cmp.Equal(got, []string{"alice"}) {
			t.Errorf("after 10s: %v, want alice under the old name", got)
		}
		time.Sleep(5 * time.Second)
		_, err := client.GetLoginProfile(t.Context(), &iam.GetLoginProfileInput{UserName: aws.String("Alicia")})
		check(t, err)
		check(t, w.DeleteUser("alicia"))
		if got, _ := userNames(t, client, 0); !cmp.Equal(got, []string{"Alicia"}) {
			t.Errorf("deleted user: %v, want it visible for a while", got)
		}
		time.Sleep(10 * time.Second)
		if got, _ := userNames(t, client, 0); len(got) != 0 {
			t.Errorf("after all: %v, want no users", got)
		}
	})
}

func TestRefusedChanges(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	addUsers(t, w, "alice", "bob")
	for range 2 {
		get[string](t)(w.CreateKey("alice", start()))
	}
	tests := []struct {
		name   string
		change func() error
	}{
		{"name taken in other case", func() error { _, err := w.CreateUser("ALICE", "", start()); return err }},
		{"no name", func() error { _, err := w.CreateUser("", "", start()); return err }},
		{"rename to a taken name", func() error { return w.RenameUser("bob", "Alice") }},
		{"third key", func() error { _, err := w.CreateKey("alice", start()); return err }},
		{"key of nobody", func() error { _, err := w.CreateKey("carol", start()); return err }},
		{"delete root", func() error { return w.DeleteUser(awssim.Root) }},
		{"root password as a user's", func() error { return w.SetPassword(awssim.Root, start()) }},
		{"sign-in without password", func() error { return w.SignIn("bob", start()) }},
		{"change of no password", func() error { return w.ChangePassword("bob", start()) }},
		{"unknown key", func() error { return w.DeleteKey("AKIANONE") }},
		{"tag of nobody", func() error { return w.TagUser("carol", "team", "blue") }},
		{"tag of root", func() error { return w.TagUser(awssim.Root, "team", "blue") }},
		{"tag without a key", func() error { return w.TagUser("bob", "", "blue") }},
		{"tag with a sign that IAM refuses", func() error { return w.TagUser("bob", "team", "<unknown>") }},
		{"too long a tag", func() error { return w.TagUser("bob", "team", strings.Repeat("x", 257)) }},
		{"policy of root", func() error { return w.PutUserPolicy(awssim.Root, "p", "{}") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := w.Users()
			if err := test.change(); err == nil {
				t.Error("the change was accepted")
			}
			if diff := cmp.Diff(before, w.Users()); diff != "" {
				t.Errorf("a refused change changed users (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReportStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{ReportDelay: 10 * time.Second})
		client := once(w)
		addUsers(t, w, "alice")
		generate := func() types.ReportStateType {
			t.Helper()
			return get[*iam.GenerateCredentialReportOutput](t)(client.GenerateCredentialReport(t.Context(), nil)).State
		}
		download := func() string {
			t.Helper()
			out, err := client.GetCredentialReport(t.Context(), nil)
			if err != nil {
				return code(err)
			}
			return out.GeneratedTime.Format("15:04:05") + " " + reportUsers(t, out.Content)
		}
		begun := time.Now().UTC().Format("15:04:05")
		steps := []struct {
			name         string
			act          func()
			wantState    types.ReportStateType // "" if not generated
			wantDownload string
		}{
			{"none yet", nil, "", "ReportNotPresent"},
			{"first", nil, types.ReportStateTypeStarted, "ReportInProgress"},
			{"in progress", func() { time.Sleep(9 * time.Second) }, types.ReportStateTypeInprogress, "ReportInProgress"},
			{"done", func() { time.Sleep(time.Second) }, types.ReportStateTypeComplete, begun + " alice"},
			{
				"not renewed", func() { addUsers(t, w, "bob"); check(t, w.DeleteUser("alice")); time.Sleep(3 * time.Hour) },
				types.ReportStateTypeComplete, begun + " alice",
			},
			{"expired", func() { time.Sleep(time.Hour) }, "", "ReportExpired"},
			{"next", nil, types.ReportStateTypeStarted, "ReportInProgress"},
			{"next done", func() { time.Sleep(10 * time.Second) }, "", time.Now().Add(4*time.Hour+10*time.Second).UTC().Format("15:04:05") + " bob"},
		}
		for _, step := range steps {
			if step.act != nil {
				step.act()
			}
			if step.wantState != "" {
				if got := generate(); got != step.wantState {
					t.Errorf("%s: generate answered %s, want %s", step.name, got, step.wantState)
				}
			}
			if got := download(); got != step.wantDownload {
				t.Errorf("%s: download gave %q, want %q", step.name, got, step.wantDownload)
			}
		}
	})
}

// reportUsers returns the names of the users in a report but root.
func reportUsers(t *testing.T, content []byte) string {
	t.Helper()
	rows := get[[][]string](t)(csv.NewReader(strings.NewReader(string(content))).ReadAll())
	if len(rows) < 2 || rows[1][0] != awssim.Root {
		t.Fatalf("the first row is not root's: %v", rows)
	}
	var names []string
	for _, row := range rows[2:] {
		names = append(names, row[0])
	}
	return strings.Join(names, " ")
}

func readReport(t *testing.T, w *awssim.World) string {
	t.Helper()
	client := once(w)
	get[*iam.GenerateCredentialReportOutput](t)(client.GenerateCredentialReport(t.Context(), nil))
	return string(get[*iam.GetCredentialReportOutput](t)(client.GetCredentialReport(t.Context(), nil)).Content)
}

func TestReportContent(t *testing.T) {
	day := 24 * time.Hour
	w := awssim.New(awssim.Options{Now: fixed, Created: start().Add(-1000 * day)})
	addUsers(t, w, "bob", "Alice", "ci,one")
	check(t, w.SetPassword("Alice", start().Add(-9*day)))
	check(t, w.ChangePassword("Alice", start().Add(-8*day)))
	check(t, w.SignIn("Alice", start().Add(-7*day)))
	get[string](t)(w.AddMFA("Alice", start()))
	key := get[string](t)(w.CreateKey("Alice", start().Add(-6*day)))
	check(t, w.UseKey(key, awssim.Use{At: start().Add(-5 * day), Service: "s3"}))
	check(t, w.SetKeyStatus(key, types.StatusTypeInactive))
	check(t, w.SetPassword("bob", start()))
	check(t, w.RemoveMFA(awssim.Root))
	rootKey := get[string](t)(w.CreateKey(awssim.Root, start().Add(-400*day)))
	check(t, w.UseKey(rootKey, awssim.Use{At: start().Add(-day), Service: "ec2", Region: "eu-west-1"}))
	want := strings.Join([]string{
		"user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
			"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
			"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
			"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated",
		"<root_account>,arn:aws:iam::123456789012:root,2023-06-05T12:00:00Z,true,no_information,not_supported,not_supported,false," +
			"true,2025-01-25T12:00:00Z,2026-02-28T12:00:00Z,eu-west-1,ec2,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
		"Alice,arn:aws:iam::123456789012:user/Alice,2026-03-01T12:00:00Z,true,2026-02-22T12:00:00Z,2026-02-21T12:00:00Z,N/A,true," +
			"false,2026-02-23T12:00:00Z,2026-02-24T12:00:00Z,N/A,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
		"bob,arn:aws:iam::123456789012:user/bob,2026-03-01T12:00:00Z,true,no_information,2026-03-01T12:00:00Z,N/A,false," +
			"false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
		`"ci,one","arn:aws:iam::123456789012:user/ci,one",2026-03-01T12:00:00Z,false,N/A,N/A,N/A,false,` +
			"false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
	}, "\n")
	if diff := cmp.Diff(want, readReport(t, w)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestReportRootPassword(t *testing.T) {
	tests := []struct {
		name  string
		state awssim.RootPassword
		want  string
	}{
		{"enabled", awssim.RootPasswordEnabled, "true,2026-03-01T12:00:00Z,not_supported,not_supported,true"},
		{"disabled", awssim.RootPasswordDisabled, "false,N/A,not_supported,not_supported,true"},
		{"not supported", awssim.RootPasswordNotSupported, "not_supported,2026-03-01T12:00:00Z,not_supported,not_supported,true"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := awssim.New(awssim.Options{Now: fixed})
			check(t, w.SignIn(awssim.Root, start()))
			check(t, w.SetRootPassword(test.state))
			if got := readReport(t, w); !strings.Contains(got, ","+test.want+",") {
				t.Errorf("root's row lacks %q:\n%s", test.want, got)
			}
		})
	}
}

func TestAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{VisibilityDelay: 10 * time.Second})
		aliases := func() []string {
			return get[*iam.ListAccountAliasesOutput](t)(once(w).ListAccountAliases(t.Context(), nil)).AccountAliases
		}
		for _, step := range []struct {
			set           string
			atOnce, later []string
		}{
			{"blue-team", nil, []string{"blue-team"}},
			{"r2d", []string{"blue-team"}, []string{"r2d"}},
			{"", []string{"r2d"}, nil},
		} {
			check(t, w.SetAlias(step.set))
			for _, want := range [][]string{step.atOnce, step.later} {
				if got := aliases(); !slices.Equal(want, got) {
					t.Errorf("alias set to %q: got %q, want %q", step.set, got, want)
				}
				time.Sleep(10 * time.Second)
			}
		}
		for _, bad := range []string{"ab", "Blue", "-blue", "blue-", "blue--team", "blue team", strings.Repeat("b", 64)} {
			if err := w.SetAlias(bad); err == nil {
				t.Errorf("alias %q: got no error, want one", bad)
			}
		}
	})
}

func TestReportSlotsAndSurplusKeys(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed, KeysPerUser: 3, ReportExtraColumn: true})
	addUsers(t, w, "many")
	for i := range 40 {
		name := fmt.Sprintf("pair-%02d", i)
		addUsers(t, w, name)
		for age := range 2 {
			get[string](t)(w.CreateKey(name, start().Add(time.Duration(age)*time.Hour)))
		}
	}
	for range 3 {
		get[string](t)(w.CreateKey("many", start()))
	}
	content := readReport(t, w)
	if again := readReport(t, w); again != content {
		t.Error("the same report differs when read again")
	}
	rows := get[[][]string](t)(csv.NewReader(strings.NewReader(content)).ReadAll())
	older := 0
	for _, row := range rows[3:] {
		if row[9] < row[14] {
			older++
		}
	}
	if older == 0 || older == 40 {
		t.Errorf("the older key is in slot 1 for %d of 40 users, want a mixture", older)
	}
	if extra := rows[2][22]; !strings.HasPrefix(extra, "1 more access key") {
		t.Errorf("additional_credentials_info = %q", extra)
	}
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Rate: 1, Burst: 2})
		client := once(w)
		list := func() error { _, err := client.ListUsers(t.Context(), nil); return err }
		check(t, list())
		check(t, list())
		if err := list(); code(err) != "Throttling" {
			t.Errorf("third call in a burst of two: %v, want Throttling", err)
		}
		_, err := client.GetAccountSummary(t.Context(), nil)
		check(t, err) // each operation has its own bucket
		time.Sleep(time.Second)
		check(t, list())
	})
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault http.HandlerFunc
		want  func(error) bool
	}{
		{"error", awssim.Error(http.StatusForbidden, "AccessDenied", "no"), func(err error) bool { return code(err) == "AccessDenied" }},
		{"reset", awssim.Reset(), func(err error) bool { return errors.Is(err, syscall.ECONNRESET) && errors.As(err, new(*net.OpError)) }},
		{"not XML", awssim.Raw(http.StatusOK, "text/html", "<html>"), func(err error) bool { return errors.As(err, new(*smithy.DeserializationError)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := awssim.New(awssim.Options{Now: fixed})
			w.SetFault(func(operation string, n int) http.HandlerFunc {
				if operation == "ListUsers" && n == 2 {
					return test.fault
				}
				return nil
			})
			client := once(w)
			var errs []error
			for range 3 {
				_, err := client.ListUsers(t.Context(), nil)
				errs = append(errs, err)
			}
			if errs[0] != nil || !test.want(errs[1]) || errs[2] != nil {
				t.Errorf("the second of three calls should fail as told: %v", errs)
			}
			want := map[string]int{"ListUsers": 3}
			if diff := cmp.Diff(want, w.Calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			w.ResetCalls()
			w.SetFault(nil)
			check(t, errFrom(client.ListUsers(t.Context(), nil)))
			if got := w.Calls()["ListUsers"]; got != 1 {
				t.Errorf("after a reset of 1 call %d are counted", got)
			}
		})
	}
}

func errFrom[T any](_ T, err error) error { return err }

func TestHangEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := once(w).ListUsers(ctx, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("after %v: %v, want a time-out after a minute", time.Since(began), err)
		}
	})
}

func TestEmptyPageLosesNothing(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	want := []string{"+plus", "0", "alice", "bob", "carol"}
	addUsers(t, w, want...)
	w.SetFault(func(_ string, n int) http.HandlerFunc {
		if n%2 == 1 {
			return awssim.EmptyPage()
		}
		return nil
	})
	got, pages := userNames(t, once(w), 2)
	if diff := cmp.Diff(want, got); diff != "" || pages != 6 {
		t.Errorf("%d pages, want 6; users (-want +got):\n%s", pages, diff)
	}
}

func TestRepeatMarkerNeverEnds(t *testing.T) {
	for _, operation := range []string{"ListUsers", "ListAccessKeys", "ListUserTags", "GetAccountAuthorizationDetails"} {
		t.Run(operation, func(t *testing.T) {
			w := awssim.New(awssim.Options{Now: fixed})
			w.SetFault(func(string, int) http.HandlerFunc { return awssim.RepeatMarker() })
			var markers []string
			for range 3 {
				truncated, marker := readPage(t, once(w), operation)
				if !truncated {
					t.Fatal("the list ended")
				}
				markers = append(markers, marker)
			}
			if markers[0] == "" || markers[0] != markers[1] || markers[1] != markers[2] {
				t.Errorf("markers %q, want one that repeats", markers)
			}
		})
	}
}

func readPage(t *testing.T, client *iam.Client, operation string) (truncated bool, marker string) {
	t.Helper()
	switch operation {
	case "ListUsers":
		out := get[*iam.ListUsersOutput](t)(client.ListUsers(t.Context(), nil))
		return out.IsTruncated, aws.ToString(out.Marker)
	case "ListUserTags":
		out := get[*iam.ListUserTagsOutput](t)(client.ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: aws.String("alice")}))
		return out.IsTruncated, aws.ToString(out.Marker)
	case "GetAccountAuthorizationDetails":
		out := get[*iam.GetAccountAuthorizationDetailsOutput](t)(client.GetAccountAuthorizationDetails(t.Context(), nil))
		return out.IsTruncated, aws.ToString(out.Marker)
	}
	out := get[*iam.ListAccessKeysOutput](t)(client.ListAccessKeys(t.Context(), nil))
	return out.IsTruncated, aws.ToString(out.Marker)
}

func TestOnlyItsOperations(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	_, err := once(w).ListRoles(t.Context(), nil)
	if code(err) != "InvalidAction" {
		t.Errorf("ListRoles: %v, want InvalidAction", err)
	}
	want := map[string]int{"InvalidAction": 1}
	if diff := cmp.Diff(want, w.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	wantOperations := []string{
		"GenerateCredentialReport", "GetAccessKeyLastUsed", "GetAccountAuthorizationDetails", "GetAccountSummary", "GetCallerIdentity",
		"GetCredentialReport", "GetLoginProfile", "ListAccessKeys", "ListAccountAliases", "ListMFADevices", "ListUserTags", "ListUsers",
	}
	if diff := cmp.Diff(wantOperations, awssim.Operations()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

func TestWireFormat(t *testing.T) {
	tests := []struct {
		name, form string
		wantStatus int
		wantBody   string // with REQUEST for the request id
	}{
		{
			"result", "Action=ListUsers&Version=2010-05-08", http.StatusOK,
			`<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users><member><Path>/ops/</Path>` +
				`<UserName>alice</UserName><UserId>ID</UserId><Arn>arn:aws-cn:iam::111122223333:user/ops/alice</Arn>` +
				`<CreateDate>2026-03-01T12:00:00Z</CreateDate></member></Users><IsTruncated>false</IsTruncated></ListUsersResult>` +
				`<ResponseMetadata><RequestId>REQUEST</RequestId></ResponseMetadata></ListUsersResponse>`,
		},
		{
			"error", "Action=ListUsers&Version=2010-05-08&MaxItems=1001", http.StatusBadRequest,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>ValidationError</Code>` +
				`<Message>Value &#39;1001&#39; at &#39;maxItems&#39; failed to satisfy constraint: Member must have value between 1 and 1000</Message>` +
				`</Error><RequestId>REQUEST</RequestId></ErrorResponse>`,
		},
		{
			"tags", "Action=ListUserTags&Version=2010-05-08&UserName=alice", http.StatusOK,
			`<ListUserTagsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUserTagsResult><Tags>` +
				`<member><Key>Owner</Key><Value>blue team</Value></member></Tags><IsTruncated>false</IsTruncated></ListUserTagsResult>` +
				`<ResponseMetadata><RequestId>REQUEST</RequestId></ResponseMetadata></ListUserTagsResponse>`,
		},
		{
			"details", "Action=GetAccountAuthorizationDetails&Version=2010-05-08&Filter.member.1=User", http.StatusOK,
			`<GetAccountAuthorizationDetailsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetAccountAuthorizationDetailsResult>` +
				`<UserDetailList><member><Path>/ops/</Path><UserName>alice</UserName><UserId>ID</UserId><Arn>arn:aws-cn:iam::111122223333:user/ops/alice</Arn>` +
				`<CreateDate>2026-03-01T12:00:00Z</CreateDate><UserPolicyList><member><PolicyName>one</PolicyName>` +
				`<PolicyDocument>%7B%22a%22%3A%20%5B%5D%7D</PolicyDocument></member></UserPolicyList>` +
				`<Tags><member><Key>Owner</Key><Value>blue team</Value></member></Tags></member></UserDetailList>` +
				`<GroupDetailList></GroupDetailList><RoleDetailList></RoleDetailList><Policies></Policies><IsTruncated>false</IsTruncated>` +
				`</GetAccountAuthorizationDetailsResult><ResponseMetadata><RequestId>REQUEST</RequestId></ResponseMetadata></GetAccountAuthorizationDetailsResponse>`,
		},
		{
			"alias", "Action=ListAccountAliases&Version=2010-05-08", http.StatusOK,
			`<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>` +
				`<AccountAliases><member>blue-team</member></AccountAliases><IsTruncated>false</IsTruncated></ListAccountAliasesResult>` +
				`<ResponseMetadata><RequestId>REQUEST</RequestId></ResponseMetadata></ListAccountAliasesResponse>`,
		},
		{
			"sts", "Action=GetCallerIdentity&Version=2011-06-15", http.StatusOK,
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
				`<Arn>arn:aws-cn:iam::111122223333:user/exporter</Arn><UserId>AIDAEXPORTERSIMULATED</UserId><Account>111122223333</Account>` +
				`</GetCallerIdentityResult><ResponseMetadata><RequestId>REQUEST</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
		},
		{
			"wrong version", "Action=ListUsers&Version=2011-06-15", http.StatusBadRequest,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidAction</Code>` +
				`<Message>Could not find operation ListUsers for version 2011-06-15</Message></Error><RequestId>REQUEST</RequestId></ErrorResponse>`,
		},
	}
	w := awssim.New(awssim.Options{Now: fixed, AccountID: "111122223333", Partition: "aws-cn"})
	id := get[string](t)(w.CreateUser("alice", "/ops/", start()))
	check(t, w.TagUser("alice", "Owner", "blue team"))
	check(t, w.SetAlias("blue-team"))
	check(t, w.PutUserPolicy("alice", "one", `{"a": []}`))
	client := http.Client{Transport: w.Transport()}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response := get[*http.Response](t)(client.Post("https://iam.test/", "application/x-www-form-urlencoded", strings.NewReader(test.form)))
			var body strings.Builder
			check(t, response.Write(&body))
			_, got, _ := strings.Cut(body.String(), "\r\n\r\n")
			requestID := response.Header.Get("x-amzn-RequestId")
			want := strings.NewReplacer("REQUEST", requestID, ">ID<", ">"+id+"<").Replace(test.wantBody) + "\n"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if response.StatusCode != test.wantStatus || response.Header.Get("Date") != "Sun, 01 Mar 2026 12:00:00 GMT" || requestID == "" {
				t.Errorf("status %d, header %v", response.StatusCode, response.Header)
			}
		})
	}
}

func TestTemporaryCallerMustNameTheUser(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	addUsers(t, w, "exporter")
	want := get[string](t)(w.CreateKey("exporter", start()))
	out := get[*iam.ListAccessKeysOutput](t)(once(w).ListAccessKeys(t.Context(), nil))
	if len(out.AccessKeyMetadata) != 1 || aws.ToString(out.AccessKeyMetadata[0].AccessKeyId) != want {
		t.Errorf("a user's own keys: %v, want %s", out.AccessKeyMetadata, want)
	}
	config := w.Config()
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ASIATEMPORARY", SecretAccessKey: "s", SessionToken: "t"}, nil
	})
	_, err := iam.NewFromConfig(config).ListAccessKeys(t.Context(), nil)
	if code(err) != "ValidationError" {
		t.Errorf("temporary caller: %v, want ValidationError", err)
	}
}

func TestNewUserInheritsNothing(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	first := get[string](t)(w.CreateUser("alice", "", start()))
	get[string](t)(w.CreateKey("alice", start()))
	check(t, w.DeleteUser("alice"))
	second := get[string](t)(w.CreateUser("alice", "", start()))
	if u, _ := w.User("alice"); first == second || u.ID != second || len(u.Keys) != 0 {
		t.Errorf("ids %s, %s; user %+v", first, second, u)
	}
}

func TestSeedDecidesIDs(t *testing.T) {
	make1 := func(seed uint64) string {
		w := awssim.New(awssim.Options{Now: fixed, Seed: seed})
		check(t, errFrom(sts.NewFromConfig(w.Config()).GetCallerIdentity(t.Context(), nil)))
		return get[string](t)(w.CreateUser("alice", "", start()))
	}
	if a, b := make1(1), make1(1); a != b || len(a) != 21 {
		t.Errorf("same seed, ids %s and %s", a, b)
	}
	if a, b := make1(1), make1(2); a == b {
		t.Errorf("different seeds, same id %s", a)
	}
}

func BenchmarkLargeAccount(b *testing.B) {
	w := awssim.New(awssim.Options{Now: fixed})
	for i := range 100_000 {
		if _, err := w.CreateUser(fmt.Sprintf("user-%06d", i), "", start()); err != nil {
			b.Fatal(err)
		}
	}
	client := once(w)
	b.Run("ListUsers", func(b *testing.B) {
		for b.Loop() {
			p := iam.NewListUsersPaginator(client, &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
			for p.HasMorePages() {
				if _, err := p.NextPage(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("ListAccessKeys", func(b *testing.B) {
		for b.Loop() {
			if _, err := client.ListAccessKeys(b.Context(), &iam.ListAccessKeysInput{UserName: aws.String("user-050000")}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
