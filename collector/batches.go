package collector

import (
	"iter"
	"slices"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// batchSize is how many users, or findings, are rendered together, on average: the fewer
// there are, the less is rendered for one that has changed, and the more memory all take.
const batchSize = 40

// split yields n of something in batches: the index of the first, and that after the
// last. Where a batch can begin is a matter of the first one's user alone, so that who
// comes or goes changes few other batches, and mostly none. None but the last is less than
// half the average, because most users are in large ones.
func split(n int, user func(i int) string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		from := 0
		for i := 1; i <= n; i++ {
			if i == n || i-from >= batchSize/2 && user(i) != user(i-1) && begins(user(i)) {
				if !yield(from, i) {
					return
				}
				from = i
			}
		}
	}
}

func splitUsers(ev *policy.Evaluation) iter.Seq2[int, int] {
	return split(len(ev.Snapshot.Users), func(i int) string { return ev.Snapshot.Users[i].Name })
}

func splitFindings(ev *policy.Evaluation) iter.Seq2[int, int] {
	return split(len(ev.Findings), func(i int) string { return ev.Findings[i].UserName })
}

// begins reports whether a batch can begin with the user of that name, by the FNV-1a hash
// of the name.
func begins(name string) bool {
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	return hash>>8%(batchSize/2) == 0
}

// batch is some users, or findings, and what is rendered of them.
type batch struct {
	ev       *policy.Evaluation // nil for a batch that was not there
	from, to int
	section  *exposition.Section
	changed  bool // since the section was rendered
}

// first tells batches apart.
type first struct {
	rule policy.Rule // empty for users
	user string
}

func firstUser(ev *policy.Evaluation, i int) first { return first{user: ev.Snapshot.Users[i].Name} }

func firstFinding(ev *policy.Evaluation, i int) first {
	return first{ev.Findings[i].Rule, ev.Findings[i].UserName}
}

// earlier returns the batches of an account as it was rendered before.
func earlier(before *policy.Evaluation, rendered *exposition.Part) map[first]batch {
	if rendered == nil {
		return nil
	}
	all, sections := map[first]batch{}, rendered.Sections[otherSections:]
	take := func(key first, from, to int) {
		all[key] = batch{ev: before, from: from, to: to, section: sections[0]}
		sections = sections[1:]
	}
	for from, to := range splitUsers(before) {
		take(firstUser(before, from), from, to)
	}
	for from, to := range splitFindings(before) {
		take(firstFinding(before, from), from, to)
	}
	return all
}

// batchesOfUsers returns the batches of an account's users, with what was rendered of
// them before, and the names of users who may have changed since.
func batchesOfUsers(ev *policy.Evaluation, before map[first]batch) (all []batch, changed map[string]bool) {
	changed = map[string]bool{}
	for from, to := range splitUsers(ev) {
		was := before[firstUser(ev, from)]
		b := batch{ev, from, to, was.section, !was.sameUsers(ev, from, to)}
		for i := from; b.changed && i < to; i++ {
			changed[ev.Snapshot.Users[i].Name] = true
		}
		all = append(all, b)
	}
	return all, changed
}

// batchesOfFindings returns the batches of an account's findings, with what was rendered
// of them before.
func batchesOfFindings(ev *policy.Evaluation, before map[first]batch, changed map[string]bool) []batch {
	var all []batch
	for from, to := range splitFindings(ev) {
		was := before[firstFinding(ev, from)]
		all = append(all, batch{ev, from, to, was.section, !was.sameFindings(ev, from, to, changed)})
	}
	return all
}

// couldBe reports whether so many users or findings may have the series of the batch.
func (b *batch) couldBe(ev *policy.Evaluation, n int) bool {
	return b.ev != nil && b.ev.Policy == ev.Policy && b.ev.Snapshot.Account.ID == ev.Snapshot.Account.ID && b.to-b.from == n
}

// sameUsers reports whether the series of the batch are those of the users with these
// indexes, too.
func (b *batch) sameUsers(ev *policy.Evaluation, from, to int) bool {
	if !b.couldBe(ev, to-from) {
		return false
	}
	for i := range to - from {
		if b.ev.Users[b.from+i] != ev.Users[from+i] || !sameUser(&b.ev.Snapshot.Users[b.from+i], &ev.Snapshot.Users[from+i]) {
			return false
		}
	}
	return true
}

// sameFindings reports whether the series of the batch are those of the findings with
// these indexes, too. The users who may have changed since are given by name.
func (b *batch) sameFindings(ev *policy.Evaluation, from, to int, changed map[string]bool) bool {
	if !b.couldBe(ev, to-from) || b.ev.RootOwner != ev.RootOwner {
		return false
	}
	for i := range to - from {
		if f := &ev.Findings[from+i]; b.ev.Findings[b.from+i] != *f || changed[f.UserName] {
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
