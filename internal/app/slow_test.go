package app

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awsapi"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/awssim"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/web"
)

// oneConn is a listener on one connection without buffers, whose deadlines follow
// a bubble's clock.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
func (l *oneConn) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// TestSlowClientsAreCutOff has clients who send or read next to nothing, for ever.
// The metrics are served before, meanwhile and afterwards.
func TestSlowClientsAreCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		sends string
		drips bool // then sends a byte a second
		reads bool
		limit time.Duration
	}{
		"a header without end":      {"GET /metrics HTTP/1.1\r\nHost: exporter\r\nX-", true, true, 10 * time.Second},
		"a body without end":        {"POST /metrics HTTP/1.1\r\nHost: exporter\r\nContent-Length: 100000\r\n\r\n", true, true, 20 * time.Second},
		"a body for a reload":       {"POST /-/reload HTTP/1.1\r\nHost: exporter\r\nContent-Length: 100000\r\n\r\n", true, true, 20 * time.Second},
		"a body for a scrape":       {"GET /metrics HTTP/1.1\r\nHost: exporter\r\nContent-Length: 100000\r\n\r\n", true, true, 20 * time.Second},
		"does not read metrics":     {"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n", false, false, 30 * time.Second},
		"does not read the page":    {"GET / HTTP/1.1\r\nHost: exporter\r\n\r\n", false, false, 30 * time.Second},
		"does not read other pages": {"GET /nothing HTTP/1.1\r\nHost: exporter\r\n\r\n", false, false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, town(t, time.Now(), awssim.Options{}), "--iam.source="+string(awsapi.SourceLive))
				time.Sleep(10 * time.Minute)
				e.wantUp("before", 1)
				l := &oneConn{conns: make(chan net.Conn), closed: make(chan struct{})}
				server := newServer(web.Handler(e.web), slog.New(slog.DiscardHandler))
				begun, over := time.Now(), make(chan time.Duration, 1)
				server.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateClosed {
						over <- time.Since(begun)
					}
				}
				go func() { _ = server.Serve(l) }()
				defer server.Close()
				client, conn := net.Pipe()
				var sending sync.WaitGroup
				defer sending.Wait()
				defer client.Close()
				l.conns <- conn
				if test.reads {
					go func() { _, _ = io.Copy(io.Discard, client) }()
				}
				sending.Go(func() {
					_, err := io.WriteString(client, test.sends)
					for ; test.drips && err == nil; time.Sleep(time.Second) {
						_, err = io.WriteString(client, "x")
					}
				})
				e.wantUp("meanwhile", 1)
				if got := <-over; got < test.limit || got > test.limit+time.Second {
					t.Errorf("cut off after %s, want %s, and a second at most to say good-bye", got, test.limit)
				}
				e.wantUp("afterwards", 1)
			})
		})
	}
}

// TestLongBodiesAreNotRead has clients send a hundred megabytes that nobody wants.
func TestLongBodiesAreNotRead(t *testing.T) {
	const most, piece = 1 << 20, 32 << 10
	for name, head := range map[string]string{
		"length said": "POST /-/reload HTTP/1.1\r\nHost: exporter\r\nContent-Length: 104857600\r\n\r\n",
		"in chunks":   "POST /-/reload HTTP/1.1\r\nHost: exporter\r\nTransfer-Encoding: chunked\r\n\r\n6400000\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &oneConn{conns: make(chan net.Conn), closed: make(chan struct{})}
				server := newServer(web.Probes(func() bool { return true }), slog.New(slog.DiscardHandler))
				go func() { _ = server.Serve(l) }()
				defer server.Close()
				client, conn := net.Pipe()
				defer client.Close()
				l.conns <- conn
				go func() { _, _ = io.Copy(io.Discard, client) }()
				sent := 0
				_, err := io.WriteString(client, head)
				for ; err == nil && sent < 100<<20; sent += piece {
					_, err = client.Write(make([]byte, piece))
				}
				if err == nil || sent > most {
					t.Errorf("%d bytes were read (%v), want the connection closed after %d at most", sent, err, most)
				}
			})
		})
	}
}
