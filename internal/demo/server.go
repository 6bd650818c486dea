package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Server serves a world on the loopback interface.
type Server struct {
	URL     string
	address string
	done    chan error
}

// Listen serves the handler on a free loopback port until the context ends.
// Size, duration and number of requests are bounded.
func Listen(ctx context.Context, handler http.Handler) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the demo: %w", err)
	}
	server := &http.Server{
		Handler:           limit(handler),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadTimeout:       10 * time.Second,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	address := listener.Addr().String()
	s := &Server{URL: "http://" + address, address: address, done: make(chan error, 1)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		defer stop()
		s.done <- serveUntilClosed(server, listener)
	}()
	return s, nil
}

// Client returns a client that reaches nothing but the server, whatever host it is
// asked for, and through no proxy.
func (s *Server) Client() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.address)
		}
	})
}

// Wait returns when the server has stopped, with an error unless the context
// ended it. It is to be called once.
func (s *Server) Wait() error { return <-s.done }

func serveUntilClosed(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the demo: %w", err)
	}
	return nil
}

// limit refuses requests beyond a number at a time.
func limit(handler http.Handler) http.Handler {
	const atOnce = 128 // more than all accounts together ask for
	slots := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			handler.ServeHTTP(w, r)
		default:
			http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
		}
	})
}
