package collector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

func TestDocs(t *testing.T) {
	path := filepath.Join("..", "docs", "metrics.md")
	want := docs()
	if *update {
		write(t, path, []byte(want))
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/metrics.md differs from the table of metrics; run go test ./collector -update: -want +got:\n%s", diff)
	}
}

// docs renders docs/metrics.md.
func docs() string {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written by: go test ./collector -update -->

- **What is unknown is absent**, never 0. That a key was never used is known: ` + "`aws_iam_access_key_used 0`" + `.
- **Facts are cached.** A scrape makes no request to AWS. For each group of facts,
  ` + "`aws_iam_account_facts_observed_timestamp_seconds`" + ` shows how old they are, and
  ` + "`aws_iam_account_facts_stale_timestamp_seconds`" + ` when they count as stale.
- **Timestamps** are Unix seconds; an age is ` + "`time()`" + ` minus a timestamp.
- Labels of the ` + "`_info`" + ` metrics may change, others don't. ` + "`account_id`" + ` is empty until it is known.
- ` + "`access_key_id`" + ` is the key's id, or with ` + "`--metrics.access-key-id=suffix`" + ` its last 4 characters, or more
  where a user's keys end alike. With ` + "`--iam.source=report`" + `, which gives no ids, it is ` + "`created-`" + ` and the time of
  creation, with ` + "`-a` and `-b`" + ` for two keys of one second: see [which is which](rules.md#two-keys-of-one-second).
- **Whose series.** ` + "`users`" + ` in the configuration file says who has series of their own. The others, and
  users not known yet to be included, have no series, findings and exemptions included, but stay in every count of the
  account. With ` + "`--no-metrics.users`" + `, no series names a user other than root.
- **Tags.** An empty ` + "`user_owner`, `tag_<name>` or `description`" + ` means that the user has no such tag, or that it is
  empty; ` + "`<unknown>`" + `, which no tag can be, means that the user's tags are not known. In ` + "`tag_<name>`" + `, ` + "`_`" + ` stands
  for each character that a label's name cannot hold. The labels change with the configuration. ` + "`user_owner`" + ` of a user
  without an owner, and of root, is the account's owner, if the account's tags name one.
- **Renewed.** Series are rendered before anybody asks for them: those of ` + "`facts`" + ` when something else is known or is judged
  otherwise, those of ` + "`minute`" + ` each minute as well, because they depend on the time of day. Those of ` + "`scrape`" + ` count what the
  exporter does, and are as of the scrape.
- **Classes.** While it is unknown which policy class a user belongs to, ` + "`class`" + ` is ` + "`unknown`" + `, and there are no deadlines.
`)
	section := ""
	for _, m := range collector.Metrics() {
		if s := sectionOf(m.Name); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | renewed | |\n| --- | --- | --- | --- | --- |\n", section)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, code(m.Labels), m.Renewal, prose(m.Help))
	}
	writeRules(&b)
	writeValues(&b)
	return b.String()
}

func sectionOf(name string) string {
	for _, s := range []struct{ prefix, title string }{
		{"aws_iam_user_", "Users"},
		{"aws_iam_access_key_", "Access keys"},
		{"aws_iam_finding_", "Findings and exemptions"},
		{"aws_iam_exemption_", "Findings and exemptions"},
		{"aws_iam_root_", "The root user"},
		{"aws_iam_account_", "Accounts"},
		{"aws_iam_policy_", "The policy in force"},
		{"aws_iam_exporter_", "The exporter"},
	} {
		if strings.HasPrefix(name, s.prefix) {
			return s.title
		}
	}
	return "Others"
}

func writeRules(b *strings.Builder) {
	b.WriteString("\n## Rules\n\nThe values of `rule`.\n\n| rule | judges every | violated when |\n| --- | --- | --- |\n")
	for _, r := range policy.Rules() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r, r.Subject(), r.Description())
	}
}

func writeValues(b *strings.Builder) {
	b.WriteString("\n## Values of other labels\n\n| label | values |\n| --- | --- |\n")
	row := func(label string, values []string) { fmt.Fprintf(b, "| `%s` | %s |\n", label, code(values)) }
	row("verdict", text(policy.Verdicts()))
	row("facts", text(inventory.Groups()))
	row("status", text(inventory.Statuses()))
	row("state", text(inventory.States()))
	row("reason", text(inventory.Reasons()))
	row("active_keys", []string{"0", "1", "2+", "unknown"})
	row("age_band", collector.AgeBands())
}

func text[T ~string](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}

func code(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "`"+w+"`")
	}
	return strings.Join(all, ", ")
}

// prose sets names and values in a help text as code, fit for a table.
func prose(help string) string {
	words := strings.Split(strings.ReplaceAll(help, "|", `\|`), " ")
	for i, w := range words {
		if name := strings.TrimRight(w, ".,"); strings.HasPrefix(name, "--") || strings.ContainsAny(name, "_<") {
			words[i] = "`" + name + "`" + w[len(name):]
		}
	}
	return strings.Join(words, " ")
}
