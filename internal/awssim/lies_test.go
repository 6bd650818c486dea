package awssim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// TestLie has the world tell of its users in reverse, with a path that is not
// theirs, and the truth once the lie is over.
func TestLie(t *testing.T) {
	world := New(Options{})
	for _, name := range []string{"alice", "bob", "carol"} {
		_, err := world.CreateUser(name, "/", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"one", "two"} {
			if err := world.TagUser(name, key, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := iam.NewFromConfig(world.Config())
	list := func() []string {
		out, err := client.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{})
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for _, u := range out.UserDetailList {
			users = append(users, aws.ToString(u.Path)+aws.ToString(u.UserName)+"="+aws.ToString(u.Tags[1].Value))
		}
		return users
	}
	reverse := Members(func(members []string) []string { slices.Reverse(members); return members })
	world.SetFault(func(string, int) http.HandlerFunc {
		return world.Lie(func(asked url.Values, answer string) string {
			return Element(reverse(asked, answer), "Path", "/"+asked.Get("Action")+"/")
		})
	})
	const path = "/GetAccountAuthorizationDetails/"
	if diff := cmp.Diff([]string{path + "carol=carol", path + "bob=bob", path + "alice=alice"}, list()); diff != "" {
		t.Errorf("lie (-want +got):\n%s", diff)
	}
	_, err := client.GetLoginProfile(t.Context(), &iam.GetLoginProfileInput{UserName: aws.String("alice")})
	if err == nil || !strings.Contains(err.Error(), "NoSuchEntity") {
		t.Errorf("error: got %v, want the true one", err)
	}
	world.SetFault(nil)
	if diff := cmp.Diff([]string{"/alice=alice", "/bob=bob", "/carol=carol"}, list()); diff != "" {
		t.Errorf("truth (-want +got):\n%s", diff)
	}
}

func TestMembers(t *testing.T) {
	drop := Members(func(members []string) []string { return members[1:] })
	for answer, want := range map[string]string{
		"": "", "<a/>": "<a/>",
		"<a><member>1</member></a>":                                             "<a></a>",
		"<a><member>1</member><member>2</member></a>":                           "<a><member>2</member></a>",
		"<a><member><b><member>1</member></b></member><member/></a>":            "<a><member/></a>",
		"<a><member><b><member>1</member><member>2</member></b></member>x</a>":  "<a>x</a>",
		"<member><member>1</member></member><member>2</member><other></other>3": "<member>2</member><other></other>3",
	} {
		if got := drop(nil, answer); got != want {
			t.Errorf("%s: got %s, want %s", answer, got, want)
		}
	}
}

func TestElement(t *testing.T) {
	const text = "<a>1</a><b>2</b><a></a>"
	if got := Element(text, "a", "x"); got != "<a>x</a><b>2</b><a>x</a>" || TextOf(text, "a") != "1" || TextOf(text, "c") != "" {
		t.Errorf("got %s, first %q", got, TextOf(text, "a"))
	}
}
