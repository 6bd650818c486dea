package state

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// maxSweep bounds how long a sweep of all users is taken to last after a restart, since
// facts count as fresh for as long. A longer one is kept as this: the next one tells.
const maxSweep = 30 * 24 * time.Hour

// check refuses facts that cannot have come from AWS, and text that JSON cannot
// hold. Both saving and loading check, so that what is saved can be loaded.
func check(s *inventory.Snapshot) error {
	if !inventory.IsAccountID(s.Account.ID) {
		return fmt.Errorf("the account's id is %q, want 12 digits", s.Account.ID)
	}
	if err := checkText(s.Account.Alias, s.Account.Partition, s.Account.OUPath); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	if err := checkMoment(listed(s), "the listing of users"); err != nil {
		return err
	}
	if s.Sweep.Length < 0 || s.Sweep.Length > maxSweep {
		return fmt.Errorf("a sweep takes %s, want at most %s", s.Sweep.Length, maxSweep)
	}
	for group := range s.Complete {
		if !slices.Contains(inventory.Groups(), group) {
			return fmt.Errorf("there is no fact group %q", group)
		}
	}
	if err := checkRoot(&s.Root); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	for i := range s.Users {
		if err := checkUser(&s.Users[i], s.Account.ID); err != nil {
			return fmt.Errorf("user %q: %w", s.Users[i].Name, err)
		}
		if i > 0 && s.Users[i-1].Name >= s.Users[i].Name {
			return fmt.Errorf("user %q comes after %q, want each user once, ordered by name", s.Users[i].Name, s.Users[i-1].Name)
		}
	}
	return nil
}

func checkRoot(root *inventory.Root) error {
	if !root.Created.IsZero() {
		if err := checkMoment(root.Created, "the creation"); err != nil {
			return err
		}
	}
	return checkFacts(root.KnownFacts())
}

func checkUser(u *inventory.User, accountID string) error {
	parsed, err := arn.Parse(u.ARN)
	switch {
	case u.Name == "":
		return errors.New("want a name")
	case err != nil || parsed.AccountID != accountID:
		return fmt.Errorf("the ARN is %q, want one in account %s", u.ARN, accountID)
	}
	return cmp.Or(
		checkMoment(u.Created, "the creation"),
		checkText(u.ID, u.Name, u.ARN, u.Path),
		checkFacts(u.KnownFacts()),
		checkKeys(u),
	)
}

// checkKeys checks what must hold for users' keys, but not for root's.
func checkKeys(u *inventory.User) error {
	keys, _ := u.Keys.Get()
	for i := range keys {
		if keys[i].ID == "" || slices.ContainsFunc(keys[:i], func(k inventory.AccessKey) bool { return k.ID == keys[i].ID }) {
			return fmt.Errorf("the id of a key is %q, want one of its own", keys[i].ID)
		}
		if err := checkMoment(keys[i].Created, "the creation of a key"); err != nil {
			return err
		}
	}
	return nil
}

func checkFacts(facts iter.Seq[inventory.KnownFact]) error {
	for fact := range facts {
		err := cmp.Or(
			checkMoment(fact.Observed, "the observation of", inWords(fact.Name)),
			checkValue(inWords(fact.Name), fact.Value),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// inWords returns what a fact is about, for errors.
func inWords(name string) string {
	switch name {
	case "key_present":
		return "the presence of keys"
	case "console":
		return "console access"
	case "mfa":
		return "MFA"
	case "password_created":
		return "the creation of the password"
	case "password_changed":
		return "the change of the password"
	case "password_use":
		return "the use of the password"
	case "last_use":
		return "the use of a key"
	}
	return name
}

// checkValue refuses types that it does not know, so that no fact goes unchecked.
func checkValue(what string, value any) error {
	switch v := value.(type) {
	case bool:
		return nil
	case time.Time:
		return checkMoment(v, what)
	case inventory.Use:
		return checkUse(what, v)
	case inventory.Tags:
		return checkTags(v)
	case []inventory.AccessKey:
		for i := range v {
			if err := checkKey(&v[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s: state has no check for a value of type %T", what, value)
}

func checkUse(what string, use inventory.Use) error {
	if !use.Never() {
		if err := checkMoment(use.At, what); err != nil {
			return err
		}
	}
	return checkText(use.Region, use.Service)
}

func checkTags(tags inventory.Tags) error {
	for _, tag := range tags {
		if err := checkText(tag.Key, tag.Value); err != nil {
			return fmt.Errorf("tag: %w", err)
		}
	}
	return nil
}

// checkKey checks what must hold for every key, root's included.
func checkKey(k *inventory.AccessKey) error {
	if !slices.Contains(inventory.Statuses(), k.Status) {
		return fmt.Errorf("the status of a key is %q, want one of %q", k.Status, inventory.Statuses())
	}
	if !k.Created.IsZero() {
		if err := checkMoment(k.Created, "the creation of a key"); err != nil {
			return err
		}
	}
	return cmp.Or(checkText(k.ID), checkFacts(k.KnownFacts()))
}

func checkMoment(at time.Time, what ...string) error {
	if at.Unix() > 0 && at.UTC().Year() <= 9999 {
		return nil
	}
	return fmt.Errorf("the time of %s is %s, want one between the years 1970 and 9999", strings.Join(what, " "), at.UTC().Format(time.RFC3339))
}

// checkText refuses text that is not UTF-8, which JSON would change silently.
// AWS answers in XML, which cannot hold such text either.
func checkText(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%q is not UTF-8 text, and cannot be kept", text)
		}
	}
	return nil
}
