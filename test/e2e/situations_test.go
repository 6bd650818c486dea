//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const (
	replicaStale     = "IAMReplicaStale"
	exporterFlapping = "IAMExporterFlapping"
)

// TestSituations has people told of a first day, a stale replica, a crash loop and a lost
// account, one after the other, by the shipped rules and the shipped example of
// Alertmanager's configuration in a hurry. Two exporters read the same account.
func TestSituations(t *testing.T) {
	s := startSituations(t)
	s.testFirstDay(t)
	s.testStaleReplica(t)
	s.testCrashLoop(t)
	s.testLostAccount(t)
	s.checkEvaluation(t)
}

// situations is an alerting with a second exporter, whose targets are in a file.
type situations struct {
	alerting
	replica *process
	targets string // the file
	hosts   []string
}

// newcomers have a console password and a key each. The key of one is deleted later.
const (
	newcomers = 30
	repaired  = "newcomer-00"
)

func startSituations(t *testing.T) *situations {
	s := &situations{alerting: alerting{world: newWorld(t), hook: newWebhook(t)}}
	for i := range newcomers {
		name, now := fmt.Sprintf("newcomer-%02d", i), time.Now()
		owner := []string{routedOwner, "the new team", "another team"}[i%3]
		_, made := s.world.CreateUser(name, "", now)
		_, armed := s.world.AddMFA(name, now)
		for _, err := range []error{made, armed, s.world.SetPassword(name, now), s.world.TagUser(name, "Owner", owner)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		s.createKey(t, name)
	}
	server := httptest.NewServer(s.world)
	t.Cleanup(server.Close)
	aws := environment{
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"AWS_EC2_METADATA_DISABLED=true",
	}
	s.startAlertmanager(t)
	for range 2 {
		s.gate = newGate(t, aws) // in the end, that of the replica
		s.startExporter(t)
		s.awaitRead(t)
		s.hosts = append(s.hosts, strings.TrimPrefix(s.exporterURL, "http://"))
	}
	s.replica = s.exporter
	s.startPrometheusOn(t)
	return s
}

// awaitRead waits until the exporter has read everybody: findings that come one after the other may
// be told in several messages.
func (s *situations) awaitRead(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, func(ctx context.Context) error {
		page, err := get(ctx, http.DefaultClient, s.exporterURL+"/metrics")
		if err != nil {
			return err
		}
		const series = `aws_iam_account_up{account_id="123456789012"}`
		got, err := parseExposition(bytes.NewReader(page))
		if err != nil {
			return err
		}
		if got[series] != 1 {
			return fmt.Errorf("%s is %v, want 1", series, got[series])
		}
		return nil
	})
}

