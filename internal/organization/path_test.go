package organization

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	orgID  = "o-exampleorgid"
	rootID = "r-ab12"
	prod   = "ou-ab12-11111111"
	team   = "ou-ab12-22222222"

	hubID   = "111111111111"
	aliceID = "222222222222"
	bobID   = "333333333333"
)

func TestParentsOf(t *testing.T) {
	right := orgID + "/" + rootID + "/" + prod + "/" + team + "/" + aliceID + "/"
	for name, test := range map[string]struct {
		paths []string
		want  []string
	}{
		"in a unit":                  {[]string{right}, []string{rootID, prod, team}},
		"in the root":                {[]string{orgID + "/" + rootID + "/" + aliceID + "/"}, []string{rootID}},
		"told twice":                 {[]string{right, right}, []string{rootID, prod, team}},
		"as AWS's documents have it": {[]string{orgID + "/r-examplerootid111/ou-examplerootid111-exampleouid111/" + aliceID + "/"}, []string{"r-examplerootid111", "ou-examplerootid111-exampleouid111"}},
		"told nothing":               {nil, nil},
		"an empty path":              {[]string{""}, nil},
		"slashes":                    {[]string{"////"}, nil},
		"no slash at the end":        {[]string{strings.TrimSuffix(right, "/")}, nil},
		"a slash at the start":       {[]string{"/" + right}, nil},
		"two slashes at the end":     {[]string{right + "/"}, nil},
		"no root":                    {[]string{orgID + "/" + aliceID + "/"}, nil},
		"a unit in place of a root":  {[]string{orgID + "/" + prod + "/" + aliceID + "/"}, nil},
		"no account":                 {[]string{orgID + "/" + rootID + "/" + prod + "/"}, nil},
		"another account":            {[]string{orgID + "/" + rootID + "/" + bobID + "/"}, nil},
		"another organization":       {[]string{"o-anotherorgid/" + rootID + "/" + aliceID + "/"}, nil},
		"capitals":                   {[]string{strings.ToUpper(right)}, nil},
		"a unit twice":               {[]string{orgID + "/" + rootID + "/" + prod + "/" + prod + "/" + aliceID + "/"}, nil},
		"two places":                 {[]string{right, orgID + "/" + rootID + "/" + aliceID + "/"}, nil},
		"one malformed":              {[]string{right, "x"}, nil},
		"a line break":               {[]string{right + "\n"}, nil},
		"too deep":                   {[]string{orgID + "/" + rootID + "/" + strings.Repeat(prod+"/", deepest+1) + aliceID + "/"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parentsOf(test.paths, orgID, aliceID)); diff != "" {
				t.Errorf("parents (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParsePath never takes a path for another one: what it reads makes the same
// path again.
func FuzzParsePath(f *testing.F) {
	for _, path := range []string{
		"", "/", "o-exampleorgid/r-ab12/111111111111/", "o-exampleorgid/r-ab12/ou-ab12-34567890/ou-ab12-45678901/111111111111/",
		"o-exampleorgid/r-ab12/111111111111", "o-exampleorgid//111111111111/", "o-exampleorgid/r-ab12/ou-ab12-34567890/",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, ok := parsePath(path)
		if !ok {
			if got := parentsOf([]string{path}, orgID, aliceID); got != nil {
				t.Errorf("parents in a path that is none: got %q", got)
			}
			return
		}
		if again := p.organization + "/" + strings.Join(p.parents, "/") + "/" + p.account + "/"; again != path {
			t.Errorf("path: got %q, want %q", again, path)
		}
		if len(p.parents) == 0 || len(p.account) != 12 {
			t.Errorf("got %+v, want a root and an account", p)
		}
		if got := parentsOf([]string{path}, p.organization, p.account); !cmp.Equal(got, p.parents) {
			t.Errorf("parents: got %q, want %q", got, p.parents)
		}
	})
}
