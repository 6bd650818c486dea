package collector_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-iam-exporter/aws_iam_exporter/collector"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/exposition"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/policy"
	"github.com/aws-iam-exporter/aws_iam_exporter/internal/view"
)

// TestScrapesWhileEverythingChanges scrapes while accounts are published and removed,
// policies change and minutes pass. Each scrape is whole, and has every account as it
// was at one time, under one policy.
func TestScrapesWhileEverythingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := collector.NewRenderer(collector.Options{Now: time.Now, KeyAge: true, Users: true})
		board := view.New(branded("a"), view.Reload{}, r.Rendering())
		h := &exposition.Handler{Page: func() *exposition.Page { return r.Page(board.View()) }, Tail: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Failed: func(*http.Request, error) {}}

		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		var all sync.WaitGroup
		every := func(pause time.Duration, do func(n int)) {
			all.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					do(n)
					time.Sleep(pause)
				}
			})
		}
		all.Go(func() { board.KeepTime(ctx) })
		for i := range 3 {
			id := fmt.Sprintf("%012d", i)
			every(3*time.Second, func(n int) { board.Publish(id, grown(id, n)) })
		}
		every(10*time.Second, func(int) { board.Remove("000000000001") })
		every(7*time.Second, func(n int) { board.Apply(branded(string(rune('a' + n%3)))) })
		for _, encoding := range []string{"gzip", ""} {
			every(5*time.Second, func(int) {
				q := httptest.NewRequest("GET", "/metrics", nil)
				q.Header.Set("Accept-Encoding", encoding)
				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, q)
				checkConsistent(t, bodyOf(t, answer))
				h.ServeHTTP(&gone{answer, 20_000}, q)
			})
		}
		all.Wait()
	})
}

// branded is a policy whose default class has the name.
func branded(name string) *policy.Policy {
	p := defaults()
	p.Default.Name = name
	p.UserTags = []string{"of_" + name}
	return p
}

// grown is an account with some users, each of whom has a key created at the same time.
func grown(id string, n int) *inventory.Snapshot {
	created := ago(time.Duration(n) * time.Hour)
	var users []inventory.User
	for i := range 20 + n%17 {
		users = append(users, tagged(full(fmt.Sprintf("user-%03d", i), ago(9000*day), false, false, key("AKIA", inventory.Active, created))))
	}
	return settled(account(id, users...))
}

// gone is a client that goes away after some bytes.
type gone struct {
	http.ResponseWriter
	left int
}

func (g *gone) Write(p []byte) (int, error) {
	if g.left -= len(p); g.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func bodyOf(t *testing.T, answer *httptest.ResponseRecorder) string {
	t.Helper()
	body := io.Reader(answer.Body)
	if answer.Header().Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = zip
	}
	all, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return string(all)
}

// checkConsistent checks that each account has as many users as it says, keys of one
// time, and that one policy is in force.
func checkConsistent(t *testing.T, exposition string) {
	t.Helper()
	said, users, times, classes := map[string]string{}, map[string]int{}, map[string]map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(exposition) {
		labels, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name, labels, _ := strings.Cut(labels, "{")
		label := func(name string) string {
			_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		switch id := label("account_id"); name {
		case "aws_iam_account_users":
			said[id] = value
		case "aws_iam_user_info":
			users[id]++
			classes[label("class")] = true
			if !strings.Contains(labels, ",tag_of_"+label("class")+"=") {
				t.Errorf("the labels are not those of the class's policy: %s", line)
			}
		case "aws_iam_access_key_created_timestamp_seconds", "aws_iam_access_key_rotation_deadline_timestamp_seconds", "aws_iam_access_key_age_seconds":
			if times[id+name] == nil {
				times[id+name] = map[string]bool{}
			}
			times[id+name][value] = true
		case "aws_iam_policy_max_key_age_seconds":
			classes[label("class")] = true
		}
	}
	for id, n := range said {
		if n != fmt.Sprint(users[id]) {
			t.Errorf("account %s says that it has %s users, and has %d", id, n, users[id])
		}
	}
	for of, values := range times {
		if len(values) != 1 {
			t.Errorf("%s has values of %d times", of, len(values))
		}
	}
	if len(classes) > 1 {
		t.Errorf("policies of several names are in force: %v", classes)
	}
}
