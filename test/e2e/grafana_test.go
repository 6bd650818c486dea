package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

// This file does what Grafana does to a dashboard before it asks Prometheus:
// fill in variables and intervals. What it does not know, it refuses.

// dashboard is the part of Grafana's classic model that decides on queries.
// https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
type dashboard struct {
	UID, Title  string
	Time        struct{ From, To string }
	Templating  struct{ List []variable }
	Annotations struct{ List []annotation }
	Panels      []panel
}

type panel struct {
	Type, Title, TimeFrom, Interval string

	GridPos struct{ W int }
	Targets []target
}

type target struct {
	RefID, Expr, Interval string
	Instant, Range        bool
}

type annotation struct {
	Name, Expr, Step string
}

type variable struct {
	Name, Type, Regex, AllValue string

	Multi, IncludeAll bool
	Query             variableQuery
	Current           struct{ Value oneOrMore }
}

// variableQuery is a text, which the data source wraps into an object.
type variableQuery string

func (q *variableQuery) UnmarshalJSON(text []byte) error {
	var wrapped struct{ Query string }
	if err := json.Unmarshal(text, &wrapped); err == nil {
		*q = variableQuery(wrapped.Query)
		return nil
	}
	return json.Unmarshal(text, (*string)(q))
}

// oneOrMore is a list, or the one member of it.
type oneOrMore []string

func (l *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// all is the value of a variable when everything is chosen.
const all = "$__all"

// setting is what a variable stands for in queries.
type setting struct {
	values []string
	many   bool // may have several values, so that queries match it as a pattern
	asIs   bool // is an author's own text
}

// settings holds the variables by name.
type settings map[string]setting

// choose returns the setting of a variable for the chosen values. The options
// are those that Prometheus has, for a variable that asks it.
func (v variable) choose(chosen, options []string) setting {
	s := setting{values: chosen, many: v.Multi || v.IncludeAll}
	if !slices.Contains(chosen, all) {
		return s
	}
	if v.AllValue != "" {
		return setting{values: []string{v.AllValue}, asIs: true}
	}
	s.values = options
	return s
}

// reference matches a variable: $name, ${name}, ${name:format}.
var reference = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?::(\w+))?\}`)

// fill replaces the variables of a query, and leaves the groups of regular
// expressions, $1 and so on.
func (vars settings) fill(query string) (string, error) {
	var unknown []string
	filled := reference.ReplaceAllStringFunc(query, func(text string) string {
		m := reference.FindStringSubmatch(text)
		name, format := m[1]+m[2], m[3]
		if _, err := strconv.Atoi(name); err == nil {
			return text
		}
		s, known := vars[name]
		value, understood := s.format(format)
		if !known || !understood {
			unknown = append(unknown, text)
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("fill in %s: unknown here: %q", query, unknown)
	}
	return filled, nil
}

// format returns the text that stands for a variable, and whether the format is
// known.
func (s setting) format(format string) (string, bool) {
	switch {
	case s.asIs, format == "raw":
		return strings.Join(s.values, ","), format == "" || format == "raw" || format == "regex"
	case format == "regex":
		return alternatives(s.values, `\$*+?.()|[]{}^/`, `\`), true
	case format != "":
		return "", false
	case s.many:
		return alternatives(s.values, `\$*+?.()|[]{}^`, `\\`), true
	}
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\\'`)
	return escape.Replace(strings.Join(s.values, ",")), true
}

// alternatives returns a regular expression that matches the values, with the
// mark before each of the special characters. A backslash is one itself, and the
// quotes of PromQL take half of them away.
func alternatives(values []string, special, mark string) string {
	var escaped []string
	for _, value := range values {
		var b strings.Builder
		for _, r := range value {
			switch {
			case r == '\\':
				b.WriteString(mark + mark)
			case strings.ContainsRune(special, r):
				b.WriteString(mark + string(r))
			default:
				b.WriteRune(r)
			}
		}
		escaped = append(escaped, b.String())
	}
	if len(escaped) == 1 {
		return escaped[0]
	}
	return "(" + strings.Join(escaped, "|") + ")"
}

