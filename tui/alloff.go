package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// everything is what "everything off" comes to: all but what is essential.
type everything struct {
	machines []string // to be shut down
	outlets  []string // that feed none, to be cut after what requires them
	keeps    []string // why something stays on
}

// everythingOff finds what goes off and what stays, with the reason.
func everythingOff(c *cache) everything {
	var e everything
	needed := map[string]string{} // outlet → what keeps it on
	for i := range c.hvs {
		r := &c.hvs[i]
		essential := slices.IndexFunc(r.Outlets, func(o string) bool { return c.state.Outlets[o].Essential })
		switch {
		case essential >= 0:
			e.keeps = append(e.keeps, fmt.Sprintf("%s stays on: %s is essential", r.Name, r.Outlets[essential]))
			for _, o := range r.Outlets {
				require(c.state, o, r.Name, needed)
			}
		case r.st.Power == model.PowerOff && r.PowerWanted != model.PowerWantedOn:
		case len(r.Outlets) == 0 && !isUp(r.st): // there is nothing that could switch it
		default:
			e.machines = append(e.machines, r.Name)
			for _, o := range r.Outlets { // until it is down
				require(c.state, o, r.Name+", which is shut down first,", needed)
			}
		}
	}
	for _, name := range model.Names(c.state.Outlets) {
		o, st := c.state.Outlets[name], c.status.Outlets[name]
		switch {
		case len(c.fedBy(name)) > 0 || st.State == model.PowerOff:
		case o.Essential:
			e.keeps = append(e.keeps, name+" stays on: it is essential")
		case needed[name] != "":
			e.keeps = append(e.keeps, fmt.Sprintf("%s stays on: %s needs it", name, needed[name]))
		default:
			e.outlets = append(e.outlets, name)
		}
	}
	slices.SortStableFunc(e.outlets, func(a, b string) int {
		switch {
		case requires(c.state, a, b):
			return -1
		case requires(c.state, b, a):
			return 1
		}
		return 0
	})
	return e
}

// require notes that a thing needs an outlet and all that this requires.
func require(s *model.State, outlet, who string, needed map[string]string) {
	if needed[outlet] != "" {
		return
	}
	needed[outlet] = who
	for _, o := range s.Outlets[outlet].Requires {
		require(s, o, who, needed)
	}
}

// requires tells whether an outlet requires another, by way of others or not.
func requires(s *model.State, outlet, other string) bool {
	for _, o := range s.Outlets[outlet].Requires {
		if o == other || requires(s, o, other) {
			return true
		}
	}
	return false
}

// lines spells the damage out.
func (e everything) lines(c *cache) []line {
	var out []line
	for _, name := range e.machines {
		r, _ := c.hypervisor(name)
		switch up := c.runningOn(r); {
		case len(up) > 0:
			out = append(out, text(inkWarn, fmt.Sprintf("%s and %s (%s) are shut down, then its power is cut.", name, count(len(up), "running guest"), strings.Join(up, ", "))))
		case r.st.Agent == model.AgentOnline:
			out = append(out, text(inkWarn, name+" is shut down, then its power is cut. No guest runs on it."))
		default:
			out = append(out, text(inkBad, "Nobody knows what runs on "+name+": its agent does not answer. Its power is cut when it counts as off."))
		}
	}
	for _, name := range e.outlets {
		out = append(out, text(inkBad, name+" is cut now: what it feeds is no machine that could be shut down first."))
	}
	out = append(out, sharesLost(c, e.outlets, e.machines)...)
	for _, why := range e.keeps {
		out = append(out, text(inkDim, why+"."))
	}
	return out
}

// allOff asks whether all is to go off, for the words to be typed, and does it.
func allOff(a *app) tea.Cmd {
	e := everythingOff(a.cache)
	if len(e.machines)+len(e.outlets) == 0 {
		return a.say(inkDim, signNone, "all is off but what is essential")
	}
	a.overlay = &confirm{
		title: "Everything off?", level: loses, name: "everything off", verb: "switch it all off", lines: e.lines(a.cache),
		do: func(a *app) tea.Cmd {
			return a.order("everything goes off", func(ctx context.Context) error {
				var errs []error
				if len(e.machines) > 0 {
					_, err := a.lab.Commit(ctx, "dashboard: Everything off", model.WantPower(e.machines, model.PowerWantedOff))
					errs = append(errs, err)
				}
				for _, name := range e.outlets {
					errs = append(errs, a.lab.SwitchOutlet(ctx, name, false, false))
				}
				return errors.Join(errs...)
			})
		},
	}
	return nil
}
