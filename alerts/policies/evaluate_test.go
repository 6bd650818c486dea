package policies

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is an IAM policy, as far as the examples use the language. Reading
// refuses every element that is not here, so none is silently left out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    oneOrMore
	NotAction oneOrMore
	Resource  oneOrMore
	Condition map[string]map[string]oneOrMore // operator, key, values
}

// oneOrMore is a list that may be written as its only element.
type oneOrMore []string

func (l *oneOrMore) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

func load(t *testing.T, file string) document {
	t.Helper()
	content, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	decoder := json.NewDecoder(content)
	decoder.DisallowUnknownFields()
	var d document
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	return d
}

// request is what AWS knows of a call. A key that is not in the context is
// missing from the request, which is not the same as empty.
type request struct {
	action   string
	resource string
	context  map[string][]string
}

// decision is what a set of policies comes to.
type decision string

const (
	allowed  decision = "allowed"
	denied   decision = "denied"   // by a statement that says so
	unspoken decision = "unspoken" // nothing allows it
)

// decide follows AWS's order: first what denies, then what allows.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func decide(policies []document, r request) (decision, error) {
	result := unspoken
	for _, d := range policies {
		for _, s := range d.Statement {
			applies, err := s.applies(r)
			switch {
			case err != nil:
				return "", fmt.Errorf("evaluate statement %s: %w", s.Sid, err)
			case applies && s.Effect == "Deny":
				return denied, nil
			case applies && s.Effect == "Allow":
				result = allowed
			case s.Effect != "Deny" && s.Effect != "Allow":
				return "", fmt.Errorf("evaluate statement %s: no effect %q", s.Sid, s.Effect)
			}
		}
	}
	return result, nil
}

func (s *statement) applies(r request) (bool, error) {
	named := func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(r.action)) }
	if slices.ContainsFunc(s.NotAction, named) || len(s.NotAction) == 0 && !slices.ContainsFunc(s.Action, named) {
		return false, nil
	}
	ofResource := func(pattern string) bool {
		pattern, resolved := r.resolve(pattern)
		return resolved && (pattern == "*" || arnLike(pattern, r.resource))
	}
	if !slices.ContainsFunc(s.Resource, ofResource) {
		return false, nil
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			if holds, err := r.holds(operator, key, values); !holds || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// holds reports whether one condition is true. Where the key is missing a negated
// operator is true, one with IfExists too, and any other false.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (r *request) holds(operator, key string, patterns []string) (bool, error) {
	values, present := r.get(key)
	any, negated := false, false
	var match func(pattern, value string) bool
	switch operator {
	case "StringEquals":
		match = func(pattern, value string) bool { return pattern == value }
	case "StringNotEquals":
		match, negated = func(pattern, value string) bool { return pattern == value }, true
	case "ForAnyValue:StringEqualsIgnoreCase":
		match, any = strings.EqualFold, true
	case "ArnLike":
		match = arnLike
	case "ArnNotLike":
		match, negated = arnLike, true
	case "BoolIfExists":
		if !present {
			return true, nil
		}
		match = strings.EqualFold
	default:
		return false, fmt.Errorf("no operator %q", operator)
	}
	if !any && len(values) > 1 {
		return false, fmt.Errorf("%s: several values of %s", operator, key)
	}
	matched := slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			pattern, resolved := r.resolve(pattern)
			return resolved && match(pattern, value)
		})
	})
	return matched != negated, nil
}

// get returns the values of a key. Case does not tell the names of keys apart.
func (r *request) get(key string) ([]string, bool) {
	for name, values := range r.context {
		if strings.EqualFold(name, key) {
			return values, true
		}
	}
	return nil, false
}

// resolve puts values in the place of policy variables. Where one is missing
// from the request, the pattern matches nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (r *request) resolve(pattern string) (string, bool) {
	resolved := true
	pattern = regexp.MustCompile(`\$\{([^}]+)\}`).ReplaceAllStringFunc(pattern, func(variable string) string {
		values, present := r.get(variable[2 : len(variable)-1])
		if !present || len(values) != 1 {
			resolved = false
			return ""
		}
		return values[0]
	})
	return pattern, resolved
}

// arnLike compares the six parts of two ARNs one by one.
func arnLike(pattern, value string) bool {
	patterns, values := strings.SplitN(pattern, ":", 6), strings.SplitN(value, ":", 6)
	return len(patterns) == 6 && len(values) == 6 && slices.EqualFunc(patterns, values, like)
}

// like compares a text with a pattern in which * stands for any characters
// and ? for one.
func like(pattern, text string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(text)
}
