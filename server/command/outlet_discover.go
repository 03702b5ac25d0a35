package command

import (
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// foundJSON is a device that was found, and the outlet that it is already.
type foundJSON struct {
	model.FoundDevice
	Known string `json:"known_as,omitempty"`
}

func discoverOutlets(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discover",
		Short: "Find smart plugs and the like on the server's networks",
		Long: `Find what may switch power on the networks that the server is on, by mDNS: Shelly,
Tasmota and ESPHome where theirs is on, Home Assistant. Each is asked what it is,
and nothing is ordered or added.`,
		Example: "outlet discover\noutlet discover --json",
		Args:    exactly(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s.notef("asking the networks, some seconds")
		found, err := s.lab.Discover(cmd.Context())
		if err != nil {
			return err
		}
		devices := make([]foundJSON, len(found))
		for i, f := range found {
			devices[i] = foundJSON{f, knownAs(s.state(), f.Outlet)}
		}
		if *asJSON {
			return s.printJSON(devices)
		}
		s.tellFound(devices)
		return nil
	}
	return cmd
}

func (s *session) tellFound(devices []foundJSON) {
	if len(devices) == 0 {
		s.sayf("nothing answers that is known; if it has an address, try: outlet add NAME --address ADDRESS")
		return
	}
	t := &table{header: []string{"address", "what it is", "needs", "outlet"}}
	fresh := ""
	for _, d := range devices {
		if d.Known == "" && fresh == "" {
			fresh = d.Address
		}
		t.add(cell{text: d.Address}, cell{text: d.About}, cell{text: or(strings.Join(d.Needs, ", "), "nothing")}, cell{text: or(d.Known, "not added")})
	}
	s.printTable(t)
	if fresh != "" {
		s.notef("add one with: outlet add NAME --address %s", clean(fresh))
	}
}

// knownAs is the outlet that has the same device, if there is one.
func knownAs(st *model.State, found model.Outlet) string {
	at := addressOf(found)
	for _, name := range model.Names(st.Outlets) {
		if o := st.Outlets[name]; at != "" && o.Driver == found.Driver && addressOf(o) == at {
			return name
		}
	}
	return ""
}

// addressOf is where an outlet's device is, as far as its settings say.
func addressOf(o model.Outlet) string {
	for _, f := range model.DriverFields(o.Driver) {
		if f.Key == "address" {
			return f.Get(o)
		}
	}
	return ""
}
