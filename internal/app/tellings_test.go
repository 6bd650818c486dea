package app

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// lie changes the answers to the operation.
func lie(change awssim.Change, operations ...string) func(*exporter) hook {
	return func(e *exporter) hook { return on(e.world.Lie(change), operations...)(e) }
}

// tellAgain adds to a listing its first element once more, after all others, so
// changed.
func tellAgain(change func(member string) string) awssim.Change {
	return awssim.Members(func(members []string) []string { return append(members, change(members[0])) })
}

// with is a change of one element's text.
func with(element, value string) func(string) string {
	return func(member string) string { return awssim.Element(member, element, value) }
}

// otherStatus turns an active key into an inactive one, and the other way round.
func otherStatus(member string) string {
	status := "Active"
	if awssim.TextOf(member, "Status") == status {
		status = "Inactive"
	}
	return awssim.Element(member, "Status", status)
}

// swapped gives the last element of a listing what the first one has there.
func swapped(elements ...string) awssim.Change {
	return awssim.Members(func(members []string) []string {
		last := len(members) - 1
		for _, element := range elements {
			members[last] = awssim.Element(members[last], element, awssim.TextOf(members[0], element))
		}
		return members
	})
}

// about makes an answer one about that user.
func about(user string) awssim.Change {
	return func(_ url.Values, answer string) string { return awssim.Element(answer, "UserName", user) }
}

// repeated tells a listing twice over.
func repeated() awssim.Change {
	return awssim.Members(func(members []string) []string { return append(members, members...) })
}

// tellings are the faults in which AWS tells one thing in two ways, or again.
func tellings() []fault {
	const auto, report, live = awsapi.SourceAuto, awsapi.SourceReport, awsapi.SourceLive
	asked := []awsapi.Source{auto, live}
	malformed := []inventory.Reason{inventory.ReasonMalformed}
	stale := func(groups ...inventory.Group) map[awsapi.Source][]inventory.Group {
		return map[awsapi.Source][]inventory.Group{auto: groups, live: groups}
	}
	users, keys := stale(inventory.GroupUsers), stale(inventory.GroupKeys, inventory.GroupKeyUse)
	const details = "GetAccountAuthorizationDetails"
	return []fault{
		{name: "a key of two dates", sources: asked, hook: lie(tellAgain(with("CreateDate", "2000-01-01T00:00:00Z")), "ListAccessKeys"), stale: keys, reasons: malformed},
		{name: "a key of two statuses", sources: asked, hook: lie(tellAgain(otherStatus), "ListAccessKeys"), stale: keys, reasons: malformed},
		{name: "another user's key", sources: asked, hook: lie(about("mallory"), "ListAccessKeys"), stale: keys, reasons: malformed},
		{name: "a user of two names", sources: asked, hook: lie(tellAgain(with("UserName", "mallory")), "ListUsers"), stale: users, reasons: malformed},
		{name: "a user of two dates", sources: asked, hook: lie(tellAgain(with("CreateDate", "2000-01-01T00:00:00Z")), "ListUsers"), stale: users, reasons: malformed},
		{name: "a user of two ids", sources: asked, hook: lie(tellAgain(with("UserId", "AIDAUNTRUE")), "ListUsers"), stale: users, reasons: malformed},
		{name: "two users of one id", sources: asked, hook: lie(swapped("UserId"), "ListUsers"), stale: users, reasons: malformed},
		{name: "another user's password", sources: []awsapi.Source{live}, hook: lie(about("mallory"), "GetLoginProfile"), stale: stale(inventory.GroupConsole), reasons: malformed},
		{name: "another user's device", sources: []awsapi.Source{live}, hook: lie(about("mallory"), "ListMFADevices"), stale: stale(inventory.GroupMFA), reasons: malformed},
		{name: "a tag of two values", sources: []awsapi.Source{live}, hook: lie(tellAgain(with("Value", "untrue")), "ListUserTags"), stale: stale(inventory.GroupTags), reasons: malformed},
		{
			name: "a user of two sets of tags", sources: []awsapi.Source{auto, report}, hook: lie(tellAgain(with("Value", "untrue")), details), reasons: malformed,
			stale: map[awsapi.Source][]inventory.Group{auto: {inventory.GroupTags}, report: {inventory.GroupTags}},
		},
		{name: "everything again", hook: lie(repeated(), "ListUsers", "ListAccessKeys", "ListMFADevices", "ListUserTags", details), up: true},
	}
}

