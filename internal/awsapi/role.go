package awsapi

import (
	"fmt"
	"log/slog"
)

// Role is a role in an account, which its credentials are got by.
type Role struct {
	Name       string // with its path, but without the first slash: audit/aws-iam-exporter
	ExternalID Secret // what the role's trust policy asks for; empty for none
}

// ARN returns the role's name among all roles.
func (r Role) ARN(partition, accountID string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partition, accountID, r.Name)
}

// Sessions say how roles are assumed.
type Sessions struct {
	InitialRole    string // the ARN of a role to assume before the accounts' own; empty for none
	Name           string // of every session, as CloudTrail shows it
	SourceIdentity string // to send with every call; empty for none, which needs no permission
}

// Secret is a text that no log, page or error shows.
type Secret string

// hidden stands for a secret.
const hidden = "(hidden)"

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
