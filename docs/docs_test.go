// Package docs has no code: its tests hold the documents to the program, to the
// files that they name, and to each other.
package docs

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/account"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/app"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/cost"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

// repository is where the paths in these tests begin.
const repository = ".."

// documents returns the Markdown files that people read, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := fs.Glob(os.DirFS(repository), "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range append(files, "README.md", "CHANGELOG.md", "alerts/runbooks.md") {
		texts[file] = readDoc(t, file)
	}
	return texts
}

func readDoc(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// block is a part of the documents that these tests write: whatever stands
// between <!-- name: begin --> and <!-- name: end -->.
type block struct {
	name   string
	render func(*testing.T) string
}

func blocks() []block {
	all := []block{
		{"flags", flagTable},
		{"rules", ruleTable},
		{"check-demo", checkDemo},
		{"operations", operationTable},
		{"cost", costTable},
		{"costs", costsTable},
		{"reasons", reasonTable},
		{"organization-hub", organizationHub},
		{"organization-delegation", organizationDelegation},
		{"organization-costs", organizationCosts},
	}
	for _, source := range awsapi.Sources() {
		all = append(all, block{"iam-policy-" + string(source), func(t *testing.T) string { return printedPolicy(t, source) }})
	}
	for name, args := range map[string][]string{
		"iam-policy-hub":   {"--for=hub", "--role=audit/aws-iam-exporter"},
		"iam-policy-trust": {"--for=member", "--trust", "--hub-role=arn:aws:iam::111111111111:role/hub", "--organization-id=o-a1b2c3d4e5"},
	} {
		all = append(all, block{name, func(t *testing.T) string { return printedPolicy(t, awsapi.SourceAuto, args...) }})
	}
	return append(all, block{"iam-policy-tags", func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "config.yml")
		if err := os.WriteFile(file, []byte("owner_tags: [owner]"), 0o600); err != nil {
			t.Fatal(err)
		}
		return printedPolicy(t, awsapi.SourceAuto, "--config.file="+file)
	}})
}

// TestGeneratedBlocks holds the generated parts of the documents to the code.
func TestGeneratedBlocks(t *testing.T) {
	clearEnvironment(t)
	texts := documents(t)
	for _, b := range blocks() {
		t.Run(b.name, func(t *testing.T) {
			want, found := b.render(t), false
			for file, text := range texts {
				before, old, after, ok := cutBlock(text, b.name)
				if !ok {
					continue
				}
				found = true
				if *update {
					texts[file] = before + want + after
					continue
				}
				if diff := cmp.Diff(want, old); diff != "" {
					t.Errorf("%s: block %q is out of date; run make docs: -want +got:\n%s", file, b.name, diff)
				}
			}
			if !found {
				t.Errorf("no document has the block %q", b.name)
			}
		})
	}
	if !*update {
		return
	}
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(repository, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func cutBlock(text, name string) (before, content, after string, ok bool) {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
	before, rest, opened := strings.Cut(text, begin)
	content, after, closed := strings.Cut(rest, end)
	return before + begin, content, end + after, opened && closed
}

// TestKnownBlocks finds markers that nothing writes between.
func TestKnownBlocks(t *testing.T) {
	known := map[string]bool{}
	for _, elsewhere := range []string{"calls", "check-access", "command-lines", "fields", "fleet", "panels", "staleness", "organization-config"} { // by the tests of other packages, or by people
		known[elsewhere] = true
	}
	for _, b := range blocks() {
		known[b.name] = true
	}
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile(`<!-- ([a-z-]+): (?:begin|end) -->`).FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: nothing writes the block %q", file, m[1])
			}
		}
	}
}

