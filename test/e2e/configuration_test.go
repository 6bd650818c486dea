//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	configFlag = "--config.file="

	configuration = "configuration.yml"
	schema        = "../../docs/configuration.schema.json"
)

// The ways to read tags, as tags_from names them.
const (
	byListUserTags         = "ListUserTags"
	byAuthorizationDetails = "GetAccountAuthorizationDetails"
)

// configured returns the flag that names a copy of configuration.yml, which has
// the tags read in the given way.
func configured(t *testing.T, tagsFrom string) string {
	t.Helper()
	return configFlag + writeConfig(t, readFile(t, configuration)+"\ntags_from: "+tagsFrom+"\n")
}

// checkTagSource checks that tags were read in the way that the configuration
// names, and in no other.
func checkTagSource(t *testing.T, e *exporter, args []string) {
	t.Helper()
	got, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := ""
	for _, arg := range args {
		if file, found := strings.CutPrefix(arg, configFlag); found {
			_, wanted, _ = strings.Cut(strings.TrimSpace(readFile(t, file)), "tags_from: ")
		}
	}
	for _, operation := range []string{byListUserTags, byAuthorizationDetails} {
		requests := got[fmt.Sprintf(`aws_iam_exporter_api_requests_total{operation=%q, service="IAM"}`, operation)]
		if (requests > 0) != (operation == wanted) {
			t.Errorf("tags_from is %q: got %v requests of %s", wanted, requests, operation)
		}
	}
	_, served := got[`aws_iam_account_facts_observed_timestamp_seconds{account_id="123456789012", facts="tags"}`]
	if served != (wanted != "") {
		t.Errorf("tags_from is %q: the age of the tags is served: %v", wanted, served)
	}
	checkSecret(t, e)
}

// checkSecret checks that inline policies, which the exporter may be handed,
// show nowhere.
func checkSecret(t *testing.T, e *exporter) {
	t.Helper()
	const secret = "OnlyForTheEyesOfIAM" // in the simulator's inline policies
	for _, path := range []string{"/", "/metrics"} {
		page, err := get(t.Context(), http.DefaultClient, e.url+path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), secret) {
			t.Errorf("%s shows inline policies", path)
		}
	}
	if strings.Contains(e.log.String(), secret) {
		t.Error("the log shows inline policies")
	}
}

// testNoUsers checks that no user but root is named if nobody is to be.
func testNoUsers(t *testing.T, aws environment) {
	file := configured(t, byAuthorizationDetails)
	e := startExporter(t, aws, file, "--iam.source=report", "--no-metrics.users")
	want := samples{}
	for series, value := range expect(t, aws, file, "report")["report"] {
		hidden := strings.HasPrefix(series, "aws_iam_account_hidden_users{")
		if !hidden && (!strings.Contains(series, "user_name=") || strings.Contains(series, `user_name="<root_account>"`)) {
			want[series] = value
		}
		if users, found := strings.CutPrefix(series, "aws_iam_account_users{"); found {
			want["aws_iam_account_hidden_users{"+users] = value // everybody is
		}
	}
	awaitSamples(t, want, e.samples)
	for _, path := range []string{"/", "/metrics"} {
		page, err := get(t.Context(), http.DefaultClient, e.url+path)
		if err != nil {
			t.Fatal(err)
		}
		if name := regexp.MustCompile(`(?i)\b(bob|(user|ci|cd|svc)-\d{4})\b.*`).Find(page); name != nil {
			t.Errorf("%s names a user: %.80s", path, name)
		}
	}
}

