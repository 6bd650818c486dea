//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

const (
	rulesFile          = "../../alerts/aws_iam.rules.yaml"
	recordingRulesFile = "../../alerts/aws_iam.recording.rules.yaml"
	alertmanagerFile   = "../../alerts/alertmanager.example.yaml"

	alertmanagerBinary = "../../.tools/bin/alertmanager"
	amtoolBinary       = "../../.tools/bin/amtool"
)

// The alerts in question.
const (
	consoleKeys = "IAMConsoleUserWithActiveKeys"
	setupKey    = "IAMKeyCreatedAtUserSetup"
	neverUsed   = "IAMConsoleKeyNeverUsed"

	factsStale     = "IAMFactsStale"
	refreshFailing = "IAMRefreshFailing"
	exporterDown   = "IAMExporterDown"
	exporterAbsent = "IAMExporterAbsent"
	accountLost    = "IAMAccountLost"
)

// The users, who have passwords and second factors, and no keys at first.
const (
	alice = "alice"
	bob   = "bob"
	bobby = "bobby" // never gets any
)

// TestAlerting follows findings all the way to the person notified: through the
// shipped rules and the shipped example of Alertmanager's configuration, which
// differ only in their durations and addresses.
func TestAlerting(t *testing.T) {
	began := time.Now()
	a := startAlerting(t)
	a.testPage(t)
	a.testOutage(t)
	restarted := a.hook.now()
	a.testRestarts(t)
	a.testDeath(t, restarted)
	a.checkEvaluation(t)
	a.checkNotices(t)
	t.Logf("all took %s", time.Since(began).Round(time.Second))
}

// alerting is the way from AWS to people.
type alerting struct {
	world *awssim.World
	gate  *gate
	hook  *webhook

	exporter, prometheus, alertmanager          *process
	exporterURL, prometheusURL, alertmanagerURL string
}

func startAlerting(t *testing.T) *alerting {
	a := &alerting{world: newWorld(t), hook: newWebhook(t)}
	server := httptest.NewServer(a.world)
	t.Cleanup(server.Close)
	a.gate = newGate(t, environment{
		"AWS_ENDPOINT_URL=" + server.URL,
		"AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=testing",
		"AWS_SECRET_ACCESS_KEY=testing",
		"AWS_EC2_METADATA_DISABLED=true",
	})
	a.startExporter(t)
	a.startAlertmanager(t)
	a.startPrometheus(t)
	a.awaitQuery(t, `aws_iam_account_verdicts{rule="console_user_with_active_keys", verdict="compliant"} == 3`)
	return a
}

// routedOwner is an owner with a receiver of their own in the example.
const routedOwner = "payments"

