//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inflate prints what a URL serves compressed, as zlib reads it: one gzip member, and
// nothing after it.
const inflate = `
import sys, urllib.request, zlib
request = urllib.request.Request(sys.argv[1], headers={"Accept-Encoding": "gzip"})
with urllib.request.urlopen(request) as answer:
    assert answer.headers["Content-Encoding"] == "gzip", answer.headers
    member = zlib.decompressobj(wbits=31)
    text = member.decompress(answer.read()) + member.flush()
    assert member.eof and not member.unused_data, (member.eof, member.unused_data)
sys.stdout.buffer.write(text)
`

// TestDecoders has others than Go read the compressed metrics, which are stitched from
// pieces. Facts of the demo change now and then, so they are read again until nothing has
// changed meanwhile.
func TestDecoders(t *testing.T) {
	e := startExporter(t, nil, "--demo", "--demo.accounts=3")
	page := e.url + "/metrics?" + url.Values{"name[]": {
		"aws_iam_user_info", "aws_iam_user_access_keys", "aws_iam_access_key_created_timestamp_seconds", "aws_iam_account_verdicts", "aws_iam_policy_max_key_age_seconds",
	}}.Encode()
	plain := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for name, command := range map[string][]string{
		"zlib": {python, "-c", inflate, page},
		"curl": {"curl", "--silent", "--show-error", "--fail", "--compressed", page},
	} {
		t.Run(name, func(t *testing.T) {
			eventually(t, time.Minute, func(ctx context.Context) error {
				before, err := get(ctx, plain, page)
				if err != nil {
					return err
				}
				if n := strings.Count(string(before), "aws_iam_user_info{"); n < 20 {
					return fmt.Errorf("got %d users, want all that the demo has", n)
				}
				got, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
				if err != nil {
					return fmt.Errorf("%s: %w\n%s", name, err, got)
				}
				if diff := cmp.Diff(string(before), string(got)); diff != "" {
					return fmt.Errorf("-uncompressed +compressed:\n%s", diff)
				}
				return nil
			})
		})
	}
}

// TestPrometheusReadsAll compares how many series the newest Prometheus and Debian's read
// with how many there are: those of the exporter's own included, which come last.
func TestPrometheusReadsAll(t *testing.T) {
	for name, binary := range map[string]string{"newest": prometheusBinary, "Debian's": debianPrometheusBinary} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(binary); err != nil && binary == debianPrometheusBinary {
				t.Skip("there is no apt-get here to get it by")
			}
			e := startExporter(t, nil, "--demo", "--demo.accounts=3")
			prometheus := startPrometheusOf(t, binary, e)
			eventually(t, time.Minute, func(ctx context.Context) error { return readsAll(ctx, e, prometheus) })
		})
	}
}

func readsAll(ctx context.Context, e *exporter, prometheus string) error {
	text, err := get(ctx, http.DefaultClient, e.url+"/metrics")
	if err != nil {
		return err
	}
	want := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			want++
		}
	}
	query := url.Values{"query": {`scrape_samples_scraped`}}
	answer, err := get(ctx, http.DefaultClient, prometheus+"/api/v1/query?"+query.Encode())
	if err != nil {
		return err
	}
	if !strings.Contains(string(answer), fmt.Sprintf(`"%d"]`, want)) || want < 1000 {
		return fmt.Errorf("the server of Prometheus has scraped %s, want %d samples", answer, want)
	}
	return nil
}
