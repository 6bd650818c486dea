// Package cloudformation has no code: its tests hold the template to the program.
package cloudformation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/app"
)

const (
	hubRole        = "arn:aws:iam::111111111111:role/aws-iam-exporter-hub"
	organizationID = "o-a1b2c3d4e5"
	accountID      = "222222222222"
	roleName       = "audit/aws-iam-exporter"
)

// TestTemplate checks that the role is the one that the exporter asks for, and that
// its policies are those that the exporter prints.
func TestTemplate(t *testing.T) {
	for name, test := range map[string]struct{ externalID, userTags, defaults, rest string }{
		"plain":                  {userTags: "no"},
		"with an external id":    {userTags: "no", externalID: "Z9-example", defaults: ", external_id: Z9-example"},
		"with the tags of users": {userTags: "yes", rest: "owner_tags: [Owner]\n"},
		"with both":              {userTags: "yes", externalID: "Z9-example", defaults: ", external_id: Z9-example", rest: "owner_tags: [Owner]\n"},
		"with tags of accounts":  {userTags: "no", rest: "account_tags: [Owner]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			role := resolved(t, map[string]string{
				"HubRole": hubRole, "OrganizationId": organizationID, "ExternalId": test.externalID, "UserTags": test.userTags,
				"AWS::Partition": "aws", "AWS::AccountId": accountID,
			})
			if got := strings.TrimPrefix(role.Path, "/") + role.RoleName; got != roleName {
				t.Errorf("got role %s, want %s", got, roleName)
			}
			file := filepath.Join(t.TempDir(), "config.yml")
			content := fmt.Sprintf("account_defaults: {role: %s%s}\norganization: {}\n%s", roleName, test.defaults, test.rest)
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			compare(t, role.Trust, file, "--trust", "--hub-role="+hubRole, "--organization-id="+organizationID)
			if len(role.Policies) != 1 {
				t.Fatalf("got %d policies, want one", len(role.Policies))
			}
			compare(t, role.Policies[0].Document, file, "--account-id="+accountID)
		})
	}
}

type role struct {
	RoleName string `yaml:"RoleName"`
	Path     string `yaml:"Path"`
	Trust    any    `yaml:"AssumeRolePolicyDocument"`
	Policies []struct {
		Document any `yaml:"PolicyDocument"`
	} `yaml:"Policies"`
}

// compare holds a document to what iam-policy prints.
func compare(t *testing.T, got any, configFile string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"iam-policy", "--for=member", "--config.file=" + configFile}, args...)
	if exit := app.Run(t.Context(), args, &stdout, &stderr); exit != 0 {
		t.Fatalf("%q: exit code %d: %s", args, exit, &stderr)
	}
	var want any
	if err := json.Unmarshal(stdout.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-printed +template):\n%s", args, diff)
	}
}

// resolved returns the template's role as CloudFormation makes it of the parameters.
func resolved(t *testing.T, parameters map[string]string) role {
	t.Helper()
	text, err := os.ReadFile("member.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]any       `yaml:"Parameters"`
		Conditions map[string]yaml.Node `yaml:"Conditions"`
		Resources  map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for name := range template.Parameters {
		if _, given := parameters[name]; !given {
			t.Fatalf("parameter %s is not given", name)
		}
	}
	r := resolver{parameters: parameters, conditions: map[string]bool{}}
	for name, condition := range template.Conditions {
		r.conditions[name] = r.value(t, &condition) == true
	}
	found := template.Resources["Role"]
	if found.Type != "AWS::IAM::Role" || len(template.Resources) != 1 {
		t.Fatalf("got %d resources, want a role and nothing else", len(template.Resources))
	}
	properties, err := yaml.Marshal(r.value(t, &found.Properties))
	if err != nil {
		t.Fatal(err)
	}
	var is role
	if err := yaml.Unmarshal(properties, &is); err != nil {
		t.Fatal(err)
	}
	return is
}

// resolver does what CloudFormation does with the functions that the template has.
type resolver struct {
	parameters map[string]string
	conditions map[string]bool
}

// noValue takes away what it stands for.
type noValue struct{}

func (r resolver) value(t *testing.T, node *yaml.Node) any {
	switch node.Tag {
	case "!Ref":
		if node.Value == "AWS::NoValue" {
			return noValue{}
		}
		value, known := r.parameters[node.Value]
		if !known {
			t.Fatalf("line %d: !Ref of %s", node.Line, node.Value)
		}
		return value
	case "!Sub":
		text := node.Value
		for name, value := range r.parameters {
			text = strings.ReplaceAll(text, "${"+name+"}", value)
		}
		return text
	case "!If":
		if r.conditions[node.Content[0].Value] {
			return r.value(t, node.Content[1])
		}
		return r.value(t, node.Content[2])
	case "!Not":
		return r.value(t, node.Content[0]) == false
	case "!Equals":
		return r.value(t, node.Content[0]) == r.value(t, node.Content[1])
	}
	return r.plain(t, node)
}

func (r resolver) plain(t *testing.T, node *yaml.Node) any {
	switch node.Kind {
	case yaml.MappingNode:
		all := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			if value := r.value(t, node.Content[i+1]); value != any(noValue{}) {
				all[node.Content[i].Value] = value
			}
		}
		return all
	case yaml.SequenceNode:
		all := []any{}
		for _, element := range node.Content {
			if value := r.value(t, element); value != any(noValue{}) {
				all = append(all, value)
			}
		}
		return all
	case yaml.ScalarNode:
		if strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
			t.Fatalf("line %d: function %s", node.Line, node.Tag)
		}
		return node.Value
	}
	t.Fatalf("line %d: unexpected node", node.Line)
	return nil
}
