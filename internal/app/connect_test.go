package app

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsiam"
)

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestConnectNeedsNoRegion fetches credentials as IRSA does, where no region is
// configured: the call that fetches them must find its way as well.
func TestConnectNeedsNoRegion(t *testing.T) {
	forgetAWS(t)
	token := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(token, []byte("token"), 0o600))
	for name, value := range map[string]string{
		"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/exporter", "AWS_WEB_IDENTITY_TOKEN_FILE": token,
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	asked, host := "", ""
	client := doer(func(r *http.Request) (*http.Response, error) {
		asked, host = r.FormValue("Action"), r.URL.Host
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
	from, err := connectAWS(t.Context(), slog.New(slog.DiscardHandler), config.WithHTTPClient(client))
	check(t, err)
	if _, err = sts.NewFromConfig(from.config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err == nil {
		t.Error("got an answer, want the credentials refused")
	}
	if asked != "AssumeRoleWithWebIdentity" || host != "sts.us-east-1.amazonaws.com" {
		t.Errorf("asked %q for %q, want sts.us-east-1.amazonaws.com for AssumeRoleWithWebIdentity", host, asked)
	}
}

// forgetAWS has the SDK find nothing: no settings, and no files at home yet.
func forgetAWS(t *testing.T) (home string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config")) // the SDK has looked for its home before
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws", "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return home
}

// TestConnectSaysWhatIsWrong covers what the SDK passes over in silence, and what
// only a person can put right.
func TestConnectSaysWhatIsWrong(t *testing.T) {
	const sso = "[profile corp]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = exporter\n[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n" +
		"[profile legacy]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\nsso_account_id = 123456789012\nsso_role_name = exporter\n" +
		"[profile behind]\nsource_profile = corp\nrole_arn = " + role + "\n"
	const notSet = ", or a role of its machine or pod"
	for name, test := range map[string]struct {
		env, files map[string]string
		want       []string // in the message
	}{
		"nothing at all": {nil, map[string]string{".aws/config": "", ".aws/credentials": ""}, []string{"no usable credentials were found: none in the environment or a profile, and none from the machine (EC2's instance metadata): access disabled", "; give the exporter credentials: by AWS_ environment variables", notSet}},
		"no secret": {
			map[string]string{"AWS_ACCESS_KEY_ID": "AKIAHALF"},
			nil,
			[]string{"AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not; give both halves of the key pair, or neither"},
		},
		"no id": {
			map[string]string{"AWS_SECRET_ACCESS_KEY": "s3cr3t"},
			nil,
			[]string{"AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not; give both halves of the key pair, or neither"},
		},
		"no secret in a file": {
			map[string]string{"AWS_PROFILE": "p"},
			map[string]string{".aws/config": "[profile p]\naws_access_key_id = AKIAHALF\n[other]\naws_secret_access_key = s3cr3t\n"},
			[]string{"load AWS configuration: in $HOME/.aws/config aws_access_key_id of profile p is set, aws_secret_access_key is not; give both halves"},
		},
		"no id behind a role": {
			map[string]string{"AWS_PROFILE": "p"},
			map[string]string{".aws/config": "[profile p]\nrole_arn = " + role + "\nsource_profile = base\n", ".aws/credentials": "[base]\naws_secret_access_key = s3cr3t\n"},
			[]string{"load AWS configuration: ", "profile"},
		},
		"a file that is a directory": {
			map[string]string{"AWS_CONFIG_FILE": "$HOME"},
			nil,
			[]string{"read $HOME: is a directory", "$HOME, if that is where credentials are"},
		},
		"a named file that is not there": {
			map[string]string{"AWS_CONFIG_FILE": "$HOME/none", "AWS_PROFILE": "p"},
			nil,
			[]string{"open $HOME/none: no such file or directory", "let the exporter's user read $HOME/.aws/credentials and $HOME/none, if that is where credentials are"},
		},
		"a web identity token that is not there": {
			map[string]string{"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": "$HOME/token"},
			map[string]string{".aws/config": "", ".aws/credentials": ""},
			[]string{"open $HOME/token: no such file or directory", "let the exporter's user read $HOME/token"},
		},
		"SSO without a login":              {map[string]string{"AWS_PROFILE": "corp"}, map[string]string{".aws/config": sso}, []string{"; run `aws sso login --profile corp` as the exporter's user"}},
		"SSO of the old kind":              {map[string]string{"AWS_PROFILE": "legacy"}, map[string]string{".aws/config": sso}, []string{"; run `aws sso login --profile legacy` as the exporter's user"}},
		"SSO behind a role":                {map[string]string{"AWS_PROFILE": "behind"}, map[string]string{".aws/config": sso}, []string{"; run `aws sso login --profile corp` as the exporter's user"}},
		"a region that cannot be a region": {map[string]string{"AWS_REGION": "nowhere!"}, nil, []string{`load AWS configuration: got region "nowhere!", want one such as us-east-1; correct AWS_REGION`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := home{t, forgetAWS(t)}
			for variable, value := range test.env {
				t.Setenv(variable, strings.ReplaceAll(value, "$HOME", h.dir))
			}
			for file, content := range test.files {
				h.write(file, content)
			}
			text := failureToConnect(t)
			for _, want := range test.want {
				if want = strings.ReplaceAll(want, "$HOME", h.dir); !strings.Contains(text, want) {
					t.Errorf("got %q, want it to hold %q", text, want)
				}
			}
			if strings.Contains(text, "s3cr3t") || strings.Contains(text, "asks again") || strings.Contains(text, "this account") {
				t.Errorf("got %q", text)
			}
		})
	}
}

// failureToConnect is what is said at the start or, if the program starts, by the
// first call.
func failureToConnect(t *testing.T) string {
	t.Helper()
	client := doer(func(*http.Request) (*http.Response, error) { return nil, os.ErrDeadlineExceeded })
	from, err := connectAWS(t.Context(), slog.New(slog.DiscardHandler), config.WithHTTPClient(client))
	if err != nil {
		return err.Error()
	}
	aws := awsapi.New(from.config, awsapi.NewShared(1), awsapi.Options{Needs: awsapi.Needs{Source: awsapi.SourceAuto}, Rate: 1, Timeout: patience})
	_, err = aws.STS.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	return awsapi.Wrap(awsiam.GetCallerIdentity, "these credentials", err).Error()
}
