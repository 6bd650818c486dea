package awsiam

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory/inventorytest"
)

func noPause() time.Duration { return 0 }

// TestListingsEnd goes through lists of that many pages, each of which takes a
// while and brings so many new elements.
func TestListingsEnd(t *testing.T) {
	account := bounds{pages: 200, bytes: 1 << 20, pause: func() time.Duration { return 200 * time.Millisecond }}
	slow := bounds{pages: 200, bytes: 1 << 20, pause: func() time.Duration { return 20 * time.Second }} // --iam.account-rate=0.05
	user := bounds{pages: 60, bytes: 1 << 20, pause: noPause}
	const forever = 1 << 20
	for name, test := range map[string]struct {
		bounds
		pages, elements int
		takes           time.Duration // for a page
		err             string        // after "the listing has not ended after "
	}{
		"100,000 users, 1,000 a page":     {bounds: account, pages: 100, elements: 1000, takes: 3 * time.Second},
		"100,000 users, 100 a page":       {bounds: account, pages: 1000, elements: 100, takes: time.Second},
		"100,000 users, 10 a page":        {bounds: account, pages: 10000, elements: 10, takes: 20 * time.Millisecond},
		"5,000 users, slowly":             {bounds: slow, pages: 50, elements: 100, takes: 20 * time.Second},
		"5,000 users, slowly, 10 a page":  {bounds: slow, pages: 500, elements: 10, takes: 30 * time.Second},
		"100,000 users, slowly":           {bounds: slow, pages: 1000, elements: 100, takes: 30 * time.Second},
		"100 empty pages":                 {bounds: account, pages: 100, takes: time.Second},
		"50 tags, one a page":             {bounds: user, pages: 50, elements: 1, takes: 10 * time.Second},
		"empty pages for ever":            {bounds: account, pages: forever, takes: time.Second, err: "200 pages with 0 elements, in 3m20s"},
		"one new user a page, for ever":   {bounds: account, pages: forever, elements: 1, takes: time.Second, err: "222 pages with 222 elements, in 3m42s"},
		"ten new users a page, for ever":  {bounds: account, pages: forever, elements: 10, takes: time.Second, err: "1301 pages with 13010 elements, in 21m41s"},
		"the same slowly":                 {bounds: slow, pages: forever, elements: 10, takes: 20 * time.Second, err: "2046 pages with 20460 elements, in 11h22m0s"},
		"a user's empty pages, for ever":  {bounds: user, pages: forever, takes: time.Second, err: "60 pages with 0 elements, in 1m0s"},
		"a user's pages that take minute": {bounds: user, pages: forever, elements: 1, takes: time.Minute, err: "16 pages with 16 elements, in 16m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				err := pages(t.Context(), test.bounds, func(context.Context, *string) (*int, error) {
					time.Sleep(test.takes)
					asked++
					return &asked, nil
				}, func(n *int) (page, error) {
					return page{truncated: *n < test.pages, marker: aws.String(strconv.Itoa(*n)), elements: *n * test.elements}, nil
				})
				got := ""
				if err != nil {
					got = err.Error()
				}
				want := ""
				if test.err != "" {
					want = "the listing has not ended after " + test.err + ": expected an end"
				}
				inventorytest.Equal(t, want, got)
				if test.err == "" && asked != test.pages {
					t.Errorf("pages: got %d, want %d", asked, test.pages)
				}
			})
		})
	}
}

