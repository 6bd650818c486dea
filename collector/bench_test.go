package collector_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// BenchmarkOneOfMany publishes an account of 100 users again and again, ten of whom have
// changed, among so many others.
func BenchmarkOneOfMany(b *testing.B) {
	for _, accounts := range []int{1, 1000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			board := many(accounts)
			changed := []*inventory.Snapshot{crowd(100), tenChanged(crowd(100))}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				board.Publish("000000", changed[n%2])
			}
		})
	}
}

// BenchmarkMinute renders what each minute changes of 1,000 accounts with 120,000 keys in
// all.
func BenchmarkMinute(b *testing.B) {
	o, clock := scene{}.options(), now
	o.Now = func() time.Time { return clock }
	r := collector.NewRenderer(o)
	var accounts []*policy.Evaluation
	var parts []*exposition.Part
	keys := 0
	for ev, part := range many(1000).View().RenderedBy(r.Rendering()).Rendered() {
		accounts, parts = append(accounts, ev), append(parts, part)
		for i := range ev.Snapshot.Users {
			list, _ := ev.Snapshot.Users[i].Keys.Get()
			keys += len(list)
		}
	}
	for b.Loop() {
		clock = clock.Add(time.Minute)
		for i, ev := range accounts {
			before := parts[i]
			if parts[i] = r.RenderClock(ev, before); parts[i] == before {
				b.Fatal("a minute changed nothing")
			}
		}
	}
	b.ReportMetric(float64(keys), "keys")
}

// BenchmarkPageExemptions puts together what is served of a hundred accounts, under as
// many exemptions as a configuration file holds, none of which names anybody.
func BenchmarkPageExemptions(b *testing.B) {
	p := defaults()
	for i := range 12_000 {
		p.Exemptions = append(p.Exemptions, exempt(fmt.Sprintf("nobody-%06d", i), now.Add(day), policy.KeyRotation))
	}
	var accounts []*inventory.Snapshot
	for i := range 100 {
		s := crowd(100)
		s.Account.ID = fmt.Sprintf("%012d", i)
		accounts = append(accounts, s)
	}
	r := collector.NewRenderer(scene{}.options())
	v := scene{snapshots: accounts, policy: p}.view().RenderedBy(r.Rendering())
	b.ReportAllocs()
	for b.Loop() {
		r.Page(v)
	}
}

// many is a board of so many accounts, with 80 users and 120 keys each.
func many(accounts int) *view.Board {
	r := collector.NewRenderer(scene{}.options())
	board := view.New(defaults(), view.Reload{}, r.Rendering())
	for i := range accounts {
		s := crowd(80)
		s.Account.ID = fmt.Sprintf("%012d", i)
		board.Publish(fmt.Sprintf("%06d", i), s)
	}
	return board
}

// tenChanged is the account with one key of ten users inactive.
func tenChanged(s *inventory.Snapshot) *inventory.Snapshot {
	after := *s
	after.Users = slices.Clone(s.Users)
	for i := range 10 {
		u := &after.Users[i*len(s.Users)/10]
		keys, _ := u.Keys.Get()
		keys = slices.Clone(keys)
		keys[0].Status = inventory.Inactive
		u.Keys = inventory.Observe(keys, now)
	}
	return &after
}
