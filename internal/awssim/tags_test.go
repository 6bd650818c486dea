package awssim_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

func TestTags(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, w *awssim.World)
		want   []awssim.Tag
	}{
		{"none", func(*testing.T, *awssim.World) {}, nil},
		{
			"ordered by key",
			func(t *testing.T, w *awssim.World) {
				check(t, w.TagUser("alice", "team", "blue"))
				check(t, w.TagUser("alice", "Owner", "bob@example.com"))
			},
			[]awssim.Tag{{"Owner", "bob@example.com"}, {"team", "blue"}},
		},
		{
			"one key in two cases",
			func(t *testing.T, w *awssim.World) {
				check(t, w.TagUser("alice", "Team", "blue"))
				check(t, w.TagUser("alice", "team", "red"))
			},
			[]awssim.Tag{{"team", "red"}},
		},
		{"no value", func(t *testing.T, w *awssim.World) { check(t, w.TagUser("alice", "team", "")) }, []awssim.Tag{{"team", ""}}},
		{
			"removed",
			func(t *testing.T, w *awssim.World) {
				check(t, w.TagUser("alice", "team", "blue"))
				check(t, w.UntagUser("ALICE", "TEAM"))
				check(t, w.UntagUser("alice", "never there"))
			},
			nil,
		},
		{
			"after a rename",
			func(t *testing.T, w *awssim.World) {
				check(t, w.RenameUser("alice", "alicia"))
				check(t, w.TagUser("alicia", "team", "blue"))
				check(t, w.RenameUser("alicia", "alice"))
			},
			[]awssim.Tag{{"team", "blue"}},
		},
		{
			"of an earlier user of the name",
			func(t *testing.T, w *awssim.World) {
				check(t, w.TagUser("alice", "team", "blue"))
				check(t, w.DeleteUser("alice"))
				addUsers(t, w, "alice")
			},
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := awssim.New(awssim.Options{Now: fixed})
			addUsers(t, w, "alice")
			test.change(t, w)
			user, _ := w.User("alice")
			if diff := cmp.Diff(test.want, user.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			listed := get[*iam.ListUserTagsOutput](t)(once(w).ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: aws.String("alice")}))
			if diff := cmp.Diff(test.want, plain(listed.Tags)); diff != "" {
				t.Errorf("ListUserTags (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, tagsOfAll(t, once(w), 0)["alice"]); diff != "" {
				t.Errorf("GetAccountAuthorizationDetails (-want +got):\n%s", diff)
			}
		})
	}
}

func plain(tags []types.Tag) []awssim.Tag {
	var result []awssim.Tag
	for _, t := range tags {
		result = append(result, awssim.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return result
}

// tagsOfAll reads everybody's tags, as many users at once as asked.
func tagsOfAll(t *testing.T, client *iam.Client, maxItems int32) map[string][]awssim.Tag {
	t.Helper()
	tags := map[string][]awssim.Tag{}
	input := &iam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeUser}}
	if maxItems > 0 {
		input.MaxItems = aws.Int32(maxItems)
	}
	for p := iam.NewGetAccountAuthorizationDetailsPaginator(client, input); p.HasMorePages(); {
		for _, u := range get[*iam.GetAccountAuthorizationDetailsOutput](t)(p.NextPage(t.Context())).UserDetailList {
			tags[aws.ToString(u.UserName)] = plain(u.Tags)
		}
	}
	return tags
}

