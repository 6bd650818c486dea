package awsapi_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// endless is a body that goes on for ever, and counts what was read of it.
type endless struct {
	start, rest string
	read        int64
	closed      bool
}

func (e *endless) Read(p []byte) (int, error) {
	text := e.start
	if at := e.read - int64(len(e.start)); at >= 0 {
		text = e.rest[at%int64(len(e.rest)):]
	} else {
		text = text[e.read:]
	}
	n := copy(p, text)
	e.read += int64(n)
	return n, nil
}

// inBubble runs a test on a clock that stands still while it works, so that no
// slow machine lets an attempt run out of time.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func (e *endless) Close() error { e.closed = true; return nil }

// TestAnswersWithoutEnd counts what is read of them.
func TestAnswersWithoutEnd(t *testing.T) {
	const (
		user   = "<member><UserName>alice</UserName></member>"
		answer = "<%[1]sResponse><%[1]sResult>%[2]s"
	)
	megabyte := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		operation   string
		status      int
		start, rest string
		most        int64
		tags        bool // there are too many of them
	}{
		"listing":        {"ListUsers", 200, fmt.Sprintf(answer, "ListUsers", "<Users>"), strings.Repeat(user, 1000), 8 << 20, true},
		"name":           {"ListUsers", 200, fmt.Sprintf(answer, "ListUsers", "<Users><member><UserName>"), megabyte, 8 << 20, false},
		"nesting":        {"ListUsers", 200, fmt.Sprintf(answer, "ListUsers", ""), "<Users>", 8 << 20, true},
		"keys of a user": {"ListAccessKeys", 200, fmt.Sprintf(answer, "ListAccessKeys", "<AccessKeyMetadata>"), "<member/>", 1 << 20, true},
		"error":          {"ListUsers", 403, "<ErrorResponse><Error><Code>", megabyte, 256 << 10, false},
		"message":        {"ListUsers", 403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>", megabyte, 256 << 10, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			body := &endless{start: test.start, rest: test.rest}
			cfg := awssim.New(awssim.Options{}).Config()
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: test.status, Header: http.Header{}, Body: body, Request: r}, nil
			})}
			client := newClientFor(cfg, awsapi.Needs{Source: awsapi.SourceAuto, Tags: awsapi.TagsFromAuthorizationDetails})
			err := awsapi.Wrap("iam:"+test.operation, "the account", call(t.Context(), client.IAM, test.operation))
			want := fmt.Sprintf("the answer has more than %d bytes", test.most)
			if test.tags {
				want = fmt.Sprintf("the answer has more than %d XML tags", test.most/32)
			}
			if awsapi.ReasonOf(err) != inventory.ReasonMalformed || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want malformed: %s", err, want)
			}
			if body.read > test.most+1 || !body.closed {
				t.Errorf("read %d bytes, closed %t; want at most %d and closed", body.read, body.closed, test.most+1)
			}
		})
	}
}

// TestGzipBomb serves a body without end that is small while it is compressed.
func TestGzipBomb(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the client asks for no compression: what would be tested?")
		}
		w.Header().Set("Content-Encoding", "gzip")
		bomb := gzip.NewWriter(writer(func(p []byte) (int, error) {
			n, err := w.Write(p)
			sent.Add(int64(n))
			return n, err
		}))
		fmt.Fprint(bomb, "<ListUsersResponse><ListUsersResult><Users><member><UserName>")
		zeros := []byte(strings.Repeat("0", 1<<20))
		for {
			if _, err := bomb.Write(zeros); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	cfg := awssim.New(awssim.Options{}).Config()
	cfg.HTTPClient, cfg.BaseEndpoint = server.Client(), aws.String(server.URL)
	client := awsapi.New(cfg, awsapi.NewShared(1e6), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceAuto}, Rate: 1e6, Timeout: time.Minute})
	_, err := client.IAM.ListUsers(t.Context(), &iam.ListUsersInput{})
	err = awsapi.Wrap("iam:ListUsers", "the account", err)
	if awsapi.ReasonOf(err) != inventory.ReasonMalformed || !strings.Contains(err.Error(), "the answer has more than 8388608 bytes") {
		t.Errorf("got %v, want malformed", err)
	}
	server.CloseClientConnections()
	server.Close()                        // waits for the handler
	if got := sent.Load(); got > 16<<20 { // what fits between the two
		t.Errorf("%d compressed bytes were sent", got)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// dripping hands out a byte each second.
type dripping struct {
	ctx context.Context
}

func (d dripping) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	}
}

// TestAnswersThatDrip end in time, as all attempts together do.
func TestAnswersThatDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := awssim.New(awssim.Options{}).Config()
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(dripping{r.Context()}), Request: r}, nil
		})}
		began := time.Now()
		_, err := newClient(cfg, awsapi.SourceAuto).IAM.ListUsers(t.Context(), &iam.ListUsersInput{})
		if took := time.Since(began); awsapi.ReasonOf(err) != inventory.ReasonTimeout || took > 4*timeout {
			t.Errorf("got %v after %s, want a time-out", err, took)
		}
	})
}
