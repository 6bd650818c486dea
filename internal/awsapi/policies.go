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
// roles of these names, in any account, and does nothing else.
func HubSessionPolicy(sessions Sessions, partition string, roleNames []string) (string, error) {
	if len(roleNames) == 0 {
		return "", errors.New("session policy of the initial role: no role to assume")
	}
	names := slices.Compact(slices.Sorted(slices.Values(roleNames)))
	policy, err := short(assumingPolicy(sessions, rolesOfAnyAccount(partition, names)))
	if err == nil {
		return policy, nil
	}
	return short(assumingPolicy(sessions, rolesOfAnyAccount(partition, []string{"*"})))
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
