package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the golden file, the JSON schema and the table of fields")

const day = 24 * time.Hour

// sameExpression compares regular expressions by their text.
var sameExpression = cmp.Comparer(func(a, b *regexp.Regexp) bool {
	return a == nil && b == nil || a != nil && b != nil && a.String() == b.String()
})

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) == 0 {
		t.Fatalf("files %s: got %v, %v", pattern, all, err)
	}
	return all
}

func anchored(t *testing.T, expr string) *regexp.Regexp {
	t.Helper()
	compiled, err := policy.Anchored(expr)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// flags are the defaults of the flags.
func flags() Defaults {
	return Defaults{
		Limits:   policy.DefaultLimits(),
		Settings: Settings{Source: awsapi.SourceAuto, RefreshInterval: 5 * time.Minute, KeysInterval: time.Hour},
	}
}

func isTrue(b bool) *bool { return &b }

func TestLoad(t *testing.T) {
	standard := policy.Class{Name: "default", Limits: policy.DefaultLimits()}
	fullDefaults := policy.Limits{
		MaxKeyAge: 80 * day, RotationWarning: 10 * day, MaxKeyIdle: 40 * day, MaxPasswordIdle: 50 * day,
		RotationOverlap: 5 * day, SetupWindow: 10 * time.Minute,
	}
	exempt := func(account, reason string) policy.Exemption {
		return policy.Exemption{
			Account: account, UserName: "a", Rules: []policy.Rule{policy.KeyRotation}, Reason: reason,
			Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		}
	}
	tests := []struct {
		file string
		want Config
	}{
		{"empty.yml", Config{Policy: &policy.Policy{Default: standard}}},
		{"comments.yml", Config{Policy: &policy.Policy{Default: standard}}},
		{"null.yml", Config{Policy: &policy.Policy{Default: standard}}},
		{"empty-parts.yml", Config{Policy: &policy.Policy{Default: standard}}},
		{"only-the-age.yml", Config{Policy: &policy.Policy{
			Default: policy.Class{Name: "default", Limits: policy.Limits{
				MaxKeyAge: 365 * day, RotationWarning: 14 * day, MaxKeyIdle: 45 * day, MaxPasswordIdle: 45 * day,
				RotationOverlap: 7 * day, SetupWindow: 15 * time.Minute,
			}},
			Classes: []policy.Class{{
				Name: "strict", Match: policy.Match{Console: isTrue(true)},
				Limits: policy.Limits{
					MaxKeyAge: 365 * day, RotationWarning: 14 * day, MaxKeyIdle: 45 * day, MaxPasswordIdle: 45 * day, SetupWindow: 15 * time.Minute,
				},
			}},
		}}},
		{"tags-by-default.yml", Config{
			Policy: &policy.Policy{Default: standard, OwnerTags: []string{"Owner"}},
			Own:    Account{Settings: Settings{Tags: awsapi.TagsFromAuthorizationDetails}},
		}},
		{"tags-not-needed.yml", Config{Policy: &policy.Policy{Default: standard}}},
		{"accounts.yml", Config{Policy: &policy.Policy{Default: standard, Exemptions: []policy.Exemption{
			exempt("012345678901", "unquoted decimal"), exempt("012345670123", "unquoted octal"),
			exempt("123456789012", "unquoted"), exempt("000000000001", "quoted"),
		}}}},
		{"many-accounts.yml", manyAccounts(standard)},
		{"organization.yml", wholeOrganization(standard)},
		{"whole-organization.yml", Config{
			Policy: &policy.Policy{Default: standard}, Sessions: awsapi.Sessions{Name: "aws_iam_exporter"},
			Organization: &Organization{Default: Account{Role: &awsapi.Role{Name: "audit"}, Settings: flags().Settings}},
		}},
		{"full.yml", Config{
			Accounts: []Account{
				{
					ID: "111122223333", Name: "production",
					Tags: inventory.Tags{{Key: "Owner", Value: "platform"}, {Key: "cost center", Value: "4711"}, {Key: "env"}},
					Role: &awsapi.Role{Name: "audit/aws-iam-exporter", ExternalID: "s3cr3t:of=the/hub"},
					Settings: Settings{
						Source: awsapi.SourceReport, RefreshInterval: 15 * time.Minute, KeysInterval: 4 * time.Hour,
						Tags: awsapi.TagsFromListUserTags,
					},
				},
				{
					ID: "222233334444", Tags: inventory.Tags{},
					Role: &awsapi.Role{Name: "legacy/audit", ExternalID: "s3cr3t-2"},
					Settings: Settings{
						Source: awsapi.SourceAuto, RefreshInterval: 10 * time.Minute, KeysInterval: time.Hour,
						Tags: awsapi.TagsFromAuthorizationDetails,
					},
				},
				{
					ID: "333344445555", Tags: inventory.Tags{},
					Settings: Settings{
						Source: awsapi.SourceReport, RefreshInterval: 15 * time.Minute, KeysInterval: 4 * time.Hour,
						Tags: awsapi.TagsFromListUserTags,
					},
				},
			},
			Sessions: awsapi.Sessions{
				InitialRole: "arn:aws:iam::999988887777:role/hub", Name: "watcher", SourceIdentity: "key.watcher",
			},
			Partition: "aws",
			Own:       Account{Settings: Settings{Tags: awsapi.TagsFromListUserTags}},
			Policy: &policy.Policy{
				Default: policy.Class{Name: "default", Limits: fullDefaults},
				Classes: []policy.Class{
					{
						Name: "machines",
						Match: policy.Match{
							UserName: policy.Glob("ci-*"),
							Path:     policy.Glob("/robots/*"),
							Tags: []policy.TagMatch{
								{Key: "cost center", Value: policy.Glob("4?")},
								{Key: "kind", Value: policy.Glob("robot")},
							},
							Console:     isTrue(false),
							AccountID:   "111122223333",
							AccountName: policy.Glob("prod*"),
							AccountTags: []policy.TagMatch{{Key: "env", Value: policy.Glob("p*")}},
						},
						Limits: policy.Limits{
							MaxKeyAge: 365 * day, RotationWarning: 30 * day, MaxKeyIdle: 20 * day, MaxPasswordIdle: 25 * day, RotationOverlap: day,
						},
					},
					{
						Name:   "deployers",
						Match:  policy.Match{UserName: anchored(t, "(ci|cd)-.+")},
						Limits: fullDefaults,
					},
				},
				OwnerTags:       []string{"Owner", "team"},
				UserTags:        []string{"cost-center"},
				AccountTags:     []string{"cost-center", "Owner"},
				KeyDescriptions: true,
				Exemptions: []policy.Exemption{
					{
						Account: "123456789012", UserName: "break-glass",
						Rules:  []policy.Rule{policy.ConsoleUserWithoutMFA, policy.KeyUnused},
						Reason: "The second way in, kept in a safe.", Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
					},
					{
						UserName: policy.RootUserName, Rules: []policy.Rule{policy.RootAccessKey},
						Reason: "Needed until the old backup is gone.", Until: time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC),
					},
				},
				ExemptionTag: "iam-exporter-exempt",
				Users: policy.Selection{
					Include: []policy.Match{
						{
							UserName: policy.Glob("a*"), Path: policy.Glob("/in/*"), Console: isTrue(true),
							Tags:      []policy.TagMatch{{Key: "in", Value: policy.Glob("1")}},
							AccountID: "111122223334", AccountTags: []policy.TagMatch{{Key: "stage", Value: policy.Glob("in")}},
						},
						{UserName: anchored(t, "in-[0-9]+")},
					},
					Exclude: []policy.Match{
						{
							UserName: policy.Glob("x*"), Path: policy.Glob("/out/*"), Console: isTrue(false),
							Tags:      []policy.TagMatch{{Key: "out", Value: policy.Glob("2")}},
							AccountID: "111122223335", AccountTags: []policy.TagMatch{{Key: "stage", Value: policy.Glob("out")}},
						},
						{UserName: anchored(t, "out-[0-9]+")},
					},
				},
			},
		}},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.file] = true
		t.Run(tt.file, func(t *testing.T) {
			tt.want.File = filepath.Join("testdata", tt.file)
			own := flags().Settings
			own.Tags = tt.want.Own.Settings.Tags
			tt.want.Own.Settings = own
			got, err := Load(tt.want.File, flags())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got, sameExpression); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for _, file := range goodFiles(t) {
		if !tested[filepath.Base(file)] {
			t.Errorf("%s is not tested", file)
		}
	}
}

// manyAccounts is what many-accounts.yml says, in which nothing needs tags.
func manyAccounts(class policy.Class) Config {
	settings := func(source awsapi.Source, refresh, keys time.Duration) Settings {
		return Settings{Source: source, RefreshInterval: refresh, KeysInterval: keys}
	}
	return Config{
		Policy: &policy.Policy{Default: class},
		Accounts: []Account{
			{
				ID: "111122223333", Name: "Production, größe ✓",
				Tags:     inventory.Tags{{Key: "Owner", Value: "platform"}, {Key: "a b", Value: "4711"}, {Key: "env"}},
				Role:     &awsapi.Role{Name: "audit/aws-iam-exporter", ExternalID: "s3cr3t:of=the/hub"},
				Settings: settings(awsapi.SourceReport, 2*time.Hour, 2*time.Hour), // the keys follow
			},
			{
				ID: "012345678901", Tags: inventory.Tags{},
				Role:     &awsapi.Role{Name: "a/b/legacy-audit", ExternalID: "s3cr3t-2"},
				Settings: settings(awsapi.SourceLive, 5*time.Minute, 5*time.Minute),
			},
			{
				ID: "444455556666", Name: "Production", Tags: inventory.Tags{},
				Role:     &awsapi.Role{Name: "other+role@=", ExternalID: "s3cr3t:of=the/hub"},
				Settings: settings(awsapi.SourceReport, 2*time.Hour, day),
			},
			{ID: "333344445555", Tags: inventory.Tags{}, Settings: settings(awsapi.SourceReport, 2*time.Hour, 2*time.Hour)},
		},
		Sessions:  awsapi.Sessions{Name: "aws_iam_exporter"},
		Partition: "aws-cn",
	}
}

func goodFiles(t *testing.T) []string {
	var all []string
	for _, file := range files(t, "testdata/*.yml") {
		if !strings.HasSuffix(file, ".bad.yml") {
			all = append(all, file)
		}
	}
	return all
}

// TestBadFiles compares the messages for all bad files with those in one golden
// file: each message begins with the name of its file.
func TestBadFiles(t *testing.T) {
	golden := filepath.Join("testdata", "bad.txt")
	var all strings.Builder
	for _, file := range files(t, "testdata/*.bad.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Parse(filepath.Base(file), []byte(read(t, file)), flags())
			if c != nil || err == nil {
				t.Fatalf("Parse = %v, %v, want an error alone", c, err)
			}
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, filepath.Base(file)+":") {
					t.Errorf("got line %q, want the file's name first", line)
				}
			}
			all.WriteString(err.Error() + "\n")
		})
	}
	if *update {
		write(t, golden, all.String())
	}
	if diff := cmp.Diff(read(t, golden), all.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBadLimitsOfFlags(t *testing.T) {
	flags := flags()
	flags.Limits.MaxKeyIdle = 0
	tests := []struct{ name, content, want string }{
		{"left", "owner_tags: [Owner]\n", "f.yml:1: policy.defaults.max_key_idle: got 0s, which comes from the flags, want more than 0"},
		{"left to a class", "policy:\n  classes: [{name: a, match: {path: '*'}, max_key_age: 50d}]\n", "f.yml:1: policy.defaults.max_key_idle: got 0s, which comes from the flags, want more than 0"},
		{"overridden", "policy:\n  defaults: {max_key_idle: 5d}\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if _, err := Parse("f.yml", []byte(tt.content), flags); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yml")
	write(t, large, "#"+strings.Repeat(" ", maxSize))
	tests := []struct{ name, file, want string }{
		{"missing", filepath.Join(dir, "none.yml"), "read configuration: open " + filepath.Join(dir, "none.yml") + ": no such file or directory"},
		{"a folder", dir, "read configuration: read " + dir + ": is a directory"},
		{"too large", large, large + ": got more than 1048576 bytes, want no more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.file, flags())
			if err == nil || err.Error() != tt.want {
				t.Errorf("Load: got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestLargestFile(t *testing.T) {
	content := append([]byte("owner_tags: [Owner]\n#"), bytes.Repeat([]byte(" "), maxSize)...)[:maxSize]
	if _, err := Parse("f.yml", content, flags()); err != nil {
		t.Error(err)
	}
}

func TestTooManyProblems(t *testing.T) {
	_, err := Parse("f.yml", []byte("owner_tags: ["+strings.Repeat("'',", maxReported+2)+"]"), flags())
	if err == nil {
		t.Fatal("got no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if got, want := lines[len(lines)-1], "f.yml: and 2 more problems"; len(lines) != maxReported+1 || got != want {
		t.Errorf("got %d lines, the last %q, want %d lines, the last %q", len(lines), got, maxReported+1, want)
	}
}

// changes holds, for each field that holds a value, a change of it in full.yml.
func changes() map[string][2]string {
	return map[string][2]string{
		"policy.defaults.max_key_age":             {"80d", "81d"},
		"policy.defaults.rotation_warning":        {"10d", "11d"},
		"policy.defaults.max_key_idle":            {"40d", "41d"},
		"policy.defaults.max_password_idle":       {"50d", "51d"},
		"policy.defaults.rotation_overlap":        {"5d\n    setup", "6d\n    setup"},
		"policy.defaults.setup_window":            {"10m", "11m"},
		"policy.classes[].name":                   {"machines", "robots"},
		"policy.classes[].match.user_name":        {"ci-*", "cd-*"},
		"policy.classes[].match.user_name_regexp": {"(ci|cd)-.+", "(ci|cd)-.*"},
		"policy.classes[].match.path":             {"/robots/*", "/machines/*"},
		"policy.classes[].match.tags":             {"kind: robot", "kind: machine"},
		"policy.classes[].match.console_access":   {"false", "true"},
		"policy.classes[].match.account_id":       {"id: \"111122223333\"\n        account", "id: \"111122223337\"\n        account"},
		"policy.classes[].match.account_name":     {"prod*", "dev*"},
		"policy.classes[].match.account_tags":     {"{env: p*}", "{env: q*}"},
		"policy.classes[].max_key_age":            {"365d", "366d"},
		"policy.classes[].rotation_warning":       {"30d", "31d"},
		"policy.classes[].max_key_idle":           {"20d", "21d"},
		"policy.classes[].max_password_idle":      {"25d", "26d"},
		"policy.classes[].rotation_overlap":       {"overlap: 1d", "overlap: 2d"},
		"policy.classes[].setup_window":           {"window: 0", "window: 1s"},
		"owner_tags":                              {"Owner, team", "team, Owner"},
		"user_tags":                               {"[cost-center]", "[cost-centre]"},
		"key_descriptions":                        {"descriptions: true", "descriptions: false"},
		"tags_from":                               {"ListUserTags", "GetAccountAuthorizationDetails"},
		"exemptions[].user":                       {"break-glass", "break-ice"},
		"exemptions[].account":                    {"123456789012", "123456789013"},
		"exemptions[].rules":                      {"key_unused", "key_rotation"},
		"exemptions[].reason":                     {"second way", "third way"},
		"exemptions[].until":                      {"2026-12-31", "2026-12-30"},
		"exemption_tag":                           {"iam-exporter-exempt", "exempt"},
		"users.include[].user_name":               {"a*", "b*"},
		"users.include[].user_name_regexp":        {"in-[0-9]+", "in-[0-8]+"},
		"users.include[].path":                    {"/in/*", "/on/*"},
		"users.include[].tags":                    {`{in: "1"}`, `{in: "3"}`},
		"users.include[].console_access":          {"access: true", "access: false"},
		"users.include[].account_id":              {"111122223334", "111122223337"},
		"users.include[].account_tags":            {"stage: in", "stage: on"},
		"users.exclude[].account_id":              {"111122223335", "111122223337"},
		"users.exclude[].account_tags":            {"stage: out", "stage: off"},
		"account_defaults.role":                   {"/audit/aws", "/watch/aws"},
		"account_defaults.external_id":            {"s3cr3t:of", "s3cr3t:by"},
		"account_defaults.source":                 {"source: report", "source: live"},
		"account_defaults.refresh_interval":       {"15m\n  keys", "16m\n  keys"},
		"account_defaults.keys_interval":          {"4h", "5h"},
		"account_defaults.initial_role":           {"role/hub", "role/bub"},
		"account_defaults.session_name":           {"name: watcher", "name: onlooker"},
		"account_defaults.source_identity":        {"key.watcher", "key.onlooker"},
		"account_tags":                            {"[cost-center, Owner]", "[cost-center, owner]"},
		"accounts[].id":                           {"333344445555", "333344445556"},
		"accounts[].name":                         {"name: production", "name: Production"},
		"accounts[].role":                         {"role/legacy/audit", "role/audit"},
		"accounts[].external_id":                  {"s3cr3t-2", "s3cr3t-3"},
		"accounts[].source":                       {"source: auto", "source: live"},
		"accounts[].refresh_interval":             {"interval: 10m", "interval: 11m"},
		"accounts[].keys_interval":                {"interval: 1h", "interval: 2h"},
		"accounts[].tags_from":                    {"tags_from: GetAccountAuthorizationDetails", "tags_from: ListUserTags"},
		"accounts[].tags":                         {"Owner: platform", "Owner: ops"},
		"users.exclude[].user_name":               {"x*", "y*"},
		"users.exclude[].user_name_regexp":        {"out-[0-9]+", "out-[0-8]+"},
		"users.exclude[].path":                    {"/out/*", "/off/*"},
		"users.exclude[].tags":                    {`{out: "2"}`, `{out: "3"}`},
		"users.exclude[].console_access":          {"access: False", "access: true"},
	}
}

// TestEveryFieldIsRead changes each field of a file, which must change what
// comes of it.
func TestEveryFieldIsRead(t *testing.T) {
	inFull, inOrganization := changes(), changesOfOrganization()
	for path, f := range everyField() {
		if holdsFields(f.Type) {
			continue
		}
		t.Run(path, func(t *testing.T) {
			file, untested := "full.yml", inFull
			if _, ok := inOrganization[path]; ok {
				file, untested = "organization.yml", inOrganization
			}
			change, ok := untested[path]
			if !ok {
				t.Fatal("no change of this field to test")
			}
			delete(untested, path)
			content := read(t, filepath.Join("testdata", file))
			base, err := Parse(file, []byte(content), flags())
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(content, change[0], change[1], 1)
			if changed == content {
				t.Fatalf("the file does not hold %q", change[0])
			}
			got, err := Parse(file, []byte(changed), flags())
			if err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(base, got, sameExpression) {
				t.Errorf("a change to %q makes no difference", change[1])
			}
		})
	}
	for _, untested := range []map[string][2]string{inFull, inOrganization} {
		for path := range untested {
			t.Errorf("%s is no field", path)
		}
	}
}

// everyField yields the fields of the format in order, lists as path[].
func everyField() func(yield func(string, field) bool) {
	return func(yield func(string, field) bool) { walk("", reflect.TypeFor[format](), yield) }
}

func walk(path string, t reflect.Type, yield func(string, field) bool) bool {
	for _, f := range fieldsOf(t) {
		at := join(path, f.name)
		if !yield(at, f) {
			return false
		}
		if !holdsFields(f.Type) {
			continue
		}
		inside := f.Type
		if inside.Kind() == reflect.Slice {
			at, inside = at+"[]", inside.Elem()
		}
		if !walk(at, inside, yield) {
			return false
		}
	}
	return true
}

// holdsFields reports whether the type is a mapping of fields, or a list of them.
func holdsFields(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	_, isScalar := reflect.New(t).Interface().(scalar)
	return t.Kind() == reflect.Struct && !isScalar
}

func standardLimitsOf(classes ...string) string {
	text := "classes, the first that matches counts:\n"
	for _, class := range classes {
		text += "  " + class + ": max_key_age 90d, rotation_warning 14d, max_key_idle 45d, max_password_idle 45d, rotation_overlap 7d, setup_window 15m\n"
	}
	return text
}

func TestSummary(t *testing.T) {
	standard := standardLimitsOf("default")
	ends := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	one := "exemptions:\n- {user: ann, account: '123456789012', rules: [key_unused, key_rotation], reason: x, until: 2026-12-31}\n"
	tests := []struct {
		name, content string
		now           time.Time
		want          string
	}{
		{"nothing", "", ends, standard + "tags: not read, nothing needs them\nexemptions: 0\nusers with series of their own: all\n"},
		{
			"everything", read(t, filepath.Join("testdata", "full.yml")), ends.Add(-day),
			"classes, the first that matches counts:\n" +
				"  machines: max_key_age 365d, rotation_warning 30d, max_key_idle 20d, max_password_idle 25d, rotation_overlap 1d, setup_window 0s\n" +
				"  deployers: max_key_age 80d, rotation_warning 10d, max_key_idle 40d, max_password_idle 50d, rotation_overlap 5d, setup_window 10m\n" +
				"  default: max_key_age 80d, rotation_warning 10d, max_key_idle 40d, max_password_idle 50d, rotation_overlap 5d, setup_window 10m\n" +
				"tags: read by ListUserTags\n" +
				"exemptions: 2\n" +
				"  break-glass in 123456789012 from console_user_without_mfa, key_unused: lapses soon, its last day is 2026-12-31\n" +
				"  and those that users' tags iam-exporter-exempt hold\n" +
				"users with series of their own: those that match one of 2 under include, but for those that match one of 2 under exclude\n" +
				"accounts: 3\n" +
				"  by role audit/aws-iam-exporter with an external id: 1\n" +
				"  by role legacy/audit with an external id: 1\n" +
				"  by the exporter's own credentials: 1\n" +
				"  roles are assumed through arn:aws:iam::999988887777:role/hub\n" +
				"  read with source report, every 15m, keys every 4h, tags by ListUserTags: 2\n" +
				"  read with source auto, every 10m, keys every 1h, tags by GetAccountAuthorizationDetails: 1\n" +
				"  none is that of the exemption of break-glass in 123456789012 from console_user_without_mfa, key_unused\n" +
				"  none is one that class machines asks for\n" +
				"  none is one that users.include[0] asks for\n" +
				"  none is one that users.exclude[0] asks for\n",
		},
		{
			"an organization", read(t, filepath.Join("testdata", "organization.yml")), ends, standardLimitsOf("sandboxes", "default") +
				"tags: read by GetAccountAuthorizationDetails\nexemptions: 0\n" +
				"users with series of their own: those that match one of 1 under include, but for those that match one of 1 under exclude\n" +
				"accounts of the organization: those that match one of 4 under include, but for those that match one of 3 under exclude\n" +
				"  by role audit/aws-iam-exporter with an external id\n" +
				"  the organization is read, and roles are assumed, through arn:aws:iam::999988887777:role/hub\n" +
				"  read with source report, every 5m, keys every 1h, tags by GetAccountAuthorizationDetails\n" +
				"  read once a day: the tags of each account, the name of each organizational unit\n" +
				"overrides: 2\n" +
				"  by role legacy-audit with an external id, read with source auto, every 10m, keys every 2h, tags by ListUserTags: 1\n" +
				"  by the exporter's own credentials, read with source report, every 5m, keys every 1h, tags by GetAccountAuthorizationDetails: 1\n",
		},
		{
			"a whole organization", read(t, filepath.Join("testdata", "whole-organization.yml")), ends,
			standard + "tags: not read, nothing needs them\nexemptions: 0\nusers with series of their own: all\n" +
				"accounts of the organization: all\n  by role audit\n  read with source auto, every 5m, keys every 1h\n",
		},
		{
			"long in force", one, ends.Add(-30*day - time.Second),
			standard + "tags: not read, nothing needs them\nexemptions: 1\nusers with series of their own: all\n",
		},
		{
			"thirty days before the end", one, ends.Add(-30 * day),
			standard + "tags: not read, nothing needs them\nexemptions: 1\n" +
				"  ann in 123456789012 from key_unused, key_rotation: lapses soon, its last day is 2026-12-31\n" +
				"users with series of their own: all\n",
		},
		{
			"in the last second", one, ends.Add(-time.Second),
			standard + "tags: not read, nothing needs them\nexemptions: 1\n" +
				"  ann in 123456789012 from key_unused, key_rotation: lapses soon, its last day is 2026-12-31\n" +
				"users with series of their own: all\n",
		},
		{
			"at the end", one, ends,
			standard + "tags: not read, nothing needs them\nexemptions: 1\n" +
				"  ann in 123456789012 from key_unused, key_rotation: lapsed, its last day was 2026-12-31\n" +
				"users with series of their own: all\n",
		},
		{
			"some users hidden", "users: {exclude: [{path: /people/*}]}", ends,
			standard + "tags: not read, nothing needs them\nexemptions: 0\n" +
				"users with series of their own: all, but for those that match one of 1 under exclude\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("f.yml", []byte(tt.content), flags())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, c.Summary(tt.now)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range seeds {
		content, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse("f.yml", content, flags())
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f.yml:") {
					t.Errorf("got line %q, want the file's name first", line)
				}
			}
			return
		}
		if c.Policy.NeedsTags() != (c.Own.Settings.Tags != awsapi.NoTags) {
			t.Errorf("tags come from %q, and they are needed: %t", c.Own.Settings.Tags, c.Policy.NeedsTags())
		}
		checkAccounts(t, c)
		for _, class := range append(c.Policy.Classes, c.Policy.Default) {
			if problems := class.Limits.Problems(); len(problems) > 0 {
				t.Errorf("class %s: %v", class.Name, problems)
			}
		}
		users := []inventory.User{{Name: "ann", Path: "/"}}
		if j := policy.Evaluate(&inventory.Snapshot{Users: users}, c.Policy, now); len(j.Users) != 1 || c.Summary(now) == "" {
			t.Errorf("got %v, want a standing and a summary", j.Users)
		}
	})
}

// TestErrorsAreInOrder holds problems to the order of their lines, whatever
// finds them.
func TestErrorsAreInOrder(t *testing.T) {
	content := "user_tags: [a-b, a_b]\nowner: x\npolicy: {defaults: {max_key_age: 0}}\nexemption_tag: ''\n"
	_, err := Parse("f.yml", []byte(content), flags())
	if err == nil {
		t.Fatal("got no error")
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, strings.Join(strings.Split(line, ":")[:3], ":"))
	}
	want := []string{"f.yml:1: user_tags[1]", "f.yml:2: owner", "f.yml:3: policy.defaults.max_key_age", "f.yml:4: exemption_tag"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFilesOfSomethingElse checks that nothing of them is quoted.
func TestFilesOfSomethingElse(t *testing.T) {
	const refused = "f:1: this is no configuration of the exporter, want a mapping with any of policy, owner_tags, user_tags, key_descriptions, tags_from, exemptions, exemption_tag, users, account_defaults, account_tags, accounts, organization"
	for name, content := range map[string]string{
		"passwords":       "root:$6$s3cr3t:20228:0:99999:7::\ndaemon:*:20228:0:99999:7::\n",
		"text":            "s3cr3t\n",
		"lines of text":   "# a comment\ns3cr3t and\nmore s3cr3t\n",
		"many fields":     "s3cr3t: 1\nb: 2\nc: 3\nd: 4\n",
		"a quoted secret": `{"s3cr3t of": "s3cr3t"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(content), flags())
			if err == nil || !regexp.MustCompile("^f:[12]"+regexp.QuoteMeta(strings.TrimPrefix(refused, "f:1"))+"$").MatchString(err.Error()) {
				t.Errorf("got %v, want %s", err, refused)
			}
		})
	}
	_, err := Parse("f", []byte("owner_tag: [a]\nuser_tag: [b]\n"), flags())
	if err == nil || strings.Count(err.Error(), "unknown field") != 2 {
		t.Errorf("misspelt fields: got %v, want both told", err)
	}
}

func TestLoadFrom(t *testing.T) {
	for name, test := range map[string]struct{ content, err string }{
		"good":     {"owner_tags: [team]", ""},
		"a slip":   {"\nowner_tag: [team]", "standard input:2: owner_tag: unknown field, want one of policy, owner_tags, user_tags, key_descriptions, tags_from, exemptions, exemption_tag, users, account_defaults, account_tags, accounts, organization"},
		"nothing":  {"", "read configuration: standard input is empty, want a configuration: to set nothing, write a comment into it"},
		"too much": {strings.Repeat("#", 1<<20+5), "standard input: got more than 1048576 bytes, want no more"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := LoadFrom("standard input", strings.NewReader(test.content), flags())
			switch {
			case test.err == "" && (err != nil || len(c.Policy.OwnerTags) != 1):
				t.Errorf("got %+v, %v, want one tag", c, err)
			case test.err != "" && (err == nil || err.Error() != test.err):
				t.Errorf("got %v, want %s", err, test.err)
			}
		})
	}
}
