//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// notice is what a receiver of Alertmanager was told about one alert.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type notice struct {
	receiver            string
	message             int // which of all messages it came in
	at                  time.Time
	Status              string // firing or resolved
	Labels, Annotations map[string]string
}

// String returns the notice in one line.
func (n notice) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", n.receiver, n.Status, n.Labels["alertname"], n.Labels["user_name"]))
}

// webhook receives all of Alertmanager's notifications.
type webhook struct {
	url string

	mu       sync.Mutex
	notices  []notice
	messages int
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	t.Cleanup(func() { w.logIfFailed(t) })
	return w
}

// logIfFailed logs all that people were told, if the test failed.
func (w *webhook) logIfFailed(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, n := range w.since(0) {
		t.Logf("%s message %d: %s", n.at.Format(time.StampMilli), n.message, n)
	}
}

func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var message struct {
		Receiver string
		Alerts   []notice
	}
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages++
	for _, n := range message.Alerts {
		n.receiver, n.message, n.at = message.Receiver, w.messages, time.Now()
		w.notices = append(w.notices, n)
	}
}

// now returns how many notices have arrived, for since.
func (w *webhook) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.notices)
}

// since returns the notices after the first n.
func (w *webhook) since(n int) []notice {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.notices[n:])
}

// await waits for a notice after the first n, of the status, about an alert and
// a user; user is empty for an alert about none.
func (w *webhook) await(t *testing.T, n int, status, alert, user string) notice {
	t.Helper()
	began := time.Now()
	var found notice
	eventually(t, 2*time.Minute, func(context.Context) error {
		all := w.since(n)
		at := slices.IndexFunc(all, func(n notice) bool {
			return n.Status == status && n.Labels["alertname"] == alert && n.Labels["user_name"] == user
		})
		if at < 0 {
			return fmt.Errorf("%s %s %s has not arrived, only %q", status, alert, user, all)
		}
		found = all[at]
		return nil
	})
	t.Logf("%s, after %s", found, time.Since(began).Round(time.Second))
	return found
}
