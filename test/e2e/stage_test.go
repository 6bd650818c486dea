//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stage is what dashboards are drawn from: a Prometheus with the shipped
// configuration and rules, which scrapes three living demo accounts and holds
// years of made-up history of them.
type stage struct {
	url       string    // of Prometheus
	end       time.Time // of the history; life begins a little later
	exporters map[string]*exporter
}

// composedConfig is the configuration of the demo with Grafana.
const composedConfig = "../../deploy/compose/prometheus/prometheus.yml"

// demoAccount is the account that each demo shows, and so is given an id and a
// name of its own when it is scraped.
const demoAccount = "123456789012"

func startStage(t *testing.T) *stage {
	t.Helper()
	began := time.Now()
	s := &stage{end: began.UTC().Truncate(time.Minute), exporters: map[string]*exporter{}}
	for _, p := range pasts() {
		s.exporters[p.account] = startDemo(t)
	}
	dir, address := t.TempDir(), freeAddress(t)
	data := filepath.Join(dir, "data")
	s.importHistory(t, data)
	t.Logf("the history was imported within %s", time.Since(began).Round(time.Second))
	hurryRules(t, dir)
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, s.configuration(t, address))
	start(t, nil, prometheusBinary,
		"--config.file="+config,
		"--storage.tsdb.path="+data,
		"--storage.tsdb.retention.time=20y",
		"--web.listen-address="+address)
	s.url = "http://" + address
	s.awaitLife(t)
	t.Logf("the stage was ready within %s: %s", time.Since(began).Round(time.Second), s.url)
	return s
}

// importHistory makes the data directory of a Prometheus that has seen it all.
func (s *stage) importHistory(t *testing.T, data string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.om")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := newOpenMetrics(file)
	for _, p := range pasts() {
		p.write(w, s.end)
	}
	writeFleet(w, s.end, pasts())
	for _, p := range pasts() {
		p.writeVerdicts(w, s.end)
		newShift(p, s.end).write(w)
	}
	if err := w.end(); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	// promtool reads the whole file once for each block, so they last years.
	run(t, nil, promtoolBinary, "tsdb", "create-blocks-from", "openmetrics", "--quiet",
		"--max-block-duration=87600h", path, data)
	if err := os.Remove(path); err != nil { // as large as it is
		t.Error(err)
	}
}

// configuration returns the shipped configuration, in which the addresses are
// replaced, the interval is shortened, and the demo's account is renamed.
func (s *stage) configuration(t *testing.T, address string) string {
	t.Helper()
	var targets, rename strings.Builder
	for _, p := range pasts() {
		fmt.Fprintf(&targets, `
      - targets: [%q]
        labels: {instance: %q}`, strings.TrimPrefix(s.exporters[p.account].url, "http://"), p.instance())
		fmt.Fprintf(&rename, `
      - {source_labels: [arn, instance], regex: "arn:aws:iam::%[1]s:(.+);%[2]s", target_label: arn, replacement: "arn:aws:iam::%[3]s:$1"}
      - {source_labels: [account_id, instance], regex: "%[1]s;%[2]s", target_label: account_id, replacement: "%[3]s"}
      - {source_labels: [__name__, account_id], regex: "aws_iam_account_info;%[3]s", target_label: account_name, replacement: %[4]s}`,
			demoAccount, p.instance(), p.account, p.name)
	}
	return replaced(t, composedConfig, readFile(t, composedConfig), map[string]string{
		"\n      - targets: [\"exporter:10190\"]": targets.String() + "\n    metric_relabel_configs:" + rename.String(),
		"localhost:9090":               address,
		`["alertmanager:9093"]`:        "[]",
		"scrape_interval: 15s":         "scrape_interval: 3s",
		"../../../alerts/*.rules.yaml": "./*.rules.yaml",
	})
}

// awaitLife waits until the living accounts have been recorded for a moment.
func (s *stage) awaitLife(t *testing.T) {
	t.Helper()
	var counts []string
	for _, name := range recordNames(t) {
		counts = append(counts, fmt.Sprintf("count(timestamp(%s offset 5s) > %d)", name, s.end.Unix()))
	}
	eventually(t, time.Minute, func(ctx context.Context) error {
		recorded, err := query(ctx, s.url, strings.Join(counts, " + "))
		if err != nil {
			return err
		}
		if n, want := int(recorded["{}"]), 70*len(s.exporters)+67; n != want { // and all together
			return fmt.Errorf("%d series are recorded of the living accounts, want %d", n, want)
		}
		return nil
	})
}
