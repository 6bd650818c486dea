package awssim

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Change changes the text of the answer to a request.
type Change func(asked url.Values, answer string) string

// Lie returns a fault that changes the true answer. Errors stay as they are.
func (w *World) Lie(change Change) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		truth := recorder{header: rw.Header()}
		w.respond(&truth, r, w.options.Now())
		body := truth.body.String()
		if truth.status == http.StatusOK {
			body = change(r.Form, body)
		}
		rw.WriteHeader(truth.status)
		_, _ = rw.Write([]byte(body))
	}
}

// LieAboutDate returns a fault that answers what is so, under a date that is so
// far ahead.
func (w *World) LieAboutDate(ahead time.Duration) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		truth := recorder{header: rw.Header()}
		w.respond(&truth, r, w.options.Now())
		rw.Header().Set("Date", w.options.Now().Add(ahead).UTC().Format(http.TimeFormat))
		rw.WriteHeader(truth.status)
		_, _ = rw.Write(truth.body.Bytes())
	}
}

const (
	memberStart = "<member>"
	memberEnd   = "</member>"
)

// Members changes the elements of the list in an answer, if there is one. The
// elements include their XML tags.
func Members(change func(members []string) []string) Change {
	return func(_ url.Values, answer string) string {
		start := strings.Index(answer, memberStart)
		if start < 0 {
			return answer
		}
		members, rest := cutMembers(answer[start:])
		return answer[:start] + strings.Join(change(members), "") + rest
	}
}

// cutMembers returns the elements that text begins with, which may hold lists
// themselves, and the rest.
func cutMembers(text string) (members []string, rest string) {
	for strings.HasPrefix(text, memberStart) {
		end, depth := 0, 0
		for {
			next := strings.Index(text[end:], memberEnd)
			depth += strings.Count(text[end:end+next], memberStart) - 1
			end += next + len(memberEnd)
			if depth == 0 {
				break
			}
		}
		members, text = append(members, text[:end]), text[end:]
	}
	return members, text
}

// Element changes the text of the elements of that name in part of an answer.
func Element(text, name, value string) string {
	start, end := "<"+name+">", "</"+name+">"
	var changed strings.Builder
	for {
		before, after, found := strings.Cut(text, start)
		changed.WriteString(before)
		if !found {
			return changed.String()
		}
		_, text, _ = strings.Cut(after, end)
		changed.WriteString(start + value + end)
	}
}

// TextOf returns the text of the first element of that name in part of an answer.
func TextOf(text, name string) string {
	_, after, _ := strings.Cut(text, "<"+name+">")
	value, _, _ := strings.Cut(after, "</"+name+">")
	return value
}
