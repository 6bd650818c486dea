package awsapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const timeout = 10 * time.Second

// roundTripper answers requests with a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newClient(cfg aws.Config, source awsapi.Source) *awsapi.Client {
	return newClientFor(cfg, awsapi.Needs{Source: source})
}

func newClientFor(cfg aws.Config, needs awsapi.Needs) *awsapi.Client {
	return awsapi.New(cfg, awsapi.NewShared(1e6), awsapi.Options{Needs: needs, Rate: 1e6, Timeout: timeout})
}

// everyNeed returns all combinations of sources.
func everyNeed() map[string]awsapi.Needs {
	needs := map[string]awsapi.Needs{}
	for _, source := range awsapi.Sources() {
		needs[string(source)] = awsapi.Needs{Source: source}
		needs[string(source)+", named"] = awsapi.Needs{Source: source, Named: true}
		for _, tags := range awsapi.TagSources() {
			needs[string(source)+" with "+string(tags)] = awsapi.Needs{Source: source, Tags: tags}
		}
	}
	return needs
}

// operationsOf returns the names of the operations that an SDK client has.
func operationsOf(client any) []string {
	var names []string
	for method := range reflect.TypeOf(client).Methods() {
		takes := method.Type // receiver, context, input, options
		if takes.NumIn() == 4 && takes.In(2).Kind() == reflect.Pointer && takes.In(2).Elem().Name() == method.Name+"Input" {
			names = append(names, method.Name)
		}
	}
	return names
}

// call calls the operation with an empty input.
func call(ctx context.Context, client any, operation string) error {
	method := reflect.ValueOf(client).MethodByName(operation)
	input := reflect.New(method.Type().In(1).Elem())
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	err, _ := results[1].Interface().(error)
	return err
}

func TestGuardRefusesWhatTheTableDoesNotList(t *testing.T) {
	for name, needs := range everyNeed() {
		t.Run(name, func(t *testing.T) {
			sent := 0
			cfg := awssim.New(awssim.Options{}).Config()
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				sent++
				return nil, errors.New("nothing may be sent")
			})}
			client := newClientFor(cfg, needs)
			allowed := map[string]bool{}
			for _, o := range awsapi.OperationsFor(needs) {
				allowed[o.Service+":"+o.Name] = true
			}
			checked := map[string]int{}
			for service, api := range map[string]any{awsapi.ServiceIAM: client.IAM, awsapi.ServiceSTS: client.STS} {
				for _, operation := range operationsOf(api) {
					checked[service]++
					if allowed[service+":"+operation] {
						delete(allowed, service+":"+operation)
						continue
					}
					err := call(t.Context(), api, operation)
					want := fmt.Sprintf("refuse %s:%s: not among the operations that source %q may call", service, operation, needs.Source)
					if err == nil || err.Error() != want {
						t.Errorf("error: got %v, want %s", err, want)
					}
				}
			}
			if sent > 0 {
				t.Errorf("requests: got %d, want none", sent)
			}
			if len(allowed) > 0 {
				t.Errorf("not among the SDK's operations: %v", allowed)
			}
			if checked[awsapi.ServiceIAM] < 150 || checked[awsapi.ServiceSTS] < 8 {
				t.Errorf("operations found: got %v, want all of IAM's and STS's", checked)
			}
		})
	}
}

// TestGuardLetsTheTableThrough also holds the table to operations that read.
func TestGuardLetsTheTableThrough(t *testing.T) {
	for name, needs := range everyNeed() {
		for _, o := range awsapi.OperationsFor(needs) {
			t.Run(name+" "+o.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := newClientFor(awssim.New(awssim.Options{}).Config(), needs)
					api := map[string]any{awsapi.ServiceIAM: client.IAM, awsapi.ServiceSTS: client.STS}[o.Service]
					if err := call(t.Context(), api, o.Name); err != nil && strings.Contains(err.Error(), "refuse ") {
						t.Error(err)
					}
				})
				reads := strings.HasPrefix(o.Name, "Get") || strings.HasPrefix(o.Name, "List") || o.Name == "GenerateCredentialReport"
				if !reads {
					t.Errorf("%s does not look like an operation that reads", o.Name)
				}
			})
		}
	}
}

