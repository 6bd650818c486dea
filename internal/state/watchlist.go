package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/watchlist"
)

// watchlistName is the name of the file with the watchlist, but for its extension. No
// account is called so.
const watchlistName = "accounts"

// SaveWatchlist replaces the watchlist. If it fails, the earlier one stays.
func (s *Store) SaveWatchlist(r watchlist.List) error {
	content, err := json.Marshal(r)
	if err == nil {
		err = s.use(func(root *os.Root) error {
			return replace(root, watchlistName+extension, frame(watchlistFormat, "", content))
		})
	}
	if err != nil {
		return fmt.Errorf("save the list of accounts to %s: %w", s.watchlistPath(), err)
	}
	return nil
}

// LoadWatchlist returns the watchlist; an empty one if there is none. Its error names the
// file and says why it is ignored.
func (s *Store) LoadWatchlist() (watchlist.List, error) {
	var r watchlist.List
	err := s.use(func(root *os.Root) error {
		data, err := s.read(root, watchlistName+extension)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			r, err = decodeWatchlist(data)
		}
		if err != nil {
			return fmt.Errorf("ignore state file %s until the next save replaces it: %w", s.watchlistPath(), err)
		}
		return nil
	})
	if err != nil {
		return watchlist.List{}, err
	}
	return r, nil
}

func (s *Store) watchlistPath() string { return filepath.Join(s.dir, watchlistName+extension) }

func decodeWatchlist(data []byte) (watchlist.List, error) {
	content, err := unframe(watchlistFormat, "", data)
	if err != nil {
		return watchlist.List{}, err
	}
	var r watchlist.List
	if err := decodeStrictly(content, &r); err != nil {
		return r, fmt.Errorf("read JSON: %w", err)
	}
	return r, r.Check()
}
