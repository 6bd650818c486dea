package dashboards

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// each runs a test for every dashboard.
func each(t *testing.T, test func(*testing.T, Dashboard)) {
	t.Helper()
	all := All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { test(t, all[name]) })
	}
}

// panels leaves out headings.
func panels(d Dashboard) []*Panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p *Panel) bool { return p.Type == "row" })
}

func TestDashboard(t *testing.T) {
	seen := map[string]bool{}
	each(t, func(t *testing.T, d Dashboard) {
		if !regexp.MustCompile(`^[a-z-]{1,40}$`).MatchString(d.UID) || seen[d.UID] || seen[d.Title] {
			t.Errorf("got uid %q and title %q, want ones of its own", d.UID, d.Title)
		}
		seen[d.UID], seen[d.Title] = true, true
		if d.Description == "" || d.Editable || d.SchemaVersion != 42 || d.Refresh == "" {
			t.Errorf("want a description, schema version 42, a refresh interval, and not editable: %+v", d)
		}
		if len(d.Links) != len(All())-1 {
			t.Errorf("%d links, want one to each of the others", len(d.Links))
		}
	})
}

func TestVariables(t *testing.T) {
	each(t, func(t *testing.T, d Dashboard) {
		text := encode(t, d)
		for i, v := range d.Templating.List {
			switch {
			case v.Label == "" || v.Current == nil:
				t.Errorf("%s: want a label and a value to begin with", v.Name)
			case i == 0 && (v.Name != "datasource" || v.Label != "Data source" || v.Type != "datasource"):
				t.Errorf("the first variable is %s, want the data source", v.Name)
			case v.Type == "query" && (*v.Datasource != live || v.Refresh != onTimeChange || !v.Multi || !v.IncludeAll):
				t.Errorf("%s: want a choice of some or all, queried again when the time range changes: %+v", v.Name, v)
			case v.Name == "instance" && v.AllValue != ".+", v.Name == "job" && v.AllValue != "":
				t.Errorf("%s: All is %q, want every instance of the exporter's jobs", v.Name, v.AllValue)
			}
			if inner, is := strings.CutPrefix(v.Definition, "query_result("); is && strings.Contains(inner, "\n") {
				t.Errorf("%s: Grafana reads query_result on one line only", v.Name)
			}
			if uses := strings.Count(text, "$"+v.Name) + strings.Count(text, "${"+v.Name); uses == 0 {
				t.Errorf("%s: nothing depends on it", v.Name)
			}
		}
		for _, name := range []string{"datasource", "job", "instance", "account_id"} {
			if !slices.ContainsFunc(d.Templating.List, func(v Variable) bool { return v.Name == name }) {
				t.Errorf("no variable %s", name)
			}
		}
	})
}

// TestVariablesExist finds references to variables that do not exist.
func TestVariablesExist(t *testing.T) {
	reference := regexp.MustCompile(`\$\{?(\w+)`)
	builtIn := []string{"__rate_interval", "__data", "__value", "__all", "__all_variables", "1", "2", "3", "4", "5"}
	each(t, func(t *testing.T, d Dashboard) {
		known := builtIn
		for _, v := range d.Templating.List {
			known = append(known, v.Name)
		}
		for _, m := range reference.FindAllStringSubmatch(encode(t, d), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s: no such variable", m[0])
			}
		}
	})
}

func TestPanels(t *testing.T) {
	kinds := []string{"stat", "bargauge", "table", "timeseries"} // what the preview can draw
	units := []string{count, share, days, seconds, memory, rate, dollars, "dtdurations"}
	each(t, func(t *testing.T, d Dashboard) {
		seen := map[any]bool{}
		for _, p := range panels(d) {
			if p.Title == "" || !strings.HasSuffix(p.Description, ".") || seen[p.Title] || seen[p.ID] {
				t.Errorf("%q: want a title and an id of its own, and a description in sentences", p.Title)
			}
			seen[p.Title], seen[p.ID] = true, true
			if !slices.Contains(kinds, p.Type) || *p.Datasource != live && *p.Datasource != trends || len(p.Targets) == 0 {
				t.Errorf("%q: want a panel that can be drawn, of a variable data source, with a query", p.Title)
			}
			if p.FieldConfig.Defaults.NoValue == "" {
				t.Errorf("%q says nothing when it is empty", p.Title)
			}
			if unit := p.FieldConfig.Defaults.Unit; p.Type != "table" && unit != "" && !slices.Contains(units, unit) {
				t.Errorf("%q: unknown unit %q", p.Title, unit)
			} else if unit == "" && (p.Type == "timeseries" || p.Type == "bargauge") {
				t.Errorf("%q has no unit", p.Title)
			}
			for i, target := range p.Targets {
				if target.RefID != string(rune('A'+i)) || *target.Datasource != *p.Datasource || target.Instant == target.Range {
					t.Errorf("%q: query %d: %+v", p.Title, i, target)
				}
			}
		}
	})
}

