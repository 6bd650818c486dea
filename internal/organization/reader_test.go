package organization

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// harness is a simulated organization, on synctest's clock.
type harness struct {
	*testing.T
	organization *awssim.Organization
	reader       *Reader
	loaded       int // how often credentials were loaded anew
}

func inBubble(t *testing.T, discovery awsapi.Discovery, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		realm := awssim.NewRealm(awssim.New(awssim.Options{AccountID: hubID}))
		organization := awssim.NewOrganization(orgID, hubID)
		realm.SetOrganization(organization)
		h := &harness{T: t, organization: organization}
		hub := awsapi.NewHub(realm.Config(), awsapi.NewShared(1e6), awsapi.HubOptions{
			Sessions: awsapi.Sessions{Name: "aws_iam_exporter"}, Timeout: 10 * time.Second,
			LoadCredentials: func(context.Context) (aws.CredentialsProvider, error) {
				h.loaded++
				return realm.Config().Credentials, nil
			},
		})
		h.reader = NewReader(awsapi.NewOrganization(realm.Config(), hub, discovery))
		h.organization.SetMembers(member(hubID), member(aliceID, prod), member(bobID, prod, team))
		h.organization.NameUnit(prod, "Production")
		h.organization.NameUnit(team, "Team")
		test(h)
	})
}

// member returns an active account in those units.
func member(id string, units ...string) awssim.Member {
	return awssim.Member{ID: id, Name: "account " + id, State: "ACTIVE", Units: units}
}

// tagged gives the account a tag.
func tagged(m awssim.Member, key, value string) awssim.Member {
	m.Tags = append(m.Tags, awssim.Tag{Key: key, Value: value})
	return m
}

// list returns a listing that must be without failures.
func (h *harness) list() Listing {
	h.Helper()
	listing, gaps, err := h.reader.List(h.Context(), time.Now(), "")
	if err := errors.Join(append(gaps, err)...); err != nil {
		h.Fatal(err)
	}
	return listing
}

func (h *harness) fail(faults map[string]http.HandlerFunc) {
	h.organization.SetFault(func(operation string, _ int) http.HandlerFunc { return faults[operation] })
}

func (h *harness) wantCalls(operation string, want int) {
	h.Helper()
	if got := h.organization.Calls()[operation]; got != want {
		h.Errorf("calls of %s: got %d, want %d", operation, got, want)
	}
}

func TestList(t *testing.T) {
	inBubble(t, awsapi.Discovery{}, func(h *harness) {
		long, bad := member(bobID), member("444444444444")
		long.Name, bad.Name = strings.Repeat("n", 51), "two\nlines"
		long.State, long.Status, bad.State = "", "SUSPENDED", ""
		bad.Paths = []string{"/somewhere"}
		h.organization.SetMembers(bad, member(aliceID, prod, team), long, member(hubID))
		now := time.Now()
		want := Listing{
			OrganizationID: orgID, ManagementID: hubID, Observed: now,
			Accounts: []Account{
				{ID: hubID, Name: "account " + hubID, State: Active, OUPath: []string{rootID}},
				{ID: aliceID, Name: "account " + aliceID, State: Active, OUPath: []string{rootID, prod, team}},
				{ID: bobID, State: Suspended, OUPath: []string{rootID}},
				{ID: "444444444444", State: Unknown},
			},
		}
		if diff := cmp.Diff(want, h.list()); diff != "" {
			t.Errorf("listing (-want +got):\n%s", diff)
		}
		h.wantCalls("ListTagsForResource", 0)
		h.wantCalls("DescribeOrganizationalUnit", 0)
	})
}

