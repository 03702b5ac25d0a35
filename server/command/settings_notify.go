package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// notifyChannels are the ways to be told, as flags name them.
var notifyChannels = []struct{ flag, secret, usage string }{
	{"webhook", model.SecretWebhook, "URL that gets each message as JSON; empty forgets it"},
	{"ntfy", model.SecretNtfy, "URL of a topic of ntfy, such as https://ntfy.sh/my-homelab; empty forgets it"},
	{"ntfy-token", model.SecretNtfyToken, "access token for that; empty forgets it"},
}

func settingsNotify(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "notify", Short: "Who is told of what nobody watches"},
		notifyShow(s), notifySet(s), notifyTest(s),
	)
}

type notifyJSON struct {
	Channels  []string `json:"channels"`   // that are set; where they lead is not shown
	NtfyToken bool     `json:"ntfy_token"` // one is set
	Command   []string `json:"notify_command"`
	PerHour   int      `json:"notify_per_hour"`
	Patience  int      `json:"notify_patience_seconds"`
}

func (s *session) notify() notifyJSON {
	set := s.state().Settings
	n := notifyJSON{Command: set.NotifyCommand, PerHour: set.NotifyPerHour, Patience: set.NotifyPatience}
	if n.PerHour == 0 {
		n.PerHour = model.NotifyPerHour
	}
	if n.Patience == 0 {
		n.Patience = model.NotifyPatience
	}
	kept := s.lab.NotifySet()
	for _, c := range notifyChannels {
		switch {
		case !slices.Contains(kept, c.secret):
		case c.secret != model.SecretNtfyToken:
			n.Channels = append(n.Channels, c.flag)
		default:
			n.NtfyToken = true
		}
	}
	if len(n.Command) > 0 {
		n.Channels = append(n.Channels, "command")
	}
	return n
}

func notifyShow(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show how people are told", Example: "settings notify show", Args: exactly(),
		Long: `Show how people are told of what nobody watches: a machine that is gone, runs or
power sequences that failed for good, an outlet whose device fails, and when it
is well again. Where a webhook or ntfy leads is kept secret.`,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		n := s.notify()
		if *asJSON {
			return s.printJSON(n)
		}
		told := cell{text: strings.Join(n.Channels, ", ")}
		if n.NtfyToken {
			told.text = strings.Replace(told.text, "ntfy", "ntfy with a token", 1)
		}
		if len(n.Channels) == 0 {
			told = cell{"nobody is told: settings notify set --ntfy …", yellow}
		}
		s.printPairs([]pair{
			{"told by", told},
			{"command", cell{text: or(model.JoinCommand(n.Command), "none")}},
			{"after", plainCell("%d seconds", n.Patience)},
			{"at most", plainCell("%d messages an hour; what is over comes with the next", n.PerHour)},
		})
		return nil
	}
	return cmd
}

func notifySet(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change how people are told",
		Long: `Change how people are told: what is given. Addresses and tokens are secrets: they
are written and never shown, and are in no revision.`,
		Example: "settings notify set --ntfy https://ntfy.sh/my-homelab\nsettings notify set --command '/usr/local/bin/tell-me --loud' --per-hour 4",
		Args:    exactly(),
	}
	opts := mutating(cmd)
	given := make([]*string, len(notifyChannels))
	for i, c := range notifyChannels {
		given[i] = cmd.Flags().String(c.flag, "", c.usage)
	}
	f := newFields[model.Settings](s, cmd)
	var bad error
	command := cmd.Flags().String("command", "", "program and arguments, run without a shell; gets the message as JSON on its standard input")
	f.on("command", func(v *model.Settings) {
		var argv []string
		if argv, bad = model.SplitCommand(*command); bad == nil {
			assign(&v.NotifyCommand, argv)
		}
	})
	f.number("per-hour", "messages at most; 0 is 10", func(v *model.Settings) *int { return &v.NotifyPerHour })
	f.number("patience", "how many seconds something is wrong before it is told; 0 is 120", func(v *model.Settings) *int { return &v.NotifyPatience })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		some := f.some()
		for i, c := range notifyChannels {
			if !cmd.Flags().Changed(c.flag) {
				continue
			}
			if err := model.CheckNotify(c.secret, *given[i]); err != nil {
				return &usageError{err: err}
			}
			some = true
		}
		if !some {
			return &usageError{err: fmt.Errorf("nothing to change was given"), hint: seeHelp(cmd)}
		}
		for i, c := range notifyChannels {
			if !cmd.Flags().Changed(c.flag) || *opts.dry {
				continue
			}
			if err := s.lab.SetNotify(c.secret, *given[i]); err != nil {
				return err
			}
		}
		if !f.some() && !*opts.dry { // secrets make no revision
			s.sayf("how people are told is changed")
			return nil
		}
		return s.commit(cmd.Context(), opts, change{
			edit: func(st *model.State) error { f.apply(&st.Settings); return bad },
			done: "how people are told is changed", same: "how people are told is set",
		})
	}
	return cmd
}

func notifyTest(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "test", Short: "Send a test by each of the ways", Example: "settings notify test", Args: exactly(),
		Long: "Send a test by each of the ways that are set, and say which of them took it.",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		results, err := s.lab.NotifyTest(cmd.Context())
		if err != nil {
			return err
		}
		if len(results) == 0 {
			return hint(errors.New("nobody is told: no way is set"), "set one with: settings notify set --ntfy https://ntfy.sh/my-homelab")
		}
		return s.eachOf(model.Names(results), func(channel string) error {
			if err := results[channel]; err != nil {
				return fmt.Errorf("%s: %w", channel, err)
			}
			s.sayf("%s took it", channel)
			return nil
		})
	}
	return cmd
}
