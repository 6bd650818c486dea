//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

const organizationFile = "organization.yml"

// What is in the organization beside the accounts of the list.
const (
	ofOld = "000011112222" // an account that is suspended from the start

	initialRole = "arn:aws:iam::123456789012:role/exporter/initial"
	rootUnit    = "r-ab12"
	sandUnit    = "ou-ab12-sand1234"
	closingUnit = "ou-ab12-clos1234" // which is excluded

	ownersDomain = "only-for-aws.example" // of the owners' addresses, which nobody must see
)

// TestOrganization runs the exporter against an organization. The simulator has its
// accounts with their tags and units, creates, moves, suspends and removes them, and
// allows the exporter no more than the policies that it prints. What the simulator
// cannot do comes from the teller.
func TestOrganization(t *testing.T) {
	simulator := startMoto(t, "--organization", "--policies="+policiesFile(t))
	config := configFlag + organizationFile
	want := expect(t, simulator, config, "auto", "report")

	t.Run("source auto", func(t *testing.T) {
		m := newMeddler(t, asExporter(simulator))
		e := startExporter(t, m.aws, "--iam.source=auto", config)
		awaitSamples(t, want["auto"], e.samples)
		checkMetrics(t, e)
		checkHidden(t, e)
		checkAssumed(t, m)
	})
	t.Run("check-config", func(t *testing.T) { testCheckOrganization(t, simulator) })
	t.Run("coming and going", func(t *testing.T) { testComingAndGoing(t, simulator, want["report"]) })
}

// asExporter returns the environment with credentials that are allowed what the
// printed policies allow.
func asExporter(simulator environment) environment {
	return append(slices.Clone(simulator), "AWS_ACCESS_KEY_ID=AKIAOFTHEEXPORTER000")
}

// policiesFile returns a file of the policies that the exporter prints for the
// organization: of its own credentials, of the initial role, and of the role in each
// account.
func policiesFile(t *testing.T) string {
	t.Helper()
	all := map[string]json.RawMessage{}
	for _, audience := range []string{"caller", "hub", "member"} {
		all[audience] = run(t, nil, exporterBinary, "iam-policy", "--for="+audience, configFlag+organizationFile)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "policies.json")
	writeFile(t, file, string(text))
	return file
}

// checkHidden checks that neither the owners' addresses show, which Organizations
// tells of each account, nor external ids.
func checkHidden(t *testing.T, e *exporter) {
	t.Helper()
	secrets := []string{ownersDomain}
	for _, id := range trusted() {
		if id != "" {
			secrets = append(secrets, id)
		}
	}
	places := map[string]string{"the log": e.log.String()}
	for _, path := range []string{"/", "/metrics", "/accounts/" + legacy} {
		places[path] = e.page(t, path)
	}
	for place, text := range places {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %q", place, secret)
			}
		}
	}
}

