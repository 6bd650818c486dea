package config

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

var schemaFile = filepath.Join("..", "..", "docs", "configuration.schema.json")

// TestSchema holds the committed JSON schema to the format.
func TestSchema(t *testing.T) {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		write(t, schemaFile, want.String())
	}
	if diff := cmp.Diff(want.String(), read(t, schemaFile)); diff != "" {
		t.Errorf("the JSON schema is out of date; run go test ./internal/config -update: -want +got:\n%s", diff)
	}
}

// schema describes the format for editors.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	types := scalarSchemas()
	for of, s := range map[reflect.Type]*jsonschema.Schema{
		typeOf[match]():      inferred[match](t, types),
		typeOf[conditions](): inferred[conditions](t, types),
	} {
		s.MinProperties = jsonschema.Ptr(1)
		s.Not = &jsonschema.Schema{Required: []string{"user_name", "user_name_regexp"}}
		types[of] = s
	}

	s := inferred[format](t, types)
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Configuration of aws_iam_exporter"
	s.Properties["owner_tags"].UniqueItems = true
	s.Properties["user_tags"].UniqueItems = true
	s.Properties["users"].Properties["include"].MinItems = jsonschema.Ptr(1)
	s.Properties["account_tags"].UniqueItems = true
	s.Properties["accounts"].MinItems = jsonschema.Ptr(1)
	describeOrganization(s)
	refuseNull(s)
	for _, accounts := range []*jsonschema.Schema{s, s.Properties["organization"]} {
		for _, name := range []string{"accounts", "overrides"} {
			if list := accounts.Properties[name]; list != nil {
				role := list.Items.Properties["role"]
				role.Type, role.Types = "", []string{"string", "null"}
			}
		}
	}
	return s
}

// describeOrganization says what an organization has to do with the rest of the file.
func describeOrganization(s *jsonschema.Schema) {
	accounts, organization := required("accounts"), required("organization")
	s.Not = required("accounts", "organization")
	s.DependentSchemas = map[string]*jsonschema.Schema{
		"account_defaults": {AnyOf: []*jsonschema.Schema{accounts, organization}},
		"account_tags":     {AnyOf: []*jsonschema.Schema{accounts, organization}},
		"organization": {
			Required:   []string{"account_defaults"},
			Properties: map[string]*jsonschema.Schema{"account_defaults": required("role")},
		},
	}
	include, exclude := s.Properties["organization"].Properties["include"], s.Properties["organization"].Properties["exclude"]
	include.MinItems, include.Items.MinProperties = jsonschema.Ptr(1), jsonschema.Ptr(1)
	exclude.Items.AnyOf = []*jsonschema.Schema{required("id"), required("ou"), required("tags")}
}

func required(names ...string) *jsonschema.Schema { return &jsonschema.Schema{Required: names} }

