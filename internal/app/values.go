package app

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
)

// value is a flag's value whose errors name the flag and say what is wanted;
// kingpin's own do not.
type value struct {
	kingpin.Value
	flag, want string
}

// Set takes the value from the command line or the environment.
func (v value) Set(text string) error {
	if err := v.Value.Set(text); err != nil {
		return fmt.Errorf("flag --%s: got %q, want %s", v.flag, text, v.want)
	}
	return nil
}

func durationFlag(app *kingpin.Application, name, defaultValue, help string, target *model.Duration) *kingpin.FlagClause {
	flag := app.Flag(name, help).Default(defaultValue)
	flag.SetValue(value{target, name, "a duration such as 30s, 5m, 12h or 90d"})
	return flag
}

func numberFlag(app *kingpin.Application, name, defaultValue, help string, target *float64) *kingpin.FlagClause {
	flag := app.Flag(name, help).Default(defaultValue)
	flag.SetValue(value{(*number)(target), name, "a number"})
	return flag
}

// countFlag declares a flag that is a number from 1 to most.
func countFlag(app *kingpin.Application, name, defaultValue, help string, most int, target *int) {
	flag := app.Flag(name, help).Default(defaultValue)
	flag.SetValue(value{count{target, most}, name, fmt.Sprintf("a whole number from 1 to %d", most)})
}

// declarer declares flags: the application, or one of its commands.
type declarer interface {
	Flag(name, help string) *kingpin.FlagClause
}

// choiceFlag declares a flag with a closed list of values, the default first.
func choiceFlag[T ~string](of declarer, name, help string, target *string, among ...T) {
	c := choice{target: target}
	for _, one := range among {
		c.among = append(c.among, string(one))
	}
	of.Flag(name, help).Default(c.among[0]).SetValue(value{c, name, "one of " + strings.Join(c.among, ", ")})
}

func boolFlag(of declarer, name, defaultValue, help string, target *bool) {
	of.Flag(name, help).Default(defaultValue).SetValue(boolValue{value{(*boolean)(target), name, "true or false"}})
}

// given notes which flags were given, even if with their default values. Kingpin
// knows only about the command line.
type given map[string]*bool

// note makes kingpin note whether the flag is given.
func (g given) note(name string, flag *kingpin.FlagClause) {
	g[name] = new(bool)
	flag.IsSetByUser(g[name])
}

// has reports whether the flag was given, on the command line or by the
// environment.
func (g given) has(app *kingpin.Application, name string) bool {
	value, set := os.LookupEnv(app.GetFlag(name).Model().Envar)
	return *g[name] || set && value != ""
}

type number float64

func (n *number) String() string { return strconv.FormatFloat(float64(*n), 'g', -1, 64) }

func (n *number) Set(text string) (err error) {
	*(*float64)(n), err = strconv.ParseFloat(text, 64)
	return err
}

type integer int

func (i *integer) String() string { return strconv.Itoa(int(*i)) }

func (i *integer) Set(text string) (err error) {
	*(*int)(i), err = strconv.Atoi(text)
	return err
}

// shard is a number from 0 on, be it that at the end of the host's name.
type shard struct {
	target   *int
	hostname func() (string, error)
}

// auto stands for the number at the end of the host's name.
const auto = "auto"

// ordinal matches the number at the end of a host's name, as the pods of a
// StatefulSet have it; a domain may come after it.
var ordinal = regexp.MustCompile(`^[^.]*-([0-9]+)(\..*)?$`)

func (s shard) String() string { return strconv.Itoa(*s.target) }

func (s shard) Set(text string) error {
	if text == auto {
		return s.setByHost()
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("flag --shard: got %q, want a whole number from 0 on, or auto", text)
	}
	*s.target = int(n) //nolint:gosec // it has 31 bits
	return nil
}

func (s shard) setByHost() error {
	host, err := s.hostname()
	if err != nil {
		return fmt.Errorf("flag --shard: got auto, want a number from 0 on, since the host's name cannot be read: %w", err)
	}
	number := ordinal.FindStringSubmatch(host)
	if number == nil {
		return fmt.Errorf("flag --shard: got auto on host %q, want a number from 0 on, or a host's name with one at its end, such as exporter-2", host)
	}
	return s.Set(number[1])
}

type count struct {
	target *int
	most   int
}

func (c count) String() string { return strconv.Itoa(*c.target) }

func (c count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	if n < 1 || n > c.most {
		return fmt.Errorf("%d is not from 1 to %d", n, c.most)
	}
	*c.target = n
	return nil
}

type choice struct {
	target *string
	among  []string
}

func (c choice) String() string { return *c.target }

func (c choice) Set(text string) error {
	if !slices.Contains(c.among, text) {
		return fmt.Errorf("%q is not among %q", text, c.among)
	}
	*c.target = text
	return nil
}

// boolValue is a value that kingpin lets be omitted, and turned off by "no-" before
// the flag's name.
type boolValue struct{ value }

func (boolValue) IsBoolFlag() bool { return true }

type boolean bool

func (b *boolean) String() string { return strconv.FormatBool(bool(*b)) }

func (b *boolean) Set(text string) (err error) {
	*(*bool)(b), err = strconv.ParseBool(text)
	return err
}
