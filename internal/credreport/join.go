package credreport

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// Joining what AWS says in several places about one user or key. Joins never
// guess: whatever has not exactly one partner has none.

// RowOf returns the row of the user: name and creation second must agree, so
// that a user made anew under an old name inherits nothing.
func RowOf(rows map[string]*Row, user *inventory.User) *Row {
	row := rows[user.Name]
	if row == nil || !row.Created.Equal(user.Created) {
		return nil
	}
	return row
}

// Slot returns the slot that shows one of the user's keys: the only slot with
// the creation second of the key, which must be the user's only key of that
// second. Slots have no ids, and their order means nothing. It returns nil if
// there is no such slot, and for a nil row.
func (r *Row) Slot(key *inventory.AccessKey, keys []inventory.AccessKey) *Slot {
	if r == nil {
		return nil
	}
	for i := range keys {
		if keys[i].ID != key.ID && keys[i].Created.Equal(key.Created) {
			return nil
		}
	}
	var partner *Slot
	for i := range r.Slots {
		if !r.Slots[i].Created.Equal(key.Created) {
			continue
		}
		if partner != nil {
			return nil
		}
		partner = &r.Slots[i]
	}
	return partner
}

// WithUse returns the user's keys with what the row tells of their last use.
func (r *Row) WithUse(keys []inventory.AccessKey, generated time.Time) []inventory.AccessKey {
	joined := slices.Clone(keys)
	for i := range joined {
		if slot := r.Slot(&keys[i], keys); slot != nil {
			joined[i].LastUse = inventory.MergeUse(joined[i].LastUse, slot.LastUse.ObservedAt(generated))
		}
	}
	return joined
}

// Update gives a user whom the row is about what it tells that is newer than
// what is known. Which keys the user has is left to the listings of keys; the
// row tells of their use.
func (r *Row) Update(user *inventory.User, generated time.Time) {
	user.Console = user.Console.Newer(r.Password.ObservedAt(generated))
	user.MFA = user.MFA.Newer(r.MFA.ObservedAt(generated))
	user.PasswordUse = inventory.MergeUse(user.PasswordUse, r.PasswordUse.ObservedAt(generated))
	user.PasswordChanged = inventory.MergeChange(user.PasswordChanged, r.PasswordChanged.ObservedAt(generated))
	if console, _ := user.Console.Get(); !console {
		user.PasswordCreated, user.PasswordChanged = inventory.Fact[time.Time]{}, inventory.Fact[time.Time]{}
	}
	if keys, known := user.Keys.Get(); known {
		user.Keys = inventory.Observe(r.WithUse(keys, generated), user.Keys.Observed())
	}
}

// CredentialsDiffer reports whether two rows of one user differ in what a
// listing of keys would show, or in the password.
func (r *Row) CredentialsDiffer(other *Row) bool {
	shown := func(row *Row) []string {
		var keys []string
		for _, slot := range row.Slots {
			keys = append(keys, fmt.Sprint(slot.Created.Unix(), slot.Active))
		}
		slices.Sort(keys)
		return keys
	}
	return r.Password != other.Password || !slices.Equal(shown(r), shown(other))
}

// UserFacts returns the user as the report alone tells it.
func (r *Row) UserFacts(generated time.Time) inventory.User {
	keys := keysFromRow(r, generated)
	_, told := r.Additional.Get()
	return inventory.User{
		Name: r.User, ARN: r.ARN, Path: pathOf(r.ARN), Created: r.Created,
		Keys:            keys,
		MaybeMoreKeys:   keys.Known() && len(r.Slots) == shownKeys && !told,
		Console:         r.Password.ObservedAt(generated),
		PasswordUse:     r.PasswordUse.ObservedAt(generated),
		PasswordChanged: r.PasswordChanged.ObservedAt(generated),
		MFA:             r.MFA.ObservedAt(generated),
	}
}

// shownKeys is how many keys a row has room for. Users can have more.
const shownKeys = len(header{}.slots)

// UserFacts returns the user whose row cannot be read: nothing is known but who
// that is. It returns false if that is not certain either.
func (u *Unreadable) UserFacts() (inventory.User, bool) {
	if u.Created.IsZero() || u.User == RootUser {
		return inventory.User{}, false
	}
	return inventory.User{Name: u.User, ARN: u.ARN, Path: pathOf(u.ARN), Created: u.Created}, true
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
func keysFromRow(row *Row, generated time.Time) inventory.Fact[[]inventory.AccessKey] {
	keys := make([]inventory.AccessKey, 0, len(row.Slots))
	more, _ := row.Additional.Get()
	for _, slot := range row.Slots {
		if more || slot.Created.IsZero() {
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
// lie in the keys, and not change with the next use: the active one comes first.
// Of two with the same status the report does not tell which is which, so a last
// use that only one of them has is not known of either.
func tellApart(keys []inventory.AccessKey) {
	slices.SortStableFunc(keys, func(a, b inventory.AccessKey) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Status, b.Status))
	})
	for first := 0; first < len(keys); {
		end := first + 1
		for end < len(keys) && keys[end].Created.Equal(keys[first].Created) {
			end++
		}
		if end > first+1 {
			nameTied(keys[first:end])
		}
		first = end
	}
}

// nameTied names keys of one second, those of one status beside each other.
func nameTied(keys []inventory.AccessKey) {
	for i := range keys {
		keys[i].ID += "-" + string(rune('a'+i))
	}
	for i := 1; i < len(keys); i++ {
		if a, b := &keys[i-1], &keys[i]; a.Status == b.Status && a.LastUse != b.LastUse {
			a.LastUse, b.LastUse = inventory.Fact[inventory.Use]{}, inventory.Fact[inventory.Use]{}
		}
	}
}

// RootFacts returns what the row of the root user tells.
func (r *Row) RootFacts(generated time.Time) inventory.Root {
	return inventory.Root{
		Created:     r.Created,
		Console:     r.Password.ObservedAt(generated),
		MFA:         r.MFA.ObservedAt(generated),
		PasswordUse: r.PasswordUse.ObservedAt(generated),
		KeyPresent:  inventory.Observe(len(r.Slots) > 0, generated),
		Keys:        keysFromRootRow(r, generated),
	}
}

// keysFromRootRow is keysFromRow for root, whose keys have no ids to show: a
// key without a creation date still counts. If the row does not show all keys,
// an active one among those shown is still enough to know what matters.
func keysFromRootRow(row *Row, generated time.Time) inventory.Fact[[]inventory.AccessKey] {
	keys := make([]inventory.AccessKey, 0, len(row.Slots))
	active := false
	for _, slot := range row.Slots {
		key := inventory.AccessKey{Status: inventory.Inactive, Created: slot.Created, LastUse: slot.LastUse.ObservedAt(generated)}
		if slot.Active {
			key.Status, active = inventory.Active, true
		}
		keys = append(keys, key)
	}
	if more, _ := row.Additional.Get(); more && !active {
		return inventory.Fact[[]inventory.AccessKey]{}
	}
	return inventory.Observe(keys, generated)
}
