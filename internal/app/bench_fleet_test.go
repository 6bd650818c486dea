//go:build long && linux

package app

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The organization that is measured. Every fifth user has two keys, every tenth a
// key that is older than the policy allows, and nobody a password.
const (
	orgAccounts = 1000
	orgUsers    = 100 // in each account
	orgKeys     = 120 // of these
	orgRole     = "audit/aws-iam-exporter"
)

// The goals.
const (
	mostResident = 600 << 20 // bytes
	mostOfACore  = 0.05      // in a quiet hour
)

// benchOrganization is many accounts, and the list of them for the exporter.
type benchOrganization struct {
	realm  *awssim.Realm
	worlds []*awssim.World
	file   configFile
}

func newBenchOrganization(t *testing.T, accounts int) *benchOrganization {
	t.Helper()
	now := time.Now()
	home := awssim.New(awssim.Options{AccountID: "999999999999"})
	o := &benchOrganization{}
	list := fmt.Sprintf("account_defaults: {role: %s}\naccounts:\n", orgRole)
	for i := range accounts {
		id := fmt.Sprintf("%012d", 100000000000+i)
		world := awssim.New(awssim.Options{AccountID: id, Seed: uint64(i), Created: now.Add(-1000 * day), ReportDelay: 5 * time.Second})
		people := builder{t, world, now}
		for n := range orgUsers {
			name := fmt.Sprintf("user-%04d", n)
			people.user(name, "/", 500*day)
			age := 60 * day
			if n%10 == 7 {
				age = 100 * day
			}
			people.key(name, age, day)
			if n%5 == 0 {
				people.key(name, 2*day, day)
			}
		}
		o.worlds = append(o.worlds, world)
		list += fmt.Sprintf("  - {id: %q, name: account-%04d}\n", id, i)
	}
	o.realm = awssim.NewRealm(home, o.worlds...)
	for _, w := range o.worlds {
		o.realm.AddRole(w, orgRole, "")
	}
	o.file = newConfigFile(t, list)
	return o
}

// calls counts the requests so far by operation.
func (o *benchOrganization) calls() map[string]int {
	all := map[string]int{}
	for _, w := range o.worlds {
		for operation, n := range w.Calls() {
			all[operation] += n
		}
	}
	for _, n := range o.realm.Assumed() {
		all["AssumeRole"] += n
	}
	return all
}

// waitUntilQuiet waits until nobody asks anything, and returns the number of calls.
func (o *benchOrganization) waitUntilQuiet() int {
	const quiet = 40 * time.Second // longer than a report in the making is waited for
	calls, since := 0, time.Now()
	for calls == 0 || time.Since(since) < quiet {
		time.Sleep(time.Second)
		now := 0
		for _, n := range o.calls() {
			now += n
		}
		if now != calls {
			calls, since = now, time.Now()
		}
	}
	return calls
}

// meter answers requests without sockets, and counts the processor's time that the
// simulator takes for that, which is no cost of the exporter's.
type meter struct {
	handler http.Handler
	spent   atomic.Int64 // nanoseconds
}

// RoundTrip implements http.RoundTripper.
func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := processorTime(syscall.RUSAGE_THREAD)
	defer func() { m.spent.Add(int64(processorTime(syscall.RUSAGE_THREAD) - began)) }()
	answer, q := httptest.NewRecorder(), r.Clone(r.Context())
	q.RequestURI = r.URL.RequestURI()
	m.handler.ServeHTTP(answer, q)
	return answer.Result(), nil
}

// processorTime is the time spent by the process, or by the thread.
func processorTime(who int) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		panic(err) // only for another who
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// fleetCost is what a source costs for the whole organization.
type fleetCost struct {
	toFirst, toFull time.Duration
	hour            map[string]float64 // calls by operation
	share           float64            // of a core, in a quiet hour
	newKey          []time.Duration    // until each of some new keys was served, in order
}

// TestBenchFleet measures what it costs to watch 1,000 accounts of 100 users, and
// holds docs/benchmarks.md to the counts and the exporter to the goals.
func TestBenchFleet(t *testing.T) {
	var table strings.Builder
	table.WriteString("| `--iam.source` | every account's first view | full view | calls in a quiet hour | of these `ListAccessKeys` | `ListUsers` | reports | `AssumeRole` | a new key shows after (median, longest) |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, source := range benchSources() {
		t.Run(string(source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fmt.Fprintln(&table, measureFleet(t, source, orgAccounts).row(source)) })
		})
	}
	if !t.Failed() {
		generated(t, "fleet", table.String())
	}
	t.Log("\n" + table.String())
}

// TestFewAccounts is TestBenchFleet for a fiftieth of the accounts, so that it is
// known to work.
func TestFewAccounts(t *testing.T) {
	for _, source := range benchSources() {
		synctest.Test(t, func(t *testing.T) {
			c := measureFleet(t, source, orgAccounts/50)
			if limit := time.Hour; c.toFirst > limit || c.toFull > limit {
				t.Errorf("%s: first view after %s, full view after %s, want at most %s", source, c.toFirst, c.toFull, limit)
			}
		})
	}
}

