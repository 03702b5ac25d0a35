package tui

import (
	"fmt"
	"strconv"

	"homelab/model"
)

// hintRows is how many lines the hint of the chosen field has, or what is
// wrong with it: the longest fits.
func hintRows(w int) int {
	if w < 60 {
		return 3
	}
	return 2
}

// draw puts the fields and the hint of the chosen one beside or above what
// saving would do.
func (f *form) draw(a *app, w, h int) []line {
	if w >= wide {
		lw := w - 50
		out := f.drawFields(lw, min(len(f.fields), max(h-hintRows(lw)-1, 1)))
		return beside(append(append(out, nil), f.hint(lw)...), f.drawImpact(a, 46, h), lw, w-lw, h)
	}
	least := 1 // rows for what saving would do
	switch {
	case h >= 18:
		least = 4
	case h >= 12:
		least = 3
	}
	out := f.drawFields(w, min(len(f.fields), max(h-hintRows(w)-least, 1)))
	out = append(out, f.hint(w)...)
	return append(out, f.drawImpact(a, w-2, max(h-len(out), 1))...)
}

// wrong tells whether a field is to be shown as wrong: one that was empty from
// the start only once it was left or typed in, or was to be saved.
func (f *form) wrong(fl *field) bool {
	return fl.err != "" && (fl.touched || f.tried || f.start[fl.key] != "")
}

// drawFields draws so many rows of fields, and says of how many more there are.
func (f *form) drawFields(w, rows int) []line {
	f.top, f.w = min(f.top, f.at), w
	f.top = max(min(max(f.top, f.at-rows+1), len(f.fields)-rows), 0)
	end := min(f.top+rows, len(f.fields))
	var out []line
	for i := f.top; i < end; i++ {
		more := ""
		switch {
		case i == f.top && f.top > 0:
			more = fmt.Sprintf("↑ %d more", f.top)
		case i == end-1 && end < len(f.fields):
			more = fmt.Sprintf("↓ %d more", len(f.fields)-end)
		}
		if more == "" {
			out = append(out, f.row(i, w))
			continue
		}
		room := w - width(more) - 1
		out = append(out, append(f.row(i, room-1).fit(room), span{more, inkKey}))
	}
	return out
}

// row is one field: its label, its value, and what is wrong with it where that
// fits; the hint says it whole.
func (f *form) row(i, w int) line {
	const label = 14
	fl, on := f.fields[i], i == f.at
	mark, colour := span{"  ", inkText}, inkDim
	switch {
	case on:
		mark, colour = span{signChosen + " ", inkBusy}, inkName
	case f.wrong(fl):
		mark, colour = span{signFailed + " ", inkBad}, inkBad
	}
	l := append(line{mark}, text(colour, fl.label).fit(label)...)
	l = append(l, fl.draw(on, w-label-3)...)
	if f.note != nil {
		if note := f.note(fl.key, fl.value()); note != "" && l.size()+2+width(note) <= w {
			l = append(l, span{"  " + note, inkDim})
		}
	}
	if f.wrong(fl) {
		if rule := "  " + signFailed + " " + fl.err; l.size()+width(clean(rule)) <= w {
			l = append(l, span{rule, inkBad})
		}
	} else if v, ok := f.start[fl.key]; ok && !fl.secret && f.ref.Name != "" && v != fl.value() && w >= 60 {
		l = append(l, span{"  was " + orNone(fl.shown(v)), inkDim})
	}
	return l
}

// hint is some lines about the chosen field.
func (f *form) hint(w int) []line {
	fl := f.fields[f.at]
	colour, words := inkDim, fl.hint
	if f.wrong(fl) {
		colour, words = inkBad, fl.label+" "+fl.err
	}
	out := make([]line, hintRows(w))
	for n, t := range wrap(words, w-3) {
		if n < len(out) {
			out[n] = text(colour, "  "+t)
		}
	}
	return out
}

// drawImpact says in h lines what saving would do.
func (f *form) drawImpact(a *app, w, h int) []line {
	var out []line
	out = append(out, f.othersLines(w)...)
	if version, stale := f.stale(a.cache.state); stale {
		out = append(out, f.staleLines(version, w)...)
	}
	out = append(out, f.impact(w, h-len(out))...)
	if h >= 4 {
		out = append([]line{text(inkHead, " SAVING WILL")}, out...)
	}
	if len(out) <= h {
		return out
	}
	if h == 1 {
		more := fmt.Sprintf(" +%d", len(out)-1)
		return []line{append(out[0].fit(max(w-len(more), 1)), span{more, inkDim})}
	}
	return append(out[:h-1], text(inkDim, fmt.Sprintf(" and %s more", count(len(out)-h+1, "line"))))
}

// staleLines say who has changed the object since it was read.
func (f *form) staleLines(version uint64, w int) []line {
	who := "somebody"
	if f.rival == version && f.editor != "" {
		who = f.editor
	}
	var out []line
	for _, l := range wrapped(inkWarn, signWarn+" changed by "+who+" in revision "+strconv.FormatUint(version, 10)+" while you type", w-1, 2) {
		out = append(out, append(line{{" ", inkText}}, l...))
	}
	return out
}

// impact is what saving would do, or why it cannot be done: short where there
// are few lines for it.
func (f *form) impact(w, h int) []line {
	wrong, unfilled := 0, 0
	var rules []line
	for i, fl := range f.fields {
		switch {
		case f.wrong(fl):
			wrong++
			if i != f.at { // the hint says it
				rules = append(rules, wrapped(inkBad, "   "+fl.label+" "+fl.err, w-1, 5)...)
			}
		case fl.err != "":
			unfilled++
		}
	}
	notYet := either(h < 3, " not yet: ", " not work yet: ")
	var out []line
	switch {
	case wrong > 0:
		out = append(out, text(inkWarn, notYet+count(wrong, "field")+" to put right"))
		if h >= 3 {
			out = append(out, rules...)
		}
	case f.trouble != "":
		for _, t := range wrap(f.trouble, w-1) {
			out = append(out, text(inkBad, " "+t))
		}
	case f.known != f.serial && f.impacts == nil:
		out = append(out, text(inkDim, " …"))
	case unfilled > 0:
		out = append(out, text(inkDim, notYet+count(unfilled, "field")+" to fill in"))
	case len(f.impacts) == 0 && f.unsaved():
		out = append(out, text(inkDim, " change no guest"))
	case len(f.impacts) == 0:
		out = append(out, text(inkDim, " change nothing: nothing has been typed"))
	default:
		full := impactLines(f.impacts, w-1)
		if h < 4 || len(full) >= h {
			full = shortImpacts(f.impacts, w-1, h-1)
		}
		for _, l := range full {
			out = append(out, append(line{{" ", inkText}}, l...))
		}
	}
	return out
}

// shortImpacts are impacts of a line each, or whole where h lines are enough.
func shortImpacts(impacts []model.Impact, w, h int) []line {
	short := make([]line, len(impacts))
	var whole []line
	for n, i := range impacts {
		short[n] = text(impactInk(i), actionSign(i)+" "+i.Hypervisor+": "+i.String())
		whole = append(whole, short[n].wrap(w, 2)...)
	}
	if len(whole) <= h {
		return whole
	}
	return short
}
