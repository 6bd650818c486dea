package config

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

var docsFile = filepath.Join("..", "..", "docs", "configuration.md")

// TestTableOfFields holds the table in docs/configuration.md to the format.
func TestTableOfFields(t *testing.T) {
	const begin, end = "<!-- fields: begin -->\n", "<!-- fields: end -->"
	text := read(t, docsFile)
	before, rest, opened := strings.Cut(text, begin)
	table, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("%s has no place for the table of fields", docsFile)
	}
	want := fieldTable()
	if *update {
		write(t, docsFile, before+begin+want+end+after)
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the table of fields is out of date; run go test ./internal/config -update: -want +got:\n%s", diff)
	}
}

func fieldTable() string {
	var b strings.Builder
	b.WriteString("| field | value | |\n| --- | --- | --- |\n")
	shown := map[reflect.Type]string{}
	for path, f := range everyField() {
		if strings.HasPrefix(path, "users.") && strings.Count(path, ".") > 1 {
			continue // conditions, which the table already has
		}
		if strings.HasPrefix(path, "organization.overrides[]") {
			continue // as in the list of accounts
		}
		about := f.Tag.Get("jsonschema")
		if f.required {
			about = "Required. " + about
		}
		if f.Type == reflect.TypeFor[match]() {
			shown[reflect.TypeFor[conditions]()] = path
		}
		b.WriteString("| `" + path + "` | " + prose(valueInWords(f.Type, shown)) + " | " + prose(about) + " |\n")
	}
	return b.String()
}

func valueInWords(t reflect.Type, shown map[reflect.Type]string) string {
	switch {
	case t == reflect.TypeFor[[]account]():
		return "a list of mappings as in accounts"
	case t.Kind() == reflect.Slice && shown[t.Elem()] != "":
		return "a list of mappings as in " + shown[t.Elem()] + ", but without account_name"
	case t.Kind() == reflect.Slice && holdsFields(t):
		return "a list of mappings"
	case t.Kind() == reflect.Slice:
		return "a list; each " + wanted(t.Elem())
	case holdsFields(t):
		return "a mapping"
	}
	return wanted(t)
}

// prose keeps Markdown from taking characters for its own.
func prose(text string) string {
	return regexp.MustCompile(`[_*<>|]`).ReplaceAllString(text, `\$0`)
}

// TestExamplesInDocs reads every example in docs/configuration.md as a file,
// and holds it to the schema that its first line names.
func TestExamplesInDocs(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, docsFile), -1)
	if len(examples) == 0 {
		t.Fatal("there is no example")
	}
	s := committed(t)
	for _, example := range examples {
		content := example[1]
		t.Run(strings.SplitN(content, "\n", 2)[0], func(t *testing.T) {
			if _, err := Parse("example", []byte(content), flags()); err != nil {
				t.Error(err)
			}
			seen, _ := seenByEditors(t, content)
			if err := s.Validate(seen); err != nil {
				t.Error(err)
			}
		})
	}
	if want := "# yaml-language-server: $schema=" + filepath.Base(schemaFile) + "\n"; !strings.HasPrefix(examples[0][1], want) {
		t.Errorf("the first example does not begin with %q", want)
	}
}

// TestExampleIsComplete finds fields that the first example leaves out, and those of
// an organization that its own does.
func TestExampleIsComplete(t *testing.T) {
	examples := strings.Split(read(t, docsFile), "```yaml\n")[1:]
	whole, _, _ := strings.Cut(examples[0], "```")
	i := slices.IndexFunc(examples, func(example string) bool { return strings.Contains(example, "\norganization:\n") })
	if i < 0 {
		t.Fatal("no example has an organization")
	}
	ofOrganization, _, _ := strings.Cut(examples[i], "```")
	for path, f := range everyField() {
		example := whole
		onlyThere := strings.HasPrefix(path, "organization") && !strings.HasPrefix(path, "organization.overrides[].") // as in the list of accounts
		if onlyThere || strings.HasSuffix(path, ".account_ou") {
			example = ofOrganization
		}
		if !regexp.MustCompile(`(?m)(^|[ {])`+f.name+`: `).MatchString(example) &&
			!strings.Contains(example, f.name+":\n") {
			t.Errorf("the example does not show %s", path)
		}
	}
}

// TestMessagesInDocs holds the messages that docs/configuration.md shows to those
// that the bad files get.
func TestMessagesInDocs(t *testing.T) {
	known := read(t, filepath.Join("testdata", "bad.txt"))
	shown := regexp.MustCompile(`(?m)^policy\.yml:\d+: (.+)$`).FindAllStringSubmatch(read(t, docsFile), -1)
	if len(shown) == 0 {
		t.Fatal("there is no message")
	}
	for _, message := range shown {
		if !strings.Contains(known, ": "+message[1]+"\n") {
			t.Errorf("no bad file gets the message %q", message[1])
		}
	}
}

// TestExemptionTagsInDocs reads the tag values that docs/configuration.md shows.
func TestExemptionTagsInDocs(t *testing.T) {
	values := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(read(t, docsFile), -1)
	if len(values) == 0 {
		t.Fatal("there is no example of an exemption tag")
	}
	for _, value := range values {
		if _, err := policy.ParseExemptionTag("ann", value[1]); err != nil {
			t.Errorf("%q: %v", value[1], err)
		}
	}
}
