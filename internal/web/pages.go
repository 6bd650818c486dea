package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

//go:embed *.html
var templates embed.FS

//go:embed landing.css favicon.svg
var files embed.FS

// addPages serves what people read: the landing page, and a page for each account.
func addPages(mux *http.ServeMux, o Options) {
	pages := pages(o)
	mux.Handle("GET /{$}", pages)
	mux.HandleFunc("GET /accounts/{id}", func(w http.ResponseWriter, r *http.Request) {
		if find(o.View(), r.PathValue("id")) == nil { // at once, and kept for nobody
			notWatched(w)
			return
		}
		pages.ServeHTTP(w, r)
	})
	mux.Handle("GET /landing.css", http.FileServerFS(files))
	mux.Handle("GET /favicon.svg", http.FileServerFS(files))
}

// pages shows the present state. Who asks the same can share an answer.
func pages(o Options) http.Handler {
	all := template.Must(template.ParseFS(templates, "*.html"))
	pageWish := func(r *http.Request) wish {
		return wish{key: r.URL.Path + parseQuery(r.URL.RawQuery).key(), compressed: exposition.Negotiated(r).Get("Content-Encoding") == "gzip"}
	}
	return newShared(o, pageWish, func() http.Handler {
		v, now := o.View(), o.Now()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := parseQuery(r.URL.RawQuery)
			id := r.PathValue("id")
			if id == "" {
				render(w, o, all.Lookup("page.html"), newLanding(o, v, q, now))
				return
			}
			ev := find(v, id)
			if ev == nil { // it went while the request waited
				notWatched(w)
				return
			}
			render(w, o, all.Lookup("page.html"), newAccountPage(o, v, ev, q, now))
		})
	})
}

func render(w http.ResponseWriter, o Options, page *template.Template, content any) {
	var text bytes.Buffer
	if err := page.Execute(&text, content); err != nil {
		o.Logger.Error("Render page", "page", page.Name(), "err", err)
		http.Error(w, "rendering the page failed; see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // what is shown again is not what is known now
	_, _ = text.WriteTo(w)
}

// find returns the account of that id; nil if it is not watched. The caller's own
// account may have come without its id, and so have none as its key.
func find(v *view.View, id string) *policy.Evaluation {
	for _, key := range []string{id, ""} {
		if ev := v.Account(key); ev != nil && ev.Snapshot.Account.ID == id {
			return ev
		}
	}
	return nil
}

// notWatched does not repeat the id, which can be anything.
func notWatched(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, "No account of that id is watched; the page at / has those that are.\n")
}