// startPrometheusOn starts Prometheus with a file of targets, in a job of another name.
func (s *situations) startPrometheusOn(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	for _, file := range []string{rulesFile, recordingRulesFile} {
		writeFile(t, filepath.Join(dir, filepath.Base(file)), edited(t, file, hurried()))
	}
	s.targets = filepath.Join(dir, "targets.json")
	s.find(t, s.hosts...)
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ["*.rules.yaml"]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: monitoring/prod
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
`, strings.TrimPrefix(s.alertmanagerURL, "http://")))
	s.prometheusURL = "http://" + address
	s.prometheus = start(t, nil, prometheusBinary,
		"--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
		"--scrape.discovery-reload-interval=1s",
		"--rules.alert.resend-delay=15s")
}

// find has service discovery find these targets and no others.
func (s *situations) find(t *testing.T, hosts ...string) {
	t.Helper()
	quoted := []string{}
	for _, host := range hosts {
		quoted = append(quoted, fmt.Sprintf("%q", host))
	}
	next := s.targets + ".next"
	writeFile(t, next, fmt.Sprintf(`[{"targets": [%s]}]`, strings.Join(quoted, ", ")))
	if err := os.Rename(next, s.targets); err != nil {
		t.Fatal(err)
	}
}

// testFirstDay waits until everybody's findings are told, and checks that each owner got
// them in one message.
func (s *situations) testFirstDay(t *testing.T) {
	told := func() map[string][]int {
		messages := map[string][]int{}
		for _, n := range s.hook.since(0) {
			if owner := n.Labels["user_owner"]; owner != "" { // else it is about an exporter
				messages[owner] = append(messages[owner], n.message)
			}
		}
		return messages
	}
	eventually(t, time.Minute, func(context.Context) error {
		n := 0
		for _, messages := range told() {
			n += len(messages)
		}
		if n < newcomers {
			return fmt.Errorf("%d findings were told, want %d", n, newcomers)
		}
		return nil
	})
	for owner, messages := range told() {
		slices.Sort(messages)
		if n := len(slices.Compact(messages)); n != 1 {
			t.Errorf("owner %q got %d messages, want one", owner, n)
		}
	}
}

// testStaleReplica shuts AWS off from one of the two, and has a finding repaired that only
// the other one can see.
func (s *situations) testStaleReplica(t *testing.T) {
	mark := s.hook.now()
	s.gate.shut()
	notice := s.hook.await(t, mark, "firing", replicaStale, "")
	if notice.Labels["instance"] != s.hosts[1] || !strings.Contains(notice.Annotations["description"], "123456789012") {
		t.Errorf("got %v: %s, want the replica and its account", notice.Labels, notice.Annotations["description"])
	}
	u, _ := s.world.User(repaired)
	s.deleteKey(t, u.Keys[0].ID)
	s.hook.await(t, mark, "resolved", consoleKeys, repaired)
	s.gate.open(t)
	s.hook.await(t, mark, "resolved", replicaStale, "")
}

// testCrashLoop starts one of the two again and again.
func (s *situations) testCrashLoop(t *testing.T) {
	mark := s.hook.now()
	for range 5 {
		s.replica = restart(t, s.replica)
		s.awaitSince(t, time.Now(), fmt.Sprintf("process_start_time_seconds{instance=%q}", s.hosts[1]))
	}
	// On a slow machine scrapes of the other one may fail as often.
	eventually(t, time.Minute, func(context.Context) error {
		for _, n := range s.hook.since(mark) {
			if n.Status == "firing" && n.Labels["alertname"] == exporterFlapping && n.Labels["instance"] == s.hosts[1] {
				return nil
			}
		}
		return fmt.Errorf("%s has not arrived about %s, only %q", exporterFlapping, s.hosts[1], s.hook.since(mark))
	})
}

// testLostAccount takes both targets away, and puts an exporter of another account in
// their place.
func (s *situations) testLostAccount(t *testing.T) {
	mark := s.hook.now()
	other := awssim.New(awssim.Options{AccountID: "444455556666", Created: time.Now().Add(-time.Hour)})
	server := httptest.NewServer(other)
	t.Cleanup(server.Close)
	s.gate = newGate(t, environment{
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing",
		"AWS_EC2_METADATA_DISABLED=true",
	})
	s.startExporter(t)
	s.find(t, strings.TrimPrefix(s.exporterURL, "http://"))
	s.awaitInhibited(t, consoleKeys, "newcomer-01", accountLost) // first, because it does not last
	notice := s.hook.await(t, mark, "firing", accountLost, "")
	if notice.Labels["account_id"] != "123456789012" || !slices.Contains(s.hosts, notice.Labels["instance"]) {
		t.Errorf("got %v, want the account and who served it last", notice.Labels)
	}
	s.find(t, s.hosts[0])
	s.hook.await(t, mark, "resolved", accountLost, "")
	// Alertmanager tells again what was told before: Prometheus sends a resolved alert for a
	// quarter of an hour, and a message lists all that its group holds.
	told := map[string]bool{}
	for _, n := range s.hook.since(0)[:mark] {
		told[n.String()] = true
	}
	for _, n := range s.hook.since(mark) {
		if n.Labels["user_name"] != "" && n.Labels["user_name"] != repaired && !told[n.String()] {
			t.Errorf("%s was told, while nobody knew", n)
		}
	}
}