// TestFreshMarkersForEver goes to AWS with every listing.
func TestFreshMarkersForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		endless := awssim.FreshMarkers()
		world.SetFault(func(string, int) http.HandlerFunc { return endless })
		all, r := taggedReaderOf(world, awsapi.TagsFromAuthorizationDetails), taggedReaderOf(world, awsapi.TagsFromListUserTags)
		for name, test := range map[string]struct {
			list  func() error
			pages int
		}{
			"ListUsers":                      {func() error { _, _, _, err := r.Users(t.Context()); return err }, 200},
			"GetAccountAuthorizationDetails": {func() error { _, _, err := all.AllTags(t.Context()); return err }, 200},
			"ListAccessKeys":                 {func() error { _, err := r.Keys(t.Context(), "alice"); return err }, 60},
			"ListMFADevices":                 {func() error { _, err := r.MFA(t.Context(), "alice"); return err }, 60},
			"ListUserTags":                   {func() error { _, err := r.Tags(t.Context(), "alice"); return err }, 60},
		} {
			err := test.list()
			if awsapi.ReasonOf(err) != inventory.ReasonMalformed || !strings.Contains(err.Error(), fmt.Sprintf("the listing has not ended after %d pages", test.pages)) {
				t.Errorf("%s: got %v, want malformed after %d pages", name, err, test.pages)
			}
			if got := world.Calls()[name]; got != test.pages {
				t.Errorf("%s: got %d calls, want %d", name, got, test.pages)
			}
		}
	})
}

// TestPagesAreBoundedTogether has pages that are each of a length that may be.
func TestPagesAreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(_ string, n int) http.HandlerFunc {
			return xmlAnswer("ListAccessKeys", fmt.Sprintf("<IsTruncated>true</IsTruncated><Marker>%d</Marker><AccessKeyMetadata/><!-- %s -->", n, strings.Repeat(" ", 1e6)))
		})
		_, err := readerOf(world).Keys(t.Context(), "alice")
		if awsapi.ReasonOf(err) != inventory.ReasonMalformed || !strings.Contains(err.Error(), "more bytes together") {
			t.Errorf("got %v, want malformed", err)
		}
		if got := world.Calls()["ListAccessKeys"]; got != 17 { // of a megabyte each
			t.Errorf("calls: got %d, want 17", got)
		}
	})
}

// TestTextsTooLong has AWS tell of things longer than AWS allows.
func TestTextsTooLong(t *testing.T) {
	long := strings.Repeat("x", 5000)
	const date = "1999-01-02T03:04:05Z"
	key := "<member><UserName>alice</UserName><AccessKeyId>%s</AccessKeyId><Status>Active</Status><CreateDate>" + date + "</CreateDate></member>"
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		read   func(context.Context, Reader) error
		err    string
	}{
		"key id": {xmlAnswer("ListAccessKeys", "<AccessKeyMetadata>"+fmt.Sprintf(key, long)+"</AccessKeyMetadata>"), func(ctx context.Context, r Reader) error {
			_, err := r.Keys(ctx, "alice")
			return err
		}, "the id of a key has 5000 characters: expected no more than 256"},
		"region": {xmlAnswer("GetAccessKeyLastUsed", "<AccessKeyLastUsed><LastUsedDate>"+date+"</LastUsedDate><Region>"+long+"</Region></AccessKeyLastUsed>"), func(ctx context.Context, r Reader) error {
			_, err := r.KeyUse(ctx, "alice", "AKIAIOSFODNN7EXAMPLE")
			return err
		}, "the region has 5000 characters: expected no more than 128"},
		"tag": {xmlAnswer("ListUserTags", "<Tags><member><Key>k</Key><Value>"+long+"</Value></member></Tags>"), func(ctx context.Context, r Reader) error {
			_, err := r.Tags(ctx, "alice")
			return err
		}, "the value of a tag has 5000 characters: expected no more than 512"},
		"marker": {xmlAnswer("ListUsers", "<IsTruncated>true</IsTruncated><Marker>"+strings.Repeat(long, 4)+"</Marker><Users/>"), func(ctx context.Context, r Reader) error {
			_, _, _, err := r.Users(ctx)
			return err
		}, "a marker has 20000 characters: expected no more than 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			told(t, test.answer, func(t *testing.T, r, _ Reader) {
				err := test.read(t.Context(), r)
				if awsapi.ReasonOf(err) != inventory.ReasonMalformed || !strings.Contains(err.Error(), test.err) || len(err.Error()) > 1000 {
					t.Errorf("got %v, want %s", err, test.err)
				}
			})
		})
	}
}

