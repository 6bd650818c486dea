package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

// moment is when a report was made: any time from first to last.
type moment struct{ first, last time.Time }

// scanReports reads the files that the flags name. No network is needed.
func scanReports(s *settings, c *config.Config, now time.Time) ([]report.Scan, error) {
	var scans []report.Scan
	files := map[string]string{} // by account
	for _, file := range s.check.reports {
		scan, err := scanReport(file, s.check.reportTime, now)
		if err != nil {
			return nil, err
		}
		id := scan.Snapshot.Account.ID
		if other, twice := files[id]; twice {
			return nil, fmt.Errorf("%s: got account %s, which %s is about, want each account once", scan.File, id, other)
		}
		files[id] = scan.File
		for _, snapshot := range []*inventory.Snapshot{scan.Snapshot, scan.Latest} {
			if snapshot != nil {
				describe(&snapshot.Account, c)
			}
		}
		scans = append(scans, scan)
	}
	return scans, nil
}

// describe adds to the account what the configuration says of it.
func describe(a *inventory.Account, c *config.Config) {
	for _, known := range c.Accounts {
		if known.ID == a.ID {
			a.Name, a.Tags = known.Name, known.Tags
		}
	}
}

// clockTolerance is how far behind this machine's clock may be.
const clockTolerance = time.Minute

// scanReport reads one file.
func scanReport(file, reportTime string, now time.Time) (report.Scan, error) {
	content, err := readReport(file)
	if file == "" || file == "-" {
		file = standardInput
	}
	if err != nil {
		return report.Scan{}, fmt.Errorf("%s: %w", file, err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	text, generated, err := unwrapReport(content)
	if err != nil {
		return report.Scan{}, fmt.Errorf("%s: %w", file, err)
	}
	at, err := momentOf(file, reportTime, generated)
	if err != nil {
		return report.Scan{}, fmt.Errorf("%s: %w", file, err)
	}
	if at.first.After(now.Add(clockTolerance)) {
		return report.Scan{}, fmt.Errorf("%s: the report was made at %s, which is still to come: by this machine's clock it is %s: correct --report-time, the folder's name, or the clock",
			file, at.first.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	scan := report.Scan{File: file, SHA256: sum}
	if scan.Snapshot, err = credreport.Snapshot(text, at.first); err != nil {
		return report.Scan{}, fmt.Errorf("%s: %w", file, err)
	}
	if at.last.After(at.first) {
		if scan.Latest, err = credreport.Snapshot(text, at.last); err != nil {
			return report.Scan{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, problem := range scan.Snapshot.Health.Problems {
		scan.Gaps = append(scan.Gaps, file+": "+problem.Text)
	}
	if err := checkAccount(file, scan.Snapshot.Account.ID); err != nil {
		return report.Scan{}, err
	}
	scan.Lines, err = linesOf(file, text, at.last)
	return scan, err
}

func readReport(file string) ([]byte, error) {
	from := io.Reader(os.Stdin)
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, errors.Unwrap(err) // without the name, which comes first
		}
		defer func() { _ = f.Close() }() // it was only read
		from = f
	}
	return readAtMost(from, largestFile, "a credential report")
}

// unwrapReport returns the CSV, and the time that stands beside it in JSON.
func unwrapReport(content []byte) (text []byte, generated time.Time, err error) {
	text = bytes.TrimPrefix(content, []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		var answer struct {
			Content       []byte
			GeneratedTime json.RawMessage
		}
		if err := json.Unmarshal(text, &answer); err != nil || answer.Content == nil {
			return nil, time.Time{}, errors.New("got JSON that is not what `aws iam get-credential-report` prints")
		}
		if generated, err = generatedTime(answer.GeneratedTime); err != nil {
			return nil, time.Time{}, err
		}
		text = answer.Content
	}
	return text, generated, nil
}

// generatedTime reads a time as the AWS CLI prints it: text or, as some versions are
// set up, seconds.
func generatedTime(raw json.RawMessage) (time.Time, error) {
	if len(raw) == 0 {
		return time.Time{}, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.UTC(), nil
		}
	}
	if seconds, err := strconv.ParseFloat(string(raw), 64); err == nil && seconds > 0 && seconds < 1<<40 {
		return time.Unix(int64(seconds), 0).UTC(), nil
	}
	return time.Time{}, errors.New("GeneratedTime: got something else than a time, want one such as 2026-12-31T23:59:59+00:00")
}

// layout matches the names that AWS's sample gives to reports.
var layout = regexp.MustCompile(`^credentialReport_([0-9]{12})\.csv$`)

// momentOf returns when the report was made. A file's own time says nothing, since a
// copy has another.
func momentOf(file, reportTime string, generated time.Time) (moment, error) {
	switch {
	case reportTime != "":
		if at, err := time.Parse(time.RFC3339, reportTime); err == nil {
			return moment{at.UTC(), at.UTC()}, nil
		}
		at, ok := dayOf(reportTime)
		if !ok {
			return at, fmt.Errorf("flag --report-time: got %q, want a time such as 2026-12-31T23:59:59Z, or a date", reportTime)
		}
		return at, nil
	case !generated.IsZero():
		return moment{generated, generated}, nil
	case layout.MatchString(filepath.Base(file)):
		if at, ok := dayOf(filepath.Base(filepath.Dir(file))); ok {
			return at, nil
		}
	}
	return moment{}, errors.New("nothing says when the report was made, want --report-time, the JSON of `aws iam get-credential-report`, or a file named <date>/credentialReport_<account>.csv")
}

func dayOf(text string) (moment, bool) {
	first, err := time.Parse(time.DateOnly, text)
	return moment{first, first.AddDate(0, 0, 1).Add(-time.Second)}, err == nil
}

// checkAccount refuses a report of another account than the file's name says.
func checkAccount(file, id string) error {
	if m := layout.FindStringSubmatch(filepath.Base(file)); m != nil && m[1] != id {
		return fmt.Errorf("%s: got the report of account %s, want that of the account in the file's name", file, id)
	}
	return nil
}

// linesOf returns in which line each user stands. It refuses a report in which
// something happens after it was made.
func linesOf(file string, text []byte, made time.Time) (map[string]int, error) {
	parsed, err := credreport.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	rows := parsed.Users
	if parsed.Root != nil {
		rows = append(slices.Clone(rows), *parsed.Root)
	}
	lines := make(map[string]int, len(rows))
	for i := range rows {
		row := &rows[i]
		if what, at := row.After(made); what != "" {
			return nil, fmt.Errorf("%s:%d: got %s at %s, after the report was made (%s): correct --report-time, or the folder's name",
				file, row.Line, what, at.Format(time.RFC3339), made.Format(time.RFC3339))
		}
		lines[strings.Clone(row.User)] = row.Line
	}
	for _, u := range parsed.Unreadable {
		if u.User != "" {
			lines[strings.Clone(u.User)] = u.Line
		}
	}
	return lines, nil
}
