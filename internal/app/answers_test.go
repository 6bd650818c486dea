package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// quotingRequest denies a call, as something does that explains itself by the
// whole request.
func quotingRequest(rw http.ResponseWriter, r *http.Request) {
	message := "User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:" + r.Form.Get("Action") +
		" on resource: access key " + r.Form.Get("AccessKeyId") + " because no identity-based policy allows it: POST / " +
		"x-amz-security-token:" + r.Header.Get("X-Amz-Security-Token") + " " + r.Header.Get("Authorization") + " " + r.Form.Encode() + rawContent
	awssim.Error(http.StatusForbidden, "AccessDenied", message)(rw, r)
}

// underRequestID answers under a request id of that many bytes.
func underRequestID(bytes int, answer http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("x-amzn-RequestId", strings.Repeat("f", bytes))
		answer(rw, r)
	}
}

// named gives alice an element of that many bytes.
func named(element string, bytes int) awssim.Change {
	value := strings.Repeat("x", bytes)
	return awssim.Members(func(members []string) []string {
		for i, member := range members {
			if awssim.TextOf(member, "UserName") == "alice" {
				members[i] = awssim.Element(member, element, value)
			}
		}
		return members
	})
}

// padded makes an answer longer than any.
func padded(with string, times int) awssim.Change {
	padding := "Result><Padding>" + strings.Repeat(with, times) + "</Padding>"
	return func(_ url.Values, answer string) string {
		return strings.Replace(answer, "Result>", padding, 1)
	}
}

// withoutMeasure are answers that are too much of something.
func withoutMeasure() []fault {
	const auto, live = awsapi.SourceAuto, awsapi.SourceLive
	lists := []string{"ListUsers", "ListAccessKeys", "ListMFADevices", "ListUserTags", "GetAccountAuthorizationDetails"}
	pure := []awsapi.Source{awsapi.SourceReport, live}
	listing := []awsapi.Source{auto, live}
	users := map[awsapi.Source][]inventory.Group{auto: {inventory.GroupUsers}, live: {inventory.GroupUsers}}
	malformed, denied := []inventory.Reason{inventory.ReasonMalformed}, []inventory.Reason{inventory.ReasonDenied}
	freshMarkers := func(e *exporter) hook { return on(awssim.FreshMarkers(), lists...)(e) }
	return []fault{
		{name: "fresh markers for ever", sources: listing, hook: freshMarkers, reasons: malformed, stale: map[awsapi.Source][]inventory.Group{
			auto: {inventory.GroupUsers, inventory.GroupKeys, inventory.GroupKeyUse, inventory.GroupTags},
			live: {inventory.GroupUsers, inventory.GroupKeys, inventory.GroupKeyUse, inventory.GroupMFA, inventory.GroupTags},
		}},
		{name: "listing of too many elements", sources: listing, hook: lie(padded("<a/>", 300_000), "ListUsers"), reasons: malformed, stale: users},
		{
			name: "long answers about users", sources: []awsapi.Source{live}, hook: lie(padded("x", 1<<20), "GetLoginProfile"), reasons: malformed,
			stale: map[awsapi.Source][]inventory.Group{live: {inventory.GroupConsole}},
		},
		{name: "name of a megabyte", sources: listing, hook: lie(named("UserName", 1<<20), "ListUsers"), reasons: malformed, stale: nil},
		{name: "path of a megabyte", sources: listing, hook: lie(named("Path", 1<<20), "ListUsers"), reasons: malformed, stale: nil},
		{name: "error code of a megabyte", sources: pure, hook: always(awssim.Error(403, strings.Repeat("AccessDenied", 1e5), "")), frozen: true, reasons: malformed},
		{name: "error code of 100 kB", sources: pure, hook: always(awssim.Error(403, strings.Repeat("AccessDenied", 1e4), "")), frozen: true, reasons: malformed},
		{name: "message of 100 kB", sources: pure, hook: always(awssim.Error(403, "AccessDenied", strings.Repeat(rawContent, 1e5/len(rawContent)))), frozen: true, reasons: denied},
		{name: "request id of 100 kB", sources: pure, hook: always(underRequestID(1e5, awssim.Error(400, "Odd", ""))), frozen: true, reasons: []inventory.Reason{inventory.ReasonOther}},
		{name: "denial that quotes the request", hook: always(quotingRequest), frozen: true, reasons: denied},
	}
}

// TestAnswersWithoutMeasure has each of them for a day.
func TestAnswersWithoutMeasure(t *testing.T) {
	eachFault(t, withoutMeasure(), wantShort)
}

// wantShort checks that nothing was logged or is shown at length.
func wantShort(e *exporter) {
	e.t.Helper()
	log := e.log.String()
	for line := range strings.Lines(log) {
		if len(line) > 2000 {
			e.t.Errorf("a line of the log has %d bytes: %.2000s…", len(line), line)
		}
	}
	_, page := e.get("/")
	for where, text := range map[string]string{"the log": log, "the page": page} {
		for _, part := range []string{"Signature=", "SignedHeaders", "X-Amz", "x-amz"} {
			if strings.Contains(text, part) {
				e.t.Errorf("%s quotes the request: %s", where, part)
			}
		}
	}
}
