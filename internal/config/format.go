package config

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// format is the configuration file. It and the types below are the only
// description of it: the decoder, the JSON schema and the table of fields in
// docs/configuration.md follow them. A field without omitempty is required.
type format struct {
	Policy          policySection `json:"policy,omitempty" jsonschema:"The limits that keys and passwords are judged by."`
	OwnerTags       []tagKey      `json:"owner_tags,omitempty" jsonschema:"The tags that name a user's owner. The first that the user has, with a value, counts."`
	UserTags        []tagKey      `json:"user_tags,omitempty" jsonschema:"The tags to serve as labels, tag_ and the key, with _ in place of each character that a label's name cannot hold."`
	KeyDescriptions bool          `json:"key_descriptions,omitempty" jsonschema:"Serve the descriptions of access keys, which AWS keeps in user tags named by the key's id."`
	TagsFrom        tagSource     `json:"tags_from,omitempty" jsonschema:"How to read the users' tags, if anything here needs them. The default is GetAccountAuthorizationDetails."`
	Exemptions      []exemption   `json:"exemptions,omitempty" jsonschema:"Who is excused from which rules, why and until when."`
	ExemptionTag    tagKey        `json:"exemption_tag,omitempty" jsonschema:"The user tag that may hold an exemption. Anybody who can tag a user can then exempt that user. Without it, tags exempt nobody."`
	Users           users         `json:"users,omitempty" jsonschema:"Which users have series of their own. The others stay in the account's counts."`

	AccountDefaults accountDefaults `json:"account_defaults,omitempty" jsonschema:"How the accounts are read, where nothing else is said of one."`
	AccountTags     []tagKey        `json:"account_tags,omitempty" jsonschema:"The tags of accounts to serve as labels of aws_iam_account_info, as user_tags are."`
	Accounts        accountList     `json:"accounts,omitempty" jsonschema:"The accounts to watch. Without it and without organization, the account of the exporter's own credentials alone."`

	Organization organizationSection `json:"organization,omitempty" jsonschema:"Instead of accounts: watch all accounts of the organization that the exporter's credentials, or its initial_role, belong to."`
}

type policySection struct {
	Defaults limits  `json:"defaults,omitempty" jsonschema:"The limits of users that no class matches, and of classes that set none. What is not set here comes from the flags."`
	Classes  []class `json:"classes,omitempty" jsonschema:"Classes of users with limits of their own. The first that matches counts."`
}

type limits struct {
	MaxKeyAge       *duration `json:"max_key_age,omitempty" jsonschema:"How old an active key may become; more than 0."`
	RotationWarning *duration `json:"rotation_warning,omitempty" jsonschema:"How long before max_key_age a rotation counts as due; less than max_key_age."`
	MaxKeyIdle      *duration `json:"max_key_idle,omitempty" jsonschema:"How long an active key may go unused; more than 0."`
	MaxPasswordIdle *duration `json:"max_password_idle,omitempty" jsonschema:"How long a password may go unused; more than 0."`
	RotationOverlap *duration `json:"rotation_overlap,omitempty" jsonschema:"How long a user may have two active keys, to rotate one; 0 for never."`
	SetupWindow     *duration `json:"setup_window,omitempty" jsonschema:"A key created this soon after its user counts as made at user setup."`
}

type class struct {
	Name  className `json:"name" jsonschema:"The name of the class, as metrics show it; unique."`
	Match match     `json:"match" jsonschema:"Which users the class is for. All conditions must hold."`
	limits
}

// match is what classes match by. The account's name is not among the conditions of
// users, where a change of it would hide somebody.
type match struct {
	conditions
	AccountName nameGlob `json:"account_name,omitempty" jsonschema:"The whole name of the user's account, as accounts or the organization gives it; never its alias. * stands for any number of characters, ? for one."`
}

