package awsiam

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/credreport"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Joining what AWS says in several places about one user or key. Joins never
// guess: whatever has not exactly one partner has none.

func compareKeys(a, b inventory.AccessKey) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
}

// rowOf returns the row of the user: name and creation second must agree, so
// that a user made anew under an old name inherits nothing.
func rowOf(rows map[string]*credreport.Row, user *inventory.User) *credreport.Row {
	row := rows[user.Name]
	if row == nil || !row.Created.Equal(user.Created) {
		return nil
	}
	return row
}

// slotOf returns the slot that shows the key: the only slot with the creation
// second of the key, which must be the user's only key of that second. Slots
// have no ids, and their order means nothing.
func slotOf(key *inventory.AccessKey, keys []inventory.AccessKey, row *credreport.Row) *credreport.Slot {
	if row == nil {
		return nil
	}
	for i := range keys {
		if keys[i].ID != key.ID && keys[i].Created.Equal(key.Created) {
			return nil
		}
	}
	var partner *credreport.Slot
	for i := range row.Slots {
		if !row.Slots[i].Created.Equal(key.Created) {
			continue
		}
		if partner != nil {
			return nil
		}
		partner = &row.Slots[i]
	}
	return partner
}

// withUse returns the keys with what the row tells of their last use.
func withUse(keys []inventory.AccessKey, row *credreport.Row, generated time.Time) []inventory.AccessKey {
	joined := slices.Clone(keys)
	for i := range joined {
		if slot := slotOf(&keys[i], keys, row); slot != nil {
			joined[i].LastUse = laterUse(joined[i].LastUse, slot.LastUse.ObservedAt(generated))
		}
	}
	return joined
}

// carryUse copies the last use from the keys' earlier selves.
func carryUse(keys, earlier []inventory.AccessKey) {
	for i := range keys {
		for _, old := range earlier {
			if old.ID == keys[i].ID {
				keys[i].LastUse = laterUse(old.LastUse, keys[i].LastUse)
			}
		}
	}
}

// laterUse joins two statements about the last use of the same thing. It only
// ever moves forward, while AWS's sources learn of it at different speeds: the
// later use is true, as of the later statement.
func laterUse(a, b inventory.Fact[inventory.Use]) inventory.Fact[inventory.Use] {
	use, known := a.Get()
	if !known {
		return b
	}
	other, known := b.Get()
	if !known {
		return a
	}
	newest := a.Newer(b)
	if v, _ := newest.Get(); v.At.Equal(use.At) && v.At.Equal(other.At) {
		return newest
	}
	if other.At.After(use.At) {
		use = other
	}
	return inventory.Observe(use, newest.Observed())
}

// userFromRow returns the user as the report alone tells it.
func userFromRow(row *credreport.Row, generated time.Time) inventory.User {
	return inventory.User{
		Name: row.User, ARN: row.ARN, Path: pathOf(row.ARN), Created: row.Created,
		Keys:        keysFromRow(row, generated),
		Console:     row.Password.ObservedAt(generated),
		PasswordUse: row.PasswordUse.ObservedAt(generated),
		MFA:         row.MFA.ObservedAt(generated),
	}
}

// pathOf returns the path in a user's ARN: "/team/" in arn:…:user/team/bob.
func pathOf(userARN string) string {
	_, rest, found := strings.Cut(userARN, ":user/")
	if !found {
		return ""
	}
	return "/" + rest[:strings.LastIndex(rest, "/")+1]
}

// keysFromRow names keys by their creation, the only lasting thing that a
// report tells of them. Keys are unknown if the row does not show all of them,
// or not when they were made.
func keysFromRow(row *credreport.Row, generated time.Time) inventory.Fact[[]inventory.AccessKey] {
	keys := make([]inventory.AccessKey, 0, len(row.Slots))
	for _, slot := range row.Slots {
		if row.Additional || slot.Created.IsZero() {
			return inventory.Fact[[]inventory.AccessKey]{}
		}
		key := inventory.AccessKey{
			ID: inventory.CreatedKeyID(slot.Created), Status: inventory.Inactive,
			Created: slot.Created, LastUse: slot.LastUse.ObservedAt(generated),
		}
		if slot.Active {
			key.Status = inventory.Active
		}
		keys = append(keys, key)
	}
	tellApart(keys)
	return inventory.Observe(keys, generated)
}

// tellApart sorts keys by creation and gives those of one second the suffixes
// -a, -b. Slots swap places between reports, so what tells the keys apart must
// lie in the keys: the active one comes first, then the earlier used.
func tellApart(keys []inventory.AccessKey) {
	if len(keys) < 2 {
		return
	}
	slices.SortStableFunc(keys, func(a, b inventory.AccessKey) int {
		useA, _ := a.LastUse.Get()
		useB, _ := b.LastUse.Get()
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Status, b.Status), useA.At.Compare(useB.At))
	})
	for first := 0; first < len(keys); {
		end := first + 1
		for end < len(keys) && keys[end].Created.Equal(keys[first].Created) {
			end++
		}
		if end > first+1 {
			for i := first; i < end; i++ {
				keys[i].ID += "-" + string(rune('a'+i-first))
			}
		}
		first = end
	}
}

// rootFromRow returns what the report tells of root.
func rootFromRow(row *credreport.Row, generated time.Time) inventory.Root {
	root := inventory.Root{
		Created:     row.Created,
		Console:     row.Password.ObservedAt(generated),
		MFA:         row.MFA.ObservedAt(generated),
		PasswordUse: row.PasswordUse.ObservedAt(generated),
		KeyPresent:  inventory.Observe(len(row.Slots) > 0, generated),
		Keys:        keysFromRootRow(row, generated),
	}
	return root
}

// keysFromRootRow is keysFromRow for root, whose keys have no ids to show: a
// key without a creation date still counts. If the row does not show all keys,
// an active one among those shown is still enough to know what matters.
func keysFromRootRow(row *credreport.Row, generated time.Time) inventory.Fact[[]inventory.AccessKey] {
	keys := make([]inventory.AccessKey, 0, len(row.Slots))
	active := false
	for _, slot := range row.Slots {
		key := inventory.AccessKey{Status: inventory.Inactive, Created: slot.Created, LastUse: slot.LastUse.ObservedAt(generated)}
		if slot.Active {
			key.Status, active = inventory.Active, true
		}
		keys = append(keys, key)
	}
	if row.Additional && !active {
		return inventory.Fact[[]inventory.AccessKey]{}
	}
	return inventory.Observe(keys, generated)
}

// mergeRoot brings what is known of root up to date.
func mergeRoot(old, now inventory.Root) inventory.Root {
	merged := inventory.Root{
		Created:     now.Created,
		KeyPresent:  old.KeyPresent.Newer(now.KeyPresent),
		Keys:        old.Keys.Newer(now.Keys),
		Console:     old.Console.Newer(now.Console),
		MFA:         old.MFA.Newer(now.MFA),
		PasswordUse: laterUse(old.PasswordUse, now.PasswordUse),
	}
	if merged.Created.IsZero() {
		merged.Created = old.Created
	}
	// A root user without a password needs no MFA device, and older reports do
	// not say whether there is a password.
	console, _ := merged.Console.Get()
	if mfa, _ := merged.MFA.Get(); !mfa && !console {
		merged.MFA = inventory.Fact[bool]{}
	}
	return merged
}