// TestTagsComeFromWhereTheyAreWanted changes the source of tags while the
// client is in use, as a new configuration does.
func TestTagsComeFromWhereTheyAreWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		if _, err := world.CreateUser("alice", "/", time.Now()); err != nil {
			t.Fatal(err)
		}
		shared := awsapi.NewShared(1e6)
		client := awsapi.New(world.Config(), shared, awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1e6, Timeout: timeout})
		asked := map[awsapi.TagSource]uint64{}
		for _, tags := range []awsapi.TagSource{
			awsapi.NoTags, awsapi.TagsFromAuthorizationDetails, awsapi.TagsFromListUserTags, awsapi.TagsFromAuthorizationDetails, awsapi.NoTags,
		} {
			client.SetTags(tags)
			if got, want := client.Needs(), (awsapi.Needs{Source: awsapi.SourceLive, Tags: tags}); got != want {
				t.Errorf("needs: got %+v, want %+v", got, want)
			}
			_, details := client.IAM.GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{})
			_, list := client.IAM.ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: aws.String("alice")})
			for source, err := range map[awsapi.TagSource]error{awsapi.TagsFromAuthorizationDetails: details, awsapi.TagsFromListUserTags: list} {
				refused := err != nil && strings.Contains(err.Error(), "refuse IAM:"+string(source)+":")
				if wanted := source == tags; wanted == refused || wanted && err != nil {
					t.Errorf("tags from %q: %s: got error %v", tags, source, err)
				}
			}
			if tags != awsapi.NoTags {
				asked[tags]++
			}
			mustCount(t, shared, tags, asked)
		}
		if got, want := world.Calls(), map[string]int{"GetAccountAuthorizationDetails": 2, "ListUserTags": 1}; !cmp.Equal(got, want) {
			t.Errorf("requests: got %v, want %v", got, want)
		}
	})
}

// mustCount asserts that of the two operations that read tags those are listed
// that are needed or were called, with the number of calls.
func mustCount(t *testing.T, shared *awsapi.Shared, needed awsapi.TagSource, asked map[awsapi.TagSource]uint64) {
	t.Helper()
	want := map[awsapi.TagSource]uint64{}
	for source, n := range asked {
		want[source] = n
	}
	if needed != awsapi.NoTags {
		want[needed] = asked[needed]
	}
	got := map[awsapi.TagSource]uint64{}
	for _, c := range shared.Calls() {
		if slices.Contains(awsapi.TagSources(), awsapi.TagSource(c.Operation)) {
			got[awsapi.TagSource(c.Operation)] = c.Requests
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls with tags from %q (-want +got):\n%s", needed, diff)
	}
}

func TestPresignedRequestsAreGuarded(t *testing.T) {
	client := newClient(awssim.New(awssim.Options{}).Config(), awsapi.SourceAuto)
	_, err := sts.NewPresignClient(client.STS).PresignAssumeRole(t.Context(), &sts.AssumeRoleInput{})
	if err == nil || !strings.Contains(err.Error(), "refuse STS:AssumeRole:") {
		t.Errorf("error: got %v, want a refusal", err)
	}
}

// arrivals notes when requests arrive at a world.
type arrivals struct {
	mu    sync.Mutex
	times []time.Time
}

func (a *arrivals) note() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
}

// most returns how many requests came within the time, at most.
func (a *arrivals) most(within time.Duration) int {
	most := 0
	for i, first := range a.times {
		n := 0
		for _, later := range a.times[i:] {
			if later.Sub(first) < within {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// summarize makes n calls at the same time and waits for all.
func summarize(ctx context.Context, n int, clients ...*awsapi.Client) error {
	var group errgroup.Group
	for i := range n {
		client := clients[i%len(clients)]
		group.Go(func() error {
			_, err := client.IAM.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
			return err
		})
	}
	return group.Wait()
}

func TestRateCountsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		var seen arrivals
		world.SetFault(func(string, int) http.HandlerFunc {
			seen.note()
			return awssim.Error(http.StatusInternalServerError, "ServiceFailure", "")
		})
		const limit = 5
		client := awsapi.New(world.Config(), awsapi.NewShared(1e6), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: limit, Timeout: timeout})
		if err := summarize(t.Context(), 40, client); err == nil {
			t.Error("error: got none, want the failure of every attempt")
		}
		if got, want := len(seen.times), 40*3; got != want {
			t.Errorf("attempts: got %d, want %d", got, want)
		}
		for _, seconds := range []int{1, 2, 10} {
			got, most := seen.most(time.Duration(seconds)*time.Second), limit+limit*seconds
			if got > most {
				t.Errorf("attempts within %ds: got %d, want at most %d", seconds, got, most)
			}
		}
	})
}

func TestClientsShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		shared := awsapi.NewShared(10)
		var clients []*awsapi.Client
		for range 2 {
			clients = append(clients, awsapi.New(world.Config(), shared, awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1000, Timeout: timeout}))
		}
		began := time.Now()
		if err := summarize(t.Context(), 100, clients...); err != nil {
			t.Fatal(err)
		}
		// 10 go at once, the other 90 at 10 a second.
		if took := time.Since(began).Round(time.Second); took != 9*time.Second {
			t.Errorf("100 requests of two clients: took %s, want 9s", took)
		}
	})
}

func TestThrottlingHalvesTheAccountsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		shared := awsapi.NewShared(1000)
		o := awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 10, Timeout: timeout}
		throttled, other := awsapi.New(world.Config(), shared, o), awsapi.New(world.Config(), shared, o)
		throttleFirst(world)
		if err := summarize(t.Context(), 1, throttled); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // the buckets are full again, 10 requests each
		for _, test := range []struct {
			name   string
			client *awsapi.Client
			want   time.Duration
		}{
			{"throttled account", throttled, 8 * time.Second},
			{"other account", other, 4 * time.Second},
		} {
			began := time.Now()
			if err := summarize(t.Context(), 50, test.client); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began).Round(time.Second); took != test.want {
				t.Errorf("%s: 50 requests took %s, want %s", test.name, took, test.want)
			}
		}
	})
}

func throttleFirst(world *awssim.World) {
	world.SetFault(func(_ string, n int) http.HandlerFunc {
		if n > 1 {
			return nil
		}
		return awssim.Error(http.StatusBadRequest, "Throttling", "Rate exceeded")
	})
}

func TestWaitingForTheRateEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		for name, client := range map[string]*awsapi.Client{
			"account": awsapi.New(world.Config(), awsapi.NewShared(1000), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 0.001, Timeout: timeout}),
			"process": awsapi.New(world.Config(), awsapi.NewShared(0.001), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1000, Timeout: timeout}),
		} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			if err := summarize(ctx, 1, client); err != nil { // takes the only token
				t.Fatalf("%s: %v", name, err)
			}
			began := time.Now()
			err := summarize(ctx, 1, client)
			if !errors.Is(err, context.Canceled) || time.Since(began) != time.Minute {
				t.Errorf("%s: got %v after %s, want cancellation after a minute", name, err, time.Since(began))
			}
		}
	})
}

func TestAttemptThatTimesOutIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(_ string, n int) http.HandlerFunc {
			if n == 1 {
				return awssim.Hang()
			}
			return nil
		})
		began := time.Now()
		if err := summarize(t.Context(), 1, newClient(world.Config(), awsapi.SourceLive)); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < timeout || took > timeout+5*time.Second {
			t.Errorf("took %s, want the time-out of %s and a short pause", took, timeout)
		}
	})
}

// TestStoppingIsNoTimeout stops while an answer is awaited: that is the caller's
// wish, neither slow AWS nor a reason to try again.
func TestStoppingIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(string, int) http.HandlerFunc { return awssim.Hang() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := summarize(ctx, 1, newClient(world.Config(), awsapi.SourceLive))
		if !errors.Is(err, context.Canceled) || awsapi.ReasonOf(err) == inventory.ReasonTimeout || time.Since(began) != time.Second {
			t.Errorf("got %v (%s) after %s, want cancellation after a second", err, awsapi.ReasonOf(err), time.Since(began))
		}
		if pause := new(aws.RequestCanceledError); errors.As(err, &pause) {
			t.Errorf("got %v, which is how a pause before another attempt ends, want no other attempt", err)
		}
	})
}

// hanging provides no credentials for an hour.
type hanging struct{}

func (hanging) Retrieve(context.Context) (aws.Credentials, error) {
	time.Sleep(time.Hour)
	return aws.Credentials{}, errors.New("an hour has passed")
}

