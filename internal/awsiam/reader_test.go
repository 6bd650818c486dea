package awsiam_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

const day = 24 * time.Hour

// newReader returns a reader of the world at the default intervals.
func newReader(world *awssim.World, source awsapi.Source) *awsiam.Reader {
	process := awsapi.NewProcess(source, 1000)
	client := awsapi.New(world.Config(), process, awsapi.Options{Source: source, Rate: 1000, Timeout: 10 * time.Second})
	return awsiam.New(client, awsiam.Options{Source: source, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour})
}

// refresh does what the fleet does in one refresh interval, with nobody in breach.
func refresh(ctx context.Context, r *awsiam.Reader) *inventory.Snapshot {
	next := time.Now().Add(5 * time.Minute)
	r.Refresh(ctx)
	r.Sweep(ctx, next, func(string) bool { return false }, func() {})
	time.Sleep(time.Until(next)) // synctest's clock: no real time passes
	return r.Snapshot()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSources(t *testing.T) {
	for _, source := range awsapi.Sources() {
		t.Run(string(source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := awssim.New(awssim.Options{Seed: 1})
				now := time.Now()
				must(world.CreateUser("alice", "/team/", now.Add(-100*day)))
				if err := world.SetPassword("alice", now.Add(-99*day)); err != nil {
					t.Fatal(err)
				}
				id := must(world.CreateKey("alice", now.Add(-91*day)))
				if err := world.UseKey(id, awssim.Use{At: now.Add(-day), Service: "s3", Region: "eu-west-1"}); err != nil {
					t.Fatal(err)
				}
				must(world.CreateUser("bob", "/", now.Add(-10*day)))

				r := newReader(world, source)
				s := refresh(t.Context(), r)
				t.Log(world.Calls(), s.Health, s.Freshness, s.Complete)
				if s.Health.State != inventory.StateUp {
					t.Errorf("state: got %s, want up; %v", s.Health.State, s.Health.Problems)
				}
				for _, g := range inventory.Groups() {
					if !s.Complete[g] {
						t.Errorf("%s: not complete", g)
					}
				}
				if diff := cmp.Diff(2, len(s.Users)); diff != "" {
					t.Fatal(diff)
				}
				t.Logf("%+v", s.Users)
			})
		})
	}
}