// TestAnnotations holds annotations to values above 0, which alone Grafana draws.
func TestAnnotations(t *testing.T) {
	each(t, func(t *testing.T, d Dashboard) {
		for _, a := range d.Annotations.List {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(filled(a.Expr))
			if err != nil {
				t.Fatal(err)
			}
			if compared, is := expr.(*parser.BinaryExpr); is && compared.Op.IsComparisonOperator() && !compared.ReturnBool {
				t.Errorf("%s: %s has the value that is compared, want 1", a.Name, a.Expr)
			}
		}
	})
}

// TestGrid finds panels that lie on each other or leave the page.
func TestGrid(t *testing.T) {
	each(t, func(t *testing.T, d Dashboard) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other, is := taken[[2]int{x, y}]; is || x >= 24 {
						t.Fatalf("%q lies on %q or beyond the edge", p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	})
}

// TestLinks finds links to dashboards, variables and runbooks that do not exist.
func TestLinks(t *testing.T) {
	variables := map[string][]string{}
	for _, d := range All() {
		for _, v := range d.Templating.List {
			variables[d.UID] = append(variables[d.UID], v.Name)
		}
	}
	address := regexp.MustCompile(`"url": "/d/([a-z-]+)(\??[^"]*)"`)
	set := regexp.MustCompile(`var-(\w+)=|\$\{(\w+):queryparam\}`)
	each(t, func(t *testing.T, d Dashboard) {
		links := address.FindAllStringSubmatch(encode(t, d), -1)
		for _, link := range links {
			if variables[link[1]] == nil {
				t.Errorf("%s: no such dashboard", link[0])
			}
			for _, m := range set.FindAllStringSubmatch(link[2], -1) {
				if name := m[1] + m[2]; !slices.Contains(variables[link[1]], name) {
					t.Errorf("%s: %s has no variable %s", link[0], link[1], name)
				}
			}
		}
	})
	runbooks := strings.ToLower(readText(t, "../../alerts/runbooks.md"))
	for _, rule := range policy.Rules() {
		if anchor := "iam" + strings.ReplaceAll(string(rule), "_", ""); !strings.Contains(runbooks, "# "+anchor+"\n") {
			t.Errorf("the runbooks have no heading %s for the findings to link to", anchor)
		}
	}
}

// TestAlertsLeadHere holds the links of the alerts to the dashboards.
func TestAlertsLeadHere(t *testing.T) {
	links := regexp.MustCompile(`/d/([a-z-]+)/?\S*`).FindAllStringSubmatch(readText(t, "../../alerts/aws_iam.rules.yaml"), -1)
	if len(links) == 0 {
		t.Error("no alert links to a dashboard")
	}
	for _, link := range links {
		found := false
		for _, d := range All() {
			if d.UID != link[1] {
				continue
			}
			found = true
			for _, m := range regexp.MustCompile(`var-(\w+)=`).FindAllStringSubmatch(link[0], -1) {
				if !slices.ContainsFunc(d.Templating.List, func(v Variable) bool { return v.Name == m[1] }) {
					t.Errorf("%s: the dashboard has no variable %s", link[0], m[1])
				}
			}
		}
		if !found {
			t.Errorf("%s: no such dashboard", link[0])
		}
	}
}

// expressions returns all queries, with something filled in for the variables.
func expressions(d Dashboard) map[string]string {
	all := map[string]string{}
	for _, p := range panels(d) {
		for _, target := range p.Targets {
			all[p.Title+" "+target.RefID] = filled(target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if inner, is := strings.CutPrefix(v.Definition, "query_result("); is {
			all["variable "+v.Name] = filled(strings.TrimSuffix(inner, ")"))
		} else if inner, is := strings.CutPrefix(v.Definition, "label_values("); is {
			selector, _, _ := cutLast(inner, ",")
			all["variable "+v.Name] = filled(selector)
		}
	}
	for _, a := range d.Annotations.List {
		all["annotation "+a.Name] = filled(a.Expr)
	}
	return all
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func filled(expr string) string {
	return strings.NewReplacer(
		"$__rate_interval", "1m",
		"${match}", exactly, "${user_name:regex}", "bob", "$event_price", "2",
		"$job", ".+", "$instance", ".+", "$account_id", ".*", "$user_owner", ".*", "$rule", ".*", "$listed", "bob|eve",
	).Replace(expr)
}

// series are the metrics that queries may ask for, with their labels.
type series struct {
	labels   []string
	counter  bool
	recorded bool
}

func knownSeries(t *testing.T) map[string]series {
	target := []string{"job", "instance"}
	known := map[string]series{}
	for _, name := range []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "process_start_time_seconds", "process_resident_memory_bytes"} {
		known[name] = series{labels: target}
	}
	known["process_cpu_seconds_total"] = series{labels: target, counter: true}
	for _, m := range collector.Metrics() {
		known[m.Name] = series{labels: append(target, m.Labels...), counter: m.Type == "counter"}
	}
	for _, name := range []string{"aws_iam:replica_superseded", "aws_iam:account_seen_timestamp_seconds"} {
		known[name] = series{labels: append([]string{"account_id"}, target...)}
	}
	known["aws_iam:account_retired_timestamp_seconds"] = series{labels: []string{"account_id"}, recorded: true}
	var file struct {
		Groups []struct{ Rules []struct{ Record string } }
	}
	if err := yaml.Unmarshal([]byte(readText(t, "../../alerts/aws_iam.recording.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			parts := strings.Split(rule.Record, ":") // level, metric, what was done to it
			known[rule.Record] = series{labels: known[parts[1]].labels, recorded: true}
		}
	}
	return known
}

// TestExpressions reads each query as Prometheus would, and finds what neither
// the exporter nor the recording rules have.
func TestExpressions(t *testing.T) {
	known := knownSeries(t)
	each(t, func(t *testing.T, d Dashboard) {
		all := expressions(d)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			t.Run(name, func(t *testing.T) {
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(all[name])
				if err != nil {
					t.Fatalf("%v\n%s", err, all[name])
				}
				checkSelectors(t, name, expr, known)
				checkGrouping(t, expr, known)
			})
		}
	})
}

func checkSelectors(t *testing.T, name string, expr parser.Expr, known map[string]series) {
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		s, exists := known[selector.Name]
		if selector.Name == "" && strings.HasPrefix(name, "variable ") { // by a pattern of names
			return nil
		}
		if !exists {
			t.Errorf("%s: no such metric", selector.Name)
			return nil
		}
		matched := map[string]bool{}
		for _, m := range selector.LabelMatchers {
			matched[m.Name] = true
			checkMatcher(t, selector.Name, m, s)
		}
		switch {
		case strings.HasPrefix(name, "variable "): // job and instance are chosen one after the other
		case s.recorded && !matched["account_id"]:
			t.Errorf("%s: want account_id matched", selector)
		case !s.recorded && (!matched["job"] || !matched["instance"]):
			t.Errorf("%s: want job and instance matched", selector)
		}
		if s.counter && !inRate(path) {
			t.Errorf("%s is a counter: want rate or increase of it", selector)
		}
		return nil
	})
}

func checkMatcher(t *testing.T, metric string, m *labels.Matcher, s series) {
	closed := closed()
	if metric == "aws_iam_account_info" { // the organization's words, and not the exporter's
		closed["state"] = texts(organization.States())
	}
	switch {
	case m.Name == model.MetricNameLabel || m.Name == "filtered": // the label that no series has
	case !slices.Contains(s.labels, m.Name):
		t.Errorf("%s has no label %s", metric, m.Name)
	case closed[m.Name] != nil:
		for _, value := range strings.Split(m.Value, "|") {
			if value != ".*" && !slices.Contains(closed[m.Name], value) {
				t.Errorf("%s: %s is never %q", metric, m.Name, value)
			}
		}
	}
}

func closed() map[string][]string {
	return map[string][]string{
		"rule":     texts(policy.Rules()),
		"verdict":  texts(policy.Verdicts()),
		"facts":    texts(inventory.Groups()),
		"status":   texts(inventory.Statuses()),
		"state":    texts(inventory.States()),
		"reason":   texts(inventory.Reasons()),
		"age_band": collector.AgeBands(),
	}
}

// TestSuspended checks that no account counts as stale that is not read on purpose,
// and none is passed over that is read. Closed ones are taken out.
func TestSuspended(t *testing.T) {
	var want []string
	for _, state := range organization.States() {
		if !state.Readable() && state != organization.Closed {
			want = append(want, string(state))
		}
	}
	if !strings.Contains(suspended, `state=~"`+strings.Join(want, "|")+`"`) {
		t.Errorf("got %s, want the states %q", suspended, want)
	}
}

// inRate is true if a counter's value does not matter, or only what it grows by.
func inRate(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(node parser.Node) bool {
		switch n := node.(type) {
		case *parser.Call:
			return slices.Contains([]string{"rate", "increase"}, n.Func.Name)
		case *parser.AggregateExpr:
			return n.Op == parser.GROUP
		}
		return false
	})
}