// checkAssumed checks that no account is entered but those to be watched.
func checkAssumed(t *testing.T, m *meddler) {
	t.Helper()
	want, got := slices.Sorted(maps.Keys(trusted())), slices.Sorted(maps.Keys(m.assumed()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the roles that are assumed differ (-want +got):\n%s", diff)
	}
}

// testCheckOrganization has the command say who is watched, and why.
func testCheckOrganization(t *testing.T, simulator environment) {
	m := newMeddler(t, asExporter(simulator))
	m.teller.tell(production, map[string]any{"State": nil})          // what remains is its Status
	m.teller.tell(tiny, map[string]any{"State": nil, "Status": nil}) // nothing remains
	m.teller.tell("222233334444", map[string]any{"State": "PENDING_CLOSURE"})
	const want = `id            name          ou                                  state            role                    watched  why
000011112222  sand-of-old   r-ab12/Sand & Gravel                suspended        audit/aws-iam-exporter  no       suspended; otherwise included by include[2] (name sand*)
012345678901  production    r-ab12/Production                   active           audit/aws-iam-exporter  yes      included by include[1] (ou ou-ab12-prod1234)
111122223333  legacy & old  r-ab12/Production/ou-ab12-shop1234  active           legacy-audit            yes      included by include[1] (ou ou-ab12-prod1234)
123456789012  hub           r-ab12                              active           own                     yes      included by include[0] (id 123456789012)
222233334444  sandbox       r-ab12/Sand & Gravel                pending_closure  audit/aws-iam-exporter  no       pending closure; otherwise included by include[2] (name sand*)
333344445555  größe ✓       r-ab12/Sand & Gravel                active           audit/aws-iam-exporter  yes      included by include[3] (tag stage=te?t)
444455556666  tiny          r-ab12                              unknown          audit/deep/er/no-id     yes      included by include[4] (name t?ny, ou r-ab12); its state is not known
555566667777  of-others     r-ab12/Production                   active           audit/aws-iam-exporter  no       excluded by exclude[0]: watched by somebody else
666677778888  winding-up    r-ab12/Closing                      active           audit/aws-iam-exporter  no       excluded by exclude[1]: being wound up
777788889999  sand-off      r-ab12                              active           audit/aws-iam-exporter  no       excluded by exclude[2] (tag Stage=off)
888899990000  sand-web      r-ab12/Sand & Gravel                active           audit/aws-iam-exporter  no       excluded by exclude[3] (ou ou-ab12-sand1234, tag team=w*)
999900001111  unasked-for   r-ab12                              active           audit/aws-iam-exporter  no       not in include
override for 000000000001: no such account is in organization o-.
accounts: 12, watched: 5
cost: .
`
	got := string(run(t, m.aws, exporterBinary, "check-config", organizationFile, "--accounts"))
	// The simulator chooses the organization's id; the cost has tests of its own.
	got = regexp.MustCompile(`(organization o-|cost: )\S.*`).ReplaceAllString(got, "$1.")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the accounts differ (-want +got):\n%s", diff)
	}
	if roles := m.assumed(); len(roles) != 1 {
		t.Errorf("got roles assumed: %v, want the initial role alone", slices.Collect(maps.Keys(roles)))
	}

	t.Run("an include that matches nobody", func(t *testing.T) {
		const file = "account_defaults: {role: audit, initial_role: '%s'}\norganization:\n  include: [{name: 'sand*'}, {name: 'sandy*'}]\n"
		named := writeConfig(t, fmt.Sprintf(file, initialRole))
		refused(t, m.aws, named, named+":3: organization.include[1]", "name sandy*")
	})
	t.Run("nobody's policy", func(t *testing.T) { // that of the own credentials does not let them ask
		refused(t, m.aws, writeConfig(t, "account_defaults: {role: audit}\norganization: {}\n"), "organizations:DescribeOrganization", "not authorized")
	})
	t.Run("a list that is denied", func(t *testing.T) {
		m.teller.fail(listDenied)
		refused(t, m.aws, organizationFile, "organizations:ListAccounts")
	})
}

// refused checks that the command fails, and what it says.
func refused(t *testing.T, env environment, file string, says ...string) {
	t.Helper()
	_, stderr := runFailing(t, "env", append(slices.Clone(env), exporterBinary, "check-config", file, "--accounts")...)
	for _, text := range says {
		if !strings.Contains(stderr, text) {
			t.Errorf("want %q in what it says, got:\n%s", text, stderr)
		}
	}
}

// life is an organization in which accounts come and go, and an exporter that
// watches it.
type life struct {
	*exporter
	simulator environment
	m         *meddler
	dir       string // of the exporter's state
	admin     *organizations.Client
	created   string // the account that has come
}

func (l *life) start(t *testing.T) {
	l.exporter = startExporter(t, l.m.aws, "--iam.source=report", configFlag+organizationFile, "--state.dir="+l.dir, "--iam.timeout=2s")
}

// testComingAndGoing has accounts come and go, lists fail, and the exporter restart
// while nobody lists anything.
func testComingAndGoing(t *testing.T, simulator environment, want samples) {
	l := &life{
		simulator: simulator, m: newMeddler(t, asExporter(simulator)), dir: filepath.Join(t.TempDir(), "state"),
		admin: organizations.New(organizations.Options{
			BaseEndpoint: aws.String(simulator.endpoint()), Region: "us-east-1",
			Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", ""),
		}),
	}
	l.start(t)
	awaitSamples(t, want, l.samples)
	l.checkRemoved(t, nil)

	l.create(t)
	later := l.change(t, want)
	later = l.close(t, later)
	l.failLists(t, later)
	l.restart(t, later)
	l.comeBack(t, want, later)
}

