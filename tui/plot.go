package tui

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// plot shows the watts of some outlets over the last hour, day or year.
type plot struct {
	name string // of the machine or the outlet; empty is the lab
	kind model.Kind
	span model.Span

	points []model.WattPoint
	read   model.Span // that points are of
	err    error
}

var plotSpans = []model.Span{model.SpanHour, model.SpanDay, model.SpanYear}

func newPlot(kind model.Kind, name string) *plot {
	return &plot{name: name, kind: kind, span: model.SpanHour}
}

func (s *plot) title() string {
	if s.name == "" {
		return "Watts of the lab"
	}
	return "Watts of " + s.name
}

// outlets are those that are plotted.
func (s *plot) outlets(a *app) []string {
	switch s.kind {
	case model.KindHypervisor:
		return a.cache.state.Hypervisors[s.name].Outlets
	case model.KindOutlet:
		return []string{s.name}
	}
	return model.Names(a.cache.state.Outlets)
}

func (s *plot) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	_, minute := dirty[model.Ref{Kind: model.KindMeters, Name: string(model.KindMeters)}]
	if dirty != nil && !minute {
		return nil
	}
	outlets, span := s.outlets(a), s.span
	return a.async(func(ctx context.Context) done {
		history, err := a.lab.WattHistory(ctx, outlets, span)
		var each [][]model.WattPoint
		for _, name := range model.Names(history) {
			each = append(each, history[name])
		}
		sum := model.AddWatts(each...)
		return func(*app) tea.Cmd {
			if span == s.span {
				s.points, s.err, s.read = sum, err, span
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
	return []action{
		next, back,
		{binding: keySpanHour, do: set(model.SpanHour)},
		{binding: keySpanDay, do: set(model.SpanDay)},
		{binding: keySpanYear, do: set(model.SpanYear)},
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
	measured := make([]float64, len(s.points))
	for i, p := range s.points {
		measured[i] = p.Watts
	}
	if !slices.ContainsFunc(measured, func(v float64) bool { return !math.IsNaN(v) }) {
		return append(out, nil, text(inkText, "  Nothing was measured in the last "+string(s.span)+"."), nil,
			text(inkDim, "  It needs an outlet with a meter; points come once a minute."))
	}
	foot := s.summary(a, measured)
	out = append(out, chart(measured, w, max(h-len(out)-len(foot)-1, 2))...)
	return append(append(out, s.axis(a, w)), foot...)
}

const axisWidth = 8 // of the numbers left of a chart

// chart draws a curve as blocks, h lines high, with numbers at its left.
func chart(points []float64, w, h int) []line {
	cols := resample(points, max(w-axisWidth-1, 1))
	top := nice(highest(points))
	out := make([]line, h)
	for row := range out {
		label := ""
		switch row {
		case 0:
			label = watts(top)
		case h / 2:
			if h >= 5 {
				label = watts(top * float64(h-h/2) / float64(h))
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
				add(" ", inkBusy)
			} else {
				add(eighths[min(fill, 8)-1], inkBusy)
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
func (s *plot) axis(a *app, w int) line {
	from := s.points[0].At.In(a.now.Location())
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
func (s *plot) summary(a *app, measured []float64) []line {
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
	l := line{
		{" now ", inkDim},
		{wattsOf(now), inkName},
		{"  mean ", inkDim},
		{watts(sum / float64(n)), inkText},
		{"  peak ", inkDim},
		{watts(measured[peak]), inkText},
		{" " + momentOf(a.now, s.points[peak].At, s.span), inkDim},
	}
	used := line{{" used ", inkDim}, {energy(wh), inkText}}
	if cost := money(a.cache.state.Settings, wh); cost != "" {
		used = append(used, span{" for " + cost, inkText})
	}
	if missing := time.Duration(len(measured)-n) * step; missing > 0 {
		used = append(used, span{"  not measured: " + hours(missing) + " (" + signNone + ")", inkDim})
	}
	if shared := a.cache.state.Share(a.cache.status, s.name).Shared; s.kind == model.KindHypervisor && len(shared) > 0 {
		used = append(used, span{"  shared with " + strings.Join(shared, ", "), inkWarn})
	}
	return []line{l, used}
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
