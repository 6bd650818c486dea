package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/config"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/organization"
)

const (
	commandPolicy = "iam-policy"
	// defaultRole is assumed in each account where no file says otherwise.
	defaultRole = "aws-iam-exporter"
	// anyAccount stands for every account.
	anyAccount = "*"
)

// The values of --for: whose policy to print.
const (
	forAccount = "account" // who reads the account of its own
	forMember  = "member"  // the role in each account of a list or an organization
	forHub     = "hub"     // who assumes these roles, and finds the accounts of the organization
	forCaller  = "caller"  // who assumes the hub, if that is a role
)

// policyFlags are the flags of the command iam-policy.
type policyFlags struct {
	audience       string // a value of --for
	partition      string
	accountID      string // * for any
	trust          bool
	role           string
	hubRole        string
	organizationID string
}

func declarePolicy(app *kingpin.Application, s *settings) {
	print, f := app.Command(commandPolicy, "Print the least IAM policy that the exporter needs with the flags given, as JSON."), &s.iamPolicy
	choiceFlag(print, "for", "Whose policy to print: account, for credentials that read their own account; member, for the role in each account of a list or an organization; "+
		"hub, for whatever assumes these roles, and finds the accounts of the organization; caller, for the exporter's own credentials where the configuration file names an initial_role, which then is the hub.",
		&f.audience, forAccount, forMember, forHub, forCaller)
	print.Flag("partition", "The partition of the account: aws, aws-cn, aws-us-gov, …").Default("aws").StringVar(&f.partition)
	print.Flag("account-id", "Narrow the policy to users of this account.").Default(anyAccount).StringVar(&f.accountID)
	print.Flag("role", "With --for=hub: name, with its path, of the role in each account, where no configuration file lists accounts. Without it: "+defaultRole+".").
		PlaceHolder("NAME").StringVar(&f.role)
	boolFlag(print, "trust", "false", "With --for=member: print the role's trust policy instead. This alone shows the external id, if the configuration file sets one.", &f.trust)
	print.Flag("hub-role", "With --trust: ARN of the role that is trusted. Without it, the initial_role of the configuration file.").
		PlaceHolder("ARN").StringVar(&f.hubRole)
	print.Flag("organization-id", "With --trust: the organization that the trusted role has to belong to. Example: `o-a1b2c3d4e5`").
		PlaceHolder("ID").StringVar(&f.organizationID)
}

var partitionPattern = regexp.MustCompile(`^aws(-[a-z]+)*$`)

// validate refuses values whose policy AWS would refuse, or that would allow nothing,
// and flags that have nothing to say on the policy that is asked for.
func (p *policyFlags) validate() error {
	if p.accountID != anyAccount && !inventory.IsAccountID(p.accountID) {
		return fmt.Errorf("flag --account-id: got %q, want 12 digits, or * for any account", p.accountID)
	}
	if !partitionPattern.MatchString(p.partition) {
		return fmt.Errorf("flag --partition: got %q, want a partition such as aws, aws-cn or aws-us-gov", p.partition)
	}
	return cmp.Or(p.validateTogether(), p.validateValues())
}

// validateTogether refuses flags that do not go together.
func (p *policyFlags) validateTogether() error {
	for _, f := range []struct {
		name  string
		given bool
		works bool
		with  string
	}{
		{"account-id", p.accountID != anyAccount, p.audience == forAccount || p.audience == forMember, "--for=account or --for=member"},
		{"role", p.role != "", p.audience == forHub, "--for=hub"},
		{"trust", p.trust, p.audience == forMember, "--for=member"},
		{"hub-role", p.hubRole != "", p.trust, "--trust"},
		{"organization-id", p.organizationID != "", p.trust, "--trust"},
	} {
		if f.given && !f.works {
			return fmt.Errorf("flag --%s: got it without %s, which alone it is for", f.name, f.with)
		}
	}
	return nil
}

func (p *policyFlags) validateValues() error {
	if p.role != "" && !config.IsRoleName(p.role) {
		return fmt.Errorf("flag --role: got %q, want the name of a role, with its path if it has one, such as audit/%s", p.role, defaultRole)
	}
	if p.organizationID != "" && !organization.IsID(p.organizationID) {
		return fmt.Errorf("flag --organization-id: got %q, want an id such as o-a1b2c3d4e5", p.organizationID)
	}
	if p.hubRole == "" {
		return nil
	}
	itsPartition, isRole := config.PartitionOfRole(p.hubRole)
	if !isRole {
		return fmt.Errorf("flag --hub-role: got %q, want the ARN of a role, such as arn:aws:iam::111111111111:role/hub", p.hubRole)
	}
	return samePartition("--hub-role", itsPartition, p.partition)
}

