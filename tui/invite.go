package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// inviteAgent asks for which hypervisor a token is to be made.
func inviteAgent(a *app) tea.Cmd {
	var options []option
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		words, colour := agentWords(r.st.Agent)
		options = append(options, option{label: r.Name, note: text(colour, "agent "+words), do: func(a *app) tea.Cmd { return invite(a, r.Name) }})
	}
	if len(options) == 0 {
		return a.say(inkDim, signNone, "no hypervisor is defined yet: n on the home screen adds one")
	}
	return a.ask("Invite the agent of", options...)
}

func invite(a *app, name string) tea.Cmd {
	return a.async(func(ctx context.Context) done {
		token, expires, err := a.lab.Invite(ctx, "dashboard: Invite the agent of "+name, name, "")
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			a.overlay = &invited{name: name, command: "homelab agent --join " + token, expires: expires}
			return nil
		}
	})
}

// invited shows the line to type on the machine that is to join. It is shown
// once: only half of the key is kept.
type invited struct {
	reel
	name, command string
	expires       time.Time
}

func (m *invited) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch s := k.String(); {
	case m.arrows(k):
	case s == "y" || s == "c":
		a.overlay = nil
		return a.copy(copied{label: "the command", text: m.command})
	case s == "esc" || s == "enter" || s == "q":
		a.overlay = nil
	}
	return nil
}

func (m *invited) paste(*app, string) {}

func (m *invited) draw(a *app, w, h int) (string, []line, ink) {
	body := append(wrapped(inkText, "On "+m.name+", once, until "+moment(a.now, m.expires)+"; it is not shown again:", w, 0), nil)
	body = append(body, wrapped(inkName, m.command, w, 0)...)
	return "Invited", append(m.window(body, h-2), nil, line{{"y", inkKey}, {" copy it   ", inkText}, {"esc", inkKey}, {" close", inkDim}}), inkRule
}
