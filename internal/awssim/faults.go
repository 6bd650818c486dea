package awssim

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"sync/atomic"
)

// EditReports has the content of credential reports changed on its way out, for
// reports that AWS should not write; nil ends that.
func (w *World) EditReports(edit func(content string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.edit = edit
}

// Error returns a fault that answers with an error in AWS's shape.
func Error(status int, code, message string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		writeError(rw, r, apiError{status, code, message})
	}
}

// Hang returns a fault that answers nothing until the caller gives up.
func Hang() http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
}

// Reset returns a fault that breaks the connection.
func Reset() http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
}

// Raw returns a fault that answers with just this status, content type and body.
func Raw(status int, contentType, body string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", contentType)
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	}
}

// EmptyPage returns a fault that answers list operations with a page that is
// empty and truncated. Its marker leads to where the request wanted to read,
// so a caller that goes on misses nothing once the fault is over.
func EmptyPage() http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		marker := r.Form.Get("Marker")
		if marker == "" {
			marker = truncatedAt(scope(r.Form) + listStart).Marker
		}
		writeEmptyPage(rw, r, marker)
	}
}

// RepeatMarker returns a fault that answers list operations with empty,
// truncated pages, all with the same marker: a list without end.
func RepeatMarker() http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		writeEmptyPage(rw, r, truncatedAt("again").Marker)
	}
}

// FreshMarkers returns a fault that answers list operations with empty, truncated
// pages, each with a marker of its own: a list without end that never looks like
// a circle.
func FreshMarkers() http.HandlerFunc {
	var pages atomic.Int64
	return func(rw http.ResponseWriter, r *http.Request) {
		writeEmptyPage(rw, r, truncatedAt(strconv.FormatInt(pages.Add(1), 10)).Marker)
	}
}

type emptyPage struct {
	List list
	paging
}

type list struct{ XMLName xml.Name }

func writeEmptyPage(rw http.ResponseWriter, r *http.Request, marker string) {
	lists := map[string]string{
		"ListUsers":      "Users",
		"ListAccessKeys": "AccessKeyMetadata",
		"ListMFADevices": "MFADevices",
		"ListUserTags":   "Tags",

		"GetAccountAuthorizationDetails": "UserDetailList",
	}
	name := r.Form.Get("Action")
	writeResult(rw, r, name, emptyPage{
		List:   list{xml.Name{Local: lists[name]}},
		paging: paging{IsTruncated: true, Marker: marker},
	})
}
