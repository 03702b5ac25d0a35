package tui

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// plot shows what outlets drew, and what machines and guests used, over the
// last hour, day or year: as many curves as there is room for.
type plot struct {
	name string // of the machine, the VM or the outlet; empty is the lab
	kind model.Kind
	span model.Span

	points []model.WattPoint
	loads  map[model.Ref][]model.LoadPoint
	read   model.Span // that they are of
	err    error
	first  int // of the curves, that is drawn on top
	more   int // curves that there is no room for
}

var plotSpans = []model.Span{model.SpanHour, model.SpanDay, model.SpanYear}

func newPlot(kind model.Kind, name string) *plot {
	return &plot{name: name, kind: kind, span: model.SpanHour}
}

func (s *plot) title() string {
	switch {
	case s.kind == model.KindOutlet:
		return "Watts of " + s.name
	case s.name == "":
		return "Plots of the lab"
	}
	return "Plots of " + s.name
}

// outlets are those that are plotted.
func (s *plot) outlets(a *app) []string {
	switch s.kind {
	case model.KindHypervisor:
		return a.cache.state.Hypervisors[s.name].Outlets
	case model.KindOutlet:
		return []string{s.name}
	case model.KindVM:
		return nil
	}
	return model.Names(a.cache.state.Outlets)
}

// loaded are those whose load is plotted.
func (s *plot) loaded(a *app) []model.Ref {
	switch s.kind {
	case model.KindOutlet:
		return nil
	case "":
		var refs []model.Ref
		for i := range a.cache.hvs {
			refs = append(refs, model.Ref{Kind: model.KindHypervisor, Name: a.cache.hvs[i].Name})
		}
		return refs
	}
	return []model.Ref{{Kind: s.kind, Name: s.name}}
}

func (s *plot) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	_, minute := dirty[model.Ref{Kind: model.KindMeters, Name: string(model.KindMeters)}]
	if dirty != nil && !minute {
		return nil
	}
	outlets, of, span := s.outlets(a), s.loaded(a), s.span
	return a.async(func(ctx context.Context) done {
		history, err := a.lab.WattHistory(ctx, outlets, span)
		var each [][]model.WattPoint
		for _, name := range model.Names(history) {
			each = append(each, history[name])
		}
		sum := model.AddWatts(each...)
		loads, loadErr := a.lab.LoadHistory(ctx, of, span)
		return func(*app) tea.Cmd {
			if span == s.span {
				s.points, s.loads, s.err, s.read = sum, loads, errors.Join(err, loadErr), span
			}
			return nil
		}
	})
}

func (s *plot) actions(*app) []action {
	set := func(span model.Span) func(a *app) tea.Cmd {
		return func(a *app) tea.Cmd {
			s.span = span
			return s.refresh(a, nil)
		}
	}
	next := action{binding: keySpan, do: func(a *app) tea.Cmd {
		at := slices.Index(plotSpans, s.span)
		return set(plotSpans[(at+1)%len(plotSpans)])(a)
	}}
	back := action{binding: keySpanBack, do: func(a *app) tea.Cmd {
		at := slices.Index(plotSpans, s.span)
		return set(plotSpans[(at+len(plotSpans)-1)%len(plotSpans)])(a)
	}}
	move := func(by int) func(*app) tea.Cmd {
		return func(*app) tea.Cmd {
			if s.first+by >= 0 && by <= s.more {
				s.first += by
			}
			return nil
		}
	}
	return []action{
		next, back,
		{binding: keySpanHour, do: set(model.SpanHour)},
		{binding: keySpanDay, do: set(model.SpanDay)},
		{binding: keySpanYear, do: set(model.SpanYear)},
		action{binding: keyCurve, do: move(1)}.only(s.more > 0),
		action{binding: keyCurveBack, do: move(-1)}.only(s.first > 0),
	}
}

func (s *plot) draw(a *app, w, h int) []line {
	heads := line{{" ", inkText}}
	for _, p := range plotSpans {
		colour := inkTabs
		if p == s.span {
			colour = inkTab
		}
		heads = append(heads, span{string(p), colour}, span{"   ", inkText})
	}
	out := []line{append(heads, span{"←/→", inkKey})}
	switch {
	case s.err != nil:
		return append(out, nil, text(inkBad, "  "+s.err.Error()))
	case s.read != s.span:
		return append(out, nil, text(inkDim, "  reading …"))
	}
	all := s.curves(a)
	if len(all) == 0 {
		out = append(out, nil, text(inkText, "  Nothing was measured in the last "+string(s.span)+"."), nil)
		return append(out, wrapped(inkDim, "  "+either(s.kind == model.KindOutlet, "It needs an outlet with a meter", "It needs an agent that is connected, or an outlet with a meter")+"; points come once a minute.", w-1, 2)...)
	}
	if len(all) == 1 && all[0].watts {
		s.first, s.more = 0, 0
		foot := s.summary(a, all[0].of, w)
		out = append(out, chart(all[0].of, all[0].scale, w, max(h-len(out)-len(foot)-1, 2))...)
		return append(append(out, s.axis(a, w, all[0].from)), foot...)
	}
	curves := s.stack(a, all, w, h-1)
	if s.more > 0 {
		out[0] = spread(out[0], line{{"↓ ", inkKey}, {strings.ToLower(all[len(all)-s.more].name) + " ", inkDim}}, w)
	}
	return append(out, curves...)
}

// leastCurve is the height of a curve with its heading below which it is not
// worth drawing.
const leastCurve = 6