func TestStateOf(t *testing.T) {
	for _, test := range []struct {
		state, status string
		want          State
	}{
		{"ACTIVE", "ACTIVE", Active},
		{"ACTIVE", "", Active},
		{"", "ACTIVE", Active},
		{"SUSPENDED", "ACTIVE", Suspended}, // the new one counts
		{"ACTIVE", "SUSPENDED", Active},
		{"", "SUSPENDED", Suspended},
		{"", "PENDING_CLOSURE", PendingClosure},
		{"PENDING_ACTIVATION", "", PendingActivation},
		{"PENDING_CLOSURE", "", PendingClosure},
		{"CLOSED", "SUSPENDED", Closed},
		{"", "", Unknown},
		{"HIBERNATING", "", Unknown},
		{"HIBERNATING", "ACTIVE", Unknown}, // the new one would count, if it were known
		{"", "HIBERNATING", Unknown},
		{"active", "", Unknown},
	} {
		if got := stateOf(test.state, test.status); got != test.want {
			t.Errorf("state %q, status %q: got %s, want %s", test.state, test.status, got, test.want)
		}
	}
	var readable []State
	for _, s := range States() {
		if s.Readable() {
			readable = append(readable, s)
		}
	}
	if diff := cmp.Diff([]State{Active, Unknown}, readable); diff != "" {
		t.Errorf("readable states (-want +got):\n%s", diff)
	}
}

func TestShownName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "prod": "prod", "Größe 7": "Größe 7", "日本": "日本", strings.Repeat("é", 50): strings.Repeat("é", 50),
		strings.Repeat("é", 51): "", "a\tb": "", "a\x00": "", "a\x1b[31m": "", "a\u202eb": "", "a\u2028b": "", "\xff": "",
	} {
		if got := shownName(name, longestAccountName); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestPages reads everybody, however AWS cuts the list.
func TestPages(t *testing.T) {
	members := []awssim.Member{member(hubID)}
	for i := range 44 {
		members = append(members, member(fmt.Sprintf("%012d", i)))
	}
	for name, test := range map[string]struct {
		size  int
		empty bool
		calls int
	}{
		"full":             {20, false, 3},
		"full after empty": {20, true, 6},
		"short":            {7, false, 7},
		"one each":         {1, true, 90},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.Discovery{}, func(h *harness) {
				h.organization.SetMembers(members...)
				h.organization.SetPages(test.size, test.empty)
				if got := h.list().Accounts; len(got) != 45 || got[0].ID != "000000000000" || got[44].ID != hubID {
					t.Errorf("accounts: got %d, want 45 in order", len(got))
				}
				h.wantCalls("ListAccounts", test.calls)
			})
		})
	}
}

// TestRepetitionsDoNoHarm has pages that tell the same again.
func TestRepetitionsDoNoHarm(t *testing.T) {
	inBubble(t, awsapi.Discovery{}, func(h *harness) {
		h.organization.SetMembers(member(hubID), member(aliceID), member(aliceID), member(hubID))
		if got := h.list().Accounts; len(got) != 2 {
			t.Errorf("accounts: got %v, want two", got)
		}
	})
}

// answer returns a fault that answers this, as JSON.
func answer(body string) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "application/x-amz-json-1.1", body)
}

