package awssim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Config returns a configuration whose clients reach the world in-process.
func (w *World) Config() aws.Config {
	return aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIASIMULATEDCALLER2", "simulated", ""),
		HTTPClient:  &http.Client{Transport: w.Transport()},
	}
}

// Transport returns a transport that answers requests in-process, without
// sockets, for any host. A fault that breaks the connection shows as
// ECONNRESET.
func (w *World) Transport() http.RoundTripper { return transport{w} }

type transport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	server := r.Clone(ctx)
	server.Body = io.NopCloser(bytes.NewReader(body))
	server.RequestURI = r.URL.RequestURI()
	done := make(chan outcome, 1)
	go func() { done <- serve(t.handler, server) }()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case o := <-done:
		return o.response(r)
	}
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	return body, nil
}

// outcome is how a request ended: with an answer, or with a panic of the handler.
type outcome struct {
	recorder recorder
	panicked any
}

func serve(handler http.Handler, r *http.Request) (o outcome) {
	o.recorder.header = make(http.Header)
	defer func() { o.panicked = recover() }()
	handler.ServeHTTP(&o.recorder, r)
	return o
}

func (o *outcome) response(r *http.Request) (*http.Response, error) {
	if err, _ := o.panicked.(error); errors.Is(err, http.ErrAbortHandler) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	if o.panicked != nil {
		panic(o.panicked)
	}
	status := cmp.Or(o.recorder.status, http.StatusOK)
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        o.recorder.header,
		Body:          io.NopCloser(&o.recorder.body),
		ContentLength: int64(o.recorder.body.Len()),
		Request:       r,
	}, nil
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = cmp.Or(r.status, status) }

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
