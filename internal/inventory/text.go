package inventory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shorten returns the text on one line, without its end if it has more than so
// many characters: nothing that others wrote is shown at any length. What it
// returns keeps no longer text in memory.
func Shorten(text string, most int) string {
	cut := false
	if longest := most * utf8.UTFMax; len(text) > longest {
		text, cut = text[:longest], true // so that a long text costs no more than a short one
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if runes := []rune(text); len(runes) > most {
		text, cut = string(runes[:most]), true
	}
	if cut {
		return text + "…"
	}
	return strings.Clone(text)
}

// Printable returns the text without what a terminal obeys or a reader cannot see.
func Printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Listed returns the words with commas between them.
func Listed[T ~string](words []T) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}
