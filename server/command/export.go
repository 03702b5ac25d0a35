package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

// exportJSON is the desired state without who may connect and without secrets.
type exportJSON struct {
	Format      string             `json:"format"`
	Revision    uint64             `json:"revision"`
	Settings    model.Settings     `json:"settings"`
	Profiles    []model.Profile    `json:"profiles"`
	Images      []model.Image      `json:"images"`
	Outlets     []model.Outlet     `json:"outlets"`
	SaltMasters []model.SaltMaster `json:"salt_masters"`
	Hypervisors []model.Hypervisor `json:"hypervisors"`
	Shares      []model.Share      `json:"shares"`
	Roles       []model.GuestRole  `json:"roles"`
	VMs         []model.VM         `json:"vms"`
}

// exportFormat names the form of an export and its version.
const exportFormat = "homelab/1"

func exportCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "The desired state in JSON, to read and to keep",
		Long: `Write the desired state in JSON: settings, profiles, images, outlets, Salt
masters, hypervisors, shares, roles and VMs. Who may connect is left out, and secrets are
hidden; the whole, to restore, is in a backup.`,
		Example: "export > lab.json",
		Args:    exactly(),
	}
	_ = cmd.Flags().Bool("json", true, "always: the answer is JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		st := s.state()
		open := values(st.Outlets)
		for i := range open {
			open[i] = withoutSecrets(open[i])
		}
		return s.printJSON(exportJSON{
			Format: exportFormat, Revision: st.Revision, Settings: st.Settings,
			Profiles: values(st.Profiles), Images: values(st.Images), Outlets: open,
			SaltMasters: values(st.SaltMasters), Hypervisors: values(st.Hypervisors),
			Shares: values(st.Shares), Roles: values(st.Roles), VMs: values(st.VMs),
		})
	}
	return cmd
}

// values are a map's values in the order of their names.
func values[T any](m map[string]T) []T {
	all := make([]T, 0, len(m))
	for _, name := range model.Names(m) {
		all = append(all, m[name])
	}
	return all
}
