package app

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"

	_ "embed"
)

// flagManPage is kingpin's, whose own page is none that man formats well.
const flagManPage = "--help-man"

//go:embed help.tmpl
var helpTemplate string

//go:embed manpage.tmpl
var manPageTemplate string

// explain has help be ours: of a command, its own flags come first, then those of all
// commands that do something for it.
func explain(app *kingpin.Application) {
	app.UsageTemplate(helpTemplate).UsageFuncs(template.FuncMap{
		"Used": usedBy, "Roff": roff, "Version": func() string { return version.Version },
		"Day": func() string { day, _, _ := strings.Cut(version.BuildDate, "T"); return day },
	})
}

// writeManPage prints the manual page in man's own language.
func writeManPage(app *kingpin.Application, to io.Writer) error {
	context, err := app.ParseContext(nil) // names the environment variables
	if err != nil {
		return fmt.Errorf("write the manual page: %w", err)
	}
	return app.UsageWriter(to).UsageForContextWithTemplate(context, 2, manPageTemplate)
}

// usedBy returns those of the flags of all commands that do something for the
// command.
func usedBy(name string, all []*kingpin.FlagModel) []*kingpin.FlagModel {
	var uses []string
	for _, c := range commands() {
		if c.name == name {
			uses = c.uses
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(f *kingpin.FlagModel) bool {
		return !slices.ContainsFunc(uses, func(use string) bool {
			return f.Name == use || strings.HasSuffix(use, ".") && strings.HasPrefix(f.Name, use)
		})
	})
}

// roff writes a text in man's language, in which a backslash, a hyphen and a line's first
// dot or quote mean something.
func roff(text string) string {
	var out strings.Builder
	start := true // of a line
	for _, r := range text {
		switch {
		case start && (r == '.' || r == '\''):
			out.WriteString(`\&`)
			out.WriteRune(r)
		case r == '\\':
			out.WriteString(`\e`)
		case r == '/': // where a long address may go on in the next line
			out.WriteString(`/\:`)
		case r == '-':
			out.WriteString(`\-`)
		case r == '`':
			out.WriteString(`\(ga`)
		case r == '\'':
			out.WriteString(`\(aq`)
		case r == '"':
			out.WriteString(`\(dq`)
		case r == '~':
			out.WriteString(`\(ti`)
		case r == '^':
			out.WriteString(`\(ha`)
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&out, `\[u%04X]`, r)
		default:
			out.WriteRune(r)
		}
		start = r == '\n'
	}
	return out.String()
}
