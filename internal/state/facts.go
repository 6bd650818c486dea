package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// facts is what is written to disk. A change of its meaning needs another version.
// R and U are inventory's Root and User when writing. When reading they are raw
// JSON at first, so that an error can say whose facts are wrong.
type facts[R, U any] struct {
	Account     inventory.Account `json:"account"`
	UsersListed time.Time         `json:"users_listed"`
	Complete    []inventory.Group `json:"complete"`
	Sweep       float64           `json:"sweep_seconds,omitempty"` // how long it takes to come by everybody
	Root        R                 `json:"root"`
	Users       []U               `json:"users"`
}

func listed(s *inventory.Snapshot) time.Time {
	return s.Freshness[inventory.GroupUsers].Observed
}

// encodeFacts returns the JSON of what is kept of a snapshot.
func encodeFacts(s *inventory.Snapshot) ([]byte, error) {
	kept := &facts[inventory.Root, inventory.User]{
		Account:     s.Account,
		UsersListed: listed(s).UTC(),
		Complete:    []inventory.Group{},
		Sweep:       s.Sweep.Length.Seconds(),
		Root:        s.Root,
		Users:       make([]inventory.User, len(s.Users)), // never null
	}
	for _, group := range inventory.Groups() {
		if s.Complete[group] {
			kept.Complete = append(kept.Complete, group)
		}
	}
	kept.Root.Created = kept.Root.Created.UTC()
	for i, user := range s.Users {
		user.Created = user.Created.UTC()
		kept.Users[i] = user
	}
	return json.Marshal(kept)
}

// decodeFacts returns the snapshot, which is still to be checked.
func decodeFacts(data []byte) (*inventory.Snapshot, error) {
	kept := &facts[json.RawMessage, json.RawMessage]{}
	if err := decodeStrictly(data, kept); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	switch {
	case kept.Root == nil:
		return nil, errors.New("it says nothing about root")
	case kept.Users == nil:
		return nil, errors.New("it has no list of users")
	}
	s := &inventory.Snapshot{
		Account:   kept.Account,
		Users:     make([]inventory.User, len(kept.Users)),
		Freshness: map[inventory.Group]inventory.Freshness{inventory.GroupUsers: {Observed: kept.UsersListed.UTC()}},
		Complete:  make(map[inventory.Group]bool, len(kept.Complete)),
		Sweep:     inventory.Sweep{Length: time.Duration(kept.Sweep * float64(time.Second))},
		Health:    inventory.Health{State: inventory.StatePending},
	}
	for _, group := range kept.Complete {
		s.Complete[group] = true
	}
	if err := decodeStrictly(kept.Root, &s.Root); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	for i, user := range kept.Users {
		if err := decodeStrictly(user, &s.Users[i]); err != nil {
			return nil, fmt.Errorf("user %q: %w", s.Users[i].Name, err)
		}
	}
	return s, nil
}

// decodeStrictly decodes what is known to be one whole JSON value.
func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
