package account

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/time/rate"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	refreshInterval = 5 * time.Minute
	keysInterval    = time.Hour
)

// harness is one simulated account, on synctest's clock.
type harness struct {
	*testing.T
	world   *awssim.World
	client  *awsapi.Client
	account *Account
}

// inBubble runs the test with an empty account, about which nothing is known.
func inBubble(t *testing.T, source awsapi.Source, o awssim.Options, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &harness{T: t, world: awssim.New(o)}
		h.begin(source, 1e6, 1e6)
		test(h)
	})
}

// begin starts with no facts, at most so many requests a second of the account
// and of the process.
func (h *harness) begin(source awsapi.Source, account, process rate.Limit) {
	h.client = awsapi.New(h.world.Config(), awsapi.NewShared(process), awsapi.Options{
		Needs: awsapi.Needs{Source: source}, Rate: account, Timeout: 10 * time.Second,
	})
	h.account = New(h.client, Options{RefreshInterval: refreshInterval, KeysInterval: keysInterval}, nil)
}

// refresh does what happens in one refresh interval, with nobody accused.
func (h *harness) refresh() *inventory.Snapshot {
	next := time.Now().Add(refreshInterval)
	h.round(h.Context())
	time.Sleep(time.Until(next))
	return h.account.Snapshot()
}

// round takes the steps of one refresh and its sweep. It fails the test if they
// show anything after the context has ended.
func (h *harness) round(ctx context.Context) {
	h.Helper()
	h.account.RefreshSoon()
	for !h.step(ctx).Ended {
	}
}

// step takes a step and waits until there is something to do again, or the round
// has ended.
func (h *harness) step(ctx context.Context) Progress {
	p := h.account.Step(ctx, nil)
	if !p.Ended && ctx.Err() == nil {
		time.Sleep(time.Until(p.Next))
	}
	return p
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

// idleClient is for accounts that ask nothing.
func idleClient(source awsapi.Source) *awsapi.Client {
	return awsapi.New(aws.Config{}, awsapi.NewShared(1), awsapi.Options{Needs: awsapi.Needs{Source: source}, Rate: 1})
}

const day = 24 * time.Hour

var (
	epoch     = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	generated = epoch.Add(day)
	observed  = epoch.Add(2 * day) // live, later than the report
)

func slot(active bool, created time.Time) credreport.Slot {
	return credreport.Slot{Active: active, Created: created}
}

func key(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

func use(at, observed time.Time) inventory.Fact[inventory.Use] {
	return inventory.Observe(inventory.Use{At: at}, observed)
}

const userXML = `<member><Path>/</Path><UserName>%s</UserName><UserId>%s</UserId><Arn>arn:aws:iam::123456789012:user/%s</Arn><CreateDate>%s</CreateDate></member>`

// listingOf is ListUsers' answer with the members.
func listingOf(members ...string) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "text/xml", "<ListUsersResponse><ListUsersResult><IsTruncated>false</IsTruncated><Users>"+
		strings.Join(members, "")+"</Users></ListUsersResult></ListUsersResponse>")
}
