package tui

import (
	"math"
	"slices"
	"strconv"
	"time"

	"homelab/model"
)

// curve is one measure over time.
type curve struct {
	name  string
	of    []float64 // NaN where nothing was measured
	from  time.Time // of the first point
	step  time.Duration
	scale scale
	watts bool
}

// curves are those of which something was measured.
func (s *plot) curves(a *app) []curve {
	var all []curve
	add := func(c curve) {
		if slices.ContainsFunc(c.of, func(v float64) bool { return !math.IsNaN(v) }) {
			c.step = s.span.Step()
			all = append(all, c)
		}
	}
	if len(s.points) > 0 {
		c := curve{name: "WATTS", from: s.points[0].At, scale: scale{say: watts}, watts: true}
		for _, p := range s.points {
			c.of = append(c.of, p.Watts)
		}
		add(c)
	}
	cpu, memory := s.sumLoads(a)
	add(cpu)
	add(memory)
	return all
}

// sumLoads adds up what machines use: memory, and CPU by how many they have.
func (s *plot) sumLoads(a *app) (cpu, memory curve) {
	cpu = curve{name: "CPU", scale: scale{100, percent}}
	memory = curve{name: "MEMORY", scale: scale{say: func(v float64) string { return mebibytes(int(v)) }}}
	var weights []float64
	for _, ref := range s.loaded(a) {
		points := s.loads[ref]
		cpus, total := s.size(a, ref)
		memory.scale.top += float64(total)
		for i, p := range points {
			if i >= len(cpu.of) {
				cpu.of, memory.of, weights = append(cpu.of, math.NaN()), append(memory.of, math.NaN()), append(weights, 0)
			}
			if i == 0 {
				cpu.from, memory.from = p.At, p.At
			}
			memory.of[i] = addMeasured(memory.of[i], p.MemoryMiB)
			if !math.IsNaN(p.CPUPercent) {
				cpu.of[i] = addMeasured(cpu.of[i], p.CPUPercent*float64(cpus))
				weights[i] += float64(cpus)
			}
		}
	}
	for i, n := range weights {
		cpu.of[i] /= n
	}
	return cpu, memory
}

// size is how many CPUs and how much memory a machine or a VM has.
func (s *plot) size(a *app, ref model.Ref) (cpus, memoryMiB int) {
	if ref.Kind == model.KindVM {
		vm := a.cache.state.VMs[ref.Name]
		return max(vm.CPUs, 1), vm.MemoryMiB
	}
	f := a.cache.status.Hypervisors[ref.Name].Facts
	return max(f.CPUs, 1), f.MemoryMiB
}

// addMeasured adds up what was measured.
func addMeasured(sum, v float64) float64 {
	switch {
	case math.IsNaN(v):
		return sum
	case math.IsNaN(sum):
		return v
	}
	return sum + v
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.Itoa(int(math.Round(v))) + " %"
}

// heading says what a curve comes to: its last value, the mean and the peak.
func (c curve) heading(now time.Time, over model.Span, w int) line {
	sum, n, peak, last := 0.0, 0, -1, math.NaN()
	for i, v := range c.of {
		if math.IsNaN(v) {
			continue
		}
		sum, n, last = sum+v, n+1, v
		if peak < 0 || v >= c.of[peak] {
			peak = i
		}
	}
	l := text(inkHead, " "+c.name).fit(axisWidth + 1)
	l = append(l, span{c.scale.say(last), inkName})
	return fill(w, l,
		line{{"  mean ", inkDim}, {c.scale.say(sum / float64(n)), inkText}},
		line{{"  peak ", inkDim}, {c.scale.say(c.of[peak]), inkText}},
		text(inkDim, " "+momentOf(now, c.from.Add(time.Duration(peak)*c.step), over)))
}
