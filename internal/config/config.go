// Package config reads the configuration file. It is strict, so that nothing in
// the file is silently ignored, and reports every mistake at once, so that nobody
// has to correct them one by one.
package config

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// maxSize is the most bytes that a configuration file may have.
const maxSize = 1 << 20

// Config is a configuration file, read and checked.
type Config struct {
	File   string // its name, for errors; empty if there is none
	Policy *policy.Policy

	// Accounts are in the order of the file, or nil; Organization is nil if it has
	// none. Without either, Own alone is watched.
	Accounts     []Account
	Organization *Organization
	Own          Account // that of the exporter's own credentials; without an id and a name

	Sessions  awsapi.Sessions // for the accounts' roles; zero without accounts and organization
	Partition string          // that the ARNs of roles name; empty if there are none
}

// Defaults are what counts where the file says nothing. The source of tags is not
// used.
type Defaults struct {
	Limits   policy.Limits
	Settings Settings
}

// WithoutFile returns what counts where there is no file.
func WithoutFile(defaults Defaults) *Config {
	return &Config{Policy: policy.WithLimits(defaults.Limits), Own: Account{Settings: defaults.Settings}}
}

// Load reads the file as Parse does. Its errors name the file.
func Load(file string, defaults Defaults) (*Config, error) {
	content, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(file, content, defaults)
}

// LoadFrom reads what the reader holds as Parse does. The name stands for it in
// errors.
func LoadFrom(name string, r io.Reader, defaults Defaults) (*Config, error) {
	content, err := readBounded(r)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("read configuration: %w", noBytes(name))
	}
	return Parse(name, content, defaults)
}

// readFile returns the content of the file. A pipe will do, but must not block:
// waiting for a writer would keep the exporter from starting, reloading and
// stopping. Nor does a pipe without a writer count as an empty file: that would
// drop the policy. Nothing else can be a configuration, be it as empty as /dev/null.
func readFile(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	isPipe := info.Mode()&fs.ModeNamedPipe != 0
	if info.Mode()&(fs.ModeDevice|fs.ModeSocket|fs.ModeIrregular) != 0 {
		return nil, fmt.Errorf("%s is a device or the like: name a file", file)
	}
	content, err := readBounded(f)
	switch {
	case err != nil || len(content) > 0:
		return content, err
	case isPipe:
		return nil, fmt.Errorf("%s is a pipe that nobody writes to: name a file", file)
	}
	return nil, noBytes(file) // perhaps it is being rewritten
}

// readBounded reads what Parse takes, and a little more of what it does not.
func readBounded(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxSize+1)) }

func noBytes(name string) error {
	return fmt.Errorf("%s is empty, want a configuration: to set nothing, write a comment into it", name)
}

// Parse reads the content of the file. The error holds every problem found, or the first hundred,
// each on a line of its own that begins with the file's name.
func Parse(file string, content []byte, defaults Defaults) (*Config, error) {
	if len(content) > maxSize {
		return nil, fmt.Errorf("%s: got more than %d bytes, want no more", file, maxSize)
	}
	d := newDocument(file)
	var f format
	d.read(content, &f)
	c := &Config{File: file, Policy: d.policy(&f, defaults.Limits), Own: Account{Settings: defaults.Settings}}
	if c.Policy.NeedsTags() {
		c.Own.Settings.Tags = cmp.Or(awsapi.TagSource(f.TagsFrom), awsapi.TagSources()[0])
	}
	d.accounts(&f, defaults.Settings, c)
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}