// stack draws as many curves as there is room for, one above the other over
// one axis.
func (s *plot) stack(a *app, all []curve, w, h int) []line {
	s.first = min(s.first, len(all)-1)
	fit := max(min((h-1)/leastCurve, len(all)-s.first), 1)
	s.more = len(all) - s.first - fit
	each := (h - 1) / fit
	var out []line
	for _, c := range all[s.first : s.first+fit] {
		out = append(out, c.heading(a.now, s.span, w))
		out = append(out, chart(c.of, c.scale, w, max(each-1, 2))...)
	}
	return append(out, s.axis(a, w, all[0].from))
}

const axisWidth = 10 // of the numbers left of a chart

// scale is what a curve is measured by.
type scale struct {
	top float64 // of the chart; 0 is a round number above the highest
	say func(float64) string
}

// chart draws a curve as blocks, h lines high, with numbers at its left.
func chart(points []float64, by scale, w, h int) []line {
	cols := resample(points, max(w-axisWidth-1, 1))
	top := by.top
	if top == 0 {
		top = nice(highest(points))
	}
	out := make([]line, h)
	for row := range out {
		label := ""
		switch row {
		case 0:
			label = by.say(top)
		case h / 2:
			if h >= 5 && h%2 == 0 {
				label = by.say(top / 2)
			}
		case h - 1:
			label = "0"
		}
		l := append(cell(text(inkDim, label), axisWidth-2, true), span{" │", inkRule})
		out[row] = append(l, bars(cols, top, h, h-1-row)...)
	}
	return out
}

// bars is one line of a chart, below is how many lines lie under it. Runs of
// the same block are one span.
func bars(cols []float64, top float64, h, below int) line {
	var l line
	add := func(s string, i ink) {
		if n := len(l); n > 0 && l[n-1].ink == i {
			l[n-1].text += s
			return
		}
		l = append(l, span{s, i})
	}
	for _, v := range cols {
		switch fill := 0; {
		case math.IsNaN(v) && below == 0:
			add(signNone, inkRule)
		case math.IsNaN(v):
			add(" ", inkRule)
		default:
			if fill = eighth(v, top, h) - 8*below; fill <= 0 {
				add(" ", inkPlot)
			} else {
				add(eighths[min(fill, 8)-1], inkPlot)
			}
		}
	}
	return l
}

// nice is the next round number, so that the scale does not move all the time.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	for base := math.Pow(10, math.Floor(math.Log10(v))); ; base *= 10 {
		for _, m := range []float64{1, 1.5, 2, 3, 4, 5, 6, 8, 10} {
			if m*base >= v {
				return m * base
			}
		}
	}
}

// axis names the moments under a chart.
func (s *plot) axis(a *app, w int, from time.Time) line {
	from = from.In(a.now.Location())
	mid := from.Add(s.span.Length() / 2)
	format := "15:04"
	if s.span == model.SpanYear {
		format = "2 Jan 2006"
	}
	room := w - axisWidth - 1
	left, middle, right := from.Format(format), mid.Format(format), "now"
	l := text(inkDim, blanks(axisWidth)+left)
	if gap := room/2 - width(left) - width(middle)/2; gap > 1 {
		l = append(l, span{blanks(gap) + middle, inkDim})
	}
	return spread(l, text(inkDim, right+" "), w)
}

// summary is what a plot comes to, in words.
func (s *plot) summary(a *app, measured []float64, w int) []line {
	var now *float64
	for _, o := range s.outlets(a) {
		if w := a.cache.status.Outlets[o].Watts; w != nil {
			sum := *w
			if now != nil {
				sum += *now
			}
			now = &sum
		}
	}
	sum, n, peak := 0.0, 0, 0
	for i, v := range measured {
		if math.IsNaN(v) {
			continue
		}
		sum, n = sum+v, n+1
		if v >= measured[peak] || math.IsNaN(measured[peak]) {
			peak = i
		}
	}
	step := s.span.Step()
	wh := sum * step.Hours()
	l := fill(w,
		line{{" now ", inkDim}, {wattsOf(now), inkName}},
		line{{"  mean ", inkDim}, {watts(sum / float64(n)), inkText}},
		line{{"  peak ", inkDim}, {watts(measured[peak]), inkText}},
		text(inkDim, " "+momentOf(a.now, s.points[peak].At, s.span)))
	used := []line{{{" used ", inkDim}, {energy(wh), inkText}}}
	if cost := money(a.cache.state.Settings, wh); cost != "" {
		used = append(used, text(inkText, " for "+cost))
	}
	if shared := a.cache.state.Share(a.cache.status, s.name).Shared; s.kind == model.KindHypervisor && len(shared) > 0 {
		used = append(used, text(inkWarn, "  shared with "+strings.Join(shared, ", ")))
	}
	if missing := time.Duration(len(measured)-n) * step; missing > 0 {
		used = append(used, text(inkDim, "  not measured: "+hours(missing)+" ("+signNone+")"))
	}
	return []line{l, fill(w, used...)}
}

func momentOf(now, t time.Time, span model.Span) string {
	if span == model.SpanYear {
		return t.In(now.Location()).Format("2 Jan 15:04")
	}
	return moment(now, t)
}

// hours says a long duration.
func hours(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 72*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " days"
}

// openPlot opens the watts of a thing.
func openPlot(a *app, kind model.Kind, name string) tea.Cmd { return a.open(newPlot(kind, name)) }
