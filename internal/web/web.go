// Package web serves the metrics, pages for people, and the probes.
package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// Options say what to serve.
type Options struct {
	Page     func(*view.View) *exposition.Page // what is rendered of a view; nil for nothing
	Rendered prometheus.Gatherer               // the same, for clients that take no plain text
	Gatherer prometheus.Gatherer               // of everything else
	Register prometheus.Registerer             // of the counter of failed scrapes; nil for none
	View     func() *view.View                 // what is known and judged now
	Ready    func() bool
	Reload   func() error // reloads the configuration file; one call at a time; nil without a file
	Now      func() time.Time
	Source   func(accountID string) string // what is asked about an account: auto, report or live; the id may not be known yet
	Users    bool                          // the value of --metrics.users: whether users may be named
	// AccessKeyIDs says how the ids of access keys are shown; empty for whole.
	AccessKeyIDs view.KeyIDFormat
	Version      string
	Demo         string // what to say about the demo; empty without one
	Pprof        bool   // serve Go's profiles
	Logger       *slog.Logger
}

// Handler serves everything on one listener.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	addProbes(mux, o.Ready)
	mux.Handle("GET /metrics", metrics(o))
	mux.Handle("POST /-/reload", reload(o.Reload))
	if o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	addPages(mux, o)
	return guarded(mux)
}

// guarded has browsers load nothing but what is served here, run no scripts, and
// show no page within another site's.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

// reload reloads the configuration file. That changes the verdicts, so no other
// site may make a browser ask for it. A site that has its own name lead here (DNS
// rebinding) is no other site to a browser; passwords or certificates keep it out.
func reload(read func() error) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if read == nil {
			answer(w, http.StatusNotFound, "There is no configuration file to reload; start with --config.file.\n")
			return
		}
		if err := read(); err != nil {
			answer(w, http.StatusInternalServerError, fmt.Sprintf("%v\nThe old configuration stays in force.\n", err))
			return
		}
		answer(w, http.StatusOK, "The configuration was reloaded.\n")
	}))
}

// Probes serves the probes alone, for a plain listener beside one that asks
// for certificates or passwords.
func Probes(ready func() bool) http.Handler {
	mux := http.NewServeMux()
	addProbes(mux, ready)
	return guarded(mux)
}

// addProbes serves /-/healthy, which says that the process lives, and /-/ready.
// Trouble with AWS shows in metrics and never here: to restart the exporter, or to
// hide its metrics, would not help.
func addProbes(mux *http.ServeMux, ready func() bool) {
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "aws_iam_exporter is healthy.\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			answer(w, http.StatusServiceUnavailable, "aws_iam_exporter is waiting for its first answer from AWS.\n")
			return
		}
		answer(w, http.StatusOK, "aws_iam_exporter is ready.\n")
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client may be gone
}
