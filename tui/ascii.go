package tui

import "strings"

// asciiSigns are what stands in for signs and lines that poor fonts lack: each
// is as wide as what it replaces.
var asciiSigns = strings.NewReplacer(
	signOn, "*", signOff, "o", signHalf, "%", signDone, "v", signFailed, "x", signRun, ">", signNone, ".", signChosen, ">",
	signMarked, "#", signUp, "^", signDown, "v", "▪", "#", "…", "~", "–", "-", "−", "-", "±", "+", "×", "x", "•", "*",
	"─", "-", "━", "=", "│", "|", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "┌", "+", "┐", "+", "└", "+", "┘", "+", "├", "+", "┤", "+", "┼", "+", "┬", "+", "┴", "+",
	"‹", "<", "›", ">", "←", "<", "→", ">", "↑", "^", "↓", "v", "▁", "_", "▂", "_", "▃", "-", "▄", "-", "▅", "=", "▆", "=", "▇", "#", "█", "#", "°", "'",
)

// asciiOnly replaces what is left: the locale that asks for ASCII cannot show
// it.
func asciiOnly(s string) string {
	if plain(s) {
		return s
	}
	s = asciiSigns.Replace(s)
	if plain(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Repeat("?", width(string(r))))
	}
	return b.String()
}
