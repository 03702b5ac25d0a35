package tui

import (
	"context"
	"net"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"homelab/model"
	"homelab/tui/display"
)

// copier is a screen that has more to be copied than the names in its list.
type copier interface{ copies(a *app) []copied }

// copied is one thing that can be copied: text, or what a command fetches.
type copied struct {
	label string
	text  string
	fetch func() (string, error) // I/O: done in a command
}

// copyMenu offers what can be copied from here.
func (a *app) copyMenu() tea.Cmd {
	var all []copied
	if c, ok := a.top().(copier); ok {
		all = c.copies(a)
	} else if l, ok := a.top().(listed); ok {
		all = namesToCopy(l.rows())
	}
	all = append(all, copied{label: "what is shown", text: a.shown()})
	var options []option
	for i, c := range all {
		options = append(options, option{label: c.label, note: text(inkDim, firstLine(c.text)), do: func(a *app) tea.Cmd { return a.copy(c) }})
		if i == len(all)-1 {
			options[i].note = nil
		}
	}
	return a.ask("Copy", options...)
}

// namesToCopy are the marked rows of a list, or the chosen one.
func namesToCopy(l *list) []copied {
	keys := l.picked()
	if key, ok := l.key(); ok && len(keys) == 0 {
		keys = []string{key}
	}
	switch len(keys) {
	case 0:
		return nil
	case 1:
		return []copied{{label: "the name", text: keys[0]}}
	}
	return []copied{{label: "the " + count(len(keys), "name"), text: strings.Join(keys, "\n")}}
}

// copy puts text into the clipboard of the person's own machine, if their
// terminal knows how (OSC 52).
func (a *app) copy(c copied) tea.Cmd {
	if c.fetch == nil {
		return tea.Batch(display.Write(ansi.SetSystemClipboard(c.text)), a.say(inkGood, signDone, "copied "+c.label+"; your terminal has to take OSC 52"))
	}
	return a.async(func(context.Context) done {
		s, err := c.fetch()
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			return a.copy(copied{label: c.label, text: s})
		}
	})
}

// shown is the screen as text.
func (a *app) shown() string { return textOf(a.frame()) }

func textOf(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		var row strings.Builder
		for _, s := range l {
			row.WriteString(s.text)
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}

// command is a command as one types it on one's own machine.
func (a *app) command(words ...string) string {
	if a.opts.Client != "" {
		return a.opts.Client + " " + strings.Join(words, " ")
	}
	host, port, err := net.SplitHostPort(a.opts.Address)
	if err != nil {
		host = "homelab.lan"
	}
	cmd := []string{"ssh"}
	if port != "" && port != "22" {
		cmd = append(cmd, "-p", port)
	}
	return strings.Join(append(append(cmd, host), words...), " ")
}

// copies of VMs: name, address, commands.
func vmCopies(a *app, vm *vmRow) []copied {
	if vm == nil {
		return nil
	}
	out := []copied{{label: "the name", text: vm.Name}}
	if ip, _, _ := strings.Cut(vm.IP, "/"); ip != "" {
		out = append(out, copied{label: "the address", text: ip})
	}
	return append(out,
		copied{label: "the command to show it", text: a.command("vm", "show", vm.Name)},
		copied{label: "the command to open it here", text: strings.Replace(a.command("open", "vm", vm.Name), "ssh", "ssh -t", 1)},
		copied{label: "its ID", text: vm.ID})
}

func (s *vms) copies(a *app) []copied {
	if len(s.list.picked()) > 0 {
		return namesToCopy(&s.list)
	}
	return vmCopies(a, s.chosen(a))
}

func (s *vmDetail) copies(a *app) []copied { return vmCopies(a, s.row(a)) }

func hypervisorCopies(a *app, name string) []copied {
	if name == "" {
		return nil
	}
	out := []copied{
		{label: "the name", text: name},
		{label: "the command for its config", text: a.command("config", name)},
		{label: "the command for its log", text: a.command("logs", name, "-f")},
	}
	if a.may(model.RoleAdmin) {
		out = append(out, copied{label: "its config", fetch: func() (string, error) { return configToCopy(a.lab, name) }})
	}
	return out
}

func (s *home) copies(a *app) []copied {
	name, _ := s.list.key()
	if len(s.list.picked()) > 0 {
		return namesToCopy(&s.list)
	}
	return hypervisorCopies(a, name)
}

func (s *hypervisor) copies(a *app) []copied {
	if s.section == 0 {
		if vm := s.vms.chosen(a); vm != nil {
			return append(hypervisorCopies(a, s.name), vmCopies(a, vm)...)
		}
	}
	return hypervisorCopies(a, s.name)
}

func (s *machines) copies(a *app) []copied {
	name, _ := s.list.key()
	if len(s.list.picked()) > 0 {
		return namesToCopy(&s.list)
	}
	return hypervisorCopies(a, name)
}

// copies offers what a hypervisor's own screen does.
func (s *hypervisorText) copies(a *app) []copied { return hypervisorCopies(a, s.of.name) }

func (s *runScreen) copies(a *app) []copied { return runCopies(a, s.id) }

func (s *runs) copies(a *app) []copied {
	if r := s.chosen(a); r != nil {
		return runCopies(a, r.ID)
	}
	return nil
}

func runCopies(a *app, run uint64) []copied {
	id := strconv.FormatUint(run, 10)
	return []copied{
		{label: "the command to save the log", text: a.command("logs", id) + " > run-" + id + ".log"},
		{label: "the log", fetch: func() (string, error) { return wholeLog(a.lab, run) }},
	}
}

// configToCopy is the Terraform of a hypervisor, with its seeds, as text.
func configToCopy(lab Lab, name string) (string, error) {
	config, err := lab.Config(name)
	if err != nil {
		return "", err
	}
	lines, _, err := coloured(config)
	return textOf(lines), err
}

// wholeLog reads the log of a run.
func wholeLog(lab Lab, run uint64) (string, error) {
	var b strings.Builder
	for after := uint64(0); ; {
		recs, err := lab.Log(run, after, logPage)
		if err != nil {
			return "", err
		}
		for _, r := range recs {
			after = r.Seq
			if r.Message != "" {
				b.WriteString(clean(r.Message) + "\n")
			}
		}
		if len(recs) < logPage {
			return b.String(), nil
		}
	}
}