// TestTellings has each of them last for a day.
func TestTellings(t *testing.T) {
	eachFault(t, tellings(), func(*exporter) {})
}

// TestLieAboutOneUser tells bob's keys in two ways for a day, in which three
// others come to be in violation: bob's facts stay, and all else is as ever.
func TestLieAboutOneUser(t *testing.T) {
	twins := newTwins()
	for _, source := range []awsapi.Source{awsapi.SourceAuto, awsapi.SourceLive} {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				world := town(t, began, awssim.Options{})
				e := start(t, world, faultArgs(source)...)
				time.Sleep(10 * time.Minute)
				before := e.scrape()
				twoDates := tellAgain(with("CreateDate", "2000-01-01T00:00:00Z"))
				world.SetFault(lie(func(asked url.Values, answer string) string {
					if asked.Get("UserName") == "bob" {
						return twoDates(asked, answer)
					}
					return answer
				}, "ListAccessKeys")(e))
				time.Sleep(day)
				during, is := e.scrape(), twins[source].truth(t, began)
				for name, want := range map[string]exposition{"bob's": before, "everybody else's": is} {
					own := name == "bob's"
					if diff := gocmp.Diff(want.facts().of("bob", own), during.facts().of("bob", own)); diff != "" {
						t.Errorf("%s facts (-want +served):\n%s", name, diff)
					}
				}
				if up, _ := during.value("aws_iam_account_up"); up != 0 || failures(during, inventory.ReasonMalformed) == 0 {
					t.Errorf("aws_iam_account_up is %v, malformed answers: %v", up, failures(during, inventory.ReasonMalformed))
				}
				if _, page := e.get("/"); !strings.Contains(page, "call iam:ListAccessKeys for user bob: a key is listed as active") {
					t.Error("the page does not say whose keys are told in two ways")
				}
				e.lint()
				e.recover(twins[source], began)
			})
		})
	}
}

// of returns the series with the user's name, or all others.
func (x exposition) of(user string, own bool) exposition {
	some := maps.Clone(x)
	maps.DeleteFunc(some, func(series string, _ float64) bool {
		return strings.Contains(series, `user_name="`+user+`"`) != own
	})
	return some
}

// TestAccountThatIsNone has AWS tell, from the start and for a day, that the
// caller belongs to an account that there cannot be.
func TestAccountThatIsNone(t *testing.T) {
	twins := newTwins()
	account := func(id, arn string) awssim.Change {
		return func(_ url.Values, answer string) string {
			return awssim.Element(awssim.Element(answer, "Account", id), "Arn", arn)
		}
	}
	for name, change := range map[string]awssim.Change{
		"no id":          account("12345", "arn:aws:iam::12345:user/exporter"),
		"a page":         account("&lt;script&gt;", "arn:aws:iam::&lt;script&gt;:user/exporter"),
		"another's ARN":  account("123456789012", "arn:aws:iam::999999999999:user/exporter"),
		"id and no ARN":  account("123456789012", "exporter"),
		"neither":        account("", ""),
		"a broken line":  account("123456789012\n", "arn:aws:iam::123456789012\n:user/exporter"),
		"other's id too": account("99999999999", "arn:aws:iam::123456789012:user/exporter"),
	} {
		t.Run(name, func(t *testing.T) {
			eachSource(t, func(t *testing.T, source awsapi.Source) {
				began := time.Now()
				world := town(t, began, awssim.Options{})
				world.SetFault(func(operation string, _ int) http.HandlerFunc {
					if operation == "GetCallerIdentity" {
						return world.Lie(change)
					}
					return nil
				})
				e := start(t, world, faultArgs(source)...)
				for _, x := range e.watch(day, day/4) {
					up := exposition{`aws_iam_account_up{account_id=""}`: 0}
					if diff := gocmp.Diff(up, x.only("aws_iam_account_up")); diff != "" {
						t.Errorf("-want +served:\n%s", diff)
					}
					if facts := x.facts(); len(facts) > 0 {
						t.Errorf("facts of an unknown account are served: %v", facts)
					}
					if failures(x, inventory.ReasonMalformed) == 0 {
						t.Error("no malformed answer is counted")
					}
				}
				checkReady(e)
				e.lint()
				e.recover(twins[source], began)
			})
		})
	}
}
