package tui

import (
	"image/color"
	"math"
	"testing"

	"github.com/charmbracelet/colorprofile"

	tea "charm.land/bubbletea/v2"
)

// contrast is that of WCAG: 1 is none, 21 is black on white.
func contrast(a, b color.Color) float64 {
	lum := func(c color.Color) float64 {
		r, g, b, _ := c.RGBA()
		lin := func(v uint32) float64 {
			f := float64(v) / 0xffff
			if f <= 0.03928 {
				return f / 12.92
			}
			return math.Pow((f+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(r) + 0.7152*lin(g) + 0.0722*lin(b)
	}
	x, y := lum(a), lum(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestReadableOnBoth checks that a terminal which does not tell its background
// gets colours that can be read on black and on white, and none behind text.
func TestReadableOnBoth(t *testing.T) {
	for _, profile := range []colorprofile.Profile{colorprofile.TrueColor, colorprofile.ANSI256} {
		for i, s := range shades {
			c := s.pick(groundUnknown, profile)
			for _, on := range []color.Color{color.Black, color.White} {
				if got := contrast(c, on); got < 3.2 {
					t.Errorf("ink %d (%v) has a contrast of %.1f on %v", i, profile, got, on)
				}
			}
		}
		th := newTheme(groundUnknown, profile)
		for i := range inks {
			if on := th.on[i]; on != "\x1b[1;7m" {
				t.Errorf("on a chosen row ink %d is %q", i, on)
			}
		}
		if th.plain[inkTab] != "\x1b[1;4m" || th.plain[inkField] != "\x1b[4m" {
			t.Errorf("tab %q, field %q", th.plain[inkTab], th.plain[inkField])
		}
	}
	d := drive(t, newLab(), 80, 24)
	if d.a.ground != groundUnknown {
		t.Error("it thinks that it knows the background")
	}
	d.handle(tea.BackgroundColorMsg{Color: color.White})
	if d.a.ground != groundLight {
		t.Error("it does not know the background")
	}
}
