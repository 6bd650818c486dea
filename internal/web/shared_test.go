package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// desk is a shared handler whose readings are held up until the test lets them
// go on. An answer is the number of its reading, and the path that was asked for.
type desk struct {
	t        *testing.T
	shared   *shared
	view     *view.View
	readings int
	goOn     chan struct{}
	answered []string // paths, in order
	log      strings.Builder
}

// newDesk is to be called in a synctest bubble. Paths that begin with /special are
// wishes that nobody shares.
func newDesk(t *testing.T) *desk {
	d := &desk{t: t, goOn: make(chan struct{})}
	d.publish()
	o := Options{View: func() *view.View { return d.view }, Logger: slog.New(slog.NewTextHandler(&d.log, nil))}
	d.shared = newShared(o, func(r *http.Request) wish {
		if strings.HasPrefix(r.URL.Path, "/special") {
			return wish{}
		}
		return wish{key: r.URL.Path}
	}, d.read)
	return d
}

func (d *desk) read() http.Handler {
	d.readings++
	number := d.readings
	<-d.goOn
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.answered = append(d.answered, r.URL.Path)
		fmt.Fprint(w, number, r.URL.Path)
	})
}

func (d *desk) publish() {
	d.view = view.Of(policy.WithLimits(policy.DefaultLimits()), view.Reload{}, nil, time.Now())
}

// reply is what a client gets, and after which time.
type reply struct {
	Status int
	Body   string
	After  time.Duration
}

// asked is a request whose reply may have come.
type asked struct{ reply atomic.Pointer[reply] }

func (a *asked) got() reply {
	if r := a.reply.Load(); r != nil {
		return *r
	}
	return reply{}
}

// ask sends a request, and returns once nothing happens any more.
func (d *desk) ask(ctx context.Context, path, timeout string) *asked {
	d.t.Helper()
	r := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	if timeout != "" {
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", timeout)
	}
	begun, a := time.Now(), &asked{}
	go func() {
		recorder := httptest.NewRecorder()
		d.shared.ServeHTTP(recorder, r)
		a.reply.Store(&reply{Status: recorder.Code, Body: recorder.Body.String(), After: time.Since(begun)})
		if recorder.Code == http.StatusServiceUnavailable && recorder.Header().Get("Retry-After") == "" {
			d.t.Errorf("%s: got 503 without Retry-After", path)
		}
	}()
	synctest.Wait()
	return a
}

// finish lets a reading go on to its end.
func (d *desk) finish() {
	d.goOn <- struct{}{}
	synctest.Wait()
}

// check compares the number of readings, and the answers; empty ones have not come.
func (d *desk) check(readings int, want []string, requests ...*asked) {
	d.t.Helper()
	var got []string
	for _, a := range requests {
		got = append(got, a.got().Body)
	}
	if diff := cmp.Diff(want, got); d.readings != readings || diff != "" {
		d.t.Errorf("%d readings, want %d; answers (-want +got):\n%s", d.readings, readings, diff)
	}
}

// TestWhoSharesAReading has nobody get what was read before they came, except from
// the reading under way, and that only while its view is the present one.
func TestWhoSharesAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		first := d.ask(t.Context(), "/", "")
		second := d.ask(t.Context(), "/", "")
		other := d.ask(t.Context(), "/other", "")
		d.publish()
		afterwards := d.ask(t.Context(), "/", "")
		d.check(1, []string{"", "", "", ""}, first, second, other, afterwards)
		d.finish()
		d.check(2, []string{"1/", "1/", "1/other", ""}, first, second, other, afterwards)
		last := d.ask(t.Context(), "/", "")
		d.finish()
		d.check(2, []string{"2/", "2/"}, afterwards, last)

		next := d.ask(t.Context(), "/", "")
		d.check(3, []string{""}, next)
		d.finish()
		d.check(3, []string{"3/"}, next)
		if want := []string{"/", "/other", "/", "/"}; !slices.Equal(d.answered, want) {
			t.Errorf("made answers to %q, want %q", d.answered, want)
		}
		if d.shared.last != nil {
			t.Error("the last reading is kept although nobody waits")
		}
	})
}

// TestWaiting has clients wait for half of the time that they give, and the one for
// whom something is read for as long as it takes.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		patient := d.ask(t.Context(), "/", "10")
		for timeout, want := range map[string]time.Duration{
			"": 15 * time.Second, "10": 5 * time.Second, "0.5": 250 * time.Millisecond, "60": 30 * time.Second, "61": 30 * time.Second,
			"1e300": 30 * time.Second, "+Inf": 30 * time.Second, "NaN": 15 * time.Second, "0": 15 * time.Second, "-1": 15 * time.Second, "ten": 15 * time.Second,
		} {
			asked := d.ask(t.Context(), "/", timeout)
			time.Sleep(want - 1)
			synctest.Wait()
			if asked.got().Status != 0 {
				t.Errorf("timeout %q: answered before half of it", timeout)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := asked.got(); got.Status != http.StatusServiceUnavailable || got.After != want {
				t.Errorf("timeout %q: got status %d after %s, want 503 after %s", timeout, got.Status, got.After, want)
			}
		}
		time.Sleep(time.Hour)
		d.finish()
		d.check(1, []string{"1/"}, patient)
	})
}

// TestClientsThatGo has one who waits and one for whom something is read go away.
func TestClientsThatGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ctx, cancel := context.WithCancel(t.Context())
		gone, waiting := d.ask(ctx, "/", ""), d.ask(ctx, "/", "")
		stays := d.ask(t.Context(), "/", "")
		cancel()
		synctest.Wait()
		d.finish()
		d.check(1, []string{"", "", "1/"}, gone, waiting, stays)
		if d.log.Len() > 0 {
			t.Errorf("log: got %s, want nothing", d.log.String())
		}
	})
}

// TestReadingPanics has those who wait not pay for the one whose reading panics.
func TestReadingPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		read := d.shared.read
		d.shared.read = func() http.Handler {
			if read(); d.readings == 1 {
				panic("a bug")
			}
			return http.NotFoundHandler()
		}
		panicked := false
		go func() {
			defer func() { panicked = recover() != nil }()
			d.shared.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		}()
		synctest.Wait()
		waiting := d.ask(t.Context(), "/", "")
		d.finish()
		d.finish()
		if d.readings != 2 || !panicked || waiting.got().Status != http.StatusNotFound {
			t.Errorf("panicked: %t; then got status %d, want 404", panicked, waiting.got().Status)
		}
	})
}

// TestPreparedAnswers are sent as they were made, compressed or not.
func TestPreparedAnswers(t *testing.T) {
	text := strings.Repeat("many words ", 10_000)
	a := prepare(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/special")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, text)
	}), nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.send(w, r.Header.Get("Accept-Encoding") == "gzip"); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for _, compressed := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{DisableCompression: !compressed}}
		got, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil || string(body) != text || got.StatusCode != http.StatusTeapot || got.Header.Get("Content-Type") != "text/special" {
			t.Errorf("compressed %t: got status %d, %q, %d bytes, %v", compressed, got.StatusCode, got.Header, len(body), err)
		}
		if got.Uncompressed != compressed || got.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("compressed %t: got %q", compressed, got.Header)
		}
	}
}
