package awsiam

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const (
	day      = 24 * time.Hour
	patience = 10 * time.Minute
)

var epoch = time.Date(1999, 6, 1, 12, 0, 0, 0, time.UTC)

func key(id string, created time.Time) inventory.AccessKey {
	return inventory.AccessKey{ID: id, Status: inventory.Active, Created: created}
}

// harness is a simulated account, on synctest's clock.
type harness struct {
	*testing.T
	world *awssim.World
}

func inBubble(t *testing.T, o awssim.Options, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(&harness{T: t, world: awssim.New(o)}) })
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
	id, err := h.world.CreateKey(user, time.Now().Add(-50*day))
	h.ok(err)
	return id
}

// password gives the user one, 99 days old.
func (h *harness) password(user string) {
	h.Helper()
	h.ok(h.world.SetPassword(user, time.Now().Add(-99*day)))
}

func (h *harness) tag(user, key, value string) {
	h.Helper()
	h.ok(h.world.TagUser(user, key, value))
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func readerOf(world *awssim.World) Reader { return taggedReaderOf(world, awsapi.NoTags) }

func taggedReaderOf(world *awssim.World, tags awsapi.TagSource) Reader {
	return New(awsapi.New(world.Config(), awsapi.NewShared(1e6), awsapi.Options{
		Needs: awsapi.Needs{Source: awsapi.SourceAuto, Tags: tags}, Rate: 1e6, Timeout: 10 * time.Second,
	}), NewClock(patience))
}