// TestRefusedListings gives no list rather than half of one, or one that cannot be.
func TestRefusedListings(t *testing.T) {
	const (
		describing = "call organizations:DescribeOrganization for the organization: "
		listing    = "call organizations:ListAccounts for the organization: "
		check      = "; check that nothing between here and AWS changes answers"
	)
	with := func(m ...awssim.Member) func(*harness) {
		return func(h *harness) { h.organization.SetMembers(append(m, member(hubID))...) }
	}
	faulty := func(operation string, fault http.HandlerFunc) func(*harness) {
		return func(h *harness) { h.fail(map[string]http.HandlerFunc{operation: fault}) }
	}
	renamed, foreign, odd := member(aliceID), member(aliceID), member(aliceID)
	renamed.Name = "another name"
	foreign.ARN = "arn:aws:organizations::999999999999:account/o-anotherorgid/" + aliceID
	odd.ARN = "arn:aws:organizations::" + hubID + ":account/" + orgID + "/" + bobID
	fresh := func(h *harness) {
		h.organization.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation != "ListAccounts" {
				return nil
			}
			return answer(fmt.Sprintf(`{"Accounts":[],"NextToken":"%d"}`, n))
		})
	}
	slow := func(h *harness) {
		h.organization.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation != "ListAccounts" {
				return nil
			}
			return func(rw http.ResponseWriter, r *http.Request) {
				time.Sleep(9 * time.Second)
				answer(fmt.Sprintf(`{"Accounts":[],"NextToken":"%d"}`, n))(rw, r)
			}
		})
	}
	half := func(h *harness) {
		h.organization.SetPages(1, false)
		h.organization.SetFault(func(operation string, n int) http.HandlerFunc {
			if operation == "ListAccounts" && n > 2 {
				return awssim.JSONError(500, "ServiceException", "")
			}
			return nil
		})
	}
	for name, test := range map[string]struct {
		prepare func(*harness)
		reason  inventory.Reason
		want    string
	}{
		"a bad id":     {with(member("12345")), inventory.ReasonMalformed, listing + `an account with id "12345": expected 12 digits` + check},
		"no id":        {with(member("")), inventory.ReasonMalformed, listing + `an account with id "": expected 12 digits` + check},
		"two tellings": {with(member(aliceID), renamed), inventory.ReasonMalformed, listing + "account " + aliceID + " is told of in two ways: expected one" + check},
		"another organization's": {
			with(foreign), inventory.ReasonMalformed,
			listing + "the answer is about organization o-anotherorgid: expected " + orgID + "; give credentials, or an initial role, of organization " + orgID + "; its accounts stay as they were. To watch another organization instead, restart the exporter, with --state.dir empty or without its accounts.json",
		},
		"an ARN of another account": {
			with(odd), inventory.ReasonMalformed,
			listing + "account " + aliceID + ` has ARN "arn:aws:organizations::` + hubID + ":account/" + orgID + "/" + bobID + `": expected arn:aws:organizations::` + hubID + ":account/" + orgID + "/" + aliceID + check,
		},
		"without its manager": {
			func(h *harness) { h.organization.SetMembers(member(aliceID)) }, inventory.ReasonMalformed,
			listing + "the listing has 1 accounts, and the one that manages the organization, " + hubID + ", is none of them: expected it" + check,
		},
		"nobody":           {faulty("ListAccounts", answer(`{"Accounts":[]}`)), inventory.ReasonMalformed, listing + "the listing has 0 accounts, and the one that manages the organization, " + hubID + ", is none of them: expected it" + check},
		"an empty answer":  {faulty("ListAccounts", answer(`{}`)), inventory.ReasonMalformed, listing + "the answer has no Accounts: expected one, be it empty" + check},
		"a token again":    {faulty("ListAccounts", answer(`{"Accounts":[],"NextToken":"x"}`)), inventory.ReasonMalformed, listing + "the token of page 2 came before: expected a new one" + check},
		"a list of tokens": {fresh, inventory.ReasonMalformed, listing + "the listing has not ended after 200 pages with 0 elements, in 49s: expected an end" + check},
		"a slow list":      {slow, inventory.ReasonMalformed, listing + "the listing has not ended after 156 pages with 0 elements, in 23m24s: expected an end" + check},
		"half of it":       {half, inventory.ReasonServer, listing + "AWS answered ServiceException (HTTP 500, request …); the exporter asks again; see AWS's health dashboard if this persists"},
		"cut off":          {faulty("ListAccounts", answer(`{"Accounts":[{"Id":"1111`)), inventory.ReasonMalformed, listing + "the answer is not what Organizations sends (HTTP 200, request …)" + check},
		"no organization":  {faulty("DescribeOrganization", answer(`{}`)), inventory.ReasonMalformed, describing + "the answer has no Organization: expected one, be it empty" + check},
		"an odd organization": {
			faulty("DescribeOrganization", answer(`{"Organization":{"Id":"x","MasterAccountId":"y"}}`)), inventory.ReasonMalformed,
			describing + `organization "x" managed by account "y": expected an id of an organization and one of an account` + check,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.Discovery{}, func(h *harness) {
				test.prepare(h)
				got, gaps, err := h.reader.List(h.Context(), time.Now(), "")
				if err == nil || withoutRequestID(err.Error()) != test.want {
					t.Errorf("error:\ngot  %v\nwant %s", err, test.want)
				}
				if awsapi.ReasonOf(err) != test.reason {
					t.Errorf("reason: got %s, want %s", awsapi.ReasonOf(err), test.reason)
				}
				if diff := cmp.Diff(Listing{}, got); diff != "" || gaps != nil {
					t.Errorf("beside the error: got %v and %v, want nothing", got, gaps)
				}
			})
		})
	}
}

