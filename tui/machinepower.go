package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// power wants a hypervisor on, or off after a question that lists the guests.
func power(a *app, r *hvRow) tea.Cmd {
	if q := r.st.Sequence; !isUp(r.st) && (r.PowerWanted != model.PowerWantedOn || q != nil && q.Error != "") {
		return a.propose(change{title: "Power " + r.Name + " on", edit: model.WantPower([]string{r.Name}, model.PowerWantedOn)})
	}
	up := a.cache.runningOn(r)
	lines := []line{text(inkText, "No guest is known to run on it. The machine is shut down, then its power is cut.")}
	if len(up) > 0 {
		lines = []line{
			text(inkWarn, fmt.Sprintf("%s shut down first: %s.", plural(len(up), "1 guest is", fmt.Sprintf("%d guests are", len(up))), sentence(up))),
			text(inkText, "Then the machine is shut down and its power is cut. The disks are kept."),
		}
	} else if r.st.Agent != model.AgentOnline {
		lines = []line{text(inkWarn, "Its agent does not answer, so nobody knows which guests run on it.")}
	}
	if n := r.st.Logins(); n > 0 {
		lines = append(lines, text(inkWarn, "Somebody is logged in on it: "+count(n, "session")+"."))
	}
	lines = append(lines, sharesLost(a.cache, r.Outlets, []string{r.Name})...)
	return a.propose(change{
		title: "Power " + r.Name + " off", verb: "power it off", least: stops, lines: lines,
		edit: model.WantPower([]string{r.Name}, model.PowerWantedOff),
	})
}

// cycleMachine cuts the power of a machine that is stuck and gives it back.
func cycleMachine(a *app, r *hvRow) tea.Cmd {
	lines := []line{text(inkText, "Its power is cut, and given back. That is for a machine that is stuck: off and on by o is gentle.")}
	if up := a.cache.runningOn(r); len(up) > 0 {
		lines = append(lines, text(inkBad, fmt.Sprintf("%s lose power without a shutdown: %s.", count(len(up), "running guest"), sentence(up))))
	} else if isUp(r.st) {
		lines = append(lines, text(inkBad, "It is up and loses power without a shutdown."))
	}
	if shared := a.cache.state.Share(a.cache.status, r.Name).Shared; len(shared) > 0 {
		lines = append(lines, text(inkBad, "The same outlets feed "+sentence(shared)+"."))
	}
	a.overlay = &confirm{
		title: "Power-cycle " + r.Name + "?", level: loses, name: r.Name, verb: "cut its power", lines: lines,
		do: func(a *app) tea.Cmd {
			return a.commit(change{title: "Power-cycle " + r.Name, edit: model.Change(r.Name, 0, func(hv *model.Hypervisor) error {
				hv.Cycle()
				return nil
			})})
		},
	}
	return nil
}
