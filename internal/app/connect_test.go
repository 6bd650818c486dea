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
