package inventory

import (
	"strings"
	"time"
)

// createdPrefix begins the ids that this exporter makes up. No id of AWS's
// begins with it.
const createdPrefix = "created-"

// CreatedKeyID returns an id for a key of which the source tells its creation
// but no id. Callers add a suffix where a user has several keys of one second.
func CreatedKeyID(created time.Time) string {
	return createdPrefix + created.UTC().Format(time.RFC3339)
}

// IsCreatedKeyID reports whether the id was made up by CreatedKeyID rather than
// given by AWS.
func IsCreatedKeyID(id string) bool { return strings.HasPrefix(id, createdPrefix) }
