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
)

// metrics serves what can be gathered. A series that cannot be served, such as a
// second one with the same labels, does not cost the others.
func metrics(o Options) http.Handler {
	options := promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		ErrorHandling:      promhttp.ContinueOnError,
		ErrorLog:           &scrapeLog{logger: o.Logger},
		Registry:           o.Register,
		DisableCompression: true, // shared answers are compressed anyhow
	}
	return newShared(o, metricsWish(o.Register), func() http.Handler {
		families, err := o.Gatherer.Gather()
		return promhttp.HandlerFor(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, err }), options)
	})
}

// metricsWish tells apart the formats in which metrics are served. A request for
// metrics of some names, by name[], shares with nobody.
func metricsWish(register prometheus.Registerer) func(*http.Request) wish {
	negotiate := negotiator(register)
	return func(r *http.Request) wish {
		h := negotiate(r)
		wanted := wish{key: h.Get("Content-Type"), compressed: h.Get("Content-Encoding") == "gzip"}
		if r.URL.Query().Has("name[]") {
			wanted.key = ""
		}
		return wanted
	}
}

// negotiator returns what asks promhttp for the header of an answer, by having it
// serve no metrics. The counter of failures is registered, unless that is nil.
func negotiator(register prometheus.Registerer) func(*http.Request) http.Header {
	nothing := promhttp.HandlerFor(prometheus.Gatherers{}, promhttp.HandlerOpts{EnableOpenMetrics: true, Registry: register})
	return func(r *http.Request) http.Header {
		h := headers{}
		nothing.ServeHTTP(h, r)
		return http.Header(h)
	}
}

// headers is an http.ResponseWriter that keeps the header alone.
type headers http.Header

func (h headers) Header() http.Header       { return http.Header(h) }
func (headers) WriteHeader(int)             {}
func (headers) Write(p []byte) (int, error) { return len(p), nil }

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