// options returns what a variable's regular expression makes of the answers to
// its query: the group named value, or the first one, or the whole text.
func (v variable) options(answers []string) ([]string, error) {
	pattern, slashed := strings.CutPrefix(v.Regex, "/")
	if slashed {
		var closed bool
		if pattern, closed = strings.CutSuffix(pattern, "/"); !closed {
			return nil, fmt.Errorf("variable %s: the flags of %s are unknown here", v.Name, v.Regex)
		}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", v.Name, err)
	}
	group := max(0, re.SubexpIndex("value"))
	if group == 0 && re.NumSubexp() > 0 {
		group = 1
	}
	found := map[string]bool{}
	for _, answer := range answers {
		m := re.FindStringSubmatch(answer)
		switch {
		case m == nil:
		case group == 0:
			found[answer] = true
		default:
			found[m[group]] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// named returns the values of a list of the author's own by their names:
// "name : value, name : value".
func (v variable) named() map[string]string {
	values := map[string]string{}
	for option := range strings.SplitSeq(string(v.Query), ",") {
		name, value, _ := strings.Cut(option, " : ")
		values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return values
}

// labelValues and queryResult are the functions that a variable's query can have,
// on one line: over several Grafana takes them for something else.
var (
	labelValues = regexp.MustCompile(`^label_values\((.+),\s*([a-zA-Z_]\w*)\)\s*$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)\s*$`)
)

// asResult returns a sample as query_result shows it to the regular expression.
func asResult(s *model.Sample) string {
	name := s.Metric[model.MetricNameLabel]
	var labels []string
	for _, label := range slices.Sorted(maps.Keys(s.Metric)) {
		if label != model.MetricNameLabel {
			labels = append(labels, fmt.Sprintf(`%s="%s"`, label, s.Metric[label]))
		}
	}
	return fmt.Sprintf("%s{%s} %s %d", name, strings.Join(labels, ","), s.Value, int64(s.Timestamp))
}

// span is the time that a panel shows.
type span struct{ from, to time.Time }

// spanOf returns the time range of a panel.
func (d dashboard) spanOf(p panel, now time.Time) (span, error) {
	from := p.TimeFrom
	if from == "" {
		var relative bool
		if from, relative = strings.CutPrefix(d.Time.From, "now-"); !relative || d.Time.To != "now" {
			return span{}, fmt.Errorf("the time range from %s to %s is unknown here", d.Time.From, d.Time.To)
		}
	}
	back, err := model.ParseDuration(from)
	if err != nil {
		return span{}, fmt.Errorf("parse the time range of %s: %w", p.Title, err)
	}
	return span{now.Add(-time.Duration(back)), now}, nil
}

// scrapeInterval is what the provisioned data source names as its timeInterval.
const scrapeInterval = 15 * time.Second

// interval returns the step of a query. Grafana asks for as many points as the
// panel has pixels; here a column of the grid has fifty.
func (p panel) interval(t target, s span) (time.Duration, error) {
	least := scrapeInterval
	for _, text := range []string{p.Interval, t.Interval} {
		if text == "" {
			continue
		}
		d, err := model.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("parse the interval of %s: %w", p.Title, err)
		}
		least = time.Duration(d)
	}
	return max(least, rounded(s.to.Sub(s.from)/time.Duration(50*max(1, p.GridPos.W)))), nil
}

// rounded returns the interval that Grafana prefers to one; it has shorter ones
// too, but scrapes are no closer.
func rounded(d time.Duration) time.Duration {
	nice := []struct{ below, interval time.Duration }{
		{17500 * time.Millisecond, 15 * time.Second},
		{25 * time.Second, 20 * time.Second},
		{45 * time.Second, 30 * time.Second},
		{90 * time.Second, time.Minute},
		{210 * time.Second, 2 * time.Minute},
		{450 * time.Second, 5 * time.Minute},
		{750 * time.Second, 10 * time.Minute},
		{1050 * time.Second, 15 * time.Minute},
		{1500 * time.Second, 20 * time.Minute},
		{2700 * time.Second, 30 * time.Minute},
		{90 * time.Minute, time.Hour},
		{150 * time.Minute, 2 * time.Hour},
		{270 * time.Minute, 3 * time.Hour},
		{9 * time.Hour, 6 * time.Hour},
		{day, 12 * time.Hour},
		{week, day},
		{3 * week, week},
		{42 * day, 30 * day},
	}
	for _, n := range nice {
		if d <= n.below {
			return n.interval
		}
	}
	return year
}

// withIntervals adds the variables that Grafana has for each query.
func (vars settings) withIntervals(t target, s span, step time.Duration) settings {
	scrape := scrapeInterval
	if d, err := model.ParseDuration(t.Interval); err == nil {
		scrape = time.Duration(d)
	}
	filled := maps.Clone(vars)
	set := func(name string, d time.Duration) {
		filled[name] = setting{values: []string{model.Duration(d).String()}, asIs: true}
	}
	set("__interval", step)
	set("__rate_interval", max(step+scrape, 4*scrape))
	set("__range", s.to.Sub(s.from).Round(time.Second))
	return filled
}

func TestFill(t *testing.T) {
	vars := settings{
		"one":     {values: []string{"a.b"}, many: true},
		"several": {values: []string{`a\b`, "c+d"}, many: true},
		"none":    {many: true},
		"any":     {values: []string{".*"}, asIs: true},
		"typed":   {values: []string{`it's 1.5\2`}},
		"pattern": {values: []string{"(?i).*"}},
	}
	for name, c := range map[string]struct{ query, want string }{
		"one value":          {`x{a=~"$one"}`, `x{a=~"a\\.b"}`},
		"braces":             {`x{a=~"${one}"}`, `x{a=~"a\\.b"}`},
		"several values":     {`x{a=~"$several"}`, `x{a=~"(a\\\\b|c\\+d)"}`},
		"no value":           {`x{a=~"$none"}`, `x{a=~"()"}`},
		"all, as an author":  {`x{a=~"$any"}`, `x{a=~".*"}`},
		"not a choice":       {`x{a="$typed"}`, `x{a="it\\'s 1.5\\2"}`},
		"as a pattern":       {"x{a=~`${pattern}${typed:regex}`}", "x{a=~`(?i).*it's 1\\.5\\\\2`}"},
		"several as pattern": {`${several:regex}`, `(a\\b|c\+d)`},
		"raw":                {`${one:raw} ${several:raw}`, `a.b a\b,c+d`},
		"a regular group":    {`label_replace(x, "a", "$1$2", "b", "(.)(.)")`, `label_replace(x, "a", "$1$2", "b", "(.)(.)")`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := vars.fill(c.query)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%s becomes %s, want %s", c.query, got, c.want)
			}
		})
	}
	for _, query := range []string{"$other", "${other:regex}", "${one:csv}", "${any:pipe}"} {
		if got, err := vars.fill(query); err == nil {
			t.Errorf("%s: want an error, got %s", query, got)
		}
	}
}

func TestChoose(t *testing.T) {
	options := []string{"a", "b"}
	everything := []string{all}
	for name, c := range map[string]struct {
		variable variable
		chosen   []string
		want     setting
	}{
		"one":              {variable{Multi: true}, []string{"b"}, setting{values: []string{"b"}, many: true}},
		"all":              {variable{IncludeAll: true}, everything, setting{values: options, many: true}},
		"all by a pattern": {variable{IncludeAll: true, AllValue: ".+"}, everything, setting{values: []string{".+"}, asIs: true}},
		"a text":           {variable{}, []string{"typed"}, setting{values: []string{"typed"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.variable.choose(c.chosen, options)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(setting{})); diff != "" {
				t.Errorf("setting differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	answers := []string{`{user_name="bob",x="1"} 2 1000`, `{user_name="alice"} 1 1000`, `{user_name="bob",x="2"} 1 1000`, `{} 1 1000`}
	for name, c := range map[string]struct {
		regex string
		want  []string
	}{
		"a group":       {`/user_name="([^"]+)"/`, []string{"alice", "bob"}},
		"a named group": {`/(\w+)="(?<value>[^"]+)"/`, []string{"alice", "bob"}},
		"no group":      {`user_name="a`, answers[1:2]},
		"none":          {"", []string{answers[1], answers[0], answers[2], answers[3]}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := variable{Regex: c.regex}.options(answers)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("options differ (-want +got):\n%s", diff)
			}
		})
	}
	for _, regex := range []string{"/a/g", "("} {
		if got, err := (variable{Regex: regex}).options(answers); err == nil {
			t.Errorf("%s: want an error, got %q", regex, got)
		}
	}
}

func TestNamed(t *testing.T) {
	got := variable{Query: "contains : (?i).*, AWS : https://console.aws.amazon.com"}.named()
	want := map[string]string{"contains": "(?i).*", "AWS": "https://console.aws.amazon.com"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
}

func TestDashboardModel(t *testing.T) {
	const text = `{"uid": "u", "time": {"from": "now-90d", "to": "now"}, "templating": {"list": [
		{"name": "a", "type": "query", "multi": true, "query": {"query": "label_values(up, job)", "qryType": 1}, "current": {"value": ["$__all"]}},
		{"name": "b", "type": "textbox", "query": "x", "current": {"value": "y"}},
		{"name": "c", "type": "textbox", "current": {}}]},
		"panels": [{"title": "p", "timeFrom": "5y", "interval": "1h", "gridPos": {"w": 12}, "targets": [{"refId": "A", "expr": "up", "instant": true}]}]}`
	var got dashboard
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := dashboard{UID: "u"}
	want.Time.From, want.Time.To = "now-90d", "now"
	a := variable{Name: "a", Type: "query", Multi: true, Query: "label_values(up, job)"}
	a.Current.Value = oneOrMore{all}
	b := variable{Name: "b", Type: "textbox", Query: "x"}
	b.Current.Value = oneOrMore{"y"}
	want.Templating.List = []variable{a, b, {Name: "c", Type: "textbox"}}
	p := panel{Title: "p", TimeFrom: "5y", Interval: "1h", Targets: []target{{RefID: "A", Expr: "up", Instant: true}}}
	p.GridPos.W = 12
	want.Panels = []panel{p}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dashboard differs (-want +got):\n%s", diff)
	}
}

func TestIntervals(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		from, timeFrom, panel, query string
		want                         []string // __interval, __rate_interval, __range
	}{
		"a short time":          {"now-6h", "", "", "", []string{"30s", "1m", "6h"}},
		"a long time":           {"now-90d", "", "", "", []string{"3h", "3h15s", "90d"}},
		"a panel's time":        {"now-6h", "5y", "1h", "", []string{"1d", "1d15s", "5y"}},
		"a panel's interval":    {"now-6h", "", "1h", "", []string{"1h", "1h15s", "6h"}},
		"a query's interval":    {"now-6h", "", "", "1m", []string{"1m", "4m", "6h"}},
		"a very short interval": {"now-5m", "", "", "", []string{"15s", "1m", "5m"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := dashboard{}
			d.Time.From, d.Time.To = c.from, "now"
			p, q := panel{TimeFrom: c.timeFrom, Interval: c.panel}, target{Interval: c.query}
			p.GridPos.W = 12
			shown, err := d.spanOf(p, now)
			if err != nil {
				t.Fatal(err)
			}
			step, err := p.interval(q, shown)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			vars := settings{}.withIntervals(q, shown, step)
			for _, name := range []string{"__interval", "__rate_interval", "__range"} {
				value, _ := vars[name].format("")
				got = append(got, value)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("intervals differ (-want +got):\n%s", diff)
			}
		})
	}
}
