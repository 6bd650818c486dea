package report

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// mostSARIF is how many results GitHub takes in a run.
const mostSARIF = 25_000

// The parts of SARIF 2.1.0 that GitHub reads.
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Properties  map[string]any    `json:"properties"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string          `json:"id"`
		ShortDescription sarifText       `json:"shortDescription"`
		FullDescription  sarifText       `json:"fullDescription"`
		Help             sarifText       `json:"help"`
		Configuration    sarifLevel      `json:"defaultConfiguration"`
		Properties       sarifProperties `json:"properties"`
	}
	sarifProperties struct {
		Tags     []string `json:"tags"`
		Severity string   `json:"security-severity"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		ExitCode      int                 `json:"exitCode"`
		EndTime       string              `json:"endTimeUtc"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// sarif holds violations, each at a place in a file of the checkout, since GitHub
// shows no others. What is not known is no result but a notification.
func (r *Report) sarif(look Look) ([]byte, error) {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "aws_iam_exporter", Version: r.Version, Rules: []sarifRule{}}},
		Properties: map[string]any{"facts": r.facts(), "accounts": r.Accounts, "limits": r.Limits},
		Results:    []sarifResult{},
	}
	index := map[policy.Rule]int{}
	for i := range r.Rules {
		index[r.Rules[i].Name] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, r.Rules[i].sarif())
	}
	left := 0
	for i := range r.Results {
		result := &r.Results[i]
		switch {
		case result.Verdict == policy.Unknown, result.Baseline, result.Verdict == policy.Exempted && !look.Exempted:
			continue
		case len(run.Results) == mostSARIF:
			left++
			continue
		}
		one, err := r.sarifResult(result, look)
		if err != nil {
			return nil, err
		}
		one.RuleIndex = index[result.Rule]
		run.Results = append(run.Results, one)
	}
	run.Invocations = []sarifInvocation{r.sarifInvocation(left)}
	return indented(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func (r *Report) sarifInvocation(left int) sarifInvocation {
	i := sarifInvocation{
		Successful: r.whole(), ExitCode: r.Summary.ExitCode, EndTime: timestamp(r.CheckedAt), Notifications: []sarifNotification{},
	}
	warn := func(text string) {
		i.Notifications = append(i.Notifications, sarifNotification{"warning", sarifText{text}})
	}
	if r.Summary.Unknown > 0 {
		warn(fmt.Sprintf("%d verdicts are unknown: facts are missing", r.Summary.Unknown))
	}
	if left > 0 {
		warn(fmt.Sprintf("%d more results were left out: GitHub takes %d in a run", left, mostSARIF))
	}
	for j := range r.Accounts {
		a := &r.Accounts[j]
		if a.Skipped != "" {
			warn("account " + a.title() + " was skipped: " + a.Skipped)
		}
		for _, gap := range a.Gaps {
			warn("account " + a.title() + " was not read whole: " + inventory.Printable(gap))
		}
	}
	return i
}

func (rule *Rule) sarif() sarifRule {
	tags := []string{"security"}
	for _, c := range rule.Controls {
		tags = append(tags, c.String())
	}
	const mostTags = 20 // of a rule, for GitHub
	return sarifRule{
		ID: string(rule.Name), ShortDescription: sarifText{rule.Description}, FullDescription: sarifText{rule.Description},
		Help:          sarifText{rule.Description + " " + howToUndo},
		Configuration: sarifLevel{sarifLevelOf(rule.Severity)},
		Properties:    sarifProperties{tags[:min(len(tags), mostTags)], map[policy.Severity]string{policy.High: "8.5", policy.Medium: "5.5", policy.Low: "2.0"}[rule.Severity]},
	}
}

func sarifLevelOf(s policy.Severity) string {
	return map[policy.Severity]string{policy.High: "error", policy.Medium: "warning", policy.Low: "note"}[s]
}

func (r *Report) sarifResult(result *Result, look Look) (sarifResult, error) {
	place, err := result.place(look)
	if err != nil {
		return sarifResult{}, err
	}
	one := sarifResult{
		RuleID: string(result.Rule), Level: sarifLevelOf(result.Severity),
		Message:      sarifText{fmt.Sprintf("%s: %s Since %s; next: %s", result.title(), result.Rule.Description(), result.began(), result.next())},
		Locations:    []sarifLocation{{place}},
		Fingerprints: map[string]string{"primaryLocationLineHash": result.fingerprint()},
	}
	if e := result.Exemption; e != nil {
		one.Suppressions = []sarifSuppression{{"external", fmt.Sprintf("until the end of %s: %s", e.LastDay, inventory.Printable(e.Reason))}}
	}
	return one, nil
}

// place returns where in the checkout the result is shown.
func (r *Result) place(look Look) (sarifPhysical, error) {
	file, line := look.Place, 1
	if file == "" && r.Location != nil {
		file, line = r.Location.File, r.Location.Line
	}
	if file == "" {
		return sarifPhysical{}, errors.New("format sarif: got no file to show results in, want --sarif-location, --report or --config.file: GitHub shows only what is in a file of the checkout")
	}
	relative, err := look.Relative(file)
	if err != nil {
		return sarifPhysical{}, fmt.Errorf("format sarif: %w", err)
	}
	return sarifPhysical{sarifArtifact{(&url.URL{Path: relative}).String(), "%SRCROOT%"}, sarifRegion{line}}, nil
}

// fingerprint tells the same result apart from others at any time: no age is in it.
func (i *Identity) fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", i.AccountID, i.UserName, i.AccessKeyID, i.Rule))
	return fmt.Sprintf("%x:1", sum[:16])
}
