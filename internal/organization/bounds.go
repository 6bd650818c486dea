package organization

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

const (
	// mostAccounts is how many accounts an organization has at most.
	mostAccounts = 10_000
	// pageSize is how many accounts AWS hands out at once, at most.
	pageSize = 20
	// leastPerPage is how many elements a page must have on average in a long
	// listing. AWS chooses how many there are, and some pages are empty.
	leastPerPage = 5
	longestToken = 16 << 10
)

// bounds are how much may come before a list counts as one without end: in pages,
// which each must bring something new; in bytes; and in time.
type bounds struct {
	pages int   // beyond one for every leastPerPage elements
	bytes int64 // of all pages
	pause time.Duration
}

// ofAccounts bounds the listing of all accounts; a page of them is 20 kB.
func (r *Reader) ofAccounts() bounds { return bounds{200, 64 << 20, r.client.Pause()} }

// ofTags bounds the listing of an account's tags, of which there are 50 at most.
func (r *Reader) ofTags() bounds { return bounds{20, 1 << 20, r.client.Pause()} }

// patience is how long a listing may take: ten times what its pages take if they
// come as fast as they may.
func (b bounds) patience(elements int) time.Duration {
	return 15*time.Minute + 10*time.Duration(b.pages+elements/leastPerPage)*b.pause
}

func (b bounds) check(pages, elements int, took time.Duration) error {
	if pages >= b.pages+elements/leastPerPage || took > b.patience(elements) {
		return &awsapi.Malformed{What: fmt.Sprintf("the listing has not ended after %d pages with %d elements, in %s: expected an end",
			pages, elements, took.Round(time.Second))}
	}
	return nil
}

// pages calls read with each token until there is none. It returns the next token,
// and how many different elements there are on all pages so far. A page may be
// empty. A token that comes again would never end.
func pages(ctx context.Context, b bounds, read func(ctx context.Context, token *string) (next string, elements int, err error)) error {
	ctx = awsapi.WithAllowance(ctx, b.bytes)
	began := time.Now()
	var token *string
	seen := map[string]bool{}
	for {
		next, elements, err := read(ctx, token)
		if err != nil || next == "" {
			return err
		}
		switch {
		case len(next) > longestToken:
			return &awsapi.Malformed{What: fmt.Sprintf("a token has %d characters: expected no more than %d", len(next), longestToken)}
		case seen[next]:
			return &awsapi.Malformed{What: fmt.Sprintf("the token of page %d came before: expected a new one", len(seen)+1)}
		}
		seen[next] = true
		if err := b.check(len(seen), elements, time.Since(began)); err != nil {
			return err
		}
		token = &next
	}
}
