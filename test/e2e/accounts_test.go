//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const accountsFile = "accounts.yml"

// The accounts of the file.
const (
	hub        = "123456789012"
	production = "012345678901"
	legacy     = "111122223333" // which is read from the report, whatever the flag says
	sandbox    = "222233334444" // which is read live
	noAlias    = "333344445555"
	tiny       = "444455556666"
)

func allAccounts() []string { return []string{hub, production, legacy, sandbox, noAlias, tiny} }

// trusted are the roles of the file, and the external ids that they ask for.
func trusted() map[string]string {
	const external = "One/for:all=1"
	return map[string]string{
		"arn:aws:iam::123456789012:role/exporter/initial":       "",
		"arn:aws:iam::012345678901:role/audit/aws-iam-exporter": external,
		"arn:aws:iam::111122223333:role/legacy-audit":           "its_own+id@2",
		"arn:aws:iam::222233334444:role/audit/aws-iam-exporter": external,
		"arn:aws:iam::333344445555:role/audit/aws-iam-exporter": external,
		"arn:aws:iam::444455556666:role/audit/deep/er/no-id":    external, // it asks for none
	}
}

// TestAccounts runs the exporter against a hub and the accounts that it reaches by
// their roles.
func TestAccounts(t *testing.T) {
	aws := startMoto(t, "--accounts")
	config := configFlag + accountsFile
	want := expect(t, aws, config, "auto", "live", "report")
	for _, source := range []string{"auto", "live", "report"} {
		t.Run("source "+source, func(t *testing.T) {
			e := startExporter(t, aws, "--iam.source="+source, config)
			awaitSamples(t, want[source], e.samples)
			checkMetrics(t, e)
		})
	}
	t.Run("roles", func(t *testing.T) { testRoles(t, aws, want["report"]) })
	t.Run("wrong external id", func(t *testing.T) { testExternalID(t, aws, want["report"]) })
	t.Run("bad accounts", func(t *testing.T) { testBadAccounts(t, aws, want["auto"]) })
	t.Run("reload", func(t *testing.T) { testAccountsReload(t, aws, want["report"]) })
	t.Run("restart", func(t *testing.T) { testAccountsRestart(t, aws, want["auto"]) })
}

// of keeps what is said about the accounts.
func (s samples) of(accounts ...string) samples {
	kept := maps.Clone(s)
	maps.DeleteFunc(kept, func(series string, _ float64) bool {
		return !slices.ContainsFunc(accounts, func(id string) bool { return strings.Contains(series, `account_id="`+id+`"`) })
	})
	return kept
}

// testRoles checks how the roles are assumed.
func testRoles(t *testing.T, aws environment, want samples) {
	m := newMeddler(t, aws)
	e := startExporter(t, m.aws, "--iam.source=report", configFlag+accountsFile)
	awaitSamples(t, want, e.samples)

	external := map[string]string{}
	for role, asked := range m.assumed() {
		external[role] = asked.Get("ExternalId")
		for name, want := range map[string]string{"RoleSessionName": "aws_iam_exporter", "DurationSeconds": "3600", "SourceIdentity": ""} {
			if got := asked.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", role, name, got, want)
			}
		}
		if n := len(asked.Get("Policy")); n == 0 || n > 2048 {
			t.Errorf("%s: the session policy has %d characters, want some, and no more than AWS takes", role, n)
		}
	}
	if diff := cmp.Diff(trusted(), external); diff != "" {
		t.Errorf("the roles that are assumed, and their external ids, differ (-want +got):\n%s", diff)
	}
}

