package account

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// FuzzAnswers answers one operation with anything at all, after the account
// was read well, and looks at what is left: never a user or key without what
// it is known by, nor one of them twice, nor a tag that another one hides.
func FuzzAnswers(f *testing.F) {
	operations := awssim.Operations()
	for i, operation := range operations {
		for _, body := range []string{realAnswer(f, operation), "", "<html><body>busy</body></html>", "<" + operation + "Response/>"} {
			f.Add(i, http.StatusOK, body)
		}
		f.Add(i, http.StatusBadRequest, "<ErrorResponse><Error><Code>Odd</Code></Error></ErrorResponse>")
		f.Add(i, http.StatusForbidden, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"+strings.Repeat("no ", 5000)+"</Message></Error></ErrorResponse>")
	}
	f.Fuzz(func(t *testing.T, operation, status int, body string) {
		if status < 200 || status > 599 || operation < 0 {
			return
		}
		name := operations[operation%len(operations)]
		for _, needs := range []awsapi.Needs{
			{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails},
			{Source: awsapi.SourceLive, Tags: awsapi.TagsFromListUserTags},
		} {
			inBubble(t, needs.Source, awssim.Options{}, func(h *harness) {
				h.client.SetTags(needs.Tags)
				h.user("alice")
				h.password("alice")
				h.key("alice")
				h.key("alice")
				h.tag("alice", "team", "blue")
				h.refresh()
				h.world.SetFault(func(called string, _ int) http.HandlerFunc {
					if called == name {
						return awssim.Raw(status, "text/xml", body)
					}
					return nil
				})
				time.Sleep(5 * time.Hour) // the report is renewed too
				checkSound(t, h.refresh())
			})
		}
	})
}

// realAnswer returns what a small account answers to the operation.
func realAnswer(f *testing.F, operation string) string {
	world := awssim.New(awssim.Options{})
	if _, err := world.CreateUser("alice", "/team/", time.Now()); err != nil {
		f.Fatal(err)
	}
	id, err := world.CreateKey("alice", time.Now())
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(world.TagUser("alice", "team", "blue"), world.TagUser("alice", id, "backup job"), world.PutUserPolicy("alice", "own", "{}")); err != nil {
		f.Fatal(err)
	}
	form := url.Values{"Action": {operation}, "Version": {"2010-05-08"}, "UserName": {"alice"}, "AccessKeyId": {id}, "Filter.member.1": {"User"}}
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	world.ServeHTTP(answer, request)
	return answer.Body.String()
}

func checkSound(t *testing.T, s *inventory.Snapshot) {
	t.Helper()
	for _, problem := range s.Health.Problems {
		if len(problem.Text) > 2000 || !utf8.ValidString(problem.Text) {
			t.Errorf("a problem of %d bytes: %q", len(problem.Text), problem.Text)
		}
	}
	names := map[string]bool{}
	for _, user := range s.Users {
		if user.Name == "" || user.Created.IsZero() || names[user.Name] || !utf8.ValidString(user.Name) {
			t.Errorf("user %+v: expected a name of its own and a creation date", user)
		}
		names[user.Name] = true
		if len([]rune(user.Name)) > inventory.LongestName || len(user.ARN) > 4*inventory.LongestARN || len(user.ID) > 4*inventory.LongestID {
			t.Errorf("user %.100s: kept %d, %d and %d bytes of name, ARN and id", user.Name, len(user.Name), len(user.ARN), len(user.ID))
		}
		keys, _ := user.Keys.Get()
		ids := map[string]bool{}
		for _, key := range keys {
			if key.ID == "" || key.Created.IsZero() || ids[key.ID] {
				t.Errorf("key %+v of %s: expected an id of its own and a creation date", key, user.Name)
			}
			ids[key.ID] = true
		}
		tags, _ := user.Tags.Get()
		for i, tag := range tags {
			if value, found := tags.Get(tag.Key); tag.Key == "" || !found || value != tag.Value || i > 0 && tags[i-1].Key >= tag.Key {
				t.Errorf("tags %v of %s: expected them ordered by keys of their own", tags, user.Name)
			}
		}
	}
}
