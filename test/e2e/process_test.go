//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What `make e2e` builds and installs, seen from this folder.
const (
	exporterBinary   = "../../aws_iam_exporter"
	prometheusBinary = "../../.tools/bin/prometheus"
	promtoolBinary   = "../../.tools/bin/promtool"
	python           = "../../.tools/venv/bin/python"

	debianPrometheusBinary = "../../.tools/bin/prometheus-debian" // where there is apt-get
)

// process is a running program, ended with the test.
type process struct {
	cmd   *exec.Cmd
	log   *log
	ended chan struct{} // closed when it has
}

// start runs the program with nothing but env in its environment. If the test
// fails, the end of the program's log is shown.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	return startCommand(t, env, exec.Command(program, args...))
}

func startCommand(t *testing.T, env []string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: &log{}, ended: make(chan struct{})}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v (has `make e2e` installed it?)", cmd.Path, err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its result is in cmd.ProcessState
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the log of %s ends:\n%s", filepath.Base(cmd.Path), p.log.tail())
		}
	})
	return p
}

// stop asks the program to end, forces it to after ten seconds, and returns
// its exit code, -1 if a signal ended it.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended already
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the program without asking.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails if it has ended already
	<-p.ended
}

// log collects what a program writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) tail() string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// run runs a program to its end and returns what it wrote to standard output.
func run(t *testing.T, env []string, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run %s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// eventually asks again and again until ask is content, and fails the test with
// its last complaint when the time is up.
func eventually(t *testing.T, limit time.Duration, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		// Each question has time for an answer even when it is the last one.
		err := ask(t.Context())
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not after %s: %v", limit, err)
		case <-ticker.C:
		}
	}
}

// freeAddress returns an address of this machine on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// get returns the body of a page, or an error unless its status is 200.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s: %.200s", url, response.Status, body)
	}
	return body, nil
}
