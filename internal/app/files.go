package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// standardInput stands for the file's name in errors.
const standardInput = "standard input"

// largestFile is how many bytes are read of a file: more than the report of the
// largest account has as JSON, or a baseline of a thousand accounts.
const largestFile = 256 << 20

// readAtMost reads everything, unless there are more bytes than that. What is wanted
// stands in the error.
func readAtMost(from io.Reader, most int, want string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, int64(most)+1))
	if err == nil && len(content) > most {
		err = fmt.Errorf("got more than %d bytes, want %s", most, want)
	}
	return content, err
}

// relativePath returns the path of a file below the working directory, from there.
func relativePath(file string) (string, error) {
	if file == standardInput {
		return "", errors.New("standard input is no file of the checkout: name one with --sarif-location")
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(here, whole)
	if err != nil || !filepath.IsLocal(relative) {
		return "", fmt.Errorf("%s is not below the working directory, which should be that of the checkout: name a file that is with --sarif-location", file)
	}
	return filepath.ToSlash(relative), nil
}

// replaceFile writes a file that readers see as it was before, or whole. A link stays
// one, a file that others cannot read stays so, and what is no file is not replaced.
func replaceFile(file string, content []byte) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		if mode = info.Mode(); !mode.IsRegular() {
			return fmt.Errorf("%s is a directory, a device or the like: name a file", file)
		}
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode.Perm()), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
