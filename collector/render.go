package collector

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// Renderer renders what is known about accounts when it changes. Its methods may be
// called at the same time.
//
// A rendered account is a part of an exposition. It begins with a section of what
// depends on the time of day and one of what is about the account as a whole. After
// them come sections of some users each, and of some findings, so that who has not changed
// costs nothing.
type Renderer struct {
	options  Options
	exporter metrics
	facts    metrics // of accounts
	clock    metrics // of accounts
	families *exposition.Families
	rows     atomic.Pointer[rows]
}

// rows say how series are written under a policy.
type rows struct {
	policy *policy.Policy
	series []*exposition.Series // by the row of the metric
}

// The sections of an account; batches come after them.
const (
	clockSection = iota
	accountSection
	otherSections
)

// NewRenderer returns a renderer.
func NewRenderer(o Options) *Renderer {
	r := &Renderer{options: o, facts: o.served(WithFacts), clock: o.served(EachMinute)}
	r.exporter[perExporter] = slices.Concat(r.facts[perExporter], r.clock[perExporter])
	r.facts[perExporter], r.clock[perExporter] = nil, nil
	var families []exposition.Family
	for m := range r.metrics {
		families = append(families, exposition.Family{Name: m.name, Help: m.fullHelp(), Type: m.typeName()})
	}
	r.families = exposition.NewFamilies(families)
	return r
}

// metrics yields those that are rendered.
func (r *Renderer) metrics(yield func(*metric) bool) {
	for _, all := range []*metrics{&r.exporter, &r.facts, &r.clock} {
		for _, ofScope := range all {
			for i := range ofScope {
				if !yield(&ofScope[i]) {
					return
				}
			}
		}
	}
}

// Rendering is what has a board render its accounts.
func (r *Renderer) Rendering() view.Rendering {
	return view.Rendering{Render: r.Render, RenderClock: r.RenderClock}
}

// Page returns what is served of the view. It is not kept, or else what is not served any
// more would stay in memory with it.
func (r *Renderer) Page(v *view.View) *exposition.Page {
	var parts []*exposition.Part
	r.families.Build(func(b *exposition.Builder) {
		t := r.text(b, subject{view: v}, v.Policy)
		parts = append(parts, r.families.Part(t.section(&r.exporter, nil, func(w *writer, s *subject) { w.write(perExporter, s) })))
	})
	served := ids{}
	for ev, part := range v.Rendered() {
		if served.take(ev.Snapshot.Account.ID) {
			parts = append(parts, part)
		}
	}
	return r.families.Page(parts)
}

// Render renders an account. What it was before, and how that was rendered, are nil at
// first; whatever has not changed since is taken from there.
func (r *Renderer) Render(now, before *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	var sections [otherSections]*exposition.Section
	var others sync.WaitGroup
	others.Go(func() {
		sections[clockSection] = r.section(now, &r.clock, section(rendered, clockSection), (*writer).writeAccount)
	})
	was := earlier(before, rendered)
	users, changed := batchesOfUsers(now, was)
	findings := batchesOfFindings(now, was, changed)
	others.Go(func() { r.renew(now, findings, (*writer).writeFindings) })
	sections[accountSection] = r.section(now, &r.facts, section(rendered, accountSection), (*writer).writeOfAccount)
	r.renew(now, users, (*writer).writeUsers)
	others.Wait()
	all := sections[:]
	for _, b := range slices.Concat(users, findings) {
		all = append(all, b.section)
	}
	return r.families.Part(all...)
}

// RenderClock renders anew what depends on the time of day. If nothing has changed, it
// returns what was rendered.
func (r *Renderer) RenderClock(now *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	before := rendered.Sections[clockSection]
	clock := r.section(now, &r.clock, before, (*writer).writeAccount)
	if clock == before {
		return rendered
	}
	sections := slices.Clone(rendered.Sections)
	sections[clockSection] = clock
	return r.families.Part(sections...)
}

// section returns a section of what the function writes about an account.
func (r *Renderer) section(about *policy.Evaluation, of *metrics, before *exposition.Section, write func(*writer, *subject)) (s *exposition.Section) {
	r.families.Build(func(b *exposition.Builder) {
		s = r.text(b, subject{Evaluation: about}, about.Policy).section(of, before, write)
	})
	return s
}

// renew renders those of the batches that have changed.
func (r *Renderer) renew(about *policy.Evaluation, batches []batch, write func(w *writer, s *subject, from, to int)) {
	r.families.Build(func(b *exposition.Builder) {
		t := r.text(b, subject{Evaluation: about}, about.Policy)
		w := t.writer(&r.facts)
		for i := range batches {
			if one := &batches[i]; one.changed {
				write(w, &t.subject, one.from, one.to)
				one.section = t.Section(one.section)
			}
		}
	})
}

func section(part *exposition.Part, i int) *exposition.Section {
	if part == nil {
		return nil
	}
	return part.Sections[i]
}

// text writes the sections about one account, or about the exporter.
type text struct {
	*exposition.Builder
	subject subject
	series  []*exposition.Series
}

func (r *Renderer) text(b *exposition.Builder, about subject, p *policy.Policy) *text {
	about.options, about.now = &r.options, r.options.Now()
	return &text{b, about, r.under(p)}
}

// under returns what writes the series of each metric under the policy.
func (r *Renderer) under(p *policy.Policy) []*exposition.Series {
	if now := r.rows.Load(); now != nil && now.policy == p {
		return now.series
	}
	all := make([]*exposition.Series, len(table()))
	for m := range r.metrics {
		all[m.row] = r.families.Series(m.name, m.labelsUnder(p)...)
	}
	r.rows.Store(&rows{p, all})
	return all
}

// section returns a section of what the function writes.
func (t *text) section(of *metrics, before *exposition.Section, write func(*writer, *subject)) *exposition.Section {
	write(t.writer(of), &t.subject)
	return t.Section(before)
}

func (t *text) writer(of *metrics) *writer {
	prepare := func(label string) string { return exposition.Escape(unmistakable(label)) }
	return newWriter(of, prepare, func(m *metric, value float64, ofScope, others []string) {
		t.Add(t.series[m.row], value, ofScope, others)
	})
}
