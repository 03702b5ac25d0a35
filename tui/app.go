package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"homelab/model"
	"homelab/tui/display"
)

// Options are what a session says of its terminal. The zero value will do.
type Options struct {
	// Context ends the dashboard's background work and its watch of the lab
	// when the session ends in another way than by quitting.
	Context context.Context
	// Width and Height are the terminal's until it says otherwise.
	Width, Height int
	// NoColor draws without colours, whatever the terminal can do.
	NoColor bool
	// FewColors tells of a terminal that is known to have 16 colours at most.
	FewColors bool
	// Open is the screen to begin with: one of [Screens], or one of [Things] and
	// the name or number of one.
	Open []string
	// Notice is something that is good to know all the time, such as how to
	// connect once more: said quietly on the first screen and in the help.
	Notice string
	// Address is the HOST:PORT that the person connected to, for commands to copy.
	Address string
	// Client is how ssh is called where that address is not enough, such as
	// `ssh -F FILE demo`.
	Client string
	// Prefer are words about the terminal: "ascii" for signs that every font
	// has, "tell" for the bell and the title to tell of failures, "nomouse".
	Prefer string
	// Terminal is what a guest's console is shown on; nil is that it cannot be.
	Terminal Terminal
	// Now is the clock; its location is the one that times are shown in.
	Now func() time.Time
}

// app is the root model.
type app struct {
	lab     Lab
	opts    Options
	ctx     context.Context
	cancel  context.CancelFunc
	watcher *model.Watcher

	w, h    int
	theme   *theme
	ground  ground
	profile colorprofile.Profile

	cache  *cache
	now    time.Time
	tickID int
	pulse  time.Duration // between ticks

	tab     int
	roots   []screen // by tab; nil until it is gone to
	stack   []screen
	past    []place // where one was before, for going back
	ahead   []place // where one came back from
	overlay overlay
	busy    int    // commands that have not answered yet
	filter  *input // the filter is being typed

	begins  tea.Cmd // opens what was asked for
	prefs   prefs
	alarmed string // the last failure, until a key is pressed
	clicked lastClick
	bodyAt  int // the first line of the screen proper, as last drawn
	box     box // where the overlay was drawn last

	toast   line
	toastID int
	last    model.Revision // this session's last change, which u undoes
	recent  recentRuns
}

// New returns the dashboard for one session. It watches the lab until it quits
// or opts.Context ends.
func New(lab Lab, opts Options) tea.Model {
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	a := &app{lab: lab, opts: opts, w: opts.Width, h: opts.Height, profile: colorprofile.TrueColor, now: opts.Now(), prefs: parsePrefs(opts.Prefer)}
	a.ctx, a.cancel = context.WithCancel(opts.Context)
	a.paint()
	a.watcher = lab.Watch()
	context.AfterFunc(a.ctx, a.watcher.Close)
	a.cache = look(lab, nil) // cheap, and the first frame is whole
	a.roots = make([]screen, len(tabs))
	a.roots[0] = tabs[0].make()
	a.stack = []screen{a.roots[0]}
	a.begins = a.begin(opts.Open)
	return a
}

func (a *app) paint() {
	profile := a.profile
	if a.opts.NoColor {
		profile = colorprofile.ASCII
	}
	a.theme = newTheme(a.ground, profile)
	a.theme.ascii = a.prefs.ascii
}

// begin puts the screen in front that was asked for.
func (a *app) begin(at []string) tea.Cmd {
	if len(at) == 0 {
		return nil
	}
	what, name := strings.ToLower(at[0]), strings.Join(at[1:], " ")
	if cmd, ok := a.openThing(what, name); ok {
		return cmd
	}
	for _, n := range []string{what, what + "s"} {
		if i, ok := tabNamed(n); ok && name == "" {
			return a.show(i)
		}
	}
	a.toast = text(inkBad, signFailed+" there is no "+strings.Join(at, " "))
	return nil
}

// notice is what the status line says where nothing else is to be said.
func (a *app) notice() line {
	u, words := a.lab.User(), a.opts.Notice
	switch {
	case u.Role == model.RoleViewer:
		words = u.Name + " is a viewer: looks at everything, changes nothing"
	case u.Role == model.RoleOperator:
		words = u.Name + " is an operator: switches machines and guests, edits nothing"
	case width(clean(words)) > a.w-1: // to be typed, so half of it is of no use
		words, _, _ = strings.Cut(words, ": ")
		words += ": ? says how"
	}
	return text(inkDim, " "+brief(words, a.w-1))
}

// Init starts watching.
func (a *app) Init() tea.Cmd {
	return tea.Batch(
		a.begins,
		a.top().refresh(a, nil),
		watch(a.ctx, a.lab, a.watcher, a.cache, time.Time{}),
		a.tick(),
		display.Write(ansi.RequestBackgroundColor),
		a.askColours(),
	)
}

// askColours asks a terminal of 256 colours whether it has all of them: its
// client seldom says.
func (a *app) askColours() tea.Cmd {
	if a.opts.NoColor || a.opts.FewColors {
		return nil
	}
	return display.Write(ansi.RequestTermcap("RGB"))
}

// Update routes a message.
func (a *app) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		a.w, a.h = msg.Width, msg.Height
		return a, a.top().refresh(a, nil)
	case tea.BackgroundColorMsg:
		if a.ground = groundLight; msg.IsDark() {
			a.ground = groundDark
		}
		a.paint()
	case tea.ColorProfileMsg:
		a.profile = msg.Profile
		a.paint()
	case changedMsg:
		return a, a.changed(msg)
	case tickMsg:
		if msg.id == a.tickID {
			a.now = msg.at
			return a, a.tick()
		}
	case done:
		return a, msg(a)
	case answer:
		a.busy--
		return a, msg.do(a)
	case tea.PasteMsg:
		return a, a.paste(msg.Content)
	case tea.MouseWheelMsg:
		return a, a.wheel(msg)
	case tea.MouseClickMsg:
		return a, a.click(msg)
	case tea.KeyPressMsg:
		return a, a.key(msg)
	}
	return a, nil
}

// beat is how long the time that is shown may stand still: a second while a
// run does something or a guest's time is counted down, else ages are coarse.
func (a *app) beat() time.Duration {
	if a.cache.going {
		return time.Second
	}
	for _, r := range a.cache.status.Runs {
		if r.State != model.RunWaiting && !r.State.Ended() {
			return time.Second
		}
	}
	return 10 * time.Second
}

func (a *app) changed(msg changedMsg) tea.Cmd {
	before := a.cache
	a.cache, a.now = msg.cache, a.opts.Now()
	cmds := []tea.Cmd{watch(a.ctx, a.lab, a.watcher, a.cache, msg.at), a.news(before)}
	if a.beat() < a.pulse {
		a.tickID++ // what the slow chain brings is not heard any more
		cmds = append(cmds, a.tick())
	}
	for _, s := range a.stack {
		cmds = append(cmds, s.refresh(a, msg.dirty))
	}
	return tea.Batch(cmds...)
}

// quit ends the session, after a question where something typed would be lost.
func (a *app) quit() tea.Cmd {
	if t, ok := a.top().(typist); ok && t.unsaved() {
		a.overlay = &confirm{
			quits: true, title: "Quit?", level: stops, verb: "quit and lose it", no: "stay",
			lines: []line{text(inkText, "What you typed has not been saved.")},
			do:    func(a *app) tea.Cmd { return a.end() },
		}
		return nil
	}
	return a.end()
}

func (a *app) end() tea.Cmd {
	a.cancel()
	return tea.Quit
}
