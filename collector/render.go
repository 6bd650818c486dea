package collector

import (
	"slices"
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
// them come sections of some users each, so that who has not changed costs nothing.
type Renderer struct {
	options  Options
	facts    metrics
	clock    metrics
	families *exposition.Families
	last     atomic.Pointer[page]
	rows     atomic.Pointer[rows]
}

// page is what is served of a view.
type page struct {
	of *view.View
	*exposition.Page
}

// rows say how series are written under a policy.
type rows struct {
	policy *policy.Policy
	series []*exposition.Series // by the row of the metric
}

// The sections of an account; those of users come after them.
const (
	clockSection = iota
	accountSection
	otherSections
)

// NewRenderer returns a renderer.
func NewRenderer(o Options) *Renderer {
	r := &Renderer{options: o, facts: o.served(WithFacts), clock: o.served(EachMinute)}
	var families []exposition.Family
	for m := range r.metrics {
		families = append(families, exposition.Family{Name: m.name, Help: m.fullHelp(), Type: m.typeName()})
	}
	r.families = exposition.NewFamilies(families)
	return r
}

// metrics yields those that are rendered.
func (r *Renderer) metrics(yield func(*metric) bool) {
	for _, all := range []*metrics{&r.facts, &r.clock} {
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

// Page returns what is served now.
func (r *Renderer) Page() *exposition.Page {
	v := r.options.View()
	if last := r.last.Load(); last != nil && last.of == v {
		return last.Page
	}
	var parts []*exposition.Part
	served := ids{}
	for ev, part := range v.Rendered() {
		if served.take(ev.Snapshot.Account.ID) {
			parts = append(parts, part)
		}
	}
	p := &page{v, r.families.Page(parts)}
	r.last.Store(p)
	return p.Page
}

// Render renders an account. What it was before, and how that was rendered, are nil at
// first; whatever has not changed since is taken from there.
func (r *Renderer) Render(now, before *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	var part *exposition.Part
	r.families.Build(func(b *exposition.Builder) {
		a := r.account(b, now)
		sections := []*exposition.Section{
			a.section(&r.clock, section(rendered, clockSection), (*writer).writeAccount),
			a.section(&r.facts, section(rendered, accountSection), func(w *writer, s *subject) { w.write(perAccount, s, s.Snapshot.Account.ID) }),
		}
		part = r.families.Part(a.users(sections, earlier(before, rendered))...)
	})
	return part
}

// RenderClock renders anew what depends on the time of day.
func (r *Renderer) RenderClock(now *policy.Evaluation, rendered *exposition.Part) *exposition.Part {
	sections := slices.Clone(rendered.Sections)
	r.families.Build(func(b *exposition.Builder) {
		sections[clockSection] = r.account(b, now).section(&r.clock, sections[clockSection], (*writer).writeAccount)
	})
	return r.families.Part(sections...)
}

func section(part *exposition.Part, i int) *exposition.Section {
	if part == nil {
		return nil
	}
	return part.Sections[i]
}

// accountText writes the sections of one account.
type accountText struct {
	*Renderer
	*exposition.Builder
	subject subject
	series  []*exposition.Series
}

func (r *Renderer) account(b *exposition.Builder, ev *policy.Evaluation) *accountText {
	return &accountText{r, b, subject{Evaluation: ev, options: &r.options, now: r.options.Now()}, r.under(ev.Policy)}
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
func (a *accountText) section(of *metrics, before *exposition.Section, write func(*writer, *subject)) *exposition.Section {
	write(a.writer(of), &a.subject)
	return a.Section(before)
}

func (a *accountText) writer(of *metrics) *writer {
	prepare := func(label string) string { return exposition.Escape(unmistakable(label)) }
	return newWriter(of, prepare, func(m *metric, value float64, ofScope, others []string) {
		a.Add(a.series[m.row], value, ofScope, others)
	})
}

// users appends a section for some users each. It takes over those in which nobody has
// changed.
func (a *accountText) users(sections []*exposition.Section, before map[string]batch) []*exposition.Section {
	w := a.writer(&a.facts)
	for from, to := range batches(a.subject.Snapshot.Users) {
		was := before[a.subject.Snapshot.Users[from].Name]
		if was.sameAs(a.subject.Evaluation, from, to) {
			sections = append(sections, was.section)
			continue
		}
		w.writeUsers(&a.subject, from, to)
		sections = append(sections, a.Section(was.section))
	}
	return sections
}
