package awsapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// zeros is a body without end.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) {
	z.read += int64(len(p))
	return len(p), nil
}

func (z *zeros) Close() error { return nil }

// readAnswer reads the body of an answer to the operation as the SDK would.
func readAnswer(t *testing.T, operation string, status int, body io.ReadCloser) (int64, error) {
	t.Helper()
	stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
	if err := errors.Join(BoundAnswers(stack), BoundAnswers(stack)); err != nil { // by the configuration and by the client
		t.Fatal(err)
	}
	bound, _ := stack.Deserialize.Get("BoundAnswers")
	out, _, err := bound.HandleDeserialize(t.Context(), middleware.DeserializeInput{}, transport{status, body})
	if err != nil {
		t.Fatal(err)
	}
	return io.Copy(io.Discard, out.RawResponse.(*smithyhttp.Response).Body)
}

// transport answers every request.
type transport struct {
	status int
	body   io.ReadCloser
}

func (a transport) HandleDeserialize(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: a.status, Body: a.body}}
	return middleware.DeserializeOutput{RawResponse: response}, middleware.Metadata{}, nil
}

// TestEveryAnswerIsBounded has an endless answer to each operation that there is,
// and to one that fetches credentials.
func TestEveryAnswerIsBounded(t *testing.T) {
	want := map[string]int64{
		"GetCallerIdentity": 8 << 20, "ListUsers": 8 << 20, "GenerateCredentialReport": 8 << 20, "GetAccountSummary": 8 << 20,
		"ListAccountAliases":  8 << 20,
		"GetCredentialReport": 64 << 20, "GetAccountAuthorizationDetails": 32 << 20,
		"ListAccessKeys": 1 << 20, "GetAccessKeyLastUsed": 1 << 20, "GetLoginProfile": 1 << 20, "ListMFADevices": 1 << 20, "ListUserTags": 1 << 20,
		"AssumeRole": 1 << 20, "DescribeOrganization": 256 << 10, "ListAccounts": 256 << 10, "ListTagsForResource": 256 << 10, "DescribeOrganizationalUnit": 256 << 10,
	}
	for _, o := range Operations() {
		if want[o.Name] == 0 {
			t.Errorf("%s: expected a bound for it here", o.Name)
		}
	}
	for operation, most := range want {
		for status, most := range map[int]int64{200: most, 403: 256 << 10, 503: 256 << 10} {
			var body zeros
			_, err := readAnswer(t, operation, status, &body)
			if text := fmt.Sprintf("the answer has more than %d bytes: expected fewer", most); err == nil || err.Error() != text {
				t.Errorf("%s, HTTP %d: got %v, want %s", operation, status, err, text)
			}
			if body.read != most+1 {
				t.Errorf("%s, HTTP %d: read %d bytes, want %d", operation, status, body.read, most+1)
			}
		}
	}
}

// TestReportsOfLargeAccountsFit has a report on 100,000 users with names and dates
// in every column.
func TestReportsOfLargeAccountsFit(t *testing.T) {
	const (
		users = 100_000
		date  = "2026-01-02T03:04:05+00:00"
	)
	var report strings.Builder
	for i := range users {
		name := fmt.Sprintf("first.last-%06d@example.com", i)
		fmt.Fprintf(&report, "%[1]s,arn:aws:iam::123456789012:user/%[1]s,%[2]s,true,%[2]s,%[2]s,N/A,true,true,%[2]s,%[2]s,eu-west-1,s3,true,%[2]s,%[2]s,us-east-1,iam,false,N/A,false,N/A\n", name, date)
	}
	content := base64.StdEncoding.EncodeToString([]byte(report.String()))
	n, err := readAnswer(t, "GetCredentialReport", 200, io.NopCloser(strings.NewReader(content)))
	if err != nil || n != int64(len(content)) || n < 45_000_000 {
		t.Errorf("read %d of %d bytes, error %v; want all", n, len(content), err)
	}
}
