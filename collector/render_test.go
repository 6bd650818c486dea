package collector_test

import (
	"bytes"
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
)

// served returns a page as a client gets it.
func served(tb testing.TB, page *exposition.Page) string {
	tb.Helper()
	h := &exposition.Handler{
		Page: func() *exposition.Page { return page },
		Tail: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}

// libraryText returns what the library's encoder writes of a collector's series, in the
// order in which it collects them, its families in alphabetical order.
func libraryText(tb testing.TB, c prometheus.Collector) string {
	tb.Helper()
	ch := make(chan prometheus.Metric)
	go func() { defer close(ch); c.Collect(ch) }()
	byDesc := map[*prometheus.Desc]*dto.MetricFamily{}
	for m := range ch {
		family := byDesc[m.Desc()]
		if family == nil {
			family = describe(tb, m)
			byDesc[m.Desc()] = family
		}
		var metric dto.Metric
		if err := m.Write(&metric); err != nil {
			tb.Fatal(err)
		}
		family.Metric = append(family.Metric, &metric)
	}
	var families []*dto.MetricFamily
	for _, f := range byDesc {
		families = append(families, f)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	var b bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			tb.Fatal(err)
		}
	}
	return b.String()
}

// single is a collector of one series.
type single struct{ prometheus.Metric }

func (single) Describe(chan<- *prometheus.Desc)      {}
func (s single) Collect(ch chan<- prometheus.Metric) { ch <- s.Metric }

// describe returns the family of a series, without series, as a registry makes it.
func describe(tb testing.TB, m prometheus.Metric) *dto.MetricFamily {
	tb.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(single{m})
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		tb.Fatalf("gather one series: %d families, %v", len(families), err)
	}
	families[0].Metric = nil
	return families[0]
}

// TestRenderedScenes compares what is rendered of every scene with what the library
// writes of the same series.
func TestRenderedScenes(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			got, want := scene.render(t)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("(-library +ours):\n%s", diff)
			}
		})
	}
}
