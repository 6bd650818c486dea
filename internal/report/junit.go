package report

import (
	"encoding/xml"
	"fmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	File    string    `xml:"file,attr,omitempty"`
	Skipped *junitWhy `xml:"skipped"`
	Error   *junitWhy `xml:"error"`
	Failure *junitWhy `xml:"failure"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junit has a suite for each rule, with a case for each result and one for all that
// is compliant in an account; and a suite for the accounts, in which one that was
// not read whole is an error.
func (r *Report) junit() ([]byte, error) {
	all := junitSuites{Name: "aws_iam_exporter check"}
	all.add(r.junitAccounts())
	for i := range r.Rules {
		all.add(r.junitRule(&r.Rules[i]))
	}
	content, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	return []byte(xml.Header + string(content) + "\n"), nil
}

func (s *junitSuites) add(suite junitSuite) {
	suite.Tests = len(suite.Cases)
	for _, c := range suite.Cases {
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	s.Tests, s.Failures, s.Errors = s.Tests+suite.Tests, s.Failures+suite.Failures, s.Errors+suite.Errors
	s.Suites = append(s.Suites, suite)
}

func (r *Report) junitAccounts() junitSuite {
	suite := junitSuite{Name: "accounts", Timestamp: timestamp(r.CheckedAt)}
	for i, fact := range r.facts() {
		suite.Properties = append(suite.Properties, junitProperty{fmt.Sprintf("fact_%d", i+1), fact})
	}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		c := junitCase{Name: a.title(), Class: "accounts"}
		switch {
		case len(a.Gaps) > 0:
			c.Error = &junitWhy{Message: "not read whole", Type: "incomplete", Text: inventory.Printable(fmt.Sprint(a.Gaps))}
		case a.Skipped != "":
			c.Skipped = &junitWhy{Message: a.Skipped}
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

func (r *Report) junitRule(rule *Rule) junitSuite {
	suite := junitSuite{Name: string(rule.Name), Timestamp: timestamp(r.CheckedAt), Properties: []junitProperty{
		{"description", rule.Description}, {"controls", controlsInWords(rule.Controls)},
	}}
	for i := range r.Results {
		if result := &r.Results[i]; result.Rule == rule.Name {
			suite.Cases = append(suite.Cases, r.junitCase(rule, result))
		}
	}
	for i := range r.Accounts {
		for _, c := range r.Accounts[i].Counts {
			if c.Rule == rule.Name && c.Compliant > 0 {
				suite.Cases = append(suite.Cases, junitCase{
					Name: fmt.Sprintf("%s: %d compliant", r.Accounts[i].title(), c.Compliant), Class: string(rule.Name),
				})
			}
		}
	}
	return suite
}

func (r *Report) junitCase(rule *Rule, result *Result) junitCase {
	c := junitCase{Name: result.title(), Class: string(rule.Name)}
	if result.Location != nil {
		c.File = result.Location.File
	}
	switch {
	case result.Verdict == policy.Unknown:
		c.Error = &junitWhy{Message: "a fact that decides is not known", Type: "unknown"}
	case result.Exemption != nil:
		c.Skipped = &junitWhy{Message: "exempted until the end of " + result.Exemption.LastDay + ": " + inventory.Printable(result.Exemption.Reason)}
	case result.Fails:
		c.Failure = &junitWhy{Message: rule.Description, Type: string(rule.Severity), Text: r.detail(result)}
	default:
		c.Skipped = &junitWhy{Message: result.state() + ", which does not fail this check: " + rule.Description}
	}
	return c
}

// title says what a result is about.
func (r *Result) title() string {
	title := r.AccountID + " " + inventory.Printable(r.UserName)
	if r.AccessKeyID != "" {
		title += " " + inventory.Printable(r.AccessKeyID)
	}
	return title
}

// detail says in words what there is to know about a violation.
func (r *Report) detail(result *Result) string {
	text := "since " + result.began()
	if age := r.age(result); age != "" {
		text += " (" + age + ")"
	}
	if result.Class != "" {
		text += ", class " + inventory.Printable(result.Class)
	}
	if result.Owner != "" {
		text += ", owner " + inventory.Printable(result.Owner)
	}
	return text + "; next: " + result.next()
}
