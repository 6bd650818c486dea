package view_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// painter renders for a board: it remembers what each rendering was made of.
type painter struct {
	families *exposition.Families

	mu    sync.Mutex
	story map[*exposition.Part]string
	clock func() // called once, before a clock is rendered, unless it is nil
}

func newPainter() *painter {
	return &painter{families: exposition.NewFamilies(nil), story: map[*exposition.Part]string{}}
}

func (p *painter) rendering() view.Rendering {
	return view.Rendering{Render: p.render, RenderClock: p.renderClock}
}

func (p *painter) render(now, before *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	made := now.Snapshot.Users[0].Name
	if before != nil {
		made += " after " + before.Snapshot.Users[0].Name + ": " + p.made(rendered)
	}
	return p.part("(" + made + ")")
}

func (p *painter) renderClock(now *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	p.mu.Lock()
	meanwhile := p.clock
	p.clock = nil
	p.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	return p.part(fmt.Sprintf("%s at %s", p.made(rendered), time.Now().Format("04:05")))
}

// meanwhile has something happen while the next clock is rendered.
func (p *painter) meanwhile(happens func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock = happens
}

func (p *painter) part(made string) *exposition.Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	part := p.families.Part()
	p.story[part] = made
	return part
}

func (p *painter) made(part *exposition.Part) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.story[part]
}

// check compares how the accounts in view were rendered.
func (p *painter) check(t *testing.T, b *view.Board, want ...string) {
	t.Helper()
	var got []string
	for _, part := range b.View().Rendered() {
		got = append(got, p.made(part))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-want +got):\n%s", diff)
	}
}

// TestRendering has each account rendered from what it was before, by whoever changes
// it.
func TestRendering(t *testing.T) {
	p := newPainter()
	b := view.New(under(), view.Reload{}, p.rendering())
	p.check(t, b)
	b.Publish("2", in("2", sinner("bob")))
	b.Publish("1", in("1", sinner("alice")))
	p.check(t, b, "(alice)", "(bob)")
	b.Publish("2", in("2", sinner("bea")))
	p.check(t, b, "(alice)", "(bea after bob: (bob))")
	b.Apply(under())
	p.check(t, b, "(alice after alice: (alice))", "(bea after bea: (bea after bob: (bob)))")
	b.Remove("1")
	b.Remove("2")
	p.check(t, b)
	b.Publish("2", in("2", sinner("bob")))
	p.check(t, b, "(bob)")
}

// TestKeepTime has the clock rendered as each minute begins, until the end, but not of
// accounts that change meanwhile.
func TestKeepTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPainter()
		b := view.New(under(), view.Reload{}, p.rendering())
		b.Publish("1", in("1", sinner("alice")))
		b.Publish("2", in("2", sinner("bob")))
		ctx, stop := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		time.Sleep(40 * time.Second) // a process begins at any second
		keeping.Go(func() { b.KeepTime(ctx) })
		time.Sleep(20*time.Second - 1)
		synctest.Wait()
		p.check(t, b, "(alice)", "(bob)")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		p.check(t, b, "(alice) at 01:00", "(bob) at 01:00")

		p.meanwhile(func() { b.Publish("2", in("2", sinner("bea"))); b.Publish("3", in("3", sinner("carol"))) })
		time.Sleep(time.Minute)
		synctest.Wait()
		p.check(t, b, "(alice) at 01:00 at 02:00", "(bea after bob: (bob) at 01:00)", "(carol)")
		p.meanwhile(func() { b.Remove("1"); b.Apply(under()) })
		time.Sleep(time.Minute)
		synctest.Wait()
		p.check(t, b, "(bea after bea: (bea after bob: (bob) at 01:00))", "(carol after carol: (carol))")
		stop()
		keeping.Wait()
		time.Sleep(time.Hour)
		p.check(t, b, "(bea after bea: (bea after bob: (bob) at 01:00))", "(carol after carol: (carol))")
	})
}

// TestExemptionEndsRendered has an account rendered when an exemption in it ends.
func TestExemptionEndsRendered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPainter()
		b := view.New(under(exempt("", "bob", time.Now().Add(time.Hour))), view.Reload{}, p.rendering())
		b.Publish("1", in("1", sinner("alice")))
		b.Publish("2", in("2", sinner("bob")))
		time.Sleep(time.Hour - time.Second)
		keepTime(t, b)
		p.check(t, b, "(alice)", "(bob)")
		time.Sleep(time.Second)
		synctest.Wait()
		p.check(t, b, "(alice) at 00:00", "(bob after bob: (bob)) at 00:00")
	})
}

// TestBoardWithoutRendering renders nothing, and keeps no time.
func TestBoardWithoutRendering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := view.New(under(), view.Reload{}, view.Rendering{})
		b.Publish("1", in("1", sinner("alice")))
		before := b.View()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		b.KeepTime(ctx)
		for range b.View().Rendered() {
			t.Error("something is rendered")
		}
		if b.View() != before {
			t.Error("the view is replaced although nothing has changed")
		}
	})
}