// testExternalID gives one account another external id than its role asks for.
func testExternalID(t *testing.T, aws environment, want samples) {
	const right, wrong = "its_own+id@2", "not-its-own+id@2"
	file := writeConfig(t, strings.ReplaceAll(readFile(t, accountsFile), right, wrong))
	e := startExporter(t, aws, "--iam.source=report", configFlag+file)
	others := []string{hub, production, sandbox, noAlias, tiny}
	awaitSamples(t, want.of(others...), func(ctx context.Context) (samples, error) {
		got, err := e.samples(ctx)
		return got.of(others...), err
	})
	eventually(t, time.Minute, func(ctx context.Context) error {
		got, err := e.samples(ctx)
		if err == nil && (got[errorsSeries(legacy, inventory.ReasonRole)] == 0 || got[upOf(legacy)] != 0) {
			err = fmt.Errorf("account %s is not said to have a role that cannot be assumed", legacy)
		}
		return err
	})
	for place, text := range map[string]string{"the log": e.log.String(), "the page": e.page(t, "/accounts/"+legacy)} {
		if strings.Contains(text, wrong) || !strings.Contains(text, "role/legacy-audit") {
			t.Errorf("%s shows the external id, or does not name the role:\n%s", place, text)
		}
	}
}

// bad is an account that cannot be read, and what is said of it.
type bad struct {
	fault  fault
	reason inventory.Reason
	says   []string
}

func badAccounts() map[string]bad {
	return map[string]bad{
		production: {goneRole, inventory.ReasonRole, []string{"role/audit/aws-iam-exporter", "missing", "trust policy", "external id"}},
		sandbox:    {impostor, inventory.ReasonMalformed, []string{impostorsAccount}},
		noAlias:    {scpDenial, inventory.ReasonDenied, []string{"iam:ListUsers", scpSentence}},
		tiny:       {silence, inventory.ReasonTimeout, []string{"no answer"}},
	}
}

func faulty() []string { return slices.Collect(maps.Keys(badAccounts())) }

// testBadAccounts has four accounts fail in four ways, from the start and later.
// The others must not notice.
func testBadAccounts(t *testing.T, aws environment, want samples) {
	m, faults := newMeddler(t, aws), map[string]fault{}
	for id, b := range badAccounts() {
		faults[id] = b.fault
	}
	good := []string{hub, legacy}

	m.meddle(faults)
	e := startExporter(t, m.aws, configFlag+accountsFile, "--iam.timeout=1s", "--web.enable-pprof")
	checkFirstScrape(t, e)
	awaitFailures(t, e, samples{}, faulty()...)
	awaitSamples(t, want.of(good...), func(ctx context.Context) (samples, error) {
		got, err := e.samples(ctx)
		return got.of(good...), err
	})
	checkReasons(t, e)
	checkSaid(t, e, 1)
	if diff := cmp.Diff([]string{"GetCallerIdentity"}, m.luredInto()); diff != "" {
		t.Errorf("an account was read that is not the one wanted (-want +got):\n%s", diff)
	}

	m.meddle(nil)
	awaitSamples(t, want, e.samples)

	before, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.meddle(faults)
	awaitFailures(t, e, before, faulty()...)
	checkAges(t, e, want)
	checkSaid(t, e, 2)
	checkSecrets(t, e, m)
}

// checkFirstScrape checks that accounts are known before AWS has told of them.
func checkFirstScrape(t *testing.T, e *exporter) {
	t.Helper()
	first := e.first(t)
	for _, id := range allAccounts() {
		metrics := map[string]int{}
		for series := range first.of(id) {
			name, _, _ := strings.Cut(series, "{")
			metrics[name]++
		}
		for name, n := range map[string]int{
			"aws_iam_account_info":                 1,
			"aws_iam_account_refreshes_total":      1,
			"aws_iam_account_refresh_errors_total": len(inventory.Reasons()),
		} {
			if metrics[name] != n {
				t.Errorf("account %s, first scrape: got %d series of %s, want %d", id, metrics[name], name, n)
			}
		}
	}
}

// first returns the first scrape that is answered.
func (e *exporter) first(t *testing.T) samples {
	t.Helper()
	var first samples
	eventually(t, time.Minute, func(ctx context.Context) (err error) {
		first, err = e.samples(ctx)
		return err
	})
	return first
}

func errorsSeries(id string, reason inventory.Reason) string {
	return fmt.Sprintf(`aws_iam_account_refresh_errors_total{account_id=%q, reason=%q}`, id, reason)
}

