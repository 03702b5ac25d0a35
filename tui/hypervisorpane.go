package tui

import (
	"fmt"
	"strings"
	"time"

	"homelab/model"
)

// hypervisorPane is the detail beside the list of a wide terminal.
func hypervisorPane(a *app, r *hvRow, w, h int) []line {
	out := append([]line{text(inkName, " "+r.Name)}, overview(a, r, w)...)
	out = append(out, nil, text(inkHead, fmt.Sprintf(" VMS %d", len(r.vms))))
	room := max(h-len(out)-8, 3)
	for n, i := range r.vms {
		if n == room-1 && len(r.vms) > room {
			out = append(out, text(inkDim, fmt.Sprintf("   and %d more", len(r.vms)-n)))
			break
		}
		out = append(out, paneVM(&a.cache.vms[i], w))
	}
	out = append(out, nil, text(inkHead, " RUNS"))
	if len(a.runsFor(r.Name)) == 0 {
		out = append(out, text(inkDim, " none yet"))
	}
	for _, run := range a.runsFor(r.Name) {
		if len(out) >= h {
			break
		}
		out = append(out, paneRun(run, a.now, w))
	}
	return out
}

// paneVM is a VM in the detail of its hypervisor; its address where there is room.
func paneVM(vm *vmRow, w int) line {
	ip, _, _ := strings.Cut(vm.IP, "/")
	l := line{{" " + vm.guest.sign + " ", vm.guest.ink}}
	left := w - 1 - 3 - 10 - 8
	if w >= 56 {
		left -= 16
	}
	l = append(l, text(inkText, vm.Name).fit(min(max(left, 8), 24))...)
	l = append(l, text(vm.guest.ink, " "+vm.guest.word).fit(10)...)
	l = append(l, cell(text(inkDim, mebibytes(vm.MemoryMiB)), 8, true)...)
	if w < 56 {
		return l
	}
	return append(l, span{"  " + ip, inkDim})
}

// paneRun is a run in the detail of its hypervisor.
func paneRun(run model.Run, now time.Time, w int) line {
	sign, colour := runSign(run.State)
	l := line{{" " + sign + " ", colour}}
	l = append(l, text(inkDim, fmt.Sprintf("%d %s", run.ID, run.Kind)).fit(9)...)
	l = append(l, text(colour, string(run.State)).fit(11)...)
	if w < 56 {
		return append(l, span{moment(now, run.Started), inkDim})
	}
	l = append(l, text(inkDim, moment(now, run.Started)).fit(13)...)
	return append(l, changes(run.Summary)...)
}