// checkGrouping finds labels in by, on and group_left that nothing carries.
func checkGrouping(t *testing.T, expr parser.Expr, known map[string]series) {
	var carried []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is {
			carried = append(carried, known[selector.Name].labels...)
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		var named []string
		switch n := node.(type) {
		case *parser.AggregateExpr:
			named = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				named = append(slices.Clone(n.VectorMatching.MatchingLabels), n.VectorMatching.Include...)
			}
		}
		for _, label := range named {
			if !slices.Contains(carried, label) {
				t.Errorf("%v: nothing here has a label %s", node, label)
			}
		}
		return nil
	})
}

// TestColumns finds columns of tables that no query of the table has.
func TestColumns(t *testing.T) {
	each(t, func(t *testing.T, d Dashboard) {
		for _, p := range panels(d) {
			if p.Type != "table" {
				continue
			}
			names := p.Transformations[1].Options.(map[string]any)["include"].(map[string]any)["names"].([]string)
			for _, name := range names {
				if !strings.HasPrefix(name, "Value") && !slices.ContainsFunc(p.Targets, func(target Target) bool { return strings.Contains(target.Expr, name) }) {
					t.Errorf("%q: no query has a label %s", p.Title, name)
				}
			}
		}
	})
}

// TestFewSeries holds the queries about users and keys to those who are listed
// or typed in, so that they cost the same for ten users and for a hundred
// thousand. Findings and exemptions are few; topk and the like keep them so.
func TestFewSeries(t *testing.T) {
	perUser := regexp.MustCompile(`^aws_iam_(user|access_key)_`)
	perFinding := regexp.MustCompile(`^aws_iam_(finding|exemption)_`)
	each(t, func(t *testing.T, d Dashboard) {
		for name, text := range expressions(d) {
			nothingTyped := strings.ReplaceAll(text, exactly+"bob"+exactly, exactly+exactly)
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(nothingTyped)
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				selector, is := node.(*parser.VectorSelector)
				if is && len(path) > 0 && perFinding.MatchString(selector.Name) && !few(append(path, node)) && !limited(selector) {
					t.Errorf("%s shows all series of %s", name, fmt.Sprint(selector))
				}
				if is && perUser.MatchString(selector.Name) && !limited(selector) {
					t.Errorf("%s asks for all series of %s", name, fmt.Sprint(selector))
				}
				return nil
			})
		}
	})
}

