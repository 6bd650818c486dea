package awsapi_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
)

// TestPlainBodies reads on in a request's body after the SDK has closed it, as net/http
// does when it comes late, and finds an end and no failure.
func TestPlainBodies(t *testing.T) {
	const form = "Action=ListUsers&Version=2010-05-08"
	stack := middleware.NewStack("ListUsers", smithyhttp.NewStackRequest)
	serialize := middleware.SerializeMiddlewareFunc("Serialize", func(
		ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
	) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, err := in.Request.(*smithyhttp.Request).SetStream(strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
	if err := errors.Join(stack.Serialize.Add(serialize, middleware.After), awsapi.PlainBodies(stack)); err != nil {
		t.Fatal(err)
	}
	sent := false
	_, _, err := stack.HandleMiddleware(t.Context(), nil, middleware.HandlerFunc(func(ctx context.Context, input any) (any, middleware.Metadata, error) {
		request := input.(*smithyhttp.Request)
		for range 2 { // the second time after a failure
			if err := request.RewindStream(); err != nil {
				t.Error(err)
			}
			body := request.Build(ctx).Body
			if text, err := io.ReadAll(io.LimitReader(body, request.ContentLength)); string(text) != form || err != nil {
				t.Errorf("sent %q, error %v; want %q", text, err, form)
			}
			_ = body.Close()
			if n, err := io.Copy(io.Discard, body); n != 0 || err != nil {
				t.Errorf("after its end: %d bytes, error %v; want none", n, err)
			}
		}
		sent = true
		return nil, middleware.Metadata{}, nil
	}))
	if err != nil || !sent {
		t.Errorf("sent: %t, error %v", sent, err)
	}
}