type conditions struct {
	UserName       userGlob      `json:"user_name,omitempty" jsonschema:"The user's whole name. * stands for any number of characters, ? for one."`
	UserNameRegexp expression    `json:"user_name_regexp,omitempty" jsonschema:"The same as a regular expression, anchored at both ends; instead of user_name."`
	Path           pathGlob      `json:"path,omitempty" jsonschema:"The user's whole path. * stands for any number of characters, slashes included, ? for one."`
	Tags           tagConditions `json:"tags,omitempty" jsonschema:"Tags that the user must have, each with a glob for its whole value. Keys match in any case."`
	ConsoleAccess  *bool         `json:"console_access,omitempty" jsonschema:"Whether the user has a password."`
	AccountID      accountID     `json:"account_id,omitempty" jsonschema:"The user's account."`
	AccountTags    tagConditions `json:"account_tags,omitempty" jsonschema:"Tags that the user's account must have, as tags are those of the user."`
	AccountOU      unit          `json:"account_ou,omitempty" jsonschema:"The organizational unit that the user's account is in, or the root, however deep below it."`
}

type exemption struct {
	User    userName `json:"user" jsonschema:"The user's exact name; <root_account> for root, which only the rules about root judge."`
	Account idAlone  `json:"account,omitempty" jsonschema:"The user's account. Without it, every account."`
	Rules   ruleList `json:"rules" jsonschema:"The rules that the user is excused from."`
	Reason  reason   `json:"reason" jsonschema:"Why, in words for people."`
	Until   date     `json:"until" jsonschema:"The last day of the exemption, in UTC."`
}

type users struct {
	Include inclusions   `json:"include,omitempty" jsonschema:"Only users that match one of these. Without it, all users."`
	Exclude []conditions `json:"exclude,omitempty" jsonschema:"No users that match one of these, even if included."`
}

type (
	ruleList      []rule
	inclusions    []conditions
	tagConditions map[tagKey]valueGlob
)

// filled is a list or mapping that must not be empty.
type filled interface {
	atLeast() string // what it must hold
}

func (ruleList) atLeast() string { return "at least one rule" }
func (inclusions) atLeast() string {
	return "at least one mapping of conditions, or no include at all"
}
func (conditions) atLeast() string    { return "at least one condition" }
func (tagConditions) atLeast() string { return "at least one tag" }
func (accountList) atLeast() string   { return "at least one account, or no accounts at all" }

// lacking is a mapping that says of fields that somebody may look for in it what to
// do instead.
type lacking interface{ instead() map[string]string }

func (conditions) instead() map[string]string {
	return map[string]string{"account_name": "account_id, account_ou or account_tags, since the account's own administrators may change its name, and that must hide nobody"}
}

// instead undoes that of the conditions.
func (match) instead() map[string]string { return nil }

func (exemption) instead() map[string]string {
	return map[string]string{"account_name": "account, an id, since the account's own administrators may change its name, and that must exempt nobody"}
}

// scalar is a value that the file holds as one text.
type scalar interface {
	want() string         // what is expected
	set(text string) bool // takes it, or reports false
}

// unquoted is a scalar that YAML may resolve as a number or a date. Its text
// counts as written, with or without quotes.
type unquoted interface {
	scalar
	unquoted()
}

// How many characters the key and the value of a tag can have.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

