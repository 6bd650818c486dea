//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

const (
	dashboardsPattern = "../../dashboards/*.json"

	complianceDashboard = "aws-iam-compliance"
	usersDashboard      = "aws-iam-users"
	exporterDashboard   = "aws-iam-exporter"
)

// view is a dashboard as somebody has set its variables.
type view struct {
	name      string
	dashboard string              // all, if empty
	chosen    map[string][]string // by variable; the others stay as they are
	empty     map[string]string   // panels that may have nothing to show, and why
}

// asItOpens names the view in which each query must find something.
const asItOpens = "as it opens"

// TestDashboards asks Prometheus everything that the dashboards ask it.
func TestDashboards(t *testing.T) {
	s := startStage(t)
	one := []string{pasts()[0].account}
	owner := []string{s.busiestOwner(t, one[0])}
	compliant := map[string]string{"Longest": "a user may be compliant", "Exemptions": "and not exempted"}
	views := []view{
		{name: asItOpens},
		{
			name: "one account and owner", chosen: map[string][]string{"account_id": one, "user_owner": owner},
			empty: map[string]string{"Exemptions": "the owner may have none"},
		},
		{name: "a part of a name", dashboard: usersDashboard, chosen: map[string][]string{"user_name": {"BOB"}, "match": {"contains"}}, empty: compliant},
		{name: "a whole name", dashboard: usersDashboard, chosen: map[string][]string{"user_name": {"bob"}, "match": {"is exactly"}}, empty: compliant},
	}
	for _, d := range readDashboards(t) {
		for _, v := range views {
			if v.dashboard == "" || v.dashboard == d.UID {
				t.Run(d.UID+" "+v.name, func(t *testing.T) { s.open(t, d, v).run(t) })
			}
		}
	}
	t.Run("values", s.testValues)
}

func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(dashboardsPattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find %s: %d files, error %v", dashboardsPattern, len(files), err)
	}
	found := map[string]dashboard{}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(readFile(t, file)), &d); err != nil {
			t.Fatalf("parse %s: %v", file, err)
		}
		found[d.UID] = d
	}
	return found
}

// opened is a dashboard that is shown, at a certain time.
type opened struct {
	dashboard
	view
	prometheus string
	now        time.Time
	vars       settings
}

// open fills in the variables of a dashboard, in their order.
func (s *stage) open(t *testing.T, d dashboard, v view) *opened {
	t.Helper()
	// What is two seconds old is complete: no scrape takes that long.
	o := &opened{d, v, s.url, time.Now().Add(-2 * time.Second), settings{}}
	for _, variable := range d.Templating.List {
		options, read, err := o.options(t.Context(), variable)
		if err != nil {
			t.Fatalf("variable %s: %v", variable.Name, err)
		}
		if read > 0 {
			t.Logf("variable %s: %d options of %d samples", variable.Name, len(options), read)
		}
		if len(options) > mostRows {
			t.Errorf("variable %s has %d options, want at most %d", variable.Name, len(options), mostRows)
		}
		chosen := v.choice(variable)
		if len(chosen) == 0 {
			t.Fatalf("variable %s has no value to begin with", variable.Name)
		}
		o.vars[variable.Name] = variable.choose(chosen, options)
	}
	return o
}

// choice returns the chosen values of a variable; those of a fixed list are chosen
// by name.
func (v view) choice(of variable) []string {
	chosen, found := v.chosen[of.Name]
	switch {
	case !found:
		return of.Current.Value
	case of.Type == "custom":
		return []string{of.named()[chosen[0]]}
	}
	return chosen
}

// options returns the choices of a variable that Prometheus is asked for, and how
// many samples were read for them.
func (o *opened) options(ctx context.Context, v variable) (options []string, read int, err error) {
	switch v.Type {
	case "datasource", "custom", "textbox", "constant":
		return nil, 0, nil
	case "query":
	default:
		return nil, 0, fmt.Errorf("the type %s is unknown here", v.Type)
	}
	query, err := o.vars.fill(string(v.Query))
	if err != nil {
		return nil, 0, err
	}
	var answers []string
	if m := labelValues.FindStringSubmatch(query); m != nil {
		answers, err = o.labelValues(ctx, m[1], m[2])
	} else if m := queryResult.FindStringSubmatch(query); m != nil {
		answers, read, err = o.queryResult(ctx, m[1])
	} else {
		err = fmt.Errorf("the query %s is unknown here", query)
	}
	if err != nil {
		return nil, 0, err
	}
	options, err = v.options(answers)
	return options, read, err
}

// labelValues returns the values that a label has had in the series.
func (o *opened) labelValues(ctx context.Context, series, label string) (values []string, err error) {
	shown, err := o.spanOf(panel{}, o.now)
	if err != nil {
		return nil, err
	}
	params := url.Values{"match[]": {series}, "start": {stamp(shown.from)}, "end": {stamp(shown.to)}}
	err = o.ask(ctx, "label/"+label+"/values", params, &values)
	return values, err
}

