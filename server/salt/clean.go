package salt

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// maxText is how much of one text of a minion is kept, in bytes.
const maxText = 4 << 10

var colour = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// clean is what a minion or a command said, as it may be shown: whoever is
// root in a guest can say anything, and a terminal would obey some of it.
func clean(text string) string {
	text = colour.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, text)
	return cut(text, maxText)
}

// clip is the beginning of a text that is to be part of one line.
func clip(text string) string { return cut(clean(text), 300) }

func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// shownID is a minion's ID as it may be shown: quoted if a terminal would not
// show it as it is. It is no legal ID then.
func shownID(id string) string {
	for _, r := range id {
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			return strconv.Quote(id)
		}
	}
	return id
}
