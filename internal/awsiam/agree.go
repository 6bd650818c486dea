package awsiam

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// An answer can tell one thing in two ways. Nobody can say which of them is
// true, so neither is used. Telling the same again does no harm.

// accountOf returns the account of a caller, of whom AWS tells id and ARN.
func accountOf(id, callerARN string) (inventory.Account, error) {
	caller, err := arn.Parse(callerARN)
	if err != nil || caller.AccountID != id || len(id) != 12 || strings.Trim(id, "0123456789") != "" {
		return inventory.Account{}, &awsapi.Malformed{What: fmt.Sprintf("account %q, ARN %q: expected a 12-digit id and an ARN of that account", id, callerARN)}
	}
	return inventory.Account{ID: id, Partition: caller.Partition}, nil
}

// checkAbout refuses what an answer tells of another user than was asked about.
// It does not name the other one, who may be hidden. In IAM, case does not tell
// names apart.
func checkAbout(asked string, told *string) error {
	if name := aws.ToString(told); name != "" && !strings.EqualFold(name, asked) {
		return &awsapi.Malformed{What: "the answer is about another user: expected one about the user that was asked about"}
	}
	return nil
}

// most is how many keys or tags of one user are taken for true. IAM allows a few
// keys and 50 tags; of many more, a scrape would take too long.
const most = 1000

func checkNumber(what string, n int) error {
	if n > most {
		return &awsapi.Malformed{What: fmt.Sprintf("a user has %d %s or more: expected no more than %d", n, what, most)}
	}
	return nil
}

// distinctUsers drops repetitions: pages show a user again while others come
// and go. It refuses users who are told in two ways; so one id for two names,
// even though a user who is renamed between two pages looks like that, and is
// listed well the next time. One name may have two ids if the users were
// created at different times: then one of them was made anew meanwhile.
func distinctUsers(users []inventory.User) ([]inventory.User, error) {
	byID := make(map[string]int, len(users)) // places in distinct
	distinct := users[:0]
	for _, user := range users {
		i, again := byID[user.ID]
		if !again {
			byID[user.ID] = len(distinct)
			distinct = append(distinct, user)
			continue
		}
		if err := repeat(&distinct[i], &user); err != nil {
			return nil, err
		}
	}
	return distinct, checkNames(distinct)
}

// repeat takes in that a listing shows the user again. A sign-in between two
// pages is no contradiction.
func repeat(user, again *inventory.User) error {
	tags, _ := user.Tags.Get()
	other, _ := again.Tags.Get()
	switch {
	case user.Name != again.Name, user.ARN != again.ARN, user.Path != again.Path, !user.Created.Equal(again.Created):
		return contradicts(user, "shares the id %q with another one: expected one name, ARN and creation date for each id", user.ID)
	case !slices.Equal(tags, other):
		return contradicts(user, "is listed with different tags: expected the same each time")
	}
	user.PasswordUse = inventory.MergeUse(user.PasswordUse, again.PasswordUse)
	return nil
}

// checkNames refuses two users who have both name and creation date in common.
func checkNames(users []inventory.User) error {
	type identity struct {
		name    string
		created time.Time
	}
	ids := make(map[identity]string, len(users))
	for i := range users {
		user := &users[i]
		of := identity{user.Name, user.Created}
		if other, taken := ids[of]; taken {
			return contradicts(user, "has the ids %q and %q: expected one", other, user.ID)
		}
		ids[of] = user.ID
	}
	return nil
}

// contradicts tells of a user who is told in two ways, and names nobody else.
func contradicts(user *inventory.User, how string, args ...any) error {
	what := fmt.Sprintf("user %q, created %s, ", user.Name, user.Created.Format(time.RFC3339)) + fmt.Sprintf(how, args...)
	return &UserError{Name: user.Name, Err: &awsapi.Malformed{What: what}}
}

// distinctKeys drops repetitions of a user's keys, and refuses keys that are
// told in two ways. It names none: ids of keys stand in no log.
func distinctKeys(keys []inventory.AccessKey) ([]inventory.AccessKey, error) {
	byID := make(map[string]inventory.AccessKey, len(keys))
	distinct := keys[:0]
	for _, key := range keys {
		first, again := byID[key.ID]
		switch {
		case !again:
			byID[key.ID] = key
			distinct = append(distinct, key)
		case first.Status != key.Status, !first.Created.Equal(key.Created):
			return nil, &awsapi.Malformed{What: fmt.Sprintf("a key is listed as %s, created %s, and as %s, created %s: expected one status and creation date for each key",
				first.Status, first.Created.Format(time.RFC3339), key.Status, key.Created.Format(time.RFC3339))}
		}
	}
	return distinct, nil
}
