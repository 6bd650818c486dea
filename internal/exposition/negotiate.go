package exposition

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// wish is how a client would like an answer.
type wish struct {
	gzip        bool
	text        bool   // as text, or in nothing that there is
	contentType string // of text
}

// negotiate returns how the client would like an answer. Whoever takes text gets it,
// even if something else would be dearer to them: a Prometheus asks for OpenMetrics
// first and gains nothing by it.
func negotiate(r *http.Request) wish {
	usual := Negotiated(r)
	return wish{
		gzip:        usual.Get("Content-Encoding") == "gzip",
		text:        expfmt.Format(usual.Get("Content-Type")).FormatType() == expfmt.TypeTextPlain || acceptsText(r.Header.Values("Accept")),
		contentType: string(expfmt.NegotiateAccept(r.Header, expfmt.FmtText)),
	}
}

// Negotiated returns the header with which the Prometheus library would answer the
// request, as far as the client has a say in it. It is asked for an answer without
// metrics.
func Negotiated(r *http.Request) http.Header {
	h := headers{}
	promhttp.HandlerFor(prometheus.Gatherers{}, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(h, r)
	return http.Header(h)
}

// headers is an http.ResponseWriter that keeps the header alone.
type headers http.Header

func (h headers) Header() http.Header       { return http.Header(h) }
func (headers) WriteHeader(int)             {}
func (headers) Write(p []byte) (int, error) { return len(p), nil }

// acceptsText reports whether a client takes text/plain of our version, in whatever
// preference. What it says of text/plain counts before what it says of text/* and */*.
func acceptsText(accept []string) bool {
	closest, takes := 0, false
	for list := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(list)
		if version := params["version"]; err != nil || version != "" && version != expfmt.TextVersion {
			continue
		}
		near := map[string]int{"text/plain": 3, "text/*": 2, "*/*": 1}[kind]
		if near == 0 || near < closest {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		wanted := err != nil || q > 0 // without a q, it is 1
		takes = wanted || takes && near == closest
		closest = near
	}
	return takes
}
