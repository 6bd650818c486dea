package awsiam

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

// told runs the test with an account that answers everything in this way.
func told(t *testing.T, answer http.HandlerFunc, test func(*testing.T, Reader, Reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(string, int) http.HandlerFunc { return answer })
		test(t, taggedReaderOf(world, awsapi.TagsFromListUserTags), taggedReaderOf(world, awsapi.TagsFromAuthorizationDetails))
	})
}

const unsound = "; check that nothing between here and AWS changes answers"

func TestAccountTold(t *testing.T) {
	const answer = `<Arn>%s</Arn><UserId>AIDAX</UserId><Account>%s</Account>`
	for name, test := range map[string]struct{ id, arn, partition string }{
		"a user":              {"123456789012", "arn:aws:iam::123456789012:user/x", "aws"},
		"a role":              {"123456789012", "arn:aws-cn:sts::123456789012:assumed-role/x/y", "aws-cn"},
		"root":                {"123456789012", "arn:aws:iam::123456789012:root", "aws"},
		"a zero in front":     {"012345678901", "arn:aws:iam::012345678901:root", "aws"},
		"too short":           {"12345", "arn:aws:iam::12345:root", ""},
		"too long":            {"1234567890123", "arn:aws:iam::1234567890123:root", ""},
		"no digits":           {"abcdefghijkl", "arn:aws:iam::abcdefghijkl:root", ""},
		"other digits":        {"١٢٣٤٥٦", "arn:aws:iam::١٢٣٤٥٦:root", ""},
		"a page":              {"&lt;script&gt;", "arn:aws:iam::&lt;script&gt;:root", ""},
		"empty":               {"", "arn:aws:iam::123456789012:root", ""},
		"ARN of another":      {"123456789012", "arn:aws:iam::999999999999:root", ""},
		"ARN of none":         {"123456789012", "arn:aws:iam:::root", ""},
		"no ARN":              {"123456789012", "root", ""},
		"id with white space": {" 12345678901", "arn:aws:iam:: 12345678901:root", ""},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, xmlAnswer("GetCallerIdentity", fmt.Sprintf(answer, test.arn, test.id)), func(t *testing.T, r, _ Reader) {
				got, err := r.Account(t.Context())
				if test.partition != "" {
					inventorytest.Equal(t, inventory.Account{ID: test.id, Partition: test.partition}, got)
					return
				}
				inventorytest.Equal(t, inventory.Account{}, got)
				plain := strings.NewReplacer("&lt;", "<", "&gt;", ">")
				mustFail(t, fmt.Sprintf("call sts:GetCallerIdentity for these credentials: account %q, ARN %q: expected a 12-digit id and an ARN of that account", plain.Replace(test.id), plain.Replace(test.arn))+unsound, err)
			})
		})
	}
}

// TestUsersTold has listings tell users again, in the same way and in others.
func TestUsersTold(t *testing.T) {
	const (
		january = "1999-01-02T03:04:05Z"
		may     = "1999-05-02T03:04:05Z"
	)
	user := func(name, id, created string, more ...string) string {
		return strings.Replace(fmt.Sprintf(userXML, name, id, name, created), "</member>", strings.Join(more, "")+"</member>", 1)
	}
	signedIn := func(at string) string { return "<PasswordLastUsed>" + at + "</PasswordLastUsed>" }
	alice, bob := user("alice", "AIDAA", january), user("bob", "AIDAB", january)
	moved := strings.Replace(alice, "<Path>/</Path>", "<Path>/away/</Path>", 1)
	elsewhere := strings.Replace(alice, "user/alice", "user/away/alice", 1)
	for name, test := range map[string]struct {
		members []string
		want    []string // ids
		err     string   // after "call iam:ListUsers for the account: "
	}{
		"next to each other":       {members: []string{alice, alice, bob}, want: []string{"AIDAA", "AIDAB"}},
		"apart":                    {members: []string{alice, bob, alice, bob}, want: []string{"AIDAA", "AIDAB"}},
		"made anew":                {members: []string{alice, bob, user("alice", "AIDANEW", may)}, want: []string{"AIDAA", "AIDAB", "AIDANEW"}},
		"two names":                {members: []string{alice, bob, user("carol", "AIDAA", january)}, err: `user "alice", created ` + january + `, shares the id "AIDAA" with another one: expected one name, ARN and creation date for each id`},
		"two creations":            {members: []string{alice, bob, user("alice", "AIDAA", may)}, err: `user "alice", created ` + january + `, shares the id "AIDAA" with another one: expected one name, ARN and creation date for each id`},
		"two paths":                {members: []string{alice, moved}, err: `user "alice", created ` + january + `, shares the id "AIDAA" with another one: expected one name, ARN and creation date for each id`},
		"two ARNs":                 {members: []string{elsewhere, bob, alice}, err: `user "alice", created ` + january + `, shares the id "AIDAA" with another one: expected one name, ARN and creation date for each id`},
		"two ids":                  {members: []string{alice, bob, user("alice", "AIDAC", january)}, err: `user "alice", created ` + january + `, has the ids "AIDAA" and "AIDAC": expected one`},
		"signed in between":        {members: []string{user("alice", "AIDAA", january, signedIn(january)), bob, user("alice", "AIDAA", january, signedIn(may))}, want: []string{"AIDAA", "AIDAB"}},
		"signed in, an older page": {members: []string{user("alice", "AIDAA", january, signedIn(may)), alice}, want: []string{"AIDAA"}},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, listing(test.members...), func(t *testing.T, r, _ Reader) {
				users, _, _, err := r.Users(t.Context())
				if test.err != "" {
					mustFail(t, "call iam:ListUsers for the account: "+test.err+unsound, err)
					if about := new(UserError); !errors.As(err, &about) || about.Name != "alice" {
						t.Errorf("the error is about %+v, want alice", about)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var ids []string
				for _, u := range users {
					ids = append(ids, u.ID)
				}
				inventorytest.Equal(t, test.want, ids)
				use, _ := users[0].PasswordUse.Get()
				if newest := strings.Contains(strings.Join(test.members, ""), signedIn(may)); newest == use.Never() {
					t.Errorf("last sign-in: got %v, want the later one of two", use)
				}
			})
		})
	}
}

