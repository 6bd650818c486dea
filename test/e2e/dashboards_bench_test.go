//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkDashboards asks everything that the dashboards ask of a Prometheus
// that has scraped a crowd of users once. What is recorded over years is not part
// of it: that grows with the accounts, not with the users.
//
//	go test -tags e2e ./test/e2e -run '^$' -bench Dashboards -benchtime 3x -v
func BenchmarkDashboards(b *testing.B) {
	c := crowd{accounts: 20, users: 5000, owners: 400}
	prometheus, scraped := c.scrape(b)
	views := []view{
		{name: asItOpens},
		{name: "a part of many names", dashboard: usersDashboard, chosen: map[string][]string{"user_name": {"7"}}},
		{name: "a whole name", dashboard: usersDashboard, chosen: map[string][]string{"user_name": {c.user(7)}, "match": {"is exactly"}}},
		{name: "one owner", dashboard: usersDashboard, chosen: map[string][]string{"user_owner": {c.owner(7)}}},
		{name: "one account", chosen: map[string][]string{"account_id": {c.account(7)}}},
	}
	dashboards := map[string]dashboard{}
	for _, uid := range []string{complianceDashboard, usersDashboard, exporterDashboard} {
		dashboards[uid] = readDashboard(b, uid)
	}
	for _, uid := range slices.Sorted(maps.Keys(dashboards)) {
		for _, v := range views {
			if v.dashboard != "" && v.dashboard != uid {
				continue
			}
			b.Run(uid+"/"+v.name, func(b *testing.B) {
				var last bill
				for b.Loop() {
					o := &opened{dashboards[uid], v, prometheus, scraped, settings{}}
					last = o.askAll(b)
				}
				b.ReportMetric(float64(last.samples), "samples/op")
				b.Logf("%d queries; the slowest: %s", last.queries, last.slowest())
			})
		}
	}
}

// bill is what a dashboard costs.
type bill struct {
	queries, samples int
	took             map[string]time.Duration // by panel or variable
}

// add adds a query that began at a time and ends now.
func (b *bill) add(name string, began time.Time, samples int) {
	b.queries++
	b.samples += samples
	b.took[name] += time.Since(began)
}

// slowest names the three panels or variables that took longest.
func (b *bill) slowest() string {
	names := slices.SortedFunc(maps.Keys(b.took), func(a, c string) int { return int(b.took[c] - b.took[a]) })
	var texts []string
	for _, name := range names[:3] {
		texts = append(texts, fmt.Sprintf("%s %s", name, b.took[name].Round(time.Millisecond)))
	}
	return strings.Join(texts, ", ")
}

// askAll asks for the variables and for all panels, one after the other.
func (o *opened) askAll(b *testing.B) bill {
	b.Helper()
	cost := bill{took: map[string]time.Duration{}}
	for _, v := range o.Templating.List {
		began := time.Now()
		options, read, err := o.options(b.Context(), v)
		if err != nil {
			b.Fatalf("variable %s: %v", v.Name, err)
		}
		cost.add("variable "+v.Name, began, read)
		o.vars[v.Name] = v.choose(o.choice(v), options)
	}
	for _, p := range o.Panels {
		for _, q := range p.Targets {
			began := time.Now()
			a, err := o.query(b.Context(), p, q)
			if err != nil {
				b.Fatalf("%s: %s: %v", p.Title, q.RefID, err)
			}
			cost.add(p.Title, began, a.read)
		}
	}
	return cost
}

