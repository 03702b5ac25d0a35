package server

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"homelab/model"
)

// policied is what a hypervisor's policies go by.
type policied struct {
	h         model.Hypervisor
	profile   string    // the active one
	needed    bool      // it has VMs to run there
	started   string    // a VM on it that somebody has just started
	fired     moment    // of its schedules, the last one since they were last looked at
	idleSince time.Time // since when its agent is there and no guest runs; zero otherwise
	essential bool      // cutting what feeds it may cut the server off
	power     model.Power
	pending   bool // an order is under way
}

// moment is a schedule's.
type moment struct {
	at       time.Time // zero: there was none
	schedule model.Schedule
}

// automatic is what policies order of a machine: want is empty if nothing.
type automatic struct {
	want string
	why  string
	wake time.Time // when to look again at the latest
}

// automaticNext decides what the policies of a hypervisor order. It is a pure
// function. What somebody ordered by hand stands until the next schedule; to
// start a VM is to order its machine on, if the machine wakes for that.
func automaticNext(p policied, now time.Time) automatic {
	h := p.h
	if h.Hold {
		return automatic{}
	}
	if p.started != "" && h.Wake && (h.PowerWanted != model.PowerWantedOn || p.power == model.PowerOff && !p.pending) {
		return automatic{want: model.PowerWantedOn, why: "VM " + p.started + " was started"}
	}
	if h.PowerPolicy == model.PowerSchedule && !p.fired.at.IsZero() && p.fired.at.After(h.PowerAt) {
		want := model.PowerWantedOff
		if p.fired.schedule.On {
			want = model.PowerWantedOn
		}
		return p.order(want, "schedule "+p.fired.schedule.String())
	}
	if h.PowerByHand {
		return automatic{}
	}
	if h.PowerPolicy == model.PowerProfile {
		if p.needed {
			return p.order(model.PowerWantedOn, fmt.Sprintf("profile %s has VMs to run there", p.profile))
		}
		return p.order(model.PowerWantedOff, fmt.Sprintf("profile %s has nothing to run there", p.profile))
	}
	if h.IdleMinutes > 0 && !p.idleSince.IsZero() && !p.pending {
		since := later(p.idleSince, h.PowerAt)
		due := since.Add(time.Duration(h.IdleMinutes) * time.Minute)
		if now.Before(due) {
			return automatic{wake: due}
		}
		return p.order(model.PowerWantedOff, fmt.Sprintf("no guest ran for %d minutes", h.IdleMinutes))
	}
	return automatic{}
}

// order orders unless it is ordered so already, or nobody could undo it.
func (p policied) order(want, why string) automatic {
	switch {
	case want == model.PowerWantedOff && p.essential:
		return automatic{}
	case p.h.PowerWanted == want && !p.h.PowerByHand && (p.power == model.Power(want) || p.pending || p.h.PowerWhy == why):
		return automatic{}
	}
	return automatic{want: want, why: why}
}

// lastFired is the last moment of a hypervisor's schedules after from and not
// after now, and when the next comes. home is the time zone of those that name
// none.
func lastFired(schedules []string, home *time.Location, from, now time.Time) (last moment, next time.Time) {
	for _, text := range schedules {
		s, err := model.ParseSchedule(text)
		if err != nil {
			continue // none is kept that cannot be read
		}
		spec, err := cron.ParseStandard(s.Cron)
		if err != nil {
			continue
		}
		zone := home
		if s.Timezone != "" {
			if zone, err = time.LoadLocation(s.Timezone); err != nil {
				zone = home
			}
		}
		at := spec.Next(from.In(zone))
		for ; !at.IsZero() && !at.After(now); at = spec.Next(at) {
			if !at.Before(last.at) {
				last = moment{at, s}
			}
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return last, next
}

// started is a VM on a hypervisor that has a guest to run now and had not
// before; empty is none.
func started(before, now *model.State, hypervisor string) string {
	if before == nil {
		return ""
	}
	for _, vm := range now.VMsOn(hypervisor) {
		old, ok := before.VMs[vm.Name]
		had := ok && old.ID == vm.ID && old.Hypervisor == hypervisor && old.Running && before.HasDomain(old)
		if vm.Running && now.HasDomain(vm) && !had {
			return vm.Name
		}
	}
	return ""
}
