package dashboards

import "maps"

// size is the width, of 24 columns, and the height of a panel.
type size struct{ w, h int }

// place puts panels beside each other in the order they have, a new row where
// the width is used up.
func place(panels ...*Panel) []*Panel {
	x, y, height := 0, 0, 0
	for i, p := range panels {
		if x+p.GridPos.W > 24 {
			x, y, height = 0, y+height, 0
		}
		p.ID = i + 1
		p.GridPos.X, p.GridPos.Y = x, y
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
	return panels
}

// section is a heading over the panels that follow.
func section(title string) *Panel {
	open := false
	return &Panel{Type: "row", Title: title, GridPos: GridPos{W: 24, H: 1}, Collapsed: &open}
}

func panel(kind string, s size, title, description string) *Panel {
	return &Panel{
		Type: kind, Title: title, Description: description,
		GridPos:     GridPos{W: s.w, H: s.h},
		Datasource:  &live,
		FieldConfig: &FieldConfig{Overrides: []Override{}},
		Options:     map[string]any{},
	}
}

var (
	live   = Source{Type: "prometheus", UID: "${datasource}"}
	trends = Source{Type: "prometheus", UID: "${trends}"} // may keep nothing but recordings, for years
)

// tile shows one figure.
func tile(s size, title, description, expr string) *Panel {
	p := panel("stat", s, title, description)
	p.Options = map[string]any{
		"text":      map[string]any{"valueSize": 38},
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "value", "wideLayout": true,
		"reduceOptions": lastValue(),
	}
	p.FieldConfig.Defaults.NoValue = "no data"
	p.FieldConfig.Defaults.Color = byThresholds()
	p.FieldConfig.Defaults.Thresholds = steps(plain)
	p.words(mapMissing("no data", nothing)) // or it has the colour of a zero
	return p.ask(expr, "")
}

func lastValue() map[string]any {
	return map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
}

// bars compares figures of now.
func bars(s size, title, description string) *Panel {
	p := panel("bargauge", s, title, description)
	p.Options = map[string]any{
		"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "text", "namePlacement": "left",
		"sizing": "manual", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 26,
		"text":          map[string]any{"titleSize": 12, "valueSize": 14},
		"reduceOptions": lastValue(),
		"legend":        map[string]any{"showLegend": false, "displayMode": "list", "placement": "bottom", "calcs": []string{}},
	}
	p.FieldConfig.Defaults.Color = byThresholds()
	p.FieldConfig.Defaults.Thresholds = steps(plain)
	return p.words(mapMissing("no data", nothing)).whenEmpty("no data")
}

// curve shows figures over time. It draws no line through what is missing.
func curve(s size, title, description string) *Panel {
	p := panel("timeseries", s, title, description)
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	p.FieldConfig.Defaults.NoValue = "no data"
	p.FieldConfig.Defaults.Color = fixed(palette()[0])
	p.FieldConfig.Defaults.Custom = map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 2, "fillOpacity": 0, "gradientMode": "none",
		"showPoints": "auto", "pointSize": 4, "spanNulls": false, "axisPlacement": "auto", "axisSoftMin": 0,
		"stacking": map[string]any{"mode": "none", "group": "A"},
	}
	return p
}

// stacked piles the series of a curve up.
func (p *Panel) stacked() *Panel {
	return p.custom(map[string]any{
		"fillOpacity": 70, "lineWidth": 1, "showPoints": "never",
		"stacking": map[string]any{"mode": "normal", "group": "A"},
	})
}

// inBars draws a curve as bars, for events that are counted.
func (p *Panel) inBars() *Panel {
	return p.stacked().custom(map[string]any{"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80})
}

func (p *Panel) custom(values map[string]any) *Panel {
	maps.Copy(p.FieldConfig.Defaults.Custom, values)
	return p
}

// withTable moves a legend to the right, with figures.
func (p *Panel) withTable(calcs ...string) *Panel {
	p.Options["legend"] = map[string]any{"displayMode": "table", "placement": "right", "showLegend": true, "calcs": append([]string{}, calcs...)}
	return p
}

// ask adds a query for the present.
func (p *Panel) ask(expr, legend string) *Panel {
	return p.query(Target{Expr: expr, LegendFormat: legend, Format: "time_series", Instant: true})
}

// plot adds a query over time.
func (p *Panel) plot(expr, legend string) *Panel {
	return p.query(Target{Expr: expr, LegendFormat: legend, Format: "time_series", Range: true})
}

func (p *Panel) query(t Target) *Panel {
	t.RefID = string(rune('A' + len(p.Targets)))
	t.Datasource = p.Datasource
	t.EditorMode = "code"
	p.Targets = append(p.Targets, t)
	return p
}

// ofTrends asks the source that keeps recordings for years. Call it before plot.
// The queries take the last figure of an hour, which bridges shorter gaps; they
// read no more than that hour of each step, however long the span.
func (p *Panel) ofTrends() *Panel {
	p.Datasource = &trends
	p.Interval = "1h"
	return p
}

// overYears fixes the time range, independent of the dashboard's.
func (p *Panel) overYears() *Panel {
	p.TimeFrom, p.Interval = "5y", "1d"
	return p
}

func (p *Panel) unit(unit string) *Panel {
	p.FieldConfig.Defaults.Unit = unit
	return p
}

func (p *Panel) decimals(n int) *Panel {
	p.FieldConfig.Defaults.Decimals = &n
	return p
}

func (p *Panel) between(low, high float64) *Panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = &low, &high
	return p
}

func (p *Panel) thresholds(t *Thresholds) *Panel {
	p.FieldConfig.Defaults.Thresholds = t
	return p
}

func (p *Panel) words(m ...Mapping) *Panel {
	p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings, m...)
	return p
}

func (p *Panel) whenEmpty(text string) *Panel {
	p.FieldConfig.Defaults.NoValue = text
	return p
}

func (p *Panel) leadsTo(links ...Link) *Panel {
	p.FieldConfig.Defaults.Links = links
	return p
}

// series sets what is particular to the series of a name.
func (p *Panel) series(name string, properties ...Property) *Panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, Override{Matcher{"byName", name}, properties})
	return p
}

// tellApart gives series of known names colours, and words in their place.
func (p *Panel) tellApart(names, words []string) *Panel {
	for i, name := range names {
		color := inColor(palette()[i%len(palette())])
		if words == nil {
			p.series(name, color)
		} else {
			p.series(name, color, Property{"displayName", words[i]})
		}
	}
	return p
}

func inColor(color string) Property { return Property{"color", fixed(color)} }
