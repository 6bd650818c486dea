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
const (
	rollName    = "accounts"
	rollFormat  = "aws_iam_exporter accounts"
	rollVersion = 1
)

// rollFile is the roll and the frame around it.
type rollFile struct {
	Format  string          `json:"format"`
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"` // of the bytes of Roll
	Roll    json.RawMessage `json:"roll"`
}

// SaveRoll replaces the roll. If it fails, the earlier one stays.
func (s *Store) SaveRoll(r roll.Roll) error {
	content, err := json.Marshal(r)
	var data []byte
	if err == nil {
		data, err = json.Marshal(rollFile{rollFormat, rollVersion, checksum(content), content})
	}
	if err == nil {
		err = s.use(func(root *os.Root) error { return replace(root, rollName+extension, append(data, '\n')) })
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
	var f rollFile
	var r roll.Roll
	if err := json.Unmarshal(data, &f); err != nil {
		return r, fmt.Errorf("it was cut off, damaged or never a state file: read JSON: %w", err)
	}
	switch {
	case f.Format != rollFormat:
		return r, fmt.Errorf("its format is %q, want %q", f.Format, rollFormat)
	case f.Version > rollVersion:
		return r, fmt.Errorf("it was written by a newer exporter: its version is %d, want %d", f.Version, rollVersion)
	case f.Version != rollVersion:
		return r, fmt.Errorf("its version is %d, want %d", f.Version, rollVersion)
	case f.SHA256 != checksum(f.Roll):
		return r, fmt.Errorf("it was damaged or edited: the SHA-256 of its roll is %s, want %q, as it says", checksum(f.Roll), f.SHA256)
	}
	if err := decodeStrictly(f.Roll, &r); err != nil {
		return r, fmt.Errorf("read JSON: %w", err)
	}
	return r, r.Check()
}
