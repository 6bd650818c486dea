package organization

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The ids of Organizations.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
var (
	organizationIDs = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	rootIDs         = regexp.MustCompile(`^r-[0-9a-z]{4,32}$`)
	unitIDs         = regexp.MustCompile(`^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$`)
)

// IsID reports whether the text is the id of an organization.
func IsID(id string) bool { return organizationIDs.MatchString(id) }

// deepest is how many organizational units a path has at most. AWS allows five.
const deepest = 20

// longestPath is how many bytes the longest path has, with room to spare.
const longestPath = 4096

// entityPath is where in which organization an account is.
type entityPath struct {
	organization string
	parents      []string // the root and the organizational units
	account      string
}

// parsePath reads a path as AWS writes it, with a slash at its end:
// o-exampleorgid/r-ab12/ou-ab12-34567890/111111111111/
func parsePath(path string) (entityPath, bool) {
	if len(path) > longestPath {
		return entityPath{}, false
	}
	rest, ended := strings.CutSuffix(path, "/")
	parts := strings.Split(rest, "/")
	last := len(parts) - 1
	if !ended || last < 2 || last > 2+deepest {
		return entityPath{}, false
	}
	p := entityPath{parts[0], parts[1:last], parts[last]}
	units := p.parents[1:]
	if !IsID(p.organization) || !rootIDs.MatchString(p.parents[0]) || !inventory.IsAccountID(p.account) {
		return entityPath{}, false
	}
	for i, unit := range units {
		if !unitIDs.MatchString(unit) || slices.Contains(units[:i], unit) {
			return entityPath{}, false
		}
	}
	return p, true
}

// parentsOf returns the root and the organizational units of the account, as its
// paths tell; nil if they tell nothing, what cannot be, or two places.
func parentsOf(paths []string, organizationID, accountID string) []string {
	var found []string
	for _, path := range paths {
		p, ok := parsePath(path)
		if !ok || p.organization != organizationID || p.account != accountID || found != nil && !slices.Equal(found, p.parents) {
			return nil
		}
		found = slices.Clone(p.parents)
	}
	return found
}
