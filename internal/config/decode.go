package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// document is a file being read: the line of everything in it, and its problems.
type document struct {
	file     string
	lines    map[string]int  // the line of each path that the file has
	broken   map[string]bool // paths with problems, and the paths above them
	problems []problem
}

// problem is one mistake.
type problem struct {
	line int // 0 if there is none
	path string
	text string
}

func newDocument(file string) *document {
	return &document{file: file, lines: map[string]int{"": 1}, broken: map[string]bool{}}
}

// has reports whether the file says anything at the path.
func (d *document) has(path string) bool { return d.lines[path] > 0 }

// fail notes a problem with what is at the path, or missing there.
func (d *document) fail(path, format string, args ...any) {
	at := path
	for !d.has(at) {
		at = above(at)
	}
	d.failAt(d.lines[at], path, format, args...)
}

// failAt notes a problem on the line. It shortens what the file says.
func (d *document) failAt(line int, path, format string, args ...any) {
	d.problems = append(d.problems, problem{line, shortened(path), fmt.Sprintf(format, allShortened(args)...)})
	for ; path != ""; path = above(path) {
		d.broken[path] = true
	}
}

// maxReported is how many problems are reported at once. Nobody reads more, and a
// file that is no configuration at all could have a hundred thousand.
const maxReported = 100

// err returns the problems in the order of the file; nil if there are none.
func (d *document) err() error {
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var all []error
	for i, p := range d.problems {
		if i == maxReported {
			all = append(all, fmt.Errorf("%s: and %d more problems", d.file, len(d.problems)-maxReported))
			break
		}
		text := d.file + ":" + strconv.Itoa(p.line) + ": "
		if p.path != "" {
			text += p.path + ": "
		}
		all = append(all, errors.New(text+p.text))
	}
	return errors.Join(all...)
}

