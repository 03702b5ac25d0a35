package decide

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"homelab/model"
)

// Policies is what a hypervisor's policies go by.
type Policies struct {
	Hypervisor model.Hypervisor
	Profile    string    // the active one
	Needed     bool      // it has VMs to run there
	Started    string    // a VM on it that somebody has just started
	Fired      Moment    // of its schedules, the last one since they were last looked at
	IdleSince  time.Time // since when its agent is there and no guest runs; zero otherwise
	Essential  bool      // cutting what feeds it may cut the server off
	Power      model.Power
	Pending    bool // an order is under way
}

// Moment is a schedule's.
type Moment struct {
	at       time.Time // zero: there was none
	schedule model.Schedule
}

// Order is what policies order of a machine.
type Order struct {
	Want string // model.PowerWantedOn, …; empty if nothing
	Why  string
	Wake time.Time // when to look again at the latest
}

// ByPolicy decides what the policies of a hypervisor order. It is a pure
// function. What somebody ordered by hand stands until the next schedule; to
// start a VM is to order its machine on, if the machine wakes for that.
func ByPolicy(p Policies, now time.Time) Order {
	h := p.Hypervisor
	if h.Hold {
		return Order{}
	}
	if p.Started != "" && h.Wake && (h.PowerWanted != model.PowerWantedOn || p.Power == model.PowerOff && !p.Pending) {
		return Order{Want: model.PowerWantedOn, Why: "VM " + p.Started + " was started"}
	}
	if h.PowerPolicy == model.PowerSchedule && !p.Fired.at.IsZero() && p.Fired.at.After(h.PowerAt) {
		want := model.PowerWantedOff
		if p.Fired.schedule.On {
			want = model.PowerWantedOn
		}
		return p.order(want, "schedule "+p.Fired.schedule.String())
	}
	if h.PowerByHand {
		return Order{}
	}
	if h.PowerPolicy == model.PowerProfile {
		if p.Needed {
			return p.order(model.PowerWantedOn, fmt.Sprintf("profile %s has VMs to run there", p.Profile))
		}
		return p.order(model.PowerWantedOff, fmt.Sprintf("profile %s has nothing to run there", p.Profile))
	}
	if h.IdleMinutes > 0 && !p.IdleSince.IsZero() && !p.Pending {
		since := later(p.IdleSince, h.PowerAt)
		due := since.Add(time.Duration(h.IdleMinutes) * time.Minute)
		if now.Before(due) {
			return Order{Wake: due}
		}
		return p.order(model.PowerWantedOff, fmt.Sprintf("no guest ran for %d minutes", h.IdleMinutes))
	}
	return Order{}
}

// order orders unless it is ordered so already, or nobody could undo it.
func (p Policies) order(want, why string) Order {
	switch {
	case want == model.PowerWantedOff && p.Essential:
		return Order{}
	case p.Hypervisor.PowerWanted == want && !p.Hypervisor.PowerByHand && (p.Power == model.Power(want) || p.Pending || p.Hypervisor.PowerWhy == why):
		return Order{}
	}
	return Order{Want: want, Why: why}
}

// LastFired is the last moment of a hypervisor's schedules after from and not
// after now, and when the next comes. home is the time zone of those that name
// none.
func LastFired(schedules []string, home *time.Location, from, now time.Time) (last Moment, next time.Time) {
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
				last = Moment{at, s}
			}
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return last, next
}

// Started is a VM on a hypervisor that has a guest to run now and had not
// before; empty is none.
func Started(before, now *model.State, hypervisor string) string {
	if before == nil || before == now {
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
