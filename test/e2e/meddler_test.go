//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fault is something that goes wrong with one account.
type fault string

const (
	goneRole  fault = "its role is gone, and with it the role's sessions"
	impostor  fault = "its sessions are those of another account"
	scpDenial fault = "a service control policy denies ListUsers"
	silence   fault = "its calls are never answered"
)

// The account whose sessions an impostor hands out, and the role that leads there.
const (
	impostorsAccount = "111122223333"
	impostorsRole    = "arn:aws:iam::111122223333:role/legacy-audit"
	impostorsID      = "its_own+id@2"
)

// meddler stands before the simulator of AWS, and does to single accounts what the
// simulator cannot. It learns whose calls are whose from the sessions that it sees
// beginning.
type meddler struct {
	aws    environment // through the meddler
	to     *url.URL
	teller *teller // of the organization

	mu       sync.Mutex
	faults   map[string]fault  // by account id
	sessions map[string]string // the account that each key is meant for
	ended    map[string]bool   // keys that are good no more
	roles    []url.Values      // what was asked of AssumeRole
	secrets  []string          // of the sessions
	lured    map[string]bool   // operations that an impostor's sessions were used for
}

func newMeddler(t *testing.T, aws environment) *meddler {
	t.Helper()
	endpoint, err := url.Parse(aws.endpoint())
	if err != nil {
		t.Fatal(err)
	}
	m := &meddler{
		to: endpoint, teller: &teller{to: endpoint}, faults: map[string]fault{}, sessions: map[string]string{},
		ended: map[string]bool{}, lured: map[string]bool{},
	}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	m.aws = append(environment{"AWS_ENDPOINT_URL=" + server.URL}, aws[1:]...)
	return m
}

// meddle makes things go wrong, from now on. Sessions that a fault ends are
// refused even when it is over.
func (m *meddler) meddle(faults map[string]fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = faults
	for key, account := range m.sessions {
		if f := faults[account]; f == goneRole || f == impostor {
			m.ended[key] = true
		}
	}
}

var (
	accessKey  = regexp.MustCompile(`Credential=([^/]+)/`)
	newSession = regexp.MustCompile(`<(AccessKeyId|SecretAccessKey|SessionToken)>([^<]+)</`)
	roleARN    = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):role/`)
)

// call is a request to AWS.
type call struct {
	form    url.Values
	key     string
	account string // that it is meant for; empty if it has no session
	fault   fault  // of the account
	ended   bool   // the session has
}

func (m *meddler) look(r *http.Request) (call, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return call{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return call{}, err
	}
	c := call{form: form}
	if found := accessKey.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
		c.key = found[1]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c.account, c.ended = m.sessions[c.key], m.ended[c.key]
	if role := roleARN.FindStringSubmatch(form.Get("RoleArn")); role != nil {
		c.account = role[1]
		m.roles = append(m.roles, form)
	}
	c.fault = m.faults[c.account]
	if c.fault == impostor && !c.assumes() && !c.ended {
		m.lured[c.action()] = true
	}
	return c, nil
}

func (c *call) action() string { return c.form.Get("Action") }
func (c *call) assumes() bool  { return c.action() == "AssumeRole" }

// ServeHTTP implements http.Handler.
func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get(targetHeader), organizationsTarget) {
		m.teller.ServeHTTP(w, r)
		return
	}
	c, err := m.look(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case c.ended && c.fault == goneRole:
		refuse(w, "InvalidClientTokenId", "The security token included in the request is invalid.")
	case c.ended:
		refuse(w, "ExpiredToken", "The security token included in the request is expired")
	case c.fault == goneRole && c.assumes():
		deny(w, "arn:aws:sts::123456789012:assumed-role/initial/aws_iam_exporter", "sts:AssumeRole", c.form.Get("RoleArn"), "")
	case c.fault == scpDenial && c.action() == "ListUsers":
		deny(w, "arn:aws:sts::"+c.account+":assumed-role/aws-iam-exporter/aws_iam_exporter", "iam:ListUsers",
			"arn:aws:iam::"+c.account+":user/", scpSentence)
	case c.fault == silence && !c.assumes():
		<-r.Context().Done()
	default:
		m.pass(w, r, c)
	}
}

// scpSentence is how AWS ends the message of a denial by a service control policy.
const scpSentence = "with an explicit deny in a service control policy"

// deny answers as AWS does to those who lack a permission.
func deny(w http.ResponseWriter, caller, action, resource, why string) {
	refuse(w, "AccessDenied", strings.TrimSpace(fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", caller, action, resource, why)))
}

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, message)
}

// pass asks the simulator. For an impostor it has a session begun in another
// account, and says that it is one in the account that was asked for.
func (m *meddler) pass(w http.ResponseWriter, r *http.Request, c call) {
	lies := c.fault == impostor && c.assumes()
	if lies {
		c.form.Set("RoleArn", impostorsRole)
		c.form.Set("ExternalId", impostorsID)
		c.form.Del("Policy") // it would keep the session from telling anything
	}
	status, body, err := m.ask(r, c.form)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if lies {
		body = bytes.ReplaceAll(body, []byte(impostorsAccount), []byte(c.account))
	}
	if c.assumes() {
		m.noteSession(c.account, body)
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails if the exporter has ended
}

func (m *meddler) ask(r *http.Request, form url.Values) (int, []byte, error) {
	again := r.Clone(r.Context())
	again.URL.Scheme, again.URL.Host, again.RequestURI = m.to.Scheme, m.to.Host, ""
	text := form.Encode()
	again.Body, again.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	response, err := http.DefaultTransport.RoundTrip(again)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (m *meddler) noteSession(account string, answer []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, found := range newSession.FindAllSubmatch(answer, -1) {
		if text := string(found[2]); string(found[1]) == "AccessKeyId" {
			m.sessions[text] = account
		} else {
			m.secrets = append(m.secrets, text)
		}
	}
}

// assumed returns what was asked of AssumeRole, once for each role.
func (m *meddler) assumed() map[string]url.Values {
	m.mu.Lock()
	defer m.mu.Unlock()
	byRole := map[string]url.Values{}
	for _, form := range m.roles {
		byRole[form.Get("RoleArn")] = form
	}
	return byRole
}

// handedOut returns the secrets of the sessions so far.
func (m *meddler) handedOut() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.secrets)
}

// luredInto returns what was done in the account that an impostor leads to.
func (m *meddler) luredInto() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var operations []string
	for operation := range m.lured {
		operations = append(operations, operation)
	}
	return operations
}