// plainKeys are the keys that need no quotes in a path.
var plainKeys = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join returns the path of an entry: policy.classes, or tags["a key"].
func join(path, key string) string {
	switch {
	case !plainKeys.MatchString(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// above returns the path one level up; the empty one is the top.
func above(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// read decodes the content.
func (d *document) read(content []byte, into *format) {
	loader, err := yaml.NewLoader(bytes.NewReader(content))
	var root, second yaml.Node
	if err == nil {
		err = loader.Load(&root)
	}
	if errors.Is(err, io.EOF) {
		return // nothing but comments
	}
	if err == nil && isForeign(root.Content[0]) {
		d.fail("", "this is no configuration of the exporter, want %s", wanted(reflect.TypeFor[format]()))
		return // the rest would be problems too, and quote what nobody should see
	}
	if err == nil && !isNull(root.Content[0]) {
		d.decode("", root.Content[0], reflect.ValueOf(into).Elem())
	}
	if err == nil {
		err = loader.Load(&second)
	}
	switch {
	case err == nil:
		d.failAt(second.Line, "", "got a second document, want one in a file")
	case !errors.Is(err, io.EOF):
		d.failSyntax(err, content)
	}
}

// failSyntax notes that the content is not YAML.
func (d *document) failSyntax(err error, content []byte) {
	var syntax *yaml.LoadError
	if !errors.As(err, &syntax) {
		d.fail("", "not valid YAML: %q", err)
		return
	}
	line, text := syntax.Mark.Line, syntax.Message
	if line == 0 {
		line = lineOfUnreadable(content)
	}
	if syntax.ContextMsg != "" {
		text += fmt.Sprintf(" %s that begins on line %d", syntax.ContextMsg, syntax.ContextMark.Line)
	}
	text = strings.Join(strings.Fields(text), " ")
	if bytes.Contains(content, []byte("external_id")) { // the name may be the rest of one
		text = anchorName.ReplaceAllString(text, "anchor")
	}
	d.failAt(line, "", "not valid YAML: %s%s", text, hint(text))
}

// anchorName is the only text of the file that a message of YAML quotes.
var anchorName = regexp.MustCompile(`anchor '.*?'`)

// hint says what to do about common mistakes with unclear YAML messages.
func hint(text string) string {
	for _, known := range []struct{ said, hint string }{
		{"cannot start any token", "indent with spaces, not with tabs, and quote text that begins with @, ` or %"},
		{"unknown anchor", "quote text that begins with *"},
		{"scanning an alias", "quote text that begins with *"},
		{"scanning an anchor", "quote text that begins with &"},
		{"mapping values are not allowed", "check the indentation, and quote text that holds a colon and a space"},
	} {
		if strings.Contains(text, known.said) {
			return "; " + known.hint
		}
	}
	return ""
}

// lineOfUnreadable finds the first character that YAML does not allow.
func lineOfUnreadable(content []byte) int {
	at := bytes.IndexFunc(content, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r)
	})
	return 1 + bytes.Count(content[:max(at, 0)], []byte("\n"))
}

// isForeign reports whether the content is that of a file of another kind, such as
// text, or lines of which some happen to look like fields: /etc/shadow is YAML. A
// few names that could be misspelt fields are no sign of that.
func isForeign(top *yaml.Node) bool {
	if top.Kind == yaml.ScalarNode {
		return !isNull(top)
	}
	const few = 3
	if top.Kind != yaml.MappingNode || len(top.Content) == 0 {
		return false
	}
	known, plain := fieldsOf(reflect.TypeFor[format]()), true
	for i := 0; i < len(top.Content); i += 2 { // keys and values by turns
		key := top.Content[i].Value
		if slices.ContainsFunc(known, func(f field) bool { return f.name == key }) {
			return false
		}
		plain = plain && plainKeys.MatchString(key)
	}
	return !plain || len(top.Content) > 2*few
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// decode decodes the node into a value of the format.
func (d *document) decode(path string, n *yaml.Node, into reflect.Value) {
	if s, ok := into.Addr().Interface().(scalar); ok {
		d.decodeScalar(path, n, s)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(path, n, into.Elem())
	case reflect.Bool:
		if d.is(yaml.ScalarNode, path, n, into.Type()) {
			into.SetBool(strings.EqualFold(n.Value, "true"))
		}
	case reflect.Slice:
		if d.is(yaml.SequenceNode, path, n, into.Type()) {
			d.decodeList(path, n, into)
		}
	case reflect.Map:
		if d.is(yaml.MappingNode, path, n, into.Type()) {
			d.decodeMap(path, n, into)
		}
	case reflect.Struct:
		if d.is(yaml.MappingNode, path, n, into.Type()) {
			d.decodeFields(path, n, into)
		}
	}
}

// is reports whether the node can be of the type, and notes the problem if not.
// It refuses aliases and tags: a file of this size does not need them, and
// without them everything is what it looks like.
func (d *document) is(kind yaml.Kind, path string, n *yaml.Node, t reflect.Type) bool {
	must, mustHold := reflect.Zero(t).Interface().(filled)
	switch {
	case n.Kind != kind, n.Style&yaml.TaggedStyle != 0, t.Kind() == reflect.Bool && n.Tag != "!!bool":
		got := shown(n)
		if n.Kind == yaml.ScalarNode && kind != yaml.ScalarNode && mayHoldSecret(path) && !isNull(n) {
			got = "text" // which may hold what belongs in a field of its own
		}
		d.fail(path, "got %s, want %s", got, wanted(t))
	case mustHold && len(n.Content) == 0:
		d.fail(path, "got none, want %s", must.atLeast())
	default:
		return true
	}
	return false
}

// mayHoldSecret reports whether external ids belong below the path.
func mayHoldSecret(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	top, _, _ = strings.Cut(top, "[")
	return top == "accounts" || top == "account_defaults" || top == "organization"
}

func (d *document) decodeScalar(path string, n *yaml.Node, s scalar) {
	_, asWritten := s.(unquoted)
	_, orNull := s.(nullable)
	got, value := shown(n), n.Value
	if isSecret(s) && !isNull(n) {
		got, value = hidden, hidden
	}
	switch {
	case orNull && isNull(n) && n.Style&yaml.TaggedStyle == 0 && n.Value != "": // written, not forgotten
	case n.Kind != yaml.ScalarNode, n.Style&yaml.TaggedStyle != 0, isNull(n):
		d.fail(path, "got %s, want %s", got, s.want())
	case n.Tag != "!!str" && !asWritten:
		d.fail(path, "got %s, which is not text, want %s, in quotes", value, s.want())
	case !s.set(n.Value):
		d.fail(path, "got %s, want %s", got, s.want())
	}
}

// hidden stands for a secret in an error.
const hidden = "a value that is not shown"

func isSecret(s any) bool {
	_, is := s.(secret)
	return is
}

func (d *document) decodeList(path string, n *yaml.Node, into reflect.Value) {
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := element(path, i)
		d.lines[at] = item.Line
		d.decode(at, item, into.Index(i))
	}
}

func (d *document) decodeMap(path string, n *yaml.Node, into reflect.Value) {
	into.Set(reflect.MakeMap(into.Type()))
	for _, p := range d.pairs(path, n) {
		key, value := reflect.New(into.Type().Key()), reflect.New(into.Type().Elem()).Elem()
		d.decodeScalar(p.path, p.key, key.Interface().(scalar))
		d.decode(p.path, p.value, value)
		into.SetMapIndex(key.Elem(), value)
	}
}

func (d *document) decodeFields(path string, n *yaml.Node, into reflect.Value) {
	known := fieldsOf(into.Type())
	for _, p := range d.pairs(path, n) {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == p.key.Value })
		if i < 0 {
			d.failField(path, p, into.Interface(), known)
			continue
		}
		d.decode(p.path, p.value, into.FieldByIndex(known[i].Index))
	}
	for _, f := range known {
		if at := join(path, f.name); f.required && !d.has(at) {
			d.fail(at, "missing, want %s", wanted(f.Type))
		}
	}
}