// create has an account come.
func (l *life) create(t *testing.T) {
	t.Helper()
	out, err := l.admin.CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: aws.String("sand new"), Email: aws.String("new@" + ownersDomain),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.created = aws.ToString(out.CreateAccountStatus.AccountId)
	wantReload(t, l.exporter, http.StatusOK, "")
	eventually(t, time.Minute, l.serves(samples{
		upOf(l.created): 1,
		fmt.Sprintf(`aws_iam_account_info{account_id=%q, account_name="sand new", ou_path="r-ab12", partition="aws", state="active"}`, l.created): 1,
	}))
}

// change moves accounts, suspends one and has one leave, and returns what must be
// served then: facts of the suspended account are those that were known, and all others
// those that can be read.
func (l *life) change(t *testing.T, want samples) samples {
	t.Helper()
	began := time.Now()
	l.move(t, l.created, rootUnit, sandUnit)
	l.move(t, noAlias, sandUnit, closingUnit)
	_, closing := l.admin.CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: aws.String(sandbox)})
	_, leaving := l.admin.RemoveAccountFromOrganization(t.Context(), &organizations.RemoveAccountFromOrganizationInput{AccountId: aws.String(tiny)})
	if err := errors.Join(closing, leaving); err != nil {
		t.Fatal(err)
	}
	later := expect(t, l.simulator, configFlag+organizationFile, "report")["report"]
	kept := want.of(sandbox)
	maps.DeleteFunc(kept, func(series string, _ float64) bool {
		return series == upOf(sandbox) || strings.HasPrefix(series, "aws_iam_account_info{")
	})
	maps.Copy(later, kept)

	signal(t, l.exporter, syscall.SIGHUP)
	awaitSamples(t, later, l.samples)
	removed := l.checkRemoved(t, map[string]watchlist.Reason{noAlias: watchlist.Excluded, tiny: watchlist.LeftOrganization})
	for series, at := range removed {
		if at := time.UnixMilli(int64(at * 1000)); at.Before(began.Truncate(time.Millisecond)) || at.After(time.Now()) {
			t.Errorf("%s: got %s, want a time since %s", series, at, began)
		}
	}
	got, err := l.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for series := range got.of(sandbox) {
		if strings.HasPrefix(series, "aws_iam_account_facts_stale_") {
			t.Errorf("%s is served, though nothing new is to come of a suspended account", series)
		}
	}
	return later
}

