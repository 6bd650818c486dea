package exposition

import "iter"

// Part is what one source of series has to serve: sections in a row. It is
// immutable.
type Part struct {
	Sections []*Section
	runs     []run // by family
}

// run is all blocks of a part that are of one family.
type run struct {
	sum
	deflated int // bytes
	blocks   []*block
}

// Part returns the sections as a part.
func (f *Families) Part(sections ...*Section) *Part {
	p := &Part{Sections: sections, runs: make([]run, len(f.names))}
	counts := make([]int, len(f.names))
	n := 0
	for _, s := range sections {
		for i := range s.entries {
			counts[s.entries[i].family]++
			n++
		}
	}
	blocks := make([]*block, n) // of all runs
	for family, count := range counts {
		p.runs[family].blocks, blocks = blocks[:0:count], blocks[count:]
	}
	for _, s := range sections {
		for i := range s.entries {
			b, r := &s.entries[i].block, &p.runs[s.entries[i].family]
			r.sum = r.then(b.sum)
			r.deflated += len(b.deflated)
			r.blocks = append(r.blocks, b)
		}
	}
	for family := range p.runs {
		p.runs[family].sum = p.runs[family].whole()
	}
	return p
}

// Page is what several parts have to serve, family by family. It is immutable.
type Page struct {
	families *Families
	parts    []*Part
}

// Page returns the parts as a page; they need not be all of those there are.
func (f *Families) Page(parts []*Part) *Page { return &Page{f, parts} }

// runs yields what there is of the chosen families: the header of each as a run of its
// own, unless no part has the family, and then what each part has.
func (p *Page) runs(chosen func(family string) bool) iter.Seq[*run] {
	return func(yield func(*run) bool) {
		for family, name := range p.families.names {
			if !chosen(name) {
				continue
			}
			headed := false
			for _, part := range p.parts {
				r := &part.runs[family]
				if r.size == 0 {
					continue
				}
				if !headed && !yield(&p.families.headers[family]) || !yield(r) {
					return
				}
				headed = true
			}
		}
	}
}

// blocks hands over what there is of the chosen families, block by block.
func (p *Page) blocks(chosen func(family string) bool, yield func(*block) error) error {
	for r := range p.runs(chosen) {
		for _, b := range r.blocks {
			if err := yield(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// total returns what there is of the chosen families, and how many bytes it is compressed.
func (p *Page) total(chosen func(family string) bool) (all sum, deflated int) {
	for r := range p.runs(chosen) {
		all = all.then(r.sum)
		deflated += r.deflated
	}
	return all, deflated
}