func benchSources() []awsapi.Source { return []awsapi.Source{awsapi.SourceAuto, awsapi.SourceReport} }

func (c *fleetCost) row(source awsapi.Source) string {
	total := 0.0
	for _, n := range c.hour {
		total += n
	}
	reports := c.hour["GenerateCredentialReport"] + c.hour["GetCredentialReport"]
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s | %s | %s, %s |", source, c.toFirst.Round(10*time.Second), c.toFull.Round(time.Minute),
		digits(total), digits(c.hour["ListAccessKeys"]), digits(c.hour["ListUsers"]), digits(reports), digits(c.hour["AssumeRole"]),
		c.newKey[len(c.newKey)/2].Round(10*time.Minute), c.newKey[len(c.newKey)-1].Round(10*time.Minute))
}

// digits writes two digits that count, because which calls fall into an hour is
// not the same in every run.
func digits(x float64) string {
	if x == 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return strconv.FormatFloat(math.Round(x/unit)*unit, 'f', -1, 64)
}

// measureFleet runs the exporter at its defaults until it knows everything, for some
// quiet hours, and until it has found new keys.
func measureFleet(t *testing.T, source awsapi.Source, accounts int) *fleetCost {
	o := newBenchOrganization(t, accounts)
	transport := &meter{handler: o.realm}
	p := startMeasured(t, o, transport, source)
	c := &fleetCost{hour: map[string]float64{}}

	known := func(is func(*inventory.Snapshot) bool) func() bool {
		return func() bool {
			for _, a := range p.board.View().Accounts() {
				if !is(a.Snapshot) {
					return false
				}
			}
			return true
		}
	}
	began := time.Now()
	waitUntil(t, known(func(s *inventory.Snapshot) bool { return len(s.Users) > 0 }))
	c.toFirst = time.Since(began)
	waitUntil(t, known(func(s *inventory.Snapshot) bool { return s.Health.State == inventory.StateUp }))
	c.toFull = time.Since(began)

	const hours = 4 // so long AWS keeps a report
	before, spent, simulated := o.calls(), processorTime(syscall.RUSAGE_SELF), transport.spent.Load()
	time.Sleep(hours * time.Hour)
	took := processorTime(syscall.RUSAGE_SELF) - spent - time.Duration(transport.spent.Load()-simulated)
	c.share = took.Seconds() / (hours * time.Hour).Seconds()
	t.Logf("a quiet hour takes %.2f %% of one core", 100*c.share)
	if c.share > mostOfACore {
		t.Errorf("a quiet hour takes %.2f %% of one core, want at most %.0f", 100*c.share, 100*mostOfACore)
	}
	for operation, n := range o.calls() {
		c.hour[operation] = float64(n-before[operation]) / hours
	}
	c.newKey = findNewKeys(t, o, p)
	return c
}

// startMeasured runs the exporter on the organization until the test ends.
func startMeasured(t *testing.T, o *benchOrganization, transport http.RoundTripper, source awsapi.Source) *program {
	s, _, err := parse([]string{o.file.flag(), "--iam.source=" + string(source)}, io.Discard, io.Discard)
	check(t, err)
	config := aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(callerKeyID, callerSecret, callerToken),
		HTTPClient: &http.Client{Transport: transport},
	}
	p := must[*program](t)(wire(awsSource{config: config}, s, s.logger(io.Discard)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		time.Sleep(time.Hour) // the SDK goes on with sessions that nobody waits for any more
	})
	return p
}

// generated holds a part of docs/benchmarks.md, between two marks, to what was
// measured.
func generated(t *testing.T, name, want string) {
	t.Helper()
	const file = "../../docs/benchmarks.md"
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	content := string(must[[]byte](t)(os.ReadFile(file)))
	before, rest, found := strings.Cut(content, begin)
	old, after, closed := strings.Cut(rest, end)
	switch {
	case !found || !closed:
		t.Fatalf("%s: expected %q and %q around the table", file, begin, end)
	case *update:
		check(t, os.WriteFile(file, []byte(before+begin+want+end+after), 0o644))
	case old != want:
		t.Errorf("%s: the table is out of date (make bench-fleet ARGS=-update rewrites it); measured:\n%s", file, want)
	}
}

// waitUntil lets synctest's clock run until the condition holds.
func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	for began := time.Now(); !condition(); time.Sleep(10 * time.Second) {
		if time.Since(began) > 12*time.Hour {
			t.Fatal("condition not met within 12 hours")
		}
	}
}

