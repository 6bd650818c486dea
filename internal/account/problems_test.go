package account

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// TestProblemsTellWhomTheyName has AWS send what cannot be right about alice: a
// problem whose words name her must say so, or a page would name the hidden.
func TestProblemsTellWhomTheyName(t *testing.T) {
	other := awssim.New(awssim.Options{AccountID: "999999999999"})
	if _, err := other.CreateUser("alice", "/", time.Now()); err != nil {
		t.Fatal(err)
	}
	noID := awssim.Raw(http.StatusOK, "text/xml", `<ListUsersResponse><ListUsersResult><Users><member><UserName>alice</UserName>`+
		`<Arn>arn:aws:iam::123456789012:user/alice</Arn><CreateDate>2026-01-02T03:04:05Z</CreateDate></member></Users></ListUsersResult></ListUsersResponse>`)
	for name, test := range map[string]struct {
		source    awsapi.Source
		operation string
		fault     http.HandlerFunc
		user      string
	}{
		"listing of another account": {awsapi.SourceLive, "ListUsers", other.ServeHTTP, "alice"},
		"listing without an id":      {awsapi.SourceLive, "ListUsers", noID, "alice"},
		"tags of another account":    {awsapi.SourceLive, "GetAccountAuthorizationDetails", other.ServeHTTP, "alice"},
		"unreadable report":          {awsapi.SourceReport, "GetCredentialReport", unreadableReport("alice"), awsiam.Somebody},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.source, awssim.Options{}, func(h *harness) {
				h.client.SetTags(awsapi.TagsFromAuthorizationDetails)
				h.user("bob")
				h.fail(test.operation, test.fault)
				s := h.refresh()
				if p := s.Health.Problems; len(p) != 1 || !strings.Contains(p[0].Text, "alice") || p[0].User != test.user {
					h.Errorf("problems: got %+v, want one that names alice, and tells %q", p, test.user)
				}
			})
		})
	}
}

// unreadableReport answers with a report of which the header names the user twice.
func unreadableReport(user string) http.HandlerFunc {
	const header = "user,arn,user_creation_time,password_enabled,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date," +
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
	content := base64.StdEncoding.EncodeToString([]byte(header + user + "," + user))
	return awssim.Raw(http.StatusOK, "text/xml", "<GetCredentialReportResponse><GetCredentialReportResult><Content>"+content+"</Content>"+
		"<GeneratedTime>2026-01-02T03:04:05Z</GeneratedTime></GetCredentialReportResult></GetCredentialReportResponse>")
}
