package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// samples holds the value of each series, by name and labels in Prometheus's
// own notation, which is sorted and so can be compared.
type samples map[string]float64

// parseExposition reads the text format of /metrics.
func parseExposition(r io.Reader) (samples, error) {
	decoder := expfmt.SampleDecoder{
		Dec:  expfmt.NewDecoder(r, expfmt.NewFormat(expfmt.TypeTextPlain)),
		Opts: &expfmt.DecodeOptions{},
	}
	var all model.Vector
	for {
		var family model.Vector
		err := decoder.Decode(&family)
		if errors.Is(err, io.EOF) {
			return fromVector(all)
		}
		if err != nil {
			return nil, fmt.Errorf("parse exposition: %w", err)
		}
		all = append(all, family...)
	}
}

// oneOfEach shortens an exposition to the first series of each metric.
func oneOfEach(exposition string) string {
	var kept strings.Builder
	last := ""
	for line := range strings.Lines(exposition) {
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		if strings.HasPrefix(line, "#") || name != last {
			kept.WriteString(line)
		}
		last = name
	}
	return kept.String()
}

// parseExpected reads the output of expected.py: samples by source.
func parseExpected(text []byte) (map[string]samples, error) {
	var lists map[string][]struct {
		Name   model.LabelValue
		Labels model.Metric
		Value  float64
	}
	if err := json.Unmarshal(text, &lists); err != nil {
		return nil, fmt.Errorf("parse expected samples: %w", err)
	}
	all := map[string]samples{}
	for source, list := range lists {
		var vector model.Vector
		for _, s := range list {
			s.Labels[model.MetricNameLabel] = s.Name
			vector = append(vector, &model.Sample{Metric: s.Labels, Value: model.SampleValue(s.Value)})
		}
		var err error
		if all[source], err = fromVector(vector); err != nil {
			return nil, fmt.Errorf("source %s: %w", source, err)
		}
	}
	return all, nil
}

// parseQuery reads the answer of Prometheus to an instant query, leaving out
// the labels that Prometheus adds itself.
func parseQuery(r io.Reader) (samples, error) {
	var answer struct {
		Status, Error string
		Data          struct{ Result model.Vector }
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return nil, fmt.Errorf("parse answer to query: %w", err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("query Prometheus: %s", answer.Error)
	}
	for _, s := range answer.Data.Result {
		delete(s.Metric, model.InstanceLabel)
		delete(s.Metric, model.JobLabel)
	}
	return fromVector(answer.Data.Result)
}

func fromVector(vector model.Vector) (samples, error) {
	all := make(samples, len(vector))
	for _, s := range vector {
		// An empty label is no label to Prometheus.
		maps.DeleteFunc(s.Metric, func(_ model.LabelName, v model.LabelValue) bool { return v == "" })
		series := s.Metric.String()
		if _, twice := all[series]; twice {
			return nil, fmt.Errorf("series %s occurs twice", series)
		}
		all[series] = float64(s.Value)
	}
	return all, nil
}

// facts keeps what is said about the account and the policy, and leaves out what
// is said about the exporter and its refreshes, which AWS does not determine.
func (s samples) facts() samples {
	own := regexp.MustCompile(`^aws_iam_(exporter_(accounts|api|build|config|discovery)|account_(facts|problems|refresh|removed|state|credential_report))`)
	kept := maps.Clone(s)
	maps.DeleteFunc(kept, func(series string, _ float64) bool {
		return !strings.HasPrefix(series, "aws_iam_") || own.MatchString(series)
	})
	return kept
}

// compare returns a line for each difference, both ways. An age may differ by
// the seconds that pass between asking and looking.
func compare(want, got samples) []string {
	const ageTolerance = 600
	var lines []string
	for series, w := range want {
		g, found := got[series]
		tolerance := 0.0
		if strings.HasPrefix(series, "aws_iam_access_key_age_seconds{") {
			tolerance = ageTolerance
		}
		switch {
		case !found:
			lines = append(lines, fmt.Sprintf("missing   %s %v", series, w))
		case math.Abs(w-g) > tolerance:
			lines = append(lines, fmt.Sprintf("different %s: want %v, got %v", series, w, g))
		}
	}
	for series, g := range got {
		if _, wanted := want[series]; !wanted {
			lines = append(lines, fmt.Sprintf("extra     %s %v", series, g))
		}
	}
	slices.Sort(lines)
	return lines
}

// summary shortens the lines of compare to what a person reads.
func summary(lines []string) string {
	const most = 20
	if len(lines) <= most {
		return strings.Join(lines, "\n")
	}
	return fmt.Sprintf("%s\n… and %d more", strings.Join(lines[:most], "\n"), len(lines)-most)
}

func TestParse(t *testing.T) {
	want := samples{
		`aws_iam_user_console_access{account_id="1", user_name="bob"}`: 1,
		`aws_iam_account_users{account_id="1"}`:                        2,
	}
	exposition := `# TYPE aws_iam_user_console_access gauge
aws_iam_user_console_access{user_name="bob",account_id="1"} 1
# TYPE aws_iam_account_users gauge
aws_iam_account_users{account_id="1",ou_path=""} 2
`
	expected := `{"auto":[{"name":"aws_iam_user_console_access","labels":{"account_id":"1","user_name":"bob"},"value":1.0},
		{"name":"aws_iam_account_users","labels":{"account_id":"1"},"value":2.0}]}`
	query := `{"status":"success","data":{"resultType":"vector","result":[
		{"metric":{"__name__":"aws_iam_user_console_access","account_id":"1","user_name":"bob","job":"j"},"value":[1,"1"]},
		{"metric":{"__name__":"aws_iam_account_users","account_id":"1","instance":"i"},"value":[1,"2"]}]}}`
	for name, parse := range map[string]func() (samples, error){
		"exposition": func() (samples, error) { return parseExposition(strings.NewReader(exposition)) },
		"expected":   func() (samples, error) { return fromOne(parseExpected([]byte(expected))) },
		"query":      func() (samples, error) { return parseQuery(strings.NewReader(query)) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("samples differ (-want +got):\n%s", diff)
			}
		})
	}
}

