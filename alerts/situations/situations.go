// Package situations holds what can happen to accounts, exporters, policies and
// those who watch them, and which alerts must then fire: one table, from which the
// tests of the rules are made.
package situations

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Start returns when every situation begins.
func Start() time.Time { return time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) }

// Situation is what happens, and what must be told of it. Times are counted from
// its start.
type Situation struct {
	Name string
	// Step is how often Prometheus scrapes, and Evaluates how often it evaluates its rules: a
	// minute, if zero.
	Step, Evaluates time.Duration
	Lasts           time.Duration
	Targets         []Target
	Others          []Series // of other programs
	Unseen          []Span   // when Prometheus scrapes nothing at all
	Expect          []Expectation
}

// Span is a part of a situation. Without a To it lasts until the end.
type Span struct{ From, To time.Duration }

func (s Span) has(t time.Duration) bool { return t >= s.From && (s.To == 0 || t < s.To) }

// during reports whether a moment is in any of the spans; without any it is.
func during(spans []Span, t time.Duration) bool {
	return spans == nil || slices.ContainsFunc(spans, func(s Span) bool { return s.has(t) })
}

// Target is an exporter as a scrape job finds it.
type Target struct {
	Job, Instance string // aws_iam and a:10190, if empty
	Cluster       string // a label that Prometheus adds, if not empty
	Known         []Span // to service discovery; always, if nil
	Answers       []Span // always, if nil
	Starts        []time.Duration
	Accounts      []Account
	Own           []Series // about the exporter itself
	NoBuildInfo   bool     // it is scraped by a job that takes other metrics
}

// Account is an account as an exporter serves it.
type Account struct {
	ID, Name, OU, Owner string
	Served              []Span        // always, if nil
	Read                []Span        // when AWS answers; always, if nil
	Every               time.Duration // between two refreshes; a minute, if zero
	// Frozen has groups of facts that AWS ceases to answer at some time.
	Frozen map[string]time.Duration
	Denied []string // groups of facts that AWS never tells
	Reason string   // why AWS does not answer
	// Suspended is when its organization has it in the state As.
	Suspended []Span
	As        string
	Findings  []Finding
	// hasNewerKey is set if root's finding is about an older key than its newest, which Series then dates.
	hasNewerKey bool
	Series      []Series // the rest, such as verdicts
}

// Finding is a violation, since a time before the start.
type Finding struct {
	Rule, User, Owner, Key string
	Ago                    time.Duration // before the start; Undated, if nothing tells
	During                 []Span
}

// Series is any other series. Its labels are written as in PromQL, without those of
// the account and the target.
type Series struct {
	Name, Labels string
	Value        func(t time.Duration) float64 // NaN where there is none
}

// Expectation is what fires at a moment, all of it.
type Expectation struct {
	At     time.Duration
	Firing []string // a name, and labels as label=value; the severity is the alert's
	// Query is asked in place of what fires. Then Firing is the answer: a value in place of a name.
	Query string
}

// Words returns what people read in the situation: the descriptions of some alerts, as
// they are when they fire for the first time.
func (s *Situation) Words() map[string]string { return words()[s.Name] }

// Undated is when a violation began of which nothing tells when.
const Undated time.Duration = math.MaxInt64

const rootKeyCreated = "aws_iam_root_access_key_created_timestamp_seconds"

// lifetime is for how long facts are good, if refreshes are no more than a minute apart.
const lifetime = 2 * time.Hour

// timeSeries is a series with its samples, one for each step.
type timeSeries struct {
	name    string
	samples []float64
}

// InputSeries returns the series as promtool writes them: each name with the
// notation of its values.
func (s *Situation) InputSeries() [][2]string {
	var all [][2]string
	add := func(name string, value func(t time.Duration) float64) {
		one := timeSeries{name: name}
		for t := time.Duration(0); t <= s.Lasts; t += s.step() {
			v := value(t)
			if s.Unseen != nil && during(s.Unseen, t) {
				v = unseen
			}
			one.samples = append(one.samples, v)
		}
		if notation, any := one.notation(); any {
			all = append(all, [2]string{name, notation})
		}
	}
	for i := range s.Targets {
		s.Targets[i].each(add)
	}
	for _, o := range s.Others {
		add(fmt.Sprintf("%s{%s}", o.Name, o.Labels), o.Value)
	}
	return all
}

