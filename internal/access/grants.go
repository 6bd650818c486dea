package access

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// Grant is a policy that allows what is missing, and whose it has to be.
type Grant struct {
	To     []string              `json:"to"` // users or roles, by their ARNs as far as those are known, each of which needs all of it
	Policy awsapi.PolicyDocument `json:"policy"`
}

// Way is how the exporter comes to the accounts.
type Way struct {
	Partition string
	Sessions  awsapi.Sessions
	Discovery awsapi.Discovery
}

// grants returns what would help, what is the same for several roles only once.
func (r *Result) grants(way *Way) []Grant {
	g := &granting{way: way, all: []Grant{}, at: map[string]int{}}
	own := principal(r.Identity.Caller)
	if r.InitialRole != nil && len(r.InitialRole.wanting()) > 0 {
		g.add(own, own, awsapi.Assuming(way.Sessions, []string{r.InitialRole.Role}))
	}
	hub := cmp.Or(way.Sessions.InitialRole, own)
	if roles := r.rolesToAssume(); len(roles) > 0 {
		g.add(hub, hub, g.assuming(roles))
	}
	if r.Organization != nil {
		if actions := r.Organization.wanting(); len(actions) > 0 {
			g.add(hub, hub, awsapi.Discovering(way.Discovery).Only(actions...))
		}
	}
	for _, c := range r.Accounts {
		if actions := c.wanting(); len(actions) > 0 && c.partition != "" {
			g.addReading(own, c, actions)
		}
	}
	return g.all
}

// sessions match the ARN of a role's session, which lacks the path of the role.
var sessions = regexp.MustCompile(`^arn:[^:]+:sts::([0-9]{12}):assumed-role/([^/]+)/`)

// principal returns whose policies decide what a caller may do.
func principal(callerARN string) string {
	if of := sessions.FindStringSubmatch(callerARN); of != nil {
		return "role " + of[2] + " of account " + of[1]
	}
	return callerARN
}

// rolesToAssume returns the ARNs of those that the exporter's own policies keep it from.
func (r *Result) rolesToAssume() []string {
	var roles []string
	for _, c := range r.Accounts {
		if c.partition == "" && len(c.wanting()) > 0 { // it did not come to reading
			roles = append(roles, c.Role)
		}
	}
	return roles
}

// granting collects what is to be allowed.
type granting struct {
	way *Way
	all []Grant
	at  map[string]int // places in all
}

// add allows more to a principal. Under one key, there is one grant.
func (g *granting) add(key, to string, policy awsapi.PolicyDocument) {
	i, again := g.at[key]
	if !again {
		g.at[key] = len(g.all)
		g.all = append(g.all, Grant{To: []string{to}, Policy: policy})
		return
	}
	g.all[i].Policy = g.all[i].Policy.And(policy)
}

// addReading allows to read an account: of several roles that lack the same, one grant
// tells it for any account.
func (g *granting) addReading(own string, c *Checked, actions []string) {
	reading := func(accountID string) awsapi.PolicyDocument {
		return awsapi.Reading(c.partition, accountID, c.needs).Only(actions...)
	}
	if c.Role == "" {
		g.add(own, own, reading(c.ID))
		return
	}
	key := strings.Join(actions, " ")
	i, again := g.at[key]
	if !again {
		g.add(key, c.Role, reading(c.ID))
		return
	}
	g.all[i].To, g.all[i].Policy = append(g.all[i].To, c.Role), reading("*")
}

// mostRoles is how many roles a policy lists one by one.
const mostRoles = 20

// assuming allows to assume the roles, each by itself if they are few.
func (g *granting) assuming(arns []string) awsapi.PolicyDocument {
	if len(arns) <= mostRoles {
		return awsapi.Assuming(g.way.Sessions, arns)
	}
	var names []string
	for _, arn := range arns {
		_, name, _ := strings.Cut(arn, ":role/")
		names = append(names, name)
	}
	return awsapi.AssumingAnywhere(g.way.Sessions, g.way.Partition, names)
}
