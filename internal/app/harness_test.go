package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

var update = flag.Bool("update", false, "rewrite the golden files and the documents' tables about the program")

const day = 24 * time.Hour

// What must never show: the caller's credentials, and what AWS, or somebody in
// its place, sent.
const (
	callerKeyID  = "ASIACALLERCALLERX7QZ"
	callerSecret = "s3cr3t+of/the+caller"
	callerToken  = "t0k3n+of/the+session"
	rawContent   = "c0nt3nt-of-a-raw-answer"
)

// caller provides the exporter's credentials until they run out.
type caller struct{ failing atomic.Bool }

func (c *caller) Retrieve(context.Context) (aws.Credentials, error) {
	if c.failing.Load() {
		return aws.Credentials{}, errors.New("no credentials: the role's session is over")
	}
	return aws.Credentials{AccessKeyID: callerKeyID, SecretAccessKey: callerSecret, SessionToken: callerToken}, nil
}

// logText is a log that can be read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// exporter is the wired program on a made-up account, without its listeners.
type exporter struct {
	t       *testing.T
	world   *awssim.World
	caller  *caller
	program *program
	web     web.Options
	handler http.Handler
	log     logText
	scraped string // what the last scrape was served
	peeked  int    // reports that the test itself asked the world for
	stop    func() // ends the refreshes and waits for that
}

// keyAge asks for the ages of keys, which are served by default. The harness leaves them
// out: to render them each minute takes most of the time of a simulated day.
const keyAge = "--metrics.key-age"

// start runs the exporter, with a log of everything, until the test ends. It is
// to be called in a synctest bubble.
func start(t *testing.T, world *awssim.World, args ...string) *exporter {
	t.Helper()
	return startThrough(t, world, world.Transport(), args...)
}

// startThrough is start with a transport of its own between exporter and world.
func startThrough(t *testing.T, world *awssim.World, transport http.RoundTripper, args ...string) *exporter {
	t.Helper()
	caller, config := &caller{}, world.Config()
	config.Credentials, config.HTTPClient = caller, &http.Client{Transport: transport}
	e := startFrom(t, world, awsSource{config: config}, args...)
	e.caller = caller
	return e
}

// startFrom is start with another way to the world.
func startFrom(t *testing.T, world *awssim.World, from awsSource, args ...string) *exporter {
	t.Helper()
	var output bytes.Buffer
	if !slices.Contains(args, keyAge) {
		args = append(args, "--no-metrics.key-age")
	}
	s, _, err := parse(append([]string{"--log.level=debug"}, args...), &output, &output)
	if err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	e := &exporter{t: t, world: world}
	p := must[*program](t)(wire(from, s, s.logger(&e.log)))
	e.program, e.web = p, p.web
	withoutProcess(t, e.web.Gatherer)
	e.handler = web.Handler(e.web)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.run(ctx) }()
	e.stop = func() { cancel(); <-done }
	t.Cleanup(e.stop)
	return e
}

// withoutProcess leaves out what the process and Go tell of themselves. It is
// nothing that we say, and asking for it at each scrape takes long.
func withoutProcess(t *testing.T, gatherer prometheus.Gatherer) {
	t.Helper()
	registry := gatherer.(*prometheus.Registry)
	if !registry.Unregister(collectors.NewGoCollector()) || !registry.Unregister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})) {
		t.Fatal("the process and Go tell nothing of themselves")
	}
}

// get returns the status and body that the exporter answers with.
func (e *exporter) get(path string) (int, string) {
	synctest.Wait()
	answer := httptest.NewRecorder()
	answer.Body.Grow(2 * len(e.scraped)) // to grow little by little copies a lot
	e.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer.Code, answer.Body.String()
}

// exposition is what a scrape serves: the value of each series, which is
// written as name{label="value",…} with its labels in alphabetical order.
type exposition map[string]float64

// scrape asks for /metrics, which must succeed.
func (e *exporter) scrape() exposition {
	e.t.Helper()
	status, body := e.get("/metrics")
	if status != http.StatusOK {
		e.t.Fatalf("/metrics answers %d: %s", status, body)
	}
	e.scraped = body
	x := exposition{}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndex(line, " ")
		value, err := strconv.ParseFloat(strings.TrimSpace(line[space:]), 64)
		if err != nil {
			e.t.Fatalf("parse sample %q: %v", line, err)
		}
		if _, twice := x[line[:space]]; twice {
			e.t.Fatalf("/metrics has %s twice", line[:space])
		}
		x[line[:space]] = value
	}
	return x
}

