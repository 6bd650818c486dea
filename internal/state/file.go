package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The kinds of files. A kind tells what is in the frame.
const (
	factsFormat     = "aws_iam_exporter facts" // of an account
	watchlistFormat = "aws_iam_exporter watchlist"
	version         = 1 // of both
)

// file is the content of a file and the frame around it. The function frame writes it.
type file struct {
	Format    string          `json:"format"`
	Version   int             `json:"version"`
	AccountID string          `json:"account_id"` // empty if it is about no single account
	SHA256    string          `json:"sha256"`     // of the bytes of Facts
	Facts     json.RawMessage `json:"facts"`
}

// encode returns the file for a snapshot. It refuses one that decode would.
func encode(snapshot *inventory.Snapshot) ([]byte, error) {
	kept := *snapshot
	kept.Sweep.Length = min(kept.Sweep.Length, maxSweep)
	if err := check(&kept); err != nil {
		return nil, err
	}
	facts, err := encodeFacts(&kept)
	if err != nil {
		return nil, err
	}
	return frame(factsFormat, snapshot.Account.ID, facts), nil
}

// decode returns the snapshot in the file of an account.
func decode(accountID string, data []byte) (*inventory.Snapshot, error) {
	facts, err := unframe(factsFormat, accountID, data)
	if err != nil {
		return nil, err
	}
	snapshot, err := decodeFacts(facts)
	if err != nil {
		return nil, err
	}
	if snapshot.Account.ID != accountID {
		return nil, fmt.Errorf("its facts are of account %q, want %s, as its name says", snapshot.Account.ID, accountID)
	}
	if err := check(snapshot); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// checksum protects the values. A flipped bit in a name, a status or a date, or
// an edit by hand, can leave JSON that passes every check; it would be served as
// what AWS said. Renaming protects against half a file, but not against a bad
// disk.
func checksum(facts []byte) string { return fmt.Sprintf("%x", sha256.Sum256(facts)) }

// frame returns the file. There is only one right way to write it, byte for byte.
func frame(format, accountID string, facts []byte) []byte {
	head := fmt.Sprintf(`{"format":%q,"version":%d,"account_id":%q,"sha256":%q,"facts":`, format, version, accountID, checksum(facts))
	data := make([]byte, 0, len(head)+len(facts)+2)
	data = append(append(data, head...), facts...)
	return append(data, "}\n"...)
}

// unframe returns what is in a file of the format, about the account.
func unframe(format, accountID string, data []byte) ([]byte, error) {
	f, err := readFrame(format, data)
	if err != nil {
		return nil, err
	}
	if f.AccountID != accountID {
		return nil, fmt.Errorf("it is of account %q, want %s, as its name says", f.AccountID, accountID)
	}
	if sum := checksum(f.Facts); f.SHA256 != sum {
		return nil, fmt.Errorf("it was damaged or edited: the SHA-256 of its facts is %s, want %q, as it says", sum, f.SHA256)
	}
	// JSON is lenient: unknown names, names in another case, repetitions, spaces.
	if !bytes.Equal(data, frame(format, accountID, f.Facts)) {
		return nil, errors.New("it was damaged or edited: what is around its facts is not what the exporter writes")
	}
	return f.Facts, nil
}

// readFrame reads the frame. A later version may lay out everything but format and
// version in another way, and must still be recognized.
func readFrame(format string, data []byte) (*file, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it was damaged: it is not UTF-8 text")
	}
	var f file
	err := json.Unmarshal(data, &f)
	switch {
	case f.Format == format && f.Version > version:
		return nil, fmt.Errorf("it was written by a newer exporter: its version is %d, want %d", f.Version, version)
	case err != nil:
		return nil, fmt.Errorf("it was cut off, damaged or never a state file: read JSON: %w", err)
	case f.Format != format:
		return nil, fmt.Errorf("its format is %q, want %q", f.Format, format)
	case f.Version != version:
		return nil, fmt.Errorf("its version is %d, want %d", f.Version, version)
	}
	return &f, nil
}