// testReload changes the configuration of a running exporter.
func testReload(t *testing.T, aws environment) {
	limit := func(days int) string { return fmt.Sprintf("policy:\n  defaults: {max_key_age: %dd}\n", days) }
	file := writeConfig(t, limit(100))
	e := startExporter(t, aws, configFlag+file, "--iam.source=report")
	eventually(t, time.Minute, e.serves(samples{limitSeries: 100 * 86400, reloadedSeries: 1}))

	writeFile(t, file, limit(200))
	signal(t, e, syscall.SIGHUP)
	eventually(t, time.Minute, e.serves(samples{limitSeries: 200 * 86400, reloadedSeries: 1}))
	before, err := e.samples(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	writeFile(t, file, limit(300)+"owner_tag: Owner\n")
	wantReload(t, e, http.StatusInternalServerError, file+":3: owner_tag: ")
	kept := e.serves(samples{limitSeries: 200 * 86400, reloadedSeries: 0, reloadTimeSeries: before[reloadTimeSeries]})
	if err := kept(t.Context()); err != nil {
		t.Error(err)
	}
	signal(t, e, syscall.SIGHUP)
	eventually(t, time.Minute, func(context.Context) error {
		if n := strings.Count(e.log.String(), "owner_tag: "); n < 2 {
			return fmt.Errorf("the log names what is wrong %d times, want it after the signal too", n)
		}
		return kept(t.Context())
	})

	writeFile(t, file, limit(300)+"owner_tags: [Owner, team]\n")
	wantReload(t, e, http.StatusOK, "")
	if err := e.serves(samples{limitSeries: 300 * 86400, reloadedSeries: 1})(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, time.Minute, func(ctx context.Context) error { // the tags are read first
		got, err := e.samples(ctx)
		if err != nil {
			return err
		}
		for series := range got {
			if strings.HasPrefix(series, "aws_iam_user_info{") && strings.Contains(series, `user_owner="Alice"`) {
				return nil
			}
		}
		return errors.New("no user has the owner Alice")
	})
	testReloadRefused(t, aws, e)
}

// testReloadRefused asks for reloads without a file, and for those that nobody
// may have.
func testReloadRefused(t *testing.T, aws environment, e *exporter) {
	bare := startExporter(t, aws, "--iam.source=report")
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, bare.url+"/-/healthy")
		return err
	})
	wantReload(t, bare, http.StatusOK, "") // there are always credentials to read again
	signal(t, bare, syscall.SIGHUP)        // ends nobody who has no file
	wantReload(t, bare, http.StatusOK, "")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, request, http.StatusMethodNotAllowed, "")
	request = request.Clone(t.Context())
	request.Method = http.MethodPost
	request.Header.Set("Sec-Fetch-Site", "cross-site") // as browsers say for another site's page
	wantAnswer(t, request, http.StatusForbidden, "")
}

// The series that tell which configuration is in force.
const (
	limitSeries      = `aws_iam_policy_max_key_age_seconds{class="default"}`
	reloadedSeries   = `aws_iam_exporter_config_last_reload_successful`
	reloadTimeSeries = `aws_iam_exporter_config_last_reload_success_timestamp_seconds`
)

// serves returns a check that the exporter serves all of the samples.
func (e *exporter) serves(want samples) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := e.samples(ctx)
		if err != nil {
			return err
		}
		for series, value := range want {
			if served, found := got[series]; !found || served != value {
				return fmt.Errorf("%s: got %v (served: %v), want %v", series, served, found, value)
			}
		}
		return nil
	}
}

func signal(t *testing.T, e *exporter, s syscall.Signal) {
	t.Helper()
	if err := e.cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %s: %v", s, err)
	}
}

// wantReload asks for a reload as curl -X POST does.
func wantReload(t *testing.T, e *exporter, status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/-/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, request, status, text)
}

func wantAnswer(t *testing.T, request *http.Request, status int, text string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || !strings.Contains(string(body), text) {
		t.Errorf("%s %s: got %s: %s, want %d and %q", request.Method, request.URL, response.Status, body, status, text)
	}
}

