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
	inkPlot       // the body of a plot
	inkString     // text in a config
	inkNumber     // numbers and the like in a config
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
	signUp      = "▲" // sorted, smallest first
	signDown    = "▼"
)

// theme holds the escape sequence of each ink, on the screen's background and
// on that of a chosen row.
type theme struct {
	plain [inks]string
	on    [inks]string
	ascii bool // signs that every font has

	drawn int // bytes that the last frame took
}

// ground is the terminal's background, as far as is known: a terminal that
// does not say gets colours that can be read on both, and no backgrounds.
type ground int

const (
	groundUnknown ground = iota
	groundDark
	groundLight
)

// shade is one colour, for each ground: in true colour and in 256 (chosen,
// since the nearest is seldom the right one), and for a terminal of 16 colours.
type shade struct {
	dark, light, both          string
	dark256, light256, both256 ansi.IndexedColor
	basic                      color.Color // nil is the terminal's own
}

var shades = map[ink]shade{
	inkDim:    {"#7d8590", "#6e7781", "#808080", 245, 243, 244, ansi.BrightBlack},
	inkGood:   {"#56d364", "#1a7f37", "#2f8f46", 77, 28, 65, ansi.Green},
	inkBusy:   {"#58a6ff", "#0969da", "#3b82d6", 75, 26, 68, ansi.Blue},
	inkWarn:   {"#e3b341", "#9a6700", "#a87600", 179, 94, 136, ansi.Yellow},
	inkBad:    {"#ff7b72", "#cf222e", "#de4f48", 210, 160, 167, ansi.Red},
	inkHead:   {"#8b949e", "#57606a", "#808080", 246, 242, 244, ansi.BrightBlack},
	inkKey:    {"#d2a8ff", "#8250df", "#9b6be0", 183, 92, 98, ansi.Magenta},
	inkTabs:   {"#8b949e", "#57606a", "#808080", 246, 242, 244, ansi.BrightBlack},
	inkRule:   {"#3d444d", "#d0d7de", "#808080", 238, 252, 244, ansi.BrightBlack},
	inkPlot:   {"#4f7fb0", "#5f8fc0", "#5f87af", 67, 67, 67, ansi.Blue},
	inkString: {"#7ec7c0", "#0f6b66", "#3f8f8a", 116, 23, 66, ansi.Cyan},
	inkNumber: {"#e0a87c", "#8a4b12", "#b07a4a", 180, 94, 137, ansi.Yellow},
	inkGhost:  {"#4b525b", "#afb8c1", "#808080", 240, 249, 244, ansi.BrightBlack},
}

var (
	chosenShade = shade{dark: "#21364f", light: "#ddf4ff", dark256: 237, light256: 254}
	fieldShade  = shade{dark: "#262c36", light: "#eaeef2", dark256: 236, light256: 255}
)

// newTheme makes the theme for a terminal.
func newTheme(on ground, profile colorprofile.Profile) *theme {
	t := &theme{}
	colours := profile > colorprofile.ASCII
	// Backgrounds need one that is known, and more than 16 colours.
	bars := on != groundUnknown && profile > colorprofile.ANSI
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
			st = st.ForegroundColor(s.pick(on, profile))
		}
		switch {
		case i == inkField && bars:
			st = st.BackgroundColor(fieldShade.pick(on, profile))
		case i == inkField:
			st = st.Underline(true)
		}
		t.plain[i] = sgr(st)
		t.on[i] = sgr(ansi.Style{}.Bold().Reverse(true))
		if bars {
			t.on[i] = onRow(i, st, chosenShade.pick(on, profile))
		}
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

// onRow is how an ink looks on a chosen row. Where no background suits all of
// them the row is reversed.
func onRow(i ink, st ansi.Style, bar color.Color) string {
	if i == inkText {
		st = st.Bold()
	}
	return sgr(append(ansi.Style{}, st...).BackgroundColor(bar))
}

func (s shade) pick(on ground, profile colorprofile.Profile) color.Color {
	const indexed = colorprofile.ANSI256
	switch {
	case profile == colorprofile.ANSI:
		return s.basic
	case on == groundDark && profile == indexed:
		return s.dark256
	case on == groundDark:
		return lipgloss.Color(s.dark)
	case on == groundLight && profile == indexed:
		return s.light256
	case on == groundLight:
		return lipgloss.Color(s.light)
	case profile == indexed:
		return s.both256
	}
	return lipgloss.Color(s.both)
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
	b.Grow(t.drawn + t.drawn/8)
	for n, l := range lines {
		if n > 0 {
			b.WriteByte('\n')
		}
		for _, s := range l {
			seq := t.plain[s.ink&^inkOn]
			if s.ink&inkOn != 0 {
				seq = t.on[s.ink&^inkOn]
			}
			text := s.text
			if t.ascii {
				text = asciiOnly(text)
			}
			if seq == "" {
				b.WriteString(text)
				continue
			}
			b.WriteString(seq)
			b.WriteString(text)
			b.WriteString(ansi.ResetStyle)
		}
	}
	t.drawn = b.Len()
	return b.String()
}
