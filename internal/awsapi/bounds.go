package awsapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The most bytes that an answer may have once it is decompressed. What AWS sends
// stays far below.
const (
	longestAboutUser = 1 << 20   // 50 tags of the longest kind are 80 kB
	longestAnswer    = 8 << 20   // a page of 1,000 users is 0.4 MB, with the longest paths 2 MB
	longestDetails   = 32 << 20  // 1,000 users with tags, groups and policies are 5 MB
	longestReport    = 64 << 20  // a report on 100,000 users is 45 MB
	longestDiscovery = 256 << 10 // a page of 20 accounts is 20 kB; the tags of one are 120 kB if each character is escaped
	longestRefusal   = 256 << 10 // an error is 1 kB
)

// longest returns the most bytes that an answer to the operation may have.
func (o Operation) longest() int64 {
	switch {
	case o.OnUsers, o.Roles:
		return longestAboutUser
	case o.Discovers != DiscoveredNothing:
		return longestDiscovery
	case o.Name == string(TagsFromAuthorizationDetails):
		return longestDetails
	case o.Name == "GetCredentialReport":
		return longestReport
	}
	return longestAnswer
}

// longestAnswerTo returns the same for an operation by name. Those that are not
// in the table fetch credentials.
func longestAnswerTo(operation string) int64 {
	for _, o := range Operations() {
		if o.Name == operation {
			return o.longest()
		}
	}
	return longestAboutUser
}

// bytesPerTag is how many bytes an answer of the longest kind has for each of its
// XML tags, at least: an empty element takes far more memory than bytes.
const bytesPerTag = 32

type allowanceKey struct{}

// WithAllowance returns a context under which all answers together may have so
// many bytes.
func WithAllowance(ctx context.Context, bytes int64) context.Context {
	left := new(atomic.Int64)
	left.Store(bytes)
	return context.WithValue(ctx, allowanceKey{}, left)
}

// BoundAnswers has the SDK refuse answers of more bytes than any answer has. What
// is counted is what is read from them, so that compression hides nothing.
func BoundAnswers(stack *middleware.Stack) error {
	b := &bounded{longestAnswerTo(stack.ID())}
	if _, found := stack.Deserialize.Get(b.ID()); found {
		return nil // the client has it from its configuration
	}
	return stack.Deserialize.Add(b, middleware.After)
}

// bounded is the middleware next to the transport.
type bounded struct{ longest int64 }

// ID names the middleware for the SDK.
func (b *bounded) ID() string { return "BoundAnswers" }

// HandleDeserialize puts a bound on the answer's body.
func (b *bounded) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil && response.Body != nil {
		limit := b.longest
		if response.StatusCode < 200 || response.StatusCode > 299 {
			limit = min(limit, longestRefusal)
		}
		allowance, _ := ctx.Value(allowanceKey{}).(*atomic.Int64)
		response.Body = &boundedBody{
			ReadCloser: response.Body, limit: limit, left: limit, tags: int(limit / bytesPerTag), allowance: allowance,
		}
	}
	return out, metadata, err
}

// boundedBody fails once more was read than is allowed.
type boundedBody struct {
	io.ReadCloser
	limit, left int64
	tags        int           // how many more there may be
	allowance   *atomic.Int64 // for several answers together; nil for none
	failed      error
}

// Read reads no further than one byte beyond the bound.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	b.tags -= bytes.Count(p[:n], []byte("<"))
	switch {
	case b.left < 0:
		b.failed = &Malformed{What: fmt.Sprintf("the answer has more than %d bytes: expected fewer", b.limit)}
	case b.tags < 0:
		b.failed = &Malformed{What: fmt.Sprintf("the answer has more than %d XML tags: expected fewer", b.limit/bytesPerTag)}
	case b.allowance != nil && b.allowance.Add(-int64(n)) < 0:
		b.failed = &Malformed{What: "the pages of this listing have more bytes together than any account's have: expected fewer"}
	default:
		return n, err
	}
	return 0, b.failed
}

// Pause returns how long a client waits at present between two requests, if it
// sends many.
func (c *Client) Pause() time.Duration {
	return c.pace.pause(c.shared)
}