// awaitFailures waits until each of the accounts has failed again for its reason,
// twice unless each failure takes long, and the good ones were refreshed meanwhile.
func awaitFailures(t *testing.T, e *exporter, before samples, ids ...string) {
	t.Helper()
	times := func(id string) float64 {
		if badAccounts()[id].fault == silence {
			return 1
		}
		return 2
	}
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		got, err := e.samples(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if value, found := got[upOf(id)]; !found || value != 0 {
				return fmt.Errorf("account %s: got up %v (served: %v), want 0", id, value, found)
			}
			if failed := errorsSeries(id, badAccounts()[id].reason); got[failed] < before[failed]+times(id) {
				return fmt.Errorf("%s: got %v, want more than %v", failed, got[failed], before[failed])
			}
		}
		for _, id := range []string{hub, legacy} {
			if refreshes := fmt.Sprintf(`aws_iam_account_refreshes_total{account_id=%q}`, id); got[refreshes] < before[refreshes]+2 {
				return fmt.Errorf("%s: got %v, want more than %v", refreshes, got[refreshes], before[refreshes])
			}
		}
		return nil
	})
}

func upOf(id string) string { return fmt.Sprintf(`aws_iam_account_up{account_id=%q}`, id) }

// checkReasons checks that nothing but the faults is counted.
func checkReasons(t *testing.T, e *exporter) {
	t.Helper()
	got, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range allAccounts() {
		for _, reason := range inventory.Reasons() {
			value, wanted := got[errorsSeries(id, reason)], badAccounts()[id].reason == reason
			if (value > 0) != wanted {
				t.Errorf("%s: got %v, want some: %v", errorsSeries(id, reason), value, wanted)
			}
		}
	}
}

// checkSaid checks that log and pages say what is wrong, and that the log says the
// same no more often than it has begun.
func checkSaid(t *testing.T, e *exporter, times int) {
	t.Helper()
	home := e.page(t, "/")
	for id, b := range badAccounts() {
		if !strings.Contains(home, id) {
			t.Errorf("the landing page does not show account %s", id)
		}
		said, problems := e.logged(id, b.reason)
		if len(said) < times {
			t.Errorf("account %s, of which %s: the log says so %d times, want %d", id, b.fault, len(said), times)
		}
		for problem, n := range problems {
			if n > times {
				t.Errorf("account %s, of which %s: the log says %d times, want %d: %s", id, b.fault, n, times, problem)
			}
		}
		for place, text := range map[string]string{"the page": e.page(t, "/accounts/"+id), "the log": strings.Join(said, "")} {
			for _, word := range b.says {
				if !strings.Contains(text, word) {
					t.Errorf("account %s, of which %s: %s does not say %q", id, b.fault, place, word)
				}
			}
		}
	}
	for line := range strings.Lines(e.log.String()) {
		for _, id := range []string{hub, legacy} {
			if strings.Contains(line, "account_id="+id) && strings.Contains(line, "reason=") {
				t.Errorf("the log complains about an account that is read well: %s", line)
			}
		}
	}
}

// logged returns the lines of the log that say that a refresh of the account has
// failed for the reason, and how often they name each problem.
func (e *exporter) logged(id string, reason inventory.Reason) (said []string, problems map[string]int) {
	problems = map[string]int{}
	for line := range strings.Lines(e.log.String()) {
		if strings.Contains(line, "Refresh incomplete") && strings.Contains(line, fmt.Sprintf("account_id=%s reason=%s ", id, reason)) {
			_, problem, _ := strings.Cut(line, "problem=")
			said = append(said, line)
			problems[problem]++
		}
	}
	return said, problems
}

func (e *exporter) page(t *testing.T, path string) string {
	t.Helper()
	page, err := get(t.Context(), http.DefaultClient, e.url+path)
	if err != nil {
		t.Fatal(err)
	}
	return html.UnescapeString(string(page))
}

