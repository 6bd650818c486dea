// Package collector turns evaluated snapshots into Prometheus metrics. It calls
// nobody, so a scrape makes no request to AWS and cannot fail because of AWS.
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

// Options configure a Collector. The functions are required, are called once
// per scrape, and must be safe for concurrent use.
type Options struct {
	// View returns what is served now.
	View func() *view.View
	// API returns the requests sent to AWS so far, each operation once.
	API func() []inventory.Calls
	// Now is this machine's clock. Only the ages of keys use it, corrected by how
	// far it is from AWS's.
	Now func() time.Time

	AccessKeyIDs view.KeyIDFormat // how access_key_id shows the keys; full if empty
	KeyAge       bool             // serve aws_iam_access_key_age_seconds
	Users        bool             // serve series with the names of users; root's stay in any case
	Share        bool             // others watch the rest of the organization
}

// Collector is a prometheus.Collector of everything known about the accounts.
type Collector struct {
	options Options
	metrics []metric
}

// New returns a collector; nothing is read before the first scrape.
func New(options Options) *Collector {
	c := &Collector{options: options}
	for _, m := range table() {
		if m.name == keyAge && !options.KeyAge {
			continue
		}
		m.describe(nil)
		c.metrics = append(c.metrics, m)
	}
	return c
}

// Describe implements prometheus.Collector. It describes nothing, because
// descriptions must not change, and a reload of the configuration changes labels.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := subject{
		view:    c.options.View(),
		options: &c.options,
		now:     c.options.Now(),
	}
	w := &writer{metrics: c.metricsUnder(s.view.Policy), out: ch, labels: make([]string, 0, 16)}
	w.write(perExporter, &s)
	for _, s.Evaluation = range distinct(s.view.Accounts()) {
		writeAccount(w, s)
	}
}

// metricsUnder returns the metrics with the labels that the policy asks for.
func (c *Collector) metricsUnder(p *policy.Policy) []metric {
	metrics := slices.Clone(c.metrics)
	for i := range metrics {
		if tags := metrics[i].tags; tags != nil {
			metrics[i].describe(tags(p))
		}
	}
	return metrics
}

func writeAccount(w *writer, s subject) {
	id := s.Snapshot.Account.ID
	w.write(perAccount, &s, id)
	users := s.Snapshot.Users
	for i := range users {
		s.user, s.classification = &users[i], &s.Users[i]
		if i > 0 && s.user.Name == users[i-1].Name || !s.shows(s.classification) {
			continue
		}
		w.write(perUser, &s, id, s.user.Name)
		keys, _ := s.user.Keys.Get()
		for k := range keys {
			s.key = &keys[k]
			if !hasID(keys[:k], s.key.ID) {
				w.write(perKey, &s, id, s.user.Name, s.options.AccessKeyIDs.Show(s.key.ID, keys))
			}
		}
	}
}

// hasID reports whether one of the keys has the id. No snapshot should hold a user,
// or a user's key, twice; but if one does, a scrape must not fail.
func hasID(keys []inventory.AccessKey, id string) bool {
	return slices.ContainsFunc(keys, func(k inventory.AccessKey) bool { return k.ID == id })
}

// distinct returns the first evaluation of each account id. Accounts share the
// empty id until theirs is known, and two series must not share their labels.
func distinct(evaluations []*policy.Evaluation) []*policy.Evaluation {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(evaluations), func(ev *policy.Evaluation) bool {
		id := ev.Snapshot.Account.ID
		defer func() { seen[id] = true }()
		return seen[id]
	})
}

// subject is what a metric is about: the exporter, an account, a user or a key.
// What lies outside the metric's scope is nil.
type subject struct {
	*policy.Evaluation
	view           *view.View
	options        *Options
	now            time.Time
	user           *inventory.User
	classification *policy.Classification // of that user
	key            *inventory.AccessKey
}

// awsNow is the time by the clock of AWS, which dates keys.
func (s *subject) awsNow() time.Time { return s.now.Add(s.Snapshot.Health.Skew) }

// writer sends the series of one scope after another.
type writer struct {
	metrics []metric
	out     chan<- prometheus.Metric
	labels  []string // reused for every series
}

func (w *writer) write(scope scope, s *subject, scopeLabels ...string) {
	w.labels = w.labels[:0]
	for _, label := range scopeLabels {
		w.labels = append(w.labels, unmistakable(label))
	}
	for i := range w.metrics {
		m := &w.metrics[i]
		if m.scope != scope {
			continue
		}
		m.series(s, func(value float64, labels ...string) {
			all := append(w.labels, labels...)
			clean(all[len(w.labels):])
			w.out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, all...)
		})
	}
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
	Name   string
	Type   string // gauge or counter
	Help   string
	Labels []string
}

// Metrics describes every metric that can be served, in the order of the
// documentation. It is for the documentation and for tests of queries. The labels
// that a configuration adds, tag_<name>, are not included.
func Metrics() []Metric {
	var all []Metric
	for _, m := range append(table(), buildInfo()) {
		kind := "gauge"
		if m.kind == prometheus.CounterValue {
			kind = "counter"
		}
		all = append(all, Metric{Name: m.name, Type: kind, Help: m.fullHelp(), Labels: m.fullLabels()})
	}
	return all
}
