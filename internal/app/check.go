package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/version"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/report"
)

const commandCheck = "check"

// checkFlags are the flags of the command check.
type checkFlags struct {
	reports    []string // files, in the place of AWS; kingpin makes "" of -
	input      bool     // one of them is standard input
	reportTime string
	format     report.Format
	output     string
	exitZero   bool
	rules      []string
	failOn     []string
	expiring   time.Duration
	sarif      sarifFlags
	baseline   baselineFlags
}

type sarifFlags struct {
	location string
	exempted bool
}

type baselineFlags struct {
	file  string
	write string
	until string
}

func declareCheck(app *kingpin.Application, s *settings) {
	c, f := app.Command(commandCheck, "Read once, judge, print and exit: 0 for compliant, 1 for violations, 2 if it could not tell, 3 for wrong usage or input."), &s.check
	c.Flag("report", "Read this credential report in place of AWS: CSV, or the JSON of `aws iam get-credential-report`; - for standard input. Can be repeated; further files can stand behind it.").
		PlaceHolder("FILE").StringsVar(&f.reports)
	c.Arg("FILE", "More files for --report.").StringsVar(&f.reports)
	c.Flag("report-time", "When the reports were made, such as 2026-12-31T23:59:59Z or, if only the day is known, 2026-12-31. By default, what the JSON says, or the folder's name: <date>/credentialReport_<account>.csv.").
		PlaceHolder("TIME").StringVar(&f.reportTime)
	choiceFlag(c, "format", "How to print what was found; docs/check.md says what each format is for.", &f.format, report.Formats()...)
	c.Flag("output", "Write to this file, which is replaced once all of it is written; standard output by default.").
		PlaceHolder("FILE").StringVar(&f.output)
	boolFlag(c, "exit-zero", "false", "Exit with 0 instead of 1 and 2, for jobs that only report.", &f.exitZero)
	rules := "multiple_active_keys,key_unused"
	c.Flag("rules", "Judge by these rules alone, with commas between them. Example: `"+rules+"`").PlaceHolder("RULES").SetValue((*list)(&f.rules))
	c.Flag("fail-on", "Of these rules, violations make the exit code 1, and unknown verdicts 2; all but key_rotation_due, an early warning, by default.").
		PlaceHolder("RULES").SetValue((*list)(&f.failOn))
	c.Flag("expiring-in", "Judge as if nothing happens for so long: what will be in violation by then is, too. Example: `30d`").
		PlaceHolder("DURATION").SetValue(value{(*model.Duration)(&f.expiring), "expiring-in", "a duration such as 12h or 30d"})
	c.Flag("baseline", "Violations in this file do not count for the exit code until its last day has ended.").
		PlaceHolder("FILE").StringVar(&f.baseline.file)
	c.Flag("write-baseline", "Write the violations of now to this file, for --baseline, and apply it; needs --baseline-until.").
		PlaceHolder("FILE").StringVar(&f.baseline.write)
	c.Flag("baseline-until", "The last day of the baseline to write, at most a year away. Example: `2026-12-31`").
		PlaceHolder("DATE").StringVar(&f.baseline.until)
	c.Flag("sarif-location", "The file of the checkout in which to show results in SARIF; by default, rows of the report or the configuration file.").
		PlaceHolder("FILE").StringVar(&f.sarif.location)
	boolFlag(c, "include-exempted", "false", "Put exempted violations into SARIF too, as suppressed; GitHub shows those as open.", &f.sarif.exempted)
}

// list is a flag's value of words with commas between them.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		*l = append(*l, strings.TrimSpace(word))
	}
	return nil
}

func (l *list) IsCumulative() bool { return true }

// exitCode is the exit code of a command that has said all there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// checkOnce reads once, judges and prints.
func checkOnce(ctx context.Context, s *settings, stdout, stderr io.Writer) error {
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is an error with a message
	defer signal.Reset(syscall.SIGPIPE)
	q, err := s.question()
	if err != nil {
		return err
	}
	scans, c, err := s.scan(ctx, stderr)
	if err != nil {
		return err
	}
	q.Policy, q.Now = c.Policy, time.Now()
	r := report.New(scans, q)
	if s.check.baseline.write != "" {
		if r, err = s.writeBaseline(scans, r, q); err != nil {
			return err
		}
	}
	content, err := r.Write(s.check.format, s.look(stdout))
	if err != nil {
		return err
	}
	if err := s.print(content, stdout); err != nil {
		return err
	}
	if code := r.Summary.ExitCode; code != report.ExitCompliant && !s.check.exitZero {
		return exitCode(code)
	}
	return nil
}

