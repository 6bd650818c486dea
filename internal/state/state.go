// Package state keeps facts about accounts on disk, with the times of their
// observation, so that a restart while AWS cannot be reached loses nothing.
// Verdicts are not kept: the policy is evaluated again.
package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// ErrNothingKnown says that a snapshot holds nothing to keep: its account or
// its users are not known yet.
var ErrNothingKnown = errors.New("save facts: neither the account nor its users are known yet; save once they are")

const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600

	extension = ".json"

	// maxSize keeps files that cannot be ours out of memory. The facts about
	// 5,000 users take less than a hundredth of it.
	maxSize = 512 << 20
)

// Store keeps the facts of accounts in a directory, one file for each. Its
// methods may be called at any time, even by several processes: the last to save
// wins, and nobody ever sees half a file.
type Store struct {
	dir string
	uid int // who must own the directory and what is in it
}

// Open returns the store in a directory that nobody else may enter, and removes
// what interrupted writes have left there. It creates the directory, but not its
// parents. An error says what to do.
func Open(dir string) (*Store, error) {
	s := &Store{dir: filepath.Clean(dir), uid: os.Geteuid()}
	err := s.use(s.removeLeftovers)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.create(); err == nil {
			err = s.use(s.removeLeftovers)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Save replaces the facts kept of the snapshot's account. If it fails, the
// earlier ones stay. It returns ErrNothingKnown for a snapshot without account
// id or list of users. The snapshot is only read.
func (s *Store) Save(snapshot *inventory.Snapshot) error {
	if snapshot.Account.ID == "" || listed(snapshot).IsZero() {
		return ErrNothingKnown
	}
	data, err := encode(snapshot)
	if err == nil {
		err = s.use(func(root *os.Root) error { return replace(root, fileName(snapshot.Account.ID), data) })
	}
	if err != nil {
		return fmt.Errorf("save facts to %s: %w", s.path(snapshot.Account.ID), err)
	}
	return nil
}

// Load returns the facts kept of an account: Account, Users, Root, Complete and
// when the users were listed. The rest comes from AWS later. Load returns nil,
// nil if there are none. Its error names the file and says why it is ignored.
func (s *Store) Load(accountID string) (*inventory.Snapshot, error) {
	if !inventory.IsAccountID(accountID) {
		return nil, fmt.Errorf("load facts of account %q: want an id of 12 digits", accountID)
	}
	var snapshot *inventory.Snapshot
	err := s.use(func(root *os.Root) (err error) {
		snapshot, err = s.load(root, accountID)
		return err
	})
	return snapshot, err
}

// Sole returns what Load does for the only account that has a file, good or bad;
// nil, nil if none or several have one. It is for a start while AWS cannot say
// which account the credentials belong to.
func (s *Store) Sole() (*inventory.Snapshot, error) {
	var snapshot *inventory.Snapshot
	err := s.use(func(root *os.Root) error {
		accounts, err := accountsIn(root)
		if err != nil {
			return fmt.Errorf("list state directory %s: %w", s.dir, err)
		}
		if len(accounts) == 1 {
			snapshot, err = s.load(root, accounts[0])
		}
		return err
	})
	return snapshot, err
}

// accountsIn lists the accounts that have a file, whatever is in it.
func accountsIn(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	var accounts []string
	for _, entry := range entries {
		if id, found := strings.CutSuffix(entry.Name(), extension); found && inventory.IsAccountID(id) {
			accounts = append(accounts, id)
		}
	}
	return accounts, err
}

// Accounts returns the ids of the accounts of which something is kept.
func (s *Store) Accounts() (ids []string, err error) {
	err = s.use(func(root *os.Root) error {
		ids, err = accountsIn(root)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list state directory %s: %w", s.dir, err)
	}
	return ids, nil
}

// SavedBefore returns the ids of the accounts whose facts were last saved before the time.
func (s *Store) SavedBefore(t time.Time) (ids []string, err error) {
	err = s.use(func(root *os.Root) error {
		all, err := accountsIn(root)
		for _, id := range all {
			// A file that has just gone was replaced, or forgotten.
			if info, err := root.Lstat(fileName(id)); err == nil && info.ModTime().Before(t) {
				ids = append(ids, id)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list state directory %s: %w", s.dir, err)
	}
	return ids, nil
}

// Forget deletes what is kept of an account.
func (s *Store) Forget(accountID string) error {
	if !inventory.IsAccountID(accountID) {
		return fmt.Errorf("forget account %q: want an id of 12 digits", accountID)
	}
	err := s.use(func(root *os.Root) error { return root.Remove(fileName(accountID)) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete facts of an account that is watched no longer: %w", err)
	}
	return nil
}

func fileName(accountID string) string { return accountID + extension }

func (s *Store) path(accountID string) string { return filepath.Join(s.dir, fileName(accountID)) }

// use opens the directory each time, and so notices if it was replaced, or opened
// up to others, in the meantime.
func (s *Store) use(do func(root *os.Root) error) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("use state directory: %w", err)
	}
	defer root.Close() //nolint:errcheck // nothing is written through it
	info, err := root.Stat(".")
	if err == nil {
		err = checkAccess(info, dirMode, s.uid)
	}
	if err != nil {
		return fmt.Errorf("use state directory %s: %w: correct that, or name a directory inside it, which the exporter creates", s.dir, err)
	}
	return do(root)
}

func (s *Store) create() error {
	err := os.Mkdir(s.dir, dirMode)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist): // another process was faster
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("create state directory %s: its parent directory does not exist: create that, or name a directory in one that exists", s.dir)
	}
	return fmt.Errorf("create state directory: %w", err)
}

// replace writes the file under another name first, so that the one under its own
// name is always whole. The module google/renameio does that too, but not on
// Windows. Locking, removing the leftovers of interrupted writes and syncing the
// directory would still be needed here.
func replace(root *os.Root, name string, data []byte) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // nothing is written through it
	lockShared(dir)
	temp := "." + name + "." + rand.Text() + ".tmp"
	if err := write(root, temp, data); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return syncDir(dir)
}

// write creates a file and syncs it, so that it survives a loss of power.
func write(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

func (s *Store) load(root *os.Root, accountID string) (*inventory.Snapshot, error) {
	data, err := s.read(root, fileName(accountID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var snapshot *inventory.Snapshot
	if err == nil {
		snapshot, err = decode(accountID, data)
	}
	if err != nil {
		return nil, fmt.Errorf("ignore state file %s until the next save replaces it: %w", s.path(accountID), err)
	}
	return snapshot, nil
}

// read reads a file that nobody else can have written.
func (s *Store) read(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name) // opening could follow a link, or block on a pipe
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is %s, want a regular file", kind(info.Mode()))
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := checkAccess(info, fileMode, s.uid); err != nil {
		return nil, err
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("it has %d bytes, want at most %d", info.Size(), maxSize)
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

func kind(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeNamedPipe:
		return "a named pipe"
	}
	return "a special file"
}

// removeLeftovers removes the files of writes that never ended. While another
// process is writing they all stay, since nothing in their names says whose they
// are.
func (s *Store) removeLeftovers(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("use state directory %s: %w", s.dir, err)
	}
	defer dir.Close() //nolint:errcheck // nothing is written through it
	if !lockAlone(dir) {
		return nil
	}
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return fmt.Errorf("list state directory %s: %w", s.dir, err)
	}
	leftover := regexp.MustCompile(`^\.([0-9]{12}|` + watchlistName + `)\.json\.[A-Z2-7]+\.tmp$`)
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !leftover.MatchString(entry.Name()) {
			continue
		}
		if err := root.Remove(entry.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an interrupted write has left in state directory %s: %w", s.dir, err)
		}
	}
	return nil
}