// TestDetailsTold has the listing with tags tell alice again.
func TestDetailsTold(t *testing.T) {
	detail := func(id string, tags ...inventory.Tag) string {
		return strings.Replace(fmt.Sprintf(detailXML, tagsElement(tags...)), "AIDAALICE", id, 1)
	}
	blue, red := inventory.Tag{Key: "team", Value: "blue"}, inventory.Tag{Key: "team", Value: "red"}
	other := strings.NewReplacer("alice", "bob", "AIDAALICE", "AIDAB").Replace(detail("AIDAALICE", red))
	for name, test := range map[string]struct {
		members []string
		want    int
		err     string // after "call iam:GetAccountAuthorizationDetails for the account: "
	}{
		"apart":          {members: []string{detail("AIDAALICE", blue), other, detail("AIDAALICE", blue)}, want: 2},
		"different tags": {members: []string{detail("AIDAALICE", blue), other, detail("AIDAALICE", red)}, err: `user "alice", created 1999-01-02T03:04:05Z, is listed with different tags: expected the same each time`},
		"with and none":  {members: []string{detail("AIDAALICE", blue), detail("AIDAALICE")}, err: `user "alice", created 1999-01-02T03:04:05Z, is listed with different tags: expected the same each time`},
		"two ids":        {members: []string{detail("AIDAALICE", blue), detail("AIDAC", blue)}, err: `user "alice", created 1999-01-02T03:04:05Z, has the ids "AIDAALICE" and "AIDAC": expected one`},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, xmlAnswer("GetAccountAuthorizationDetails", "<UserDetailList>"+strings.Join(test.members, "")+"</UserDetailList>"), func(t *testing.T, _, r Reader) {
				users, _, err := r.AllTags(t.Context())
				if test.err != "" {
					mustFail(t, "call iam:GetAccountAuthorizationDetails for the account: "+test.err+unsound, err)
					return
				}
				if err != nil || len(users) != test.want {
					t.Errorf("got %d users, error %v; want %d", len(users), err, test.want)
				}
			})
		})
	}
}

