package collector_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// BenchmarkRender renders an account of 5,000 users: the first time, after ten of them
// have changed, and when a minute has passed.
func BenchmarkRender(b *testing.B) {
	p := defaults()
	before := crowd(5000)
	after := *before
	after.Users = slices.Clone(before.Users)
	for i := range 10 {
		u := &after.Users[i*499]
		keys, _ := u.Keys.Get()
		keys = slices.Clone(keys)
		keys[0].Status = inventory.Inactive
		u.Keys = inventory.Observe(keys, now)
	}
	judged := func(s *inventory.Snapshot) *policy.Evaluation { return policy.Evaluate(s, p, now) }
	r := collector.NewRenderer(scene{}.options(nil))
	first := judged(before)
	rendered := r.Render(first, nil, nil)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Render(first, nil, nil)
		}
	})
	b.Run("judge", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			judged(&after)
		}
	})
	b.Run("ten", func(b *testing.B) {
		ev := judged(&after)
		b.ReportAllocs()
		for b.Loop() {
			r.Render(ev, first, rendered)
		}
	})
	b.Run("minute", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.RenderClock(first, rendered)
		}
	})
}

var _ = fmt.Sprint
var _ *exposition.Part
var _ *view.View
