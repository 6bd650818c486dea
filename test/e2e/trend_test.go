//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

// What is shipped for the trend, seen from this folder.
const (
	rulesPattern     = "../../alerts/*.rules.yaml"
	recordingRules   = "../../alerts/aws_iam.recording.rules.yaml"
	sendingConfig    = "../../deploy/prometheus/prometheus.yml"
	receivingConfig  = "../../deploy/prometheus/long-term.yml"
	mostTrendSeries  = 70 // of an account
	trendExpectation = 40 * time.Second
)

// TestTrend lets a Prometheus with the shipped configuration and rules write to
// a second one, which must end up with the recorded series and nothing else.
func TestTrend(t *testing.T) {
	exporter := startDemo(t)
	receiver := startServer(t, freeAddress(t), receivingConfig, "--web.enable-remote-write-receiver")
	sender := startSender(t, exporter, receiver)

	recorded := awaitTrend(t, receiver)
	if diff := cmp.Diff(recordNames(t), names(recorded)); diff != "" {
		t.Errorf("recorded series differ (-rules +receiver):\n%s", diff)
	}
	n := 0
	for series := range recorded {
		if strings.HasPrefix(series, "account:") {
			n++
		}
	}
	if n > mostTrendSeries {
		t.Errorf("%d series of one account are kept, want at most %d", n, mostTrendSeries)
	}
	checkAgainstExporter(t, exporter, recorded)
	compareServers(t, sender, receiver)
	checkNothingElse(t, receiver)
	checkNoMetadata(t, sender)

	exporter.stop()
	eventually(t, trendExpectation, func(ctx context.Context) error {
		left, err := query(ctx, receiver, `{__name__=~".+"}`)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("the exporter is gone, but %d series go on", len(left))
		}
		return err
	})
}

// startDemo starts the exporter on its made-up account.
func startDemo(t *testing.T) *exporter {
	t.Helper()
	address := freeAddress(t)
	p := start(t, nil, exporterBinary, "--demo", "--web.listen-address="+address)
	return &exporter{p, "http://" + address}
}

// startSender starts Prometheus with the shipped configuration, in which the
// addresses are replaced and the intervals shortened, and returns its base URL.
func startSender(t *testing.T, e *exporter, receiver string) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	config := replaced(t, sendingConfig, readFile(t, sendingConfig), map[string]string{
		"http://long-term.example:9090/": receiver + "/",
		"localhost:10190":                strings.TrimPrefix(e.url, "http://"),
		"127.0.0.1:9090":                 address,
		"scrape_interval: 1m":            "scrape_interval: 1s",
		"metadata_config:":               "metadata_config:\n      send_interval: 1s",
		"../../alerts/*.rules.yaml":      "./*.rules.yaml",
	})
	hurryRules(t, dir)
	file := filepath.Join(dir, "prometheus.yml")
	writeFile(t, file, config)
	return startServer(t, address, file)
}

// replaced replaces texts in a file; each must occur there exactly once.
func replaced(t *testing.T, file, text string, replacements map[string]string) string {
	t.Helper()
	for old, replacement := range replacements {
		if n := strings.Count(text, old); n != 1 {
			t.Fatalf("%s: %q occurs %d times, want it once", file, old, n)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	return text
}

// hurryRules copies the shipped rules, evaluated each second.
func hurryRules(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(rulesPattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		hurried := regexp.MustCompile(`(?m)^( +interval: ).+$`).ReplaceAllString(readFile(t, file), "${1}1s")
		writeFile(t, filepath.Join(dir, filepath.Base(file)), hurried)
	}
}

// startServer starts a Prometheus and returns its base URL once it is ready.
func startServer(t *testing.T, address, config string, args ...string) string {
	t.Helper()
	start(t, nil, prometheusBinary, append([]string{
		"--config.file=" + config,
		"--storage.tsdb.path=" + filepath.Join(t.TempDir(), "data"),
		"--web.listen-address=" + address,
	}, args...)...)
	base := "http://" + address
	eventually(t, trendExpectation, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, base+"/-/ready")
		return err
	})
	return base
}

