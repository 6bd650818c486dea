package awsiam

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	refreshInterval = 5 * time.Minute
	keysInterval    = time.Hour
)

// harness is a reader of a simulated account, on synctest's clock.
type harness struct {
	*testing.T
	world   *awssim.World
	process *awsapi.Process
	reader  *Reader
}

// inBubble runs the test with a reader of an empty account.
func inBubble(t *testing.T, source awsapi.Source, o awssim.Options, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world := awssim.New(o)
		h := &harness{T: t, world: world, process: awsapi.NewProcess(awsapi.Needs{Source: source}, 1e6)}
		h.reader = New(h.client(1e6), Options{Source: source, RefreshInterval: refreshInterval, KeysInterval: keysInterval})
		test(h)
	})
}

func (h *harness) client(limit rate.Limit) *awsapi.Client {
	return awsapi.New(h.world.Config(), h.process, awsapi.Options{Rate: limit, Timeout: 10 * time.Second})
}

func nobody(string) bool { return false }

// refresh does what happens in one refresh interval, with nobody in breach.
func (h *harness) refresh() *inventory.Snapshot {
	next := time.Now().Add(refreshInterval)
	h.reader.Refresh(h.Context())
	h.reader.Sweep(h.Context(), next, nobody, func() {})
	time.Sleep(time.Until(next))
	return h.reader.Snapshot()
}

// user adds a user 100 days old.
func (h *harness) user(name string) {
	h.Helper()
	_, err := h.world.CreateUser(name, "/", time.Now().Add(-100*day))
	h.ok(err)
}

// key adds a key 50 days old.
func (h *harness) key(user string) string {
	h.Helper()
	return h.keyOf(user, time.Now().Add(-50*day))
}

func (h *harness) keyOf(user string, created time.Time) string {
	h.Helper()
	id, err := h.world.CreateKey(user, created)
	h.ok(err)
	return id
}

// password gives the user one, 99 days old.
func (h *harness) password(user string) {
	h.Helper()
	h.ok(h.world.SetPassword(user, time.Now().Add(-99*day)))
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// calls returns how often the operation was called since the last time.
func (h *harness) calls(operation string) int {
	n := h.world.Calls()[operation]
	h.world.ResetCalls()
	return n
}

// fail answers the operation with a fault; "" stands for all.
func (h *harness) fail(operation string, fault http.HandlerFunc) {
	h.world.SetFault(func(called string, _ int) http.HandlerFunc {
		if operation == "" || called == operation {
			return fault
		}
		return nil
	})
}

func denied() http.HandlerFunc {
	return awssim.Error(http.StatusForbidden, "AccessDenied", "not allowed")
}

func throttled() http.HandlerFunc {
	return awssim.Error(http.StatusBadRequest, "Throttling", "Rate exceeded")
}

// find returns the named user of the snapshot.
func (h *harness) find(s *inventory.Snapshot, name string) *inventory.User {
	h.Helper()
	for i := range s.Users {
		if s.Users[i].Name == name {
			return &s.Users[i]
		}
	}
	h.Fatalf("user %s: not in the snapshot", name)
	return nil
}

func callsOf(world *awssim.World) calls { return taggedCallsOf(world, awsapi.NoTags) }

func taggedCallsOf(world *awssim.World, tags awsapi.TagSource) calls {
	process := awsapi.NewProcess(awsapi.Needs{Source: awsapi.SourceAuto, Tags: tags}, 1e6)
	return calls{awsapi.New(world.Config(), process, awsapi.Options{Rate: 1e6, Timeout: 10 * time.Second})}
}

// idleClient is a client for readers that ask nothing.
func idleClient() *awsapi.Client {
	return awsapi.New(aws.Config{}, awsapi.NewProcess(awsapi.Needs{}, 1), awsapi.Options{Rate: 1})
}