func readDashboard(b *testing.B, uid string) (d dashboard) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("../../dashboards", strings.TrimPrefix(uid, "aws-iam-")+".json"))
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func freePort(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// crowd is a number of accounts with as many users each. Every other user has a
// second key.
type crowd struct{ accounts, users, owners int }

func (c crowd) account(i int) string { return fmt.Sprintf("%012d", 100000000000+i) }
func (c crowd) user(i int) string    { return fmt.Sprintf("user-%05d", i) }
func (c crowd) owner(i int) string   { return fmt.Sprintf("team-%03d", i%c.owners) }

// scrape starts a Prometheus and returns its address, and when it has scraped
// the crowd.
func (c crowd) scrape(b *testing.B) (prometheus string, at time.Time) {
	b.Helper()
	var page bytes.Buffer
	c.write(&page, time.Now())
	b.Logf("the page has %d MB", page.Len()>>20)
	var scrapes atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if scrapes.Add(1) > 1 { // a second time would only disturb what is measured
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(page.Bytes()) // Prometheus tells
	}))
	b.Cleanup(server.Close)

	dir, address := b.TempDir(), freePort(b)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(`
scrape_configs:
  - job_name: aws_iam
    scrape_interval: 1m
    scrape_timeout: 1m
    static_configs: [targets: [%q]]
`, strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	// Cleanups run last in, first out: Prometheus leaves before the server it scrapes.
	ctx, cancel := context.WithCancel(context.Background())
	program := exec.CommandContext(ctx, prometheusBinary, "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	if err := program.Start(); err != nil {
		b.Fatalf("start %s: %v (has `make e2e` installed it?)", program.Path, err)
	}
	b.Cleanup(func() {
		cancel()
		_ = program.Wait() // it was killed
	})
	prometheus = "http://" + address
	for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(time.Second) {
		found, err := query(b.Context(), prometheus, "min(up) * max(scrape_samples_scraped) or max(up)")
		switch n := found["{}"]; {
		case err != nil || len(found) == 0:
		case n == 0:
			b.Fatal("the scrape failed")
		default:
			took, _ := query(b.Context(), prometheus, "max(scrape_duration_seconds)")
			b.Logf("%.0f series were scraped within %.1fs", n, took["{}"])
			return prometheus, time.Now()
		}
	}
	b.Fatal("nothing was scraped within three minutes")
	return "", time.Time{}
}

// write writes the metrics that the dashboards ask for, as the exporter would.
func (c crowd) write(w *bytes.Buffer, now time.Time) {
	random := rand.New(rand.NewPCG(1, 2))
	c.writeExporter(w, now)
	for a := range c.accounts {
		findings := 0
		for i := range c.users {
			findings += c.writeUser(w, random, now, a, i)
		}
		c.writeAccount(w, now, a, findings)
	}
}

func (c crowd) writeExporter(w *bytes.Buffer, now time.Time) {
	fmt.Fprintf(w, `process_start_time_seconds %d
aws_iam_exporter_accounts{state="up"} %d
aws_iam_exporter_build_info{version="1"} 1
`, now.Add(-time.Hour).Unix(), c.accounts)
	for _, operation := range []string{"ListUsers", "ListAccessKeys"} {
		for _, metric := range []string{"requests", "errors", "throttles"} {
			fmt.Fprintf(w, "aws_iam_exporter_api_%s_total{service=\"iam\",operation=%q} 1\n", metric, operation)
		}
	}
}

func (c crowd) writeAccount(w *bytes.Buffer, now time.Time, a, findings int) {
	id := c.account(a)
	fmt.Fprintf(w, "aws_iam_account_info{account_id=%q,account_name=\"account-%d\"} 1\n", id, a)
	fmt.Fprintf(w, "aws_iam_account_up{account_id=%q} 1\n", id)
	fmt.Fprintf(w, "aws_iam_account_users{account_id=%q} %d\n", id, c.users)
	fmt.Fprintf(w, "aws_iam_account_hidden_users{account_id=%q} 0\n", id)
	fmt.Fprintf(w, "aws_iam_account_refresh_duration_seconds{account_id=%q} 7\n", id)
	fmt.Fprintf(w, "aws_iam_account_refresh_errors_total{account_id=%q,reason=\"other\"} 0\n", id)
	fmt.Fprintf(w, "aws_iam_account_refreshes_total{account_id=%q} 9\n", id)
	for _, group := range []string{"users", "keys", "key_use", "console", "mfa", "root", "tags"} {
		fmt.Fprintf(w, "aws_iam_account_facts_observed_timestamp_seconds{account_id=%q,facts=%q} %d\n", id, group, now.Add(-time.Minute).Unix())
		fmt.Fprintf(w, "aws_iam_account_facts_stale_timestamp_seconds{account_id=%q,facts=%q} %d\n", id, group, now.Add(time.Hour).Unix())
	}
	for _, band := range []string{"0-30d", "30-45d", "45-90d", "90-180d", "180-365d", "1-2y", "2-5y", "5y+"} {
		fmt.Fprintf(w, "aws_iam_account_access_keys{account_id=%q,status=\"active\",age_band=%q} %d\n", id, band, c.users/8)
	}
	for _, rule := range crowdRules() {
		for verdict, n := range map[string]int{"compliant": c.users, "violation": findings / len(crowdRules()), "exempted": 0, "unknown": 0} {
			fmt.Fprintf(w, "aws_iam_account_verdicts{account_id=%q,rule=%q,verdict=%q} %d\n", id, rule, verdict, n)
		}
	}
}