// clearEnvironment leaves no variable of the exporter set.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_IAM_EXPORTER_") {
			t.Setenv(name, "") // remembers the value for the end of the test
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// row is a line of a table in Markdown.
func row(cells ...string) string {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func code(s string) string { return "`" + s + "`" }

// flags returns the flags of the program, as far as --help shows them.
func flags(t *testing.T) []*kingpin.FlagModel {
	t.Helper()
	all, err := app.Flags()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func flagTable(t *testing.T) string {
	table := row("flag", "environment variable", "default", "meaning") + row("---", "---", "---", "---")
	for _, f := range flags(t) {
		variable, value := "", defaultOf(f)
		if f.Envar != "" {
			variable = code(f.Envar)
		}
		if value != "" {
			value = code(value)
		}
		table += row(code("--"+f.Name), variable, value, f.Help)
	}
	return table
}

func defaultOf(f *kingpin.FlagModel) string {
	if len(f.Default) == 0 && f.IsBoolFlag() {
		return "false"
	}
	return strings.Join(f.Default, " ")
}

func ruleTable(*testing.T) string {
	table := row("rule", "judges every", "violated when") + row("---", "---", "---")
	for _, rule := range policy.Rules() {
		table += row(code(string(rule)), string(rule.Subject()), rule.Description())
	}
	return table
}

// checkDemo shows how the two main policies are judged on the account of the demo:
// the beginning and the end of what the program prints.
func checkDemo(t *testing.T) string {
	const shown = 9
	args := []string{"check", "--demo", "--rules=multiple_active_keys,console_user_with_active_keys"}
	var out, log bytes.Buffer
	if code := app.Run(t.Context(), args, &out, &log); code != 1 {
		t.Errorf("%v ends with %d, want 1 for violations:\n%s", args, code, &log)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return "```console\n$ ./aws_iam_exporter " + strings.Join(args, " ") + "\n" +
		strings.Join(lines[:shown], "\n") + "\n…\n" + lines[len(lines)-1] + "\n```\n"
}

func operationTable(*testing.T) string {
	table := row("operation", "policy action", "resource", "needed with", "for") + row("---", "---", "---", "---", "---")
	for _, o := range awsapi.Operations() {
		action, resource := code(o.Action()), "`*`"
		switch {
		case o.Free:
			action, resource = "none needed", ""
		case o.OnUsers:
			resource = "users"
		case o.Roles:
			resource = "the accounts' roles"
		}
		table += row(code(o.Name), action, resource, neededWith(o), o.Why)
	}
	return table
}

// neededWith says what settings an operation is needed with.
func neededWith(o awsapi.Operation) string {
	switch o.Discovers {
	case awsapi.DiscoveredAccounts:
		return "`organization`"
	case awsapi.DiscoveredTags:
		return "`organization` and `account_tags`"
	case awsapi.DiscoveredUnitNames:
		return "`organization` and `ou_names`"
	}
	if o.Roles {
		return "`accounts` or `organization`"
	}
	var sources []string
	for _, source := range o.Sources {
		sources = append(sources, code(string(source)))
	}
	needed := strings.Join(sources, ", ")
	if o.Tags != awsapi.NoTags {
		needed += " with `tags_from: " + string(o.Tags) + "`"
	}
	if o.Naming {
		needed += ", unless the configuration names the account"
	}
	return needed
}

// printedPolicy is the golden of the command iam-policy.
func printedPolicy(t *testing.T, source awsapi.Source, args ...string) string {
	var stdout, stderr bytes.Buffer
	exit := app.Run(t.Context(), append([]string{"iam-policy", "--iam.source=" + string(source)}, args...), &stdout, &stderr)
	if exit != 0 || stderr.Len() > 0 {
		t.Fatalf("got exit code %d and stderr %q, want 0 and none", exit, &stderr)
	}
	return "```json\n" + stdout.String() + "```\n"
}

// costTable reckons with the calls counted in docs/benchmarks.md.
func costTable(t *testing.T) string {
	_, counted, _, ok := cutBlock(readDoc(t, "docs/benchmarks.md"), "calls")
	if !ok {
		t.Fatal("docs/benchmarks.md has no table of calls")
	}
	table := row("way of reading", "calls until all is known", "calls an hour then", "events a day in CloudTrail") + row("---", "---", "---", "---")
	for line := range strings.Lines(counted) {
		cells := strings.Split(line, " | ")
		if len(cells) < 4 || cells[0] == "| ---" || strings.HasPrefix(cells[0], "| way") {
			continue
		}
		hourly, err := strconv.ParseFloat(cells[3], 64)
		if err != nil {
			t.Fatalf("docs/benchmarks.md: %v in %q", err, line)
		}
		table += row(strings.TrimPrefix(cells[0], "| "), cells[2], fmt.Sprint(hourly), fmt.Sprintf("%.0f", math.Ceil(24*hourly)))
	}
	return table
}

// costsTable reckons what accounts of a hundred users cost at the default flags.
func costsTable(*testing.T) string {
	table := row("accounts", "`--iam.source`", "calls an hour", "calls a second", "a full round", "million events a month", "USD a month for each paid copy of a trail") +
		row("---", "---", "---", "---", "---", "---", "---")
	for _, n := range []int{1, 100, 1000} {
		for _, source := range awsapi.Sources() {
			one := cost.Account{
				Settings:   config.Settings{Source: source, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour},
				Population: cost.Population{Users: 100, Keys: 100}, Role: n > 1,
			}
			c := cost.Of(slices.Repeat([]cost.Account{one}, n), awsapi.Sessions{}, cost.Rates{All: 20, Account: 5})
			round := "–"
			if c.Round > 0 {
				round = model.Duration(c.Round.Round(time.Minute)).String()
			}
			second := c.Wanted.Total()
			table += row(strconv.Itoa(n), code(string(source)), threeDigits(3600*second), threeDigits(second), round,
				threeDigits(c.Events()/1e6), fmt.Sprintf("%.2f", c.Price()))
		}
	}
	return table
}

// organizationFile writes the configuration that docs/organization.md shows, which
// check-config has to like.
func organizationFile(t *testing.T) string {
	t.Helper()
	_, shown, _, ok := cutBlock(readDoc(t, "docs/organization.md"), "organization-config")
	if !ok {
		t.Fatal("docs/organization.md shows no configuration")
	}
	shown = strings.TrimSuffix(strings.TrimPrefix(shown, "```yaml\n"), "```\n")
	file := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(file, []byte(shown), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if exit := app.Run(t.Context(), []string{"check-config", file}, &stdout, &stderr); exit != 0 {
		t.Fatalf("docs/organization.md: exit code %d: %s", exit, &stderr)
	}
	return file
}

func organizationHub(t *testing.T) string {
	return printedPolicy(t, awsapi.SourceAuto, "--for=hub", "--config.file="+organizationFile(t))
}

// organizationDelegation delegates to the hub's account what the hub's policy allows
// of the organization.
func organizationDelegation(t *testing.T) string {
	type statement struct {
		Sid, Effect string
		Principal   map[string]string
		Action      []string
		Resource    any
	}
	var document struct {
		Version   string
		Statement []statement
	}
	printed := strings.TrimSuffix(strings.TrimPrefix(organizationHub(t), "```json\n"), "```\n")
	if err := json.Unmarshal([]byte(printed), &document); err != nil {
		t.Fatal(err)
	}
	document.Statement = slices.DeleteFunc(document.Statement, func(s statement) bool { return s.Sid != "ReadOrganization" })
	if len(document.Statement) != 1 {
		t.Fatalf("the hub's policy has %d statements about the organization, want one", len(document.Statement))
	}
	document.Statement[0].Principal = map[string]string{"AWS": "arn:aws:iam::111111111111:root"}
	encoded, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return "```json\n" + string(encoded) + "\n```\n"
}

// organizationCosts reckons what organizations cost with the configuration that
// docs/organization.md shows, by how many accounts are read by which source.
func organizationCosts(t *testing.T) string {
	c, err := config.Load(organizationFile(t), config.Defaults{Limits: policy.DefaultLimits(), Settings: config.Settings{Source: awsapi.SourceAuto, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	table := row("accounts", "of these `auto`, others `report`", "calls an hour", "a round", "million events a month", "USD a month for each paid copy of a trail") +
		row("---", "---", "---", "---", "---", "---")
	for _, n := range []int{100, 1000} {
		for _, auto := range []int{0, n / 10, n} {
			var accounts []cost.Account
			for i := range n {
				settings := config.Settings{Source: awsapi.SourceReport, Tags: c.Own.Settings.Tags, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour}
				if i < auto {
					settings.Source = awsapi.SourceAuto
				}
				accounts = append(accounts, cost.Account{Settings: settings, Population: cost.Population{Users: 100, Keys: 100}, Role: true, Named: true})
			}
			cost := cost.OfOrganization(cost.Discovery{Accounts: n, Discovery: c.Discovery()}, accounts, c.Sessions, cost.Rates{All: 20, Account: 5})
			round := "–"
			if cost.Round > 0 {
				round = model.Duration(cost.Round.Round(time.Minute)).String()
			}
			table += row(strconv.Itoa(n), strconv.Itoa(auto), threeDigits(3600*cost.Wanted.Total()), round, threeDigits(cost.Events()/1e6), fmt.Sprintf("%.2f", cost.Price()))
		}
	}
	return table
}

func threeDigits(x float64) string {
	if x < 1000 {
		return fmt.Sprintf("%.3g", x)
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-2)
	return fmt.Sprintf("%.0f", unit*math.Round(x/unit))
}

// smallWorld has one user with a password and a key.
func smallWorld(t *testing.T) *awssim.World {
	world := awssim.New(awssim.Options{Seed: 1})
	created := time.Now().Add(-24 * time.Hour)
	if _, err := world.CreateUser("erin", "/", created); err != nil {
		t.Fatal(err)
	}
	if err := world.SetPassword("erin", created); err != nil {
		t.Fatal(err)
	}
	if _, err := world.CreateKey("erin", created); err != nil {
		t.Fatal(err)
	}
	return world
}

// exampleFailure is one way in which AWS, or the way to it, can fail.
type exampleFailure struct {
	reason    inventory.Reason
	operation string
	fault     http.HandlerFunc
}

func exampleFailures() []exampleFailure {
	const notAllowed = "User: arn:aws:iam::123456789012:user/exporter is not authorized to perform: iam:ListUsers" +
		" on resource: arn:aws:iam::123456789012:user/ because no identity-based policy allows the iam:ListUsers action"
	return []exampleFailure{
		{inventory.ReasonThrottled, "ListUsers", awssim.Error(400, "Throttling", "Rate exceeded")},
		{inventory.ReasonDenied, "ListUsers", awssim.Error(403, "AccessDenied", notAllowed)},
		{inventory.ReasonCredentials, "GetCallerIdentity", awssim.Error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")},
		{inventory.ReasonRole, "AssumeRole", nil},
		{inventory.ReasonTimeout, "ListUsers", awssim.Hang()},
		{inventory.ReasonNetwork, "ListUsers", awssim.Reset()},
		{inventory.ReasonServer, "ListUsers", awssim.Error(503, "ServiceUnavailable", "")},
		{inventory.ReasonMalformed, "ListUsers", awssim.Raw(200, "text/html", "<html>Please sign in to the network</html>")},
		{inventory.ReasonReport, "GenerateCredentialReport", awssim.Error(409, "LimitExceeded", "")},
		{inventory.ReasonOther, "ListUsers", awssim.Error(400, "NewAWSError", "")},
	}
}

// reasonTable shows, for each reason, a message as the exporter logs it.
func reasonTable(t *testing.T) string {
	messages := map[inventory.Reason]string{}
	for _, f := range exampleFailures() {
		synctest.Test(t, func(t *testing.T) { messages[f.reason] = messageOf(t, f) })
	}
	table := row("`reason`", "a `problem` as the log and the landing page show it") + row("---", "---")
	for _, reason := range inventory.Reasons() {
		if messages[reason] == "" {
			t.Errorf("no failure with reason %q to show", reason)
		}
		table += row(fmt.Sprintf("[`%s`](#%s)", reason, reason), messages[reason])
	}
	return table
}

// messageOf lets the failure happen, and returns what the exporter says.
func messageOf(t *testing.T, f exampleFailure) string {
	world := smallWorld(t)
	world.SetFault(func(operation string, _ int) http.HandlerFunc {
		if operation == f.operation {
			return f.fault
		}
		return nil
	})
	options := awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceAuto}, Rate: 5, Timeout: 10 * time.Second}
	config, shared := world.Config(), awsapi.NewShared(20)
	if f.operation == "AssumeRole" { // a role that does not exist
		role := awsapi.Role{Name: "audit/aws-iam-exporter"}
		config = awssim.NewRealm(world).Config()
		hub := awsapi.NewHub(config, shared, awsapi.HubOptions{Sessions: awsapi.Sessions{Name: "aws_iam_exporter"}, Timeout: 10 * time.Second})
		hub.SetRoles(map[string]string{role.ARN("aws", "111122223333"): role.Name})
		options.Assume = &awsapi.Assumption{Hub: hub, AccountID: "111122223333", Role: role}
	}
	client := awsapi.New(config, shared, options)
	watched := account.New(client, account.Options{RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour}, nil)
	for {
		p := watched.Step(t.Context(), nil)
		if p.Ended || len(watched.Snapshot().Health.Problems) > 0 {
			break
		}
		time.Sleep(time.Until(p.Next))
	}
	problems := watched.Snapshot().Health.Problems
	if len(problems) != 1 || problems[0].Reason != f.reason {
		t.Fatalf("%s fails: got %v, want one problem of reason %s", f.operation, problems, f.reason)
	}
	return regexp.MustCompile(`request [0-9a-f-]+`).ReplaceAllString(problems[0].Text, "request …")
}

// TestMetricsInDocs finds names of metrics, of labels and of label values in
// the documents that are not served.
func TestMetricsInDocs(t *testing.T) {
	labels := map[string][]string{}
	for _, m := range collector.Metrics() {
		labels[m.Name] = m.Labels
	}
	names := regexp.MustCompile(`\baws_iam_[a-z0-9_]+`)
	selectors := regexp.MustCompile(`\b(aws_iam_[a-z0-9_]+)\{([^}]*)\}`)
	matchers := regexp.MustCompile(`(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"`)
	for file, text := range documents(t) {
		for _, name := range names.FindAllString(text, -1) {
			if _, served := labels[name]; !served && name != "aws_iam_exporter" {
				t.Errorf("%s: %s is no metric", file, name)
			}
		}
		for _, selector := range selectors.FindAllStringSubmatch(text, -1) {
			for _, m := range matchers.FindAllStringSubmatch(selector[2], -1) {
				if !slices.Contains(labels[selector[1]], m[1]) {
					t.Errorf("%s: %s has no label %q", file, selector[1], m[1])
				}
				for _, value := range strings.Split(strings.ReplaceAll(m[2], `\|`, "|"), "|") {
					if known := labelValues()[m[1]]; known != nil && !slices.Contains(known, value) {
						t.Errorf("%s: %s: no value %q", file, selector[0], value)
					}
				}
			}
		}
	}
}

// labelValues holds the values of the labels that have a closed list of them.
func labelValues() map[string][]string {
	return map[string][]string{
		"rule":     words(policy.Rules()),
		"verdict":  words(policy.Verdicts()),
		"facts":    words(inventory.Groups()),
		"status":   words(inventory.Statuses()),
		"state":    words(inventory.States()),
		"reason":   words(inventory.Reasons()),
		"age_band": collector.AgeBands(),
	}
}

func words[T ~string](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}

// TestFlagsInDocs finds flags in the documents that do not exist, and defaults
// in parentheses after a flag that are not its own.
func TestFlagsInDocs(t *testing.T) {
	clearEnvironment(t)
	defaults := map[string]string{}
	for _, f := range flags(t) {
		defaults[f.Name] = defaultOf(f)
		if f.IsBoolFlag() {
			defaults["no-"+f.Name] = ""
		}
	}
	defaults["help-man"] = ""                                                           // which --help mentions and does not list
	awsCommand := regexp.MustCompile("\\baws [a-z]+ [a-z-]+ (?:[^`\n]*\\\\\n)*[^`\n]*") // test/e2e/commands.py checks its options
	flag := regexp.MustCompile("(?m)(^|[ `(\\[\"])--([a-z][a-z0-9.-]*[a-z0-9])(?:` \\(([^) ]+)\\))?")
	for file, text := range documents(t) {
		for _, generated := range []string{"flags", "command-lines"} { // one tells of hidden flags, the other of wrong ones
			if before, _, after, ok := cutBlock(text, generated); ok {
				text = before + after
			}
		}
		text = awsCommand.ReplaceAllString(text, "")
		for _, m := range flag.FindAllStringSubmatch(text, -1) {
			name, value := m[2], m[3]
			if otherPrograms()[name] {
				continue
			}
			want, known := defaults[name]
			if !known {
				t.Errorf("%s: there is no flag --%s", file, name)
			}
			if value != "" && value != want {
				t.Errorf("%s: the default of --%s is %s, not %s", file, name, want, value)
			}
		}
	}
}

// otherPrograms holds the flags in the documents that aren't the exporter's.
func otherPrograms() map[string]bool {
	return map[string]bool{
		"build-arg": true, "rm": true, // docker
		"now":           true, // systemctl
		"from-file":     true, // kubectl
		"dry-run":       true,
		"image":         true,
		"overrides":     true,
		"prefix":        true,
		"previous":      true,
		"restart":       true,
		"show-labels":   true,
		"tail":          true,
		"since":         true, // kubectl and journalctl
		"remote":        true, // aws login
		"inhibited":     true, // amtool
		"decode":        true, // base64
		"time":          true, // promtool
		"query.timeout": true, // prometheus

		"alertmanager.url": true, // amtool
		"strict":           true, // mimirtool
	}
}

// TestMakeTargetsInDocs finds make targets in the documents that do not exist.
func TestMakeTargetsInDocs(t *testing.T) {
	makefile := readDoc(t, "Makefile")
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?m)(?:`|^)make ([a-z0-9-]+)").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: the Makefile has no target %q", file, m[1])
			}
		}
	}
}

// TestLogInDocs checks that the table of messages in the log has every one that the
// program writes without --log.level=debug.
func TestLogInDocs(t *testing.T) {
	_, table, _ := strings.Cut(readDoc(t, "docs/troubleshooting.md"), "\n## Messages in the log\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var told []string
	for _, m := range regexp.MustCompile("`([A-Z][^`]+)`").FindAllStringSubmatch(table, -1) {
		told = append(told, strings.TrimSuffix(m[1], "…"))
	}
	logs := regexp.MustCompile(`[lL]og(?:ger)?\.(?:Info|Warn|Error)\("([^"]+)"`)
	err := filepath.WalkDir(filepath.Join(repository, "internal"), func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		content, err := os.ReadFile(file)
		for _, m := range logs.FindAllStringSubmatch(string(content), -1) {
			if !slices.ContainsFunc(told, func(begins string) bool { return strings.HasPrefix(m[1], begins) }) {
				t.Errorf("%s: docs/troubleshooting.md does not tell what %q means", file, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinksInDocs follows the links between the documents, and into them.
func TestLinksInDocs(t *testing.T) {
	texts := documents(t)
	const compose = "deploy/compose/README.md" // which is about other programs too
	texts[compose] = readDoc(t, compose)
	for file, text := range texts {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := file
			if target != "" {
				to = path.Join(path.Dir(file), target)
			}
			if _, err := os.Stat(filepath.Join(repository, to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", file, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(texts[to]), anchor) {
				t.Errorf("%s: %s has no heading for the link %s", file, to, m[1])
			}
		}
	}
}

// anchors returns the names of a document's headings as links spell them. What looks
// like a heading in a block of code is a comment.
func anchors(text string) []string {
	text = regexp.MustCompile("(?ms)^ *```.*?^ *```").ReplaceAllString(text, "")
	var all []string
	times := map[string]int{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		name = strings.ReplaceAll(name, " ", "-")
		if n := times[name]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", name, n))
		} else {
			all = append(all, name)
		}
		times[name]++
	}
	return all
}

// TestEverythingHasItsHeading checks that the documents leave nothing out.
func TestEverythingHasItsHeading(t *testing.T) {
	for _, test := range []struct {
		file string
		want []string
	}{
		{"docs/troubleshooting.md", words(inventory.Reasons())},
		{"docs/rules.md", words(policy.Rules())},
		{"docs/compliance.md", words(policy.Rules())},
	} {
		have := anchors(readDoc(t, test.file))
		for _, heading := range test.want {
			if !slices.Contains(have, heading) {
				t.Errorf("%s has no heading %q", test.file, heading)
			}
		}
	}
}

// TestPackagesInDocs checks that docs/architecture.md names every package, and
// none that does not exist.
func TestPackagesInDocs(t *testing.T) {
	text := readDoc(t, "docs/architecture.md")
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`(collector|tools|alerts|dashboards|(?:internal|test|deploy|alerts|dashboards|tools)/[a-z0-9_/]+)`").FindAllStringSubmatch(text, -1) {
		named[strings.TrimSuffix(m[1], "/")] = true
		if _, err := os.Stat(filepath.Join(repository, m[1])); err != nil {
			t.Errorf("docs/architecture.md names %s, which does not exist", m[1])
		}
	}
	err := fs.WalkDir(os.DirFS(repository), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") && file != "." {
			return fs.SkipDir
		}
		folder := path.Dir(file)
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && folder != "." && !named[folder] {
			named[folder] = true // one complaint is enough
			t.Errorf("docs/architecture.md does not name %s", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPortInDocs holds examples to the default port, and Prometheus's to its own.
func TestPortInDocs(t *testing.T) {
	listenAddress := ""
	for _, f := range flags(t) {
		if f.Name == "web.listen-address" {
			listenAddress = defaultOf(f)
		}
	}
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile(`localhost(:\d+)`).FindAllStringSubmatch(text, -1) {
			if m[1] != listenAddress && m[1] != ":9090" {
				t.Errorf("%s: localhost%s: the default is %s", file, m[1], listenAddress)
			}
		}
	}
}

// TestChangelog checks the form of the entries, and that the newest version is
// the one in VERSION.
func TestChangelog(t *testing.T) {
	text, version := readDoc(t, "CHANGELOG.md"), strings.TrimSpace(readDoc(t, "VERSION"))
	headings := regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1)
	if len(headings) == 0 || !strings.HasPrefix(headings[0][1], version+" / ") {
		t.Errorf("the first heading is not that of version %s", version)
	}
	entry := regexp.MustCompile(`^\* \[(CHANGE|FEATURE|ENHANCEMENT|BUGFIX|SECURITY)\] [A-Z].*\.$`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "*") && !entry.MatchString(line) {
			t.Errorf("entry %q: expected * [KIND] and a sentence", line)
		}
	}
}
