package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// Digest sums facts up. Two that are equal are of the same facts.
type Digest [sha256.Size]byte

// Digest sums up those facts of the snapshot that are kept between restarts, but
// not the times of their observation: as long as it stays the same, AWS has told
// nothing new.
func (s *Snapshot) Digest() Digest {
	d := digester{hash: sha256.New()}
	d.texts(s.Account.ID, s.Account.Alias, s.Account.Partition, s.Account.OUPath)
	for _, group := range Groups() {
		d.flag(s.Complete[group])
	}
	d.root(&s.Root)
	d.number(len(s.Users))
	for i := range s.Users {
		d.user(&s.Users[i])
		d.flush()
	}
	d.flush()
	return Digest(d.hash.Sum(nil))
}

// digester writes facts so that no two of them look alike: texts and lists begin
// with their length.
type digester struct {
	hash   hash.Hash
	buffer []byte // not yet in the hash, which takes few long writes faster than many short ones
}

func (d *digester) flush() {
	_, _ = d.hash.Write(d.buffer) // which never fails
	d.buffer = d.buffer[:0]
}

func (d *digester) user(u *User) {
	d.texts(u.ID, u.Name, u.ARN, u.Path)
	d.moment(u.Created)
	digestFact(d, u.Keys, d.keys)
	d.flag(u.MaybeMoreKeys)
	digestFact(d, u.Console, d.flag)
	digestFact(d, u.PasswordCreated, d.moment)
	digestFact(d, u.PasswordChanged, d.moment)
	digestFact(d, u.PasswordUse, d.use)
	digestFact(d, u.MFA, d.flag)
	digestFact(d, u.Tags, d.tags)
}

func (d *digester) root(r *Root) {
	d.moment(r.Created)
	digestFact(d, r.KeyPresent, d.flag)
	digestFact(d, r.Keys, d.keys)
	digestFact(d, r.Console, d.flag)
	digestFact(d, r.MFA, d.flag)
	digestFact(d, r.PasswordUse, d.use)
}

// digestFact writes whether the fact is known, and its value if it is.
func digestFact[T any](d *digester, fact Fact[T], write func(T)) {
	value, known := fact.Get()
	if d.flag(known); known {
		write(value)
	}
}

func (d *digester) keys(keys []AccessKey) {
	d.number(len(keys))
	for i := range keys {
		d.texts(keys[i].ID, string(keys[i].Status))
		d.moment(keys[i].Created)
		digestFact(d, keys[i].LastUse, d.use)
	}
}

func (d *digester) use(use Use) {
	d.moment(use.At)
	d.texts(use.Region, use.Service)
}

func (d *digester) tags(tags Tags) {
	d.number(len(tags))
	for _, tag := range tags {
		d.texts(tag.Key, tag.Value)
	}
}

func (d *digester) texts(texts ...string) {
	for _, text := range texts {
		d.number(len(text))
		d.buffer = append(d.buffer, text...)
	}
}

func (d *digester) moment(t time.Time) {
	d.buffer = binary.AppendVarint(d.buffer, t.Unix())
	d.number(t.Nanosecond())
}

func (d *digester) number(n int) { d.buffer = binary.AppendUvarint(d.buffer, uint64(n)) } //nolint:gosec // lengths are not negative

func (d *digester) flag(set bool) {
	if set {
		d.number(1)
		return
	}
	d.number(0)
}