func TestPagesOfTags(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	want := map[string][]awssim.Tag{}
	for i := range 25 {
		name := fmt.Sprintf("user-%02d", i)
		addUsers(t, w, name)
		check(t, w.TagUser(name, "number", fmt.Sprint(i)))
		want[name] = []awssim.Tag{{Key: "number", Value: fmt.Sprint(i)}}
	}
	client := once(w)
	if diff := cmp.Diff(want, tagsOfAll(t, client, 7)); diff != "" {
		t.Errorf("tags of all (-want +got):\n%s", diff)
	}
	if got := w.Calls()["GetAccountAuthorizationDetails"]; got != 4 {
		t.Errorf("pages of 7 for 25 users: got %d, want 4", got)
	}

	addUsers(t, w, "many")
	for i := range 50 {
		check(t, w.TagUser("many", fmt.Sprintf("tag-%02d", i), ""))
	}
	if err := w.TagUser("many", "tag-50", ""); err == nil {
		t.Error("a 51st tag was accepted")
	}
	var keys []string
	pages := 0
	p := iam.NewListUserTagsPaginator(client, &iam.ListUserTagsInput{UserName: aws.String("many"), MaxItems: aws.Int32(20)})
	for ; p.HasMorePages(); pages++ {
		for _, tag := range get[*iam.ListUserTagsOutput](t)(p.NextPage(t.Context())).Tags {
			keys = append(keys, aws.ToString(tag.Key))
		}
	}
	if pages != 3 || len(keys) != 50 || keys[0] != "tag-00" || keys[49] != "tag-49" {
		t.Errorf("got %d pages with %d keys, want 3 with all 50: %v", pages, len(keys), keys)
	}
}

func TestAuthorizationDetailsOfSomeKinds(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	addUsers(t, w, "alice", "bob")
	client := once(w)
	details := func(marker *string, kinds ...types.EntityType) (*iam.GetAccountAuthorizationDetailsOutput, error) {
		return client.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{
			Filter: kinds, Marker: marker, MaxItems: aws.Int32(1),
		})
	}
	users := get[*iam.GetAccountAuthorizationDetailsOutput](t)(details(nil, types.EntityTypeUser))
	all := get[*iam.GetAccountAuthorizationDetailsOutput](t)(details(nil))
	for name, test := range map[string]struct {
		marker *string
		kinds  []types.EntityType
		users  int
		code   string
	}{
		"users":                          {nil, []types.EntityType{types.EntityTypeUser}, 1, ""},
		"everything":                     {nil, nil, 1, ""},
		"users and roles":                {nil, []types.EntityType{types.EntityTypeRole, types.EntityTypeUser}, 1, ""},
		"roles":                          {nil, []types.EntityType{types.EntityTypeRole}, 0, ""},
		"no such kind":                   {nil, []types.EntityType{"Nobody"}, 0, "ValidationError"},
		"on with the same filter":        {users.Marker, []types.EntityType{types.EntityTypeUser}, 1, ""},
		"on with another filter":         {users.Marker, []types.EntityType{types.EntityTypeUser, types.EntityTypeRole}, 0, "ValidationError"},
		"on without a filter":            {users.Marker, nil, 0, "ValidationError"},
		"on with a filter that was none": {all.Marker, []types.EntityType{types.EntityTypeUser}, 0, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := details(test.marker, test.kinds...)
			if test.code != "" {
				if code(err) != test.code {
					t.Errorf("error: got %v, want %s", err, test.code)
				}
				return
			}
			check(t, err)
			if len(out.UserDetailList) != test.users {
				t.Errorf("users: got %d, want %d", len(out.UserDetailList), test.users)
			}
		})
	}
}

func TestTagsNeedAName(t *testing.T) {
	w := awssim.New(awssim.Options{Now: fixed})
	_, err := once(w).ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: aws.String("")})
	if code(err) != "ValidationError" {
		t.Errorf("tags without a user's name: %v, want ValidationError", err)
	}
}

func TestTagsBecomeVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{VisibilityDelay: 10 * time.Second})
		addUsers(t, w, "alice")
		time.Sleep(10 * time.Second)
		check(t, w.TagUser("alice", "team", "blue"))
		client := once(w)
		if got := tagsOfAll(t, client, 0)["alice"]; got != nil {
			t.Errorf("at once: got %v, want none", got)
		}
		time.Sleep(10 * time.Second)
		want := []awssim.Tag{{Key: "team", Value: "blue"}}
		if diff := cmp.Diff(want, tagsOfAll(t, client, 0)["alice"]); diff != "" {
			t.Errorf("after 10s (-want +got):\n%s", diff)
		}
	})
}
