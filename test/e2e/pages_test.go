//go:build e2e && preview

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	views "github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// situation is what a page may have to show.
type situation struct {
	name     string
	url      string
	tone     string // of the state
	says     string // in the sentence
	findings bool   // there are some, and the first must be seen at once
}

// pagesToSee starts an exporter for each, and waits until it shows it.
func pagesToSee(t *testing.T) []situation {
	t.Helper()
	all := []situation{
		{"page", startDemo(t).url + "/", "bad", "findings need action", true},
		{"accounts", startDemos(t, 20).url + "/", "bad", "findings need action in 18 of 20 accounts", true},
		{"no-credentials", startAlone(t, nil).url + "/", "unknown", "Nothing is known yet: there are no AWS credentials", false},
		{"reading", startAlone(t, town(t, 2000), "--iam.source=live", "--iam.account-rate=20").url + "/", "unknown", "minutes to go", false},
		{"healthy", startAlone(t, town(t, 12), "--iam.account-rate=1000", "--iam.rate=1000").url + "/", "good", "Nothing needs action: 12 users comply", false},
		{"empty", startAlone(t, town(t, 0), "--iam.account-rate=1000", "--iam.rate=1000").url + "/", "good", "the account has no IAM users", false},
		{"2000-accounts", manyAccounts(t, 2000) + "/", "bad", "of 2000 accounts", true},
	}
	for _, s := range all {
		eventually(t, time.Minute, func(ctx context.Context) error {
			page, err := get(ctx, http.DefaultClient, s.url)
			if err == nil && !strings.Contains(string(page), s.says) {
				_, sentence, _ := strings.Cut(string(page), `<p class="sentence">`)
				err = fmt.Errorf("%s: want %q in %.200s", s.name, s.says, sentence)
			}
			return err
		})
	}
	return all
}

func startDemos(t *testing.T, n int) *exporter {
	t.Helper()
	address := freeAddress(t)
	p := start(t, nil, exporterBinary, "--demo", fmt.Sprintf("--demo.accounts=%d", n), "--web.listen-address="+address)
	return &exporter{p, "http://" + address}
}

