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
	t.Run("source report without a file", func(t *testing.T) {
		testSource(t, aws, expect(t, aws, "", "report")["report"], "--iam.source=report")
	})
	t.Run("source report", func(t *testing.T) {
		config := configured(t, byListUserTags)
		testSource(t, aws, expect(t, aws, config, "report")["report"], "--iam.source=report", config)
	})
	t.Run("live calls", func(t *testing.T) {
		config := configured(t, byAuthorizationDetails)
		want := expect(t, aws, config, "live", "auto")
		t.Run("source live", func(t *testing.T) { testSource(t, aws, want["live"], "--iam.source=live", config) })
		t.Run("source auto, restarted", func(t *testing.T) { testRestart(t, aws, want["auto"], config) })
	})
	t.Run("reload", func(t *testing.T) { testReload(t, aws) })
	t.Run("no users", func(t *testing.T) { testNoUsers(t, aws) })
	t.Run("pages", func(t *testing.T) { testPages(t, aws) })
	t.Run("stops on a signal", func(t *testing.T) { testStop(t, aws) })
	t.Run("socket activation", func(t *testing.T) { testSocketActivation(t, aws) })
	t.Run("TLS and basic auth", func(t *testing.T) { testTLS(t, aws) })
}

// expect returns what must be served of each source, under a configuration file
// unless config, the exporter's own flag, is empty.
func expect(t *testing.T, aws environment, config string, sources ...string) map[string]samples {
	t.Helper()
	args := append([]string{"moto/expected.py", "--source"}, sources...)
	if file, configured := strings.CutPrefix(config, configFlag); configured {
		args = append(args, "--config", file)
	}
	want, err := parseExpected(run(t, aws, python, args...))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// testSource compares what the exporter serves, and what Prometheus stores of
// it, with what is wanted. It returns the exporter.
func testSource(t *testing.T, aws environment, want samples, args ...string) *exporter {
	t.Helper()
	t.Logf("%d series are expected", len(want))
	e := startExporter(t, aws, args...)
	awaitSamples(t, want, e.samples)
	checkMetrics(t, e)
	checkTagSource(t, e, args)

	prometheus := startPrometheus(t, e)
	awaitSamples(t, want, func(ctx context.Context) (samples, error) {
		query := url.Values{"query": {`{__name__=~"aws_iam_.+"}`}}
		page, err := get(ctx, http.DefaultClient, prometheus+"/api/v1/query?"+query.Encode())
		if err != nil {
			return nil, err
		}
		return parseQuery(bytes.NewReader(page))
	})
	return e
}

// awaitSamples waits until the facts among the samples are the wanted ones.
func awaitSamples(t *testing.T, want samples, read func(context.Context) (samples, error)) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("waited %s for all of them", time.Since(began).Round(time.Second)) }()
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

// checkMetrics lets promtool lint the exposition: one series of each metric,
// because it takes long over many, and lints no two of them differently.
func checkMetrics(t *testing.T, e *exporter) {
	t.Helper()
	page, err := get(t.Context(), http.DefaultClient, e.url+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), promtoolBinary, "check", "metrics")
	cmd.Stdin = strings.NewReader(oneOfEach(string(page)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func testPages(t *testing.T, aws environment) {
	e := startExporter(t, aws)
	for _, path := range []string{"/", "/metrics", "/-/healthy", "/-/ready"} {
		eventually(t, time.Minute, func(ctx context.Context) error {
			_, err := get(ctx, http.DefaultClient, e.url+path)
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

// exporter is a running exporter.
type exporter struct {
	*process
	url string
}

// startExporter starts the exporter, hurried.
func startExporter(t *testing.T, aws environment, args ...string) *exporter {
	t.Helper()
	address := freeAddress(t)
	p := start(t, aws, exporterBinary, append([]string{
		"--web.listen-address=" + address,
		"--iam.refresh-interval=5s",
		"--iam.keys-interval=30s",
		"--iam.rate=1000",
		"--iam.account-rate=1000",
	}, args...)...)
	return &exporter{p, "http://" + address}
}

// samples scrapes the exporter.
func (e *exporter) samples(ctx context.Context) (samples, error) {
	page, err := get(ctx, http.DefaultClient, e.url+"/metrics")
	if err != nil {
		return nil, err
	}
	return parseExposition(bytes.NewReader(page))
}

// startPrometheus starts a Prometheus that scrapes the exporter, and returns
// its base URL.
func startPrometheus(t *testing.T, e *exporter) string {
	t.Helper()
	return startPrometheusOf(t, prometheusBinary, e)
}

func startPrometheusOf(t *testing.T, binary string, e *exporter) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, fmt.Sprintf(`
global: {scrape_interval: 2s, scrape_timeout: 2s}
scrape_configs:
  - job_name: aws_iam
    static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(e.url, "http://")))
	start(t, nil, binary,
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