func samePartition(of, got, want string) error {
	if got != want {
		return fmt.Errorf("flag --partition: got %s, want %s, the partition of %s", want, got, of)
	}
	return nil
}

func printPolicy(_ context.Context, s *settings, stdout, _ io.Writer) error {
	c, err := configuration(awsSource{}, s)
	if err != nil {
		return err
	}
	document, err := (&policyPrinter{&s.iamPolicy, c}).document()
	if err != nil {
		return err
	}
	encoded, err := document.JSON()
	if err != nil {
		return err
	}
	_, err = stdout.Write(encoded)
	return err
}

// policyPrinter makes the policy that is asked for.
type policyPrinter struct {
	flags  *policyFlags
	config *config.Config
}

func (p *policyPrinter) document() (awsapi.PolicyDocument, error) {
	if p.config.Partition != "" {
		if err := samePartition("the roles in "+p.config.File, p.config.Partition, p.flags.partition); err != nil {
			return awsapi.PolicyDocument{}, err
		}
	}
	switch {
	case p.flags.trust:
		return p.trust()
	case p.flags.audience == forMember:
		return p.member()
	case p.flags.audience == forHub:
		return p.hub()
	case p.flags.audience == forCaller:
		return p.caller()
	}
	return awsapi.Reading(p.flags.partition, p.flags.accountID, p.ownNeeds()), nil
}

// configured returns the accounts that the file says something about, be it of all
// that have no other. Those have no id.
func (p *policyPrinter) configured() []config.Account {
	if p.config.Organization == nil {
		return p.config.Accounts
	}
	return append([]config.Account{p.config.Organization.Default}, p.config.Organization.Overrides...)
}

