package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// A client says how long it waits for an answer; within these limits.
const (
	usualPatience   = 30 * time.Second // of a client that does not say it
	longestPatience = time.Minute
)

// retryAfter is what a client that waited in vain is told, in seconds.
const retryAfter = "10"

// shared answers requests whose answers take much time and memory to make. It
// makes one at a time, and all who wait meanwhile share it. What has been made is
// kept compressed, and only while somebody waits or reads it.
type shared struct {
	view   func() *view.View
	read   func() http.Handler // reads what is known now, and returns what answers from it
	wish   func(*http.Request) wish
	logger *slog.Logger

	turn chan struct{} // held by the one for whom an answer is made; never while a client reads
	last *reading      // belongs to the holder of the turn

	mu      sync.Mutex
	waiting int        // requests that have come and have no answer yet
	begun   int        // readings
	current *view.View // the view before the reading that is under way; nil if none is
}

func newShared(o Options, wish func(*http.Request) wish, read func() http.Handler) *shared {
	return &shared{view: o.View, read: read, wish: wish, logger: o.Logger, turn: make(chan struct{}, 1)}
}

// wish is how a client wants its answer.
type wish struct {
	key        string // the same for requests that can share an answer; empty if nobody can
	compressed bool
}

// reading is what was read at one time, and the answers made of it.
type reading struct {
	number  int // the first is 1
	handler http.Handler
	answers map[string]*prepared // by the key of the wish
}

// ServeHTTP implements http.Handler.
func (s *shared) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	patience := patienceOf(r)
	wanted := s.wish(r)
	a := s.answer(r, wanted.key, patience/2)
	switch {
	case r.Context().Err() != nil: // the client is gone
	case a == nil:
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusServiceUnavailable, "Others are being answered, and that takes too long; try again later.\n")
	default:
		limit(w, patience)
		if err := a.send(w, wanted.compressed); err != nil {
			noteFailure(s.logger, r, err)
		}
	}
}

// answer returns an answer to the request; nil if its turn did not come within
// the time.
func (s *shared) answer(r *http.Request, key string, wait time.Duration) *prepared {
	oldest := s.arrive()
	defer s.leave()
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		return s.prepare(oldest, key, r)
	case <-ctx.Done():
		return nil
	}
}

// limit has a client who does not read cut off after the time: each holds some memory,
// so not forever.
func limit(w http.ResponseWriter, patience time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
}

func noteFailure(logger *slog.Logger, r *http.Request, err error) {
	logger.Debug("A client did not take its answer", "path", r.URL.Path, "err", err)
}

// arrive returns the number of the oldest reading that is new enough for a request
// which comes now: the one that is under way, if nothing was published since before
// it began, else the next one.
func (s *shared) arrive() (oldest int) {
	v := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
	if s.current == v {
		return s.begun
	}
	return s.begun + 1
}

// leave forgets what was read once nobody waits for it.
func (s *shared) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.last = nil
	}
}

// prepare returns an answer from the last reading, or from a new one if that is too
// old. The caller holds the turn.
func (s *shared) prepare(oldest int, key string, r *http.Request) *prepared {
	if s.last == nil || s.last.number < oldest {
		s.last = nil // or it would be in memory beside the new one
		number := s.begin()
		defer s.end()
		s.last = &reading{number: number, handler: s.read(), answers: map[string]*prepared{}}
	}
	if a := s.last.answers[key]; a != nil {
		return a
	}
	a := prepare(s.last.handler, r)
	if key != "" {
		s.last.answers[key] = a
	}
	return a
}

func (s *shared) begin() (number int) {
	v := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun++
	s.current = v
	return s.begun
}

func (s *shared) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// patienceOf returns how long the client waits for its answer. Prometheus sends its
// scrape timeout.
func patienceOf(r *http.Request) time.Duration {
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 {
		return usualPatience
	}
	return time.Duration(min(seconds, longestPatience.Seconds()) * float64(time.Second))
}

// prepared is a whole answer. Its body is compressed, because it stays in memory
// until the slowest client has read it.
type prepared struct {
	status int
	header http.Header
	body   bytes.Buffer // compressed
	size   int          // of the body before that
}

// prepare has the handler answer the request.
func prepare(h http.Handler, r *http.Request) *prepared {
	p := &prepared{status: http.StatusOK, header: http.Header{}}
	zip := gzip.NewWriter(&p.body)
	h.ServeHTTP(&recorder{prepared: p, zip: zip}, r)
	_ = zip.Close() // writing to memory does not fail
	return p
}

// recorder is the http.ResponseWriter of an answer that is prepared.
type recorder struct {
	*prepared
	zip *gzip.Writer
}

func (r *recorder) Header() http.Header    { return r.header }
func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) {
	r.size += len(p)
	return r.zip.Write(p)
}

// send writes the answer to a client.
func (p *prepared) send(w http.ResponseWriter, compressed bool) error {
	maps.Copy(w.Header(), p.header.Clone()) // the answer goes to others too
	w.Header().Add("Vary", "Accept-Encoding")
	if compressed {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(p.body.Len()))
		w.WriteHeader(p.status)
		_, err := w.Write(p.body.Bytes())
		return err
	}
	w.Header().Set("Content-Length", strconv.Itoa(p.size))
	w.WriteHeader(p.status)
	plain, err := gzip.NewReader(bytes.NewReader(p.body.Bytes()))
	if err != nil {
		return err
	}
	// With a buffer of io.Copy's size, many readers who stall would take twice as much.
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, plain, make([]byte, 4<<10))
	return err
}
