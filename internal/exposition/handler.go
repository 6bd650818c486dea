package exposition

import (
	"bytes"
	"net/http"

	"github.com/prometheus/common/expfmt"
)

// Handler serves a page, and what another handler serves at the moment. Except for
// a format that no page is kept in, its requests wait for nobody and take the same
// memory however large the page is. Its functions and handlers must be safe for
// concurrent use.
type Handler struct {
	// Page returns what is served now.
	Page func() *Page
	// Tail serves, as text and uncompressed, what stands after the page. It is asked
	// with each request.
	Tail http.Handler
	// Live serves everything to clients that take no plain text, uncompressed or as
	// they ask for.
	Live http.Handler
	// Failed is told when a client did not take its answer.
	Failed func(*http.Request, error)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted := negotiate(r)
	if !wanted.text {
		h.Live.ServeHTTP(w, r)
		return
	}
	page, chosen := h.Page(), chosenBy(r)
	tail := &tail{header: http.Header{}}
	h.Tail.ServeHTTP(tail, asText(r))
	if tail.status != http.StatusOK && tail.status != 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(tail.status)
		_, _ = tail.text.WriteTo(w)
		return
	}
	w.Header().Set("Content-Type", wanted.contentType)
	w.Header()["Vary"] = []string{"Accept", "Accept-Encoding"}
	a := &answer{page: page, chosen: chosen, tail: tail.text.Bytes()}
	send := a.sendText
	if wanted.gzip {
		send = a.sendGzip
	}
	if err := send(w, r.Method == http.MethodHead); err != nil {
		h.Failed(r, err)
	}
}

// chosenBy returns which families the request asks for: those it names, or all.
func chosenBy(r *http.Request) func(family string) bool {
	names := r.URL.Query()["name[]"]
	if len(names) == 0 {
		return func(string) bool { return true }
	}
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return func(family string) bool { return set[family] }
}

// asText returns the request as one for plain text, uncompressed.
func asText(r *http.Request) *http.Request {
	q := r.Clone(r.Context())
	q.Header = http.Header{"Accept": {string(expfmt.FmtText)}}
	return q
}

// tail is an http.ResponseWriter that keeps what is written.
type tail struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (t *tail) Header() http.Header         { return t.header }
func (t *tail) WriteHeader(status int)      { t.status = status }
func (t *tail) Write(p []byte) (int, error) { return t.text.Write(p) }
