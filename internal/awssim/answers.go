package awssim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// listStart is what a marker at the start of a list holds: it sorts before every
// user name.
const listStart = " "

// callerName is the user that the callers' credentials belong to.
const callerName = "exporter"

// timestamp returns a time as AWS writes it; empty for a zero time, so that
// optional elements are left out.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

type paging struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

type userItem struct {
	Path             string
	UserName         string
	UserID           string `xml:"UserId"`
	ARN              string `xml:"Arn"`
	CreateDate       string
	PasswordLastUsed string `xml:",omitempty"`
}

type listUsersResult struct {
	Users []userItem `xml:"Users>member"`
	paging
}

func (w *World) listUsers(r request) (any, *apiError) {
	start, limit, failure := w.page(r)
	if failure != nil {
		return nil, failure
	}
	users := w.shown.ordered()
	first := sort.Search(len(users), func(i int) bool { return fold(users[i].name) >= start })
	prefix := r.form.Get("PathPrefix")
	var result listUsersResult
	for _, u := range users[first:] {
		if !strings.HasPrefix(u.path, prefix) {
			continue
		}
		if len(result.Users) == limit {
			result.paging = truncatedAt(fold(u.name))
			break
		}
		result.Users = append(result.Users, w.userItem(u))
	}
	return result, nil
}

func (w *World) userItem(u *user) userItem {
	return userItem{
		Path: u.path, UserName: u.name, UserID: u.id, ARN: w.arn(u),
		CreateDate: timestamp(u.created), PasswordLastUsed: timestamp(u.signedIn),
	}
}

func (w *World) arn(u *user) string {
	resource := "user" + u.path + u.name
	if u == w.shown.root {
		resource = "root"
	}
	return fmt.Sprintf("arn:%s:iam::%s:%s", w.options.Partition, w.options.AccountID, resource)
}

type keyItem struct {
	UserName    string
	AccessKeyID string `xml:"AccessKeyId"`
	Status      types.StatusType
	CreateDate  string
}

type listAccessKeysResult struct {
	UserName          string
	AccessKeyMetadata []keyItem `xml:"AccessKeyMetadata>member"`
	paging
}

func (w *World) listAccessKeys(r request) (any, *apiError) {
	u, failure := w.subject(r)
	if failure != nil {
		return nil, failure
	}
	first, last, paging, failure := w.window(r, len(u.keys))
	if failure != nil {
		return nil, failure
	}
	result := listAccessKeysResult{UserName: u.name, paging: paging}
	for _, k := range u.keys[first:last] {
		result.AccessKeyMetadata = append(result.AccessKeyMetadata, keyItem{u.name, k.id, k.status, timestamp(k.created)})
	}
	return result, nil
}

type lastUsed struct {
	LastUsedDate string `xml:",omitempty"`
	ServiceName  string
	Region       string
}

type getAccessKeyLastUsedResult struct {
	UserName          string
	AccessKeyLastUsed lastUsed
}

// getAccessKeyLastUsed answers NoSuchEntity for unknown keys. AWS documents no
// error for them, and callers may meet AccessDenied instead: use a fault.
func (w *World) getAccessKeyLastUsed(r request) (any, *apiError) {
	id := r.form.Get("AccessKeyId")
	k, err := w.shown.findKey(id)
	if err != nil {
		return nil, noSuchEntity("The Access Key with id %s cannot be found.", id)
	}
	return getAccessKeyLastUsedResult{
		UserName: k.owner.name,
		AccessKeyLastUsed: lastUsed{
			LastUsedDate: timestamp(k.use.At),
			ServiceName:  orNA(k.use.Service),
			Region:       orNA(k.use.Region),
		},
	}, nil
}

type loginProfile struct {
	UserName              string
	CreateDate            string
	PasswordResetRequired bool
}

type getLoginProfileResult struct{ LoginProfile loginProfile }

func (w *World) getLoginProfile(r request) (any, *apiError) {
	u, failure := w.subject(r)
	if failure != nil {
		return nil, failure
	}
	if u.password == nil {
		return nil, noSuchEntity("Login Profile for User %s cannot be found.", u.name)
	}
	return getLoginProfileResult{loginProfile{UserName: u.name, CreateDate: timestamp(u.password.created)}}, nil
}

type deviceItem struct {
	UserName     string
	SerialNumber string
	EnableDate   string
}

type listMFADevicesResult struct {
	MFADevices []deviceItem `xml:"MFADevices>member"`
	paging
}