func (s *Situation) step() time.Duration {
	if s.Step == 0 {
		return time.Minute
	}
	return s.Step
}

type adder func(name string, value func(t time.Duration) float64)

func (x *Target) each(add adder) {
	job, instance := x.Job, x.Instance
	if job == "" {
		job = "aws_iam"
	}
	if instance == "" {
		instance = "a:10190"
	}
	of := fmt.Sprintf("job=%q, instance=%q", job, instance)
	if x.Cluster != "" {
		of += fmt.Sprintf(", cluster=%q", x.Cluster)
	}
	answers := func(t time.Duration) bool { return during(x.Known, t) && during(x.Answers, t) }
	// The target's own series; everything else goes while it does not answer.
	add("up{"+of+"}", func(t time.Duration) float64 {
		if !during(x.Known, t) {
			return math.NaN()
		}
		return number(answers(t))
	})
	served := func(name, labels string, value func(t time.Duration) float64) {
		if labels != "" {
			labels += ", "
		}
		add(fmt.Sprintf("%s{%s%s}", name, labels, of), func(t time.Duration) float64 {
			if !answers(t) {
				return math.NaN()
			}
			return value(t)
		})
	}
	if !x.NoBuildInfo {
		served("aws_iam_exporter_build_info", `version="1.0.0"`, always(1))
	}
	if x.Starts != nil {
		served("process_start_time_seconds", "", func(t time.Duration) float64 {
			last := time.Duration(0)
			for _, at := range x.Starts {
				if at <= t {
					last = at
				}
			}
			return unix(last)
		})
	}
	for _, o := range x.Own {
		served(o.Name, o.Labels, o.Value)
	}
	for i := range x.Accounts {
		x.Accounts[i].each(served)
	}
}

func (a *Account) each(served func(name, labels string, value func(t time.Duration) float64)) {
	add := func(name, labels string, value func(t time.Duration) float64) {
		if a.ID != "" {
			labels = strings.TrimSuffix(fmt.Sprintf("account_id=%q, %s", a.ID, labels), ", ")
		}
		served(name, labels, func(t time.Duration) float64 {
			if !during(a.Served, t) {
				return math.NaN()
			}
			return value(t)
		})
	}
	suspended := func(t time.Duration) bool { return a.Suspended != nil && during(a.Suspended, t) }
	reads := func(t time.Duration) bool { return during(a.Read, t) && !suspended(t) }
	frozen := func(t time.Duration) bool {
		for _, since := range a.Frozen {
			if t >= since {
				return true
			}
		}
		return false
	}
	if a.ID != "" {
		names := fmt.Sprintf(`account_name=%q, ou_path=%q, account_owner=%q, `, a.Name, a.OU, a.Owner)
		add("aws_iam_account_info", names+`state="active"`, when(func(t time.Duration) bool { return !suspended(t) }, 1))
		if a.As != "" {
			add("aws_iam_account_info", names+fmt.Sprintf("state=%q", a.As), when(suspended, 1))
		}
	}
	add("aws_iam_account_refreshes_total", "", func(t time.Duration) float64 { return 1 + t.Minutes() })
	add("aws_iam_account_up", "", func(t time.Duration) float64 {
		if suspended(t) {
			return math.NaN()
		}
		at := a.tried(t)
		return number(reads(at) && !frozen(at) && a.Denied == nil)
	})
	if a.Reason != "" {
		fails := func(t time.Duration) bool { return !reads(t) || frozen(t) || a.Denied != nil }
		reason := fmt.Sprintf("reason=%q", a.Reason)
		add("aws_iam_account_refresh_errors_total", reason, counting(func(t time.Duration) bool { return t == a.tried(t) && fails(t) }))
		add("aws_iam_account_problems", reason, when(func(t time.Duration) bool { return fails(a.tried(t)) && !suspended(t) }, 1))
	}
	for _, group := range []string{"users", "keys", "root", "tags"} {
		if slices.Contains(a.Denied, group) {
			continue
		}
		observed := func(t time.Duration) float64 { return a.observed(group, t, suspended) }
		add("aws_iam_account_facts_observed_timestamp_seconds", fmt.Sprintf("facts=%q", group), observed)
		add("aws_iam_account_facts_stale_timestamp_seconds", fmt.Sprintf("facts=%q", group), func(t time.Duration) float64 {
			if suspended(t) {
				return math.NaN()
			}
			return observed(t) + max(lifetime, 3*a.Every).Seconds()
		})
	}
	for _, f := range a.Findings {
		labels := fmt.Sprintf("rule=%q, user_name=%q, user_owner=%q, access_key_id=%q", f.Rule, f.User, f.Owner, f.Key)
		is := func(t time.Duration) bool { return during(f.During, t) }
		if f.Ago == Undated {
			add("aws_iam_finding_since_timestamp_seconds", labels, when(is, notANumber))
			continue
		}
		add("aws_iam_finding_since_timestamp_seconds", labels, when(is, unix(-f.Ago)))
		if f.Rule == "root_access_key" && !a.hasNewerKey {
			add(rootKeyCreated, "", when(is, unix(-f.Ago)))
		}
	}
	for _, o := range a.Series {
		add(o.Name, o.Labels, o.Value)
	}
}

