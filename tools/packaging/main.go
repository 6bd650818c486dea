// Command packaging writes the alerts, recordings, dashboards and manifests with
// links, severities, labels and selectors of one's own, by way of the mixin.
//
//	go run . [-config FILE] -out DIRECTORY
//
// FILE is Jsonnet, which JSON is too: an object with any fields of _config in mixin.libsonnet.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-jsonnet"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("packaging", flag.ContinueOnError)
	flags.SetOutput(stderr)
	repository := flags.String("repository", "../..", "where mixin.libsonnet is")
	config := flags.String("config", "", "file with fields of _config; without it, what ships is written")
	out := flags.String("out", "", "directory to write to; made if it does not exist")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" || flags.NArg() > 0 {
		return errors.New("say where to write: -out DIRECTORY, and no other argument")
	}
	files, err := render(*repository, *config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return fmt.Errorf("make the directory to write to: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(*out, name), content, 0o644); err != nil {
			return fmt.Errorf("write what was rendered: %w", err)
		}
	}
	return nil
}

//go:embed render.jsonnet
var program string

// render returns the files by their names. An empty config stands for what ships.
func render(repository, config string) (map[string][]byte, error) {
	vm := jsonnet.MakeVM()
	vm.Importer(&jsonnet.FileImporter{JPaths: []string{repository}})
	if config != "" {
		text, err := vm.EvaluateFile(config)
		if err != nil {
			return nil, fmt.Errorf("read the configuration of the mixin: %w", err)
		}
		vm.TLACode("config", text)
	}
	text, err := vm.EvaluateAnonymousSnippet("render.jsonnet", program)
	if err != nil {
		return nil, fmt.Errorf("render the mixin: %w", err)
	}
	var documents map[string][]json.RawMessage
	if err := json.Unmarshal([]byte(text), &documents); err != nil {
		return nil, fmt.Errorf("read what the mixin renders to: %w", err)
	}
	files := map[string][]byte{}
	for name, all := range documents {
		if files[name], err = encode(name, all); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	return files, nil
}

// encode writes documents in the format of the file's name.
func encode(name string, documents []json.RawMessage) ([]byte, error) {
	if filepath.Ext(name) == ".json" {
		var b bytes.Buffer
		err := json.Indent(&b, documents[0], "", "  ")
		return append(b.Bytes(), '\n'), err
	}
	var all [][]byte
	for _, document := range documents {
		text, err := yaml.JSONToYAML(document)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return bytes.Join(all, []byte("---\n")), nil
}
