package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Homelab is who automatic orders and their revisions are by.
const Homelab = "homelab"

// Policies of a hypervisor's power. Whatever a policy orders gives way to what
// somebody ordered by hand, until the next schedule, the next switch of the
// profile (for those that follow it) or a release.
const (
	PowerManual   = "manual"   // people order
	PowerProfile  = "profile"  // on while the active profile has VMs to run there
	PowerSchedule = "schedule" // by Schedules
)

// Schedule is a moment that comes again, at which a machine is switched.
type Schedule struct {
	On       bool
	Cron     string // five fields: minute, hour, day of month, month, day of week
	Timezone string // such as Europe/Amsterdam; empty is the settings', else the server's
}

func (s Schedule) String() string {
	return strings.TrimSpace(map[bool]string{true: "on ", false: "off "}[s.On] + s.Cron + " " + s.Timezone)
}

// ParseSchedule reads "on 0 18 * * 1-5 Europe/Amsterdam"; the time zone may be
// left out.
func ParseSchedule(text string) (Schedule, error) {
	words := strings.Fields(text)
	if len(words) != 6 && len(words) != 7 || words[0] != "on" && words[0] != "off" {
		return Schedule{}, fmt.Errorf("must be on or off, the five fields of cron and perhaps a time zone, such as: on 0 18 * * 1-5 Europe/Amsterdam")
	}
	s := Schedule{On: words[0] == "on", Cron: strings.Join(words[1:6], " ")}
	for i, f := range cronFields {
		if !f.valid(words[i+1]) {
			return Schedule{}, fmt.Errorf("has the %s %q: it must be *, or numbers from %d to %d, with ranges such as %d-%d, lists and steps such as */%d", f.name, words[i+1], f.least, f.most, f.least, f.most, 2)
		}
	}
	if len(words) == 7 {
		if s.Timezone = words[6]; !isTimezone(s.Timezone) {
			return Schedule{}, fmt.Errorf("has the time zone %q: it must be a name such as Europe/Amsterdam", s.Timezone)
		}
	}
	return s, nil
}

// cronField is one of the five fields.
type cronField struct {
	name        string
	least, most int
	names       []string // that stand for least and those after it
}

var cronFields = []cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

func (f cronField) valid(text string) bool {
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		if n := digits(step); stepped && (n < 1 || n > f.most) {
			return false
		}
		if span == "*" {
			continue
		}
		from, to, ranged := strings.Cut(span, "-")
		a := f.number(from)
		b := a
		if ranged {
			b = f.number(to)
		}
		if a < f.least || b > f.most || b < a {
			return false
		}
	}
	return true
}

// number is that of a word, -1 if it is none.
func (f cronField) number(word string) int {
	if i := slices.Index(f.names, strings.ToLower(word)); i >= 0 {
		return f.least + i
	}
	return digits(word)
}