// observed is when a group of facts was last read.
func (a *Account) observed(group string, t time.Duration, suspended func(t time.Duration) bool) float64 {
	if since, stops := a.Frozen[group]; stops && t > since {
		t = since
	}
	for t = a.tried(t); t >= 0; t -= max(a.Every, time.Minute) {
		if during(a.Read, t) && !suspended(t) {
			return unix(t)
		}
	}
	return math.NaN()
}

// tried is when the last refresh before a moment began.
func (a *Account) tried(t time.Duration) time.Duration {
	if a.Every == 0 {
		return t
	}
	return t.Truncate(a.Every)
}

// always is a value that does not change.
func always(v float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return v }
}

// when is a value that is there at some times only.
func when(is func(time.Duration) bool, v float64) func(time.Duration) float64 {
	return func(t time.Duration) float64 {
		if !is(t) {
			return math.NaN()
		}
		return v
	}
}

// within is a value that is there during spans only.
func within(v float64, spans ...Span) func(time.Duration) float64 {
	return when(func(t time.Duration) bool { return during(spans, t) }, v)
}

// then is one value until a moment and another from then on.
func then(v float64, at time.Duration, w float64) func(time.Duration) float64 {
	return func(t time.Duration) float64 {
		if t < at {
			return v
		}
		return w
	}
}

// counting is a counter that grows by one in each minute of some.
func counting(is func(time.Duration) bool) func(time.Duration) float64 {
	return func(t time.Duration) float64 {
		n := 0.0
		for at := time.Minute; at <= t; at += time.Minute {
			n += number(is(at))
		}
		return n
	}
}

func unix(t time.Duration) float64 { return float64(Start().Add(t).Unix()) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unseen is in place of a sample where nothing was scraped. Where a scrape lacks the series, it is NaN.
const unseen = -1

// notANumber is in place of a sample that is NaN.
const notANumber = -2

// notation writes samples as promtool reads them, and reports whether there are any. A series that ends
// ends with a marker, as it does when a scrape lacks it.
func (s *timeSeries) notation() (string, bool) {
	var parts []string
	any, v := false, s.samples
	for i := 0; i < len(v); {
		if missing(v[i]) {
			n, ends := 1, math.IsNaN(v[i])
			for i+n < len(v) && missing(v[i+n]) {
				n++
			}
			i += n
			if any && ends {
				parts = append(parts, "stale")
				n--
			}
			if n > 0 {
				parts = append(parts, fmt.Sprintf("_x%d", n))
			}
			continue
		}
		any = true
		n, slope := 0, 0.0
		if v[i] == notANumber {
			parts = append(parts, "NaN")
			i++
			continue
		}
		if i+1 < len(v) && !missing(v[i+1]) {
			slope = v[i+1] - v[i]
			for i+n+1 < len(v) && !missing(v[i+n+1]) && v[i+n+1]-v[i+n] == slope {
				n++
			}
		}
		parts = append(parts, run(v[i], slope, n))
		i += n + 1
	}
	return strings.Join(parts, " "), any
}

func missing(v float64) bool { return math.IsNaN(v) || v == unseen }

// run writes a value and n more, each greater by the slope.
func run(v, slope float64, n int) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	switch {
	case n == 0:
		return text
	case slope == 0:
		return fmt.Sprintf("%sx%d", text, n)
	}
	return fmt.Sprintf("%s%sx%d", text, signed(slope), n)
}

func signed(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if v >= 0 {
		return "+" + text
	}
	return text
}
