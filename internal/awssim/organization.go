package awssim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The operations of Organizations, which a Realm answers if it has an Organization.
const (
	organizationsTarget = "AWSOrganizationsV20161128."

	describeOrganization       = "DescribeOrganization"
	listAccounts               = "ListAccounts"
	listTagsForResource        = "ListTagsForResource"
	describeOrganizationalUnit = "DescribeOrganizationalUnit"
)

// OrganizationOperations returns the names of the operations that an Organization
// answers, sorted.
func OrganizationOperations() []string {
	return []string{describeOrganization, describeOrganizationalUnit, listAccounts, listTagsForResource}
}

// mostPerPage is how many accounts AWS hands out at once.
const mostPerPage = 20

// Member is an account of an organization as the organization tells of it. The
// account need not be in the realm.
type Member struct {
	ID, Name      string
	State, Status string   // as AWS spells them; empty for what AWS does not send
	Units         []string // the ids of its organizational units, from below the root on
	Tags          []Tag

	// What AWS should not send.
	ARN   string   // in place of the right one
	Paths []string // in place of the right one; empty but not nil for none
}

// Organization is a simulated organization of AWS. Its methods are safe for
// concurrent use.
type Organization struct {
	id, management string

	mu         sync.Mutex
	members    []Member
	unitNames  map[string]string // by id
	delegated  map[string]bool   // accounts that may list, by id
	pageSize   int
	emptyPages bool
	calls      map[string]int
	fault      func(operation string, n int) http.HandlerFunc
	faultN     map[string]int // calls since the fault hook was set
}

// NewOrganization returns the organization of that id, which the account manages.
// It has no members, not even that account.
func NewOrganization(id, managementID string) *Organization {
	return &Organization{
		id: id, management: managementID, pageSize: mostPerPage,
		unitNames: map[string]string{}, delegated: map[string]bool{}, calls: map[string]int{}, faultN: map[string]int{},
	}
}

// rootID is the id of every organization's root.
const rootID = "r-ab12"

// SetMembers sets who is in the organization.
func (o *Organization) SetMembers(members ...Member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.members = slices.Clone(members)
}

// NameUnit gives an organizational unit a name.
func (o *Organization) NameUnit(id, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unitNames[id] = name
}

// Delegate makes the account a delegated administrator.
func (o *Organization) Delegate(accountID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delegated[accountID] = true
}

// SetPages sets how many elements a page has at most, and whether an empty page
// comes before each.
func (o *Organization) SetPages(size int, empty bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pageSize, o.emptyPages = min(size, mostPerPage), empty
}

// SetFault is World.SetFault for the operations of the organization.
func (o *Organization) SetFault(hook func(operation string, n int) http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = hook
	clear(o.faultN)
}

// Calls counts the requests by operation, failed ones included.
func (o *Organization) Calls() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.calls)
}

// JSONError is Error in the protocol of Organizations.
func JSONError(status int, code, message string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		writeJSONError(rw, apiError{status, code, message})
	}
}

// SetOrganization puts the realm's accounts into an organization. Those that are
// not among its members are in none.
func (r *Realm) SetOrganization(o *Organization) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.organization = o
}

// organizationRequest is what an operation needs to know about a request.
type organizationRequest struct {
	caller    string // the account that asks
	partition string

	MaxResults           *int
	NextToken            string
	ResourceID           string `json:"ResourceId"`
	OrganizationalUnitID string `json:"OrganizationalUnitId"`
}

// serveOrganization answers a request for the operation by a session of the world's
// account.
func (r *Realm) serveOrganization(rw http.ResponseWriter, q *http.Request, operation string, w *World) {
	r.mu.Lock()
	o := r.organization
	r.mu.Unlock()
	asked := organizationRequest{caller: w.options.AccountID, partition: w.options.Partition}
	if err := json.NewDecoder(q.Body).Decode(&asked); err != nil {
		writeJSONError(rw, apiError{http.StatusBadRequest, "SerializationException", "the request is no JSON of the expected form"})
		return
	}
	if o == nil {
		writeJSONError(rw, *notInUse())
		return
	}
	if fault := o.admit(operation); fault != nil {
		fault(rw, q)
		return
	}
	result, failure := o.answer(operation, asked)
	if failure != nil {
		writeJSONError(rw, *failure)
		return
	}
	writeJSON(rw, http.StatusOK, result)
}

// admit counts a request, and returns the fault that is to answer it, if any.
func (o *Organization) admit(operation string) http.HandlerFunc {
	o.mu.Lock()
	o.calls[operation]++
	o.faultN[operation]++
	hook, n := o.fault, o.faultN[operation]
	o.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(operation, n)
}

func (o *Organization) answer(operation string, q organizationRequest) (any, *apiError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	isMember := slices.ContainsFunc(o.members, func(m Member) bool { return m.ID == q.caller })
	mayList := q.caller == o.management || o.delegated[q.caller]
	switch {
	case !isMember && !mayList:
		return nil, notInUse()
	case operation == describeOrganization:
		return o.describe(q), nil
	case !mayList:
		return nil, &apiError{http.StatusBadRequest, "AccessDeniedException", "You don't have permissions to access this resource."}
	case operation == listAccounts:
		return o.list(q)
	case operation == listTagsForResource:
		return o.tagsOf(q)
	case operation == describeOrganizationalUnit:
		return o.unit(q)
	}
	return nil, &apiError{http.StatusBadRequest, "UnknownOperationException", "The operation is unknown."}
}

