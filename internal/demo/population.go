package demo

import (
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
)

func firstNames() []string {
	return []string{
		"alice", "bob", "bobby", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan",
		"judy", "kim", "leo", "mallory", "nina", "olivia", "peggy", "quinn", "rupert", "sybil",
		"trent", "uma", "victor", "wendy", "xena", "yusuf", "zoe", "amir", "bea", "chen",
	}
}

// size says which users an account has, and so how many.
type size struct {
	teams, projects int
	isHub           bool // the exporter's own user is here, and whoever the configuration excuses by name
}

func (s size) teamNames() []string {
	return []string{"", ".data", ".ops", ".web", ".games", ".sales", ".design"}[:s.teams]
}

func (s size) projectNames() []string {
	return []string{
		"payments", "orders", "search", "billing", "catalog", "shipping", "login", "media", "reports", "mobile",
		"website", "archive", "ledger", "pricing", "partner", "events", "support", "maps", "forum", "labs",
	}[:s.projects]
}

// machine is a kind of user that programs act as.
type machine struct{ prefix, path string }

func machines() []machine {
	return []machine{
		{"ci-", "/ci/"},
		{"deploy-", "/ci/"},
		{"ses-", "/mail/"},
		{"backup-", "/robots/"},
		{"terraform-", "/robots/infra/"},
		{"monitoring-", "/"},
	}
}

// populate fills the account: people, machines, special users, then a few
// violations of every rule.
func (a *Account) populate() error {
	for _, team := range a.size.teamNames() {
		for _, name := range firstNames() {
			if err := a.addPerson(name + team); err != nil {
				return err
			}
		}
	}
	for _, kind := range machines() {
		for _, project := range a.size.projectNames() {
			if err := a.addMachine(kind, project); err != nil {
				return err
			}
		}
	}
	if err := a.addSpecial(); err != nil {
		return err
	}
	return a.violateEveryRule()
}

// addPerson adds someone with a password and, mostly, an MFA device; some have
// an old key that was deactivated.
func (a *Account) addPerson(name string) error {
	age := a.between(60*day, 8*365*day)
	if err := a.addConsoleUser(name, "/people/", age, a.chance(97)); err != nil {
		return err
	}
	if a.chance(99) {
		if err := a.World.SignIn(name, a.now().Add(-a.between(time.Hour, 30*day))); err != nil {
			return err
		}
	}
	if a.chance(15) {
		return a.addKey(name, keySpec{age: age / 2, idle: age / 3, inactive: true})
	}
	return nil
}

func (a *Account) addConsoleUser(name, path string, age time.Duration, mfa bool) error {
	created := a.now().Add(-age)
	if _, err := a.World.CreateUser(name, path, created); err != nil {
		return err
	}
	if err := a.World.SetPassword(name, created); err != nil {
		return err
	}
	if err := a.tagPerson(name); err != nil {
		return err
	}
	if !mfa {
		return nil
	}
	_, err := a.World.AddMFA(name, created)
	return err
}

// addMachine adds a user with a key, mostly a young one in use.
func (a *Account) addMachine(kind machine, project string) error {
	name := kind.prefix + project
	if _, err := a.World.CreateUser(name, kind.path, a.now().Add(-a.between(100*day, 7*365*day))); err != nil {
		return err
	}
	if err := a.tag(name, tagKind, "machine", tagTeam, project); err != nil {
		return err
	}
	return a.addKey(name, a.machineKey())
}

func (a *Account) machineKey() keySpec {
	switch spec := (keySpec{idle: a.between(time.Minute, 12*time.Hour)}); {
	case a.chance(85):
		spec.age = a.between(day, 75*day)
		return spec
	case a.chance(60):
		spec.age = a.between(91*day, 99*day)
		return spec
	default:
		spec.age = a.between(100*day, 6*365*day)
		return spec
	}
}

// addSpecial adds users of kinds that populate makes no others of: one for
// emergencies, one in the middle of a rotation and one without credentials; in the
// hub some who are excused for other reasons, and the exporter itself.
func (a *Account) addSpecial() error {
	if err := a.addConsoleUser("break-glass", "/emergency/", 5*365*day, false); err != nil {
		return err
	}
	if a.size.isHub {
		if err := a.addExcused(); err != nil {
			return err
		}
	}
	if err := a.World.SignIn("break-glass", a.now().Add(-400*day)); err != nil {
		return err
	}
	for _, name := range []string{"rotating-gateway", "intern-2019"} {
		if _, err := a.World.CreateUser(name, "/", a.now().Add(-3*365*day)); err != nil {
			return err
		}
	}
	if a.size.isHub {
		if err := a.addExporter(); err != nil {
			return err
		}
	}
	return a.arrange("rotating-gateway", keySpec{age: 6 * day, idle: 4 * day}, keySpec{age: 2 * day, idle: time.Hour})
}

func (a *Account) addExporter() error {
	const name = "exporter"
	if _, err := a.World.CreateUser(name, "/", a.now().Add(-3*365*day)); err != nil {
		return err
	}
	return a.arrange(name, keySpec{age: 10 * day, idle: time.Minute})
}

// addExcused adds users whose exemption, in the configuration or in a tag, holds
// or has ended.
func (a *Account) addExcused() error {
	for _, name := range []string{"legacy-erp", "appliance-7", "vendor-scanner"} {
		if _, err := a.World.CreateUser(name, excusedPath, a.now().Add(-4*365*day)); err != nil {
			return err
		}
		if err := a.arrange(name, keySpec{age: 500 * day, idle: time.Hour}); err != nil {
			return err
		}
		if err := a.tag(name, tagKind, "machine", tagTeam, "ledger"); err != nil {
			return err
		}
	}
	return a.tag("vendor-scanner", tagExempt, "key_rotation key_rotation_due until "+a.dayFromNow(60)+" vendor ships new software in spring")
}

// violateEveryRule makes a few users violate each rule.
func (a *Account) violateEveryRule() error {
	const each = 3
	for _, v := range violations() {
		for range each {
			if err := a.apply(v); err != nil {
				return fmt.Errorf("violate %s: %w", v.rule, err)
			}
		}
	}
	return nil
}

// everyone returns all users, and root last.
func (a *Account) everyone() []awssim.User {
	root, _ := a.World.User(awssim.Root)
	return append(a.World.Users(), root)
}