// withoutRequestID replaces what differs from run to run.
func withoutRequestID(text string) string {
	before, rest, found := strings.Cut(text, "request ")
	if !found {
		return text
	}
	_, after, _ := strings.Cut(rest, ")")
	return before + "request …)" + after
}

// TestAnotherOrganization refuses to list one that is not expected.
func TestAnotherOrganization(t *testing.T) {
	inBubble(t, awsapi.Discovery{}, func(h *harness) {
		if _, _, err := h.reader.List(h.Context(), time.Now(), orgID); err != nil {
			t.Errorf("the expected one: got %v", err)
		}
		const want = "call organizations:DescribeOrganization for the organization: the answer is about organization " + orgID +
			": expected o-anotherorgid; give credentials, or an initial role, of organization o-anotherorgid; its accounts stay as they were. To watch another organization instead, restart the exporter, with --state.dir empty or without its accounts.json"
		if _, _, err := h.reader.List(h.Context(), time.Now(), "o-anotherorgid"); err == nil || err.Error() != want {
			t.Errorf("error:\ngot  %v\nwant %s", err, want)
		}
		h.wantCalls("ListAccounts", 1)
	})
}

// TestMostAccounts lists as many accounts as there may be, and refuses one more.
func TestMostAccounts(t *testing.T) {
	inBubble(t, awsapi.Discovery{}, func(h *harness) {
		members := []awssim.Member{member(hubID)}
		for i := range mostAccounts - 1 {
			members = append(members, member(fmt.Sprintf("%012d", i), prod, team))
		}
		h.organization.SetMembers(members...)
		began := time.Now()
		if got := len(h.list().Accounts); got != mostAccounts {
			t.Errorf("accounts: got %d, want %d", got, mostAccounts)
		}
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("took %s, want about two minutes for 500 pages", took)
		}
		h.organization.SetMembers(append(members, member(bobID))...)
		const want = "the organization has more than 10000 accounts: expected fewer"
		if _, _, err := h.reader.List(h.Context(), time.Now(), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %v, want %s", err, want)
		}
	})
}

// tagsOf returns the account's tags in the listing, as JSON; "null" if they are not known.
func tagsOf(listing Listing, id string) string {
	for _, a := range listing.Accounts {
		if a.ID == id {
			out, _ := json.Marshal(a.Tags)
			return string(out)
		}
	}
	return "no account"
}

// TestTagsAreReadDaily reads each account's tags once a day, and those of a new
// account at once.
func TestTagsAreReadDaily(t *testing.T) {
	inBubble(t, awsapi.Discovery{Tags: true}, func(h *harness) {
		h.organization.SetMembers(member(hubID), tagged(tagged(member(aliceID), "owner", "x"), "Owner", "platform"))
		first := h.list()
		if got, want := tagsOf(first, aliceID), `[{"key":"Owner","value":"platform"},{"key":"owner","value":"x"}]`; got != want {
			t.Errorf("tags: got %s, want %s", got, want)
		}
		if got := tagsOf(first, hubID); got != "[]" {
			t.Errorf("tags of an account without: got %s, want an empty list", got)
		}
		h.wantCalls("ListTagsForResource", 2)
		h.organization.SetMembers(member(hubID), tagged(member(aliceID), "Owner", "payments"), tagged(member(bobID), "Owner", "bob"))
		time.Sleep(time.Hour)
		second := h.list()
		if got, want := tagsOf(second, bobID), `[{"key":"Owner","value":"bob"}]`; got != want {
			t.Errorf("tags of a new account: got %s, want %s", got, want)
		}
		if got := tagsOf(second, aliceID); !strings.Contains(got, "platform") {
			t.Errorf("tags within a day: got %s, want those of before", got)
		}
		h.wantCalls("ListTagsForResource", 3)
		time.Sleep(23 * time.Hour)
		if got, want := tagsOf(h.list(), aliceID), `[{"key":"Owner","value":"payments"}]`; got != want {
			t.Errorf("tags a day later: got %s, want %s", got, want)
		}
		h.wantCalls("ListTagsForResource", 5)
	})
}

