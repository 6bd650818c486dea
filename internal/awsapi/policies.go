package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// How many characters AWS takes. Blanks do not count in a managed policy; session
// policies of these functions have none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	MaxManagedPolicy = 6144
	MaxSessionPolicy = 2048
)

const (
	actionAssumeRole = "sts:AssumeRole"
	// actionSetSourceIdentity is needed beside it if sessions have a source identity.
	actionSetSourceIdentity = "sts:SetSourceIdentity"
)

// PolicyDocument is a policy in IAM's language.
type PolicyDocument struct {
	Version   string
	Statement []policyStatement
}

type policyStatement struct {
	Sid       string
	Effect    string
	Principal map[string]string `json:",omitempty"` // in trust policies alone
	Action    []string
	Resource  any                          `json:",omitempty"` // a string, or several; none in trust policies
	Condition map[string]map[string]string `json:",omitempty"`
}

// Reading returns the least policy under which all of the needs are met. The
// partition and the account id narrow the user resources; "*" as account leaves
// the account open.
func Reading(partition, accountID string, needs ...Needs) PolicyDocument {
	account := policyStatement{Sid: "ReadAccount", Effect: "Allow", Resource: "*"}
	users := policyStatement{
		Sid: "ReadUsers", Effect: "Allow",
		Resource: fmt.Sprintf("arn:%s:iam::%s:user/*", partition, accountID),
	}
	for _, o := range Operations() {
		switch {
		case o.Free || !slices.ContainsFunc(needs, o.neededBy):
		case o.OnUsers:
			users.Action = append(users.Action, o.Action())
		default:
			account.Action = append(account.Action, o.Action())
		}
	}
	var statements []policyStatement
	for _, s := range []policyStatement{account, users} {
		if len(s.Action) > 0 {
			slices.Sort(s.Action)
			statements = append(statements, s)
		}
	}
	return document(statements...)
}

// Assuming returns the policy under which the roles of these ARNs are assumed.
func Assuming(sessions Sessions, arns []string) PolicyDocument {
	s := policyStatement{Sid: "AssumeRoles", Effect: "Allow", Action: []string{actionAssumeRole}}
	if sessions.SourceIdentity != "" {
		s.Action = append(s.Action, actionSetSourceIdentity)
	}
	s.Resource = slices.Compact(slices.Sorted(slices.Values(arns)))
	return document(s)
}

// AssumingAnywhere is Assuming for the roles of these names, in any account.
func AssumingAnywhere(sessions Sessions, partition string, names []string) PolicyDocument {
	arns := make([]string, 0, len(names))
	for _, name := range names {
		arns = append(arns, Role{Name: name}.ARN(partition, "*"))
	}
	return Assuming(sessions, arns)
}

// Trust says whom a role trusts.
type Trust struct {
	HubRole        string // the ARN of the role that may assume it
	OrganizationID string // that the hub's account has to belong to; empty for any
	ExternalID     Secret // that has to be told; empty for none
	Sessions       Sessions
}

// Document returns the role's trust policy. It is the only one that shows the
// external id.
func (t Trust) Document() PolicyDocument {
	assume := policyStatement{
		Sid: "AssumedByHub", Effect: "Allow", Principal: map[string]string{"AWS": t.HubRole},
		Action: []string{actionAssumeRole},
	}
	conditions := map[string]string{}
	if t.OrganizationID != "" {
		conditions["aws:PrincipalOrgID"] = t.OrganizationID
	}
	identity := assume
	identity.Condition = equal(conditions, "sts:SourceIdentity", t.Sessions.SourceIdentity)
	assume.Condition = equal(conditions, "sts:ExternalId", string(t.ExternalID))
	if t.Sessions.SourceIdentity == "" {
		return document(assume)
	}
	// A statement of its own: SetSourceIdentity knows nothing of external ids, so
	// that a condition on them would refuse it.
	identity.Sid, identity.Action = "SourceIdentity", []string{actionSetSourceIdentity}
	return document(assume, identity)
}

// equal returns the conditions, and one more unless its value is empty.
func equal(conditions map[string]string, key, value string) map[string]map[string]string {
	all := maps.Clone(conditions)
	if value != "" {
		all[key] = value
	}
	if len(all) == 0 {
		return nil
	}
	return map[string]map[string]string{"StringEquals": all}
}

func document(statements ...policyStatement) PolicyDocument {
	return PolicyDocument{Version: "2012-10-17", Statement: statements}
}

// And returns a policy that allows what either does.
func (d PolicyDocument) And(other PolicyDocument) PolicyDocument {
	return document(slices.Concat(d.Statement, other.Statement)...)
}

// Only returns the part of the policy that is about the actions.
func (d PolicyDocument) Only(actions ...string) PolicyDocument {
	var statements []policyStatement
	for _, s := range d.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return !slices.Contains(actions, a) })
		if len(s.Action) > 0 {
			statements = append(statements, s)
		}
	}
	return document(statements...)
}

// Empty reports whether the policy allows nothing.
func (d PolicyDocument) Empty() bool { return len(d.Statement) == 0 }

// JSON returns the policy for people's eyes.
func (d PolicyDocument) JSON() ([]byte, error) { return d.encode("  ") }

// Minified returns the policy as short as it goes.
func (d PolicyDocument) Minified() (string, error) {
	out, err := d.encode("")
	return strings.TrimSuffix(string(out), "\n"), err
}

func (d PolicyDocument) encode(indent string) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // a path can have an ampersand, and AWS counts characters
	encoder.SetIndent("", indent)
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("encode IAM policy: %w", err)
	}
	return out.Bytes(), nil
}

// SessionPolicy returns the policy of Reading as short as it goes: with it, AssumeRole
// gives a session that can do no more, whatever the role is allowed.
func SessionPolicy(needs Needs, partition, accountID string) (string, error) {
	policy := Reading(partition, accountID, needs)
	if policy.Empty() {
		return "", fmt.Errorf("session policy for source %q: nothing to allow", needs.Source)
	}
	return policy.session()
}

// HubSessionPolicy returns the session policy of the initial role: it assumes the
// roles of these names, in any account, finds the accounts of its organization if
// there is a discovery, and does nothing else. Before the first discovery there may
// be no role yet. The roles' own policies decide where there are too many names for
// a session policy.
func HubSessionPolicy(sessions Sessions, partition string, roleNames []string, discovery *Discovery) (string, error) {
	with := func(names []string) PolicyDocument {
		var policy PolicyDocument
		if len(names) > 0 {
			policy = AssumingAnywhere(sessions, partition, names)
		}
		if discovery != nil {
			policy = policy.And(Discovering(*discovery))
		}
		return policy
	}
	policy := with(roleNames)
	if policy.Empty() {
		return "", errors.New("session policy of the initial role: no role to assume")
	}
	if out, err := policy.session(); err == nil {
		return out, nil
	}
	return with([]string{"*"}).session()
}

// Discovering returns the policy under which the accounts of an organization are
// found. None of the operations that list knows a resource but "*".
func Discovering(d Discovery) PolicyDocument {
	s := policyStatement{Sid: "ReadOrganization", Effect: "Allow", Resource: "*"}
	for _, o := range OperationsToDiscover(d) {
		s.Action = append(s.Action, o.Action())
	}
	slices.Sort(s.Action)
	return document(s)
}

// session returns a session policy, or says that AWS would not take it.
func (d PolicyDocument) session() (string, error) {
	out, err := d.Minified()
	if err == nil && len(out) > MaxSessionPolicy {
		return "", fmt.Errorf("session policy has %d characters, AWS takes %d", len(out), MaxSessionPolicy)
	}
	return out, err
}
