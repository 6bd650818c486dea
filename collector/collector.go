// Package collector turns evaluated snapshots into Prometheus metrics. It calls
// nobody, so a scrape makes no request to AWS and cannot fail because of AWS.
//
// What is served of accounts is rendered when it changes (Renderer). A Collector serves
// the same series to client_golang, which asks for them one by one.
package collector

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// Options configure a Collector or a Renderer.
type Options struct {
	// Now is this machine's clock, and required; it must be safe for concurrent use.
	// Only the ages of keys use it, corrected by how far it is from AWS's.
	Now func() time.Time

	AccessKeyIDs view.KeyIDFormat // how access_key_id shows the keys; full if empty
	KeyAge       bool             // serve aws_iam_access_key_age_seconds
	Users        bool             // serve series with the names of users; root's stay in any case
	Share        bool             // others watch the rest of the organization
}

// Source is whom a Collector asks with each scrape. Both functions are required, and
// must be safe for concurrent use.
type Source struct {
	View func() *view.View        // what is served now
	API  func() []inventory.Calls // the requests sent to AWS so far, each operation once
}

// metrics are rows of the table, by scope.
type metrics [scopes][]metric

// served returns the metrics that are served and have one of the renewals.
func (o *Options) served(renewals ...Renewal) metrics {
	var all metrics
	for _, m := range table() {
		if slices.Contains(renewals, m.renew) && (m.name != keyAge || o.KeyAge) {
			all[m.scope] = append(all[m.scope], m)
		}
	}
	return all
}

// areOf reports whether there are metrics of one of the scopes.
func (all *metrics) areOf(scopes ...scope) bool {
	return slices.ContainsFunc(scopes, func(s scope) bool { return len(all[s]) > 0 })
}

// Collector is a prometheus.Collector.
type Collector struct {
	options Options
	source  Source
	metrics metrics
}

// New returns a collector of everything known; nothing is read before the first
// scrape.
func New(o Options, from Source) *Collector {
	return &Collector{options: o, source: from, metrics: o.served(WithFacts, EachMinute, EachScrape)}
}

// OfView returns a collector of what a Renderer renders.
func OfView(o Options, from Source) *Collector {
	return &Collector{options: o, source: from, metrics: o.served(WithFacts, EachMinute)}
}

// OfCounters returns a collector of what a Renderer does not render.
func OfCounters(o Options, from Source) *Collector {
	return &Collector{options: o, source: from, metrics: o.served(EachScrape)}
}

// Describe implements prometheus.Collector. It describes nothing, because
// descriptions must not change, and a reload of the configuration changes labels.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := subject{
		view:    c.source.View(),
		api:     c.source.API,
		options: &c.options,
		now:     c.options.Now(),
	}
	descs := map[int]*prometheus.Desc{} // by row
	for _, metrics := range c.metrics {
		for i := range metrics {
			m := &metrics[i]
			descs[m.row] = prometheus.NewDesc(m.name, m.fullHelp(), m.labelsUnder(s.view.Policy), nil)
		}
	}
	w := newWriter(&c.metrics, unmistakable, func(m *metric, value float64, ofScope, others []string) {
		ch <- prometheus.MustNewConstMetric(descs[m.row], m.kind, value, slices.Concat(ofScope, others)...)
	})
	w.write(perExporter, &s)
	if !c.metrics.areOf(perAccount, perUser, perKey, perFinding) {
		return
	}
	served := ids{}
	for _, s.Evaluation = range s.view.Accounts() {
		if served.take(s.Snapshot.Account.ID) {
			w.writeAccount(&s)
		}
	}
}

// ids are those of accounts that are served. Accounts share the empty id until theirs
// is known, and two series must not share their labels: so the first of an id is.
type ids map[string]bool

// take reports whether the id is not taken yet, and takes it.
func (s ids) take(id string) bool {
	if s[id] {
		return false
	}
	s[id] = true
	return true
}

// subject is what a metric is about: the exporter, an account, a user or a key.
// What lies outside the metric's scope is nil.
type subject struct {
	*policy.Evaluation
	view           *view.View               // for metrics about the exporter alone
	api            func() []inventory.Calls // for metrics that nobody renders
	options        *Options
	now            time.Time
	user           *inventory.User
	classification *policy.Classification // of that user
	key            *inventory.AccessKey
	finding        *policy.Finding
}

// awsNow is the time by the clock of AWS, which dates keys.
func (s *subject) awsNow() time.Time { return s.now.Add(s.Snapshot.Health.Skew) }

