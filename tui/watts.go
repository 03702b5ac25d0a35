package tui

import (
	"math"
	"strconv"
	"strings"

	"homelab/model"
)

// Watts, as the dashboard shows them. What was not measured is a dash or a
// dot, never 0.

var eighths = []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// watts says a power: 4.2 W, 120 W, 1.35 kW.
func watts(w float64) string {
	switch {
	case math.IsNaN(w):
		return "–"
	case w < 0.05:
		return "0 W"
	case w < 9.95:
		return strconv.FormatFloat(w, 'f', 1, 64) + " W"
	case w < 9999.5:
		return strconv.FormatFloat(w, 'f', 0, 64) + " W"
	}
	return strconv.FormatFloat(w/1000, 'f', 1, 64) + " kW"
}

func wattsOf(w *float64) string {
	if w == nil {
		return "–"
	}
	return watts(*w)
}

// energy says an energy: 8 Wh, 1.25 kWh.
func energy(wh float64) string {
	if wh < 99.5 {
		return strconv.FormatFloat(wh, 'f', 0, 64) + " Wh"
	}
	return strconv.FormatFloat(wh/1000, 'f', 2, 64) + " kWh"
}

// money says what energy costs, if the settings name a price.
func money(s model.Settings, wh float64) string {
	cost, ok := s.Cost(wh)
	if !ok {
		return ""
	}
	return strings.TrimSpace(strconv.FormatFloat(cost, 'f', 2, 64) + " " + s.Currency)
}

// spark draws a curve in one line of w columns, from 0 to the highest. A dot is
// where nothing was measured.
func spark(points []float64, w int) line {
	if w <= 0 || len(points) == 0 {
		return nil
	}
	cols := resample(points, w)
	top := highest(cols)
	l := make(line, 0, w)
	for _, v := range cols {
		if math.IsNaN(v) {
			l = append(l, span{signNone, inkRule})
			continue
		}
		l = append(l, span{eighths[eighth(v, top, 1)-1], inkPlot})
	}
	return l
}

// eighth is how high a value stands in a plot of h rows, in eighths of a row;
// what was measured is at least 1.
func eighth(v, top float64, h int) int {
	if top <= 0 {
		return 1
	}
	return min(max(int(math.Round(v/top*float64(8*h))), 1), 8*h)
}

// resample brings points to n columns: the mean of what was measured in each.
// Fewer points than columns are repeated.
func resample(points []float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		from := i * len(points) / n
		to := max((i+1)*len(points)/n, from+1)
		sum, count := 0.0, 0
		for _, v := range points[from:min(to, len(points))] {
			if !math.IsNaN(v) {
				sum, count = sum+v, count+1
			}
		}
		out[i] = math.NaN()
		if count > 0 {
			out[i] = sum / float64(count)
		}
	}
	return out
}

// highest is the greatest value, 0 if nothing was measured.
func highest(points []float64) float64 {
	top := 0.0
	for _, v := range points {
		if v > top { // NaN is not
			top = v
		}
	}
	return top
}

// share says what a machine draws and, where there is room, how that went.
func share(a *app, r *hvRow, w int) line {
	u := a.cache.state.Share(a.cache.status, r.Name)
	if u.Watts == nil && !u.Metered {
		return nil
	}
	l := text(inkName, wattsOf(u.Watts))
	if u.Part {
		l = append(l, span{" or more", inkDim})
	}
	if len(u.Shared) > 0 {
		l = append(l, span{" shared with " + sentence(u.Shared), inkWarn})
	}
	if recent := model.Recent(a.cache.status, r.Outlets); len(recent) > 0 && w-l.size() >= 12 {
		l = append(append(l, span{" ", inkText}), spark(recent, min(20, w-l.size()-4))...)
	}
	if !u.Metered {
		return l
	}
	today := "  today " + energy(u.TodayWh)
	for _, s := range []string{today, ", " + money(a.cache.state.Settings, u.TodayWh)} {
		if s == ", " || l.size()+width(s) > w {
			break
		}
		l = append(l, span{s, inkDim})
	}
	return l
}