func digits(word string) int {
	if word == "" || len(word) > 2 {
		return -1
	}
	n := 0
	for _, c := range []byte(word) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// Needed tells whether the active profile has a VM to run on the hypervisor.
func (s *State) Needed(hypervisor string) bool {
	for _, vm := range s.VMs {
		if vm.Hypervisor == hypervisor && vm.Running && s.HasDomain(vm) {
			return true
		}
	}
	return false
}

// Want orders the power of a machine: on or off, or PowerWantedNone, which
// leaves it. An order that stands is not given again, unless again is set: then
// whoever commits it begins anew.
func (h *Hypervisor) Want(power string, again bool) {
	if h.PowerWanted != power || again {
		h.PowerAt, h.PowerCycle = time.Time{}, false
	}
	h.PowerWanted = power
}

// Cycle orders that the machine's power is cut and given back.
func (h *Hypervisor) Cycle() {
	h.PowerWanted, h.PowerCycle, h.PowerAt = PowerWantedOn, true, time.Time{}
}

// Automatic tells whether anything but people may order the machine's power.
func (h Hypervisor) Automatic() bool {
	return h.PowerPolicy == PowerProfile || h.PowerPolicy == PowerSchedule || h.IdleMinutes > 0 || h.Wake
}

// Release lets policies order the machine's power again, and reconciling go on.
func (h *Hypervisor) Release() { h.Hold, h.PowerByHand = false, false }

// StampPower says of every order about power in an edit whose it is and when
// it was given; the store calls it. To switch the profile is to say what is
// wanted of the machines that follow it.
func StampPower(before, after *State, who string, now time.Time) {
	switched := before.ActiveProfile() != after.ActiveProfile()
	for name, h := range after.Hypervisors {
		old, ok := before.Hypervisors[name]
		switch {
		case !ok && h.PowerWanted != PowerWantedOn && h.PowerWanted != PowerWantedOff:
			h.PowerAt, h.PowerBy, h.PowerWhy, h.PowerByHand, h.PowerCycle = time.Time{}, "", "", false, false
		case ok && h.PowerWanted == old.PowerWanted && h.PowerAt.Equal(old.PowerAt) && h.PowerCycle == old.PowerCycle:
			h.PowerBy, h.PowerWhy, h.PowerByHand = old.PowerBy, old.PowerWhy, old.PowerByHand && h.PowerByHand
			if switched && h.PowerPolicy == PowerProfile {
				h.PowerByHand = false
			}
		default:
			if ok && h.PowerWanted != old.PowerWanted && h.PowerCycle == old.PowerCycle {
				h.PowerCycle = false
			}
			h.PowerAt, h.PowerBy, h.PowerByHand = now.UTC(), who, who != Homelab
			if h.PowerByHand {
				h.PowerWhy = ""
			}
		}
		after.Hypervisors[name] = h
	}
}

// PowerOrder is how far the server has come with an order about a machine's
// power. It is kept, so that a server that was killed carries on. Zero times
// are what has not happened.
type PowerOrder struct {
	At      time.Time `json:"at"`               // PowerAt of the hypervisor: which order it is
	Cutting time.Time `json:"cutting,omitzero"` // of a cycle: from then on its power may have been cut
	Cut     time.Time `json:"cut,omitzero"`     // and it was
	Powered time.Time `json:"powered,omitzero"` // all that feeds it was on
	Online  time.Time `json:"online,omitzero"`  // its agent came
	Applied time.Time `json:"applied,omitzero"` // and applied its config
	Told    time.Time `json:"told,omitzero"`    // its agent took the order to shut down
	Quiet   time.Time `json:"quiet,omitzero"`   // and reported that no guest runs
	Gone    time.Time `json:"gone,omitzero"`    // and went
	Down    time.Time `json:"down,omitzero"`    // the machine counts as off
	Ended   time.Time `json:"ended,omitzero"`   // nothing is left to do
	Error   string    `json:"error,omitempty"`  // that it ended with
}

// PowerRecord is what is kept of a machine's power.
type PowerRecord struct {
	Order PowerOrder `json:"order"`
	// Took are the last durations of steps, in seconds, newest last.
	Took map[string][]int `json:"took,omitempty"`
}

// mostTook is how many durations of a step are kept.
const mostTook = 9

// Learn notes how long a step took.
func (r *PowerRecord) Learn(step string, took time.Duration) {
	if took <= 0 {
		return
	}
	m := make(map[string][]int, len(r.Took)+1)
	for k, v := range r.Took {
		m[k] = v
	}
	all := append(slices.Clone(m[step]), int(took.Round(time.Second)/time.Second))
	m[step] = all[max(0, len(all)-mostTook):]
	r.Took = m
}

// Usual is the median duration of a step, in seconds; 0 is unknown.
func (r PowerRecord) Usual(step string) int {
	all := slices.Sorted(slices.Values(r.Took[step]))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// Steps of a sequence.
const (
	StepCut    = "cut"    // take the power away, to give it back
	StepOutlet = "outlet" // switch Outlet
	StepBoot   = "boot"   // the agent comes
	StepApply  = "apply"  // and applies the config
	StepGuests = "guests" // guests shut down
	StepHalt   = "halt"   // the agent goes
	StepDown   = "down"   // the machine is really off
)

// StepState is the state of a step.
type StepState string

// States of a step.
const (
	StepTodo    StepState = "todo"
	StepDoing   StepState = "doing"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepSkipped StepState = "skipped" // Note says why
)

// Step is one step of a sequence.
type Step struct {
	Kind         string    `json:"kind"`
	Outlet       string    `json:"outlet,omitempty"`
	What         string    `json:"what"` // in words, such as "switch outlet plug on"
	State        StepState `json:"state"`
	Since        time.Time `json:"since,omitzero"`         // when it began, or ended if it has
	UsualSeconds int       `json:"usual_seconds,omitzero"` // 0 is unknown
	Deadline     time.Time `json:"deadline,omitzero"`      // of one that is being done
	Note         string    `json:"note,omitempty"`
	Error        string    `json:"error,omitempty"`
}

// Sequence is the order about a machine's power that was given last, step by
// step.
type Sequence struct {
	Goal  string    `json:"goal"` // on, off or cycle
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"` // of an automatic order
	At    time.Time `json:"at"`
	Ended time.Time `json:"ended,omitzero"`
	Error string    `json:"error,omitempty"` // that it failed with, and what to try
	Steps []Step    `json:"steps"`
}