// awaitTrend waits until every recording has arrived, and returns them.
func awaitTrend(t *testing.T, receiver string) samples {
	t.Helper()
	var recorded samples
	eventually(t, trendExpectation, func(ctx context.Context) error {
		got, err := query(ctx, receiver, `{__name__=~"(account|fleet):.+"}`)
		if err != nil {
			return err
		}
		if missing := len(recordNames(t)) - len(names(got)); missing > 0 {
			return fmt.Errorf("%d recordings have not arrived", missing)
		}
		recorded = got
		return nil
	})
	return recorded
}

// checkAgainstExporter compares a figure that does not change in the demo's
// first minute with the exporter's own.
func checkAgainstExporter(t *testing.T, e *exporter, recorded samples) {
	t.Helper()
	const series = `aws_iam_account_verdicts{account_id="123456789012", rule="root_access_key", verdict="violation"}`
	served, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, found := served[series]
	got, kept := recorded["account:"+series]
	if !found || !kept || got != want {
		t.Errorf("%s: recorded %v (found: %v), served %v (found: %v)", series, got, kept, want, found)
	}
}

// compareServers waits until both have the same samples of the last seconds.
func compareServers(t *testing.T, sender, receiver string) {
	t.Helper()
	now := time.Now()
	eventually(t, trendExpectation, func(ctx context.Context) error {
		want, err := history(ctx, sender, now)
		if err != nil {
			return err
		}
		got, err := history(ctx, receiver, now)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			return fmt.Errorf("samples of %d series differ (-sender +receiver):\n%s", len(want), diff)
		}
		return nil
	})
}

// history returns each sample that a server has of the five seconds before.
func history(ctx context.Context, server string, before time.Time) (map[string][]model.SamplePair, error) {
	var matrix struct{ Result model.Matrix }
	if err := ask(ctx, server+"/api/v1/query?"+asOf(`{__name__=~"(account|fleet):.+"}[5s]`, before), &matrix); err != nil {
		return nil, err
	}
	all := map[string][]model.SamplePair{}
	for _, s := range matrix.Result {
		all[s.Metric.String()] = s.Values
	}
	return all, nil
}

// checkNothingElse checks the names and labels of all series that the receiver
// ever had.
func checkNothingElse(t *testing.T, receiver string) {
	t.Helper()
	for path, want := range map[string][]string{
		"/api/v1/label/__name__/values": recordNames(t),
		"/api/v1/labels":                {"__name__", "account_id", "active_keys", "age_band", "facts", "rule", "status", "verdict"},
	} {
		var got []string
		if err := ask(t.Context(), receiver+path, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", path, diff)
		}
	}
}

// checkNoMetadata checks that the sender sends no metadata of its other metrics.
func checkNoMetadata(t *testing.T, sender string) {
	t.Helper()
	sent, err := query(t.Context(), sender, "sum(prometheus_remote_storage_metadata_total)")
	if err != nil {
		t.Fatal(err)
	}
	if n, known := sent["{}"]; !known || n > 0 {
		t.Errorf("type and help of %v metrics were sent (known: %v), want none", n, known)
	}
}

// ask reads the data of an answer of Prometheus.
func ask(ctx context.Context, url string, into any) error {
	page, err := get(ctx, http.DefaultClient, url)
	if err != nil {
		return err
	}
	answer := struct{ Data any }{into}
	if err := json.Unmarshal(page, &answer); err != nil {
		return fmt.Errorf("parse the answer of %s: %w", url, err)
	}
	return nil
}

// query asks Prometheus for an expression as of now.
func query(ctx context.Context, server, expr string) (samples, error) {
	page, err := get(ctx, http.DefaultClient, server+"/api/v1/query?"+asOf(expr, time.Now()))
	if err != nil {
		return nil, err
	}
	return parseQuery(bytes.NewReader(page))
}

// asOf returns the parameters of an instant query.
func asOf(expr string, at time.Time) string {
	return url.Values{"query": {expr}, "time": {at.UTC().Format(time.RFC3339Nano)}}.Encode()
}

// recordNames returns what the shipped rules record, in order.
func recordNames(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^ +- record: (\S+)$`).FindAllStringSubmatch(readFile(t, recordingRules), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names returns the names of the metrics among the samples, in order.
func names(s samples) []string {
	var all []string
	for series := range s {
		name, _, _ := strings.Cut(series, "{")
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
