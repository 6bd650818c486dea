package app

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
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

func durationFlag(app *kingpin.Application, name, defaultValue, help string, target *time.Duration) *kingpin.FlagClause {
	flag := app.Flag(name, help).Default(defaultValue)
	flag.SetValue(value{(*model.Duration)(target), name, "a duration such as 30s, 5m, 12h or 90d"})
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
func choiceFlag[T ~string](of declarer, name, help string, target *T, among ...T) {
	of.Flag(name, help).Default(string(among[0])).SetValue(value{choice[T]{target, among}, name, "one of " + inventory.Listed(among)})
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

type choice[T ~string] struct {
	target *T
	among  []T
}

func (c choice[T]) String() string { return string(*c.target) }

func (c choice[T]) Set(text string) error {
	if !slices.Contains(c.among, T(text)) {
		return fmt.Errorf("%q is not among %q", text, c.among)
	}
	*c.target = T(text)
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
