//go:build e2e

package alerts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	exampleFile = "alertmanager.example.yaml"
	tools       = "../.tools/bin/"
)

type labels map[string]string

// TestAlertmanagerRoutes asks amtool who gets which alert.
func TestAlertmanagerRoutes(t *testing.T) {
	tests := []struct {
		name  string
		alert labels
		want  string
	}{
		{"a new root key", labels{"alertname": "IAMRootAccessKeyCreated", "severity": "critical", "user_name": "<root_account>", "user_owner": "payments"}, "pager"},
		{"an old root key", labels{"alertname": "IAMRootAccessKey", "severity": "warning", "user_name": "<root_account>"}, "tickets"},
		{"an old root key of an owner", labels{"alertname": "IAMRootAccessKey", "severity": "warning", "user_name": "<root_account>", "user_owner": "payments"}, "payments"},
		{"nobody watches", labels{"alertname": "IAMExporterAbsent", "severity": "critical"}, "pager"},
		{"a dead exporter", labels{"alertname": "IAMExporterDown", "severity": "warning"}, "tickets"},
		{"a lost account", labels{"alertname": "IAMAccountLost", "severity": "warning"}, "tickets"},
		{"a violation of an owner's user", labels{"alertname": "IAMKeyRotation", "severity": "warning", "user_name": "bob", "user_owner": "payments"}, "payments"},
		{"what comes due for an owner", labels{"alertname": "IAMKeyRotationDue", "severity": "info", "user_name": "bob", "user_owner": "payments"}, "payments"},
		{"an owner whose name is longer", labels{"alertname": "IAMKeyRotation", "severity": "warning", "user_name": "bob", "user_owner": "payments-eu"}, "tickets"},
		{"a violation of nobody's user", labels{"alertname": "IAMKeyRotation", "severity": "warning", "user_name": "bob"}, "tickets"},
		{"an owner who is unknown", labels{"alertname": "IAMKeyRotation", "severity": "warning", "user_name": "bob", "user_owner": "<unknown>"}, "tickets"},
		{"stale facts", labels{"alertname": "IAMFactsStale", "severity": "warning"}, "tickets"},
		{"what comes due for nobody", labels{"alertname": "IAMKeyRotationDue", "severity": "info", "user_name": "bob"}, "digest"},
		{"an exemption that ended", labels{"alertname": "IAMExemptionEnded", "severity": "info", "user_name": "bob"}, "digest"},
		{"an account that was taken out", labels{"alertname": "IAMAccountRemoved", "severity": "info"}, "digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"config", "routes", "test", "--config.file=" + exampleFile}
			for name, value := range tt.alert {
				args = append(args, fmt.Sprintf("%s=%q", name, value))
			}
			out, err := exec.Command(tools+"amtool", args...).CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// TestAlertmanagerInhibition shows alerts to a real Alertmanager, and asks it
// which of them it leaves out.
func TestAlertmanagerInhibition(t *testing.T) {
	const one, other, two = "111111111111", "222222222222", "444444444444"
	about := func(name, severity, account, user, key string) labels {
		all := labels{"alertname": name, "severity": severity, "account_id": account, "user_name": user, "access_key_id": key}
		for label, value := range all { // Prometheus sends no empty labels
			if value == "" {
				delete(all, label)
			}
		}
		return all
	}
	stale := func(account string) labels {
		return labels{"alertname": "IAMFactsStale", "severity": "warning", "account_id": account, "findings": "frozen"}
	}
	root := about("IAMRootAccessKey", "warning", one, "<root_account>", "")
	ofTarget := func(name, job string) labels {
		return labels{"alertname": name, "severity": "warning", "job": job, "instance": "a:10190"}
	}
	lost := labels{"alertname": "IAMAccountLost", "severity": "warning", "account_id": one, "job": "aws_iam", "instance": "a:10190"}
	console := func(account, user string) labels {
		return about("IAMConsoleUserWithActiveKeys", "warning", account, user, "")
	}
	setup := func(account, user string) labels {
		return about("IAMKeyCreatedAtUserSetup", "warning", account, user, "AKIA1")
	}
	neverUsed := func(account, user string) labels {
		return about("IAMConsoleKeyNeverUsed", "warning", account, user, "AKIA1")
	}
	tests := []struct {
		name         string
		muted, heard []labels
	}{
		{
			"stale facts mute warnings and information about the users of the account",
			[]labels{console(one, "bob"), about("IAMKeyRotationDue", "info", one, "bob", "AKIA1")},
			[]labels{stale(one), console(other, "bob")},
		},
		{
			"stale facts mute nothing critical, nothing about root, and nothing about the exporter",
			nil,
			[]labels{
				stale(one), root,
				about("IAMRootAccessKeyCreated", "critical", two, "<root_account>", ""),
				{"alertname": "IAMVerdictsUnknown", "severity": "warning", "account_id": one},
			},
		},
		{
			"stale facts about root or tags mute nobody",
			nil,
			[]labels{{"alertname": "IAMFactsStale", "severity": "warning", "account_id": one}, console(one, "bob")},
		},
		{
			"so do accounts that are lost, or were never read",
			[]labels{console(one, "bob"), console(other, "bob"), {"alertname": "IAMHiddenViolations", "severity": "warning", "account_id": one, "rule": "key_rotation"}},
			[]labels{lost, {"alertname": "IAMAccountNeverRead", "severity": "warning", "account_id": other}, console(two, "bob"), root},
		},
		{
			"a label that both lack is not equal",
			nil,
			[]labels{stale(""), console("", "bob"), setup("", "bob"), {"alertname": "IAMAccountNeverRead", "severity": "warning", "job": "aws_iam", "instance": "a:10190"}},
		},
		{
			"neither a dead exporter nor an incomplete refresh mutes findings",
			nil,
			[]labels{
				ofTarget("IAMExporterDown", "aws_iam"),
				{"alertname": "IAMRefreshFailing", "severity": "warning", "account_id": one},
				console(one, "bob"),
			},
		},
		{
			"one cause, one message: a dead exporter",
			[]labels{lost, ofTarget("IAMExporterFlapping", "aws_iam"), console(one, "bob")}, // what is muted mutes on
			[]labels{ofTarget("IAMExporterDown", "aws_iam"), ofTarget("IAMExporterFlapping", "other"), {"alertname": "IAMAccountLost", "severity": "warning", "account_id": other}},
		},
		{
			"one cause, one message: no credentials after a restart",
			[]labels{lost, console(one, "bob")},
			[]labels{ofTarget("IAMAccountNeverRead", "aws_iam"), {"alertname": "IAMAccountLost", "severity": "warning", "account_id": other, "job": "other", "instance": "a:10190"}},
		},
		{
			"one cause, one message: a role",
			[]labels{stale(one), {"alertname": "IAMReportUnusable", "severity": "warning", "account_id": one}},
			[]labels{{"alertname": "IAMRoleNotAssumed", "severity": "warning", "account_id": one}, stale(other)},
		},
		{
			"one cause, one message: a role, of an account that was never read",
			[]labels{{"alertname": "IAMAccountNeverRead", "severity": "warning", "account_id": one}, console(one, "bob")}, // what is muted mutes on
			[]labels{{"alertname": "IAMRoleNotAssumed", "severity": "warning", "account_id": one}, root, console(other, "bob")},
		},
		{
			"one cause, one message: stale facts",
			[]labels{{"alertname": "IAMRefreshFailing", "severity": "warning", "account_id": one}},
			[]labels{stale(one), {"alertname": "IAMRefreshFailing", "severity": "warning", "account_id": other}},
		},
		{
			"the page about a new root key comes before the ticket",
			[]labels{root},
			[]labels{about("IAMRootAccessKeyCreated", "critical", one, "<root_account>", ""), about("IAMRootAccessKey", "warning", other, "<root_account>", "")},
		},
		{
			"a console user with keys covers its two cases, for that user alone",
			[]labels{setup(one, "bob"), neverUsed(one, "bob")},
			[]labels{console(one, "bob"), setup(one, "bobby"), neverUsed(other, "bob")},
		},
		{
			"the cases stand for themselves",
			nil,
			[]labels{setup(one, "bob"), neverUsed(one, "bob")},
		},
		{
			"an overdue rotation is no longer due, for that key alone",
			[]labels{about("IAMKeyRotationDue", "info", one, "bob", "AKIA1")},
			[]labels{about("IAMKeyRotation", "warning", one, "bob", "AKIA1"), about("IAMKeyRotationDue", "info", one, "bob", "AKIA2")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			am := startAlertmanager(t)
			am.send(t, slices.Concat(tt.muted, tt.heard))
			// Alerts are taken in one after another: once Alertmanager mutes the
			// last of these, it has judged those above.
			am.send(t, []labels{console("333333333333", "last"), setup("333333333333", "last")})
			am.waitFor(t, setup("333333333333", "last"))
			want := map[string]bool{}
			for _, l := range tt.muted {
				want[fmt.Sprint(l)] = true
			}
			for _, l := range tt.heard {
				want[fmt.Sprint(withoutEmpty(l))] = false
			}
			got := am.muted(t)
			for key := range got {
				if strings.Contains(key, "user_name:last") {
					delete(got, key)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("muted: -want +got:\n%s", diff)
			}
		})
	}
}

// TestAlertmanagerFirstDay sends what the first day brings: 500 findings in twenty accounts, of
// owners with and without a route and of nobody, and stale facts of all accounts. Each owner
// gets one message.
func TestAlertmanagerFirstDay(t *testing.T) {
	messages := make(chan message, 1000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		messages <- m
	}))
	defer hook.Close()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	hurried := regexp.MustCompile(`group_wait: \w+`).ReplaceAll(text, []byte("group_wait: 2s"))
	hurried = regexp.MustCompile(`url: .+`).ReplaceAll(hurried, []byte("url: "+hook.URL))
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(config, hurried, 0o600); err != nil {
		t.Fatal(err)
	}
	am := startAlertmanagerWith(t, config)
	owners := []string{"payments", "research", "", "<unknown>", "platform"}
	alerts := []string{"IAMKeyRotation", "IAMKeyUnused", "IAMMultipleActiveKeys", "IAMConsoleUserWithoutMFA"}
	var all []labels
	for i := range 500 {
		all = append(all, withoutEmpty(labels{
			"alertname": alerts[i%len(alerts)], "severity": "warning", "account_id": fmt.Sprintf("%012d", i%20),
			"user_name": fmt.Sprint("user-", i), "user_owner": owners[i%len(owners)],
		}))
	}
	for i := range 20 {
		all = append(all, labels{"alertname": "IAMRefreshFailing", "severity": "warning", "account_id": fmt.Sprintf("%012d", i)})
	}
	am.send(t, all)
	got := map[string]int{}
	for told := 0; told < len(all); {
		select {
		case m := <-messages:
			got[fmt.Sprint(m.Receiver, " ", m.GroupLabels)]++
			told += len(m.Alerts)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d of %d alerts were told: %v", told, len(all), got)
		}
	}
	want := map[string]int{
		"payments map[user_owner:payments]": 1, "tickets map[user_owner:research]": 1, "tickets map[user_owner:platform]": 1,
		"tickets map[user_owner:<unknown>]": 1, "tickets map[]": 1, "tickets map[alertname:IAMRefreshFailing]": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages: -want +got:\n%s", diff)
	}
}

// message is what a receiver gets.
type message struct {
	Receiver    string
	GroupLabels labels
	Alerts      []any
}

func withoutEmpty(l labels) labels {
	kept := labels{}
	for name, value := range l {
		if value != "" {
			kept[name] = value
		}
	}
	return kept
}

// alertmanager is the address of a running Alertmanager.
type alertmanager string

func startAlertmanager(t *testing.T) alertmanager {
	t.Helper()
	return startAlertmanagerWith(t, exampleFile)
}

func startAlertmanagerWith(t *testing.T, config string) alertmanager {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.CommandContext(t.Context(), tools+"alertmanager", "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address="+address, "--cluster.listen-address=", "--log.level=error")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the context has killed it
	am := alertmanager("http://" + address)
	eventually(t, "Alertmanager is ready", func() bool {
		response, err := http.Get(string(am) + "/-/ready")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return am
}

func (am alertmanager) send(t *testing.T, alerts []labels) {
	t.Helper()
	type alert struct {
		Labels labels `json:"labels"`
	}
	var all []alert
	for _, l := range alerts {
		all = append(all, alert{l})
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(string(am)+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("send alerts: got status %s", response.Status)
	}
}

// muted tells of each alert, by its labels, whether another one inhibits it.
func (am alertmanager) muted(t *testing.T) map[string]bool {
	t.Helper()
	response, err := http.Get(string(am) + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var alerts []struct {
		Labels labels
		Status struct{ InhibitedBy []string }
	}
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	muted := map[string]bool{}
	for _, a := range alerts {
		muted[fmt.Sprint(a.Labels)] = len(a.Status.InhibitedBy) > 0
	}
	return muted
}

func (am alertmanager) waitFor(t *testing.T, muted labels) {
	t.Helper()
	eventually(t, fmt.Sprint(muted, " is muted"), func() bool { return am.muted(t)[fmt.Sprint(muted)] })
}

// eventually waits for a condition that depends on another process.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 seconds, but not until %s", what)
		}
	}
}
