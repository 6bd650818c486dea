package exposition

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
	totals   []total // by family
}

// total is what there is of a family, with its header; nothing if no part has it.
type total struct {
	sum
	deflated int
}

// Page returns the parts as a page; they need not be all of those there are.
func (f *Families) Page(parts []*Part) *Page {
	p := &Page{families: f, parts: parts, totals: make([]total, len(f.names))}
	for family := range p.totals {
		t := total{f.headers[family].sum, len(f.headers[family].deflated)}
		for _, part := range parts {
			t.sum = t.then(part.runs[family].sum)
			t.deflated += part.runs[family].deflated
		}
		if t.size > f.headers[family].size {
			t.sum = t.whole()
			p.totals[family] = t
		}
	}
	return p
}

// blocks hands over what there is of the chosen families, block by block.
func (p *Page) blocks(chosen func(family string) bool, yield func(*block) error) error {
	for family, name := range p.families.names {
		if p.totals[family].size == 0 || !chosen(name) {
			continue
		}
		if err := yield(&p.families.headers[family]); err != nil {
			return err
		}
		for _, part := range p.parts {
			for _, b := range part.runs[family].blocks {
				if err := yield(b); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// total returns what there is of the chosen families.
func (p *Page) total(chosen func(family string) bool) total {
	var all total
	for family, name := range p.families.names {
		if p.totals[family].size > 0 && chosen(name) {
			all.sum = all.then(p.totals[family].sum)
			all.deflated += p.totals[family].deflated
		}
	}
	return all
}