// queryResult returns the samples of a query as texts, and how many were read.
func (o *opened) queryResult(ctx context.Context, expr string) (texts []string, read int, err error) {
	a, err := o.instant(ctx, expr)
	for _, sample := range a.samples {
		texts = append(texts, asResult(sample))
	}
	return texts, a.read, err
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// ask asks Prometheus and fails on warnings, too.
func (o *opened) ask(ctx context.Context, path string, params url.Values, data any) error {
	page, err := get(ctx, http.DefaultClient, o.prometheus+"/api/v1/"+path+"?"+params.Encode())
	if err != nil {
		return err
	}
	answer := struct {
		Data     any
		Warnings []string
		Infos    []string
	}{Data: data}
	if err := json.Unmarshal(page, &answer); err != nil {
		return fmt.Errorf("parse the answer of %s: %w", path, err)
	}
	if remarks := append(answer.Warnings, answer.Infos...); len(remarks) > 0 {
		return fmt.Errorf("ask %s for %s: it remarks %q", path, params, remarks)
	}
	return nil
}

// answer is what a query has brought, and how many samples were read for it.
type answer struct {
	samples      model.Vector
	series       model.Matrix
	read, atOnce int
}

func (a answer) rows() int { return len(a.samples) + len(a.series) }

// instant asks for values at the time at which the dashboard is shown.
func (o *opened) instant(ctx context.Context, expr string) (answer, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
		Stats      queryStats
	}
	params := url.Values{"query": {expr}, "time": {stamp(o.now)}, "stats": {"all"}}
	if err := o.ask(ctx, "query", params, &data); err != nil {
		return answer{}, err
	}
	a := answer{read: data.Stats.Samples.TotalQueryableSamples, atOnce: data.Stats.Samples.PeakSamples}
	if data.ResultType != "vector" {
		return a, fmt.Errorf("query %s: it answers with a %s", expr, data.ResultType)
	}
	return a, json.Unmarshal(data.Result, &a.samples)
}

type queryStats struct {
	Samples struct{ TotalQueryableSamples, PeakSamples int }
}

// history asks for values over time, at whole steps.
func (o *opened) history(ctx context.Context, expr string, s span, step time.Duration) (answer, error) {
	var data struct {
		Result model.Matrix
		Stats  queryStats
	}
	params := url.Values{
		"query": {expr},
		"start": {stamp(s.from.Truncate(step))},
		"end":   {stamp(s.to.Truncate(step))},
		"step":  {stamp(time.Unix(0, 0).Add(step))},
		"stats": {"all"},
	}
	err := o.ask(ctx, "query_range", params, &data)
	return answer{series: data.Result, read: data.Stats.Samples.TotalQueryableSamples, atOnce: data.Stats.Samples.PeakSamples}, err
}

// query runs a query of a panel.
func (o *opened) query(ctx context.Context, p panel, q target) (answer, error) {
	shown, err := o.spanOf(p, o.now)
	if err != nil {
		return answer{}, err
	}
	step, err := p.interval(q, shown)
	if err != nil {
		return answer{}, err
	}
	expr, err := o.vars.withIntervals(q, shown, step).fill(q.Expr)
	if err != nil {
		return answer{}, err
	}
	if q.Instant {
		return o.instant(ctx, expr)
	}
	return o.history(ctx, expr, shown, step)
}

// run runs every query of the dashboard.
func (o *opened) run(t *testing.T) {
	began := time.Now()
	queries := 0
	for _, p := range o.Panels {
		rows := 0
		for _, q := range p.Targets {
			queries++
			rows += o.check(t, p, q)
		}
		if _, excused := o.empty[p.Title]; rows == 0 && len(p.Targets) > 0 && !excused {
			t.Errorf("%s: %s: the panel has nothing to show", o.UID, p.Title)
		}
	}
	for _, a := range o.Annotations.List {
		if a.Expr == "" {
			continue
		}
		queries++
		p := panel{Title: a.Name, Interval: a.Step}
		if _, err := o.query(t.Context(), p, target{Expr: a.Expr}); err != nil {
			t.Errorf("annotation %s: %v", a.Name, err)
		}
	}
	t.Logf("%d queries took %s", queries, time.Since(began).Round(time.Millisecond))
}

// mostRows is what a browser shows without effort.
const mostRows = 2000

// check runs a query of a panel and returns how many rows it finds.
func (o *opened) check(t *testing.T, p panel, q target) int {
	t.Helper()
	name := o.UID + ": " + p.Title + ": " + q.RefID
	a, err := o.query(t.Context(), p, q)
	empty, excused := mayBeEmpty()[name]
	switch {
	case err != nil:
		t.Errorf("%s: %v", name, err)
	case a.rows() > 0 && excused && empty.always:
		t.Errorf("%s: %d rows, although %s: strike it off the list", name, a.rows(), empty.why)
	case a.rows() == 0 && o.name == asItOpens && !excused:
		t.Errorf("%s: the query finds nothing", name)
	case a.rows() > mostRows:
		t.Errorf("%s: %d rows, want at most %d", name, a.rows(), mostRows)
	}
	t.Logf("%s: %d rows of %d samples, %d at once", name, a.rows(), a.read, a.atOnce)
	return a.rows()
}

type excuse struct {
	why    string
	always bool
}

// mayBeEmpty returns the queries that rightly find nothing here, and why.
func mayBeEmpty() map[string]excuse {
	return map[string]excuse{
		"aws-iam-exporter: Exporters: F":   {"a demo keeps no state", true},
		"aws-iam-users: Users and keys: H": {"those with the oldest findings may have no exemption", false},
	}
}

// busiestOwner returns who has the most findings in an account.
func (s *stage) busiestOwner(t *testing.T, account string) string {
	t.Helper()
	var data struct{ Result model.Vector }
	expr := fmt.Sprintf(`topk(1, count by (user_owner) (aws_iam_finding_since_timestamp_seconds{account_id=%q, user_owner!=""}))`, account)
	eventually(t, time.Minute, func(ctx context.Context) error {
		err := ask(ctx, s.url+"/api/v1/query?"+asOf(expr, time.Now()), &data)
		if err == nil && len(data.Result) != 1 {
			err = fmt.Errorf("account %s has no owner with findings", account)
		}
		return err
	})
	return string(data.Result[0].Metric["user_owner"])
}
