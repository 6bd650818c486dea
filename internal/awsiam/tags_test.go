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

const (
	tagXML    = `<member><Key>%s</Key><Value>%s</Value></member>`
	detailXML = `<member><Path>/</Path><UserName>alice</UserName><UserId>AIDAALICE</UserId><Arn>arn:aws:iam::123456789012:user/alice</Arn><CreateDate>1999-01-02T03:04:05Z</CreateDate>%s</member>`
	doubtful  = `a user has a tag without a key, or two of one key: expected a key of its own for each; check that nothing between here and AWS changes answers`
)

func tagsElement(tags ...inventory.Tag) string {
	text := ""
	for _, tag := range tags {
		text += fmt.Sprintf(tagXML, tag.Key, tag.Value)
	}
	return "<Tags>" + text + "</Tags>"
}

func TestTagsOfAnAnswer(t *testing.T) {
	const malformed = "; check that nothing between here and AWS changes answers"
	list := func(tags ...inventory.Tag) []inventory.Tag { return tags }
	for name, test := range map[string]struct {
		tags []inventory.Tag
		want inventory.Tags
		err  string
	}{
		"none":              {},
		"by key":            {tags: list(inventory.Tag{Key: "b", Value: "1"}, inventory.Tag{Key: "B2"}, inventory.Tag{Key: "a", Value: "2"}), want: inventory.Tags{{Key: "B2"}, {Key: "a", Value: "2"}, {Key: "b", Value: "1"}}},
		"repeated":          {tags: list(inventory.Tag{Key: "a", Value: "1"}, inventory.Tag{Key: "a", Value: "1"}), want: inventory.Tags{{Key: "a", Value: "1"}}},
		"no key":            {tags: list(inventory.Tag{Value: "PRIVATE"}), err: doubtful},
		"two values":        {tags: list(inventory.Tag{Key: "a", Value: "PRIVATE"}, inventory.Tag{Key: "a", Value: "2"}), err: doubtful},
		"a key in two ways": {tags: list(inventory.Tag{Key: "PRIVATE", Value: "1"}, inventory.Tag{Key: "private", Value: "1"}), err: doubtful},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation == "ListUserTags" {
						return xmlAnswer(operation, "<IsTruncated>false</IsTruncated>"+tagsElement(test.tags...))
					}
					return xmlAnswer(operation, "<IsTruncated>false</IsTruncated><UserDetailList>"+fmt.Sprintf(detailXML, tagsElement(test.tags...))+"</UserDetailList>")
				})
				one, errOne := taggedReaderOf(world, awsapi.TagsFromListUserTags).Tags(t.Context(), "alice")
				all, odd, errAll := taggedReaderOf(world, awsapi.TagsFromAuthorizationDetails).AllTags(t.Context())
				if test.err != "" {
					mustFail(t, "call iam:ListUserTags for user alice: "+test.err, errOne)
					if errAll != nil || len(all) > 0 || len(odd) != 1 || odd[0].Name != "alice" {
						t.Fatalf("all users: got %v, odd %v, error %v; want alice alone to be odd", all, odd, errAll)
					}
					mustFail(t, "call iam:GetAccountAuthorizationDetails for user alice: "+test.err, odd[0])
					return
				}
				if err := errors.Join(errOne, errAll); err != nil {
					t.Fatal(err)
				}
				want := inventory.Observe(test.want, inventory.Truncate(time.Now()))
				inventorytest.Equal(t, want, one)
				inventorytest.Equal(t, want, all[0].Tags)
			})
		})
	}
	for name, test := range map[string]struct {
		answer, err string
	}{
		"no list":      {"<IsTruncated>false</IsTruncated>", "the answer has no UserDetailList: expected one, be it empty" + malformed},
		"no id":        {"<UserDetailList>" + strings.Replace(detailXML, "<UserId>AIDAALICE</UserId>", "", 1) + "</UserDetailList>", `user "alice" with id "", created 1999-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no name":      {"<UserDetailList>" + strings.Replace(detailXML, "<UserName>alice</UserName>", "", 1) + "</UserDetailList>", `user "" with id "AIDAALICE", created 1999-01-02T03:04:05Z: expected name, id and creation date` + malformed},
		"no creation":  {"<UserDetailList>" + strings.Replace(detailXML, "<CreateDate>1999-01-02T03:04:05Z</CreateDate>", "", 1) + "</UserDetailList>", `user "alice" with id "AIDAALICE", created 0001-01-01T00:00:00Z: expected name, id and creation date` + malformed},
		"half a list":  {"<UserDetailList/><IsTruncated>true</IsTruncated>", "page 1 is truncated, but its marker is missing or came before: expected a new one" + malformed},
		"without tags": {"<UserDetailList>" + detailXML + "</UserDetailList>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{})
				world.SetFault(func(operation string, _ int) http.HandlerFunc {
					return xmlAnswer(operation, strings.Replace(test.answer, "%s", "", 1))
				})
				users, _, err := taggedReaderOf(world, awsapi.TagsFromAuthorizationDetails).AllTags(t.Context())
				if test.err != "" {
					mustFail(t, "call iam:GetAccountAuthorizationDetails for the account: "+test.err, err)
					return
				}
				if err != nil || len(users) != 1 {
					t.Fatalf("got %d users, error %v; want one", len(users), err)
				}
				inventorytest.Equal(t, inventory.Observe(inventory.Tags(nil), inventory.Truncate(time.Now())), users[0].Tags)
			})
		})
	}
}

// TestTagsAreAsOldAsTheFirstPage has every further page take a while.
func TestTagsAreAsOldAsTheFirstPage(t *testing.T) {
	inBubble(t, awssim.Options{MaxPage: 1}, func(h *harness) {
		for _, user := range []string{"alice", "bob", "carol"} {
			h.user(user)
			h.tag("alice", user, "x")
		}
		h.world.SetFault(func(_ string, n int) http.HandlerFunc {
			if n > 1 {
				time.Sleep(5 * time.Second)
			}
			return nil
		})
		began := inventory.Truncate(time.Now())
		users, _, err := taggedReaderOf(h.world, awsapi.TagsFromAuthorizationDetails).AllTags(h.Context())
		h.ok(err)
		for _, u := range users {
			inventorytest.Equal(t, began, u.Tags.Observed())
		}
		began = inventory.Truncate(time.Now())
		tags, err := taggedReaderOf(h.world, awsapi.TagsFromListUserTags).Tags(h.Context(), "alice")
		h.ok(err)
		inventorytest.Equal(t, inventory.Observe(inventory.Tags{{Key: "alice", Value: "x"}, {Key: "bob", Value: "x"}, {Key: "carol", Value: "x"}}, began), tags)
	})
}