// TestKeysTold has a listing tell a key again.
func TestKeysTold(t *testing.T) {
	const keyXML = `<member><UserName>alice</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate></member>`
	a := fmt.Sprintf(keyXML, "AKIAA", "Active", "1999-06-01T12:00:00Z")
	b := fmt.Sprintf(keyXML, "AKIAB", "Active", "1999-06-02T12:00:00Z")
	for name, test := range map[string]struct {
		members []string
		err     string // after "call iam:ListAccessKeys for user alice: "
	}{
		"apart":                     {members: []string{a, b, a, b}},
		"within a second":           {members: []string{a, b, fmt.Sprintf(keyXML, "AKIAA", "Active", "1999-06-01T12:00:00.5Z")}},
		"two creations":             {members: []string{a, b, fmt.Sprintf(keyXML, "AKIAA", "Active", "1999-06-03T12:00:00Z")}, err: "a key is listed as active, created 1999-06-01T12:00:00Z, and as active, created 1999-06-03T12:00:00Z: expected one status and creation date for each key"},
		"two statuses":              {members: []string{a, fmt.Sprintf(keyXML, "AKIAA", "Inactive", "1999-06-01T12:00:00Z"), b}, err: "a key is listed as active, created 1999-06-01T12:00:00Z, and as inactive, created 1999-06-01T12:00:00Z: expected one status and creation date for each key"},
		"another user's":            {members: []string{a, strings.Replace(b, "alice", "bob", 1)}, err: "the answer is about another user: expected one about the user that was asked about"},
		"the user, in another case": {members: []string{strings.Replace(a, "alice", "Alice", 1), b}},
		"nobody's":                  {members: []string{a, strings.Replace(b, "<UserName>alice</UserName>", "", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, xmlAnswer("ListAccessKeys", "<AccessKeyMetadata>"+strings.Join(test.members, "")+"</AccessKeyMetadata>"), func(t *testing.T, r, _ Reader) {
				keys, err := r.Keys(t.Context(), "alice")
				if test.err != "" {
					mustFail(t, "call iam:ListAccessKeys for user alice: "+test.err+unsound, err)
					inventorytest.Equal(t, inventory.Fact[[]inventory.AccessKey]{}, keys)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				want := []inventory.AccessKey{key("AKIAA", epoch), key("AKIAB", epoch.Add(day))}
				inventorytest.Equal(t, inventory.Observe(want, inventory.Truncate(time.Now())), keys)
			})
		})
	}
}

// TestTooManyToBeTrue lists keys and tags without end.
func TestTooManyToBeTrue(t *testing.T) {
	endless := func(operation, list, member string) http.HandlerFunc {
		n := 0
		return func(rw http.ResponseWriter, r *http.Request) {
			var members strings.Builder
			for range 300 {
				n++
				fmt.Fprintf(&members, member, n)
			}
			xmlAnswer(operation, fmt.Sprintf("<%[1]s>%[2]s</%[1]s><IsTruncated>true</IsTruncated><Marker>%[3]d</Marker>", list, members.String(), n))(rw, r)
		}
	}
	const keyXML = `<member><AccessKeyId>AKIA%d</AccessKeyId><Status>Active</Status><CreateDate>2026-06-01T12:00:00Z</CreateDate></member>`
	told(t, endless("ListAccessKeys", "AccessKeyMetadata", keyXML), func(t *testing.T, r, _ Reader) {
		_, err := r.Keys(t.Context(), "alice")
		mustFail(t, "call iam:ListAccessKeys for user alice: a user has 1200 keys or more: expected no more than 1000"+unsound, err)
	})
	told(t, endless("ListUserTags", "Tags", `<member><Key>%d</Key><Value/></member>`), func(t *testing.T, r, _ Reader) {
		_, err := r.Tags(t.Context(), "alice")
		mustFail(t, "call iam:ListUserTags for user alice: a user has 1200 tags or more: expected no more than 1000"+unsound, err)
	})
	many := make([]inventory.Tag, 1001)
	for i := range many {
		many[i].Key = fmt.Sprint(i)
	}
	told(t, xmlAnswer("GetAccountAuthorizationDetails", "<UserDetailList>"+fmt.Sprintf(detailXML, tagsElement(many...))+"</UserDetailList>"), func(t *testing.T, _, r Reader) {
		users, odd, err := r.AllTags(t.Context())
		if err != nil || len(users) > 0 || len(odd) != 1 {
			t.Fatalf("got %d users and %d odd ones, error %v; want one that is odd", len(users), len(odd), err)
		}
		mustFail(t, "call iam:GetAccountAuthorizationDetails for user alice: a user has 1001 tags or more: expected no more than 1000"+unsound, odd[0])
	})
}

// TestAnswersAboutSomebodyElse answers what is asked about alice with what is so
// of bob.
func TestAnswersAboutSomebodyElse(t *testing.T) {
	const other = "the answer is about another user: expected one about the user that was asked about" + unsound
	told(t, xmlAnswer("GetLoginProfile", "<LoginProfile><UserName>bob</UserName><CreateDate>1999-01-02T03:04:05Z</CreateDate></LoginProfile>"), func(t *testing.T, r, _ Reader) {
		got, err := r.Password(t.Context(), "alice")
		mustFail(t, "call iam:GetLoginProfile for user alice: "+other, err)
		inventorytest.Equal(t, inventory.Fact[bool]{}, got.Console)
	})
	told(t, xmlAnswer("ListMFADevices", "<MFADevices><member><UserName>bob</UserName><SerialNumber>1</SerialNumber></member></MFADevices>"), func(t *testing.T, r, _ Reader) {
		got, err := r.MFA(t.Context(), "alice")
		mustFail(t, "call iam:ListMFADevices for user alice: "+other, err)
		inventorytest.Equal(t, inventory.Fact[bool]{}, got)
	})
}
