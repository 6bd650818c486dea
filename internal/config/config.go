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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

// maxSize is the most bytes that a configuration file may have.
const maxSize = 1 << 20

// soon is how long before its end Summary mentions an exemption.
const soon = 30 * 24 * time.Hour

// Config is a configuration file, read and checked.
type Config struct {
	Policy *policy.Policy
	// Tags is where the tags of users come from in an account that says nothing else,
	// such as the one of the exporter's own credentials; NoTags unless the policy needs
	// tags.
	Tags awsapi.TagSource

	// Accounts are in the order of the file, or nil; Organization is nil if it has
	// none. Without either, it is the account of the exporter's own credentials alone.
	Accounts     []Account
	Organization *Organization

	Sessions  awsapi.Sessions // for the accounts' roles; zero without accounts and organization
	Partition string          // that the ARNs of roles name; empty if there are none
}

// Defaults are what counts where the file says nothing. The source of tags is not
// used.
type Defaults struct {
	Limits   policy.Limits
	Settings Settings
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
	c := &Config{Policy: d.policy(&f, defaults.Limits)}
	if c.Policy.NeedsTags() {
		c.Tags = cmp.Or(awsapi.TagSource(f.TagsFrom), awsapi.TagSources()[0])
	}
	d.accounts(&f, defaults.Settings, c)
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Summary describes the configuration in a few lines, with the exemptions that
// have lapsed or soon will.
func (c *Config) Summary(now time.Time) string {
	var b strings.Builder
	b.WriteString("classes, the first that matches counts:\n")
	for _, class := range slices.Concat(c.Policy.Classes, []policy.Class{c.Policy.Default}) {
		fmt.Fprintf(&b, "  %s: %s\n", class.Name, limitsInWords(class.Limits))
	}
	if c.Tags == awsapi.NoTags {
		b.WriteString("tags: not read, nothing needs them\n")
	} else {
		fmt.Fprintf(&b, "tags: read by %s\n", c.Tags)
	}
	fmt.Fprintf(&b, "exemptions: %d\n", len(c.Policy.Exemptions))
	for _, e := range c.Policy.Exemptions {
		switch {
		case !e.InForce(now):
			fmt.Fprintf(&b, "  %s: lapsed, its last day was %s\n", exemptionInWords(e), policy.LastDay(e.Until))
		case !e.InForce(now.Add(soon)):
			fmt.Fprintf(&b, "  %s: lapses soon, its last day is %s\n", exemptionInWords(e), policy.LastDay(e.Until))
		}
	}
	if c.Policy.ExemptionTag != "" {
		fmt.Fprintf(&b, "  and those that users' tags %s hold\n", c.Policy.ExemptionTag)
	}
	b.WriteString("users with series of their own: " + chosenInWords(len(c.Policy.Users.Include), len(c.Policy.Users.Exclude)) + "\n")
	c.summarizeAccounts(&b)
	return b.String()
}

func limitsInWords(l policy.Limits) string {
	var words []string
	for _, limit := range []struct {
		name  string
		value time.Duration
	}{
		{"max_key_age", l.MaxKeyAge},
		{"rotation_warning", l.RotationWarning},
		{"max_key_idle", l.MaxKeyIdle},
		{"max_password_idle", l.MaxPasswordIdle},
		{"rotation_overlap", l.RotationOverlap},
		{"setup_window", l.SetupWindow},
	} {
		words = append(words, limit.name+" "+policy.InDays(limit.value))
	}
	return strings.Join(words, ", ")
}

func exemptionInWords(e policy.Exemption) string {
	text := e.UserName
	if e.Account != "" {
		text += " in " + e.Account
	}
	return text + " from " + listed(e.Rules)
}

// chosenInWords says who is chosen by so many includes and excludes.
func chosenInWords(includes, excludes int) string {
	text := "all"
	if includes > 0 {
		text = fmt.Sprintf("those that match one of %d under include", includes)
	}
	if excludes > 0 {
		text += fmt.Sprintf(", but for those that match one of %d under exclude", excludes)
	}
	return text
}

// listed joins words with commas.
func listed[T ~string](words []T) string {
	var text []string
	for _, word := range words {
		text = append(text, string(word))
	}
	return strings.Join(text, ", ")
}
