package inventory

import (
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const seen = `"observed":"2026-11-05T09:30:00.123456789Z"}`

// TestJSON pins the JSON of each kind of fact, and reads it back.
func TestJSON(t *testing.T) {
	abroad := time.FixedZone("", 7200)
	tests := map[string]struct {
		value any // what is written
		into  any // where it is read into
		want  string
	}{
		"true":        {Observe(true, observed), &Fact[bool]{}, `{"value":true,` + seen},
		"false":       {Observe(false, observed), &Fact[bool]{}, `{"value":false,` + seen},
		"in UTC":      {Observe(true, observed.In(abroad)), &Fact[bool]{}, `{"value":true,` + seen},
		"a time":      {Observe(epoch, observed), &Fact[time.Time]{}, `{"value":"2026-01-02T15:04:05Z",` + seen},
		"never used":  {Observe(Use{}, observed), &Fact[Use]{}, `{"value":{"never":true},` + seen},
		"used":        {Observe(Use{At: epoch.In(abroad), Region: "us-east-1", Service: "s3"}, observed), &Fact[Use]{}, `{"value":{"at":"2026-01-02T15:04:05Z","region":"us-east-1","service":"s3"},` + seen},
		"used at all": {Observe(Use{At: epoch}, observed), &Fact[Use]{}, `{"value":{"at":"2026-01-02T15:04:05Z"},` + seen},
		"no keys":     {Observe([]AccessKey{}, observed), &Fact[[]AccessKey]{}, `{"value":[],` + seen},
		"nil keys":    {Observe([]AccessKey(nil), observed), &Fact[[]AccessKey]{}, `{"value":[],` + seen},
		"nil tags":    {Observe(Tags(nil), observed), &Fact[Tags]{}, `{"value":[],` + seen},
		"tags":        {Observe(Tags{{Key: "Owner", Value: "ops"}, {Key: "x"}}, observed), &Fact[Tags]{}, `{"value":[{"key":"Owner","value":"ops"},{"key":"x","value":""}],` + seen},
		"keys": {
			Observe([]AccessKey{{ID: "AKIA1", Status: Active, Created: epoch, LastUse: Observe(Use{}, observed)}, {Status: Inactive}}, observed), &Fact[[]AccessKey]{},
			`{"value":[{"id":"AKIA1","status":"active","created":"2026-01-02T15:04:05Z","last_use":{"value":{"never":true},` + seen + `},{"status":"inactive"}],` + seen,
		},
		"unknown": {Fact[bool]{}, &Fact[bool]{}, `null`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(test.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			if err := json.Unmarshal(got, test.into); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.value, reflect.ValueOf(test.into).Elem().Interface(), facts(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMarshalLeavesFactsAlone writes a nil list as an empty one, and expects
// the list itself to stay nil.
func TestMarshalLeavesFactsAlone(t *testing.T) {
	fact := Observe(Tags(nil), observed)
	if _, err := json.Marshal(&fact); err != nil {
		t.Fatal(err)
	}
	if tags, _ := fact.Get(); tags != nil {
		t.Errorf("got %#v, want nil", tags)
	}
}

// TestUnknownIsAbsent fails when a field that holds a fact lacks omitzero.
func TestUnknownIsAbsent(t *testing.T) {
	for want, value := range map[string]any{
		`{"name":"","arn":"","created":"0001-01-01T00:00:00Z"}`: User{},
		`{"status":""}`: AccessKey{},
		`{}`:            Root{},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("%T: got %s, %v; want %s", value, got, err, want)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	const (
		lacking = "a fact lacks its value or the time of its observation"
		both    = "a last use must be either never or at a time"
		unknown = `json: unknown field "more"`
	)
	tests := map[string]struct{ data, want string }{
		"no value":            {`{` + seen, lacking},
		"null value":          {`{"value":null,` + seen, lacking},
		"not observed":        {`{"value":{"never":true}}`, lacking},
		"null observation":    {`{"value":{"never":true},"observed":null}`, lacking},
		"zero observation":    {`{"value":{"never":true},"observed":"0001-01-01T00:00:00Z"}`, lacking},
		"neither":             {`{"value":{},` + seen, both},
		"both":                {`{"value":{"never":true,"at":"2026-01-02T15:04:05Z"},` + seen, both},
		"unknown in the fact": {`{"value":{"never":true},"more":1,` + seen, unknown},
		"unknown in the use":  {`{"value":{"never":true,"more":1},` + seen, unknown},
		"no object":           {`[]`, "json: cannot unmarshal array into Go value of type inventory.knownJSON[github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory.Use]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fact := Observe(Use{At: epoch}, epoch)
			err := json.Unmarshal([]byte(test.data), &fact)
			if err == nil || err.Error() != test.want {
				t.Errorf("got error %v, want %s", err, test.want)
			}
			if diff := cmp.Diff(Observe(Use{At: epoch}, epoch), fact, facts()); diff != "" {
				t.Errorf("what was there before (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKnownFacts expects each known fact by its name in JSON, and no other.
func TestKnownFacts(t *testing.T) {
	use := Observe(Use{At: epoch}, observed)
	keys := Observe([]AccessKey{{ID: "AKIA1"}}, observed)
	yes := Observe(true, observed)
	user := &User{
		Name: "alice", Created: epoch, Keys: keys, Console: yes, PasswordCreated: Observe(epoch, observed),
		PasswordChanged: Observe(observed, observed), PasswordUse: use, MFA: Observe(false, epoch), Tags: Observe(Tags{}, observed),
	}
	root := &Root{Created: epoch, KeyPresent: yes, PasswordUse: use}
	key := &AccessKey{ID: "AKIA1", Created: epoch, LastUse: use}

	for what, test := range map[string]struct{ got, want []KnownFact }{
		"user": {slices.Collect(user.KnownFacts()), []KnownFact{
			{"keys", []AccessKey{{ID: "AKIA1"}}, observed},
			{"console", true, observed},
			{"password_created", epoch, observed},
			{"password_changed", observed, observed},
			{"password_use", Use{At: epoch}, observed},
			{"mfa", false, epoch},
			{"tags", Tags{}, observed},
		}},
		"root":            {slices.Collect(root.KnownFacts()), []KnownFact{{"key_present", true, observed}, {"password_use", Use{At: epoch}, observed}}},
		"key":             {slices.Collect(key.KnownFacts()), []KnownFact{{"last_use", Use{At: epoch}, observed}}},
		"nobody":          {slices.Collect((&User{}).KnownFacts()), nil},
		"the first alone": {first(user.KnownFacts()), []KnownFact{{"keys", []AccessKey{{ID: "AKIA1"}}, observed}}},
	} {
		if diff := cmp.Diff(test.want, test.got, facts()); diff != "" {
			t.Errorf("facts of %s (-want +got):\n%s", what, diff)
		}
	}
}

func first(facts iter.Seq[KnownFact]) []KnownFact {
	for fact := range facts {
		return []KnownFact{fact}
	}
	return nil
}