// TestCheckConfig runs the command that checks a file without starting.
func TestCheckConfig(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		out := string(run(t, nil, exporterBinary, "check-config", configuration))
		rest := out
		for _, word := range []string{"even-pipelines", "pipelines", "robots", "machines", "services", "team.console", "team", "bobs", "default"} {
			_, after, found := strings.Cut(rest, word)
			if !found {
				t.Fatalf("class %s is missing or in the wrong place:\n%s", word, out)
			}
			rest = after
		}
		for _, word := range []string{byAuthorizationDetails, "bobby"} { // the source of tags, and a lapsed exemption
			if !strings.Contains(out, word) {
				t.Errorf("%s is not mentioned:\n%s", word, out)
			}
		}
	})
	bad := writeConfig(t, `policy:
  classes:
    - name: a
      match: {user_name: "a*", user_name_regexp: "a.*"}
      max_key_age: 90 days
owner_tags: Owner
exemptions:
  - user: bob
    rules: [key_rotation]
    until: 2026-02-30
    reason: r
`)
	problems := []string{
		bad + ":4: policy.classes[0].match.user_name_regexp: ",
		bad + `:5: policy.classes[0].max_key_age: got "90 days", want a duration`,
		bad + `:6: owner_tags: got "Owner", want a list`,
		bad + `:10: exemptions[0].until: got "2026-02-30", want a date`,
	}
	for name, args := range map[string][]string{
		"bad":              {"check-config", bad},
		"start with a bad": {configFlag + bad},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr := runFailing(t, exporterBinary, args...)
			if stdout != "" {
				t.Errorf("standard output: got %s, want nothing", stdout)
			}
			for _, problem := range problems {
				if !strings.Contains(stderr, problem) {
					t.Errorf("want a line with %s, got:\n%s", problem, stderr)
				}
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		missing := filepath.Join(t.TempDir(), "missing.yml")
		if _, stderr := runFailing(t, exporterBinary, "check-config", missing); !strings.Contains(stderr, missing) {
			t.Errorf("want the file's name, got:\n%s", stderr)
		}
	})
}

// TestSchema lets a validator that others wrote judge configurations by the
// schema that we wrote for editors.
func TestSchema(t *testing.T) {
	demo := regexp.MustCompile(`(NEXT|LAST)-[A-Z]+`).ReplaceAllString(readFile(t, "../../internal/demo/config.yml"), "2099-12-31")
	good := []string{configuration, accountsFile, organizationFile, writeConfig(t, demo), writeConfig(t, "# nothing\n")}
	run(t, nil, python, append([]string{"schema.py", schema}, good...)...)

	for name, bad := range map[string]string{
		"an unknown field":     "owner_tag: [Owner]\n",
		"a text for a list":    "owner_tags: Owner\n",
		"a class without name": "policy: {classes: [{match: {path: /x/*}}]}\n",
		"an unknown rule":      "exemptions: [{user: a, rules: [rotation], reason: r, until: 2099-12-31}]\n",
		"no end":               "exemptions: [{user: a, rules: [key_rotation], reason: r}]\n",
		"a bad duration":       "policy: {defaults: {max_key_age: 90 days}}\n",
		"an unknown source":    "tags_from: GetUser\n",
		"an account's name":    "accounts: [{id: production, role: audit}]\n",
		"names to exclude":     "organization: {exclude: [{name: prod}]}\n",
		"an ARN for all":       "account_defaults: {role: 'arn:aws:iam::111122223333:role/audit'}\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := writeConfig(t, bad)
			if stdout, _ := runFailing(t, python, "schema.py", schema, file); !strings.Contains(stdout, file) {
				t.Errorf("got %s, want the name of the file", stdout)
			}
			if _, stderr := runFailing(t, exporterBinary, "check-config", file); !strings.Contains(stderr, file+":1: ") {
				t.Errorf("the exporter says %s, want the file and line 1", stderr)
			}
		})
	}
}

// runFailing runs a program that must end with exit code 1.
func runFailing(t *testing.T, program string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, err strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	if failure := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("run %s %s: got %v, want exit code 1\n%s", filepath.Base(program), strings.Join(args, " "), failure, err.String())
	}
	return out.String(), err.String()
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), configuration)
	writeFile(t, file, text)
	return file
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
