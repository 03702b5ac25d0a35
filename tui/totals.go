package tui

import (
	"fmt"
	"slices"
	"strconv"
)

func (a *app) shortTotals() string {
	c := a.cache
	return fmt.Sprintf("%d/%d up %d/%d ", c.machine.running, c.machine.wanted, c.guest.running, c.guest.wanted)
}

// totals are what the lab comes to; what it costs and then what it draws give
// way where there is no room.
func (a *app) totals(room int) line {
	c := a.cache
	profile := line{{"profile ", inkDim}, {orNone(c.state.ActiveProfile()), inkText}}
	rev := text(inkDim, "  r"+strconv.FormatUint(c.state.Revision, 10)+" ")
	if _, atHome := a.top().(*home); atHome && a.h >= roomy {
		return append(profile, rev...) // the rest has its own place there
	}
	l := append(profile,
		span{"  machines up ", inkDim}, span{fmt.Sprintf("%d/%d", c.machine.running, c.machine.wanted), inkText},
		span{"  guests ", inkDim}, span{fmt.Sprintf("%d/%d", c.guest.running, c.guest.wanted), inkText})
	l = append(l, rev...)
	drawn, cost := c.drawn()
	for _, more := range []line{append(drawn[:len(drawn):len(drawn)], cost...), drawn} {
		if len(more) > 0 && more.size()+2+l.size() <= room {
			return append(append(more, span{"  ", inkDim}), l...)
		}
	}
	return l
}

// drawn is what the whole lab draws now, and what that costs in a day.
func (c *cache) drawn() (now, cost line) {
	u := c.state.Usage(c.status)
	if u.Watts == nil {
		return nil, nil
	}
	more := ""
	if u.Part {
		more = "+" // some outlets do not say
	}
	now = line{{watts(*u.Watts) + more, inkText}}
	if s := money(c.state.Settings, *u.Watts*24); s != "" {
		cost = text(inkDim, " ≈ "+s+" a day")
	}
	return now, cost
}

// summed is one number of the lab, with what it is.
type summed struct {
	head string
	now  line
	w    int // columns
}

// sums are the lab in numbers, in two lines: what each is, and how much. Each
// has its place, whatever the numbers are.
func (a *app) sums(w int) []line {
	c := a.cache
	all := []summed{
		{"MACHINES UP", outOf(c.machine, false), 13}, // off is how one may be meant to be
		{"GUESTS RUNNING", outOf(c.guest, slices.ContainsFunc(c.hvs, lacking)), 16},
	}
	if cpu, used, total := c.use(); total > 0 {
		all = append(all, summed{"CPU", text(inkName, percent(cpu)), 7},
			summed{"MEMORY IN USE", append(text(inkName, mebibytes(used)), span{" of " + mebibytes(total), inkDim}), 23})
	}
	if drawn, cost := c.drawn(); drawn != nil {
		drawn[0].ink = inkName
		usage := c.state.Usage(c.status)
		all = append(all, summed{"WATTS", drawn, 10})
		if cost != nil {
			cost[0] = span{money(c.state.Settings, *usage.Watts*24), inkName}
			all = append(all, summed{"COST A DAY", append(cost, span{", today " + money(c.state.Settings, usage.TodayWh), inkDim}), 24})
		}
	}
	heads, values := text(inkText, " "), text(inkText, " ")
	for _, s := range all {
		if heads.size()+s.w > w {
			break
		}
		heads = append(heads, text(inkHead, s.head).fit(s.w)...)
		values = append(values, s.now.fit(s.w)...)
	}
	return []line{heads, values}
}

// use is what the machines that say so use together: CPU in percent, and memory
// in MiB.
func (c *cache) use() (cpu float64, used, total int) {
	cpus := 0.0
	for i := range c.hvs {
		l := c.hvs[i].st.Load
		if l == nil {
			continue
		}
		n := float64(max(c.hvs[i].st.Facts.CPUs, 1))
		cpu, cpus = cpu+float64(l.CPUPercent)*n, cpus+n
		used, total = used+l.MemoryUsedMiB, total+l.MemoryMiB
	}
	return cpu / cpus, used, total
}

// outOf says how many there are of how many there should be, and whether that is
// worth a look.
func outOf(n counts, look bool) line {
	return line{{strconv.Itoa(n.running), either(look, inkWarn, inkName)}, {" of " + strconv.Itoa(n.wanted), inkDim}}
}
