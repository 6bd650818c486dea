package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found returns what the pattern's group matches, sorted, each once.
func found(pattern, text string) []string {
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestImageKnowsItsVersion checks that the image is built with all that the binary is,
// and that make and Compose pass it on.
func TestImageKnowsItsVersion(t *testing.T) {
	makefile, dockerfile := readDoc(t, "Makefile"), readDoc(t, "Dockerfile")
	const variables = `-X \$[({](?:version|pkg)[)}]\.(\w+)=`
	if diff := cmp.Diff(found(variables, makefile), found(variables, dockerfile)); diff != "" {
		t.Errorf("what the Makefile (-) and the Dockerfile (+) tell the program differ:\n%s", diff)
	}
	want := found(`(?m)^ARG (\w+)=`, dockerfile)
	if len(want) != 4 {
		t.Errorf("the Dockerfile has the arguments %v, want four", want)
	}
	_, line, _ := strings.Cut(makefile, "BUILD_ARGS")
	line, _, _ = strings.Cut(line, "\n")
	for place, got := range map[string][]string{
		"BUILD_ARGS of the Makefile":  found(`(\w+)='`, line),
		"deploy/compose/compose.yaml": found(`(?m)^        ([A-Z_]+): \$\{[A-Z_]+:-unknown\}$`, readDoc(t, "deploy/compose/compose.yaml")),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: other arguments than the Dockerfile's: -want +got:\n%s", place, diff)
		}
	}
	build, _, _ := strings.Cut(dockerfile, "\nFROM scratch")
	for _, arg := range want {
		if !strings.Contains(build, "\nARG "+arg+"=") || !strings.Contains(build, "=${"+arg+"}") {
			t.Errorf("the Dockerfile does not build with %s", arg)
		}
	}
}

// TestMakeWithoutDocker says what to install before anything else is tried.
func TestMakeWithoutDocker(t *testing.T) {
	for name, test := range map[string]struct {
		docker string // a script in its place; empty for none
		want   map[string]string
	}{
		"no Docker": {"", map[string]string{
			"demo-stack": "Docker is needed, and is not in PATH: see https://docs.docker.com/", "image": "Docker is needed, and is not in PATH: see https://docs.docker.com/",
		}},
		"no Compose": {`test "$1" = info`, map[string]string{
			"demo-stack": "Docker Compose 2 is needed, the plugin that makes `docker compose` work: see https://docs.docker.com/compose/install/.",
		}},
		"no daemon": {`test "$1" = compose`, map[string]string{
			"demo-stack": "Docker is installed, but does not answer", "image": "Docker is installed, but does not answer",
		}},
	} {
		for target, want := range test.want {
			t.Run(name+"/"+target, func(t *testing.T) {
				dir := pathOf(t, "awk", "bash", "cat", "git", "go", "make", "sh")
				if test.docker != "" {
					if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+test.docker+"\n"), 0o755); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.CommandContext(t.Context(), "make", "-C", repository, "--no-print-directory", target)
				cmd.Env = append(os.Environ(), "PATH="+dir, "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=") // these are those of a make that runs the tests
				out, err := cmd.Output()
				if err == nil || !strings.HasPrefix(string(out), want) || strings.Contains(string(out), "localhost") {
					t.Errorf("got %v and %s, want it to fail and to say first %s", err, out, want)
				}
			})
		}
	}
}

// pathOf returns a directory with links to these programs, as far as they are there.
func pathOf(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range programs {
		file, err := exec.LookPath(program)
		if err != nil {
			continue // as the Makefile does
		}
		if err := os.Symlink(file, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
