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
	"syscall"
	"testing"
)

// TestCannotServeAsksNothing starts a program that cannot listen: it says why, and
// ends before it has asked AWS anything.
func TestCannotServeAsksNothing(t *testing.T) {
	setEnvironment(t, nil)
	taken := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer taken.Close()
	const (
		free    = "--web.listen-address=127.0.0.1:0"
		names   = "; check the addresses that the --web flags name"
		noFile  = "testdata/none.yml"
		useFile = "flag --web.config.file: use "
	)
	bad := filepath.Join(t.TempDir(), "web.yml")
	check(t, os.WriteFile(bad, []byte("tls_server_config: {cert_file: server.crt}\n"), 0o600))
	inUse := "serve HTTP: listen tcp " + taken.Addr().String() + ": bind: " + syscall.EADDRINUSE.Error() + names
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the port":                {[]string{"--web.listen-address=" + taken.Addr().String()}, inUse},
		"one of two":              {[]string{free, "--web.listen-address=" + taken.Addr().String()}, inUse},
		"the probes'":             {[]string{free, "--web.probe-address=" + taken.Addr().String()}, inUse},
		"no file for TLS":         {[]string{free, "--web.config.file=" + noFile}, useFile + noFile + ": open " + noFile + ": no such file or directory"},
		"half a file for TLS":     {[]string{free, "--web.config.file=" + bad}, useFile + bad + ": missing one of key or key_file"},
		"an address of no use":    {[]string{"--web.listen-address=here"}, "serve HTTP: listen tcp: address here: missing port in address" + names},
		"somebody else's address": {[]string{"--web.listen-address=192.0.2.1:10190"}, "serve HTTP: listen tcp 192.0.2.1:10190: bind: " + syscall.EADDRNOTAVAIL.Error() + names},
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
			code := Run(t.Context(), test.args, &output, &output)
			if want := "aws_iam_exporter: error: " + test.want + "\n"; code != 1 || !strings.HasSuffix(output.String(), want) {
				t.Errorf("got exit code %d and %q, want 1 and %q at the end", code, &output, want)
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
