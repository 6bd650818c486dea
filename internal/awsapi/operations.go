// Package awsapi is the gate to AWS: the table of the operations that may be
// called, the guard that enforces it, the pacing of requests, and the classes
// of what can go wrong.
package awsapi

import (
	"slices"
	"strings"
)

// Source names where the facts about users and keys come from.
type Source string

// The sources.
const (
	SourceAuto   Source = "auto"   // keys live, the rest from the credential report where it can be
	SourceReport Source = "report" // the credential report alone
	SourceLive   Source = "live"   // live calls alone
)

// Sources lists every source, the default first.
func Sources() []Source { return []Source{SourceAuto, SourceReport, SourceLive} }

// TagSource names where the users' tags come from.
type TagSource string

// The sources of tags.
const (
	NoTags                       TagSource = ""                               // nobody needs them
	TagsFromAuthorizationDetails TagSource = "GetAccountAuthorizationDetails" // a few calls, which also hand over inline policies
	TagsFromListUserTags         TagSource = "ListUserTags"                   // one call for each user
)

// TagSources lists every source of tags, the default first.
func TagSources() []TagSource {
	return []TagSource{TagsFromAuthorizationDetails, TagsFromListUserTags}
}

// Needs are the settings that decide which operations are needed.
type Needs struct {
	Source Source
	Tags   TagSource
	Named  bool // the configuration gives the account a name, so that its alias is not asked for
}

// The ids of the services called, as the AWS SDK spells them.
const (
	ServiceIAM = "IAM"
	ServiceSTS = "STS"
)

// Operation is one operation of AWS that the exporter may call.
type Operation struct {
	Service string // the SDK's id of the service
	Name    string
	// OnUsers tells that a policy statement for the operation can be narrowed
	// to user ARNs; the others know no resource but "*".
	OnUsers bool
	// Free tells that AWS lets every caller use the operation, so that no
	// policy needs to allow it.
	Free bool
	// Roles tells that the operation is needed for accounts with roles to assume,
	// by whoever assumes them; the accounts themselves need it for nothing.
	Roles bool
	// Sources lists the values of --iam.source that need the operation.
	Sources []Source
	// Tags is the value of tags_from that the operation serves; it is not
	// needed otherwise.
	Tags TagSource
	// Naming tells that the operation serves only to name the account. It is not
	// needed for one that has a name.
	Naming bool
	// Why says in a few words what the operation is called for.
	Why string
}

// Action returns the operation's name in IAM policies.
func (o Operation) Action() string { return strings.ToLower(o.Service) + ":" + o.Name }

// Operations returns the table of every operation that may be called. All of
// them read; the guard refuses whatever is not listed. Which actions know user
// resources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func Operations() []Operation {
	all := Sources()
	live := []Source{SourceAuto, SourceLive}
	report := []Source{SourceAuto, SourceReport}
	return []Operation{
		{Service: ServiceSTS, Name: "GetCallerIdentity", Free: true, Sources: all, Why: "the account's id and partition"},
		{Service: ServiceSTS, Name: operationAssumeRole, Roles: true, Sources: all, Why: "credentials of the other accounts, each hour"},
		{Service: ServiceIAM, Name: "ListAccountAliases", Sources: all, Naming: true, Why: "the account's alias, to show as its name"},
		{Service: ServiceIAM, Name: "ListUsers", Sources: live, Why: "which users exist"},
		{Service: ServiceIAM, Name: "ListAccessKeys", OnUsers: true, Sources: live, Why: "a user's keys: id, status, creation"},
		{Service: ServiceIAM, Name: "GenerateCredentialReport", Sources: report, Why: "have AWS make a report, at most every four hours"},
		{Service: ServiceIAM, Name: "GetCredentialReport", Sources: report, Why: "passwords, MFA, key use, root"},
		{Service: ServiceIAM, Name: "GetAccessKeyLastUsed", OnUsers: true, Sources: live, Why: "key use that no report tells"},
		{Service: ServiceIAM, Name: "GetLoginProfile", OnUsers: true, Sources: live, Why: "passwords that no report tells"},
		{Service: ServiceIAM, Name: "ListMFADevices", OnUsers: true, Sources: live, Why: "MFA devices that no report tells"},
		{Service: ServiceIAM, Name: "GetAccountSummary", Sources: live, Why: "root, where no report tells"},
		{Service: ServiceIAM, Name: string(TagsFromAuthorizationDetails), Sources: all, Tags: TagsFromAuthorizationDetails, Why: "the users' tags, of everybody at once"},
		{Service: ServiceIAM, Name: string(TagsFromListUserTags), OnUsers: true, Sources: all, Tags: TagsFromListUserTags, Why: "a user's tags"},
	}
}

// OperationsFor returns the operations that are needed.
func OperationsFor(needs Needs) []Operation {
	return slices.DeleteFunc(Operations(), func(o Operation) bool { return !o.neededBy(needs) })
}

func (o Operation) neededBy(needs Needs) bool {
	return !o.Roles && slices.Contains(o.Sources, needs.Source) && (o.Tags == NoTags || o.Tags == needs.Tags) && (!o.Naming || !needs.Named)
}