// limited is true if the selector has names of users, or selects nothing as
// long as no name is typed in and no owner chosen.
func limited(selector *parser.VectorSelector) bool {
	return slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == "filtered" && !m.Matches("") || m.Name == "user_name" && m.Value == "bob|eve"
	})
}

// few is true if something on the way picks the topmost, or adds up users.
func few(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(node parser.Node) bool {
		a, is := node.(*parser.AggregateExpr)
		return is && (a.Op == parser.TOPK || a.Op == parser.BOTTOMK || !a.Without && !slices.Contains(a.Grouping, "user_name"))
	})
}

// TestLongRange holds what is asked over years, of all accounts, to two million samples a query,
// however many accounts there are: it reads the sums of all, and nothing of any account.
func TestLongRange(t *testing.T) {
	const points, inAnHour, most = 1000, 12, 2_000_000
	each(t, func(t *testing.T, d Dashboard) {
		for name, text := range expressions(d) {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
			if err != nil {
				t.Fatal(err)
			}
			samples := 0
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				selector, is := node.(*parser.VectorSelector)
				switch {
				case is && strings.HasPrefix(selector.Name, "account:") && !matchesNone(selector, "111122223333"):
					t.Errorf("%s reads %s of every account", name, selector)
				case is && strings.HasPrefix(selector.Name, "fleet:"):
					samples += points * inAnHour * seriesOf(selector)
				}
				return nil
			})
			if samples > most {
				t.Errorf("%s reads %d samples, want at most %d", name, samples, most)
			}
		}
	})
}

// matchesNone reports whether a selector excludes the account.
func matchesNone(selector *parser.VectorSelector, account string) bool {
	return slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "account_id" && !m.Matches(account) })
}

// seriesOf counts those that a selector of sums has at most.
func seriesOf(selector *parser.VectorSelector) int {
	n := 1
	for _, label := range map[string][]string{
		"fleet:aws_iam_account_verdicts:sum": {"rule", "verdict"}, "fleet:aws_iam_account_access_keys:sum": {"age_band"}, "fleet:aws_iam_account_verdicts:count": {"rule"},
	}[selector.Name] {
		values := closed()[label]
		for _, m := range selector.LabelMatchers {
			if m.Name == label {
				values = slices.DeleteFunc(values, func(v string) bool { return !m.Matches(v) })
			}
		}
		n *= len(values)
	}
	return n
}
