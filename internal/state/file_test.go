package state

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// encoded returns the file of a snapshot.
func encoded(t testing.TB, snapshot *inventory.Snapshot) []byte {
	t.Helper()
	data, err := encode(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// framed returns a file in which all is well but for the facts.
func framed(facts string) []byte { return frame(factsFormat, accountID, []byte(facts)) }

// edited returns the file of the plain snapshot with its facts changed, and
// their checksum with them.
func edited(t *testing.T, old, replacement string) []byte {
	t.Helper()
	facts, err := encodeFacts(plain())
	if err != nil {
		t.Fatal(err)
	}
	return framed(substitute(t, string(facts), old, replacement))
}

func substitute(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q: want %q once", text, old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// TestFrameRefused spoils what is around the facts.
func TestFrameRefused(t *testing.T) {
	good := string(encoded(t, plain()))
	sum := good[strings.Index(good, `"sha256":"`)+10:][:64]
	const around = "it was damaged or edited: what is around its facts is not what the exporter writes"
	tests := map[string]struct{ data, want string }{
		"empty":            {"", "it was cut off, damaged or never a state file: read JSON: unexpected end of JSON input"},
		"no JSON":          {"hello", "it was cut off, damaged or never a state file: read JSON: invalid character 'h' looking for beginning of value"},
		"another file":     {`{"kind":"Pod"}`, `its format is "", want "aws_iam_exporter facts"`},
		"another format":   {substitute(t, good, "exporter facts", "exporter fact"), `its format is "aws_iam_exporter fact", want "aws_iam_exporter facts"`},
		"null":             {"null", `its format is "", want "aws_iam_exporter facts"`},
		"a list":           {"[]", "it was cut off, damaged or never a state file: read JSON: json: cannot unmarshal array into Go value of type state.file"},
		"no UTF-8":         {substitute(t, good, `"bob"`, "\"b\xffb\""), "it was damaged: it is not UTF-8 text"},
		"trailing data":    {good + "{}", "it was cut off, damaged or never a state file: read JSON: invalid character '{' after top-level value"},
		"no version":       {substitute(t, good, `"version":1,`, ""), "its version is 0, want 1"},
		"old version":      {substitute(t, good, `"version":1`, `"version":0`), "its version is 0, want 1"},
		"negative version": {substitute(t, good, `"version":1`, `"version":-1`), "its version is -1, want 1"},
		"new version":      {`{"format":"aws_iam_exporter facts","version":2,"sha256":[],"facts":1}`, "it was written by a newer exporter: its version is 2, want 1"},
		"no number":        {substitute(t, good, `"version":1`, `"version":"1"`), "it was cut off, damaged or never a state file: read JSON: json: cannot unmarshal string into Go struct field file.version of type int"},
		"unknown field":    {substitute(t, good, `"facts":`, `"more":1,"facts":`), around},
		"other account":    {substitute(t, good, `"account_id":"123456789012"`, `"account_id":"210987654321"`), `it is of account "210987654321", want 123456789012, as its name says`},
		"no account":       {substitute(t, good, `"account_id":"123456789012",`, ``), `it is of account "", want 123456789012, as its name says`},
		"edited facts":     {substitute(t, good, `"complete":[]`, `"complete":[ ]`), fmt.Sprintf("it was damaged or edited: the SHA-256 of its facts is %s, want %q, as it says", checksum([]byte(substitute(t, good[strings.Index(good, `"facts":`)+8:len(good)-2], `"complete":[]`, `"complete":[ ]`))), sum)},
		"edited checksum":  {substitute(t, good, sum, strings.ToUpper(sum)), fmt.Sprintf("it was damaged or edited: the SHA-256 of its facts is %s, want %q, as it says", sum, strings.ToUpper(sum))},
		"no facts":         {good[:strings.Index(good, `,"facts"`)] + "}\n", fmt.Sprintf("it was damaged or edited: the SHA-256 of its facts is %s, want %q, as it says", checksum(nil), sum)},
		"other case":       {substitute(t, good, `"version"`, `"Version"`), around},
		"spaces":           {substitute(t, good, `"version":1`, `"version": 1`), around},
		"repetition":       {substitute(t, good, `"version":1`, `"version":1,"version":1`), around},
		"no last newline":  {strings.TrimSuffix(good, "\n"), around},
	}
	store := open(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantRefusal(t, store, []byte(test.data), test.want) })
	}
}

// wantRefusal fails unless Load names the file and gives the reason.
func wantRefusal(t *testing.T, store *Store, data []byte, reason string) {
	t.Helper()
	if err := os.WriteFile(store.path(accountID), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Load(accountID)
	equalError(t, "Load", err, fmt.Sprintf("ignore state file %s until the next save replaces it: %s", store.path(accountID), reason))
	if s != nil {
		t.Errorf("got a snapshot, want none")
	}
}

// TestFactsRefused spoils the facts in a file whose checksum is right.
func TestFactsRefused(t *testing.T) {
	const (
		bob      = `{"name":"bob","arn":"arn:aws:iam::123456789012:user/bob","created":"2026-01-02T15:04:05Z"}`
		seen     = `"observed":"2026-11-05T09:30:00Z"`
		lacking  = `user "bob": a fact lacks its value or the time of its observation`
		oneOf    = `, want one of ["active" "inactive" "expired"]`
		yearWant = `, want one between the years 1970 and 9999`
	)
	with := func(fact string) string { return strings.TrimSuffix(bob, "}") + "," + fact + "}" }
	key := func(id, status, created, use string) string {
		return fmt.Sprintf(`{"id":%q,"status":%q,"created":%q%s}`, id, status, created, use)
	}
	keys := func(keys ...string) string {
		return with(`"keys":{"value":[` + strings.Join(keys, ",") + `],` + seen + `}`)
	}
	const made = "2026-01-02T15:04:05Z"
	tests := map[string]struct{ old, replacement, want string }{
		"unknown field":           {bob, with(`"verdict":"violation"`), `user "bob": json: unknown field "verdict"`},
		"unknown field of root":   {`"root":{}`, `"root":{"verdict":"violation"}`, `root: json: unknown field "verdict"`},
		"unknown field of a fact": {bob, with(`"mfa":{"value":true,"verdict":"violation",` + seen + `}`), `user "bob": json: unknown field "verdict"`},
		"unknown field of a use":  {bob, with(`"password_use":{"value":{"never":true,"verdict":"violation"},` + seen + `}`), `user "bob": json: unknown field "verdict"`},
		"unknown field of a key":  {bob, keys(`{"id":"AKIA1","status":"active","created":"` + made + `","verdict":"violation"}`), `user "bob": json: unknown field "verdict"`},
		"unknown field of a tag":  {bob, with(`"tags":{"value":[{"key":"a","verdict":"violation"}],` + seen + `}`), `user "bob": json: unknown field "verdict"`},
		"no number":               {bob, with(`"name":7`), `user "bob": json: cannot unmarshal number into Go struct field User.name of type string`},
		"no time":                 {made, "yesterday", `user "bob": parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
		"no users":                {`"users":[` + bob + `]`, `"users":null`, "it has no list of users"},
		"no root":                 {`"root":{},`, ``, "it says nothing about root"},
		"other account":           {`"id":"123456789012"`, `"id":"210987654321"`, `its facts are of account "210987654321", want 123456789012, as its name says`},
		"never listed":            {`"users_listed":"2026-11-05T09:30:00.123456789Z",`, "", "the time of the listing of users is 0001-01-01T00:00:00Z" + yearWant},
		"unknown group":           {`"complete":[]`, `"complete":["vibes"]`, `there is no fact group "vibes"`},
		"no name":                 {`"name":"bob",`, ``, `user "": want a name`},
		"no ARN":                  {`"arn":"arn:aws:iam::123456789012:user/bob",`, ``, `user "bob": the ARN is "", want one in account 123456789012`},
		"ARN elsewhere":           {`iam::123456789012:`, `iam::210987654321:`, `user "bob": the ARN is "arn:aws:iam::210987654321:user/bob", want one in account 123456789012`},
		"twice":                   {bob, bob + "," + bob, `user "bob" comes after "bob", want each user once, ordered by name`},
		"out of order":            {bob, bob + "," + strings.Replace(bob, `"bob"`, `"ann"`, 1), `user "ann" comes after "bob", want each user once, ordered by name`},
		"not created":             {`,"created":"2026-01-02T15:04:05Z"`, ``, `user "bob": the time of the creation is 0001-01-01T00:00:00Z` + yearWant},
		"created in 1969":         {made, "1969-12-31T23:59:59Z", `user "bob": the time of the creation is 1969-12-31T23:59:59Z` + yearWant},
		"created in 10000":        {made, "9999-12-31T23:59:59-01:00", `user "bob": the time of the creation is 10000-01-01T00:59:59Z` + yearWant},
		"never observed":          {bob, with(`"console":{"value":true}`), lacking},
		"no value":                {bob, with(`"console":{` + seen + `}`), lacking},
		"null value":              {bob, with(`"mfa":{"value":null,` + seen + `}`), lacking},
		"null keys":               {bob, with(`"keys":{"value":null,` + seen + `}`), lacking},
		"no value of root":        {`"root":{}`, `"root":{"mfa":{` + seen + `}}`, "root: a fact lacks its value or the time of its observation"},
		"early observation":       {bob, with(`"tags":{"value":[],"observed":"1970-01-01T00:00:00Z"}`), `user "bob": the time of the observation of tags is 1970-01-01T00:00:00Z` + yearWant},
		"early observed use":      {bob, with(`"password_use":{"value":{"never":true},"observed":"1970-01-01T00:00:00Z"}`), `user "bob": the time of the observation of the use of the password is 1970-01-01T00:00:00Z` + yearWant},
		"early observation, root": {`"root":{}`, `"root":{"key_present":{"value":true,"observed":"1970-01-01T00:00:00Z"}}`, `root: the time of the observation of the presence of keys is 1970-01-01T00:00:00Z` + yearWant},
		"no use, not never":       {bob, with(`"password_use":{"value":{},` + seen + `}`), `user "bob": a last use must be either never or at a time`},
		"never and at a time":     {bob, with(`"password_use":{"value":{"never":true,"at":"2026-01-02T15:04:05Z"},` + seen + `}`), `user "bob": a last use must be either never or at a time`},
		"early use":               {bob, with(`"password_use":{"value":{"at":"1960-01-02T15:04:05Z"},` + seen + `}`), `user "bob": the time of the use of the password is 1960-01-02T15:04:05Z` + yearWant},
		"password never made":     {bob, with(`"password_created":{"value":"0001-01-01T00:00:00Z",` + seen + `}`), `user "bob": the time of the creation of the password is 0001-01-01T00:00:00Z` + yearWant},
		"status":                  {bob, keys(key("AKIA1", "enabled", made, "")), `user "bob": the status of a key is "enabled"` + oneOf},
		"no status":               {bob, keys(key("AKIA1", "", made, "")), `user "bob": the status of a key is ""` + oneOf},
		"no key id":               {bob, keys(key("", "active", made, "")), `user "bob": the id of a key is "", want one of its own`},
		"key id twice":            {bob, keys(key("AKIA1", "active", made, ""), key("AKIA1", "active", made, "")), `user "bob": the id of a key is "AKIA1", want one of its own`},
		"key not created":         {bob, keys(key("AKIA1", "active", "0001-01-01T00:00:00Z", "")), `user "bob": the time of the creation of a key is 0001-01-01T00:00:00Z` + yearWant},
		"key use not observed":    {bob, keys(key("AKIA1", "active", made, `,"last_use":{"value":{"never":true}}`)), lacking},
		"key use before its time": {bob, keys(key("AKIA1", "active", made, `,"last_use":{"value":{"at":"1960-01-02T15:04:05Z"},`+seen+`}`)), `user "bob": the time of the use of a key is 1960-01-02T15:04:05Z` + yearWant},
		"status of root":          {`"root":{}`, `"root":{"keys":{"value":[{"status":"Active"}],` + seen + `}}`, `root: the status of a key is "Active"` + oneOf},
		"creation of root":        {`"root":{}`, `"root":{"created":"1960-01-02T15:04:05Z"}`, "root: the time of the creation is 1960-01-02T15:04:05Z" + yearWant},
		"key of root":             {`"root":{}`, `"root":{"keys":{"value":[{"status":"active","created":"1960-01-02T15:04:05Z"}],` + seen + `}}`, "root: the time of the creation of a key is 1960-01-02T15:04:05Z" + yearWant},
	}
	store := open(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantRefusal(t, store, edited(t, test.old, test.replacement), test.want) })
	}
}

// TestSaveRefuses shows that nothing is written that could not be read again.
func TestSaveRefuses(t *testing.T) {
	const invalid = "b\xffb"
	tests := map[string]struct {
		spoil func(s *inventory.Snapshot)
		want  string
	}{
		"account id":    {func(s *inventory.Snapshot) { s.Account.ID = "1" }, `the account's id is "1", want 12 digits`},
		"account alias": {func(s *inventory.Snapshot) { s.Account.Alias = invalid }, `account: "b\xffb" is not UTF-8 text, and cannot be kept`},
		"tag":           {func(s *inventory.Snapshot) { s.Users[0].Tags = known(inventory.Tags{{Key: "Owner", Value: invalid}}) }, `user "Alice": tag: "b\xffb" is not UTF-8 text, and cannot be kept`},
		"path":          {func(s *inventory.Snapshot) { s.Users[0].Path = invalid }, `user "Alice": "b\xffb" is not UTF-8 text, and cannot be kept`},
		"region": {func(s *inventory.Snapshot) {
			s.Users[0].Keys = known([]inventory.AccessKey{{ID: "AKIA1", Status: inventory.Active, Created: epoch, LastUse: known(inventory.Use{Region: invalid})}})
		}, `user "Alice": "b\xffb" is not UTF-8 text, and cannot be kept`},
		"root":  {func(s *inventory.Snapshot) { s.Root.PasswordUse = known(inventory.Use{Service: invalid}) }, `root: "b\xffb" is not UTF-8 text, and cannot be kept`},
		"order": {func(s *inventory.Snapshot) { s.Users[0].Name = "zoe" }, `user "bob" comes after "zoe", want each user once, ordered by name`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store, snapshot := open(t), rich()
			test.spoil(snapshot)
			equalError(t, "Save", store.Save(snapshot), fmt.Sprintf("save facts to %s: %s", store.path(snapshot.Account.ID), test.want))
			equalFiles(t, store.dir)
		})
	}
}

// TestEveryPrefixRefused cuts a file off at every byte.
func TestEveryPrefixRefused(t *testing.T) {
	store := open(t)
	whole := encoded(t, rich())
	if err := os.WriteFile(store.path(accountID), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for n := len(whole) - 1; n >= 0; n-- {
		if err := os.Truncate(store.path(accountID), int64(n)); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Load(accountID); s != nil || err == nil {
			t.Fatalf("the first %d of %d bytes: got %v, %v; want no snapshot, and an error", n, len(whole), s, err)
		}
	}
}

// TestEveryFlippedBitRefused damages a file in every bit.
func TestEveryFlippedBitRefused(t *testing.T) {
	data := encoded(t, plain())
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if s, err := decode(accountID, data); s != nil || err == nil {
				t.Fatalf("bit %d of byte %d flipped: got %v, %v; want no snapshot, and an error", bit, i, s, err)
			}
			data[i] ^= 1 << bit
		}
	}
	if _, err := decode(accountID, data); err != nil {
		t.Errorf("undamaged: got %v, want no error", err)
	}
}

// FuzzDecode reads files, and facts in a frame that fits them.
func FuzzDecode(f *testing.F) {
	for _, s := range []*inventory.Snapshot{plain(), rich()} {
		data := encoded(f, s)
		_, facts, _ := bytes.Cut(data, []byte(`"facts":`))
		f.Add(data)
		f.Add(facts[:len(facts)-2])
	}
	for _, seed := range []string{"", "{}", "null", `{"users":[]}`, `{"format":"aws_iam_exporter facts","version":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, framed(string(data))} {
			s, err := decode(accountID, data)
			if err != nil {
				if s != nil {
					t.Fatalf("got a snapshot beside the error %v", err)
				}
				continue
			}
			again, err := decode(accountID, encoded(t, s))
			if err != nil {
				t.Fatalf("read again: %v", err)
			}
			if diff := cmp.Diff(s, again, exactly()); diff != "" {
				t.Errorf("read again (-first +second):\n%s", diff)
			}
		}
	})
}

// crowd returns a snapshot of n users as an account of ordinary size has them.
func crowd(n int) *inventory.Snapshot {
	s := plain()
	s.Users = make([]inventory.User, n)
	for i := range s.Users {
		name := fmt.Sprintf("user-%06d", i)
		use := known(inventory.Use{At: epoch.Add(time.Duration(i) * time.Minute), Region: "eu-central-1", Service: "s3"})
		s.Users[i] = inventory.User{
			ID: fmt.Sprintf("AIDA%016d", i), Name: name, ARN: arnOf("team/" + name), Path: "/team/", Created: epoch,
			Keys: known([]inventory.AccessKey{
				{ID: fmt.Sprintf("AKIA%015d1", i), Status: inventory.Inactive, Created: epoch, LastUse: use},
				{ID: fmt.Sprintf("AKIA%015d2", i), Status: inventory.Active, Created: epoch, LastUse: use},
			}),
			Console: known(true), PasswordUse: use, MFA: known(true),
			Tags: known(inventory.Tags{{Key: "Owner", Value: "team-" + name}, {Key: "cost-center", Value: "4711"}}),
		}
	}
	return s
}

func BenchmarkSave(b *testing.B) {
	store, snapshot := open(b), crowd(5000)
	b.ReportAllocs()
	for b.Loop() {
		save(b, store, snapshot)
	}
	info, err := os.Stat(store.path(accountID))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
}

func BenchmarkLoad(b *testing.B) {
	store := open(b)
	save(b, store, crowd(5000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.Load(accountID); err != nil {
			b.Fatal(err)
		}
	}
}
