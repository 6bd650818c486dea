package app

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPortInUseAsksNothing starts a program that cannot listen: it must end before
// it has asked AWS anything.
func TestPortInUseAsksNothing(t *testing.T) {
	setEnvironment(t, nil)
	taken := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer taken.Close()
	for name, args := range map[string][]string{
		"the port":        {"--web.listen-address=" + taken.Addr().String()},
		"one of two":      {"--web.listen-address=127.0.0.1:0", "--web.listen-address=" + taken.Addr().String()},
		"the probes'":     {"--web.listen-address=127.0.0.1:0", "--web.probe-address=" + taken.Addr().String()},
		"a file for TLS":  {"--web.listen-address=127.0.0.1:0", "--web.config.file=testdata/none.yml"},
		"no such address": {"--web.listen-address=192.0.2.1:10190"},
	} {
		t.Run(name, func(t *testing.T) {
			forgetAWS(t)
			var requests atomic.Int64
			aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(http.StatusForbidden)
			}))
			defer aws.Close()
			t.Setenv("AWS_ENDPOINT_URL", aws.URL)
			t.Setenv("AWS_ACCESS_KEY_ID", callerKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", callerSecret)
			var output bytes.Buffer
			code := Run(t.Context(), args, &output, &output)
			if text := output.String(); code != 1 || !strings.Contains(text, "aws_iam_exporter: error: serve HTTP: ") {
				t.Errorf("got exit code %d and %q, want 1 and what is wrong", code, text)
			}
			if n := requests.Load(); n != 0 {
				t.Errorf("AWS was sent %d requests, want none", n)
			}
		})
	}
}

// TestBadStartLeavesNothingBehind fails once the demo's accounts are served.
func TestBadStartLeavesNothingBehind(t *testing.T) {
	setEnvironment(t, nil)
	file := filepath.Join(t.TempDir(), "exporter.yaml")
	check(t, os.WriteFile(file, []byte("accounts: no list\n"), 0o600))
	var output bytes.Buffer
	if code := Run(t.Context(), []string{"--demo", "--config.file=" + file, "--web.listen-address=127.0.0.1:0"}, &output, &output); code != 1 {
		t.Errorf("got exit code %d and %q, want 1", code, output.String())
	}
	var running bytes.Buffer
	check(t, pprof.Lookup("goroutine").WriteTo(&running, 1))
	for _, of := range []string{"demo.(*Server).Wait", "demo.(*Accounts).Live"} {
		if strings.Contains(running.String(), of) {
			t.Errorf("%s still runs", of)
		}
	}
}
