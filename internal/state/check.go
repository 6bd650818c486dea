package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// check refuses facts that no reading of AWS can have brought, and text that
// JSON cannot hold. It guards both ways, so that what is saved can be loaded.
func check(s *inventory.Snapshot) error {
	if !isAccountID(s.Account.ID) {
		return fmt.Errorf("the account's id is %q, want 12 digits", s.Account.ID)
	}
	if err := checkText(s.Account.Name, s.Account.Partition, s.Account.OUPath); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	if err := checkMoments(moment{"listing of users", true, listed(s)}); err != nil {
		return err
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

func isAccountID(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}

func checkRoot(root *inventory.Root) error {
	use, _ := root.PasswordUse.Get()
	err := checkMoments(
		moment{"creation", !root.Created.IsZero(), root.Created},
		moment{"observation of the presence of keys", root.KeyPresent.Known(), root.KeyPresent.Observed()},
		moment{"observation of keys", root.Keys.Known(), root.Keys.Observed()},
		moment{"observation of console access", root.Console.Known(), root.Console.Observed()},
		moment{"observation of MFA", root.MFA.Known(), root.MFA.Observed()},
		moment{"observation of the password's use", root.PasswordUse.Known(), root.PasswordUse.Observed()},
		moment{"use of the password", !use.Never(), use.At},
	)
	keys, _ := root.Keys.Get()
	for i := 0; i < len(keys) && err == nil; i++ {
		created := moment{"creation of a key", !keys[i].Created.IsZero(), keys[i].Created}
		err = cmp.Or(checkKey(&keys[i]), checkMoments(created))
	}
	return cmp.Or(err, checkText(use.Region, use.Service))
}

func checkUser(u *inventory.User, accountID string) error {
	parsed, err := arn.Parse(u.ARN)
	switch {
	case u.Name == "":
		return errors.New("want a name")
	case err != nil || parsed.AccountID != accountID:
		return fmt.Errorf("the ARN is %q, want one in account %s", u.ARN, accountID)
	}
	use, _ := u.PasswordUse.Get()
	set, _ := u.PasswordCreated.Get()
	err = checkMoments(
		moment{"creation", true, u.Created},
		moment{"observation of keys", u.Keys.Known(), u.Keys.Observed()},
		moment{"observation of console access", u.Console.Known(), u.Console.Observed()},
		moment{"observation of the password's creation", u.PasswordCreated.Known(), u.PasswordCreated.Observed()},
		moment{"creation of the password", u.PasswordCreated.Known(), set},
		moment{"observation of the password's use", u.PasswordUse.Known(), u.PasswordUse.Observed()},
		moment{"use of the password", !use.Never(), use.At},
		moment{"observation of MFA", u.MFA.Known(), u.MFA.Observed()},
		moment{"observation of tags", u.Tags.Known(), u.Tags.Observed()},
	)
	return cmp.Or(err, checkText(u.ID, u.Name, u.ARN, u.Path, use.Region, use.Service), checkKeys(u), checkTags(u))
}

func checkKeys(u *inventory.User) error {
	keys, _ := u.Keys.Get()
	for i := range keys {
		err := checkKey(&keys[i])
		switch {
		case err != nil:
			return err
		case keys[i].ID == "" || slices.ContainsFunc(keys[:i], func(k inventory.AccessKey) bool { return k.ID == keys[i].ID }):
			return fmt.Errorf("the id of a key is %q, want one of its own", keys[i].ID)
		}
		if err := checkMoments(moment{"creation of a key", true, keys[i].Created}); err != nil {
			return err
		}
	}
	return nil
}

// checkKey checks what holds for root's keys too.
func checkKey(k *inventory.AccessKey) error {
	if !slices.Contains(inventory.Statuses(), k.Status) {
		return fmt.Errorf("the status of a key is %q, want one of %q", k.Status, inventory.Statuses())
	}
	use, _ := k.LastUse.Get()
	err := checkMoments(
		moment{"observation of a key's use", k.LastUse.Known(), k.LastUse.Observed()},
		moment{"use of a key", !use.Never(), use.At},
	)
	return cmp.Or(err, checkText(k.ID, use.Region, use.Service))
}

func checkTags(u *inventory.User) error {
	tags, _ := u.Tags.Get()
	for i := range tags {
		if err := checkText(tags[i].Key, tags[i].Value); err != nil {
			return fmt.Errorf("tag: %w", err)
		}
	}
	return nil
}

// moment is a time that makes sense if it is known.
type moment struct {
	what  string
	known bool
	at    time.Time
}

func checkMoments(moments ...moment) error {
	for _, m := range moments {
		if m.known && (m.at.Unix() <= 0 || m.at.UTC().Year() > 9999) {
			return fmt.Errorf("the time of the %s is %s, want one between the years 1970 and 9999", m.what, m.at.UTC().Format(time.RFC3339))
		}
	}
	return nil
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
