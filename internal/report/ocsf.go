package report

import (
	"fmt"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// ocsfAWSAccount is the type of accounts.
const ocsfAWSAccount = 10

// The parts of a Compliance Finding, class 2003 of OCSF 1.4.0, as far as there is
// something to say.
// https://schema.ocsf.io/1.4.0/classes/compliance_finding
type (
	ocsfFinding struct {
		ActivityID  int            `json:"activity_id"`
		CategoryUID int            `json:"category_uid"`
		ClassUID    int            `json:"class_uid"`
		TypeUID     int            `json:"type_uid"`
		Time        int64          `json:"time"`
		SeverityID  int            `json:"severity_id"`
		StatusID    int            `json:"status_id"`
		Message     string         `json:"message"`
		Metadata    ocsfMetadata   `json:"metadata"`
		Info        ocsfInfo       `json:"finding_info"`
		Compliance  ocsfCompliance `json:"compliance"`
		ocsfContext
	}
	ocsfContext struct {
		Resources   []ocsfResource  `json:"resources"`
		Cloud       ocsfCloud       `json:"cloud"`
		Remediation ocsfRemediation `json:"remediation"`
		Unmapped    map[string]any  `json:"unmapped"`
	}
	ocsfMetadata struct {
		Version  string      `json:"version"`
		Product  ocsfProduct `json:"product"`
		Profiles []string    `json:"profiles"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version"`
	}
	ocsfInfo struct {
		UID     string `json:"uid"`
		Title   string `json:"title"`
		Desc    string `json:"desc"`
		Created int64  `json:"created_time,omitempty"`
	}
	ocsfCompliance struct {
		Control   string   `json:"control"`
		Standards []string `json:"standards"`
		StatusID  int      `json:"status_id"`
		Reasons   []string `json:"status_details,omitempty"`
	}
	ocsfResource struct {
		UID   string     `json:"uid"`
		Name  string     `json:"name"`
		Type  string     `json:"type"`
		Owner *ocsfOwner `json:"owner,omitempty"`
	}
	// ocsfOwner is a user in OCSF's words: of our owners only a name is known.
	ocsfOwner struct {
		UID     string      `json:"uid"`
		Name    string      `json:"name"`
		TypeID  int         `json:"type_id"`
		Account ocsfAccount `json:"account"`
	}
	ocsfCloud struct {
		Provider string      `json:"provider"`
		Account  ocsfAccount `json:"account"`
	}
	ocsfAccount struct {
		TypeID int    `json:"type_id"`
		UID    string `json:"uid"`
		Name   string `json:"name,omitempty"`
	}
	ocsfRemediation struct {
		Desc string `json:"desc"`
	}
)

// ocsf is an array of events, one for each result and one for each account, which
// says whether it was read whole.
func (r *Report) ocsf() ([]byte, error) {
	events := []ocsfFinding{}
	for i := range r.Results {
		events = append(events, r.ocsfResult(&r.Results[i]))
	}
	for i := range r.Accounts {
		events = append(events, r.ocsfAccount(&r.Accounts[i]))
	}
	return indented(events)
}

func (r *Report) ocsfEvent(account *Account) ocsfFinding {
	const create, findings, complianceFinding, isNew = 1, 2, 2003, 1
	return ocsfFinding{
		ActivityID: create, CategoryUID: findings, ClassUID: complianceFinding, TypeUID: complianceFinding*100 + create,
		Time: r.CheckedAt.UnixMilli(), StatusID: isNew,
		Metadata: ocsfMetadata{"1.4.0", ocsfProduct{"aws_iam_exporter", "aws_iam_exporter", r.Version}, []string{"cloud"}},
		ocsfContext: ocsfContext{
			Cloud:    ocsfCloud{"AWS", ocsfAccount{ocsfAWSAccount, account.ID, account.Name}},
			Unmapped: map[string]any{"facts_observed": timestamp(account.oldest()), "input": account.Input, "limits": r.Limits},
		},
	}
}

func (r *Report) ocsfResult(result *Result) ocsfFinding {
	const suppressed = 3
	e := r.ocsfEvent(r.account(result.AccountID))
	e.SeverityID = map[policy.Severity]int{policy.High: 4, policy.Medium: 3, policy.Low: 2}[result.Severity]
	e.Message = result.title() + ": " + result.state()
	e.Info = ocsfInfo{UID: result.fingerprint(), Title: string(result.Rule), Desc: result.Rule.Description()}
	if !result.Since.IsZero() {
		e.Info.Created = result.Since.UnixMilli()
	}
	e.Compliance = ocsfCompliance{Control: string(result.Rule), Standards: []string{}, StatusID: 3} // fail
	for _, c := range result.Controls {
		e.Compliance.Standards = append(e.Compliance.Standards, c.String())
	}
	switch {
	case result.Verdict == policy.Unknown:
		e.Compliance.StatusID = 0
	case result.Exemption != nil:
		e.StatusID = suppressed
		e.Compliance.Reasons = []string{fmt.Sprintf("exempted until the end of %s: %s", result.Exemption.LastDay, inventory.Printable(result.Exemption.Reason))}
	case result.Baseline:
		e.StatusID = suppressed
		e.Compliance.Reasons = []string{"in the baseline until the end of " + r.Baseline.LastDay}
	}
	resource := ocsfResource{UID: result.AccountID + "/" + inventory.Printable(result.UserName), Name: inventory.Printable(result.UserName), Type: "AWS IAM user"}
	if result.AccessKeyID != "" {
		resource = ocsfResource{UID: inventory.Printable(result.AccessKeyID), Name: inventory.Printable(result.UserName), Type: "AWS IAM access key"}
	}
	if result.Owner != "" {
		resource.Owner = &ocsfOwner{inventory.Printable(result.Owner), inventory.Printable(result.Owner), 0, e.Cloud.Account} // of an unknown type
	}
	e.Resources = []ocsfResource{resource}
	e.Remediation = ocsfRemediation{result.next()}
	return e
}

// ocsfAccount tells of an account whether it was read whole.
func (r *Report) ocsfAccount(a *Account) ocsfFinding {
	const informational, pass, unknown = 1, 1, 0
	e := r.ocsfEvent(a)
	e.SeverityID, e.Message = informational, "account "+a.title()+" was read whole"
	e.Info = ocsfInfo{UID: a.ID + "/read", Title: "account read", Desc: "Whether everything about the account could be read."}
	e.Compliance = ocsfCompliance{Control: "account_read", Standards: []string{}, StatusID: pass}
	if len(a.Gaps) > 0 || a.Skipped != "" {
		e.Message, e.Compliance.StatusID = "account "+a.title()+" was not read whole", unknown
		for _, gap := range append([]string{a.Skipped}, a.Gaps...) {
			if gap != "" {
				e.Compliance.Reasons = append(e.Compliance.Reasons, inventory.Printable(gap))
			}
		}
	}
	e.Resources = []ocsfResource{{UID: a.ID, Name: a.title(), Type: "AWS account"}}
	e.Remediation = ocsfRemediation{"none"}
	return e
}
