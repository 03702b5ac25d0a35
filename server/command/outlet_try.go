package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

func testOutlet(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Ask an outlet's device, and with --switch switch it",
		Long: `Ask an outlet's device whatever it can say, as often as you like: nothing is
ordered. With --switch it is really switched, to what it is not and back.`,
		Example:           "outlet test rack\noutlet test rack --switch",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindOutlet, false),
	}
	asJSON := jsonFlag(cmd)
	really := cmd.Flags().Bool("switch", false, "switch it, and back")
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindOutlet, args...); err != nil {
			return err
		}
		report, err := s.lab.TestOutlet(cmd.Context(), args[0])
		if err != nil {
			return fmt.Errorf("outlet %s: %w", args[0], err)
		}
		if *asJSON {
			if err := s.printJSON(report); err != nil {
				return err
			}
		} else {
			s.tellReport(args[0], report)
		}
		if !*really {
			return nil
		}
		return s.switchAndBack(cmd.Context(), args[0], report, *yes)
	}
	return cmd
}

func (s *session) tellReport(name string, r model.DeviceReport) {
	state := powerCell(r.State)
	if !r.Askable {
		state.text = "cannot be asked"
	}
	pairs := []pair{{"outlet", cell{text: name}}, {"state", state}, {"answered in", plainCell("%d ms", r.TookMS)}}
	if r.Watts != nil {
		pairs = append(pairs, pair{"watts", plainCell("%.1f", *r.Watts)})
	}
	if r.EnergyWh != nil {
		pairs = append(pairs, pair{"energy", plainCell("%.3f kWh", *r.EnergyWh/1000)})
	}
	if r.Watts == nil && r.EnergyWh == nil {
		pairs = append(pairs, pair{"meter", cell{text: "none"}})
	}
	s.printPairs(append(pairs, pair{"cycles by itself", cell{text: yesNo(r.Cycles)}}))
}

// switchAndBack switches an outlet to what it is not, and back to what it was.
func (s *session) switchAndBack(ctx context.Context, name string, r model.DeviceReport, yes bool) error {
	o := s.state().Outlets[name]
	if o.OnOnly() {
		return hint(fmt.Errorf("outlet %s can only be switched on", name), "try it with: outlet on %s", shellQuote(name))
	}
	first := r.State != model.PowerOn
	q := s.cutting([]string{name}, false)
	what := fmt.Sprintf("outlet %s would be switched %s and back %s", name, onOff(first), onOff(!first))
	if r.State == model.PowerUnknown {
		what += ", and nobody knows what it is now"
	}
	q.damage = append(q.damage, what)
	if err := s.confirm(ctx, q, yes); err != nil {
		return err
	}
	for _, on := range []bool{first, !first} {
		if err := s.lab.SwitchOutlet(ctx, name, on, false); err != nil {
			return err
		}
		s.notef("outlet %s is %s", clean(name), onOff(on))
	}
	return nil
}
