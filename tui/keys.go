package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// binding is a key (with its synonyms) and what it is for.
type binding struct {
	keys  []string // as bubbletea names them
	show  string   // as people read it
	short string   // beside the key in the bottom line; empty is not shown there
	long  string   // in the help
	need  model.Role
}

func (b binding) is(k tea.KeyPressMsg) bool { return slices.Contains(b.keys, k.String()) }

// action is a key that works on a screen, and what it does there.
type action struct {
	binding
	do func(a *app) tea.Cmd
	// at tells whether the key is always of use (0), of use right now (1), or
	// only at other times (-1): then the help alone names it.
	at int
}

// only is an action that is of use while something holds.
func (b action) only(now bool) action {
	b.at = -1
	if now {
		b.at = 1
	}
	return b
}

func bind(show, short, long string, keys ...string) binding {
	if len(keys) == 0 {
		keys = []string{show}
	}
	return binding{keys: keys, show: show, short: short, long: long}
}

// by says which role a key needs; without it, it is everybody's.
func (b binding) by(need model.Role) binding {
	b.need = need
	return b
}

// may tells whether the user has at least a role.
func (a *app) may(need model.Role) bool {
	ranks := []model.Role{"", model.RoleViewer, model.RoleOperator, model.RoleAdmin}
	return slices.Index(ranks, a.lab.User().Role) >= slices.Index(ranks, need)
}

// mayUndo tells whether the user may undo a revision: an operator, where it
// only switched something.
func (a *app) mayUndo(rev model.Revision) bool {
	if a.may(model.RoleAdmin) {
		return true
	}
	for _, c := range rev.Changes {
		for _, d := range diff(c) {
			if d.key != "running" && d.key != "enabled" && d.key != "hold" && !strings.HasPrefix(d.key, "power_") {
				return false
			}
		}
	}
	return a.may(keyUndo.need)
}