// checkAges checks that bad accounts keep their facts, and that these get no
// younger, while those of good ones do.
func checkAges(t *testing.T, e *exporter, want samples) {
	t.Helper()
	kept := maps.Clone(want)
	for id := range badAccounts() {
		kept[upOf(id)] = 0
	}
	awaitSamples(t, kept, e.samples)
	before, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	awaitFailures(t, e, before, production, sandbox, noAlias)
	after, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if lines := compare(kept, after.facts()); len(lines) > 0 {
		t.Errorf("later, facts differ:\n%s", summary(lines))
	}
	const times = `^aws_iam_account_facts_(observed|stale)_timestamp_seconds{`
	unread := func(s samples) samples { // of the accounts of which nothing can be read
		s = s.of(production, sandbox, tiny)
		maps.DeleteFunc(s, func(series string, _ float64) bool { return !regexp.MustCompile(times).MatchString(series) })
		return s
	}
	if diff := cmp.Diff(unread(before), unread(after)); diff != "" || len(unread(after)) == 0 {
		t.Errorf("facts that could not be read are of other times (-before +after):\n%s", diff)
	}
	if users := observedSeries(hub); after[users] <= before[users] {
		t.Errorf("%s: got %v, want more than %v", users, after[users], before[users])
	}
	if users := observedSeries(noAlias); after[users] != before[users] {
		t.Errorf("%s: got %v, want %v, since users cannot be listed", users, after[users], before[users])
	}
}

func observedSeries(id string) string {
	return fmt.Sprintf(`aws_iam_account_facts_observed_timestamp_seconds{account_id=%q, facts="users"}`, id)
}

// checkSecrets checks that neither external ids nor credentials show anywhere.
func checkSecrets(t *testing.T, e *exporter, m *meddler) {
	t.Helper()
	secrets := m.handedOut()
	for _, id := range trusted() {
		if id != "" {
			secrets = append(secrets, id, url.QueryEscape(id))
		}
	}
	places := map[string]string{"the log": e.log.String()}
	paths := []string{
		"/", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2",
		"/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/threadcreate?debug=1",
	}
	for _, id := range allAccounts() {
		paths = append(paths, "/accounts/"+id)
	}
	for _, path := range paths {
		places[path] = e.page(t, path)
	}
	places["check-config"] = string(run(t, nil, exporterBinary, "check-config", accountsFile))
	for place, text := range places {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", place, secret)
			}
		}
	}
}

// testAccountsReload adds an account and takes another away, again and again, while
// the others are scraped all the time.
func testAccountsReload(t *testing.T, aws environment, want samples) {
	full := readFile(t, accountsFile)
	file := writeConfig(t, unlisting(t, full, tiny))
	e := startExporter(t, aws, configFlag+file, "--iam.source=report")
	lacks := func(id string) samples {
		kept := want.facts()
		for series := range want.of(id) {
			delete(kept, series)
		}
		return kept
	}
	awaitSamples(t, lacks(tiny), e.samples)

	stay := []string{hub, production, legacy, sandbox}
	w := watch(t, e, want.of(stay...), stay...)
	for w.goesOn() && w.scrapes.Load() < 20 {
		writeFile(t, file, unlisting(t, full, noAlias))
		wantReload(t, e, http.StatusOK, "")
		awaitSamples(t, lacks(noAlias), e.samples)
		writeFile(t, file, unlisting(t, full, tiny))
		signal(t, e, syscall.SIGHUP)
		awaitSamples(t, lacks(tiny), e.samples)
	}
	writeFile(t, file, full)
	signal(t, e, syscall.SIGHUP)
	awaitSamples(t, want, e.samples)
	w.stop(t)
}