func (w *World) listMFADevices(r request) (any, *apiError) {
	u, failure := w.subject(r)
	if failure != nil {
		return nil, failure
	}
	first, last, paging, failure := w.window(r, len(u.mfa))
	if failure != nil {
		return nil, failure
	}
	result := listMFADevicesResult{paging: paging}
	for _, d := range u.mfa[first:last] {
		result.MFADevices = append(result.MFADevices, deviceItem{u.name, d.serial, timestamp(d.enabled)})
	}
	return result, nil
}

type summaryEntry struct {
	Key   string `xml:"key"`
	Value int    `xml:"value"`
}

type getAccountSummaryResult struct {
	SummaryMap []summaryEntry `xml:"SummaryMap>entry"`
}

func (w *World) getAccountSummary(request) (any, *apiError) {
	a, devices := w.shown, 0
	for _, u := range a.users {
		devices += len(u.mfa)
	}
	return getAccountSummaryResult{[]summaryEntry{
		{"AccessKeysPerUserQuota", w.options.KeysPerUser},
		{"AccountAccessKeysPresent", one(len(a.root.keys) > 0)},
		{"AccountMFAEnabled", one(len(a.root.mfa) > 0)},
		{"AccountPasswordPresent", one(a.rootPassword != RootPasswordDisabled)},
		{"AccountSigningCertificatesPresent", 0},
		{"GroupsPerUserQuota", 10},
		{"MFADevices", devices},
		{"MFADevicesInUse", devices},
		{"SigningCertificatesPerUserQuota", 2},
		{"Users", len(a.users)},
		{"UsersQuota", 5000},
	}}, nil
}

type listAccountAliasesResult struct {
	AccountAliases []string `xml:"AccountAliases>member"`
	paging
}

func (w *World) listAccountAliases(request) (any, *apiError) {
	var result listAccountAliasesResult
	if w.shown.alias != "" {
		result.AccountAliases = []string{w.shown.alias}
	}
	return result, nil
}

type getCallerIdentityResult struct {
	ARN     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string
}

func (w *World) getCallerIdentity(request) (any, *apiError) {
	id := "AIDAEXPORTERSIMULATED"
	if u := w.shown.users[callerName]; u != nil {
		id = u.id
	}
	return getCallerIdentityResult{ARN: w.arnOfCaller(), UserID: id, Account: w.options.AccountID}, nil
}

func (w *World) arnOfCaller() string {
	return fmt.Sprintf("arn:%s:iam::%s:user/%s", w.options.Partition, w.options.AccountID, callerName)
}

// subject returns the user named in the request, or the caller. Temporary
// credentials belong to no user, so their requests must name one.
func (w *World) subject(r request) (*user, *apiError) {
	name := r.form.Get("UserName")
	if name == "" && strings.HasPrefix(r.caller, "ASIA") {
		return nil, validationError("Must specify userName when calling with non-User credentials")
	}
	if name == "" {
		name = callerName
	}
	if u := w.shown.users[fold(name)]; u != nil {
		return u, nil
	}
	return nil, noSuchEntity("The user with name %s cannot be found.", name)
}

// page returns where the requested page starts, and how many items it has.
func (w *World) page(r request) (start string, limit int, failure *apiError) {
	limit = 100
	if asked := r.form.Get("MaxItems"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > 1000 {
			return "", 0, validationError("Value '%s' at 'maxItems' failed to satisfy constraint: "+
				"Member must have value between 1 and 1000", asked)
		}
		limit = n
	}
	if w.options.MaxPage > 0 {
		limit = min(limit, w.options.MaxPage)
	}
	if marker := r.form.Get("Marker"); marker != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return "", 0, validationError("Invalid Marker.")
		}
		var ours bool
		if start, ours = strings.CutPrefix(string(decoded), scope(r.form)); !ours {
			return "", 0, validationError("Invalid Marker.")
		}
	}
	return start, limit, nil
}

// window returns the range of a short list of n items that makes up the page
// asked for; its markers hold positions.
func (w *World) window(r request, n int) (first, last int, p paging, failure *apiError) {
	start, limit, failure := w.page(r)
	if failure != nil {
		return 0, 0, paging{}, failure
	}
	if start != "" && start != listStart {
		var err error
		if first, err = strconv.Atoi(start); err != nil || first < 0 {
			return 0, 0, paging{}, validationError("Invalid Marker.")
		}
	}
	first = min(first, n)
	last = min(first+limit, n)
	if last < n {
		p = truncatedAt(strconv.Itoa(last))
	}
	return first, last, p, nil
}

func truncatedAt(next string) paging {
	return paging{IsTruncated: true, Marker: base64.RawURLEncoding.EncodeToString([]byte(next))}
}

func noSuchEntity(format string, args ...any) *apiError {
	return &apiError{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf(format, args...)}
}

func validationError(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

func orNA(value string) string {
	if value == "" {
		return notApplicable
	}
	return value
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
