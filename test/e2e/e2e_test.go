//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim/conformance"
)

// TestExporter runs the exporter against moto in every way a user would.
func TestExporter(t *testing.T) {
	aws := startMoto(t)
	for _, source := range []string{"auto", "report", "live"} {
		t.Run("source "+source, func(t *testing.T) { testSource(t, aws, source) })
	}
	t.Run("pages", func(t *testing.T) { testPages(t, aws) })
	t.Run("stops on a signal", func(t *testing.T) { testStop(t, aws) })
	t.Run("socket activation", func(t *testing.T) { testSocketActivation(t, aws) })
	t.Run("TLS and basic auth", func(t *testing.T) { testTLS(t, aws) })
}

// testSource compares what the exporter serves, and what Prometheus stores of
// it, with what expected.py computes.
func testSource(t *testing.T, aws environment, source string) {
	exporter := startExporter(t, aws, "--iam.source="+source)
	expected := run(t, aws, python, "moto/expected.py", "--source="+source)
	want, err := parseExpected(expected)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d series are expected", len(want))
	awaitSamples(t, want, func(ctx context.Context) (samples, error) {
		page, err := get(ctx, http.DefaultClient, exporter+"/metrics")
		if err != nil {
			return nil, err
		}
		return parseExposition(bytes.NewReader(page))
	})
	checkMetrics(t, exporter)

	prometheus := startPrometheus(t, exporter)
	awaitSamples(t, want, func(ctx context.Context) (samples, error) {
		query := url.Values{"query": {`{__name__=~"aws_iam_.+"}`}}
		page, err := get(ctx, http.DefaultClient, prometheus+"/api/v1/query?"+query.Encode())
		if err != nil {
			return nil, err
		}
		return parseQuery(bytes.NewReader(page))
	})
}

// awaitSamples waits until the facts among the samples are the wanted ones.
func awaitSamples(t *testing.T, want samples, read func(context.Context) (samples, error)) {
	t.Helper()
	eventually(t, 4*time.Minute, func(ctx context.Context) error {
		got, err := read(ctx)
		if err != nil {
			return err
		}
		if lines := compare(want, got.facts()); len(lines) > 0 {
			return fmt.Errorf("%d differences:\n%s", len(lines), summary(lines))
		}
		return nil
	})
}

// checkMetrics lets promtool lint the exposition.
func checkMetrics(t *testing.T, exporter string) {
	t.Helper()
	page, err := get(t.Context(), http.DefaultClient, exporter+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), promtoolBinary, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func testPages(t *testing.T, aws environment) {
	exporter := startExporter(t, aws)
	for _, path := range []string{"/", "/metrics", "/-/healthy", "/-/ready"} {
		eventually(t, time.Minute, func(ctx context.Context) error {
			_, err := get(ctx, http.DefaultClient, exporter+path)
			return err
		})
	}
}

func testStop(t *testing.T, aws environment) {
	address := freeAddress(t)
	exporter := start(t, aws, exporterBinary, "--web.listen-address="+address)
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, "http://"+address+"/-/healthy")
		return err
	})
	began := time.Now()
	if code := exporter.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s, want at most 5 s", took)
	}
}

// testSocketActivation hands over a listening socket as systemd does: as file
// descriptor 3, announced in the environment together with the process id.
func testSocketActivation(t *testing.T, aws environment) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" --web.systemd-socket`, exporterBinary)
	cmd.ExtraFiles = []*os.File{file}
	startCommand(t, append(aws, "LISTEN_FDS=1"), cmd)
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, "http://"+listener.Addr().String()+"/-/healthy")
		return err
	})
}