func (l *life) move(t *testing.T, id, from, to string) {
	t.Helper()
	_, err := l.admin.MoveAccount(t.Context(), &organizations.MoveAccountInput{
		AccountId: aws.String(id), SourceParentId: aws.String(from), DestinationParentId: aws.String(to),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// close has the suspended account closed for good, and returns what must be served then.
func (l *life) close(t *testing.T, want samples) samples {
	t.Helper()
	l.m.teller.tell(sandbox, map[string]any{"State": "CLOSED"})
	signal(t, l.exporter, syscall.SIGHUP)
	want = maps.Clone(want)
	for series := range want.of(sandbox) {
		delete(want, series)
	}
	awaitSamples(t, want, l.samples)
	l.checkRemoved(t, l.gone())
	return want
}

// gone are the accounts that are watched no longer in the end.
func (l *life) gone() map[string]watchlist.Reason {
	return map[string]watchlist.Reason{noAlias: watchlist.Excluded, tiny: watchlist.LeftOrganization, sandbox: watchlist.Closed}
}

// checkRemoved checks which accounts are said to have been removed, and why, and
// returns the series.
func (l *life) checkRemoved(t *testing.T, want map[string]watchlist.Reason) samples {
	t.Helper()
	got, err := l.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var series []string
	for id, reason := range want {
		series = append(series, fmt.Sprintf(`aws_iam_account_removed_timestamp_seconds{account_id=%q, reason=%q}`, id, reason))
	}
	slices.Sort(series)
	if diff := cmp.Diff(series, slices.Sorted(maps.Keys(got.removed()))); diff != "" {
		t.Errorf("removed accounts differ (-want +got):\n%s", diff)
	}
	return got.removed()
}

// removed keeps what is said about removed accounts.
func (s samples) removed() samples {
	kept := maps.Clone(s)
	maps.DeleteFunc(kept, func(series string, _ float64) bool {
		return !strings.HasPrefix(series, "aws_iam_account_removed_timestamp_seconds{")
	})
	return kept
}

const listedSeries = `aws_iam_exporter_discovery_success_timestamp_seconds`

// failLists has lists fail in several ways, each of which must leave all accounts as
// they were.
func (l *life) failLists(t *testing.T, want samples) {
	t.Helper()
	before, err := l.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fault listingFault
		says  string
	}{
		{listDenied, "organizations:ListAccounts"},
		{listHalf, "InvalidInputException"},
		{listLacks, hub},
		{listOther, otherOrganization},
	} {
		l.m.teller.fail(c.fault)
		signal(t, l.exporter, syscall.SIGHUP)
		eventually(t, time.Minute, func(context.Context) error {
			if said := l.complaints(c.says); len(said) != 1 {
				return fmt.Errorf("%s: the log says %q, want one line with %s", c.fault, said, c.says)
			}
			return nil
		})
		if page := l.page(t, "/"); !strings.Contains(page, c.says) {
			t.Errorf("%s: the page does not say %s", c.fault, c.says)
		}
		after, err := l.samples(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lines := compare(want, after.facts()); len(lines) > 0 {
			t.Errorf("%s: facts differ:\n%s", c.fault, summary(lines))
		}
		if diff := cmp.Diff(before.removed(), after.removed()); diff != "" || after[listedSeries] != before[listedSeries] {
			t.Errorf("%s: listed at %v, want %v; removals differ (-want +got):\n%s", c.fault, after[listedSeries], before[listedSeries], diff)
		}
	}
}

// complaints returns the lines of the log that say that the organization could not be
// listed.
func (e *exporter) complaints(why string) []string {
	var said []string
	for line := range strings.Lines(e.log.String()) {
		if strings.Contains(line, "Listing the organization failed") && strings.Contains(line, why) {
			said = append(said, line)
		}
	}
	return said
}

// restart ends the exporter and starts it while nobody says which accounts there are:
// it must know them, and who was removed, and read them.
func (l *life) restart(t *testing.T, want samples) {
	t.Helper()
	before, err := l.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.m.teller.fail(listSilent)
	signal(t, l.exporter, syscall.SIGHUP)
	if code := l.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	checkStateFiles(t, l.dir, append(allAccounts(), l.created))
	l.start(t)
	after := l.first(t)
	said := maps.Clone(after)
	for series := range want { // not known before AWS has answered
		if strings.HasPrefix(series, "aws_iam_account_up{") {
			said[series] = 1
		}
	}
	if lines := compare(want, said.facts()); len(lines) > 0 {
		t.Errorf("the first scrape after the restart differs:\n%s", summary(lines))
	}
	if diff := cmp.Diff(before.removed(), after.removed()); diff != "" || after[listedSeries] != before[listedSeries] {
		t.Errorf("after the restart, listed at %v, want %v; removals differ (-before +after):\n%s", after[listedSeries], before[listedSeries], diff)
	}
	awaitSamples(t, want, l.samples)
	if page := l.page(t, "/accounts/"+ofOld); !strings.Contains(page, "sand-of-old") {
		t.Error("the suspended account has no page after the restart")
	}
}

// comeBack has lists answered again, and an account come back that was excluded.
func (l *life) comeBack(t *testing.T, before, want samples) {
	t.Helper()
	l.m.teller.fail("")
	l.move(t, noAlias, closingUnit, sandUnit)
	signal(t, l.exporter, syscall.SIGHUP)
	want = maps.Clone(want)
	maps.Copy(want, before.of(noAlias))
	awaitSamples(t, want, l.samples)
	gone := l.gone()
	delete(gone, noAlias)
	l.checkRemoved(t, gone)
	if page := l.page(t, "/"); strings.Contains(page, "try to list the organization failed") {
		t.Error("the page still says that the organization cannot be listed")
	}
	checkHidden(t, l.exporter)
}