// startAlone starts the exporter on a simulated account; on none, and without
// credentials, if the endpoint is nil.
func startAlone(t *testing.T, aws environment, args ...string) *exporter {
	t.Helper()
	address := freeAddress(t)
	aws = append(aws, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
	p := start(t, aws, exporterBinary, append([]string{"--web.listen-address=" + address}, args...)...)
	return &exporter{p, "http://" + address}
}

// town serves a simulated account of so many users, who do nothing wrong.
func town(t *testing.T, users int) environment {
	t.Helper()
	now := time.Now()
	world := awssim.New(awssim.Options{Created: now.Add(-1000 * 24 * time.Hour)})
	for i := range users {
		name := fmt.Sprintf("service-%03d", i)
		if _, err := world.CreateUser(name, "/", now.Add(-30*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		id, err := world.CreateKey(name, now.Add(-20*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := world.UseKey(id, awssim.Use{At: now.Add(-time.Hour), Service: "s3"}); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	return environment{"AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing"}
}

// manyAccounts serves the pages of so many accounts, which no simulator can answer for in
// time. A few of them cannot be read, and some have findings.
func manyAccounts(t *testing.T, n int) (url string) {
	t.Helper()
	const day = 24 * time.Hour
	now := time.Now()
	accounts := map[string]*inventory.Snapshot{}
	for i := range n {
		s := &inventory.Snapshot{
			Account:   inventory.Account{ID: fmt.Sprintf("%012d", 100_000_000_000+i*7919), Name: fmt.Sprintf("department-%d-production", i)},
			Freshness: map[inventory.Group]inventory.Freshness{}, Complete: map[inventory.Group]bool{}, Root: inventory.Root{
				Created:    now.Add(-900 * day),
				KeyPresent: inventory.Observe(false, now), Console: inventory.Observe(true, now), MFA: inventory.Observe(i%50 != 0, now),
			},
			Health: inventory.Health{State: inventory.StateUp, Next: now.Add(3 * time.Minute)},
		}
		accounts[s.Account.ID] = s
		if i == 0 { // whose facts the page calls the oldest
			s.Account.Name = strings.Repeat("unbroken", 8)
		}
		if i%100 == 3 {
			s.Health = inventory.Health{State: inventory.StateDown, Problems: []inventory.Problem{{Reason: inventory.ReasonRole, Text: "the role cannot be assumed"}}}
			continue
		}
		for _, group := range inventory.Groups() {
			s.Freshness[group] = inventory.Freshness{Observed: now.Add(-2 * time.Minute), Stale: now.Add(time.Hour)}
			s.Complete[group] = true
		}
		for k := range 5 {
			key := inventory.AccessKey{ID: fmt.Sprintf("AKIA%016d", i*5+k), Status: inventory.Active, Created: now.Add(-time.Duration(10+i*k%97) * day)}
			key.LastUse = inventory.Observe(inventory.Use{At: now.Add(-day)}, now)
			s.Users = append(s.Users, inventory.User{
				Name: fmt.Sprintf("user-%d", k), Created: key.Created.Add(-day), Console: inventory.Observe(false, now),
				Keys: inventory.Observe([]inventory.AccessKey{key}, now), Tags: inventory.Observe(inventory.Tags{}, now),
			})
		}
	}
	v := views.Of(policy.WithLimits(policy.DefaultLimits()), views.Reload{}, accounts, now)
	server := httptest.NewServer(web.Handler(web.Options{
		Gatherer: prometheus.NewRegistry(), View: func() *views.View { return v }, Ready: func() bool { return true }, Now: time.Now,
		Source: func(string) string { return "auto" }, Users: true, Version: "test", Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// visit is a look at a page, as tools/dashboards/preview/pages.mjs reads it.
type visit struct {
	URL     string            `json:"url"`
	Width   int               `json:"width"`
	Height  int               `json:"height"`
	Scheme  string            `json:"scheme"`
	Picture string            `json:"picture,omitempty"`
	Whole   bool              `json:"whole,omitempty"`
	Fill    map[string]string `json:"fill,omitempty"`

	of situation
}

// sight is what was seen.
type sight struct {
	URL                string
	Mode, State        string
	Width              int
	Cut, Complaints    []string
	Sentence, Finding  box
	Findings, Accounts int
	Worst              struct {
		Ratio float64
		Of    string
	}
	Light bool
	Took  float64 // milliseconds
}

type box struct {
	There       bool
	Top, Bottom float64
	Text        string
}

// see has Chromium visit the pages.
func see(t *testing.T, visits []visit) []sight {
	t.Helper()
	input, err := json.Marshal(visits)
	if err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	node := exec.CommandContext(t.Context(), "node", "pages.mjs")
	node.Dir = previewFolder
	node.Stdin, node.Stdout, node.Stderr = bytes.NewReader(input), &seen, os.Stderr
	if err := node.Run(); err != nil {
		t.Fatalf("look at the pages: %v (has `npm ci` been run in tools/dashboards/preview?)", err)
	}
	var sights []sight
	if err := json.Unmarshal(seen.Bytes(), &sights); err != nil || len(sights) != len(visits) {
		t.Fatalf("got %d sights of %d, error %v", len(sights), len(visits), err)
	}
	return sights
}

// TestPreviewPages looks at the pages in every situation, light and dark, wide and
// narrow. It writes pictures of some into docs/images; of all into PREVIEW_OUT if that
// is set.
func TestPreviewPages(t *testing.T) {
	out := os.Getenv("PREVIEW_OUT")
	var visits []visit
	for _, s := range pagesToSee(t) {
		for _, scheme := range []string{"light", "dark"} {
			for _, size := range []struct {
				name          string
				width, height int
			}{{"", 1280, 900}, {"-medium", 1130, 900}, {"-narrow", 400, 900}} {
				name := s.name + size.name + "-" + scheme + ".png"
				v := visit{URL: s.url, Width: size.width, Height: size.height, Scheme: scheme, of: s}
				if out != "" || name == "page-light.png" || name == "page-dark.png" || name == "page-narrow-light.png" || name == "accounts-dark.png" {
					v.Picture = filepath.Join(absolute(t, cmp.Or(out, picturesFolder)), name)
				}
				visits = append(visits, v)
			}
		}
	}
	for i, seen := range see(t, visits) {
		v := visits[i]
		t.Run(fmt.Sprintf("%s/%s/%d", v.of.name, v.Scheme, v.Width), func(t *testing.T) { check(t, v, seen) })
	}
}

// check holds what was seen to what everybody must be able to see.
func check(t *testing.T, v visit, seen sight) {
	if len(seen.Complaints) > 0 {
		t.Errorf("the browser complains: %q", seen.Complaints)
	}
	if seen.Mode != "CSS1Compat" {
		t.Errorf("the page is in mode %s, want that of a doctype", seen.Mode)
	}
	if seen.Width > v.Width || len(seen.Cut) > 0 {
		t.Errorf("the page is %d pixels wide, want at most %d; cut: %q", seen.Width, v.Width, seen.Cut)
	}
	if seen.State != "state "+v.of.tone || !strings.Contains(seen.Sentence.Text, v.of.says) {
		t.Errorf("got %s, %q; want %s, %q", seen.State, seen.Sentence.Text, v.of.tone, v.of.says)
	}
	if !seen.Sentence.There || seen.Sentence.Bottom > float64(v.Height)/2 {
		t.Errorf("the sentence ends at %v, want it in the upper half", seen.Sentence.Bottom)
	}
	if seen.Finding.There != v.of.findings || v.Width >= 1000 && seen.Finding.Bottom > float64(v.Height) {
		t.Errorf("the first finding, there %t, ends at %v; want it in the window", seen.Finding.There, seen.Finding.Bottom)
	}
	const readable = 4.5 // https://www.w3.org/TR/WCAG22/#contrast-minimum
	if seen.Worst.Ratio < readable {
		t.Errorf("contrast %.2f of %s, want at least %.1f", seen.Worst.Ratio, seen.Worst.Of, readable)
	}
	if seen.Light != (v.Scheme == "light") {
		t.Errorf("the page is light: %t, want %s", seen.Light, v.Scheme)
	}
	if v.of.name == "2000-accounts" && seen.Accounts != 2000 {
		t.Errorf("the board has %d accounts, want 2000", seen.Accounts)
	}
	if seen.Took > 5000 {
		t.Errorf("the page took %.0f ms to load", seen.Took)
	}
}

// TestPreviewFilter fills in the form as a person does, who runs no scripts.
func TestPreviewFilter(t *testing.T) {
	s := situation{url: manyAccounts(t, 30) + "/"}
	seen := see(t, []visit{
		{URL: s.url, Width: 1280, Height: 900, Scheme: "light", Fill: map[string]string{"user": "user-4", "account": "department-2*"}},
		{URL: s.url, Width: 400, Height: 900, Scheme: "dark", Fill: map[string]string{"user": "<script>alert(1)</script>"}},
	})
	if !strings.HasSuffix(seen[0].URL, "/?rule=&user=user-4&owner=&account=department-2*&sort=severity#findings") || seen[0].Findings == 0 || len(seen[0].Complaints) > 0 {
		t.Errorf("got %s with %d findings, complaints %q; want some of that user", seen[0].URL, seen[0].Findings, seen[0].Complaints)
	}
	if seen[1].Findings != 0 || len(seen[1].Complaints) > 0 || seen[1].Width > 400 {
		t.Errorf("got %+v, want no findings and nothing run", seen[1])
	}
}