// The key map. Screens say which of these work on them; the help and the
// bottom line are made from what they say.
var (
	keyOpen          = bind("enter", "open", "open what is chosen", "enter")
	keyEdit          = bind("e", "edit", "edit it", "e").by(model.RoleAdmin)
	keyRemoveHV      = bind("D", "", "remove the hypervisor from the lab; it must carry no VM", "D").by(model.RoleAdmin)
	keyEditHV        = bind("E", "", "edit the hypervisor; e too where no VM is chosen", "E").by(model.RoleAdmin)
	keyEditVM        = bind("enter", "edit", "edit (also e)", "enter", "e").by(model.RoleAdmin)
	keyDetails       = bind("i", "details", "all that is known of it", "i")
	keyNew           = bind("n", "new", "add one").by(model.RoleAdmin)
	keyRemove        = bind("d", "remove", "remove; asks, and wants the name typed where disks are lost", "d", "delete").by(model.RoleAdmin)
	keyPrune         = bind("P", "prune", "remove images and files of images that nothing uses; lists them and asks").by(model.RoleAdmin)
	keyEnable        = bind("z", "enable", "enable or disable: with or without a guest; disks are kept").by(model.RoleOperator)
	keyRunning       = bind("s", "start/stop", "start or stop the guest; one that shuts down already: switch it off now").by(model.RoleOperator)
	keyRestart       = bind("r", "", "restart the guest; asks").by(model.RoleOperator)
	keyRebuild       = bind("b", "", "rebuild: a new root disk from the image; asks for the name, as all that is on the old one is lost").by(model.RoleAdmin)
	keyProtect       = bind("x", "", "protect, or lift the protection: nothing may remove a protected VM's disks").by(model.RoleAdmin)
	keyPlan          = bind("p", "plan", "plan: see what would change, change nothing").by(model.RoleOperator)
	keyApply         = bind("a", "apply", "apply now, without waiting for the next try").by(model.RoleOperator)
	keyApprove       = bind("y", "approve", "approve the plan that waits").by(model.RoleOperator)
	keyCancel        = bind("c", "cancel", "cancel the run; again to kill it").by(model.RoleOperator)
	keyPower         = bind("o", "power", "power on or off; off is asked about and lists the guests").by(model.RoleOperator)
	keyHold          = bind("h", "hold", "hold all changes, or release").by(model.RoleOperator)
	keyRelease       = bind("h", "release", "release it: what waits is applied").by(model.RoleOperator)
	keyLog           = bind("l", "log", "the log of the run under way, or of the last one")
	keyActivate      = bind("a", "activate", "make it the active profile; shows what appears and goes", "a", "enter").by(model.RoleAdmin)
	keyOn            = bind("o", "on", "switch it on, after what it requires").by(model.RoleOperator)
	keyOff           = bind("f", "off", "switch it off; asks, and says what loses power").by(model.RoleOperator)
	keyCycle         = bind("c", "cycle", "take the power away for a moment and give it back; asks").by(model.RoleOperator)
	keyRecycle       = bind("C", "", "power-cycle a machine that is stuck; asks for its name", "C").by(model.RoleOperator)
	keyAllOff        = bind("X", "", "everything off but what is essential; says all that goes, and asks for the words", "X").by(model.RoleOperator)
	keyWatts         = bind("w", "plots", "watts, CPU and memory over the last hour, day or year")
	keyWattsRow      = bind("enter", "watts", "what it draws: the last hour, day or year (also w)", "enter", "w")
	keyWattsAll      = bind("W", "", "plots of the whole lab: watts, CPU and memory", "W")
	keySpan          = bind("→", "longer", "the next span of time", "right", "l", "]")
	keySpanBack      = bind("←", "shorter", "the span before", "left", "[")
	keySpanHour      = bind("h", "hour", "the last hour, a point a minute")
	keySpanDay       = bind("d", "day", "the last day, a point a minute")
	keySpanYear      = bind("y", "year", "the last year, a point an hour")
	keyCurve         = bind("↓", "next", "the next curve", "down", "j")
	keyCurveBack     = bind("↑", "", "the curve before", "up", "k")
	keyUndo          = bind("u", "undo", "undo this revision").by(model.RoleOperator)
	keyUndoLast      = bind("u", "", "undo your last change").by(model.RoleOperator)
	keySection       = bind("→", "section", "the next section; ← for the one before", "right", "]")
	keySectionBack   = bind("←", "", "the section before", "left", "[")
	keyScroll        = bind("↑↓", "scroll", "scroll; also j k, pgup pgdown, ctrl+u ctrl+d, gg G", "up", "down", "j", "k", "pgup", "pgdown", "home", "end", "G", "ctrl+u", "ctrl+d", "ctrl+b", "ctrl+f", "space")
	keyEditUser      = bind("e", "edit", "edit the user: name and role", "e", "enter").by(model.RoleAdmin)
	keyAddKey        = bind("K", "key", "give the user one more key", "K").by(model.RoleAdmin)
	keyInvite        = bind("J", "invite", "invite the agent of a hypervisor: shows the line to type there", "J", "i").by(model.RoleAdmin)
	keyJoin          = bind("J", "invite", "invite its agent: shows the line to type there", "J").by(model.RoleAdmin)
	keyCompare       = bind("v", "compare", "compare it with another profile: what a switch makes appear and go")
	keySwap          = bind("v", "turn round", "turn the comparison round")
	keyActivateOther = bind("a", "activate", "make the second the active profile; asks").by(model.RoleAdmin)
	keyDiff          = bind("v", "plan", "the plan as a diff: what each step changes, before and after")
	keyNextFile      = bind("}", "file", "the next file", "}")
	keyPrevFile      = bind("{", "", "the file before", "{")
	keyFollow        = bind("f", "follow", "follow the log's end again; end and G too", "f")
	keySteps         = bind("r", "steps", "show or hide the steps")

	keyMove   = bind("↑↓", "", "move; also j k, pgup pgdown, ctrl+u ctrl+d, home end, gg G", "up", "down", "j", "k", "pgup", "pgdown", "home", "end", "G", "ctrl+u", "ctrl+d", "ctrl+b", "ctrl+f")
	keyFilter = bind("/", "filter", "filter: words, !word for without, key:value such as role:web or state:stopped")
	keyBack   = bind("esc", "back", "back; clears marks and a filter first", "esc", "backspace")
	keyTabs   = bind("1–9", "", "go to a screen; tab and shift+tab for the next and the one before", "1", "2", "3", "4", "5", "6", "7", "8", "9", "tab", "shift+tab")
	keyGo     = bind("g", "go", "every screen by a letter; gg to the top", "g")
	keyHelp   = bind("?", "help", "this help", "?", "f1")
	keyQuit   = bind("q", "quit", "quit; ctrl+c too", "q", "ctrl+c")

	keyNext     = bind("tab", "next", "next field; also down and enter; typing replaces what is there, after an arrow it adds to it", "tab", "down", "enter")
	keyPrev     = bind("shift+tab", "", "field before; also up", "shift+tab", "up")
	keyChoose   = bind("←/→", "choose", "another choice; space ticks", "left", "right", "space")
	keySave     = bind("ctrl+s", "save", "save", "ctrl+s")
	keyLeave    = bind("esc", "leave", "leave; asks where something was typed", "esc")
	keyFormHelp = bind("f1", "help", "this help", "f1")
	keyFormQuit = bind("ctrl+c", "", "quit; asks where something was typed", "ctrl+c")
)
