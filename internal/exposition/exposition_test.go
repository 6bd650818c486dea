package exposition_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
)

// scales are some families. Nobody has the last one.
func scales() *exposition.Families {
	return exposition.NewFamilies([]exposition.Family{
		{Name: "length_meters", Help: "How long,\nor \\ \"wide\".", Type: "gauge"},
		{Name: "weighings_total", Help: "How often.", Type: "counter"},
		{Name: "depth_meters", Help: "How deep.", Type: "gauge"},
		{Name: "zeal", Help: "How eager.", Type: "gauge"},
	})
}

// section has a series of each of the families, whose label is the name.
func section(f *exposition.Families, name string, families ...string) (s *exposition.Section) {
	f.Build(func(b *exposition.Builder) {
		for i, family := range families {
			b.Add(f.Series(family, "name"), float64(i), []string{name}, nil)
		}
		s = b.Section(nil)
	})
	return s
}

func scalesPage() *exposition.Page {
	f := scales()
	return f.Page([]*exposition.Part{
		f.Part(),
		f.Part(section(f, "a", "weighings_total"), section(f, "b", "length_meters", "weighings_total")),
		f.Part(section(f, "c", "weighings_total", "depth_meters", "length_meters")),
	})
}

const (
	depth   = "# HELP depth_meters How deep.\n# TYPE depth_meters gauge\ndepth_meters{name=\"c\"} 1\n"
	lengths = "# HELP length_meters How long,\\nor \\\\ \"wide\".\n# TYPE length_meters gauge\nlength_meters{name=\"b\"} 0\nlength_meters{name=\"c\"} 2\n"
	counts  = "# HELP weighings_total How often.\n# TYPE weighings_total counter\nweighings_total{name=\"a\"} 0\nweighings_total{name=\"b\"} 1\nweighings_total{name=\"c\"} 0\n"
	own     = "# TYPE own untyped\nown 1\n"
)

// handler serves the page, and after it something of its own.
func handler(page *exposition.Page) *exposition.Handler {
	return &exposition.Handler{
		Page: func() *exposition.Page { return page },
		Tail: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if names := r.URL.Query()["name[]"]; len(names) == 0 || slices.Contains(names, "own") {
				_, _ = io.WriteString(w, own)
			}
		}),
		Live: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "live") }),
	}
}

func get(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Header = header
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer.Result()
}

// decode returns the body as it was before it was compressed, by one gzip member.
func decode(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get("Content-Encoding") == "gzip" {
		rest := bytes.NewReader(body)
		zip, err := gzip.NewReader(rest)
		if err != nil {
			t.Fatal(err)
		}
		zip.Multistream(false)
		text, err := io.ReadAll(zip)
		if err != nil || rest.Len() > 0 {
			t.Errorf("gunzip: %v, and %d bytes left", err, rest.Len())
		}
		if n := answer.Header.Get("Content-Length"); n != strconv.Itoa(len(body)) {
			t.Errorf("Content-Length: got %s, want %d", n, len(body))
		}
		return string(text)
	}
	if n := answer.Header.Get("Content-Length"); n != strconv.Itoa(len(body)) {
		t.Errorf("Content-Length: got %s, want %d", n, len(body))
	}
	return string(body)
}

