package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"homelab/model"
)

// age says how long ago something was, coarsely, so that what is shown seldom
// changes.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h ago"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " days ago"
}

// lasted says how long something took.
func lasted(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 10*time.Minute:
		return fmt.Sprintf("%d min %02d s", int(d/time.Minute), int(d/time.Second)%60)
	}
	if d < time.Hour {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return fmt.Sprintf("%d h %02d min", int(d/time.Hour), int(d/time.Minute)%60)
}

// moment says when something was or will be: the time of day today, else the
// date too.
func moment(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(now.Location())
	if y, m, d := t.Date(); y == now.Year() && m == now.Month() && d == now.Day() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// mebibytes says a size in MiB shortly: 512 MiB, 4 GiB, 1.5 GiB.
func mebibytes(n int) string {
	if n < 1024 {
		return strconv.Itoa(n) + " MiB"
	}
	s := strconv.FormatFloat(float64(n)/1024, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0") + " GiB"
}

// count says how many of a thing: 1 guest, 3 guests.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// sentence says several words as a sentence does.
func sentence(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func digest(s string) string { return s[:min(len(s), 12)] }

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// impactInk is how grave an impact is.
func impactInk(i model.Impact) ink {
	if len(i.DisksLost) > 0 {
		return inkBad
	}
	switch i.Action {
	case model.ActionCreate, model.ActionStart:
		return inkGood
	case model.ActionStop, model.ActionRestart, model.ActionRemove:
		return inkWarn
	case model.ActionRecreate, model.ActionDestroy:
		return inkBad
	}
	return inkText
}

// impactLines lists what a change does, by hypervisor.
func impactLines(impacts []model.Impact, w int) []line {
	sorted := slices.Clone(impacts)
	slices.SortStableFunc(sorted, func(a, b model.Impact) int { return strings.Compare(a.Hypervisor, b.Hypervisor) })
	var out []line
	on := ""
	for _, i := range sorted {
		if i.Hypervisor != on {
			on = i.Hypervisor
			out = append(out, text(inkName, on))
		}
		colour := impactInk(i)
		for n, l := range wrap(i.String(), w-4) {
			sign := "  "
			if n == 0 {
				sign = actionSign(i) + " "
			}
			out = append(out, line{{"  " + sign, colour}, {l, colour}})
		}
	}
	return out
}

// actionSign is the sign beside an impact, as terraform's plans have them.
func actionSign(i model.Impact) string {
	switch i.Action {
	case model.ActionCreate, model.ActionStart:
		return "+"
	case model.ActionChange:
		return "~"
	case model.ActionRestart, model.ActionRecreate:
		return "±"
	}
	return "−"
}

// damage is how much a change asks of a person before it is done.
type damage int

const (
	harmless damage = iota // undone by one key: done at once
	stops                  // something that runs stops: a yes
	loses                  // a disk is lost, or power is cut under guests: the typed name
)

// damageOf weighs the impacts of a change.
func damageOf(impacts []model.Impact) damage {
	worst := harmless
	for _, i := range impacts {
		switch {
		case len(i.DisksLost) > 0:
			return loses
		case i.Action == model.ActionStop, i.Action == model.ActionRecreate, i.Action == model.ActionDestroy,
			i.Running && (i.Action == model.ActionRestart || i.Action == model.ActionRemove):
			worst = stops
		}
	}
	return worst
}