// lint checks that Prometheus's own parser takes what the last scrape was
// served, and that promlint finds nothing wrong with it.
func (e *exporter) lint() {
	e.t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(e.scraped))
	if err != nil || len(families) == 0 {
		e.t.Fatalf("parse %d families of /metrics: %v", len(families), err)
	}
	for _, family := range families {
		family.Metric = onePerKind(family.Metric)
	}
	problems, err := promlint.NewWithMetricFamilies(slices.Collect(maps.Values(families))).Lint()
	if err != nil || len(problems) > 0 {
		e.t.Errorf("lint /metrics: %v, %v", problems, err)
	}
}

// onePerKind returns one metric of each set of label names. Promlint judges
// names, and compares each two metrics of a family to find those that are there
// twice, which takes long and which scrape has looked for.
func onePerKind(metrics []*dto.Metric) []*dto.Metric {
	kinds := map[string]bool{}
	return slices.DeleteFunc(metrics, func(m *dto.Metric) bool {
		var names strings.Builder
		for _, label := range m.Label {
			names.WriteString(label.GetName() + ",")
		}
		kind := names.String()
		defer func() { kinds[kind] = true }()
		return kinds[kind]
	})
}

// only returns the series whose names begin with one of the prefixes.
func (x exposition) only(prefixes ...string) exposition {
	some := maps.Clone(x)
	maps.DeleteFunc(some, func(series string, _ float64) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(series, prefix) {
				return false
			}
		}
		return true
	})
	return some
}

// facts returns what is served about users, keys, root and findings, without the
// ages, which depend on the clock and not on AWS.
func (x exposition) facts() exposition {
	facts := x.only("aws_iam_user_", "aws_iam_access_key_", "aws_iam_root_", "aws_iam_finding_",
		"aws_iam_account_users{", "aws_iam_account_console_users", "aws_iam_account_never_used_access_keys")
	maps.DeleteFunc(facts, func(series string, _ float64) bool {
		return strings.HasPrefix(series, "aws_iam_access_key_age_seconds")
	})
	return facts
}

// find returns the series of that name that have all of the labels, each
// written as label="value".
func (x exposition) find(name string, labels ...string) exposition {
	found := exposition{}
	for series, value := range x {
		matches := series == name || strings.HasPrefix(series, name+"{")
		for _, label := range labels {
			matches = matches && strings.Contains(series, label)
		}
		if matches {
			found[series] = value
		}
	}
	return found
}

// value returns the value of the one series of that name with the labels, and
// whether there is exactly one.
func (x exposition) value(name string, labels ...string) (float64, bool) {
	found := x.find(name, labels...)
	for _, value := range found {
		return value, len(found) == 1
	}
	return 0, false
}

// finds reports whether there is a finding about the user under the rule.
func (x exposition) finds(rule, user string) bool {
	return len(x.find("aws_iam_finding_since_timestamp_seconds", `rule="`+rule+`"`, `user_name="`+user+`"`)) > 0
}

// must ends the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// builder makes up users; times are given as how long ago they were.
type builder struct {
	t     *testing.T
	world *awssim.World
	now   time.Time
}

func (b builder) ago(d time.Duration) time.Time { return b.now.Add(-d) }

func (b builder) user(name, path string, created time.Duration) {
	b.t.Helper()
	must[string](b.t)(b.world.CreateUser(name, path, b.ago(created)))
}

func (b builder) console(name string, since time.Duration, mfa bool) {
	b.t.Helper()
	check(b.t, b.world.SetPassword(name, b.ago(since)))
	if mfa {
		must[string](b.t)(b.world.AddMFA(name, b.ago(since)))
	}
}

// key makes an active key; used is negative for a key that was never used.
func (b builder) key(name string, created, used time.Duration) string {
	b.t.Helper()
	id := must[string](b.t)(b.world.CreateKey(name, b.ago(created)))
	if used >= 0 {
		check(b.t, b.world.UseKey(id, awssim.Use{At: b.ago(used), Service: "s3", Region: "eu-west-1"}))
	}
	return id
}

func (b builder) status(key string, status types.StatusType) {
	b.t.Helper()
	check(b.t, b.world.SetKeyStatus(key, status))
}

const never = -1