// TestPage has the header of a family stand once, before the first series there is, and
// none for a family that nobody has.
func TestPage(t *testing.T) {
	for query, want := range map[string]string{
		"":                       depth + lengths + counts + own,
		"?name[]=length_meters":  lengths,
		"?name[]=zeal":           "",
		"?name[]=nothing":        "",
		"?name[]=own":            own,
		"?name[]=":               "",
		"?name=own&other[]=zeal": depth + lengths + counts + own,
		"?name[]=weighings_total&name[]=depth_meters&name[]=own": depth + counts + own,
	} {
		for _, encoding := range []string{"gzip", ""} {
			t.Run(query+" "+encoding, func(t *testing.T) {
				header := http.Header{"Accept-Encoding": {encoding}}
				answer := get(handler(scalesPage()), "GET", "/metrics"+query, header)
				if got := answer.Header.Get("Content-Encoding"); answer.StatusCode != http.StatusOK || got != encoding {
					t.Errorf("got status %d, encoding %q; want 200, %q", answer.StatusCode, got, encoding)
				}
				if diff := cmp.Diff(want, decode(t, answer)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				head := get(handler(scalesPage()), "HEAD", "/metrics"+query, header)
				if diff := cmp.Diff(answer.Header, head.Header); diff != "" {
					t.Errorf("header of HEAD (-of GET +got):\n%s", diff)
				}
				if body, _ := io.ReadAll(head.Body); len(body) > 0 {
					t.Errorf("body of HEAD: got %d bytes", len(body))
				}
			})
		}
	}
}

// TestNobody serves no families at all.
func TestNobody(t *testing.T) {
	page := exposition.NewFamilies(nil).Page(nil)
	for _, encoding := range []string{"gzip", ""} {
		if got := decode(t, get(handler(page), "GET", "/metrics", http.Header{"Accept-Encoding": {encoding}})); got != own {
			t.Errorf("got %q, want %q", got, own)
		}
	}
}

// Accept headers as clients send them.
const (
	prometheus3   = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	prometheus2   = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
	histograms    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," + prometheus3
	openMetrics   = "application/openmetrics-text;version=1.0.0"
	protobuf      = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	text          = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
	textUTF8      = "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8"
	live          = ""
	noOpenMetrics = "application/openmetrics-text;q=0"
)

// TestAccept has whoever takes plain text in any preference get it from the page.
func TestAccept(t *testing.T) {
	for accept, want := range map[string]string{
		"": text, "*/*": text, "text/plain": text, "text/html": text, ";;;": text, ",,": text, "text/*": text,
		prometheus3: textUTF8, prometheus2: text, histograms: textUTF8,
		openMetrics: live, protobuf: live, protobuf + "," + openMetrics: live,
		openMetrics + ",text/plain;q=0.001":                text,
		openMetrics + ",*/*;q=0.1":                         text,
		openMetrics + ",text/*;q=0.1":                      text,
		openMetrics + ",text/plain;q=0":                    live,
		openMetrics + ",text/plain;q=0,*/*":                live,
		openMetrics + ",*/*,text/plain;q=0":                live,
		openMetrics + ",*/*;q=0":                           live,
		openMetrics + ",text/plain;version=0.0.4;q=0.0":    live,
		openMetrics + ",text/plain;version=1.0.0":          live,
		openMetrics + ",text/plain;q=0,text/plain;q=1":     text,
		openMetrics + ",TEXT/Plain; Version=0.0.4 ;q=0.3 ": text,
		openMetrics + ",text/plain;q=much":                 text,
		"text/plain;q=0":                                   text, // there is nothing else
		noOpenMetrics:                                      live,
		"application/openmetrics-text;version=2.0.0":       text,
		"text/plain;escaping=dots":                         "text/plain; version=0.0.4; charset=utf-8; escaping=dots",
	} {
		t.Run(accept, func(t *testing.T) {
			answer := get(handler(scalesPage()), "GET", "/metrics", http.Header{"Accept": {accept}})
			if want == live {
				if body, _ := io.ReadAll(answer.Body); string(body) != "live" {
					t.Errorf("got %q, %s; want the live answer", answer.Header, body)
				}
				return
			}
			if got := answer.Header.Get("Content-Type"); got != want {
				t.Errorf("Content-Type: got %q, want %q", got, want)
			}
			if got := decode(t, answer); got != depth+lengths+counts+own {
				t.Errorf("got %s", got)
			}
		})
	}
	several := http.Header{"Accept": {openMetrics, "text/plain;q=0.1"}}
	if got := decode(t, get(handler(scalesPage()), "GET", "/metrics", several)); got != depth+lengths+counts+own {
		t.Errorf("two Accept headers: got %s", got)
	}
}

// TestTwiceGzip has a client name gzip twice, which is no wish to have it twice.
func TestTwiceGzip(t *testing.T) {
	for _, encodings := range [][]string{{"gzip, gzip"}, {"gzip", "gzip"}, {"gzip;q=0.2, gzip;q=0.9"}} {
		answer := get(handler(scalesPage()), "GET", "/metrics", http.Header{"Accept-Encoding": encodings})
		if got := answer.Header.Values("Content-Encoding"); !slices.Equal(got, []string{"gzip"}) {
			t.Errorf("%q: got Content-Encoding %q", encodings, got)
		}
		if got := decode(t, answer); got != depth+lengths+counts+own {
			t.Errorf("%q: got %s", encodings, got)
		}
	}
}

// TestTailFails passes on that what stands after the page could not be had.
func TestTailFails(t *testing.T) {
	h := handler(scalesPage())
	h.Tail = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no metrics", http.StatusInternalServerError)
	})
	answer := get(h, "GET", "/metrics", http.Header{"Accept-Encoding": {"gzip"}})
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusInternalServerError || string(body) != "no metrics\n" {
		t.Errorf("got status %d, %s", answer.StatusCode, body)
	}
}

// vanishing is a client that goes away after some bytes.
type vanishing struct {
	http.ResponseWriter
	left int
}

var errGone = errors.New("connection reset by peer")

func (v *vanishing) Write(p []byte) (int, error) {
	if v.left -= len(p); v.left < 0 {
		return 0, errGone
	}
	return v.ResponseWriter.Write(p)
}

// TestVanishingClients tells who went away, and serves the next as ever.
func TestVanishingClients(t *testing.T) {
	f := scales()
	var parts []*exposition.Part
	for i := range 1000 {
		parts = append(parts, f.Part(section(f, fmt.Sprintf("%x", i*i*i), "weighings_total", "depth_meters")))
	}
	h := handler(f.Page(parts))
	want := decode(t, get(h, "GET", "/metrics", nil))
	for _, encoding := range []string{"gzip", ""} {
		var told error
		h.Failed = func(_ *http.Request, err error) { told = err }
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept-Encoding", encoding)
		h.ServeHTTP(&vanishing{httptest.NewRecorder(), 33_000}, r)
		if !errors.Is(told, errGone) {
			t.Errorf("%q: told %v, want %v", encoding, told, errGone)
		}
		h.Failed = nil
		if got := decode(t, get(h, "GET", "/metrics", r.Header)); got != want {
			t.Errorf("%q: the next client got something else", encoding)
		}
	}
}