// newWorld returns an account with users of that owner, and of one without a
// route.
func newWorld(t *testing.T) *awssim.World {
	now := time.Now()
	world := awssim.New(awssim.Options{Created: now.Add(-1000 * time.Hour)})
	for name, owner := range map[string]string{alice: routedOwner, bob: "the new team", bobby: routedOwner} {
		_, made := world.CreateUser(name, "", now)
		_, armed := world.AddMFA(name, now)
		for _, err := range []error{made, armed, world.SetPassword(name, now), world.TagUser(name, "Owner", owner)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return world
}

func (a *alerting) startExporter(t *testing.T) {
	address := freeAddress(t)
	a.exporterURL = "http://" + address
	a.exporter = start(t, a.gate.aws, exporterBinary,
		"--web.listen-address="+address,
		configFlag+writeConfig(t, "owner_tags: [Owner]\n"),
		"--state.dir="+filepath.Join(t.TempDir(), "state"),
		"--iam.source=live",
		"--iam.refresh-interval=1s",
		"--iam.keys-interval=2s",
		"--iam.rate=1000",
		"--iam.account-rate=1000")
}

// startAlertmanager starts it with the shipped example, in a hurry.
func (a *alerting) startAlertmanager(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	e := hurried()
	e["url"] = func(string) (string, error) { return a.hook.url, nil }
	config := filepath.Join(dir, "alertmanager.yml")
	writeFile(t, config, edited(t, alertmanagerFile, e))
	a.alertmanagerURL = "http://" + address
	a.alertmanager = start(t, nil, alertmanagerBinary,
		"--config.file="+config,
		"--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
		"--cluster.listen-address=")
}

// startPrometheus starts it with the shipped rules, in a hurry, and its own
// defaults likewise, except that it restarts no faster, and so must resend alerts
// so rarely that they outlive its restart.
func (a *alerting) startPrometheus(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	for _, file := range []string{rulesFile, recordingRulesFile} {
		writeFile(t, filepath.Join(dir, filepath.Base(file)), edited(t, file, hurried()))
	}
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, config, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ["*.rules.yaml"]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: aws_iam
    static_configs: [{targets: [%q]}]
  - job_name: prometheus
    static_configs: [{targets: [%q]}]
`, host(a.alertmanagerURL), host(a.exporterURL), address))
	a.prometheusURL = "http://" + address
	a.prometheus = start(t, nil, prometheusBinary,
		"--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
		"--scrape.discovery-reload-interval=1s",
		"--rules.alert.for-grace-period="+(10*time.Minute/speed).String(),
		"--rules.alert.resend-delay=15s")
}

// testPage has a console user get a key and lose it again.
func (a *alerting) testPage(t *testing.T) {
	const mark = 0 // a compliant account has told nobody anything
	id := a.createKey(t, alice)
	page := a.hook.await(t, mark, "firing", consoleKeys, alice)
	checkPage(t, page, id)
	a.awaitInhibited(t, setupKey, alice, consoleKeys)
	a.awaitInhibited(t, neverUsed, alice, consoleKeys)

	a.deleteKey(t, id)
	a.hook.await(t, mark, "resolved", consoleKeys, alice)
	a.awaitGone(t, consoleKeys, setupKey, neverUsed)
	wantNotices(t, without(a.hook.since(mark), ofSlowness...), "firing "+consoleKeys+" alice", "resolved "+consoleKeys+" alice")
}

// ofSlowness are alerts that a slow machine may raise where no test means to: facts are fresh for three seconds
// here, and a scrape that takes longer than one has failed.
var ofSlowness = []string{factsStale, refreshFailing, exporterFlapping}

// checkPage checks that the page names the user and what it is about.
func checkPage(t *testing.T, page notice, id string) {
	t.Helper()
	want := map[string]string{
		"alertname":  consoleKeys,
		"severity":   "warning",
		"rule":       "console_user_with_active_keys",
		"account_id": "123456789012",
		"user_name":  alice,
		"user_owner": routedOwner,
	}
	if diff := cmp.Diff(want, page.Labels); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
	text := page.Annotations["description"]
	t.Logf("the page says: %s", text)
	if !strings.Contains(text, id) {
		t.Errorf("the description lacks the key %s: %s", id, text)
	}
}

// checkNotices checks where everything told went, and its annotations.
func (a *alerting) checkNotices(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, n := range a.hook.since(0) {
		checkAnnotations(t, n)
		if about := fmt.Sprint(n.receiver, n.Labels); !seen[about] {
			checkReceiver(t, n)
			seen[about] = true
		}
	}
}

// checkReceiver lets amtool say, from the file as it is shipped, where an alert
// of these labels is to go.
func checkReceiver(t *testing.T, n notice) {
	t.Helper()
	args := []string{"config", "routes", "test", "--config.file=" + alertmanagerFile}
	for name, value := range n.Labels {
		args = append(args, fmt.Sprintf("%s=%q", name, value))
	}
	want := strings.Split(strings.TrimSpace(string(run(t, nil, amtoolBinary, args...))), ",")
	if !slices.Contains(want, n.receiver) {
		t.Errorf("%s: amtool sends it to %q", n, want)
	}
}

// checkAnnotations checks that templates were filled in.
func checkAnnotations(t *testing.T, n notice) {
	t.Helper()
	unfilled := regexp.MustCompile(`<no value>|<error|%!|\{\{|\}\}|\b(NaN|nil)\b`)
	for name, text := range n.Annotations {
		if at := unfilled.FindString(text); at != "" || text == "" {
			t.Errorf("%s: %s has %q in it: %q", n, name, at, text)
		}
	}
	for _, name := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
		if n.Annotations[name] == "" {
			t.Errorf("%s lacks %s", n, name)
		}
	}
	for _, word := range []string{n.Labels["user_name"], n.Labels["user_owner"], n.Labels["account_id"]} {
		if !strings.Contains(n.Annotations["description"], word) {
			t.Errorf("%s: description lacks %q: %s", n, word, n.Annotations["description"])
		}
	}
	for _, name := range []string{"runbook_url", "dashboard_url"} {
		if u, err := url.Parse(n.Annotations[name]); err != nil || u.Host == "" {
			t.Errorf("%s: %s is no URL: %q", n, name, n.Annotations[name])
		}
	}
	if fragment := "#" + strings.ToLower(n.Labels["alertname"]); !strings.HasSuffix(n.Annotations["runbook_url"], fragment) {
		t.Errorf("%s: want a runbook that ends in %s, got %s", n, fragment, n.Annotations["runbook_url"])
	}
}

// testOutage takes AWS away for a while, in which one of two keys is deleted and
// nobody can know.
func (a *alerting) testOutage(t *testing.T) {
	mark := a.hook.now()
	a.createKey(t, alice) // for the rest of the test
	bobs := a.createKey(t, bob)
	a.hook.await(t, mark, "firing", consoleKeys, alice)
	a.hook.await(t, mark, "firing", consoleKeys, bob)

	mark = a.hook.now()
	a.gate.shut()
	a.deleteKey(t, bobs)
	a.hook.await(t, mark, "firing", factsStale, "")
	a.awaitInhibited(t, consoleKeys, alice, factsStale)
	a.awaitInhibited(t, consoleKeys, bob, factsStale)
	wantNotices(t, without(a.hook.since(mark), ofSlowness...))

	a.gate.open(t)
	a.hook.await(t, mark, "resolved", factsStale, "")
	a.hook.await(t, mark, "resolved", consoleKeys, bob)
	a.awaitActive(t, consoleKeys, alice)
	wantNotices(t, without(a.hook.since(mark), ofSlowness...), "resolved "+consoleKeys+" bob")
}

// testRestarts restarts the exporter, then Prometheus, while there is a finding.
// What that tells, sooner or later, is for testDeath to see.
func (a *alerting) testRestarts(t *testing.T) {
	a.exporter = restart(t, a.exporter)
	a.awaitSince(t, time.Now(), alicesFinding)
	a.checkEvaluation(t)
	a.prometheus = restart(t, a.prometheus)
	a.awaitSince(t, time.Now(), alicesAlert)
}

// testDeath leaves the exporter dead for so long that Prometheus forgets the
// finding. Nobody must hear that it is resolved before it is. The mark is from
// before the restarts, which must have told nobody anything.
func (a *alerting) testDeath(t *testing.T, mark int) {
	a.exporter.kill()
	a.awaitInhibited(t, consoleKeys, alice, accountLost) // first, because it does not last
	a.awaitInhibited(t, accountLost, "", exporterDown)
	a.hook.await(t, mark, "firing", exporterDown, "")
	a.awaitGone(t, consoleKeys)
	a.hook.await(t, mark, "firing", exporterAbsent, "") // once nothing is fresh any more

	a.exporter = restart(t, a.exporter)
	a.awaitSince(t, time.Now(), alicesAlert)
	a.hook.await(t, mark, "resolved", exporterDown, "")
	a.hook.await(t, mark, "resolved", exporterAbsent, "")
	outage := []string{"firing " + exporterDown, "resolved " + exporterDown, "firing " + exporterAbsent, "resolved " + exporterAbsent}
	wantNotices(t, without(a.hook.since(mark), append(ofSlowness, accountLost)...), outage...)

	user, _ := a.world.User(alice)
	a.deleteKey(t, user.Keys[0].ID)
	a.hook.await(t, mark, "resolved", consoleKeys, alice)
	wantNotices(t, without(a.hook.since(mark), append(ofSlowness, accountLost)...), append(outage, "resolved "+consoleKeys+" alice")...)
}

// Alice's finding, and the alert about it.
const (
	alicesFinding = `aws_iam_finding_since_timestamp_seconds{rule="console_user_with_active_keys", user_name="alice"}`
	alicesAlert   = `ALERTS{alertname="IAMConsoleUserWithActiveKeys", alertstate="firing", user_name="alice"}`
)

// awaitSince waits until Prometheus stores the series again.
func (a *alerting) awaitSince(t *testing.T, at time.Time, series string) {
	t.Helper()
	a.awaitQuery(t, fmt.Sprintf("timestamp(%s) > %d", series, at.Unix()+1))
}

// restart ends a program, if it has not ended, and starts it again as it was.
func restart(t *testing.T, p *process) *process {
	t.Helper()
	if code := p.stop(); code != 0 && code != -1 {
		t.Errorf("%s ended with %d", filepath.Base(p.cmd.Path), code)
	}
	return startCommand(t, p.cmd.Env, exec.Command(p.cmd.Path, p.cmd.Args[1:]...))
}

func (a *alerting) createKey(t *testing.T, user string) (id string) {
	t.Helper()
	id, err := a.world.CreateKey(user, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (a *alerting) deleteKey(t *testing.T, id string) {
	t.Helper()
	if err := a.world.DeleteKey(id); err != nil {
		t.Fatal(err)
	}
}

// gettableAlert is an alert as Alertmanager holds it.
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
type gettableAlert struct {
	Fingerprint string
	Labels      map[string]string
	Status      struct {
		State       string // active, suppressed or unprocessed
		InhibitedBy []string
	}
}

func (a *alerting) alerts(ctx context.Context) ([]gettableAlert, error) {
	page, err := get(ctx, http.DefaultClient, a.alertmanagerURL+"/api/v2/alerts")
	if err != nil {
		return nil, err
	}
	var all []gettableAlert
	if err := json.Unmarshal(page, &all); err != nil {
		return nil, fmt.Errorf("parse alerts: %w", err)
	}
	return all, nil
}

// awaitAlert waits until Alertmanager holds the alert about the user and it is
// as wanted.
func (a *alerting) awaitAlert(t *testing.T, alert, user string, wanted func(gettableAlert, []gettableAlert) bool) {
	t.Helper()
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		all, err := a.alerts(ctx)
		if err != nil {
			return err
		}
		for _, g := range all {
			if g.Labels["alertname"] == alert && g.Labels["user_name"] == user && wanted(g, all) {
				return nil
			}
		}
		return fmt.Errorf("%s about %s is not as wanted: %+v", alert, user, all)
	})
}

func (a *alerting) awaitActive(t *testing.T, alert, user string) {
	t.Helper()
	a.awaitAlert(t, alert, user, func(g gettableAlert, _ []gettableAlert) bool { return g.Status.State == "active" })
}

// awaitInhibited waits until the alert is muted because of the source.
func (a *alerting) awaitInhibited(t *testing.T, alert, user, source string) {
	t.Helper()
	a.awaitAlert(t, alert, user, func(g gettableAlert, all []gettableAlert) bool {
		return g.Status.State == "suppressed" && slices.ContainsFunc(all, func(s gettableAlert) bool {
			return s.Labels["alertname"] == source && slices.Contains(g.Status.InhibitedBy, s.Fingerprint)
		})
	})
}

// awaitGone waits until Alertmanager holds none of the alerts unresolved.
func (a *alerting) awaitGone(t *testing.T, alerts ...string) {
	t.Helper()
	eventually(t, time.Minute, func(ctx context.Context) error {
		all, err := a.alerts(ctx)
		if err != nil {
			return err
		}
		for _, g := range all {
			if slices.Contains(alerts, g.Labels["alertname"]) {
				return fmt.Errorf("there still is %+v", g)
			}
		}
		return nil
	})
}

// awaitQuery waits until Prometheus answers the query with a series at least.
func (a *alerting) awaitQuery(t *testing.T, query string) {
	t.Helper()
	eventually(t, time.Minute, func(ctx context.Context) error {
		page, err := get(ctx, http.DefaultClient, a.prometheusURL+"/api/v1/query?"+url.Values{"query": {query}}.Encode())
		if err != nil {
			return err
		}
		got, err := parseQuery(bytes.NewReader(page))
		if err == nil && len(got) == 0 {
			err = fmt.Errorf("nothing answers %s", query)
		}
		return err
	})
}

// checkEvaluation checks that the running Prometheus had no trouble with any
// rule, template or notification.
func (a *alerting) checkEvaluation(t *testing.T) {
	t.Helper()
	page, err := get(t.Context(), http.DefaultClient, a.prometheusURL+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseExposition(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	groups := 0
	for series, value := range got {
		switch name, _, _ := strings.Cut(series, "{"); name {
		case "prometheus_rule_evaluation_failures_total",
			"prometheus_notifications_dropped_total", "prometheus_notifications_errors_total":
			if value > 0 {
				t.Errorf("%s is %v", series, value)
			}
		case "prometheus_rule_evaluations_total":
			groups++
		}
	}
	if groups == 0 {
		t.Error("Prometheus evaluates no rules")
	}
	for _, p := range []*process{a.prometheus, a.alertmanager} {
		for line := range strings.Lines(p.log.String()) {
			if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
				t.Errorf("%s says %s", filepath.Base(p.cmd.Path), line)
				break // it says so at each evaluation
			}
		}
	}
}

// without leaves out the notices about some alerts.
func without(notices []notice, alerts ...string) []notice {
	return slices.DeleteFunc(notices, func(n notice) bool { return slices.Contains(alerts, n.Labels["alertname"]) })
}

// wantNotices checks what people were told, in any order. The message that a console user's finding
// is resolved may list its two cases beside it, which were muted while it fired. What was said of
// an alert already may be said again, because Prometheus sends a resolved alert for a quarter of an hour.
func wantNotices(t *testing.T, notices []notice, want ...string) {
	t.Helper()
	got, last := []string{}, map[string]string{}
	for _, n := range notices {
		if n.Status == "resolved" && slices.Contains([]string{setupKey, neverUsed}, n.Labels["alertname"]) {
			continue
		}
		about := strings.TrimSpace(n.Labels["alertname"] + " " + n.Labels["user_name"])
		if last[about] != n.Status {
			got = append(got, n.Status+" "+about)
		}
		last[about] = n.Status
	}
	slices.Sort(got)
	if diff := cmp.Diff(append([]string{}, slices.Sorted(slices.Values(want))...), got); diff != "" {
		t.Errorf("notices differ (-want +got):\n%s", diff)
	}
}

// edited returns a shipped file with edits.
func edited(t *testing.T, file string, e edits) string {
	t.Helper()
	text, err := edit(readFile(t, file), e)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return text
}
