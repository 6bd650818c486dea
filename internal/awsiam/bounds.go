package awsiam

import (
	"cmp"
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// leastPerPage is how many elements a page must have on average in a long
// listing. AWS chooses how many there are, and some pages are empty.
const leastPerPage = 10

// bounds are how much may come before a list counts as one without end: in
// pages, which each must bring something new; in bytes; and in time.
type bounds struct {
	pages int   // beyond one for every leastPerPage elements
	bytes int64 // of all pages
	pause func() time.Duration
}

// ofAccount bounds a listing of all users.
func (r Reader) ofAccount() bounds { return bounds{200, 512 << 20, r.client.Pause} }

// ofUser bounds a listing of a user's keys, devices or tags, of which there are
// 50 at most.
func (r Reader) ofUser() bounds { return bounds{60, 16 << 20, r.client.Pause} }

// patience is how long a listing may take. At a slow pace it is long: at the
// default one a listing of 5,000 users takes seconds.
func (b bounds) patience() time.Duration {
	return 15*time.Minute + 10*time.Duration(b.pages)*b.pause()
}

func (b bounds) check(pages, elements int, took time.Duration) error {
	if pages >= b.pages+elements/leastPerPage || took > b.patience() {
		return &awsapi.Malformed{What: fmt.Sprintf("the listing has not ended after %d pages with %d elements, in %s: expected an end",
			pages, elements, took.Round(time.Second))}
	}
	return nil
}

// page is what is to be known of a page to go on.
type page struct {
	truncated bool
	marker    *string
	elements  int // different ones, on all pages so far
}

// pages calls next, and take with what it returns, until the listing is complete.
// A page may be empty; only IsTruncated tells the end. A marker that is missing
// or comes again would make half a listing look complete, or never end.
func pages[O any](ctx context.Context, b bounds, next func(ctx context.Context, marker *string) (*O, error), take func(*O) (page, error)) error {
	ctx = awsapi.WithAllowance(ctx, b.bytes)
	began := time.Now()
	var marker *string
	seen := map[string]bool{}
	for {
		out, err := next(ctx, marker)
		if err != nil {
			return err
		}
		p, err := take(out)
		if err != nil || !p.truncated {
			return err
		}
		m := aws.ToString(p.marker)
		if m == "" || seen[m] {
			return &awsapi.Malformed{What: fmt.Sprintf("page %d is truncated, but its marker is missing or came before: expected a new one", len(seen)+1)}
		}
		seen[m] = true
		err = b.check(len(seen), p.elements, time.Since(began))
		if err = cmp.Or(err, checkLengths(longText{"a marker", m, longestMarker})); err != nil {
			return err
		}
		marker = p.marker
	}
}

const longestMarker = 16 << 10

// longText is a text and how long it may be.
type longText struct {
	what string
	text string
	most int
}

// checkLengths refuses texts that are longer than any of AWS's. It quotes none.
func checkLengths(texts ...longText) error {
	for _, t := range texts {
		if len(t.text) > t.most && utf8.RuneCountInString(t.text) > t.most {
			return &awsapi.Malformed{What: fmt.Sprintf("%s has %d characters: expected no more than %d", t.what, utf8.RuneCountInString(t.text), t.most)}
		}
	}
	return nil
}

// checkUserLengths refuses a user of whom something is longer than any of AWS's.
func checkUserLengths(u *inventory.User) error {
	return checkLengths(
		longText{"its name", u.Name, inventory.LongestName},
		longText{"its path", u.Path, inventory.LongestPath},
		longText{"its ARN", u.ARN, inventory.LongestARN},
		longText{"its id", u.ID, inventory.LongestID},
	)
}

// userListing gathers the users that pages of a list hold.
type userListing struct {
	action string // the call
	users  []inventory.User
	odd    []*UserError
	ids    map[string]bool
}

// add takes a user in, or sets one apart about whom something is wrong.
func (l *userListing) add(user inventory.User, wrong error) error {
	if wrong != nil {
		name := inventory.Shorten(user.Name, inventory.LongestName)
		odd := &UserError{Name: name, Action: l.action, Err: awsapi.Wrap(l.action, "user "+name, wrong)}
		if name != user.Name && len(user.ID) <= inventory.LongestID {
			odd.ID = user.ID
		}
		l.odd = append(l.odd, odd)
		return l.checkNumber()
	}
	l.users = append(l.users, user)
	l.ids[user.ID] = true
	return l.checkNumber()
}

// elements returns how many different users there are so far.
func (l *userListing) elements() int { return len(l.ids) }

// distinct returns the users, each once. It refuses a listing that no account can have.
func (l *userListing) distinct() ([]inventory.User, error) {
	if err := checkUsers(l.users); err != nil {
		return nil, err
	}
	return distinctUsers(l.users)
}

func (l *userListing) checkNumber() error {
	if len(l.users)+len(l.odd) > inventory.MostUsers {
		return &awsapi.Malformed{What: fmt.Sprintf("the account has more than %d users: expected fewer", inventory.MostUsers)}
	}
	return nil
}
