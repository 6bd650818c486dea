package app

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

// gate stands before AWS and lets in only the credentials of one generation, which
// their names end in. It also hands out sessions: for a key, a web identity token or
// an SSO token of that generation.
type gate struct {
	mu         sync.Mutex
	generation int
	worlds     []*awssim.World // by generation; the last one for all that come later
	signedBy   string          // the key id of the last request that AWS answered
}

func (g *gate) move(generation int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generation = generation
}

func (g *gate) lastKey() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.signedBy
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	form, _ := url.ParseQuery(string(body))
	suffix := fmt.Sprintf("GEN%d", g.generation)
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(signature, "/")
	switch action := form.Get("Action"); {
	case strings.HasPrefix(r.URL.Host, "portal.sso."):
		return g.signIn(r, strings.HasSuffix(r.Header.Get("X-Amz-Sso_bearer_token"), suffix), suffix)
	case action == "AssumeRoleWithWebIdentity" && strings.HasSuffix(strings.TrimSpace(form.Get("WebIdentityToken")), suffix):
		return answerOf(r, sessionOf(action, suffix)), nil
	case action == "AssumeRoleWithWebIdentity":
		return answerOf(r, awssim.Error(400, "ExpiredTokenException", "Token expired")), nil
	case !strings.HasSuffix(key, suffix):
		return answerOf(r, awssim.Error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")), nil
	case action == "AssumeRole":
		return answerOf(r, sessionOf(action, suffix)), nil
	}
	g.signedBy = key
	return g.worlds[min(g.generation, len(g.worlds)-1)].Transport().RoundTrip(r)
}

func (g *gate) signIn(r *http.Request, known bool, suffix string) (*http.Response, error) {
	return answerOf(r, func(w http.ResponseWriter, _ *http.Request) {
		if !known {
			w.Header().Set("X-Amzn-Errortype", "UnauthorizedException")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"Session token not found or invalid"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": "ASIASSOSSOSSO" + suffix, "secretAccessKey": "s", "sessionToken": "t",
			"expiration": time.Now().Add(time.Hour).UnixMilli(),
		}})
	}), nil
}

