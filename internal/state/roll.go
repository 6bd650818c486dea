package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/roll"
)

// rollName is the name of the file with the roll, but for its extension. No
// account is called so.
const rollName = "accounts"

// SaveRoll replaces the roll. If it fails, the earlier one stays.
func (s *Store) SaveRoll(r roll.Roll) error {
	content, err := json.Marshal(r)
	if err == nil {
		err = s.use(func(root *os.Root) error { return replace(root, rollName+extension, frame(rollFormat, "", content)) })
	}
	if err != nil {
		return fmt.Errorf("save the list of accounts to %s: %w", s.rollPath(), err)
	}
	return nil
}

// LoadRoll returns the roll; an empty one if there is none. Its error names the
// file and says why it is ignored.
func (s *Store) LoadRoll() (roll.Roll, error) {
	var r roll.Roll
	err := s.use(func(root *os.Root) error {
		data, err := s.read(root, rollName+extension)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			r, err = decodeRoll(data)
		}
		if err != nil {
			return fmt.Errorf("ignore state file %s until the next save replaces it: %w", s.rollPath(), err)
		}
		return nil
	})
	if err != nil {
		return roll.Roll{}, err
	}
	return r, nil
}

func (s *Store) rollPath() string { return filepath.Join(s.dir, rollName+extension) }

func decodeRoll(data []byte) (roll.Roll, error) {
	content, err := unframe(rollFormat, "", data)
	if err != nil {
		return roll.Roll{}, err
	}
	var r roll.Roll
	if err := decodeStrictly(content, &r); err != nil {
		return r, fmt.Errorf("read JSON: %w", err)
	}
	return r, r.Check()
}