// TestKeptBlocks takes over what is the same as before, and nothing else.
func TestKeptBlocks(t *testing.T) {
	f := scales()
	var sections []*exposition.Section
	f.Build(func(b *exposition.Builder) {
		var before *exposition.Section
		for i, value := range []float64{1, 1, 2, 1} {
			b.Add(f.Series("depth_meters"), value, nil, nil)
			if i != 2 {
				b.Add(f.Series("zeal"), 7, nil, nil)
			}
			before = b.Section(before)
			sections = append(sections, before)
		}
	})
	if sections[1] != sections[0] || sections[2] == sections[1] || sections[3] == sections[2] {
		t.Errorf("sections: got %p, want the first two to be one, and no others", sections)
	}
	const zeal = "# HELP zeal How eager.\n# TYPE zeal gauge\nzeal 7\n"
	for i, want := range []string{"1", "1", "2", "1"} {
		want = "# HELP depth_meters How deep.\n# TYPE depth_meters gauge\ndepth_meters " + want + "\n"
		if i != 2 {
			want += zeal
		}
		if got := decode(t, get(handler(f.Page([]*exposition.Part{f.Part(sections[i])})), "GET", "/metrics", nil)); got != want+own {
			t.Errorf("section %d: got %s, want %s", i, got, want)
		}
	}
}

// FuzzSeries compares a series with what the library's encoder writes.
func FuzzSeries(f *testing.F) {
	for _, value := range []float64{0, math.Copysign(0, -1), 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e21, 1e20, 123456789, 1.7e9, 0.1, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f.Add(value, "x", "\"\\\n", "", true)
	}
	f.Add(3.0, "\x00\u2028é", "{},=", "#\r\t", false)
	f.Fuzz(func(t *testing.T, value float64, a, b, c string, isCounter bool) {
		family := exposition.Family{Name: "thing", Help: "It is " + b + c, Type: "gauge"}
		labels := []*dto.LabelPair{{Name: new("a"), Value: &a}, {Name: new("b"), Value: &b}, {Name: new("c"), Value: &c}}
		want := &dto.MetricFamily{Name: &family.Name, Help: &family.Help, Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Label: labels, Gauge: &dto.Gauge{Value: &value}}}}
		if isCounter {
			family.Type, want.Type = "counter", dto.MetricType_COUNTER.Enum()
			want.Metric[0] = &dto.Metric{Label: labels, Counter: &dto.Counter{Value: &value}}
		}
		var text strings.Builder
		if _, err := expfmt.MetricFamilyToText(&text, want); err != nil {
			t.Fatal(err)
		}
		families := exposition.NewFamilies([]exposition.Family{family})
		var part *exposition.Part
		families.Build(func(builder *exposition.Builder) {
			builder.Add(families.Series("thing", "c", "b", "a"), value, []string{exposition.Escape(c)}, []string{b, a})
			part = families.Part(builder.Section(nil))
		})
		got := decode(t, get(handler(families.Page([]*exposition.Part{part})), "GET", "/metrics", nil))
		if diff := cmp.Diff(text.String()+own, got); diff != "" {
			t.Errorf("-library +ours:\n%s", diff)
		}
	})
}

// TestAllocations serves ten times the blocks, of texts that are worth compressing, with
// no more allocations but for those of a decoder that is made anew: pools forget.
func TestAllocations(t *testing.T) {
	for _, encoding := range []string{"gzip", ""} {
		var allocations []float64
		for _, n := range []int{10, 100} {
			f := scales()
			random, parts := rand.New(rand.NewPCG(1, 2)), []*exposition.Part(nil)
			for range n {
				f.Build(func(b *exposition.Builder) {
					for range 50 {
						b.Add(f.Series("depth_meters", "name"), random.Float64(), nil, []string{fmt.Sprintf("AKIA%016X", random.Uint64())})
					}
					parts = append(parts, f.Part(b.Section(nil)))
				})
			}
			h, r := handler(f.Page(parts)), httptest.NewRequest("GET", "/metrics", nil)
			r.Header.Set("Accept-Encoding", encoding)
			allocations = append(allocations, testing.AllocsPerRun(20, func() { h.ServeHTTP(discard{http.Header{}}, r) }))
		}
		if allocations[1] > 2*allocations[0] {
			t.Errorf("%q: got %.0f allocations for some series, %.0f for ten times as many", encoding, allocations[0], allocations[1])
		}
	}
}

// discard is an http.ResponseWriter.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) WriteHeader(int)             {}
func (discard) Write(p []byte) (int, error) { return len(p), nil }
