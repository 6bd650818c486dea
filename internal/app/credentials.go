package app

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// explained finds credentials, and says what the SDK does not if there are none:
// it passes over files that it cannot read and over halves of key pairs.
type explained struct {
	aws.CredentialsProvider
	places places
}

// Retrieve implements aws.CredentialsProvider.
func (e explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := e.CredentialsProvider.Retrieve(ctx)
	return found, e.places.explain(err)
}

// places are where the SDK looks for credentials.
type places struct {
	env    config.EnvConfig
	shared config.SharedConfig
	sso    string // the profile that signs in by SSO; empty for none
}

// placesOf returns the places of a configuration, or of one that could not be
// loaded, which is empty.
func placesOf(cfg aws.Config) places {
	var p places
	p.env, _ = config.NewEnvConfig() // what is wrong with it has kept the configuration from being loaded
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			p.shared = shared
		}
	}
	for profile := &p.shared; profile != nil; profile = profile.Source {
		if profile.SSOSession != nil || profile.SSOAccountID != "" {
			p.sso = profile.Profile
		}
	}
	return p
}

// explain adds to a failure to find credentials what is wrong in the places.
func (p places) explain(err error) error {
	if err == nil {
		return nil
	}
	if p.sso != "" && isSSOOver(err) {
		return &awsapi.Advised{Err: err, Do: "run `aws sso login --profile " + p.sso + "` as the exporter's user"}
	}
	if awsapi.Code(err) != "" { // somebody has answered, so something was found
		return err
	}
	if missing, has := p.halfPair(); missing != "" {
		return &awsapi.Advised{Err: err, Say: has + ", " + missing + " is not", Do: "give both halves of the key pair, or neither"}
	}
	if files, problems := p.unreadable(); len(files) > 0 {
		return &awsapi.Advised{
			Err: fmt.Errorf("%s: %w", strings.Join(problems, ", "), err),
			Do:  "let the exporter's user read " + strings.Join(files, " and ") + ", if that is where credentials are",
		}
	}
	return err
}

// isSSOOver reports whether a failure means that somebody has to sign in.
func isSSOOver(err error) bool {
	var invalid *ssocreds.InvalidTokenError
	return errors.As(err, &invalid) || awsapi.Code(err) == "UnauthorizedException" || strings.Contains(err.Error(), "cached SSO token")
}

// files are the SDK's two files.
func (p places) files() []string {
	return []string{
		cmp.Or(p.env.SharedCredentialsFile, config.DefaultSharedCredentialsFilename()),
		cmp.Or(p.env.SharedConfigFile, config.DefaultSharedConfigFilename()),
	}
}

// unreadable returns the files that cannot be read, and why. One that is not there
// is a mistake only if somebody has named it.
func (p places) unreadable() (files, problems []string) {
	named := []string{p.env.SharedCredentialsFile, p.env.SharedConfigFile, p.env.WebIdentityTokenFilePath}
	for _, file := range append(p.files(), p.env.WebIdentityTokenFilePath) {
		if file == "" {
			continue
		}
		_, err := os.ReadFile(file)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || slices.Contains(named, file)) {
			files, problems = append(files, file), append(problems, err.Error())
		}
	}
	return files, problems
}

// halfPair returns which half of a key pair is missing and where the other is;
// empty if there is no half.
func (p places) halfPair() (missing, has string) {
	const id, secret = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
	hasID := cmp.Or(os.Getenv(id), os.Getenv("AWS_ACCESS_KEY")) != "" // the SDK knows the older names, too
	hasSecret := cmp.Or(os.Getenv(secret), os.Getenv("AWS_SECRET_KEY")) != ""
	switch {
	case hasID && !hasSecret:
		return secret, id + " is set"
	case hasSecret && !hasID:
		return id, secret + " is set"
	}
	for shared := &p.shared; shared != nil; shared = shared.Source {
		profile := cmp.Or(shared.Profile, p.env.SharedConfigProfile, "default")
		for _, file := range p.files() {
			if missing, has := halfPairIn(file, profile); missing != "" {
				return missing, fmt.Sprintf("in %s %s of profile %s is set", file, has, profile)
			}
		}
	}
	return "", ""
}

// halfPairIn looks for half a key pair of the profile in a file of the SDK.
func halfPairIn(file, profile string) (missing, has string) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", ""
	}
	const id, secret = "aws_access_key_id", "aws_secret_access_key"
	found, inside := map[string]bool{}, false
	for lines := bufio.NewScanner(strings.NewReader(string(content))); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if section, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ := strings.Cut(section, "]")
			inside = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "profile ")) == profile
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		found[key] = found[key] || inside && strings.TrimSpace(value) != ""
	}
	switch {
	case found[id] && !found[secret]:
		return secret, id
	case found[secret] && !found[id]:
		return id, secret
	}
	return "", ""
}
