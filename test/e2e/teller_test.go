//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// How a call to Organizations is told from others.
const (
	targetHeader        = "X-Amz-Target"
	organizationsTarget = "AWSOrganizationsV20161128."
)

// listingFault is something that goes wrong with listing the organization.
type listingFault string

const (
	listDenied listingFault = "ListAccounts is denied"
	listHalf   listingFault = "the last pages do not come"
	listLacks  listingFault = "the management account is missing"
	listOther  listingFault = "the organization is another one"
	listSilent listingFault = "no call to Organizations is answered"
)

// otherOrganization is the one that is told of in place of the right one.
const otherOrganization = "o-otherother"

// teller stands before the simulator's Organizations. It hands out accounts as AWS
// may: in small pages, of which one is empty and yet not the last. It tells of single
// accounts what the simulator cannot, such as the states before and after suspension, or
// no State beside the older Status; and it fails as AWS does.
type teller struct {
	to *url.URL

	mu    sync.Mutex
	fault listingFault
	told  map[string]map[string]any // what accounts have in place of what the simulator tells of them; nil for nothing
}

// fail has the listing go wrong from now on; not if the fault is empty.
func (t *teller) fail(f listingFault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = f
}

// tell has ListAccounts tell the fields of an account, each in place of the simulator's;
// those that are nil are left out.
func (t *teller) tell(id string, fields map[string]any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := maps.Clone(t.told)
	if told == nil {
		told = map[string]map[string]any{}
	}
	told[id] = fields
	t.told = told
}

func (t *teller) now() (listingFault, map[string]map[string]any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault, t.told
}

// emptyPage is the token that follows the empty page.
const emptyPage = "after-the-empty-page"

// ServeHTTP implements http.Handler.
func (t *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, told := t.now()
	operation := strings.TrimPrefix(r.Header.Get(targetHeader), organizationsTarget)
	var asked map[string]any
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	token := asked["NextToken"]
	list := operation == "ListAccounts"
	switch {
	case fault == listSilent:
		<-r.Context().Done()
	case list && fault == listDenied:
		answerJSON(w, http.StatusBadRequest, map[string]any{"__type": "AccessDeniedException", "Message": "You don't have permissions to access this resource."})
	case list && token == nil:
		answerJSON(w, http.StatusOK, map[string]any{"Accounts": []any{}, "NextToken": emptyPage})
	case list && token != emptyPage && fault == listHalf:
		answerJSON(w, http.StatusBadRequest, map[string]any{"__type": "InvalidInputException", "Reason": "INVALID_NEXT_TOKEN", "Message": "The token is no longer valid."})
	default:
		if list {
			asked["MaxResults"] = 5
		}
		if token == emptyPage {
			delete(asked, "NextToken")
		}
		status, answer, err := t.ask(r, asked)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		retell(answer, fault, told)
		answerJSON(w, status, answer)
	}
}

// ask asks the simulator.
func (t *teller) ask(r *http.Request, body any) (int, map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	again := r.Clone(r.Context())
	again.URL.Scheme, again.URL.Host, again.RequestURI = t.to.Scheme, t.to.Host, ""
	again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	response, err := http.DefaultTransport.RoundTrip(again)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var answer map[string]any
	err = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer, err
}

// retell changes what the simulator has answered.
func retell(answer map[string]any, fault listingFault, told map[string]map[string]any) {
	if organization, found := answer["Organization"].(map[string]any); found && fault == listOther {
		organization["Id"] = otherOrganization
	}
	accounts, found := answer["Accounts"].([]any)
	if !found {
		return
	}
	answer["Accounts"] = slices.DeleteFunc(accounts, func(a any) bool {
		account := a.(map[string]any)
		for field, value := range told[account["Id"].(string)] {
			if account[field] = value; value == nil {
				delete(account, field)
			}
		}
		return fault == listLacks && account["Id"] == hub
	})
}

func answerJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // fails if the exporter has ended
}