// writer writes the series of one subject after another.
type writer struct {
	metrics *metrics
	prepare func(label string) string
	serve   func(m *metric, value float64, ofScope, others []string)

	labels  []string // prepared, of the scope
	current *metric
	emit    emit // serves a value of the current metric
}

// newWriter returns a writer of the metrics. The labels of the scope are prepared once
// for all metrics; serve keeps no slice.
func newWriter(all *metrics, prepare func(string) string, serve func(m *metric, value float64, ofScope, others []string)) *writer {
	w := &writer{metrics: all, prepare: prepare, serve: serve}
	w.emit = func(value float64, labels ...string) {
		clean(labels)
		w.serve(w.current, value, w.labels, labels)
	}
	return w
}

func (w *writer) write(scope scope, s *subject, scopeLabels ...string) {
	if len(w.metrics[scope]) == 0 {
		return
	}
	w.labels = w.labels[:0]
	for _, label := range scopeLabels {
		w.labels = append(w.labels, w.prepare(label))
	}
	for i := range w.metrics[scope] {
		w.current = &w.metrics[scope][i]
		w.current.series(s, w.emit)
	}
}

// writeAccount writes all series of an account.
func (w *writer) writeAccount(s *subject) {
	w.writeOfAccount(s)
	w.writeUsers(s, 0, len(s.Users))
	w.writeFindings(s, 0, len(s.Findings))
}

// writeOfAccount writes the series about the account as a whole.
func (w *writer) writeOfAccount(s *subject) { w.write(perAccount, s, s.Snapshot.Account.ID) }

// writeUsers writes the series of some of the account's users, by their indexes, and
// of their keys.
func (w *writer) writeUsers(s *subject, from, to int) {
	if !w.metrics.areOf(perUser, perKey) {
		return
	}
	of, id, users := *s, s.Snapshot.Account.ID, s.Snapshot.Users
	for i := from; i < to; i++ {
		of.user, of.classification = &users[i], &s.Users[i]
		if i > 0 && of.user.Name == users[i-1].Name || !of.shows(of.classification) {
			continue
		}
		w.write(perUser, &of, id, of.user.Name)
		keys, _ := of.user.Keys.Get()
		for k := range keys {
			of.key = &keys[k]
			if !hasID(keys[:k], of.key.ID) {
				w.write(perKey, &of, id, of.user.Name, of.options.AccessKeyIDs.Show(of.key.ID, keys))
			}
		}
	}
}

// writeFindings writes the series of some of the account's findings, by their indexes.
func (w *writer) writeFindings(s *subject, from, to int) {
	if !w.metrics.areOf(perFinding) {
		return
	}
	of, id := *s, s.Snapshot.Account.ID
	for i := from; i < to; i++ {
		of.finding = &s.Findings[i]
		of.user, of.classification = s.Find(of.finding.UserName)
		if (i == 0 || !sameSubject(of.finding, &s.Findings[i-1])) && of.shows(of.classification) {
			w.write(perFinding, &of, id)
		}
	}
}

// hasID reports whether one of the keys has the id. No snapshot should hold a user,
// or a user's key, twice; but if one does, a scrape must not fail.
func hasID(keys []inventory.AccessKey, id string) bool {
	return slices.ContainsFunc(keys, func(k inventory.AccessKey) bool { return k.ID == id })
}

// clean makes label values valid UTF-8; their series would be lost otherwise.
func clean(labels []string) {
	for i, label := range labels {
		if !utf8.ValidString(label) {
			labels[i] = escape(label)
		}
	}
}

// unmistakable makes a label value valid UTF-8, and different for different
// values: what might be taken for an escaped value is escaped too. Names and ids
// of AWS have no backslashes, so all of them stay as they are.
func unmistakable(label string) string {
	if utf8.ValidString(label) && !strings.Contains(label, `\`) {
		return label
	}
	return escape(label)
}

func escape(label string) string {
	quoted := strconv.Quote(label)
	return quoted[1 : len(quoted)-1]
}

// Metric describes a metric that the exporter serves.
type Metric struct {
	Name    string
	Type    string // gauge or counter
	Help    string
	Labels  []string
	Renewal Renewal
}

// Metrics describes every metric that can be served, in the order of the
// documentation. It is for the documentation and for tests of queries. The labels
// that a configuration adds, tag_<name>, are not included.
func Metrics() []Metric {
	var all []Metric
	for _, m := range append(table(), buildInfo()) {
		all = append(all, Metric{Name: m.name, Type: m.typeName(), Help: m.fullHelp(), Labels: m.fullLabels(), Renewal: m.renew})
	}
	return all
}