// findNewKeys makes keys in some of the accounts, in the course of the four hours in
// which a report comes, and returns how long each took to be served.
func findNewKeys(t *testing.T, o *benchOrganization, p *program) []time.Duration {
	keys := min(60, len(o.worlds))
	var took []time.Duration
	made := map[string]time.Time{} // by account
	for i := 0; len(took) < keys; i++ {
		if n := len(made) + len(took); n < keys && i >= n*4*60/keys {
			w := o.worlds[n*len(o.worlds)/keys]
			must[string](t)(w.CreateKey("user-0003", time.Now()))
			made[w.AccountID()] = time.Now()
		}
		for id, since := range made {
			if u, _ := p.board.View().Account(id).Find("user-0003"); u != nil {
				if list, _ := u.Keys.Get(); len(list) > 1 {
					took = append(took, time.Since(since))
					delete(made, id)
				}
			}
		}
		time.Sleep(time.Minute)
		if i > 24*60 {
			t.Fatalf("%d of %d new keys not found within a day", len(made), keys)
		}
	}
	slices.Sort(took)
	return took
}

// TestBenchFleetMemory runs the binary, at a rate that gets it everything within
// minutes, on an organization that is simulated in this process, and looks at its
// memory once it has read everything, and after a scrape.
func TestBenchFleetMemory(t *testing.T) {
	for _, source := range benchSources() {
		t.Run(string(source), func(t *testing.T) {
			o := newBenchOrganization(t, orgAccounts)
			server := httptest.NewServer(o.realm)
			defer server.Close()
			b := startBinary(t, server.URL, o.file.flag(), "--iam.source="+string(source), "--iam.rate=500")
			calls := o.waitUntilQuiet()
			resident := b.status("VmRSS")
			t.Logf("all read, in %d calls and %s of processor time: resident %d MB, most so far %d MB", calls, b.processorTime(), resident>>20, b.status("VmHWM")>>20)
			if resident > mostResident {
				t.Errorf("resident once all was read: got %d MB, want at most %d", resident>>20, mostResident>>20)
			}
			began, spent := time.Now(), b.processorTime()
			series := b.scrape()
			t.Logf("a scrape of %d series took %s, %s of processor time: resident %d MB, most so far %d MB", series,
				time.Since(began).Round(time.Millisecond), b.processorTime()-spent, b.status("VmRSS")>>20, b.status("VmHWM")>>20)
			if resident := b.status("VmRSS"); resident > mostResident {
				t.Errorf("resident after a scrape: got %d MB, want at most %d", resident>>20, mostResident>>20)
			}
			if least := orgAccounts * (4*orgUsers + 4*orgKeys); series < least {
				t.Errorf("got %d series, want at least %d", series, least)
			}
		})
	}
}

// binary is the exporter, in a process of its own.
type binary struct {
	*testing.T
	process *exec.Cmd
	url     string
}

func startBinary(t *testing.T, aws string, args ...string) *binary {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := listener.Addr().String()
	check(t, listener.Close())
	b := &binary{T: t, url: "http://" + address}
	b.process = exec.Command("../../aws_iam_exporter", append(args, "--web.listen-address="+address)...)
	log := must[*os.File](t)(os.Create(filepath.Join(t.TempDir(), "log")))
	b.process.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+aws, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+callerKeyID, "AWS_SECRET_ACCESS_KEY="+callerSecret, "AWS_SESSION_TOKEN="+callerToken)
	b.process.Stdout, b.process.Stderr = log, log
	check(t, b.process.Start())
	t.Cleanup(func() {
		_ = b.process.Process.Kill()
		_ = b.process.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text[:min(len(text), 5000)])
		}
	})
	return b
}

// status returns a size in the process's status, in bytes.
func (b *binary) status(name string) int {
	text := must[[]byte](b.T)(os.ReadFile(fmt.Sprintf("/proc/%d/status", b.process.Process.Pid)))
	for line := range strings.Lines(string(text)) {
		if after, found := strings.CutPrefix(line, name+":"); found {
			return must[int](b.T)(strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(after), " kB"))) << 10
		}
	}
	b.Fatalf("the process's status has no %s", name)
	return 0
}

// processorTime is what the process has taken so far.
func (b *binary) processorTime() time.Duration {
	text := must[[]byte](b.T)(os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.process.Process.Pid)))
	fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
	user, err := strconv.Atoi(fields[11])
	check(b.T, err)
	system, err := strconv.Atoi(fields[12])
	check(b.T, err)
	return time.Duration(user+system) * 10 * time.Millisecond // as Linux counts for all programs
}

// scrape asks for the metrics as Prometheus does, and returns the number of series.
func (b *binary) scrape() int {
	q := must[*http.Request](b.T)(http.NewRequest(http.MethodGet, b.url+"/metrics", nil))
	q.Header.Set("Accept-Encoding", "gzip")
	q.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "60")
	answer := must[*http.Response](b.T)(http.DefaultClient.Do(q))
	defer answer.Body.Close()
	series := 0
	for lines := bufio.NewScanner(must[*gzip.Reader](b.T)(gzip.NewReader(answer.Body))); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "#") {
			series++
		}
	}
	return series
}