// own returns the account of the exporter's own credentials, nil if the file
// names accounts and it is not among them, or names none.
func (p *policyPrinter) own() *config.Account {
	all := p.configured()
	i := slices.IndexFunc(all, func(a config.Account) bool { return a.Role == nil })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// ownNeeds are what reading the account of the own credentials needs: by the
// flags, if the file does not list it.
func (p *policyPrinter) ownNeeds() awsapi.Needs {
	if own := p.own(); own != nil {
		return p.needs(own)
	}
	return awsapi.Needs{Source: p.config.Own.Source, Tags: p.config.Own.Settings.Tags}
}

// needs are what reading the account needs. The accounts of an organization have
// their names from there.
func (p *policyPrinter) needs(a *config.Account) awsapi.Needs {
	return awsapi.Needs{Source: a.Source, Tags: a.Settings.Tags, Named: a.Name != "" || p.config.Organization != nil}
}

// members returns the accounts with a role that the policy is for.
func (p *policyPrinter) members() ([]config.Account, error) {
	all := p.configured()
	if len(all) == 0 {
		return nil, nil
	}
	if p.config.Organization != nil && p.flags.accountID != anyAccount && !slices.ContainsFunc(all, func(a config.Account) bool { return a.ID == p.flags.accountID }) {
		all[0].ID = p.flags.accountID // it gets what all others get
	}
	var members []config.Account
	for i := range all {
		switch a := &all[i]; {
		case p.flags.accountID != anyAccount && a.ID != p.flags.accountID:
		case a.Role != nil:
			members = append(members, *a)
		case p.flags.accountID != anyAccount:
			return nil, fmt.Errorf("flag --account-id: got %s, whose role is null in %s, want an account with a role", a.ID, p.config.File)
		}
	}
	switch {
	case len(members) > 0:
		return members, nil
	case p.flags.accountID != anyAccount:
		return nil, fmt.Errorf("flag --account-id: got %s, want an account that %s lists", p.flags.accountID, p.config.File)
	}
	return nil, fmt.Errorf("flag --for: got %s, want account: no account of %s has a role", p.flags.audience, p.config.File)
}

// member returns the policy of the role in each account, or in one of them.
func (p *policyPrinter) member() (awsapi.PolicyDocument, error) {
	members, err := p.members()
	if err != nil {
		return awsapi.PolicyDocument{}, err
	}
	if len(members) == 0 {
		return awsapi.Reading(p.flags.partition, p.flags.accountID, p.ownNeeds()), nil
	}
	var needs []awsapi.Needs
	for i := range members {
		needs = append(needs, p.needs(&members[i]))
	}
	return awsapi.Reading(p.flags.partition, p.flags.accountID, needs...), nil
}

// trust returns the trust policy of that role.
func (p *policyPrinter) trust() (awsapi.PolicyDocument, error) {
	members, err := p.members()
	if err != nil {
		return awsapi.PolicyDocument{}, err
	}
	t := awsapi.Trust{HubRole: cmp.Or(p.flags.hubRole, p.config.Sessions.InitialRole), OrganizationID: p.flags.organizationID, Sessions: p.config.Sessions}
	switch {
	case t.HubRole == "":
		return awsapi.PolicyDocument{}, errors.New("flag --trust: got no role to trust, want its ARN by --hub-role, or an initial_role in --config.file")
	case p.config.Sessions.InitialRole != "" && t.HubRole != p.config.Sessions.InitialRole:
		return awsapi.PolicyDocument{}, fmt.Errorf("flag --hub-role: got %s, want none, or the initial_role of %s, which is %s", t.HubRole, p.config.File, p.config.Sessions.InitialRole)
	}
	for i := range members {
		if i > 0 && members[i].Role.ExternalID != t.ExternalID {
			return awsapi.PolicyDocument{}, fmt.Errorf("flag --trust: got it for accounts with different external ids (%s and %s), want one account, by --account-id", cmp.Or(members[0].ID, "those without an override"), members[i].ID)
		}
		t.ExternalID = members[i].Role.ExternalID
	}
	return t.Document(), nil
}

// hub returns the policy of whatever assumes the roles: the initial role or, if
// there is none, the own credentials, which may read their own account besides. It
// also finds the accounts of an organization.
func (p *policyPrinter) hub() (awsapi.PolicyDocument, error) {
	if len(p.configured()) == 0 {
		role := strings.TrimPrefix(cmp.Or(p.flags.role, defaultRole), "/")
		return awsapi.AssumingAnywhere(p.config.Sessions, p.flags.partition, []string{role}), nil
	}
	if p.flags.role != "" {
		return awsapi.PolicyDocument{}, fmt.Errorf("flag --role: got %s, want none: %s names the accounts' roles", p.flags.role, p.config.File)
	}
	members, err := p.members()
	if err != nil {
		return awsapi.PolicyDocument{}, err
	}
	var arns, names []string
	for i := range members {
		arns = append(arns, members[i].Role.ARN(p.flags.partition, members[i].ID))
		names = append(names, members[i].Role.Name)
	}
	var others awsapi.PolicyDocument
	if p.config.Sessions.InitialRole == "" {
		others = p.readingOwn()
	}
	anywhere := awsapi.AssumingAnywhere(p.config.Sessions, p.flags.partition, names)
	ways := []awsapi.PolicyDocument{awsapi.Assuming(p.config.Sessions, arns), anywhere} // each role by itself, as long as AWS takes them all
	if p.config.Organization != nil {
		ways, others = []awsapi.PolicyDocument{anywhere}, awsapi.Discovering(p.config.Discovery()).And(others)
	}
	for _, assuming := range ways {
		document := assuming.And(others)
		if text, err := document.Minified(); err != nil || len(text) <= awsapi.MaxManagedPolicy {
			return document, err
		}
	}
	return awsapi.PolicyDocument{}, fmt.Errorf("the accounts' roles have so many names that AWS takes no policy that lists them (%d characters): give roles the same name", awsapi.MaxManagedPolicy)
}

// caller returns the policy of the own credentials where the hub is a role.
func (p *policyPrinter) caller() (awsapi.PolicyDocument, error) {
	if p.config.Sessions.InitialRole == "" {
		return awsapi.PolicyDocument{}, errors.New("flag --for: got caller, want a --config.file with an initial_role beside it; without one, the exporter's own credentials are the hub")
	}
	return awsapi.Assuming(p.config.Sessions, []string{p.config.Sessions.InitialRole}).And(p.readingOwn()), nil
}

// readingOwn allows to read the account of the own credentials if the file lists it.
func (p *policyPrinter) readingOwn() awsapi.PolicyDocument {
	own := p.own()
	if own == nil {
		return awsapi.PolicyDocument{}
	}
	return awsapi.Reading(p.flags.partition, own.ID, p.needs(own))
}