// testTLS checks that metrics need TLS and a password, and probes neither.
func testTLS(t *testing.T, aws environment) {
	const user, password = "prometheus", "open-sesame"
	// The hash of the password, of the least cost that bcrypt knows.
	const hash = "$2a$04$JoUUErZmevZmOG48ZNcFNeb6PTlKRoEbJo5tYiWe.IUw0Oh0tMDV6"
	dir := t.TempDir()
	client := writeCertificate(t, dir)
	config := filepath.Join(dir, "web.yml")
	writeFile(t, config, fmt.Sprintf(`
tls_server_config: {cert_file: cert.pem, key_file: key.pem}
basic_auth_users: {%s: %s}
`, user, hash))

	address, probes := freeAddress(t), freeAddress(t)
	start(t, aws, exporterBinary, "--web.listen-address="+address,
		"--web.config.file="+config, "--web.probe-address="+probes)
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, "http://"+probes+"/-/ready")
		return err
	})

	withPassword := "https://" + user + ":" + password + "@" + address + "/metrics"
	if _, err := get(t.Context(), client, withPassword); err != nil {
		t.Error(err)
	}
	for name, address := range map[string]string{
		"without a password": "https://" + address + "/metrics",
		"a wrong password":   "https://" + user + ":wrong@" + address + "/metrics",
		"without TLS":        "http://" + address + "/metrics",
	} {
		if _, err := get(t.Context(), client, address); err == nil {
			t.Errorf("%s: metrics are served", name)
		}
	}
	if _, err := get(t.Context(), http.DefaultClient, "http://"+probes+"/metrics"); err == nil {
		t.Error("the address of the probes serves metrics")
	}
}

// TestConformance puts plain moto through the reads that the exporter's own
// simulator must answer, so that neither drifts from AWS unnoticed.
func TestConformance(t *testing.T) {
	aws := startMoto(t, "--empty")
	conformance.Run(t, conformance.NewMoto(aws.endpoint()))
}

// TestCommands runs the commands that need no AWS.
func TestCommands(t *testing.T) {
	t.Run("version", func(t *testing.T) {
		if out := run(t, nil, exporterBinary, "--version"); !bytes.Contains(out, []byte("aws_iam_exporter, version")) {
			t.Errorf("--version prints %s", out)
		}
	})
	t.Run("iam-policy", func(t *testing.T) {
		var policy struct {
			Version   string
			Statement []struct {
				Effect   string
				Action   any
				Resource any
			}
		}
		out := run(t, nil, exporterBinary, "iam-policy")
		if err := json.Unmarshal(out, &policy); err != nil {
			t.Fatalf("parse the policy: %v\n%s", err, out)
		}
		if policy.Version != "2012-10-17" || len(policy.Statement) == 0 {
			t.Errorf("this is no IAM policy:\n%s", out)
		}
		for _, s := range policy.Statement {
			if s.Effect != "Allow" || s.Action == nil || s.Resource == nil {
				t.Errorf("statement %+v lacks effect, action or resource", s)
			}
		}
	})
}

// environment makes AWS clients find a simulator. Its endpoint comes first.
type environment []string

func (e environment) endpoint() string {
	_, endpoint, _ := strings.Cut(e[0], "=")
	return endpoint
}

// startMoto starts the simulator of AWS.
func startMoto(t *testing.T, args ...string) environment {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	start(t, nil, python, append([]string{"moto/server.py", "--port", port}, args...)...)
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, "http://"+address+"/moto-api/data.json")
		return err
	})
	return environment{
		"AWS_ENDPOINT_URL=http://" + address,
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", // for Python
		"AWS_ACCESS_KEY_ID=testing",
		"AWS_SECRET_ACCESS_KEY=testing",
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// startExporter starts the exporter, hurried, and returns its base URL.
func startExporter(t *testing.T, aws environment, args ...string) string {
	t.Helper()
	address := freeAddress(t)
	start(t, aws, exporterBinary, append([]string{
		"--web.listen-address=" + address,
		"--iam.refresh-interval=5s",
		"--iam.keys-interval=30s",
		"--iam.rate=1000",
		"--iam.account-rate=1000",
	}, args...)...)
	return "http://" + address
}

// startPrometheus starts a Prometheus that scrapes the exporter, and returns
// its base URL.
func startPrometheus(t *testing.T, exporter string) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, fmt.Sprintf(`
global: {scrape_interval: 2s, scrape_timeout: 2s}
scrape_configs:
  - job_name: aws_iam
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(exporter, "http://")))
	start(t, nil, prometheusBinary,
		"--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	return "http://" + address
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
