package tui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// ink is what a piece of text means. Only the theme knows how it looks.
type ink uint8

const (
	inkText   ink = iota
	inkDim        // beside the point, off, out of date
	inkGood       // as it should be
	inkBusy       // under way
	inkWarn       // wants a look
	inkBad        // wrong, lost, destructive
	inkName       // the thing that this is about
	inkHead       // headings of columns and blocks
	inkKey        // a key that can be pressed
	inkTab        // the tab that is shown
	inkTabs       // the others
	inkRule       // lines between blocks
	inkCursor     // where text goes
	inkField      // the field that is edited
	inkGhost      // what lies behind a dialog
	inks
)

// inkOn is added to the inks of the chosen row of a list.
const inkOn ink = 0x80

// isBar tells whether an ink has a background that fills its line.
func (i ink) isBar() bool { return i&inkOn != 0 }

// signs are the signs beside the colours: no meaning hangs on colour alone.
// All are one column wide.
const (
	signOn      = "●"
	signOff     = "○"
	signHalf    = "◐"
	signUnknown = "?"
	signDone    = "✓"
	signFailed  = "✗"
	signWarn    = "!"
	signRun     = "▸"
	signNone    = "·"
	signChosen  = "▌"
)

// theme holds the escape sequence of each ink, on the screen's background and
// on that of a chosen row.
type theme struct {
	plain [inks]string
	on    [inks]string
}

// shade is one colour: for a dark background and a light one, in true colour
// and in 256 (chosen, since the nearest is seldom the right one), and for a
// terminal of 16 colours.
type shade struct {
	dark, light       string
	dark256, light256 ansi.IndexedColor
	basic             color.Color // nil is the terminal's own
}

var shades = map[ink]shade{
	inkDim:   {"#7d8590", "#6e7781", 245, 243, ansi.BrightBlack},
	inkGood:  {"#56d364", "#1a7f37", 77, 28, ansi.Green},
	inkBusy:  {"#58a6ff", "#0969da", 75, 26, ansi.Blue},
	inkWarn:  {"#e3b341", "#9a6700", 179, 94, ansi.Yellow},
	inkBad:   {"#ff7b72", "#cf222e", 210, 160, ansi.Red},
	inkHead:  {"#8b949e", "#57606a", 246, 242, ansi.BrightBlack},
	inkKey:   {"#d2a8ff", "#8250df", 183, 92, ansi.Magenta},
	inkTab:   {"#ffffff", "#1f2328", 231, 234, nil},
	inkTabs:  {"#8b949e", "#57606a", 246, 242, ansi.BrightBlack},
	inkRule:  {"#3d444d", "#d0d7de", 238, 252, ansi.BrightBlack},
	inkGhost: {"#4b525b", "#afb8c1", 240, 249, ansi.BrightBlack},
}

var (
	chosenShade = shade{"#21364f", "#ddf4ff", 237, 254, ansi.Blue}
	fieldShade  = shade{"#262c36", "#eaeef2", 236, 255, ansi.BrightBlack}
)

// newTheme makes the theme for a terminal.
func newTheme(dark bool, profile colorprofile.Profile) *theme {
	t := &theme{}
	colours := profile > colorprofile.ASCII
	for i := range inks {
		st := ansi.Style{}
		switch i {
		case inkName, inkKey:
			st = st.Bold()
		case inkTab:
			st = st.Bold().Underline(true)
		case inkCursor:
			st = st.Reverse(true)
		}
		if !colours {
			t.bare(i, st)
			continue
		}
		if s, ok := shades[i]; ok {
			st = st.ForegroundColor(s.pick(dark, profile))
		}
		if i == inkField {
			st = st.BackgroundColor(fieldShade.pick(dark, profile))
		}
		t.plain[i] = sgr(st)
		t.on[i] = t.onRow(i, st, dark, profile)
	}
	return t
}

// bare is how an ink looks without colours.
func (t *theme) bare(i ink, st ansi.Style) {
	switch i {
	case inkField:
		st = st.Underline(true)
	case inkGhost:
		st = st.Faint()
	}
	t.plain[i], t.on[i] = sgr(st), sgr(append(ansi.Style{}, st...).Bold())
}

// onRow is how an ink looks on a chosen row. A terminal of 16 colours has no
// background that all of them can be read on, so there the row is reversed.
func (t *theme) onRow(i ink, st ansi.Style, dark bool, profile colorprofile.Profile) string {
	if profile == colorprofile.ANSI {
		return sgr(ansi.Style{}.Bold().Reverse(true))
	}
	if i == inkText {
		st = st.Bold()
	}
	return sgr(append(ansi.Style{}, st...).BackgroundColor(chosenShade.pick(dark, profile)))
}

func (s shade) pick(dark bool, profile colorprofile.Profile) color.Color {
	switch {
	case profile == colorprofile.ANSI:
		return s.basic
	case profile == colorprofile.ANSI256 && dark:
		return s.dark256
	case profile == colorprofile.ANSI256:
		return s.light256
	case dark:
		return lipgloss.Color(s.dark)
	}
	return lipgloss.Color(s.light)
}

func sgr(s ansi.Style) string {
	if len(s) == 0 {
		return ""
	}
	return s.String()
}

// render turns fitted lines into what the terminal gets.
func (t *theme) render(lines []line) string {
	var b strings.Builder
	b.Grow(len(lines) * 160)
	for n, l := range lines {
		if n > 0 {
			b.WriteByte('\n')
		}
		for _, s := range l {
			seq := t.plain[s.ink&^inkOn]
			if s.ink&inkOn != 0 {
				seq = t.on[s.ink&^inkOn]
			}
			if seq == "" {
				b.WriteString(s.text)
				continue
			}
			b.WriteString(seq)
			b.WriteString(s.text)
			b.WriteString(ansi.ResetStyle)
		}
	}
	return b.String()
}
