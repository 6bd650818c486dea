package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxSessionPolicy is how many characters AWS takes as a session policy.
const MaxSessionPolicy = 2048

// actionAssumeRole is what is allowed of those who assume a role, by their own
// policies and by the role's trust policy.
const actionAssumeRole = "sts:AssumeRole"

// actionSetSourceIdentity is needed beside it if the session has a source identity.
const actionSetSourceIdentity = "sts:SetSourceIdentity"

type policyDocument struct {
	Version   string
	Statement []policyStatement
}

type policyStatement struct {
	Sid      string
	Effect   string
	Action   []string
	Resource any // a string, or several
}

// Policy returns the least IAM policy, as JSON, under which the needs are met.
// The partition and the account id narrow the user resources; "*" as account
// leaves the account open.
func Policy(needs Needs, partition, accountID string) ([]byte, error) {
	return indented(readingPolicy(needs, partition, accountID))
}

// SessionPolicy returns the same policy as short as it goes: with it, AssumeRole
// asks for a session that can do no more, whatever the role is allowed.
func SessionPolicy(needs Needs, partition, accountID string) (string, error) {
	policy := readingPolicy(needs, partition, accountID)
	if len(policy.Statement) == 0 {
		return "", fmt.Errorf("session policy for source %q: nothing to allow", needs.Source)
	}
	return short(policy)
}

// HubSessionPolicy returns the session policy of the initial role: it assumes the
// roles of these names, in any account, finds the accounts of its organization if
// there is a discovery, and does nothing else. Before the first discovery there may
// be no role yet.
func HubSessionPolicy(sessions Sessions, partition string, roleNames []string, discovery *Discovery) (string, error) {
	var finding []policyStatement
	if discovery != nil {
		finding = []policyStatement{discoveringStatement(*discovery)}
	}
	if len(roleNames) == 0 {
		if discovery == nil {
			return "", errors.New("session policy of the initial role: no role to assume")
		}
		return short(policyDocument{Statement: finding})
	}
	with := func(names []string) policyDocument {
		policy := assumingPolicy(sessions, rolesOfAnyAccount(partition, names))
		policy.Statement = append(policy.Statement, finding...)
		return policy
	}
	policy, err := short(with(slices.Compact(slices.Sorted(slices.Values(roleNames)))))
	if err == nil {
		return policy, nil
	}
	return short(with([]string{"*"}))
}

// discoveringStatement allows to find the accounts of an organization. None of the
// operations that list knows a resource but "*".
func discoveringStatement(d Discovery) policyStatement {
	s := policyStatement{Sid: "ReadOrganization", Effect: "Allow", Resource: "*"}
	for _, o := range OperationsToDiscover(d) {
		s.Action = append(s.Action, o.Action())
	}
	slices.Sort(s.Action)
	return s
}

// readingPolicy allows what reading an account needs.
func readingPolicy(needs Needs, partition, accountID string) policyDocument {
	account := policyStatement{Sid: "ReadAccount", Effect: "Allow", Resource: "*"}
	users := policyStatement{
		Sid: "ReadUsers", Effect: "Allow",
		Resource: fmt.Sprintf("arn:%s:iam::%s:user/*", partition, accountID),
	}
	for _, o := range OperationsFor(needs) {
		switch {
		case o.Free:
		case o.OnUsers:
			users.Action = append(users.Action, o.Action())
		default:
			account.Action = append(account.Action, o.Action())
		}
	}
	var policy policyDocument
	for _, s := range []policyStatement{account, users} {
		if len(s.Action) > 0 {
			slices.Sort(s.Action)
			policy.Statement = append(policy.Statement, s)
		}
	}
	return policy
}

// assumingPolicy allows to assume the roles of these ARNs.
func assumingPolicy(sessions Sessions, roles []string) policyDocument {
	return policyDocument{Statement: []policyStatement{{
		Sid: "AssumeRoles", Effect: "Allow", Action: assumingActions(sessions), Resource: roles,
	}}}
}

func assumingActions(sessions Sessions) []string {
	if sessions.SourceIdentity == "" {
		return []string{actionAssumeRole}
	}
	return []string{actionAssumeRole, actionSetSourceIdentity}
}

func rolesOfAnyAccount(partition string, names []string) []string {
	arns := make([]string, 0, len(names))
	for _, name := range names {
		arns = append(arns, Role{Name: name}.ARN(partition, "*"))
	}
	return arns
}

// short encodes a session policy, or says that AWS would not take it.
func short(policy policyDocument) (string, error) {
	encoded, err := encode(policy, "")
	if err != nil {
		return "", err
	}
	out := strings.TrimSpace(string(encoded))
	if len(out) > MaxSessionPolicy {
		return "", fmt.Errorf("session policy has %d characters, AWS takes %d", len(out), MaxSessionPolicy)
	}
	return out, nil
}

// indented encodes a policy for people's eyes.
func indented(policy policyDocument) ([]byte, error) { return encode(policy, "  ") }

func encode(policy policyDocument, indent string) ([]byte, error) {
	policy.Version = "2012-10-17"
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // a path can have an ampersand, and AWS counts characters
	encoder.SetIndent("", indent)
	if err := encoder.Encode(policy); err != nil {
		return nil, fmt.Errorf("encode IAM policy: %w", err)
	}
	return out.Bytes(), nil
}
