package app

import (
	"strings"
	"testing"
)

func TestReadAtMost(t *testing.T) {
	for text, want := range map[string]string{"": "", "1234": "", "12345": "got more than 4 bytes, want a baseline"} {
		content, err := readAtMost(strings.NewReader(text), 4, "a baseline")
		switch {
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%q: got error %v, want %s", text, err, want)
		case want == "" && (err != nil || string(content) != text):
			t.Errorf("%q: got %q, error %v, want all of it", text, content, err)
		}
	}
}