func notInUse() *apiError {
	return &apiError{http.StatusBadRequest, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization."}
}

func invalidInput() *apiError {
	return &apiError{http.StatusBadRequest, "InvalidInputException", "You specified an invalid value."}
}

func (o *Organization) arn(partition, kind, of string) string {
	arn := fmt.Sprintf("arn:%s:organizations::%s:%s/%s", partition, o.management, kind, o.id)
	if of != "" {
		arn += "/" + of
	}
	return arn
}

func (o *Organization) describe(q organizationRequest) any {
	return map[string]any{"Organization": map[string]any{
		"Id": o.id, "Arn": o.arn(q.partition, "organization", ""), "FeatureSet": "ALL",
		"MasterAccountId": o.management, "MasterAccountArn": o.arn(q.partition, "account", o.management), "MasterAccountEmail": "root@example.com",
	}}
}

// listedAccount is an account as ListAccounts tells of it.
type listedAccount struct {
	ID              string `json:"Id"`
	ARN             string `json:"Arn"`
	Email           string
	Name            string `json:",omitempty"`
	JoinedMethod    string
	JoinedTimestamp float64
	State           string   `json:",omitempty"`
	Status          string   `json:",omitempty"`
	Paths           []string `json:",omitempty"`
}

func (o *Organization) list(q organizationRequest) (any, *apiError) {
	first, last, next, failure := o.window(q, len(o.members))
	if failure != nil {
		return nil, failure
	}
	accounts := []listedAccount{}
	for _, m := range o.members[first:last] {
		a := listedAccount{
			ID: m.ID, Email: "aws+" + m.ID + "@example.com", Name: m.Name, JoinedMethod: "CREATED", State: m.State, Status: m.Status,
			JoinedTimestamp: float64(time.Date(1999, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()) / 1000, ARN: m.ARN, Paths: m.Paths,
		}
		if a.ARN == "" {
			a.ARN = o.arn(q.partition, "account", m.ID)
		}
		if a.Paths == nil {
			a.Paths = []string{o.path(m)}
		}
		accounts = append(accounts, a)
	}
	return paged(map[string]any{"Accounts": accounts}, next), nil
}

func (o *Organization) path(m Member) string {
	return strings.Join(slices.Concat([]string{o.id, rootID}, m.Units, []string{m.ID}), "/") + "/"
}

func (o *Organization) tagsOf(q organizationRequest) (any, *apiError) {
	i := slices.IndexFunc(o.members, func(m Member) bool { return m.ID == q.ResourceID })
	if i < 0 {
		return nil, &apiError{http.StatusBadRequest, "TargetNotFoundException", "You specified a target that doesn't exist."}
	}
	tags := o.members[i].Tags
	first, last, next, failure := o.window(q, len(tags))
	if failure != nil {
		return nil, failure
	}
	return paged(map[string]any{"Tags": append([]Tag{}, tags[first:last]...)}, next), nil
}

func (o *Organization) unit(q organizationRequest) (any, *apiError) {
	name, known := o.unitNames[q.OrganizationalUnitID]
	if !known {
		return nil, &apiError{http.StatusBadRequest, "OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist."}
	}
	return map[string]any{"OrganizationalUnit": map[string]any{
		"Id": q.OrganizationalUnitID, "Arn": o.arn(q.partition, "ou", q.OrganizationalUnitID), "Name": name,
	}}, nil
}

// fullPage begins the tokens of pages that are not empty, whatever comes before
// them.
const fullPage = "full-"

// window returns the range of n elements that makes up the page asked for, and the
// token of the next one; empty after the last.
func (o *Organization) window(q organizationRequest, n int) (first, last int, next string, failure *apiError) {
	if q.MaxResults != nil && (*q.MaxResults < 1 || *q.MaxResults > mostPerPage) {
		return 0, 0, "", invalidInput()
	}
	position, full := strings.CutPrefix(q.NextToken, fullPage)
	if q.NextToken != "" {
		var err error
		if first, err = strconv.Atoi(position); err != nil || first < 0 || first > n {
			return 0, 0, "", invalidInput()
		}
	}
	if o.emptyPages && !full {
		return first, first, fullPage + strconv.Itoa(first), nil
	}
	last = min(first+o.pageSize, n)
	if q.MaxResults != nil {
		last = min(last, first+*q.MaxResults)
	}
	if last < n {
		next = strconv.Itoa(last)
	}
	return first, last, next, nil
}

func paged(result map[string]any, next string) map[string]any {
	if next != "" {
		result["NextToken"] = next
	}
	return result
}

func writeJSONError(rw http.ResponseWriter, failure apiError) {
	rw.Header().Set("X-Amzn-Errortype", failure.code)
	writeJSON(rw, failure.status, map[string]string{"__type": failure.code, "Message": failure.message})
}

func writeJSON(rw http.ResponseWriter, status int, result any) {
	body, err := json.Marshal(result)
	must(err) // the results are plain
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	rw.WriteHeader(status)
	// A caller that went away needs no answer.
	_, _ = rw.Write(body)
}
