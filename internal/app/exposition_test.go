package app

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// ours leaves out the metrics of Go, the process and the build, which differ from
// machine to machine.
func ours[F interface{ GetName() string }](gather func() ([]F, error)) func() ([]F, error) {
	return func() ([]F, error) {
		families, err := gather()
		return slices.DeleteFunc(families, func(family F) bool {
			name := family.GetName()
			return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || name == "aws_iam_exporter_build_info"
		}), err
	}
}

// TestExposition holds everything that is served of the town, by each source,
// to a golden file: an hour after its report two users were renamed, replaced
// and created, and another hour later the sweep has seen it.
func TestExposition(t *testing.T) {
	eachSource(t, func(t *testing.T, source awsapi.Source) {
		world := town(t, time.Now(), awssim.Options{ReportDelay: 2 * time.Second, ReportExtraColumn: true, MaxPage: 2})
		check(t, world.SetAlias("example-town"))
		// Nobody waits for a token, so that nothing depends on who comes first.
		e := start(t, world, "--iam.source="+string(source), configured(source), keyAge, "--iam.rate=1e6", "--iam.account-rate=1e6")
		time.Sleep(58 * time.Minute) // never when a refresh is due
		b := builder{t, world, time.Now()}
		check(t, world.RenameUser("bobby", "robert"))
		check(t, world.DeleteUser("dave"))
		b.user("dave", "/", 0)
		b.key("dave", 0, never)
		b.user("walter", "/", 0)
		b.console("walter", 0, false)
		time.Sleep(66 * time.Minute)
		synctest.Wait()

		compareGolden(t, filepath.Join("testdata", "exposition", string(source)+".prom"), prometheus.GathererFunc(ours(prometheus.Gatherers{e.web.Rendered, e.web.Gatherer}.Gather)))
		problems, err := testutil.GatherAndLint(prometheus.Gatherers{e.web.Rendered, e.web.Gatherer})
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
	})
}

// compareGolden compares all that is gathered with the file, which -update rewrites.
func compareGolden(t *testing.T, file string, gatherer prometheus.Gatherer) {
	t.Helper()
	if *update {
		var text bytes.Buffer
		families, err := gatherer.Gather()
		check(t, err)
		for _, family := range families {
			must[int](t)(expfmt.MetricFamilyToText(&text, family))
		}
		check(t, os.WriteFile(file, text.Bytes(), 0o644))
		return
	}
	golden, err := os.Open(file)
	check(t, err)
	defer golden.Close()
	if err := testutil.GatherAndCompare(gatherer, golden); err != nil {
		t.Errorf("%s (-update rewrites it): %v", file, err)
	}
}