func crowdRules() []string {
	return []string{"multiple_active_keys", "key_rotation", "key_rotation_due", "key_unused"}
}

// writeUser writes a user with one or two keys, and findings about one in three of
// them or so. It returns how many findings.
func (c crowd) writeUser(w *bytes.Buffer, random *rand.Rand, now time.Time, a, i int) (findings int) {
	id, name, owner := c.account(a), c.user(a*c.users+i), c.owner(random.IntN(c.owners))
	user := fmt.Sprintf("account_id=%q,user_name=%q", id, name)
	keys := 1 + i%2
	fmt.Fprintf(w, "aws_iam_user_info{%s,arn=\"arn:aws:iam::%s:user/%s\",path=\"/\",class=\"default\",user_owner=%q} 1\n", user, id, name, owner)
	fmt.Fprintf(w, "aws_iam_user_console_access{%s} %d\n", user, i%10/9)
	if i%10 == 9 {
		fmt.Fprintf(w, "aws_iam_user_mfa_enabled{%s} 1\n", user)
	}
	for status, n := range map[string]int{"active": keys, "inactive": 0, "expired": 0} {
		fmt.Fprintf(w, "aws_iam_user_access_keys{%s,status=%q} %d\n", user, status, n)
	}
	if i%100 == 0 {
		fmt.Fprintf(w, "aws_iam_exemption_expiry_timestamp_seconds{%s,rule=\"key_rotation\"} %d\n", user, now.AddDate(0, 0, 30).Unix())
	}
	found := func(rule, key string, since time.Time) {
		findings++
		fmt.Fprintf(w, "aws_iam_finding_since_timestamp_seconds{%s,access_key_id=%q,rule=%q,user_owner=%q} %d\n", user, key, rule, owner, since.Unix())
	}
	if keys > 1 && random.IntN(10) == 0 {
		found("multiple_active_keys", "", now.AddDate(0, 0, -random.IntN(1000)))
	}
	for range keys {
		key := fmt.Sprintf("AKIA%016X", random.Uint64())
		created := now.AddDate(0, 0, -random.IntN(102))
		used := created.Add(now.Sub(created) / 2)
		labels := fmt.Sprintf("%s,access_key_id=%q", user, key)
		fmt.Fprintf(w, "aws_iam_access_key_active{%s} 1\n", labels)
		fmt.Fprintf(w, "aws_iam_access_key_used{%s} 1\n", labels)
		fmt.Fprintf(w, "aws_iam_access_key_last_used_info{%s,service=\"s3\",region=\"eu-west-1\"} 1\n", labels)
		for metric, at := range map[string]time.Time{
			"created": created, "last_used": used, "rotation_deadline": created.AddDate(0, 0, 90), "unused_deadline": used.AddDate(0, 0, 45),
		} {
			fmt.Fprintf(w, "aws_iam_access_key_%s_timestamp_seconds{%s} %d\n", metric, labels, at.Unix())
		}
		switch due := created.AddDate(0, 0, 90); {
		case due.Before(now):
			found("key_rotation", key, due)
		case due.AddDate(0, 0, -14).Before(now):
			found("key_rotation_due", key, due.AddDate(0, 0, -14))
		}
		if since := used.AddDate(0, 0, 45); since.Before(now) {
			found("key_unused", key, since)
		}
	}
	return findings
}