// TestUsersTooLong sets users apart of whom something is longer than AWS allows.
func TestUsersTooLong(t *testing.T) {
	long := strings.Repeat("x", 5000)
	member := func(path, name, id, arn, more string) string {
		return fmt.Sprintf("<member><Path>%s</Path><UserName>%s</UserName><UserId>%s</UserId><Arn>%s</Arn><CreateDate>1999-01-02T03:04:05Z</CreateDate>%s</member>", path, name, id, arn, more)
	}
	users := member("/", long, "AIDAA", "arn", "") + member("/", "id", long, "arn", "") +
		member("/", "arn", "AIDAC", long, "") + member("/", "alice", "AIDAD", "arn:aws:iam::123456789012:user/alice", "")
	check := func(t *testing.T, users []inventory.User, odd []*UserError, err error, names ...string) {
		t.Helper()
		if err != nil || len(users) != 1 || users[0].Name != "alice" {
			t.Errorf("got users %v, error %v; want alice", users, err)
		}
		var got []string
		for _, o := range odd {
			got = append(got, o.Name)
			if len(o.Error()) > 1000 || awsapi.ReasonOf(o) != inventory.ReasonMalformed {
				t.Errorf("got %d bytes, reason %s", len(o.Error()), awsapi.ReasonOf(o))
			}
		}
		inventorytest.Equal(t, names, got)
	}
	shortened := strings.Repeat("x", 128) + "…"
	far := member("/"+long, "path", "AIDAB", "arn", "")
	told(t, xmlAnswer("ListUsers", "<Users>"+users+far+"</Users>"), func(t *testing.T, _, r Reader) {
		got, odd, _, err := r.Users(t.Context())
		check(t, got, odd, err, shortened, "id", "arn", "path")
	})
	tagged := member("/", "tag", "AIDAE", "arn", "<Tags><member><Key>"+long+"</Key><Value>v</Value></member></Tags>")
	told(t, xmlAnswer("GetAccountAuthorizationDetails", "<UserDetailList>"+users+tagged+"</UserDetailList>"), func(t *testing.T, _, r Reader) {
		got, odd, err := r.AllTags(t.Context())
		check(t, got, odd, err, shortened, "id", "arn", "tag")
	})
}

// TestKeyIDsStayHidden has AWS name the key that was asked about, whatever its id
// looks like, wherever a denial can name something.
func TestKeyIDsStayHidden(t *testing.T) {
	for _, id := range []string{"0ZZ9X9XXXXXXXXXX0000", "AKIAIOSFODNN7EXAMPLE", "lower_case_id_12345", "short", "0123456789abcdef"} {
		for _, message := range []string{
			"%s",
			"User: arn:aws:iam::123456789012:user/%s is not authorized to perform: iam:GetAccessKeyLastUsed",
			"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:%s",
			"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key %s",
			"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetAccessKeyLastUsed on resource: user %s",
			"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetAccessKeyLastUsed on resource: arn:aws:iam::123456789012:user/%s",
			"User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:GetAccessKeyLastUsed because no %s policy allows the",
		} {
			for _, answer := range []http.HandlerFunc{
				awssim.Error(http.StatusForbidden, "AccessDenied", fmt.Sprintf(message, id)),
				awssim.Error(http.StatusForbidden, id, fmt.Sprintf(message, id)),
			} {
				told(t, answer, func(t *testing.T, r, _ Reader) {
					_, err := r.KeyUse(t.Context(), "alice", id)
					if err == nil || strings.Contains(err.Error(), id) {
						t.Errorf("got %v, want an error without the key's id", err)
					}
				})
			}
		}
	}
}
