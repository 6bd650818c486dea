package awssim

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	iamVersion   = "2010-05-08"
	stsVersion   = "2011-06-15"
	iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

	maxRequest = 1 << 20 // bytes

	requestIDHeader = "x-amzn-RequestId"
)

// request is what an operation needs to know about a request.
type request struct {
	form   url.Values
	caller string // the access key id that signed it; empty if none did
	now    time.Time
}

// apiError is an error answer of AWS.
type apiError struct {
	status        int
	code, message string
}

// operation answers one operation of the AWS API.
type operation struct {
	version string
	// answer is called with the world settled and locked. The result must not
	// share memory with the world: it is encoded after the lock is released.
	answer func(*World, request) (any, *apiError)
}

func operations() map[string]operation {
	return map[string]operation{
		"ListUsers":                {iamVersion, (*World).listUsers},
		"ListAccessKeys":           {iamVersion, (*World).listAccessKeys},
		"GetAccessKeyLastUsed":     {iamVersion, (*World).getAccessKeyLastUsed},
		"GetLoginProfile":          {iamVersion, (*World).getLoginProfile},
		"ListMFADevices":           {iamVersion, (*World).listMFADevices},
		"GenerateCredentialReport": {iamVersion, (*World).generateCredentialReport},
		"GetCredentialReport":      {iamVersion, (*World).getCredentialReport},
		"GetAccountSummary":        {iamVersion, (*World).getAccountSummary},
		"ListUserTags":             {iamVersion, (*World).listUserTags},
		"ListAccountAliases":       {iamVersion, (*World).listAccountAliases},
		"GetCallerIdentity":        {stsVersion, (*World).getCallerIdentity},

		"GetAccountAuthorizationDetails": {iamVersion, (*World).getAccountAuthorizationDetails},
	}
}

// Operations returns the names of the operations that a World answers, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations())) }

// ServeHTTP answers a request in the AWS Query protocol: IAM's and STS's
// operations share one endpoint.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	now := w.options.Now()
	rw.Header().Set(requestIDHeader, w.requestID())
	rw.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	r.Body = http.MaxBytesReader(rw, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		writeError(rw, r, apiError{http.StatusBadRequest, "MalformedInput", "the request is no form"})
		return
	}
	name := r.Form.Get("Action")
	op, known := w.operations[name]
	if !known || op.version != r.Form.Get("Version") {
		w.countInvalid()
		message := fmt.Sprintf("Could not find operation %s for version %s", name, r.Form.Get("Version"))
		writeError(rw, r, apiError{http.StatusBadRequest, "InvalidAction", message})
		return
	}
	if fault := w.admit(name, now); fault != nil {
		fault(rw, r)
		return
	}
	w.respond(rw, r, now)
}

// respond answers a request for an operation that there is by what is so.
func (w *World) respond(rw http.ResponseWriter, r *http.Request, now time.Time) {
	name := r.Form.Get("Action")
	result, failure := w.answer(w.operations[name], request{form: r.Form, caller: callerKey(r), now: now})
	if failure != nil {
		writeError(rw, r, *failure)
		return
	}
	writeResult(rw, r, name, result)
}

func (w *World) requestID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, b := w.requests.Uint64(), w.requests.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&(1<<48-1))
}

func (w *World) countInvalid() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls["InvalidAction"]++
}

// admit counts a request. If a fault or the throttle is to answer it instead of
// the world, it returns their handler.
func (w *World) admit(name string, now time.Time) http.HandlerFunc {
	w.mu.Lock()
	w.calls[name]++
	w.faultN[name]++
	hook, n, limiter := w.fault, w.faultN[name], w.limiters[name]
	w.mu.Unlock()
	if hook != nil {
		if fault := hook(name, n); fault != nil {
			return fault
		}
	}
	if limiter != nil && !limiter.AllowN(now, 1) {
		return Error(http.StatusBadRequest, "Throttling", "Rate exceeded")
	}
	return nil
}

func (w *World) answer(op operation, r request) (any, *apiError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle(r.now)
	return op.answer(w, r)
}

// callerKey returns the access key id in the signature of a request.
func callerKey(r *http.Request) string {
	_, after, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(after, "/")
	return id
}

type responseMetadata struct {
	RequestID string `xml:"RequestId"`
}

func writeResult(rw http.ResponseWriter, r *http.Request, name string, result any) {
	var body bytes.Buffer
	e := xml.NewEncoder(&body)
	root := xml.StartElement{
		Name: xml.Name{Local: name + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace(r)}},
	}
	metadata := responseMetadata{rw.Header().Get(requestIDHeader)}
	// The results are plain structs written into memory: encoding cannot fail.
	must(e.EncodeToken(root))
	must(e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: name + "Result"}}))
	must(e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}))
	must(e.EncodeToken(root.End()))
	must(e.Flush())
	writeXML(rw, http.StatusOK, body.Bytes())
}

type errorDetail struct {
	Type    string
	Code    string
	Message string
}

type errorResponse struct {
	XMLName   xml.Name    `xml:"ErrorResponse"`
	Namespace string      `xml:"xmlns,attr"`
	Error     errorDetail `xml:"Error"`
	RequestID string      `xml:"RequestId"`
}

func writeError(rw http.ResponseWriter, r *http.Request, failure apiError) {
	blame := "Sender"
	if failure.status >= http.StatusInternalServerError {
		blame = "Receiver"
	}
	body, err := xml.Marshal(errorResponse{
		Namespace: namespace(r),
		Error:     errorDetail{blame, failure.code, failure.message},
		RequestID: rw.Header().Get(requestIDHeader),
	})
	must(err)
	writeXML(rw, failure.status, body)
}

func writeXML(rw http.ResponseWriter, status int, body []byte) {
	rw.Header().Set("Content-Type", "text/xml")
	rw.WriteHeader(status)
	// A caller that went away needs no answer.
	_, _ = rw.Write(append(body, '\n'))
}

func namespace(r *http.Request) string {
	if r.Form.Get("Version") == stsVersion {
		return stsNamespace
	}
	return iamNamespace
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
