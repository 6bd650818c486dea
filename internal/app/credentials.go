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
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

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
	if errors.As(err, &invalid) || awsapi.Code(err) == "UnauthorizedException" {
		return true
	}
	return strings.Contains(err.Error(), "cached SSO token") // profiles with an sso_session get an error of no type of its own
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
		profile := cmp.Or(shared.Profile, p.profile())
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

// placesIn returns the places where the credentials of the source were looked for.
func placesIn(from awsSource) places {
	if e, ok := from.config.Credentials.(explained); ok {
		return e.places
	}
	return places{}
}

// describe says which of the places gave credentials that the SDK calls by the
// source.
func (p places) describe(source string) string {
	profile := "profile " + p.profile()
	file, isFile := strings.CutPrefix(source, "SharedConfigCredentials: ")
	switch {
	case isFile:
		return profile + " in " + file
	case source == config.CredentialsSourceName:
		return "the environment (AWS_ACCESS_KEY_ID)"
	case source == stscreds.WebIdentityProviderName && p.env.WebIdentityTokenFilePath != "":
		return "a web identity, such as IRSA gives (AWS_WEB_IDENTITY_TOKEN_FILE, " + p.env.WebIdentityTokenFilePath + ")"
	case source == stscreds.WebIdentityProviderName:
		return profile + ", which gives a web identity"
	case source == stscreds.ProviderName:
		return profile + ", which assumes a role"
	case source == ssocreds.ProviderName:
		return profile + ", signed in by SSO"
	case source == processcreds.ProviderName:
		return profile + ", whose credential_process gave it"
	case source == endpointcreds.ProviderName:
		return "the container, by its task role or EKS Pod Identity (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI)"
	case source == ec2rolecreds.ProviderName:
		return "the machine, by its instance profile"
	}
	return cmp.Or(source, "a source without a name")
}

// profile returns the name of the profile in force.
func (p places) profile() string {
	return cmp.Or(p.shared.Profile, p.env.SharedConfigProfile, "default")
}

// lookedAt says where credentials were looked for, in the SDK's order.
func lookedAt(from awsSource) []string {
	p := placesIn(from)
	isSet := func(names ...string) string {
		for _, name := range names {
			if os.Getenv(name) != "" {
				return name + ", which is set"
			}
		}
		return names[0] + ", which is not set"
	}
	looked := []string{isSet("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY")}
	for _, file := range p.files() {
		state := "which gives none"
		if _, err := os.Stat(file); err != nil {
			state = "which cannot be read"
			if errors.Is(err, fs.ErrNotExist) {
				state = "which does not exist"
			}
		}
		looked = append(looked, fmt.Sprintf("profile %s in %s, %s", p.profile(), file, state))
	}
	looked = append(looked, isSet("AWS_WEB_IDENTITY_TOKEN_FILE"), isSet("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
	if p.env.EC2IMDSClientEnableState == imds.ClientDisabled {
		return append(looked, "the machine's instance profile, which AWS_EC2_METADATA_DISABLED forbids")
	}
	return append(looked, "the machine's instance profile, which gives none")
}
