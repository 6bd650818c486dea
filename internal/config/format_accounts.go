package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

type accountDefaults struct {
	Role       roleName   `json:"role,omitempty" jsonschema:"The role to assume in each account."`
	ExternalID externalID `json:"external_id,omitempty" jsonschema:"What the roles' trust policies ask for. It is shown nowhere."`
	reading
	InitialRole    roleARN     `json:"initial_role,omitempty" jsonschema:"A role to assume before the accounts' own."`
	SessionName    sessionName `json:"session_name,omitempty" jsonschema:"The name of the sessions, as CloudTrail shows it. The default is aws_iam_exporter."`
	SourceIdentity sessionName `json:"source_identity,omitempty" jsonschema:"The source identity of the sessions. Trust policies must allow sts:SetSourceIdentity if it is set."`
}

// reading says how an account is read.
type reading struct {
	Source          source    `json:"source,omitempty" jsonschema:"Where facts come from; else --iam.source."`
	RefreshInterval *duration `json:"refresh_interval,omitempty" jsonschema:"How often to list the users, 1s or more; else --iam.refresh-interval."`
	KeysInterval    *duration `json:"keys_interval,omitempty" jsonschema:"How often to read each user's keys, refresh_interval or more; else --iam.keys-interval, or refresh_interval if that is longer."`
}

type accountList []account

type account struct {
	ID         accountID    `json:"id" jsonschema:"The account's id; unique."`
	Name       accountName  `json:"name,omitempty" jsonschema:"What to call the account."`
	Role       *accountRole `json:"role,omitempty" jsonschema:"The role to assume in the account; else that of account_defaults. null for the account of the exporter's own credentials, which one account can be."`
	ExternalID externalID   `json:"external_id,omitempty" jsonschema:"What the role's trust policy asks for; else that of account_defaults. It is shown nowhere."`
	reading
	TagsFrom tagSource   `json:"tags_from,omitempty" jsonschema:"How to read the tags of the account's users; else tags_from at the top."`
	Tags     accountTags `json:"tags,omitempty" jsonschema:"The account's tags, all of them, at most 50; for owner_tags, account_tags and classes. Those of an organization's account count in place of what AWS tells."`
}

type accountTags map[tagKey]tagValue

func (accountDefaults) instead() map[string]string {
	return map[string]string{"tags_from": "it at the top of the file, or in an account"}
}

func (account) instead() map[string]string {
	const forAll = "it in account_defaults, since it is the same for all accounts"
	return map[string]string{"initial_role": forAll, "session_name": forAll, "source_identity": forAll}
}

// nullable is a scalar that can be null instead, which leaves it empty.
type nullable interface {
	scalar
	nullable()
}

// secret is a scalar that no error may show, be it good or bad.
type secret interface {
	scalar
	secret()
}

const (
	maxAccountTags = 50   // AWS allows no more
	maxExternalID  = 1224 // characters
	maxRolePath    = 512  // characters, the slashes at both ends included
)

// The patterns of roles and sessions. What paths and names of roles can hold:
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html. Paths with an
// asterisk, a question mark or a dollar sign are refused, which policies take for
// patterns, and those with a colon, which may be ARNs of something else. What a session
// and an external id can hold:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	rolePattern    = "([!\"#%&'()+,.0-9;<=>@A-Z\\[\\\\\\]^_`a-z{|}~-]+/)*[A-Za-z0-9_+=,.@-]{1,64}"
	roleARNPattern = `arn:(aws(?:-[a-z]+)*):iam::([0-9]{12}):role/(` + rolePattern + `)`
)

var (
	roleNames    = regexp.MustCompile(`^/?` + rolePattern + `$`)
	roleARNs     = regexp.MustCompile(`^` + roleARNPattern + `$`)
	accountRoles = regexp.MustCompile(`^(/?` + rolePattern + `|` + roleARNPattern + `)$`)
	externalIDs  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,}$`)
	sessionNames = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)
	accountNames = regexp.MustCompile(`^[^\x00-\x1f\x7f-\x9f]{1,50}$`)
)

// partsOf returns the parts of a role's ARN.
func partsOf(arn string) (partition, accountID, name string) {
	parts := roleARNs.FindStringSubmatch(arn)
	return parts[1], parts[2], parts[3]
}

// hasRolePath reports whether the path of a role's name is as long as AWS allows.
func hasRolePath(name string) bool {
	return len("/")+strings.LastIndex(strings.TrimPrefix(name, "/"), "/")+len("/") <= maxRolePath
}

const rolesName = "the name of a role, with its path, such as audit/aws-iam-exporter"

// roleName is the name of a role that every account has.
type roleName string

func (*roleName) want() string { return rolesName + "; no ARN, which is of one account" }

func (r *roleName) set(text string) bool { return take(r, text, roleNames) && hasRolePath(text) }

type roleARN string

func (*roleARN) want() string {
	return "the ARN of a role, such as arn:aws:iam::111122223333:role/audit/aws-iam-exporter"
}

func (r *roleARN) set(text string) bool {
	if !take(r, text, roleARNs) {
		return false
	}
	_, _, name := partsOf(text)
	return hasRolePath(name)
}

// IsRoleName reports whether a role can have the name, with its path.
func IsRoleName(text string) bool { return new(roleName).set(text) }

// PartitionOfRole returns the partition in the ARN of a role; false if it is no ARN of a
// role.
func PartitionOfRole(arn string) (partition string, isRole bool) {
	if !new(roleARN).set(arn) {
		return "", false
	}
	partition, _, _ = partsOf(arn)
	return partition, true
}

// accountRole is the name or the ARN of a role; empty for the exporter's own
// credentials.
type accountRole string

func (*accountRole) nullable() {}

func (*accountRole) want() string {
	return rolesName + ", or its ARN, or null for the account of the exporter's own credentials"
}

func (r *accountRole) set(text string) bool {
	*r = accountRole(text)
	return new(roleName).set(text) || new(roleARN).set(text)
}

type externalID string

func (*externalID) secret() {}

func (*externalID) want() string { return "an external id: 2 to 1224 letters, digits and _+=,.@:/-" }

func (id *externalID) set(text string) bool {
	return take(id, text, externalIDs) && len(text) <= maxExternalID
}

type sessionName string

func (*sessionName) want() string { return "2 to 64 letters, digits and _+=,.@-" }

func (n *sessionName) set(text string) bool { return take(n, text, sessionNames) }

type accountName string

func (*accountName) want() string { return "a name of 1 to 50 characters, without control characters" }

func (n *accountName) set(text string) bool { return take(n, text, accountNames) }

type nameGlob string

func (*nameGlob) want() string {
	return "a glob such as prod-*, of 1 to 50 characters, without control characters"
}

func (g *nameGlob) set(text string) bool { return take(g, text, accountNames) }

type tagValue string

func (*tagValue) want() string { return "the value of a tag, at most 256 characters" }

func (v *tagValue) set(text string) bool {
	*v = tagValue(text)
	return utf8.RuneCountInString(text) <= maxTagValue
}

type source awsapi.Source

func (*source) want() string { return "one of " + inventory.Listed(awsapi.Sources()) }

func (s *source) set(text string) bool {
	*s = source(text)
	return slices.Contains(awsapi.Sources(), awsapi.Source(text))
}
