package tui

import "strconv"

// draw puts the fields beside or above what saving would do.
func (f *form) draw(a *app, w, h int) []line {
	if w >= wide {
		lw := w - 50
		return beside(f.drawFields(a, lw, h), f.drawImpact(a, 46, h), lw, w-lw, h)
	}
	foot := 5
	if h < 18 {
		foot = 3
	}
	out := f.drawFields(a, w, h-foot)
	out = append(out, make([]line, max(h-foot-len(out), 0))...)
	return append(out, f.drawImpact(a, w-2, foot)...)
}

func (f *form) drawFields(a *app, w, h int) []line {
	rows := max(h-1, 1)
	if h > len(f.fields) {
		rows = h - 2
	}
	f.top = min(f.top, f.at)
	f.top = max(min(max(f.top, f.at-rows+1), len(f.fields)-rows), 0)
	label := 14
	var out []line
	for i := f.top; i < len(f.fields) && len(out) < rows; i++ {
		fl := f.fields[i]
		on := i == f.at
		mark, colour := "  ", inkDim
		if on {
			mark, colour = signChosen+" ", inkName
		}
		l := append(line{{mark, inkBusy}}, text(colour, fl.label).fit(label)...)
		l = append(l, fl.draw(on, w-label-3)...)
		if fl.err != "" && (fl.touched || f.tried) {
			l = append(l, span{"  " + signFailed + " " + fl.err, inkBad})
		} else if v, ok := f.start[fl.key]; ok && f.ref.Name != "" && v != fl.value() && w >= 60 {
			l = append(l, span{"  was " + orNone(v), inkDim})
		}
		out = append(out, l)
	}
	if rows > len(out) {
		out = append(out, nil)
	}
	fl := f.fields[f.at]
	hint := text(inkDim, "  "+fl.hint)
	if fl.err != "" && (fl.touched || f.tried) {
		hint = text(inkBad, "  "+fl.err)
	}
	return append(out, hint)
}

// drawImpact says what saving would do.
func (f *form) drawImpact(a *app, w, h int) []line {
	var out []line
	if h > 3 {
		out = append(out, text(inkHead, " SAVING WILL"))
	}
	if version, stale := f.stale(a.cache.state); stale {
		out = append(out, text(inkWarn, " "+signWarn+" changed by somebody in revision "+strconv.FormatUint(version, 10)+" while you type"))
	}
	wrong := 0
	for _, fl := range f.fields {
		if fl.err != "" {
			wrong++
		}
	}
	switch {
	case wrong > 0:
		out = append(out, text(inkWarn, " not work yet: "+count(wrong, "field")+" to put right"))
	case f.trouble != "":
		for _, t := range wrap(f.trouble, w-1) {
			out = append(out, text(inkBad, " "+t))
		}
	case f.known != f.serial && f.impacts == nil:
		out = append(out, text(inkDim, " …"))
	case len(f.impacts) == 0 && f.unsaved():
		out = append(out, text(inkDim, " change no guest"))
	case len(f.impacts) == 0:
		out = append(out, text(inkDim, " change nothing: nothing has been typed"))
	case h <= 3:
		for _, i := range f.impacts {
			out = append(out, text(impactInk(i), " "+actionSign(i)+" "+i.Hypervisor+": "+i.String()))
		}
	default:
		for _, l := range impactLines(f.impacts, w-1) {
			out = append(out, append(line{{" ", inkText}}, l...))
		}
	}
	if len(out) > h {
		out = append(out[:h-1], text(inkDim, " and more, shown before it is done"))
	}
	return out
}
