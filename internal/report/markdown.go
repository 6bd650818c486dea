package report

import (
	"fmt"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// largestMarkdown is what fits a job summary, which takes a megabyte, with room for
// what other steps write.
const largestMarkdown = 900_000

// markdown is for the summary of a job: the worst first, and details folded.
func (r *Report) markdown() []byte {
	var end strings.Builder
	end.WriteString("\n<details><summary>Rules and controls</summary>\n\n| rule | severity | violated when | answers |\n| --- | --- | --- | --- |\n")
	for _, rule := range r.Rules {
		fmt.Fprintf(&end, "| `%s` | %s | %s | %s |\n", rule.Name, rule.Severity, rule.Description, controlsInWords(rule.Controls))
	}
	end.WriteString("\n</details>\n\n<details><summary>Version, limits, accounts and files</summary>\n\n")
	for _, fact := range r.facts() {
		fmt.Fprintf(&end, "- %s\n", markdownText(fact))
	}
	end.WriteString("\n</details>\n")

	var b strings.Builder
	fmt.Fprintf(&b, "## Access keys of IAM users\n\n**%s**\n", markdownText(r.summary()))
	if len(r.Results) > 0 {
		b.WriteString("\n| verdict | severity | since | account | user | access key | rule | owner | class | next |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	}
	for i := range r.Results {
		row := r.markdownRow(&r.Results[i])
		if b.Len()+len(row)+end.Len() > largestMarkdown {
			fmt.Fprintf(&b, "\nand %d more, which do not fit here\n", len(r.Results)-i)
			break
		}
		b.WriteString(row)
	}
	return []byte(b.String() + end.String())
}

func (r *Report) markdownRow(result *Result) string {
	var row strings.Builder
	next := result.next()
	if e := result.Exemption; e != nil {
		next = fmt.Sprintf("exempted until the end of %s: %s", e.LastDay, e.Reason)
	}
	for _, cell := range append(r.cells(result), next) {
		row.WriteString("| " + markdownText(cell) + " ")
	}
	return row.String() + "|\n"
}

// markdownText returns the text as itself: no markup, no link, no mention, no HTML.
func markdownText(text string) string {
	var b strings.Builder
	for _, r := range inventory.Printable(text) {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~&@:$\"'", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "www.", "www&#46;")
}
