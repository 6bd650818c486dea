package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// metrics serves what is rendered of the accounts, and after it what can be gathered
// about the exporter. A series that cannot be served, such as a second one with the
// same labels, does not cost the others.
func metrics(o Options) http.Handler {
	options := promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		ErrorHandling:      promhttp.ContinueOnError,
		ErrorLog:           &scrapeLog{logger: o.Logger},
		Registry:           o.Register,
		DisableCompression: true, // answers are compressed as a whole
	}
	if o.Page == nil {
		nothing := exposition.NewFamilies(nil).Page(nil)
		o.Page, o.Rendered = func(*view.View) *exposition.Page { return nothing }, prometheus.Gatherers{}
	}
	h := &exposition.Handler{
		Page: func() *exposition.Page { return o.Page(o.View()) }, Tail: promhttp.HandlerFor(o.Gatherer, options), Live: gathered(o, options),
		Failed: func(r *http.Request, err error) { noteFailure(o.Logger, r, err) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit(w, patienceOf(r))
		h.ServeHTTP(w, r)
	})
}

// gathered serves everything in the formats in which nothing is rendered. To gather it
// takes time and memory, so it is done for one client at a time.
func gathered(o Options, options promhttp.HandlerOpts) http.Handler {
	everything := prometheus.Gatherers{o.Rendered, o.Gatherer}
	return newShared(o, metricsWish, func() http.Handler {
		families, err := everything.Gather()
		return promhttp.HandlerFor(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, err }), options)
	})
}

// metricsWish tells apart the formats in which metrics are served. A request for
// metrics of some names, by name[], shares with nobody.
func metricsWish(r *http.Request) wish {
	h := exposition.Negotiated(r)
	wanted := wish{key: h.Get("Content-Type"), compressed: h.Get("Content-Encoding") == "gzip"}
	if r.URL.Query().Has("name[]") {
		wanted.key = ""
	}
	return wanted
}

// scrapeLog logs each kind of failed scrape once, because scrapes come all the
// time; promhttp_metric_handler_errors_total counts the failures.
type scrapeLog struct {
	logger *slog.Logger
	said   sync.Map // by kind
}

// longestProblem limits what is logged of a failure, which can be about any number
// of series.
const longestProblem = 1000

// Println logs a failure; its kind comes first.
func (l *scrapeLog) Println(v ...any) {
	if _, again := l.said.LoadOrStore(fmt.Sprint(v[:1]...), true); again {
		return
	}
	problem := strings.TrimSpace(fmt.Sprintln(v...))
	if len(problem) > longestProblem {
		problem = strings.ToValidUTF8(problem[:longestProblem], "") + "…"
	}
	l.logger.Error("A scrape failed in part; this is said once, and counted in promhttp_metric_handler_errors_total", "problem", problem)
}