// sessionOf is STS's answer with a session of an hour.
func sessionOf(action, suffix string) http.HandlerFunc {
	return awssim.Raw(http.StatusOK, "text/xml", fmt.Sprintf(`<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>`+
		`<AccessKeyId>ASIASESSION%[2]s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration>`+
		`</Credentials></%[1]sResult></%[1]sResponse>`, action, suffix, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
}

func answerOf(r *http.Request, handler http.HandlerFunc) *http.Response {
	answer := httptest.NewRecorder()
	handler(answer, r)
	response := answer.Result()
	response.Request = r
	return response
}

// home is a home directory whose files a test rewrites.
type home struct {
	t   *testing.T
	dir string
}

func (h home) write(name, content string) {
	h.t.Helper()
	file := filepath.Join(h.dir, name)
	check(h.t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(h.t, os.WriteFile(file, []byte(strings.ReplaceAll(content, "$HOME", h.dir)), 0o600))
}

const role = "arn:aws:iam::123456789012:role/exporter"

// staticKeys is a credentials file with a key pair of a generation.
func staticKeys(profile string, generation int) string {
	return fmt.Sprintf("[%s]\naws_access_key_id = AKIASTATICKEYGEN%d\naws_secret_access_key = s\n", profile, generation)
}

// renewals are the ways in which credentials are replaced under the running program.
func renewals() map[string]struct {
	env   map[string]string
	write func(home, int) // the files of a generation
	hint  string          // in the log while nothing is good
} {
	return map[string]struct {
		env   map[string]string
		write func(home, int)
		hint  string
	}{
		"shared credentials file": {
			write: func(h home, n int) { h.write(".aws/credentials", staticKeys("default", n)) },
			hint:  "AWS answered InvalidClientTokenId (HTTP 403",
		},
		"source_profile behind role_arn": {
			env: map[string]string{"AWS_PROFILE": "exporter"},
			write: func(h home, n int) {
				h.write(".aws/config", "[profile exporter]\nrole_arn = "+role+"\nsource_profile = base\n")
				h.write(".aws/credentials", staticKeys("base", n))
			},
			hint: "AWS answered InvalidClientTokenId",
		},
		"web identity token": {
			env:   map[string]string{"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": "$HOME/token"},
			write: func(h home, n int) { h.write("token", fmt.Sprintf("token-GEN%d", n)) },
			hint:  "AWS answered ExpiredTokenException",
		},
		"credential_process": {
			write: func(h home, n int) {
				h.write(".aws/config", "[default]\ncredential_process = cat $HOME/process.json\n")
				h.write("process.json", fmt.Sprintf(`{"Version": 1, "AccessKeyId": "AKIAPROCESSKEYGEN%d", "SecretAccessKey": "s"}`, n))
			},
			hint: "AWS answered InvalidClientTokenId (HTTP 403",
		},
		"SSO": {
			env: map[string]string{"AWS_PROFILE": "corp-exporter"},
			write: func(h home, n int) {
				h.write(".aws/config", "[profile corp-exporter]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = exporter\n"+
					"[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n")
				h.write(ssoCacheOf("corp"), fmt.Sprintf(`{"accessToken": "token-GEN%d", "expiresAt": %q}`, n, time.Now().Add(20*time.Minute).UTC().Format(time.RFC3339)))
			},
			hint: "run `aws sso login --profile corp-exporter` as the exporter's user",
		},
	}
}

// TestCredentialsAreReadAgain replaces credentials after AWS has stopped to take
// them.
func TestCredentialsAreReadAgain(t *testing.T) {
	for name, renewal := range renewals() {
		t.Run(name, func(t *testing.T) {
			h := home{t, forgetAWS(t)}
			for variable, value := range renewal.env {
				t.Setenv(variable, strings.ReplaceAll(value, "$HOME", h.dir))
			}
			synctest.Test(t, func(t *testing.T) {
				renewal.write(h, 0)
				world := town(t, time.Now(), awssim.Options{})
				e, g := startGated(t, world)
				time.Sleep(10 * time.Minute)
				before := e.scrape()
				e.wantUp("before", 1)

				g.move(1) // the old ones are revoked
				check(t, world.DeleteUser("nobody"))
				time.Sleep(30 * time.Minute)
				e.wantUp("after the change", 0)
				sameBut(t, before.facts(), e.scrape().facts())
				if !strings.Contains(e.log.String(), renewal.hint) {
					t.Errorf("log lacks %q:\n%s", renewal.hint, e.log.String())
				}

				renewal.write(h, 1)
				time.Sleep(6 * time.Minute)
				e.wantUp("in the end", 1)
				wantKey(t, g, "GEN1")
				if got := e.scrape().find("aws_iam_user_info", `user_name="nobody"`); len(got) > 0 {
					t.Errorf("with the new credentials: got %v, want news of the account", got)
				}
			})
		})
	}
}

// TestCredentialsOfAnotherAccount puts a key of another account into the file.
// Nothing of that account may show.
func TestCredentialsOfAnotherAccount(t *testing.T) {
	h := home{t, forgetAWS(t)}
	synctest.Test(t, func(t *testing.T) {
		h.write(".aws/credentials", staticKeys("default", 0))
		world := town(t, time.Now(), awssim.Options{})
		other := awssim.New(awssim.Options{AccountID: "210987654321"})
		e, g := startGated(t, world, other, world)
		time.Sleep(10 * time.Minute)
		before := e.scrape()
		e.wantUp("before", 1)

		g.move(1)
		h.write(".aws/credentials", staticKeys("default", 1))
		time.Sleep(30 * time.Minute)
		e.wantUp("after the change", 0)
		sameBut(t, before.facts(), e.scrape().facts())
		if want := "the credentials are those of account 210987654321, want account 123456789012"; !strings.Contains(e.log.String(), want) {
			t.Errorf("log lacks %q", want)
		}
		if calls := other.Calls(); len(calls) != 1 || calls["GetCallerIdentity"] == 0 {
			t.Errorf("calls to the other account: got %v, want it asked for its id alone", calls)
		}

		g.move(2)
		h.write(".aws/credentials", staticKeys("default", 2))
		time.Sleep(6 * time.Minute)
		e.wantUp("in the end", 1)
	})
}

// TestReloadReadsCredentials reloads without a configuration file: at once where
// the old credentials are of no use, and with the next refresh where they are.
func TestReloadReadsCredentials(t *testing.T) {
	h := home{t, forgetAWS(t)}
	synctest.Test(t, func(t *testing.T) {
		h.write(".aws/credentials", staticKeys("default", 0))
		e, g := startGated(t, town(t, time.Now(), awssim.Options{}))
		time.Sleep(10 * time.Minute)
		e.wantUp("before", 1)

		g.move(1)
		time.Sleep(12 * time.Minute)
		e.wantUp("after the change", 0)
		h.write(".aws/credentials", staticKeys("default", 1))
		e.reload()
		time.Sleep(20 * time.Second)
		e.wantUp("in the end", 1)
		wantKey(t, g, "GEN1")

		h.write(".aws/credentials", strings.ReplaceAll(staticKeys("default", 1), "STATIC", "SECOND"))
		e.reload()
		time.Sleep(6 * time.Minute)
		e.wantUp("in the end", 1)
		wantKey(t, g, "AKIASECONDKEYGEN1")
	})
}

// TestFileThatCannotBeLoadedAnew has half a key pair in the file for a while: the
// old credentials go on.
func TestFileThatCannotBeLoadedAnew(t *testing.T) {
	h := home{t, forgetAWS(t)}
	synctest.Test(t, func(t *testing.T) {
		h.write(".aws/credentials", staticKeys("default", 0))
		world := town(t, time.Now(), awssim.Options{})
		e, g := startGated(t, world)
		time.Sleep(10 * time.Minute)
		h.write(".aws/credentials", "[default]\naws_access_key_id = AKIASTATICKEYGEN1\n")
		e.reload()
		check(t, world.DeleteUser("nobody"))
		time.Sleep(6 * time.Minute)
		e.wantUp("before", 0)
		wantKey(t, g, "GEN0")
		if got := e.scrape().find("aws_iam_user_info", `user_name="nobody"`); len(got) > 0 {
			t.Errorf("with the old credentials: got %v, want news of the account", got)
		}
		want := ".aws/credentials aws_access_key_id of profile default is set, aws_secret_access_key is not; give both halves of the key pair, or neither"
		if !strings.Contains(e.log.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, e.log.String())
		}
		g.move(1)
		h.write(".aws/credentials", staticKeys("default", 1))
		time.Sleep(11 * time.Minute)
		e.wantUp("after the change", 1)
	})
}

// startGated starts the exporter on what its home directory tells, with the gate in
// between.
func startGated(t *testing.T, worlds ...*awssim.World) (*exporter, *gate) {
	t.Helper()
	g := &gate{worlds: worlds}
	from, err := connectAWS(t.Context(), slog.New(slog.DiscardHandler), config.WithHTTPClient(&http.Client{Transport: g}))
	check(t, err)
	return startFrom(t, worlds[0], from), g
}

func (e *exporter) reload() {
	e.t.Helper()
	if status, body := e.post("/-/reload"); status != http.StatusOK {
		e.t.Errorf("reload: got %d, %q, want 200", status, body)
	}
}

func wantKey(t *testing.T, g *gate, suffix string) {
	t.Helper()
	if got := g.lastKey(); !strings.HasSuffix(got, suffix) {
		t.Errorf("requests are signed by %q, want one that ends in %s", got, suffix)
	}
}

// ssoCacheOf is where the SDK keeps the token of an SSO session.
func ssoCacheOf(session string) string {
	return fmt.Sprintf(".aws/sso/cache/%x.json", sha1.Sum([]byte(session))) // the SDK's choice
}