// TestCredentialsThatHang are no slow AWS, to which nothing was sent.
func TestCredentialsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		config := world.Config()
		config.Credentials = aws.NewCredentialsCache(hanging{})
		shared := awsapi.NewShared(1000)
		client := awsapi.New(config, shared, awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1000, Timeout: timeout})
		began := time.Now()
		err := awsapi.Wrap("iam:GetAccountSummary", "the account", summarize(t.Context(), 1, client))
		const want = "call iam:GetAccountSummary for the account: no usable credentials were found: where they come from gave no answer within 10s; "
		if awsapi.ReasonOf(err) != inventory.ReasonCredentials || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %s, %v; want credentials, %s", awsapi.ReasonOf(err), err, want)
		}
		if took := time.Since(began); took != timeout {
			t.Errorf("took %s, want the time-out of %s", took, timeout)
		}
		for _, c := range shared.Calls() {
			if c.Requests+c.Errors > 0 {
				t.Errorf("%s: got %d requests and %d errors counted, want none", c.Operation, c.Requests, c.Errors)
			}
		}
		if len(world.Calls()) > 0 {
			t.Errorf("calls: got %v, want none", world.Calls())
		}
		time.Sleep(time.Hour)
	})
}

// TestRetriesHaveNoQuota fails, with the SDK's quota, after about 100 retries.
func TestRetriesHaveNoQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		world.SetFault(func(_ string, n int) http.HandlerFunc {
			if n%3 != 0 {
				return awssim.Error(http.StatusServiceUnavailable, "ServiceUnavailable", "")
			}
			return nil
		})
		client := newClient(world.Config(), awsapi.SourceLive)
		for i := range 300 {
			if err := summarize(t.Context(), 1, client); err != nil {
				t.Fatalf("call %d: %v", i+1, err)
			}
		}
		if got := world.Calls()["GetAccountSummary"]; got != 900 {
			t.Errorf("requests: got %d, want 900", got)
		}
	})
}

func TestCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		shared := awsapi.NewShared(1000)
		client := awsapi.New(world.Config(), shared, awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: 1000, Timeout: timeout})
		throttleFirst(world)
		if err := summarize(t.Context(), 2, client); err != nil {
			t.Fatal(err)
		}
		world.SetFault(nil)
		_, err := client.IAM.GetLoginProfile(t.Context(), &iam.GetLoginProfileInput{UserName: aws.String("nobody")})
		if !awsapi.IsNoSuchEntity(err) {
			t.Fatalf("error: got %v, want NoSuchEntity", err)
		}
		world.SetFault(func(string, int) http.HandlerFunc {
			return awssim.Error(http.StatusForbidden, "AccessDenied", "")
		})
		if _, err := client.IAM.ListUsers(t.Context(), &iam.ListUsersInput{}); err == nil {
			t.Fatal("error: got none, want AccessDenied")
		}
		want := []inventory.Calls{
			{Service: "STS", Operation: "GetCallerIdentity"},
			{Service: "IAM", Operation: "ListAccountAliases"},
			{Service: "IAM", Operation: "ListUsers", Requests: 1, Errors: 1},
			{Service: "IAM", Operation: "ListAccessKeys"},
			{Service: "IAM", Operation: "GetAccessKeyLastUsed"},
			{Service: "IAM", Operation: "GetLoginProfile", Requests: 1}, // an answer, not an error
			{Service: "IAM", Operation: "ListMFADevices"},
			{Service: "IAM", Operation: "GetAccountSummary", Requests: 3, Errors: 1, Throttles: 1},
		}
		if diff := cmp.Diff(want, shared.Calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		shared.Calls()[0].Requests = 99 // a copy
		if got := shared.Calls()[0].Requests; got != 0 {
			t.Errorf("requests: got %d, want 0", got)
		}
	})
}

func TestUserAgentNamesTheApplication(t *testing.T) {
	world := awssim.New(awssim.Options{})
	var agents []string
	cfg := world.Config()
	cfg.AppID = "aws_iam_exporter"
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		agents = append(agents, r.UserAgent())
		return world.Transport().RoundTrip(r)
	})}
	client := newClient(cfg, awsapi.SourceAuto)
	if _, err := client.IAM.ListUsers(t.Context(), &iam.ListUsersInput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.STS.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatal(err)
	}
	if len(agents) != 2 {
		t.Fatalf("requests: got %d, want 2", len(agents))
	}
	for _, agent := range agents {
		if !slices.Contains(strings.Fields(agent), "app/aws_iam_exporter") {
			t.Errorf("user agent: got %q, want app/aws_iam_exporter in it", agent)
		}
	}
}

func TestAccountRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(awssim.Options{})
		client := awsapi.New(world.Config(), awsapi.NewShared(1000), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceLive}, Rate: rate.Limit(5), Timeout: timeout})
		began := time.Now()
		if err := summarize(t.Context(), 55, client); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("55 requests took %s, want 10s at 5 a second after the first 5", took)
		}
	})
}
