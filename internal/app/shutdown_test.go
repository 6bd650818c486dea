package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"golang.org/x/sync/errgroup"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// patience is a limit for what takes no time unless something is stuck.
const patience = 15 * time.Second

// running is the whole program, with listeners, reading a world over HTTP.
type running struct {
	address string
	signal  context.CancelFunc // what SIGTERM does
	code    chan int
}

// runAgainst runs the program until it listens.
func runAgainst(t *testing.T, handler http.Handler, args ...string) *running {
	t.Helper()
	aws := httptest.NewServer(handler)
	t.Cleanup(aws.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": aws.URL, "AWS_ACCESS_KEY_ID": callerKeyID, "AWS_SECRET_ACCESS_KEY": callerSecret, "AWS_SESSION_TOKEN": callerToken,
		"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{signal: cancel, code: make(chan int, 1)}
	go func() {
		r.code <- Run(ctx, append([]string{"--web.listen-address=127.0.0.1:0"}, args...), io.Discard, writer)
		_ = writer.Close()
	}()
	t.Cleanup(cancel)

	listening := make(chan string, 1)
	go func() {
		pattern := regexp.MustCompile(`address=(127\.0\.0\.1:[0-9]+)`)
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			if found := pattern.FindStringSubmatch(lines.Text()); found != nil {
				listening <- found[1]
			}
		}
	}()
	select {
	case r.address = <-listening:
	case <-time.After(patience):
		t.Fatal("the program does not listen")
	}
	return r
}

// checkExit waits for the program to end in success.
func (r *running) checkExit(t *testing.T) {
	t.Helper()
	select {
	case code := <-r.code:
		if code != 0 {
			t.Errorf("exit code: got %d, want 0", code)
		}
	case <-time.After(patience):
		t.Fatal("the program does not end")
	}
}

func TestStopDuringRefresh(t *testing.T) {
	asked := make(chan struct{}, 1)
	stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the caller went
		<-r.Context().Done()
	})
	r := runAgainst(t, stuck)
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("AWS is not asked")
	}
	r.signal()
	r.checkExit(t)
}

// TestStopDuringScrape stops the program while a client has read the first
// byte of an exposition that is larger than the buffers in between.
func TestStopDuringScrape(t *testing.T) {
	const users = 2500
	world := awssim.New(awssim.Options{Seed: 1})
	b := builder{t, world, time.Now()}
	for i := range users {
		name := fmt.Sprintf("user-%04d", i)
		b.user(name, "/", 100*day)
		b.key(name, 10*day, day)
		b.key(name, 9*day, day)
	}
	_, err := iam.NewFromConfig(world.Config()).GenerateCredentialReport(t.Context(), &iam.GenerateCredentialReportInput{}) // so that none is waited for
	check(t, err)
	r := runAgainst(t, world, "--iam.source=report")
	waitUntilReady(t, r.address)

	conn, err := net.Dial("tcp", r.address)
	check(t, err)
	defer conn.Close()
	check(t, conn.(*net.TCPConn).SetReadBuffer(64<<10))
	check(t, conn.SetDeadline(time.Now().Add(4*patience)))
	_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: exporter\r\nConnection: close\r\n\r\n")
	check(t, err)
	body := bufio.NewReader(conn)
	_, err = body.Peek(1)
	check(t, err)

	r.signal()
	waitUntilClosed(t, r.address)
	answer, err := http.ReadResponse(body, nil)
	check(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body) // fails if the answer is cut
	check(t, err)
	if got := strings.Count(string(text), "\naws_iam_user_info{"); answer.StatusCode != http.StatusOK || got != users {
		t.Errorf("status %d with %d users, want all %d", answer.StatusCode, got, users)
	}
	if len(text) < 5<<20 {
		t.Errorf("the answer of %d bytes fits into the buffers: it proves nothing", len(text))
	}
	r.checkExit(t)
}

// waitUntilReady waits for the first facts to be served.
func waitUntilReady(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		answer, err := http.Get("http://" + address + "/-/ready")
		check(t, err)
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("the program does not become ready")
}

// waitUntilClosed connects until that is refused, which shows that the program
// is stopping.
func waitUntilClosed(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("the program still listens")
}

// TestStoppingWaitsForNobodyForever has a client whose request never ends.
func TestStoppingWaitsForNobodyForever(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	asked := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})}
	ctx, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	var log bytes.Buffer
	group.Go(func() error {
		return serveUntil(ctx, server, slog.New(slog.NewTextHandler(&log, nil)), time.Millisecond, func() error { return server.Serve(listener) })
	})
	go func() {
		if response, err := http.Get("http://" + listener.Addr().String()); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-asked
	stop()
	if err := group.Wait(); err != nil {
		t.Errorf("stopped with %v, want no error", err)
	}
	if !strings.Contains(log.String(), "Ending requests that take too long") {
		t.Errorf("log: got %q, want it to tell", &log)
	}
}
