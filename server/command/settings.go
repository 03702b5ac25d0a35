package command

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func settingsCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "settings", Aliases: []string{"setting"}, Short: "How the lab behaves, in one place"},
		showSettings(s), setSettings(s), settingsNotify(s),
	)
}

func showSettings(s *session) *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show the settings", Example: "settings show", Args: exactly()}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		set := s.state().Settings
		if *asJSON {
			return s.printJSON(set)
		}
		pairs := []pair{
			{"guest user", cell{text: set.GuestUser}},
			{"gateway", cell{text: or(set.Gateway, "the first address of a VM's network")}},
			{"dns", cell{text: or(strings.Join(set.DNS, ", "), "none")}},
			{"search", cell{text: or(strings.Join(set.Search, ", "), "none")}},
			{"salt master", cell{text: or(set.SaltMaster, "none")}},
			{"timezone", cell{text: or(set.Timezone, "the image's")}},
			{"locale", cell{text: or(set.Locale, "the image's")}},
			{"packages", cell{text: or(strings.Join(set.Packages, ", "), "none")}},
			{"hosts", cell{text: yesNo(set.Hosts)}},
			{"guest grace", cell{text: fmt.Sprintf("%d seconds", cmp.Or(set.GuestGraceSeconds, 30))}},
			{"power grace", cell{text: fmt.Sprintf("%d seconds", cmp.Or(set.PowerGraceSeconds, 30))}},
			{"restore power", cell{text: yesNo(set.RestorePower)}},
			{"price per kWh", cell{text: priceText(set)}},
			{"told by", cell{text: or(strings.Join(s.notify().Channels, ", "), "nothing: settings notify set")}},
		}
		for _, key := range set.SSHKeys {
			pairs = append(pairs, pair{"ssh key", cell{text: key}})
		}
		if len(set.SSHKeys) == 0 {
			pairs = append(pairs, pair{"ssh keys", cell{"none: nobody can log in to a guest", yellow}})
		}
		for _, key := range set.UserCA {
			pairs = append(pairs, pair{"user ca", cell{text: key}})
		}
		if len(set.Revoked) > 0 {
			pairs = append(pairs, pair{"revoked", cell{text: strings.Join(set.Revoked, ", ")}})
		}
		s.printPairs(pairs)
		return nil
	}
	return cmd
}

func setSettings(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change settings",
		Long: `Change settings: those whose flags are given. An empty value clears one. Each holds from
now on, without a restart: what guests have by the next config of their hypervisor, and
--restore-power by the server's next start. How people are told is settings notify set.`,
		Example: "settings set --dns 192.168.1.1,1.1.1.1 --search lan\nsettings set --ssh-key 'ssh-ed25519 AAAAC3Nz… me' --ssh-key '…'",
		Args:    exactly(),
	}
	opts := mutating(cmd)
	f := newFields[model.Settings](s, cmd)
	f.text("guest-user", "the user made in each guest", func(v *model.Settings) *string { return &v.GuestUser })
	f.lines("ssh-key", "a key with which one logs in to guests; repeat it for more, all are replaced", func(v *model.Settings) *[]string { return &v.SSHKeys })
	f.text("gateway", "of guests with a static address; empty is the first of their network", func(v *model.Settings) *string { return &v.Gateway })
	f.list("dns", "name servers of guests with a static address", func(v *model.Settings) *[]string { return &v.DNS })
	f.list("search", "DNS search domains of the same", func(v *model.Settings) *[]string { return &v.Search })
	f.text("salt-master", "the default Salt master; empty is none", func(v *model.Settings) *string { return &v.SaltMaster })
	f.text("timezone", "of guests, such as Europe/Amsterdam", func(v *model.Settings) *string { return &v.Timezone })
	f.text("locale", "of guests, such as en_US.UTF-8", func(v *model.Settings) *string { return &v.Locale })
	f.list("package", "packages installed in each guest", func(v *model.Settings) *[]string { return &v.Packages })
	f.truth("hosts", "guests know the names of the lab's guests that have a static address", func(v *model.Settings) *bool { return &v.Hosts })
	f.amount("price-kwh", "what a kilowatt-hour costs; 0 is unknown", func(v *model.Settings) *float64 { return &v.PriceKWh })
	f.text("currency", "of that price, such as EUR", func(v *model.Settings) *string { return &v.Currency })
	f.number("guest-grace-seconds", "how long a guest has to shut down before it is switched off; 0 is 30", func(v *model.Settings) *int { return &v.GuestGraceSeconds })
	f.number("power-grace-seconds", "how long a machine has to be off after its agent went, where no meter or ping tells; 0 is 30", func(v *model.Settings) *int { return &v.PowerGraceSeconds })
	f.truth("restore-power", "when the server starts, what is wanted on and is off is switched on", func(v *model.Settings) *bool { return &v.RestorePower })
	f.lines("user-ca", "a key whose certificates let users in, as the first principal that is a user; repeat it for more, all are replaced", func(v *model.Settings) *[]string { return &v.UserCA })
	f.list("revoked", "certificates that let nobody in: serial:N, id:KEY-ID or the certified key's fingerprint", func(v *model.Settings) *[]string { return &v.Revoked })
	f.suggest("salt-master", model.KindSaltMaster)
	base := cmd.Flags().Uint64("version", 0, "refuse if they were changed since this `version`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !f.some() {
			return &usageError{err: fmt.Errorf("nothing to change was given"), hint: seeHelp(cmd)}
		}
		return s.commit(cmd.Context(), opts, change{
			edit: func(st *model.State) error {
				if v := st.Settings.Version; *base != 0 && *base != v {
					return &model.ConflictError{Ref: model.Ref{Kind: model.KindSettings, Name: string(model.KindSettings)}, Base: *base, Version: v}
				}
				return f.apply(&st.Settings)
			},
			done: "settings are changed", same: "settings are like that",
		})
	}
	return cmd
}

func priceText(set model.Settings) string {
	if set.PriceKWh == 0 {
		return "unknown: settings set --price-kwh …"
	}
	return strings.TrimSpace(strconv.FormatFloat(set.PriceKWh, 'f', -1, 64) + " " + set.Currency)
}