// TestTagsThatCannotBeRead fail no listing: what was known stays, and the rest is
// not known.
func TestTagsThatCannotBeRead(t *testing.T) {
	inBubble(t, awsapi.Discovery{Tags: true}, func(h *harness) {
		members := []awssim.Member{member(hubID), tagged(member(aliceID), "Owner", "platform")}
		h.organization.SetMembers(members...)
		h.list()
		for i := range 10 {
			members = append(members, member(fmt.Sprintf("%012d", i)))
		}
		h.organization.SetMembers(members...)
		h.fail(map[string]http.HandlerFunc{"ListTagsForResource": awssim.JSONError(400, "AccessDeniedException", "You don't have permissions to access this resource.")})
		time.Sleep(25 * time.Hour)
		listing, gaps, err := h.reader.List(h.Context(), time.Now(), orgID)
		if err != nil || len(gaps) != 1 || len(listing.Accounts) != 12 {
			t.Fatalf("got %d accounts, gaps %v, error %v; want 12 accounts and one gap", len(listing.Accounts), gaps, err)
		}
		if got := gaps[0].Error(); !strings.HasPrefix(got, "call organizations:ListTagsForResource for account 000000000000: AccessDeniedException; ") {
			t.Errorf("gap: got %s", got)
		}
		if got := tagsOf(listing, aliceID); !strings.Contains(got, "platform") {
			t.Errorf("tags that were known: got %s, want them", got)
		}
		if got := tagsOf(listing, "000000000005"); got != "null" {
			t.Errorf("tags that were never known: got %s, want null", got)
		}
		h.wantCalls("ListTagsForResource", 2+3) // all others would have failed too
		h.organization.SetFault(nil)
		if got := tagsOf(h.list(), "000000000005"); got != "[]" {
			t.Errorf("tags once they can be read: got %s, want an empty list", got)
		}
		h.wantCalls("ListTagsForResource", 2+3+12)
	})
}

// TestAFewBadTagsHinderNobody has three accounts whose tags always fail, which come
// first.
func TestAFewBadTagsHinderNobody(t *testing.T) {
	inBubble(t, awsapi.Discovery{Tags: true}, func(h *harness) {
		members := []awssim.Member{member(hubID), tagged(member(aliceID), "Owner", "platform")}
		for i := range 3 {
			members = append(members, tagged(tagged(member(fmt.Sprintf("%012d", i)), "k", "1"), "k", "2"))
		}
		h.organization.SetMembers(members...)
		var listing Listing
		for range 2 {
			var gaps []error
			var err error
			if listing, gaps, err = h.reader.List(h.Context(), time.Now(), ""); err != nil || len(gaps) != 1 {
				t.Fatalf("got gaps %v, error %v; want one gap", gaps, err)
			}
			const want = "call organizations:ListTagsForResource for account 000000000000: an account has two tags of one key: " +
				"expected a key of its own for each; check that nothing between here and AWS changes answers"
			if got := gaps[0].Error(); got != want {
				t.Errorf("gap:\ngot  %s\nwant %s", got, want)
			}
			time.Sleep(time.Hour)
		}
		if got := tagsOf(listing, aliceID); !strings.Contains(got, "platform") {
			t.Errorf("tags of an account after three bad ones: got %s, want them", got)
		}
	})
}

