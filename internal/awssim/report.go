package awssim

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const (
	notApplicable = "N/A"
	notSupported  = "not_supported"
	noInformation = "no_information"
)

// reports holds the account's credential report and the one being generated.
type reports struct {
	made    uint64  // how many were made; seeds the order of slots
	current *report // nil before the first is complete
	edit    func(content string) string
	next    *report // nil unless one is being generated
}

type report struct {
	generated time.Time // the content is the state at this time
	ready     time.Time
	content   []byte
}

// settle publishes the report being generated when its time has come.
func (s *reports) settle(now time.Time) {
	if s.next != nil && !s.next.ready.After(now) {
		s.current, s.next = s.next, nil
	}
}

func (w *World) reportFresh(now time.Time) bool {
	c := w.report.current
	return c != nil && now.Sub(c.generated) < w.options.ReportLife
}

type generateCredentialReportResult struct {
	State       types.ReportStateType
	Description string `xml:",omitempty"`
}

func (w *World) generateCredentialReport(r request) (any, *apiError) {
	w.report.settle(r.now)
	switch {
	case w.report.next != nil:
		return generateCredentialReportResult{State: types.ReportStateTypeInprogress}, nil
	case w.reportFresh(r.now):
		return generateCredentialReportResult{State: types.ReportStateTypeComplete}, nil
	}
	w.report.made++
	w.report.next = &report{
		generated: seconds(r.now),
		ready:     r.now.Add(w.options.ReportDelay),
		content:   w.renderReport(),
	}
	return generateCredentialReportResult{
		State:       types.ReportStateTypeStarted,
		Description: "No report exists. Starting a new report generation task",
	}, nil
}

type getCredentialReportResult struct {
	Content       string
	ReportFormat  types.ReportFormatType
	GeneratedTime string
}

func (w *World) getCredentialReport(r request) (any, *apiError) {
	w.report.settle(r.now)
	switch {
	case w.report.next != nil:
		return nil, &apiError{http.StatusNotFound, "ReportInProgress", "Report is being generated."}
	case w.report.current == nil:
		return nil, &apiError{http.StatusGone, "ReportNotPresent", "No report is present. Generate one first."}
	case !w.reportFresh(r.now):
		return nil, &apiError{http.StatusGone, "ReportExpired", "The report has expired. Generate a new one."}
	}
	c := w.report.current
	content := c.content
	if w.report.edit != nil {
		content = []byte(w.report.edit(string(content)))
	}
	return getCredentialReportResult{
		Content:       base64.StdEncoding.EncodeToString(content),
		ReportFormat:  types.ReportFormatTypeTextCsv,
		GeneratedTime: timestamp(c.generated),
	}, nil
}

func reportColumns(extra bool) []string {
	columns := []string{
		"user", "arn", "user_creation_time", "password_enabled", "password_last_used",
		"password_last_changed", "password_next_rotation", "mfa_active",
		"access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date",
		"access_key_1_last_used_region", "access_key_1_last_used_service",
		"access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
		"access_key_2_last_used_region", "access_key_2_last_used_service",
		"cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
	}
	if extra {
		columns = append(columns, "additional_credentials_info")
	}
	return columns
}

// renderReport returns the visible state as the CSV of a credential report.
func (w *World) renderReport() []byte {
	slots := rand.New(rand.NewPCG(w.options.Seed, w.report.made))
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	must(out.Write(reportColumns(w.options.ReportExtraColumn)))
	must(out.Write(w.reportRow(w.shown.root, slots)))
	for _, u := range w.shown.ordered() {
		must(out.Write(w.reportRow(u, slots)))
	}
	out.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (w *World) reportRow(u *user, slots *rand.Rand) []string {
	row := []string{u.name, w.arn(u), timestamp(u.created)}
	row = append(row, w.passwordColumns(u)...)
	row = append(row, strconv.FormatBool(len(u.mfa) > 0))
	for _, k := range keySlots(u.keys, slots) {
		row = append(row, keyColumns(k)...)
	}
	row = append(row, "false", notApplicable, "false", notApplicable)
	if w.options.ReportExtraColumn {
		row = append(row, extraColumn(u))
	}
	return row
}

// passwordColumns returns whether the password is enabled, its last use, its
// last change and its next rotation.
func (w *World) passwordColumns(u *user) []string {
	used := timestamp(u.signedIn)
	if used == "" {
		used = noInformation
	}
	switch {
	case u == w.shown.root && w.shown.rootPassword == RootPasswordDisabled:
		return []string{"false", notApplicable, notSupported, notSupported}
	case u == w.shown.root:
		return []string{string(w.shown.rootPassword), used, notSupported, notSupported}
	case u.password == nil:
		return []string{"false", notApplicable, notApplicable, notApplicable}
	}
	return []string{"true", used, timestamp(u.password.changed), notApplicable}
}

// keySlots puts keys into the two slots of a report. AWS promises no order, so
// two keys come in either; further keys are not shown.
func keySlots(keys []*key, random *rand.Rand) [2]*key {
	var slots [2]*key
	copy(slots[:], keys)
	if len(keys) > 1 && random.IntN(2) == 1 {
		slices.Reverse(slots[:])
	}
	return slots
}

// keyColumns returns whether the key is active, its creation, and the date,
// region and service of its last use. Inactive keys keep their dates.
func keyColumns(k *key) []string {
	if k == nil {
		return []string{"false", notApplicable, notApplicable, notApplicable, notApplicable}
	}
	active := strconv.FormatBool(k.status == types.StatusTypeActive)
	return []string{active, timestamp(k.created), orNA(timestamp(k.use.At)), orNA(k.use.Region), orNA(k.use.Service)}
}

func extraColumn(u *user) string {
	if len(u.keys) <= 2 {
		return notApplicable
	}
	return fmt.Sprintf("%d more access keys; see ListAccessKeys", len(u.keys)-2)
}