// unlisting returns a configuration that does not list the account.
func unlisting(t *testing.T, file, id string) string {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(file), &root); err != nil {
		t.Fatal(err)
	}
	fields := root.Content[0].Content
	at := slices.IndexFunc(fields, func(n *yaml.Node) bool { return n.Value == "accounts" })
	accounts := fields[at+1]
	n := len(accounts.Content)
	accounts.Content = slices.DeleteFunc(accounts.Content, func(n *yaml.Node) bool { return n.Content[1].Value == id })
	if len(accounts.Content) != n-1 {
		t.Fatalf("%s is listed %d times, want once", id, n-len(accounts.Content))
	}
	text, err := yaml.Marshal(&root)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// watcher scrapes an exporter all the time.
type watcher struct {
	scrapes atomic.Int64
	cancel  context.CancelFunc
	wrong   error         // what ended it; nil unless it was a scrape
	done    chan struct{} // closed when it has ended
}

// watch begins to check that every scrape has all of the samples, and nothing else
// about those accounts.
func watch(t *testing.T, e *exporter, want samples, accounts ...string) *watcher {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			got, err := e.samples(ctx)
			if ctx.Err() != nil {
				return
			}
			if lines := compare(want, got.of(accounts...).facts()); err == nil && len(lines) > 0 {
				err = errors.New(summary(lines))
			}
			if err != nil {
				w.wrong = err
				return
			}
			w.scrapes.Add(1)
		}
	}()
	return w
}

// goesOn reports whether nothing has been wrong so far.
func (w *watcher) goesOn() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// stop ends watching, and fails the test if a scrape was wrong.
func (w *watcher) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	<-w.done
	t.Logf("%d scrapes were right", w.scrapes.Load())
	if w.wrong != nil {
		t.Errorf("then one of the accounts that stayed was wrong: %v", w.wrong)
	}
}

// testAccountsRestart restarts the exporter while AWS cannot be reached.
func testAccountsRestart(t *testing.T, aws environment, want samples) {
	gate := newGate(t, aws)
	dir := filepath.Join(t.TempDir(), "state")
	args := []string{configFlag + accountsFile, "--state.dir=" + dir}
	e := startExporter(t, gate.aws, args...)
	awaitSamples(t, want, e.samples)

	gate.shut()
	before := awaitQuiet(t, e)
	e.stop()
	checkStateFiles(t, dir, allAccounts())

	e = startExporter(t, gate.aws, args...)
	after := e.first(t)
	if diff := cmp.Diff(before.observed(), after.observed()); diff != "" || len(after.observed()) == 0 {
		t.Errorf("the facts are of other times (-before +after):\n%s", diff)
	}
	for _, id := range allAccounts() {
		after[upOf(id)] = 1 // which is not known before AWS has answered, or has not
	}
	if lines := compare(want, after.facts()); len(lines) > 0 {
		t.Errorf("the first scrape after the restart differs:\n%s", summary(lines))
	}
	eventually(t, time.Minute, e.serves(samples{upOf(hub): 0}))
	gate.open(t)
	awaitSamples(t, want, e.samples)
}

// awaitQuiet waits until nothing more comes of what AWS has answered before it
// could not be reached any more, and returns what is served then.
func awaitQuiet(t *testing.T, e *exporter) samples {
	t.Helper()
	var last samples
	eventually(t, time.Minute, func(ctx context.Context) error {
		got, err := e.samples(ctx)
		if err != nil {
			return err
		}
		diff := cmp.Diff(last.observed(), got.observed())
		last = got
		if diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	return last
}

// watchlistName is the file that remembers which accounts there are.
const watchlistName = "accounts"

// checkStateFiles checks that there is a file for each account and the one that lists
// them, for nobody else to read, and without external ids or addresses of owners.
func checkStateFiles(t *testing.T, dir string, accounts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s: got mode %s, want that of a file for its owner alone", file, info.Mode())
		}
		for _, id := range trusted() {
			if id != "" && strings.Contains(readFile(t, file), id) {
				t.Errorf("%s holds the external id %s", file, id)
			}
		}
		if strings.Contains(readFile(t, file), ownersDomain) {
			t.Errorf("%s holds the address of an account's owner", file)
		}
	}
	want := append(slices.Clone(accounts), watchlistName)
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("files on disk differ (-want +got):\n%s", diff)
	}
}
