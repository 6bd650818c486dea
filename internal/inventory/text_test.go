package inventory

import (
	"strings"
	"testing"
)

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{" a\n\tb ", 3, "a b"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äöü…"},
		{"a\xffb", 3, "ab"},
		{"日本語", 2, "日本…"},
		{strings.Repeat("x", 1<<20), 3, "xxx…"},
		{strings.Repeat(" ", 1<<20) + "x", 3, "…"},
	} {
		if got := Shorten(test.text, test.most); got != test.want {
			t.Errorf("%.20q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestListed(t *testing.T) {
	for want, words := range map[string][]Status{"": nil, "active": {Active}, "active, inactive": {Active, Inactive}} {
		if got := Listed(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
