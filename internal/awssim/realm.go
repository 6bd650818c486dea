package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Realm is several accounts behind one endpoint, as AWS's are: a request reaches
// the account whose credentials have signed it. It answers AssumeRole itself, and
// what is asked of its Organization, if it has one.
type Realm struct {
	home *World // of credentials that are of no session

	mu       sync.Mutex
	worlds   map[string]*World
	roles    map[string]string // the external id that each role's trust policy wants, by ARN
	sessions map[string]roleSession
	made     int // sessions so far
	assumed  map[string]int
	fault    func(roleARN string, n int) http.HandlerFunc

	organization *Organization // nil if the accounts are in none
}

// roleSession is what the credentials of an assumed role are good for.
type roleSession struct {
	world   *World
	arn     string   // of the session
	actions []string // that its policy allows; nil for all
	ends    time.Time
}

// sessionLength is how long the session of an assumed role lasts.
const sessionLength = time.Hour

// NewRealm returns the accounts, of which the first is that of the exporter's own
// credentials.
func NewRealm(home *World, others ...*World) *Realm {
	r := &Realm{
		home: home, worlds: map[string]*World{}, roles: map[string]string{},
		sessions: map[string]roleSession{}, assumed: map[string]int{},
	}
	for _, w := range append([]*World{home}, others...) {
		r.worlds[w.options.AccountID] = w
	}
	return r
}

// AddRole makes a role that may be assumed by whoever gives the external id; empty
// for anybody. The name has its path, but no slash before it.
func (r *Realm) AddRole(w *World, name, externalID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roles[w.roleARN(name)] = externalID
}

// RemoveRole removes a role. Its sessions go on.
func (r *Realm) RemoveRole(w *World, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.roles, w.roleARN(name))
}

// EndSessions has AWS accept no session any longer that was begun so far.
func (r *Realm) EndSessions() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.sessions {
		s.ends = time.Time{}
		r.sessions[id] = s
	}
}

// Assumed counts the requests for sessions by the role's ARN, refused ones
// included.
func (r *Realm) Assumed() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]int, len(r.assumed))
	for arn, n := range r.assumed {
		all[arn] = n
	}
	return all
}

// SetFault is World.SetFault for requests for sessions, by the role's ARN.
func (r *Realm) SetFault(hook func(roleARN string, n int) http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = hook
	clear(r.assumed)
}

// Config returns a configuration whose clients reach the realm in-process, with
// credentials of the first account.
func (r *Realm) Config() aws.Config {
	return aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIASIMULATEDCALLER2", "simulated", ""),
		HTTPClient:  &http.Client{Transport: r.Transport()},
	}
}

// Transport returns a transport that answers requests in-process.
func (r *Realm) Transport() http.RoundTripper { return transport{r} }

// ServeHTTP answers a request of any of the accounts.
func (r *Realm) ServeHTTP(rw http.ResponseWriter, q *http.Request) {
	now := r.home.options.Now()
	q.Body = http.MaxBytesReader(rw, q.Body, maxRequest)
	about, isJSON := strings.CutPrefix(q.Header.Get("X-Amz-Target"), organizationsTarget)
	service, action := "organizations", about
	if !isJSON {
		service, action = "iam", q.FormValue("Action") // a form that cannot be read has none, and the world says so
		if q.Form.Get("Version") == stsVersion {
			service = "sts"
		}
	}
	s, known := r.session(callerKey(q))
	if !known {
		s.world, s.ends = r.home, now.Add(sessionLength)
	}
	refuse := func(status int, code, message string) {
		r.head(rw, now)
		if isJSON {
			writeJSONError(rw, apiError{status, code + "Exception", message})
			return
		}
		writeError(rw, q, apiError{status, code, message})
	}
	switch permission := service + ":" + action; {
	case !now.Before(s.ends):
		refuse(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	case s.actions != nil && action != "GetCallerIdentity" && !slices.Contains(s.actions, permission):
		refuse(http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: %s on resource: * because no session policy allows the %s action", s.arn, permission, permission))
	case isJSON:
		r.head(rw, now)
		r.serveOrganization(rw, q, action, s.world)
	case action == "AssumeRole":
		r.assume(rw, q, now, refuse)
	default:
		s.world.ServeHTTP(rw, q)
	}
}

// head begins an answer.
func (r *Realm) head(rw http.ResponseWriter, now time.Time) {
	rw.Header().Set(requestIDHeader, r.home.requestID())
	rw.Header().Set("Date", now.UTC().Format(http.TimeFormat))
}

func (r *Realm) session(key string) (roleSession, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, known := r.sessions[key]
	return s, known
}

type assumeRoleResult struct {
	AssumedRoleUser struct {
		ARN string `xml:"Arn"`
		ID  string `xml:"AssumedRoleId"`
	}
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
}

func (r *Realm) assume(rw http.ResponseWriter, q *http.Request, now time.Time, refuse func(int, string, string)) {
	arn := q.Form.Get("RoleArn")
	r.mu.Lock()
	r.assumed[arn]++
	hook, n := r.fault, r.assumed[arn]
	wanted, exists := r.roles[arn]
	world := r.worlds[accountIn(arn)]
	r.mu.Unlock()
	r.head(rw, now)
	if hook != nil {
		if fault := hook(arn, n); fault != nil {
			fault(rw, q)
			return
		}
	}
	actions, err := actionsOf(q.Form.Get("Policy"))
	switch {
	case err != nil:
		refuse(http.StatusBadRequest, "MalformedPolicyDocument", err.Error())
		return
	case len(q.Form.Get("Policy")) > 2048:
		refuse(http.StatusBadRequest, "ValidationError", "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048")
		return
	case !exists, world == nil, wanted != "" && q.Form.Get("ExternalId") != wanted:
		refuse(http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", r.home.arnOfCaller(), arn))
		return
	}
	var result assumeRoleResult
	name := arn[strings.LastIndex(arn, "/")+1:]
	result.AssumedRoleUser.ARN = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", world.options.Partition, world.options.AccountID, name, q.Form.Get("RoleSessionName"))
	result.AssumedRoleUser.ID = "AROASIMULATEDROLE234:" + q.Form.Get("RoleSessionName")
	r.mu.Lock()
	r.made++
	key := fmt.Sprintf("ASIASESSION%09d", r.made)
	r.sessions[key] = roleSession{world, result.AssumedRoleUser.ARN, actions, now.Add(sessionLength)}
	r.mu.Unlock()
	result.Credentials.AccessKeyID, result.Credentials.SecretAccessKey, result.Credentials.SessionToken = key, "simulated", "simulated"
	result.Credentials.Expiration = timestamp(now.Add(sessionLength))
	writeResult(rw, q, "AssumeRole", result)
}

func (w *World) roleARN(name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", w.options.Partition, w.options.AccountID, name)
}

// accountIn returns the account in an ARN; empty if it is none.
func accountIn(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}

// actionsOf returns what a session's policy allows; nil for everything.
func actionsOf(policy string) ([]string, error) {
	if policy == "" {
		return nil, nil
	}
	var document struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return nil, fmt.Errorf("the policy is no JSON of the expected form: %w", err)
	}
	actions := []string{}
	for _, s := range document.Statement {
		actions = append(actions, s.Action...)
	}
	return actions, nil
}
