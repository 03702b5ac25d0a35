package tui

// The keys of every screen but forms, beside those of the key map.
var (
	keySort    = bind("< >", "", "sort by a column; once more for the next", "<", ">")
	keyTurn    = bind("I", "", "sort the other way round", "I")
	keyMark    = bind("space", "", "mark; what is done next is done to all that are marked", "space")
	keyRange   = bind("v", "", "mark from the row that was marked last to this one", "v")
	keyMarkAll = bind("*", "", "mark all that are shown, or none", "*")
	keyCopy    = bind("Y", "", "copy a name, a command or what is shown to your clipboard (OSC 52)", "Y")
	keyPalette = bind(":", "", "go to a screen or a thing by name, or do what a key does", ":", "ctrl+p")
	keyBefore  = bind("H", "", "back to where you were, as in a browser; alt+← too", "H", "alt+left")
	keyAhead   = bind("L", "", "forward again; alt+→ too", "L", "alt+right")
	keyMouse   = bind("M", "", "mouse off, so that text can be selected, or on", "M")
	keySigns   = bind("A", "", "plain ASCII signs, for fonts that lack the others, or back", "A")
	keyRedraw  = bind("ctrl+l", "", "draw the screen anew, if something else wrote on it", "ctrl+l")
	keyTell    = bind("B", "", "tell of failures by the bell and the terminal's title, or not", "B")
)

// globals are the keys that work on every screen but forms.
func globals(listed, deep bool) []binding {
	var out []binding
	if listed {
		out = append(out, keyMove, keyFilter, keySort, keyTurn, keyMark, keyRange, keyMarkAll)
	}
	if deep {
		out = append(out, keyBack)
	}
	return append(out, keyTabs, keyGo, keyPalette, keyBefore, keyAhead, keyCopy, keyUndoLast, keyMouse, keySigns, keyTell, keyRedraw, keyHelp, keyQuit)
}
