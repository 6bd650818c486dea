package awssim

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

type listUserTagsResult struct {
	Tags []Tag `xml:"Tags>member"`
	paging
}

func (w *World) listUserTags(r request) (any, *apiError) {
	if r.form.Get("UserName") == "" { // no default, unlike in the other calls about a user
		return nil, validationError("1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must not be null")
	}
	u, failure := w.subject(r)
	if failure != nil {
		return nil, failure
	}
	first, last, paging, failure := w.window(r, len(u.tags))
	if failure != nil {
		return nil, failure
	}
	return listUserTagsResult{slices.Clone(u.tags[first:last]), paging}, nil
}

type policyDetail struct {
	PolicyName     string
	PolicyDocument string // URL-encoded
}

type userDetail struct {
	Path           string
	UserName       string
	UserID         string `xml:"UserId"`
	ARN            string `xml:"Arn"`
	CreateDate     string
	UserPolicyList []policyDetail `xml:"UserPolicyList>member"`
	Tags           []Tag          `xml:"Tags>member"`
}

type getAccountAuthorizationDetailsResult struct {
	UserDetailList  []userDetail `xml:"UserDetailList>member"`
	GroupDetailList []struct{}   `xml:"GroupDetailList>member"`
	RoleDetailList  []struct{}   `xml:"RoleDetailList>member"`
	Policies        []struct{}   `xml:"Policies>member"`
	paging
}

// getAccountAuthorizationDetails returns only users: the world has no groups,
// roles or managed policies.
func (w *World) getAccountAuthorizationDetails(r request) (any, *apiError) {
	var result getAccountAuthorizationDetailsResult
	kinds := filters(r.form)
	for _, kind := range kinds {
		if !slices.Contains(types.EntityType("").Values(), types.EntityType(kind)) {
			return nil, validationError("Value '%s' at 'filter' failed to satisfy constraint", kind)
		}
	}
	start, limit, failure := w.page(r)
	if failure != nil {
		return nil, failure
	}
	if len(kinds) > 0 && !slices.Contains(kinds, string(types.EntityTypeUser)) {
		return result, nil
	}
	users := w.shown.ordered()
	first := sort.Search(len(users), func(i int) bool { return fold(users[i].name) >= start })
	last := min(first+limit, len(users))
	for _, u := range users[first:last] {
		result.UserDetailList = append(result.UserDetailList, w.userDetail(u))
	}
	if last < len(users) {
		result.paging = truncatedAt(scope(r.form) + fold(users[last].name))
	}
	return result, nil
}

func (w *World) userDetail(u *user) userDetail {
	detail := userDetail{
		Path: u.path, UserName: u.name, UserID: u.id, ARN: w.arn(u),
		CreateDate: timestamp(u.created), Tags: slices.Clone(u.tags),
	}
	for _, p := range u.policies {
		detail.UserPolicyList = append(detail.UserPolicyList, policyDetail{p.name, percent(p.document)})
	}
	return detail
}

// percent encodes as in RFC 3986, spaces included.
func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// filters returns the kinds of entities that a request asks for; none are all.
func filters(form url.Values) []string {
	var kinds []string
	for n := 1; form.Has("Filter.member." + strconv.Itoa(n)); n++ {
		kinds = append(kinds, form.Get("Filter.member."+strconv.Itoa(n)))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// scope is the start of a marker, which is valid for one filter only.
func scope(form url.Values) string {
	if form.Get("Action") != "GetAccountAuthorizationDetails" {
		return ""
	}
	return strings.Join(filters(form), ",") + "|"
}