// town is an account with one user of every kind. Three of its users come to
// be in violation within the 12 hours after now, and nobody in the 24 after those.
func town(t *testing.T, now time.Time, options awssim.Options) *awssim.World {
	t.Helper()
	options.Seed, options.KeysPerUser = 1, 3
	if options.Created.IsZero() {
		options.Created = now.Add(-2000 * day)
	}
	b := builder{t, awssim.New(options), now}

	b.user("alice", "/people/", 400*day)
	b.console("alice", 399*day, true)
	check(t, b.world.SignIn("alice", b.ago(day)))
	b.user("bob", "/people/", 300*day) // every rule of console users but the setup key
	b.console("bob", 300*day, false)
	b.key("bob", 91*day, 2*day)
	b.key("bob", 60*day, never)
	b.user("bobby", "/people/", 200*day)
	b.key("bobby", 20*day, 3*day)
	b.user("carol", "/people/team/", 30*day)
	b.console("carol", 30*day, true)
	b.key("carol", 30*day-time.Minute, never) // made at user setup
	b.user("dave", "/", 100*day)
	b.key("dave", 50*day, never)
	b.user("erin", "/", 100*day)
	b.status(b.key("erin", 95*day, 90*day), types.StatusTypeInactive)
	b.user("frank", "/", 100*day) // more keys than a report shows
	b.key("frank", 70*day, day)
	b.status(b.key("frank", 60*day, day), types.StatusTypeExpired)
	b.key("frank", 40*day, 2*day)
	b.user("grace", "/", 100*day) // rotates
	b.key("grace", 80*day, time.Hour)
	b.key("grace", 2*day, never)
	b.user("heidi", "/", 100*day) // took too long to
	b.key("heidi", 60*day, day)
	b.key("heidi", 10*day, day)
	b.user("ivan", "/", 100*day) // two keys of one second
	b.key("ivan", 50*day, 10*day)
	b.status(b.key("ivan", 50*day, never), types.StatusTypeInactive)
	b.user("judy", "/", 100*day) // lost her password
	b.console("judy", 99*day, true)
	check(t, b.world.SignIn("judy", b.ago(9*day)))
	check(t, b.world.RemovePassword("judy"))
	b.key("judy", 30*day, day)
	b.user("nobody", "/", 1000*day)
	b.user("svc+ci@example.com", "/service/", 900*day)
	b.key("svc+ci@example.com", 800*day, 700*day)

	b.user("soon-idle", "/", 100*day)
	b.key("soon-idle", 60*day, 45*day-8*time.Hour)
	b.user("soon-old", "/", 100*day)
	b.key("soon-old", 90*day-6*time.Hour, day)
	b.user("soon-two", "/", 100*day)
	b.key("soon-two", 30*day, day)
	b.key("soon-two", 7*day-10*time.Hour, day)

	b.key(awssim.Root, 1500*day, 1400*day)
	check(t, b.world.SignIn(awssim.Root, b.ago(365*day)))
	tagTown(b)
	return b.world
}

// tagTown gives users tags of every kind that configurations know, and policies
// that nobody but AWS may ever see.
func tagTown(b builder) {
	b.t.Helper()
	for user, tags := range map[string]map[string]string{
		"alice": {"Owner": "people", "cost-center": "CC 1/2 = é"},
		"bob":   {"Owner": "no owner", "team": "web"},
		"bobby": {"team": "data", "kind": "machine"},
		// Nowhere in IAM do keys differ by case alone.
		"carol":              {"owner": "", "team": "web", "exempt": "key_created_at_user_setup until 2100-12-31 made by the installer"},
		"ivan":               {"exempt": "please"},
		"svc+ci@example.com": {"kind": "machine", "Owner": "ci"},
	} {
		for key, value := range tags {
			check(b.t, b.world.TagUser(user, key, value))
		}
		check(b.t, b.world.PutUserPolicy(user, "inline", rawContent))
	}
	grace, _ := b.world.User("grace")
	check(b.t, b.world.TagUser("grace", grace.Keys[0].ID, "the old one"))
}

// tagSource is how the source reads tags in the tests: each way is some source's.
func tagSource(source awsapi.Source) awsapi.TagSource {
	if source == awsapi.SourceLive {
		return awsapi.TagsFromListUserTags
	}
	return awsapi.TagsFromAuthorizationDetails
}

// configured names the configuration under which the source reads tags.
func configured(source awsapi.Source) string {
	if tagSource(source) == awsapi.TagsFromListUserTags {
		return "--config.file=testdata/configuration/one-by-one.yml"
	}
	return "--config.file=testdata/configuration/at-once.yml"
}

// needsOf are the operations that the source needs under that configuration.
func needsOf(source awsapi.Source) []awsapi.Operation {
	return awsapi.OperationsFor(awsapi.Needs{Source: source, Tags: tagSource(source)})
}

// eachSource runs the test for each source, in a bubble of its own.
func eachSource(t *testing.T, test func(*testing.T, awsapi.Source)) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, source) })
		})
	}
}
