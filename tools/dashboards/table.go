package dashboards

// column is one column of a table: a label, or the value of a query.
type column struct {
	label      string // either this
	expr       string // or this
	title      string
	width      int // pixels; 0 takes what is left
	properties []Property
}

// table shows a row for each of the label sets that the queries of the columns
// answer. The first query names the rows; the others add to them where the
// labels are the same.
func table(s size, title, description string, columns ...column) *Panel {
	p := panel("table", s, title, description)
	p.Options = map[string]any{"cellHeight": "sm", "showHeader": true, "enablePagination": false}
	p.FieldConfig.Defaults.Color = byThresholds()
	p.FieldConfig.Defaults.Thresholds = steps(plain)
	p.FieldConfig.Defaults.Custom = map[string]any{
		"align": "auto", "filterable": false, "inspect": false,
		"cellOptions": map[string]any{"type": "auto"},
	}
	names, index, rename := []string{}, map[string]int{}, map[string]string{}
	add := func(field string, position int, c column) {
		names = append(names, field)
		index[field], rename[field] = position, c.title
	}
	for i, c := range columns {
		if c.expr != "" {
			p.query(Target{Expr: c.expr, Format: "table", Instant: true})
		}
		switch {
		case c.title == "":
			continue
		case c.expr == "":
			add(c.label, i, c)
		default:
			add("Value #"+p.Targets[len(p.Targets)-1].RefID, i, c)
			if len(p.Targets) == 1 {
				add("Value", i, c) // its name when no other query has an answer
			}
		}
		p.series(c.title, c.all()...)
	}
	p.Transformations = []Transformation{
		{"merge", map[string]any{}},
		{"filterFieldsByName", map[string]any{"include": map[string]any{"names": names}}},
		{"organize", map[string]any{"excludeByName": map[string]bool{}, "indexByName": index, "renameByName": rename}},
	}
	return p
}

func (c column) all() []Property {
	// The text of an empty table also shows in empty cells, unless they have a text of their own.
	all := []Property{{"noValue", "–"}}
	if c.width > 0 {
		all = append(all, Property{"custom.width", c.width})
	}
	return append(all, c.properties...)
}

// labelsOf is a query that is asked for its labels alone.
func labelsOf(expr string) column { return column{expr: expr} }

// with adds properties to a column.
func (c column) with(properties ...Property) column {
	c.properties = append(c.properties, properties...)
	return c
}

// label is a column of what tells the rows apart.
func label(name, title string, width int, properties ...Property) column {
	return column{label: name, title: title, width: width, properties: properties}
}

// value is a column of what a query answers.
func value(expr, title string, width int, properties ...Property) column {
	return column{expr: expr, title: title, width: width, properties: properties}
}

// sorted orders the rows, the largest first, and by name where they are equal.
func (p *Panel) sorted(title string, then ...string) *Panel {
	by := []map[string]any{{"displayName": title, "desc": true}}
	for _, title := range then {
		by = append(by, map[string]any{"displayName": title, "desc": false})
	}
	p.Options["sortBy"] = by
	return p
}

func inUnit(unit string) Property { return Property{"unit", unit} }

func inDecimals(n int) Property { return Property{"decimals", n} }

func inWords(m ...Mapping) Property { return Property{"mappings", m} }

func withLinks(links ...Link) Property { return Property{"links", links} }

// coloured writes a cell in the colour of its threshold or word.
func coloured(t *Thresholds) []Property {
	return []Property{{"thresholds", t}, {"custom.cellOptions", map[string]any{"type": "color-text"}}}
}

// gauge draws a share as a bar.
func gauge(t *Thresholds) []Property {
	return []Property{
		{"unit", share},
		{"min", 0},
		{"max", 1},
		{"thresholds", t},
		{"custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}},
	}
}
