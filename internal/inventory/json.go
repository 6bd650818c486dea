package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"strings"
	"time"
)

// A fact is a JSON object of its value and the time of its observation. Fields
// that hold facts are tagged omitzero, so that unknown facts are absent. A nil
// list and an empty one are the same.

// IsZero reports whether the fact is unknown. It is what omitzero asks.
func (f Fact[T]) IsZero() bool { return !f.Known() }

// knownJSON is the JSON of a known fact. Its value is a pointer, to tell a
// missing value from a zero one.
type knownJSON[T any] struct {
	Value    *T        `json:"value"`
	Observed time.Time `json:"observed"`
}

// MarshalJSON returns null for an unknown fact.
func (f Fact[T]) MarshalJSON() ([]byte, error) {
	if !f.Known() {
		return []byte("null"), nil
	}
	value := reflect.ValueOf(&f.value).Elem()
	if value.Kind() == reflect.Slice && value.IsNil() {
		value.Set(reflect.MakeSlice(value.Type(), 0, 0))
	}
	return json.Marshal(knownJSON[T]{Value: &f.value, Observed: f.observed.UTC()})
}

// UnmarshalJSON refuses unknown names, and a fact without a value or a time of
// observation.
func (f *Fact[T]) UnmarshalJSON(data []byte) error {
	var known *knownJSON[T]
	err := decodeStrictly(data, &known)
	switch {
	case err != nil:
		return err
	case known == nil: // null changes nothing, as encoding/json has it
		return nil
	case known.Value == nil || known.Observed.IsZero():
		return errors.New("a fact lacks its value or the time of its observation")
	}
	*f = Observe(*known.Value, known.Observed.UTC())
	return nil
}

type bareUse Use // without methods

// useJSON is the JSON of a last use. That a use never took place is said, not
// left to be inferred from a missing time.
type useJSON struct {
	Never bool `json:"never,omitempty"`
	bareUse
}

// MarshalJSON says that there was never a use, or else when the last one was.
func (u Use) MarshalJSON() ([]byte, error) {
	u.At = u.At.UTC()
	return json.Marshal(useJSON{Never: u.Never(), bareUse: bareUse(u)})
}

// UnmarshalJSON refuses unknown names, and a use that is neither never nor at a
// time, or both.
func (u *Use) UnmarshalJSON(data []byte) error {
	var use useJSON
	if err := decodeStrictly(data, &use); err != nil {
		return err
	}
	if use.Never != use.At.IsZero() {
		return errors.New("a last use must be either never or at a time")
	}
	use.At = use.At.UTC()
	*u = Use(use.bareUse)
	return nil
}

// decodeStrictly decodes one JSON value. A decoder's strictness ends where a
// type decodes itself, so each such type here is strict itself.
func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// KnownFact is a known fact, whatever the type of its value.
type KnownFact struct {
	Name     string // of its field in JSON
	Value    any
	Observed time.Time
}

// KnownFacts yields each known fact about the user.
func (u *User) KnownFacts() iter.Seq[KnownFact] { return knownFacts(u) }

// KnownFacts yields each known fact about root.
func (r *Root) KnownFacts() iter.Seq[KnownFact] { return knownFacts(r) }

// KnownFacts yields each known fact about the key.
func (k *AccessKey) KnownFacts() iter.Seq[KnownFact] { return knownFacts(k) }

// knownFacts finds the facts among the fields of the struct that holder points
// to, so that a new field needs no entry in a list.
func knownFacts(holder any) iter.Seq[KnownFact] {
	return func(yield func(KnownFact) bool) {
		for field, value := range reflect.ValueOf(holder).Elem().Fields() {
			fact, ok := value.Addr().Interface().(interface{ known() (any, time.Time) })
			if !ok {
				continue
			}
			known, observed := fact.known()
			if observed.IsZero() {
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !yield(KnownFact{Name: name, Value: known, Observed: observed}) {
				return
			}
		}
	}
}

func (f *Fact[T]) known() (any, time.Time) { return f.value, f.observed }