// fromOne returns the samples of the only source.
func fromOne(all map[string]samples, err error) (samples, error) { return all["auto"], err }

func TestOneOfEach(t *testing.T) {
	const all = "# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n# TYPE b counter\nb 1\n"
	const want = "# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b counter\nb 1\n"
	if diff := cmp.Diff(want, oneOfEach(all)); diff != "" {
		t.Errorf("exposition differs (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, parse := range map[string]func() (samples, error){
		"a broken exposition": func() (samples, error) { return parseExposition(strings.NewReader("a{ 1\n")) },
		"a repeated series": func() (samples, error) {
			return fromOne(parseExpected([]byte(`{"auto":[{"name":"a","labels":{},"value":1},{"name":"a","labels":{},"value":2}]}`)))
		},
		"a failed query": func() (samples, error) {
			return parseQuery(strings.NewReader(`{"status":"error","error":"timeout"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parse(); err == nil {
				t.Errorf("want an error, got %v", got)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	all := samples{
		`aws_iam_account_users{account_id="1"}`:                         1,
		`aws_iam_account_up{account_id="1"}`:                            1,
		`aws_iam_account_refreshes_total{account_id="1"}`:               1,
		`aws_iam_account_facts_stale_timestamp_seconds{account_id="1"}`: 1,
		`aws_iam_exporter_build_info`:                                   1,
		`aws_iam_exporter_config_last_reload_successful`:                1,
		`aws_iam_account_state_saved_timestamp_seconds{account_id="1"}`: 1,
		`aws_iam_account_removed_timestamp_seconds{account_id="1"}`:     1,
		`aws_iam_exporter_discovery_success_timestamp_seconds`:          1,
		`aws_iam_account_problems{account_id="1",reason="denied"}`:      1,
		`aws_iam_exporter_exemptions_unmatched`:                         1,
		`aws_iam_policy_max_key_age_seconds{class="default"}`:           1,
		`go_goroutines`: 1,
		`aws_iam_finding_since_timestamp_seconds{account_id="1",rule="x"}`: 1,
	}
	want := samples{
		`aws_iam_exporter_exemptions_unmatched`:                            1,
		`aws_iam_policy_max_key_age_seconds{class="default"}`:              1,
		`aws_iam_account_users{account_id="1"}`:                            1,
		`aws_iam_account_up{account_id="1"}`:                               1,
		`aws_iam_finding_since_timestamp_seconds{account_id="1",rule="x"}`: 1,
	}
	if diff := cmp.Diff(want, all.facts()); diff != "" {
		t.Errorf("facts differ (-want +got):\n%s", diff)
	}
}

func TestCompare(t *testing.T) {
	const age = `aws_iam_access_key_age_seconds{access_key_id="AKIA"}`
	for _, c := range []struct {
		name      string
		want, got samples
		lines     []string
	}{
		{"equal", samples{"a": 1}, samples{"a": 1}, nil},
		{"missing", samples{"a": 1}, samples{}, []string{"missing   a 1"}},
		{"extra", samples{}, samples{"a": 1}, []string{"extra     a 1"}},
		{"different", samples{"a": 1}, samples{"a": 2}, []string{"different a: want 1, got 2"}},
		{"an age a little later", samples{age: 1000}, samples{age: 1060}, nil},
		{"an age much later", samples{age: 1000}, samples{age: 9000}, []string{"different " + age + ": want 1000, got 9000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.lines, compare(c.want, c.got)); diff != "" {
				t.Errorf("lines differ (-want +got):\n%s", diff)
			}
		})
	}
}
