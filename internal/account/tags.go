package account

import (
	"slices"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// tagState is how tags are read.
type tagState struct {
	source awsapi.TagSource
	asked  time.Time // when the refresh began that last asked for everybody's
	read   time.Time // when the refresh began that last read everybody's; zero if none did
}

// setTagSource takes on where tags come from. Tags that nobody wants are
// forgotten, and what went wrong with another source is over; tags that it has
// told stay until the new one tells them.
func (m *memory) setTagSource(source awsapi.TagSource) {
	if source == awsapi.NoTags {
		delete(m.known.complete, inventory.GroupTags)
		for _, user := range m.known.users {
			user.setTags(inventory.Fact[inventory.Tags]{})
		}
	}
	if source == m.tags.source {
		return
	}
	m.tags = tagState{source: source}
	m.trouble.end("tags")
	m.trouble.end("odd tags")
	for _, user := range m.known.users {
		delete(user.failed, awsiam.ListTags)
		delete(user.deferred, awsiam.ListTags)
		user.missing = false
	}
}

// tagsDue reports whether to read everybody's tags: as often as keys are read,
// again after a failure, and for the sake of a new user.
func (m *memory) tagsDue(now time.Time) bool {
	if m.known.none() || m.tags.asked.Equal(now) {
		return false
	}
	return m.trouble.failed["tags"] != nil || now.Sub(m.tags.read) >= m.o.KeysInterval ||
		slices.ContainsFunc(m.known.users, func(user *trackedUser) bool { return !user.Tags.Known() && !user.missing })
}

// identity is what tells a user from all others, in one source.
type identity struct {
	id      string
	name    string
	created time.Time
}

// identityOf returns the user's id or, as reports have none, name and creation
// second, so that a user made anew under an old name inherits nothing.
func identityOf(user *inventory.User, source awsapi.Source) identity {
	if source == awsapi.SourceReport {
		return identity{name: user.Name, created: user.Created}
	}
	return identity{id: user.ID}
}

// joinTags takes over the tags of the users. Who is not among them keeps what
// was known, and so does who is among them twice and not alike.
func (f *facts) joinTags(users []inventory.User, source awsapi.Source) {
	told := make(map[identity]*inventory.User, len(users)) // nil if told in two ways
	for i := range users {
		user := &users[i]
		id := identityOf(user, source)
		if other, twice := told[id]; twice && (other == nil || !sameTags(other, user)) {
			user = nil
		}
		told[id] = user
	}
	for _, user := range f.users {
		tagged, found := told[identityOf(&user.User, source)]
		user.missing = !found && source == awsapi.SourceReport
		if tagged != nil {
			user.setTags(tagged.Tags)
		}
	}
}

func sameTags(a, b *inventory.User) bool {
	tags, _ := a.Tags.Get()
	other, _ := b.Tags.Get()
	return a.ID == b.ID && slices.Equal(tags, other)
}
