package report

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// csv has a row for each result, and one for each account and rule that counts what
// is compliant, so that nothing that was judged is missing.
func (r *Report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{
		"verdict", "severity", "fails", "account_id", "account_name", "user_name", "access_key_id", "rule", "count", "since", "age_days",
		"owner", "class", "exemption_reason", "exemption_last_day", "controls",
		"facts_observed", "facts_observed_until", "input_file", "input_sha256", "gaps", "limits", "checked_at", "version",
	}}
	for i := range r.Results {
		rows = append(rows, r.csvRow(&r.Results[i], 1))
	}
	for _, a := range r.Accounts {
		for _, c := range a.Counts {
			rows = append(rows, r.csvRow(&Result{
				Identity: Identity{Rule: c.Rule, AccountID: a.ID}, Verdict: policy.Compliant, Controls: Controls(c.Rule),
			}, c.Compliant))
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = withoutFormula(row[i])
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

func (r *Report) csvRow(result *Result, n int) []string {
	var reason, lastDay, age, file, sum string
	if e := result.Exemption; e != nil {
		reason, lastDay = e.Reason, e.LastDay
	}
	if !result.Since.IsZero() {
		age = strconv.Itoa(int(r.CheckedAt.Sub(result.Since) / (24 * time.Hour)))
	}
	a := r.account(result.AccountID)
	if a.Input != nil {
		file, sum = a.Input.File, a.Input.SHA256
	}
	return []string{
		result.state(), string(result.Severity), strconv.FormatBool(result.Fails), result.AccountID, a.Name, result.UserName,
		result.AccessKeyID, string(result.Rule), strconv.Itoa(n), timestamp(result.Since), age,
		result.Owner, result.Class, reason, lastDay, controlsInWords(result.Controls),
		timestamp(a.oldest()), timestamp(a.ObservedUntil), file, sum, strings.Join(a.Gaps, "; "), r.limitsInWords(), timestamp(r.CheckedAt), r.Version,
	}
}

func (r *Report) limitsInWords() string {
	var words []string
	for i := range r.Limits {
		words = append(words, r.Limits[i].Class+": "+r.Limits[i].limits.String())
	}
	return strings.Join(words, "; ")
}

// withoutFormula has a spreadsheet take the cell for text. A number stays one.
func withoutFormula(cell string) string {
	if _, err := strconv.Atoi(cell); err == nil {
		return cell
	}
	cell = inventory.Printable(cell)
	if cell != "" && strings.ContainsRune("=+-@|%", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func timestamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
