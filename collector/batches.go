package collector

import (
	"iter"
	"slices"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// batchSize is how many users are rendered together, on average: the fewer there are,
// the less is rendered for one who has changed, and the more memory all take.
const batchSize = 32

// batches yields users in batches: the index of the first, and that after the last.
// Where a batch begins is a matter of the first one's name alone, so that who
// comes or goes changes no other batch.
func batches(users []inventory.User) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		from := 0
		for i := 1; i <= len(users); i++ {
			if i == len(users) || begins(users[i].Name) && users[i].Name != users[i-1].Name {
				if !yield(from, i) {
					return
				}
				from = i
			}
		}
	}
}

// begins reports whether a batch begins with the user of that name, by the FNV-1a hash
// of the name.
func begins(name string) bool {
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return hash>>8%batchSize == 0
}

// batch is some users that have been rendered.
type batch struct {
	ev       *policy.Evaluation // nil for a batch that was not there
	from, to int
	section  *exposition.Section
}

// earlier returns the batches of an account as it was rendered before, by the name of
// their first user.
func earlier(before *policy.Evaluation, rendered *exposition.Part) map[string]batch {
	if rendered == nil {
		return nil
	}
	all, next := map[string]batch{}, otherSections
	for from, to := range batches(before.Snapshot.Users) {
		all[before.Snapshot.Users[from].Name] = batch{before, from, to, rendered.Sections[next]}
		next++
	}
	return all
}

// sameAs reports whether the series of the batch are those of the users with these
// indexes, too.
func (b *batch) sameAs(ev *policy.Evaluation, from, to int) bool {
	if b.ev == nil || b.ev.Policy != ev.Policy || b.ev.Snapshot.Account.ID != ev.Snapshot.Account.ID || b.to-b.from != to-from {
		return false
	}
	for i := range to - from {
		if b.ev.Users[b.from+i] != ev.Users[from+i] || !sameUser(&b.ev.Snapshot.Users[b.from+i], &ev.Snapshot.Users[from+i]) {
			return false
		}
	}
	return true
}

// sameUser reports whether the same is known about two users, whenever it was
// observed: their series do not tell that.
func sameUser(a, b *inventory.User) bool {
	return a.Name == b.Name && a.ARN == b.ARN && a.Path == b.Path && a.Created.Equal(b.Created) &&
		same(a.Console, b.Console) && same(a.MFA, b.MFA) && same(a.PasswordUse, b.PasswordUse) &&
		same(a.PasswordCreated, b.PasswordCreated) && same(a.PasswordChanged, b.PasswordChanged) &&
		sameList(a.Keys, b.Keys, sameKey) && sameList(a.Tags, b.Tags, func(a, b inventory.Tag) bool { return a == b })
}

func sameKey(a, b inventory.AccessKey) bool {
	return a.ID == b.ID && a.Status == b.Status && a.Created.Equal(b.Created) && same(a.LastUse, b.LastUse)
}

// same compares facts. Two times that are equal in different zones count as different,
// which costs time and nothing else.
func same[T comparable](a, b inventory.Fact[T]) bool {
	x, known := a.Get()
	y, alsoKnown := b.Get()
	return known == alsoKnown && x == y
}

// sameList compares lists, which are the same if they are in the same place: nobody
// writes to a snapshot.
func sameList[T any, List ~[]T](a, b inventory.Fact[List], same func(T, T) bool) bool {
	x, known := a.Get()
	y, alsoKnown := b.Get()
	return known == alsoKnown && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0] || slices.EqualFunc(x, y, same))
}