// TestOddTags holds which tags are not taken for true.
func TestOddTags(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, body := range map[string]string{
		"none":           `{}`,
		"no key":         `{"Tags":[{"Value":"x"}]}`,
		"a long key":     `{"Tags":[{"Key":"` + long + `","Value":"x"}]}`,
		"a long value":   `{"Tags":[{"Key":"x","Value":"` + long + `"}]}`,
		"too many":       `{"Tags":[` + strings.Repeat(`{"Key":"x","Value":"x"},`, 1000) + `{"Key":"x","Value":"x"}]}`,
		"a token again":  `{"Tags":[],"NextToken":"x"}`,
		"a token so big": `{"Tags":[],"NextToken":"` + strings.Repeat("x", 20_000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, awsapi.Discovery{Tags: true}, func(h *harness) {
				h.fail(map[string]http.HandlerFunc{"ListTagsForResource": answer(body)})
				listing, gaps, err := h.reader.List(h.Context(), time.Now(), "")
				if err != nil || len(gaps) != 1 || awsapi.ReasonOf(gaps[0]) != inventory.ReasonMalformed {
					t.Errorf("got gaps %v, error %v; want one malformed answer", gaps, err)
				}
				if got := tagsOf(listing, aliceID); got != "null" {
					t.Errorf("tags: got %s, want null", got)
				}
				for _, gap := range gaps {
					if len(gap.Error()) > 400 {
						t.Errorf("the gap has %d characters: %s", len(gap.Error()), gap)
					}
				}
			})
		})
	}
}

// TestTagsReadAgainAreSpread reads a large organization's tags at once, and
// afterwards a part of them in each listing.
func TestTagsReadAgainAreSpread(t *testing.T) {
	inBubble(t, awsapi.Discovery{Tags: true}, func(h *harness) {
		members := []awssim.Member{member(hubID)}
		for i := range 1199 {
			members = append(members, member(fmt.Sprintf("%012d", i)))
		}
		h.organization.SetMembers(members...)
		h.list()
		h.wantCalls("ListTagsForResource", 1200)
		time.Sleep(24 * time.Hour)
		for _, want := range []int{1700, 2200, 2400, 2400} {
			h.list()
			h.wantCalls("ListTagsForResource", want)
			time.Sleep(time.Hour)
		}
	})
}

// TestUnitNames reads the name of each organizational unit once a day.
func TestUnitNames(t *testing.T) {
	inBubble(t, awsapi.Discovery{UnitNames: true}, func(h *harness) {
		want := [][]string{{""}, {"", "Production"}, {"", "Production", "Team"}}
		for range 3 {
			if diff := cmp.Diff(want, names(h.list())); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			time.Sleep(time.Hour)
		}
		h.wantCalls("DescribeOrganizationalUnit", 2)
		h.organization.NameUnit(team, "A team")
		h.fail(map[string]http.HandlerFunc{"DescribeOrganizationalUnit": answer(`{"OrganizationalUnit":{"Id":"` + prod + `","Name":"Sales"}}`)})
		time.Sleep(24 * time.Hour)
		listing, gaps, err := h.reader.List(h.Context(), time.Now(), "")
		const gap = "call organizations:DescribeOrganizationalUnit for organizational unit " + team +
			": the answer is not about the organizational unit that was asked about: expected it to be; check that nothing between here and AWS changes answers"
		if err != nil || len(gaps) != 1 || gaps[0].Error() != gap {
			t.Errorf("got error %v, gaps %v, want the gap\n%s", err, gaps, gap)
		}
		want = [][]string{{""}, {"", "Sales"}, {"", "Sales", "Team"}}
		if diff := cmp.Diff(want, names(listing)); diff != "" {
			t.Errorf("names after a failure (-want +got):\n%s", diff)
		}
	})
}

func names(listing Listing) [][]string {
	var all [][]string
	for _, a := range listing.Accounts {
		all = append(all, a.OUNames)
	}
	return all
}

// TestCredentialsAreRenewed loads credentials anew once AWS has refused them.
func TestCredentialsAreRenewed(t *testing.T) {
	inBubble(t, awsapi.Discovery{}, func(h *harness) {
		h.fail(map[string]http.HandlerFunc{"DescribeOrganization": awssim.JSONError(400, "ExpiredTokenException", "")})
		if _, _, err := h.reader.List(h.Context(), time.Now(), ""); awsapi.ReasonOf(err) != inventory.ReasonCredentials {
			t.Errorf("got %v, want refused credentials", err)
		}
		h.organization.SetFault(nil)
		h.list()
		h.list()
		if h.loaded != 1 {
			t.Errorf("credentials loaded anew: got %d times, want once", h.loaded)
		}
	})
}