func inferred[T any](t *testing.T, types map[reflect.Type]*jsonschema.Schema) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scalarSchemas says of each scalar, and of what is made of them, what a type
// alone does not.
func scalarSchemas() map[reflect.Type]*jsonschema.Schema {
	text := func(pattern *regexp.Regexp) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern.String()}
	}
	key := func() *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1), MaxLength: jsonschema.Ptr(maxTagKey)}
	}
	id := func() *jsonschema.Schema {
		return &jsonschema.Schema{
			Types: []string{"string", "integer"}, Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(999999999999.0),
			Pattern: accountIDs.String(),
		}
	}
	external := text(externalIDs)
	external.MaxLength = jsonschema.Ptr(maxExternalID)
	names := text(classNames)
	names.Not = oneOf([]string{policy.DefaultClass, policy.UnknownClass})
	return map[reflect.Type]*jsonschema.Schema{
		typeOf[duration](): {
			Types: []string{"string", "integer"}, Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(0.0), MinLength: jsonschema.Ptr(1),
			Pattern: `^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`,
		},
		typeOf[date]():        text(regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`)),
		typeOf[accountID]():   id(),
		typeOf[idAlone]():     id(),
		typeOf[className]():   names,
		typeOf[userName]():    text(userNames),
		typeOf[userGlob]():    text(userGlobs),
		typeOf[pathGlob]():    text(pathGlobs),
		typeOf[expression]():  {Type: "string", MinLength: jsonschema.Ptr(1)},
		typeOf[reason]():      text(regexp.MustCompile(`\S`)),
		typeOf[tagKey]():      key(),
		typeOf[tagSource]():   oneOf(awsapi.TagSources()),
		typeOf[source]():      oneOf(awsapi.Sources()),
		typeOf[roleName]():    text(roleNames),
		typeOf[roleARN]():     text(roleARNs),
		typeOf[accountRole](): text(accountRoles),
		typeOf[externalID]():  external,
		typeOf[sessionName](): text(sessionNames),
		typeOf[accountName](): text(accountNames),
		typeOf[nameGlob]():    text(accountNames),
		typeOf[unit]():        text(units),
		typeOf[accountTags](): {
			Type: "object", MaxProperties: jsonschema.Ptr(maxAccountTags), PropertyNames: key(),
			AdditionalProperties: &jsonschema.Schema{Type: "string", MaxLength: jsonschema.Ptr(maxTagValue)},
		},
		typeOf[ruleList](): {Type: "array", Items: oneOf(policy.Rules()), MinItems: jsonschema.Ptr(1), UniqueItems: true},
		typeOf[tagConditions](): {
			Type: "object", MinProperties: jsonschema.Ptr(1), PropertyNames: key(),
			AdditionalProperties: &jsonschema.Schema{Type: "string", MaxLength: jsonschema.Ptr(maxTagValue)},
		},
	}
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func oneOf[T ~string](values []T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// refuseNull undoes the library's leave to write null for lists and pointers.
func refuseNull(s *jsonschema.Schema) {
	s.Types = slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" }) // copies share them
	if len(s.Types) == 1 {
		s.Type, s.Types = s.Types[0], nil
	}
	for _, p := range s.Properties {
		refuseNull(p)
	}
	if s.Items != nil {
		refuseNull(s.Items)
	}
}

// committed returns the schema that editors get.
func committed(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(read(t, schemaFile)), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// seenByEditors is the file as an editor hands it to the schema, and whether
// there is such a thing: syntax errors and second documents come before that.
func seenByEditors(t *testing.T, content string) (any, bool) {
	t.Helper()
	var root yaml.Node
	if err := yaml.Load([]byte(content), &root); err != nil {
		return nil, false
	}
	return plain(t, root.Content[0]), true
}

// plain returns the node as encoding/json would: unlike YAML 1.1, JSON has no dates.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.AliasNode:
		return plain(t, n.Alias)
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(t, item))
		}
		return list
	case yaml.MappingNode:
		mapping := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			mapping[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return mapping
	}
	if !slices.Contains([]string{"!!int", "!!float", "!!bool", "!!null"}, n.Tag) {
		return n.Value
	}
	var value any
	if err := n.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSchemaAcceptsGoodFiles also holds their links to the schema to its place.
func TestSchemaAcceptsGoodFiles(t *testing.T) {
	s := committed(t)
	for _, file := range goodFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content := read(t, file)
			seen, ok := seenByEditors(t, content)
			if !ok || seen == nil {
				return // an empty file, which editors do not check
			}
			if err := s.Validate(seen); err != nil {
				t.Error(err)
			}
			if link := regexp.MustCompile(`(?m)^# yaml-language-server: \$schema=(.+)$`).FindStringSubmatch(content); link != nil {
				if got := filepath.Join(filepath.Dir(file), link[1]); got != schemaFile {
					t.Errorf("it links to %s, want %s", got, schemaFile)
				}
			}
		})
	}
}

// onlyTheProgram holds the bad files that no schema can refuse, and why.
func onlyTheProgram() map[string]string {
	return map[string]string{
		"account-id-twice":            "ids compared among accounts",
		"class-twice":                 "names compared among classes",
		"defaults-of-no-use":          "defaults compared with all accounts",
		"duplicate-keys":              "YAML's own mistake, which editors tell without a schema",
		"exempt-account-number":       "a number has no leading zeros to count",
		"exempted-twice":              "exemptions compared with each other",
		"expressions":                 "the syntax of regular expressions",
		"external-id-beside-null":     "values compared with each other",
		"inherited-age":               "values compared with each other",
		"inherited-warning":           "values compared with each other",
		"intervals-inherited":         "values compared with each other",
		"intervals-of-defaults":       "values compared with flags",
		"keys-by-case":                "keys compared without case",
		"labels":                      "keys compared as labels",
		"limits":                      "values compared with each other",
		"long-duration":               "a number too large",
		"organization-override-twice": "ids compared among accounts",
		"organization-tags-not-read":  "keys compared with account_tags",
		"unit-without-organization":   "values compared with each other",
		"no-role":                     "accounts compared with the defaults",
		"no-such-day":                 "the calendar",
		"partitions":                  "values compared with each other",
		"role-forgotten":              "a schema cannot tell nothing from null",
		"role-of-another":             "values compared with each other",
		"role-path":                   "the length of a part",
		"root":                        "rules compared with the user",
		"two-own-accounts":            "accounts compared with each other",
		"warning-of-flags":            "values compared with flags",
	}
}

func TestSchemaRefusesBadFiles(t *testing.T) {
	s := committed(t)
	excused := onlyTheProgram()
	for _, file := range files(t, "testdata/*.bad.yml") {
		name := strings.TrimSuffix(filepath.Base(file), ".bad.yml")
		t.Run(name, func(t *testing.T) {
			seen, ok := seenByEditors(t, read(t, file))
			why, onlyProgram := excused[name]
			delete(excused, name)
			switch err := s.Validate(seen); {
			case !ok && onlyProgram:
				t.Error("it is no YAML document; take it off the list")
			case !ok:
			case err == nil && !onlyProgram:
				t.Error("the schema accepts it")
			case err != nil && onlyProgram:
				t.Errorf("the schema refuses it (%v), against the list (%s)", err, why)
			}
		})
	}
	for name := range excused {
		t.Errorf("there is no bad file %s", name)
	}
}
