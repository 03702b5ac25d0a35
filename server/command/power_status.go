package command

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

// powerJSON is one line of `power status`: a machine, an outlet, or all outlets
// together.
type powerJSON struct {
	Name    string      `json:"name"`
	Kind    model.Kind  `json:"kind"` // hypervisor, outlet or total
	Power   model.Power `json:"power,omitempty"`
	Wanted  string      `json:"power_wanted,omitempty"` // of a hypervisor
	Differs string      `json:"differs,omitempty"`      // how it is not what is wanted
	Phase   model.Phase `json:"phase,omitempty"`        // of a hypervisor
	Feeds   []string    `json:"feeds"`                  // of an outlet
	Outlets []string    `json:"outlets"`                // of a hypervisor
	Since   time.Time   `json:"since,omitzero"`
	Error   string      `json:"error,omitempty"`
	usageJSON
	Sequence *model.Sequence `json:"sequence,omitempty"` // of the last order about a hypervisor
}

// usageJSON is what something draws; what is not known is not there.
type usageJSON struct {
	Watts   *float64    `json:"watts,omitempty"`
	Partial bool        `json:"watts_partial,omitempty"` // some of its outlets do not measure
	Energy  *energyJSON `json:"energy_wh,omitempty"`
	Cost    *costJSON   `json:"cost,omitempty"`
	Shared  []string    `json:"shared_with,omitempty"` // machines that the same outlets feed
}

type energyJSON struct {
	Today float64   `json:"today"`
	Total float64   `json:"total"`
	Since time.Time `json:"since"` // of the total
}

type costJSON struct {
	Today    float64 `json:"today"`
	Total    float64 `json:"total"`
	Currency string  `json:"currency"`
}

const kindTotal model.Kind = "total"

func usageOf(st *model.State, u model.Usage) usageJSON {
	out := usageJSON{Watts: u.Watts, Partial: u.Part, Shared: u.Shared}
	if !u.Metered {
		return out
	}
	out.Energy = &energyJSON{Today: round(u.TodayWh, 3), Total: round(u.TotalWh, 3), Since: u.Since}
	if today, ok := st.Settings.Cost(u.TodayWh); ok {
		total, _ := st.Settings.Cost(u.TotalWh)
		out.Cost = &costJSON{Today: round(today, 4), Total: round(total, 4), Currency: st.Settings.Currency}
	}
	return out
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

func powerStatus(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [NAME…]",
		Short: "What is on and what is off, and what it draws",
		Long: `What is on and what is off, and what it draws. An outlet that feeds several
machines is counted whole with each of them, and once in the total.`,
		Example:           "power status\npower status thinkpad --json",
		ValidArgsFunction: s.powerArgs,
	}
	asJSON, w := jsonFlag(cmd), whichFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st := s.state()
		t := targets{model.Names(st.Hypervisors), model.Names(st.Outlets)}
		all := len(args)+len(*w.groups) == 0 && !*w.all
		if !all {
			var err error
			if t, err = s.find(cmd, w, args); err != nil {
				return err
			}
		}
		lines := s.powerLines(st, t)
		if u := st.Usage(s.lab.Status()); all && (u.Watts != nil || u.Metered) {
			lines = append(lines, powerJSON{Name: string(kindTotal), Kind: kindTotal, usageJSON: usageOf(st, u)})
		}
		if *asJSON {
			return s.printJSON(lines)
		}
		s.printPower(lines)
		return nil
	}
	return cmd
}

func (s *session) powerLines(st *model.State, t targets) []powerJSON {
	var lines []powerJSON
	observed := s.lab.Status()
	for _, name := range t.hypervisors {
		h, status := st.Hypervisors[name], s.hypervisorStatus(name)
		lines = append(lines, powerJSON{
			Name: name, Kind: model.KindHypervisor, Power: status.Power, Wanted: h.PowerWanted, Differs: status.Differs,
			Phase: status.Phase, Outlets: h.Outlets, Since: status.Since, Error: status.Error,
			usageJSON: usageOf(st, st.Share(observed, name)), Sequence: status.Sequence,
		})
	}
	for _, name := range t.outlets {
		status := s.outletStatus(name)
		one := model.Usage{Watts: status.Watts}
		if m, ok := observed.Meters[name]; ok {
			one.Metered, one.TodayWh, one.TotalWh, one.Since = true, m.TodayWh, m.TotalWh, m.Since
		}
		lines = append(lines, powerJSON{
			Name: name, Kind: model.KindOutlet, Power: status.State, Feeds: feeds(st, name), Since: status.Since, Error: status.Error,
			usageJSON: usageOf(st, one),
		})
	}
	return lines
}

func (s *session) printPower(lines []powerJSON) {
	if len(lines) == 0 {
		s.notef("there are no hypervisors and no outlets")
		return
	}
	metered := slices.ContainsFunc(lines, func(l powerJSON) bool { return l.Watts != nil || l.Energy != nil })
	priced := slices.ContainsFunc(lines, func(l powerJSON) bool { return l.Cost != nil })
	t := &table{header: []string{"name", "kind", "power", "wanted", "phase", "since"}}
	if metered {
		t.header = append(t.header, "watts", "today")
	}
	if priced {
		t.header = append(t.header, "cost today")
	}
	t.header = append(t.header, "fed by/feeds")
	for _, l := range lines {
		row := []cell{{text: l.Name}, {text: l.Kind.Word()}, powerCell(l.Power), {text: or(l.Wanted, "-")}, {text: or(string(l.Phase), "-")}, {text: s.age(l.Since)}}
		if l.Kind == kindTotal {
			row[1], row[2], row[5] = cell{}, cell{text: "-"}, cell{text: "-"}
		}
		if metered {
			row = append(row, cell{text: l.watts()}, cell{text: l.today()})
		}
		if priced {
			row = append(row, cell{text: l.cost()})
		}
		at := strings.Join(append(slices.Clone(l.Outlets), l.Feeds...), ",")
		if len(l.Shared) > 0 {
			at += ", shared with " + andList(l.Shared)
		}
		t.add(append(row, cell{text: at})...)
	}
	s.printTable(t)
}

// watts is a dash where no meter says: not 0.
func (u usageJSON) watts() string {
	if u.Watts == nil {
		return "-"
	}
	text := strconv.FormatFloat(*u.Watts, 'f', 0, 64) + " W"
	if *u.Watts < 10 {
		text = strconv.FormatFloat(*u.Watts, 'f', 1, 64) + " W"
	}
	if u.Partial {
		text += " or more"
	}
	return text
}

func (u usageJSON) today() string {
	if u.Energy == nil {
		return "-"
	}
	return strconv.FormatFloat(u.Energy.Today/1000, 'f', 2, 64) + " kWh"
}

func (u usageJSON) cost() string {
	if u.Cost == nil {
		return "-"
	}
	return strings.TrimSpace(strconv.FormatFloat(u.Cost.Today, 'f', 2, 64) + " " + u.Cost.Currency)
}