// scan reads credential reports if there are any, and AWS or the demo otherwise.
func (s *settings) scan(ctx context.Context, stderr io.Writer) ([]report.Scan, *config.Config, error) {
	if len(s.check.reports) == 0 {
		return scanAWS(ctx, s, stderr)
	}
	if s.demo.on {
		return nil, nil, errors.New("flag --report: got it beside --demo, want one of them")
	}
	c, err := configuration(awsSource{}, s)
	if err != nil {
		return nil, nil, err
	}
	scans, err := scanReports(s, c, time.Now())
	return scans, c, err
}

// question is what the flags ask.
func (s *settings) question() (report.Question, error) {
	f := &s.check
	q := report.Question{
		Ahead: f.expiring, KeyIDs: s.metrics.accessKeyIDs, NoUsers: !s.metrics.users, Version: cmp.Or(version.Version, "unknown"),
	}
	var err error
	if q.Rules, err = rulesOf("rules", f.rules, policy.Rules(), policy.Rules()); err != nil {
		return q, err
	}
	if q.FailOn, err = rulesOf("fail-on", f.failOn, q.Rules, report.FailByDefault(q.Rules)); err != nil {
		return q, err
	}
	switch b := f.baseline; {
	case b.file != "" && b.write != "":
		return q, errors.New("flag --write-baseline: got it beside --baseline, want one of them")
	case (b.write == "") != (b.until == ""):
		return q, errors.New("flags --write-baseline and --baseline-until: got one of them, want both: no baseline is without an end")
	case b.file != "":
		q.Baseline, err = readBaseline(b.file)
	}
	if slices.Contains(f.reports, "") && !f.input {
		return q, errors.New("flag --report: got no name, want a file, or - for standard input")
	}
	if f.reportTime != "" && len(f.reports) == 0 {
		return q, errors.New("flag --report-time: got it without --report, which alone it is for")
	}
	return q, err
}

// rulesOf returns the rules that a flag names, in the usual order.
func rulesOf(flag string, names []string, among, otherwise []policy.Rule) ([]policy.Rule, error) {
	if len(names) == 0 {
		return otherwise, nil
	}
	for _, name := range names {
		if !slices.Contains(among, policy.Rule(name)) {
			return nil, fmt.Errorf("flag --%s: got %q, want any of %s", flag, name, inventory.Listed(among))
		}
	}
	return slices.DeleteFunc(slices.Clone(among), func(r policy.Rule) bool { return !slices.Contains(names, string(r)) }), nil
}

func readBaseline(file string) (*report.Baseline, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("flag --baseline: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := readAtMost(f, largestFile, "a baseline")
	if err != nil {
		return nil, fmt.Errorf("flag --baseline: %w", err)
	}
	b, err := report.ParseBaseline(content, time.Now())
	if err != nil {
		return nil, fmt.Errorf("flag --baseline: %s: %w", file, err)
	}
	return b, nil
}

// writeBaseline writes the violations to a file, and judges again with it.
func (s *settings) writeBaseline(scans []report.Scan, r *report.Report, q report.Question) (*report.Report, error) {
	b, err := report.NewBaseline(r, s.check.baseline.until, q.Now)
	if err != nil {
		return nil, fmt.Errorf("flag --baseline-until: %w", err)
	}
	content, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("flag --write-baseline: %w", err)
	}
	if err := replaceFile(s.check.baseline.write, content); err != nil {
		return nil, fmt.Errorf("flag --write-baseline: %w", err)
	}
	q.Baseline = b
	return report.New(scans, q), nil
}

// look says how to print to where it goes.
func (s *settings) look(stdout io.Writer) report.Look {
	l := report.Look{Exempted: s.check.sarif.exempted, Place: s.check.sarif.location, Relative: relativePath}
	if l.Place == "" && len(s.check.reports) == 0 {
		l.Place = s.configFile
	}
	if file, ok := stdout.(*os.File); ok && s.check.output == "" {
		if width, is := terminalWidth(file); is {
			l.Width, l.Colour = width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		}
	}
	return l
}

// print writes to standard output, or to the file.
func (s *settings) print(content []byte, stdout io.Writer) error {
	if s.check.output != "" {
		if err := replaceFile(s.check.output, content); err != nil {
			return fmt.Errorf("flag --output: %w", err)
		}
		return nil
	}
	if _, err := io.Copy(stdout, bytes.NewReader(content)); err != nil {
		return fmt.Errorf("write to standard output: %w; nobody has read all of it", err)
	}
	return nil
}