// The patterns of scalars, which the JSON schema shows too. What user names and
// paths can hold: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
var (
	classNames = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)
	userNames  = regexp.MustCompile(`^([A-Za-z0-9_+=,.@-]{1,64}|<root_account>)$`)
	userGlobs  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@*?-]{1,128}$`)
	pathGlobs  = regexp.MustCompile(`^[/*]([!-~]{0,510}[/*?])?$`)
	accountIDs = regexp.MustCompile(`^[0-9]{12}$`)
)

// take sets a text if it matches the pattern.
func take[T ~string](target *T, text string, pattern *regexp.Regexp) bool {
	*target = T(text)
	return pattern.MatchString(text)
}

type duration time.Duration

func (*duration) unquoted() {}

func (*duration) want() string { return "a duration such as 30s, 5m, 12h or 90d" }

func (d *duration) set(text string) bool {
	parsed, err := model.ParseDuration(text)
	*d = duration(parsed)
	return err == nil
}

// or returns the duration, or the inherited one if it is not set.
func (d *duration) or(inherited time.Duration) time.Duration {
	if d == nil {
		return inherited
	}
	return time.Duration(*d)
}

// over returns the limits, and the inherited ones where none are set.
func (l limits) over(inherited policy.Limits) policy.Limits {
	return policy.Limits{
		MaxKeyAge:       l.MaxKeyAge.or(inherited.MaxKeyAge),
		RotationWarning: l.RotationWarning.or(inherited.RotationWarning),
		MaxKeyIdle:      l.MaxKeyIdle.or(inherited.MaxKeyIdle),
		MaxPasswordIdle: l.MaxPasswordIdle.or(inherited.MaxPasswordIdle),
		RotationOverlap: l.RotationOverlap.or(inherited.RotationOverlap),
		SetupWindow:     l.SetupWindow.or(inherited.SetupWindow),
	}
}

// date is the end of an exemption; the file names the last day.
type date time.Time

func (*date) unquoted() {}

func (*date) want() string { return "a date such as 2026-12-31" }

func (d *date) set(text string) bool {
	end, err := policy.EndOf(text)
	*d = date(end)
	return err == nil
}

type accountID string

func (*accountID) unquoted() {}

func (*accountID) want() string { return "the 12 digits of an account's id" }

func (id *accountID) set(text string) bool { return take(id, text, accountIDs) }

// idAlone is an account's id where somebody might write its name.
type idAlone accountID

func (*idAlone) unquoted() {}

func (*idAlone) want() string {
	return "the 12 digits of an account's id; a name will not do, since the account's own administrators may change it"
}

func (id *idAlone) set(text string) bool { return take(id, text, accountIDs) }

type className string

func (*className) want() string {
	return "a name of at most 128 letters, digits, _, . and -, other than " + policy.DefaultClass + " and " + policy.UnknownClass
}

func (n *className) set(text string) bool {
	return take(n, text, classNames) && text != policy.DefaultClass && text != policy.UnknownClass
}

type userName string

func (*userName) want() string {
	return "the exact name of an IAM user, or " + policy.RootUserName
}

func (n *userName) set(text string) bool { return take(n, text, userNames) }

type userGlob string

func (*userGlob) want() string {
	return "a glob such as ci-*, of at most 128 characters that user names can hold: letters, digits and _+=,.@-"
}

func (g *userGlob) set(text string) bool { return take(g, text, userGlobs) }

type pathGlob string

func (*pathGlob) want() string {
	return "a glob such as /robots/*, of at most 512 characters, which begins and ends as paths do: with / or a wildcard"
}

func (g *pathGlob) set(text string) bool { return take(g, text, pathGlobs) }

type valueGlob string

func (*valueGlob) want() string { return "a glob such as prod-*, of at most 256 characters" }

func (g *valueGlob) set(text string) bool {
	*g = valueGlob(text)
	return utf8.RuneCountInString(text) <= maxTagValue // it may be empty, as values of tags may
}

// expression is a regular expression. It is compiled later, where an error can say
// what is wrong with it.
type expression string

func (*expression) want() string { return "a regular expression in Go's syntax" }

func (e *expression) set(text string) bool {
	*e = expression(text)
	return text != ""
}

type reason string

func (*reason) want() string { return "a reason in words" }

func (r *reason) set(text string) bool {
	*r = reason(strings.TrimSpace(text)) // a block of text ends with a line break
	return *r != ""
}

type tagKey string

func (*tagKey) want() string { return "the key of a tag, 1 to 128 characters" }

func (k *tagKey) set(text string) bool {
	*k = tagKey(text)
	return text != "" && utf8.RuneCountInString(text) <= maxTagKey
}

type rule policy.Rule

func (*rule) want() string { return "one of " + inventory.Listed(policy.Rules()) }

func (r *rule) set(text string) bool {
	*r = rule(text)
	return slices.Contains(policy.Rules(), policy.Rule(text))
}

type tagSource awsapi.TagSource

func (*tagSource) want() string { return "one of " + inventory.Listed(awsapi.TagSources()) }

func (s *tagSource) set(text string) bool {
	*s = tagSource(text)
	return slices.Contains(awsapi.TagSources(), awsapi.TagSource(text))
}
