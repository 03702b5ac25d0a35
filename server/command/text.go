package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes control characters, invalid bytes and invisible marks harmless
// for the terminal that shows them.
func clean(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		text = text[n:]
	}
	return b.String()
}

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// cleanText is clean for text of several lines.
func cleanText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = clean(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// age says how long ago something was, such as "3m ago".
func (s *session) age(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := s.now().Sub(t)
	if d < 0 {
		unit := time.Second // what is an hour away is so a moment later, too
		if d < -time.Minute {
			unit = time.Minute
		}
		return "in " + span((-d).Round(unit))
	}
	return span(d) + " ago"
}

// span writes a duration in one unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// took writes how long something lasted.
func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// mib and gib write sizes as the flags take them.
func mib(n int) string {
	if n != 0 && n%1024 == 0 {
		return fmt.Sprintf("%dGiB", n/1024)
	}
	return fmt.Sprintf("%dMiB", n)
}

func gib(n int) string { return fmt.Sprintf("%dGiB", n) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// or is text, or what stands for none.
func or(text, none string) string {
	if text == "" {
		return none
	}
	return text
}

func short(digest string) string { return digest[:min(12, len(digest))] }

// shellQuote writes a word so that a shell reads it as that one word.
func shellQuote(word string) string {
	safe := word != ""
	for _, r := range word {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:=,@%+", r) {
			safe = false
		}
	}
	if safe {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// secretFlags carry values that no revision may hold: a device's address often
// has its password in it.
var secretFlags = map[string]bool{
	"--webhook": true, "--ntfy": true, "--ntfy-token": true,
	"--on-url": true, "--off-url": true, "--status-url": true, "--on-body": true, "--off-body": true, "--header": true, "--headers": true, "--user-data": true,
	"--on-command": true, "--off-command": true, "--state-command": true, "--cycle-command": true, "--watts-command": true,
	"--password": true, "--token": true,
}

// typed is the command as typed, for the revision that it makes: cleaned, cut,
// and without secrets.
func typed(args []string) string {
	words := make([]string, 0, min(len(args), 64))
	for i, arg := range args[:min(len(args), 64)] {
		flag, _, joined := strings.Cut(arg, "=")
		name := strings.ReplaceAll(flag, "_", "-")
		switch {
		case joined && secretFlags[name]:
			words = append(words, flag+"=…")
		case i > 0 && secretFlags[strings.ReplaceAll(args[i-1], "_", "-")]:
			words = append(words, "…")
		default:
			words = append(words, clean(shellQuote(arg[:min(len(arg), 200)])))
		}
	}
	text := strings.Join(words, " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:299]) + "…"
	}
	return text
}
