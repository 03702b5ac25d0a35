package tui

import tea "charm.land/bubbletea/v2"

// reel is the part of a text that is in sight: screens and boxes that scroll
// embed one. What was drawn last tells keys how far they go.
type reel struct {
	top  int // the first line in sight
	page int // lines that a page key moves
	end  int // the last line that can be on top
}

// scroll takes a key and tells whether it was one that scrolls.
func (r *reel) scroll(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "up", "k":
		r.top--
	case "down", "j":
		r.top++
	case "pgup", "ctrl+b":
		r.top -= r.page
	case "pgdown", "ctrl+f", "space":
		r.top += r.page
	case "ctrl+u":
		r.top -= r.page / 2
	case "ctrl+d":
		r.top += r.page / 2
	case "home":
		r.top = 0
	case "end", "G":
		r.top = r.end
	default:
		return false
	}
	r.top = max(min(r.top, r.end), 0)
	return true
}

// arrows is scroll in a box where other keys answer or are typed.
func (r *reel) arrows(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "up", "down", "pgup", "pgdown":
		return r.scroll(k)
	}
	return false
}

// show is what of a screen's text is in sight in h lines.
func (r *reel) show(body []line, h int) []line {
	r.page, r.end = max(h-1, 1), max(len(body)-h, 0)
	r.top = min(r.top, r.end)
	return body[r.top:min(r.top+h, len(body))]
}

// window is show in a box, which says how much more there is.
func (r *reel) window(body []line, h int) []line {
	h = max(h, 2)
	if len(body) <= h {
		r.top, r.end = 0, 0
		return body
	}
	shown := append([]line(nil), r.show(body, h-1)...)
	words := "↑↓ the beginning is above"
	if more := r.end - r.top; more > 0 {
		words = "↑↓ " + count(more, "line") + " more"
	}
	return append(shown, text(inkDim, words))
}