// failField notes a field that the mapping cannot have. A name without a value may
// be the rest of a secret: {external_id: a,b} is a mapping of two fields.
func (d *document) failField(path string, p pair, mapping any, known []field) {
	var instead string
	if l, ok := mapping.(lacking); ok {
		instead = l.instead()[p.key.Value]
	}
	holdsSecret := slices.ContainsFunc(known, func(f field) bool { return isSecret(reflect.New(f.Type).Interface()) })
	switch {
	case instead != "":
		d.fail(p.path, "got it, want %s", instead)
	case holdsSecret && isNull(p.value) && p.value.Value == "":
		d.failAt(p.key.Line, path, "unknown field without a value, which is not shown, want one of %s; quote an external_id that holds a comma or a colon", names(known))
	default:
		d.fail(p.path, "unknown field, want one of %s", names(known))
	}
}

// pair is one entry of a mapping.
type pair struct {
	path       string
	key, value *yaml.Node
}

// pairs returns the entries of the mapping whose keys are good, and notes
// problems with the others.
func (d *document) pairs(path string, n *yaml.Node) []pair {
	var all []pair
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		switch {
		case key.Tag == "!!merge":
			d.failAt(key.Line, path, "got the merge key <<, which is not supported, want the fields themselves")
		case key.Kind != yaml.ScalarNode, key.Tag != "!!str", key.Style&yaml.TaggedStyle != 0:
			d.failAt(key.Line, path, "got %s as a key, want text, in quotes if need be", shown(key))
		case d.has(at):
			d.failAt(key.Line, at, "got it twice, want it once; first on line %d", d.lines[at])
		default:
			d.lines[at] = key.Line
			all = append(all, pair{at, key, value})
		}
	}
	return all
}

// field is a field of the format.
type field struct {
	reflect.StructField
	name     string
	required bool
}

// fieldsOf returns the fields of a struct, those of embedded ones included.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		if name, options, ok := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			all = append(all, field{f, name, !ok || options != "omitempty"})
		}
	}
	return all
}

func names(fields []field) string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
	}
	return inventory.Listed(all)
}

// wanted says what a value of the type looks like.
func wanted(t reflect.Type) string {
	if s, ok := reflect.New(t).Interface().(scalar); ok {
		return s.want()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map:
		if t == reflect.TypeFor[accountTags]() {
			return "a mapping of tag keys to values"
		}
		return "a mapping of tag keys to globs"
	}
	return "a mapping with any of " + names(fieldsOf(t))
}

// shown says what the node is, for an error.
func shown(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "the alias *" + n.Value + ", which is not supported"
	case n.Style&yaml.TaggedStyle != 0:
		return "the tag " + strconv.Quote(n.Tag) + ", which is not supported"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case isNull(n):
		return "nothing"
	}
	return quoted(n.Value)
}

// quoted returns the text in quotes, without its end if it is long.
func quoted(text string) string {
	const most = 100
	return strconv.Quote(cut(text, most))
}

// longestText is how many characters of a text stand in a problem: more than any
// list of what is expected has.
const longestText = 400

func shortened(text string) string { return cut(text, longestText) }

// allShortened shortens the texts among the values.
func allShortened(values []any) []any {
	short := slices.Clone(values)
	for i, value := range values {
		if err, failed := value.(error); failed {
			short[i] = shortened(err.Error())
		} else if v := reflect.ValueOf(value); v.Kind() == reflect.String {
			short[i] = shortened(v.String())
		}
	}
	return short
}

// cut returns the text without its end if it has more than so many characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
