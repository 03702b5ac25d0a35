package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// needed is which role each key of the dashboard needs, by what the help says
// of it; the empty one is everybody's. A new key that is not here fails the
// test: say whether it only looks.
var needed = map[string]model.Role{
	"all that is known of it":                                                       "",
	"back to where you were, as in a browser; alt+← too":                            "",
	"back; clears marks and a filter first":                                         "",
	"compare it with another profile: what a switch makes appear and go":            "",
	"copy a name, a command or what is shown to your clipboard (OSC 52)":            "",
	"every screen by a letter; gg to the top":                                       "",
	"filter: words, !word for without, key:value such as role:web or state:stopped": "",
	"find in the log; n and N for the next and the one before":                      "",
	"follow the log's end again; end and G too":                                     "",
	"forward again; alt+→ too":                                                      "",
	"go to a screen or a thing by name, or do what a key does":                      "",
	"go to a screen; tab and shift+tab for the next and the one before":             "",
	"go to the newest run of this machine":                                          "",
	"mark all that are shown, or none":                                              "",
	"mark from the row that was marked last to this one":                            "",
	"mark; what is done next is done to all that are marked":                        "",
	"mouse off, so that text can be selected, or on":                                "",
	"move; also j k, pgup pgdown, ctrl+u ctrl+d, home end, gg G":                    "",
	"open what is chosen":                                                           "",
	"plain ASCII signs, for fonts that lack the others, or back":                    "",
	"plots of the whole lab: watts, CPU and memory":                                 "",
	"quit; ctrl+c too": "",
	"scroll the log; also j k, pgup pgdown, ctrl+u ctrl+d, gg G":    "",
	"scroll; also j k, pgup pgdown, ctrl+u ctrl+d, gg G":            "",
	"show or hide the steps":                                        "",
	"sort by a column; once more for the next":                      "",
	"sort the other way round":                                      "",
	"tell of failures by the bell and the terminal's title, or not": "",
	"the command that saves the log, copied to your clipboard":      "",
	"the curve before":                                              "",
	"the file before":                                               "",
	"the last day, a point a minute":                                "",
	"the last hour, a point a minute":                               "",
	"the last year, a point an hour":                                "",
	"the line that was found before":                                "",
	"the log alone, or with the rest":                               "",
	"the log of the run under way, or of the last one":              "",
	"the next curve":                                                "",
	"the next file":                                                 "",
	"the next line that was found":                                  "",
	"the next section; ← for the one before":                        "",
	"the next span of time":                                         "",
	"the plan as a diff: what each step changes, before and after":  "",
	"the section before":                                            "",
	"the span before":                                               "",
	"this help":                                                     "",
	"times before the lines, or none":                               "",
	"watts, CPU and memory over the last hour, day or year":         "",
	"what Salt says: the last state.apply, state by state":          "",
	"what it draws: the last hour, day or year (also w)":            "",
	"wrap long lines, or cut them":                                  "",
	"draw the screen anew, if something else wrote on it":           "",

	"apply now, without waiting for the next try":                                      model.RoleOperator,
	"apply the Salt state again":                                                       model.RoleOperator,
	"approve the plan that waits":                                                      model.RoleOperator,
	"cancel the run; again to kill it":                                                 model.RoleOperator,
	"enable or disable: with or without a guest; disks are kept":                       model.RoleOperator,
	"everything off but what is essential; says all that goes, and asks for the words": model.RoleOperator,
	"hold all changes, or release":                                                     model.RoleOperator,
	"plan: see what would change, change nothing":                                      model.RoleOperator,
	"power on or off; off is asked about and lists the guests":                         model.RoleOperator,
	"power-cycle a machine that is stuck; asks for its name":                           model.RoleOperator,
	"restart the guest; asks":                                                          model.RoleOperator,
	"start or stop the guest; one that shuts down already: switch it off now":          model.RoleOperator,
	"switch it off; asks, and says what loses power":                                   model.RoleOperator,
	"switch it on, after what it requires":                                             model.RoleOperator,
	"take the power away for a moment and give it back; asks":                          model.RoleOperator,
	"type at the guest's serial console; Ctrl-] then q comes back":                     model.RoleOperator,
	"undo this revision":                                                               model.RoleOperator,
	"undo your last change":                                                            model.RoleOperator,

	"adopt the guest or the disk that is not ours and in the way of this VM; says what that takes, and asks": model.RoleAdmin,

	"add one": model.RoleAdmin,
	"add one of what is chosen: a user, a key of the user, or an agent by an invite": model.RoleAdmin,
	"edit (also e)": model.RoleAdmin,
	"edit it":       model.RoleAdmin,
	"edit the hypervisor; e too where no VM is chosen":                                                  model.RoleAdmin,
	"edit the user: name and role":                                                                      model.RoleAdmin,
	"give the user one more key":                                                                        model.RoleAdmin,
	"invite the agent of a hypervisor: shows the line to type there":                                    model.RoleAdmin,
	"invite its agent: shows the line to type there":                                                    model.RoleAdmin,
	"make it the active profile; shows what appears and goes":                                           model.RoleAdmin,
	"move to another hypervisor, or give a move up; what that does is asked about first":                model.RoleAdmin,
	"rebuild: a new root disk from the image; asks for the name, as all that is on the old one is lost": model.RoleAdmin,
	"protect, or lift the protection: nothing may remove a protected VM's disks":                        model.RoleAdmin,
	"remove images and files of images that nothing uses; lists them and asks":                          model.RoleAdmin,
	"remove the hypervisor from the lab; it must carry no VM":                                           model.RoleAdmin,
	"remove; asks, and wants the name typed where disks are lost":                                       model.RoleAdmin,
	"take away what its guests have; VMs keep the label; asks":                                          model.RoleAdmin,
	"take this away: the user, the key, the agent's binding or the invite; asks":                        model.RoleAdmin,
}

// watchedLab is a lab as a user of some role sees it, which tells what it was
// asked to change.
type watchedLab struct {
	seenAs
	asked []string
}

func (l *watchedLab) ask(what string) { l.asked = append(l.asked, what) }

func (l *watchedLab) Commit(ctx context.Context, via string, edit model.Edit) (model.Revision, error) {
	l.ask("commit by " + via)
	return l.seenAs.Commit(ctx, via, edit)
}

func (l *watchedLab) Undo(ctx context.Context, via string, n uint64) (model.Revision, error) {
	l.ask("undo")
	return l.seenAs.Undo(ctx, via, n)
}

func (l *watchedLab) Invite(ctx context.Context, via, hypervisor, address string) (string, time.Time, error) {
	l.ask("invite")
	return l.seenAs.Invite(ctx, via, hypervisor, address)
}

func (l *watchedLab) Revoke(ctx context.Context, via, hypervisor string) error {
	l.ask("revoke")
	return l.seenAs.Revoke(ctx, via, hypervisor)
}

// everyScreen is the title of each and the keys that lead to it.
func everyScreen() map[string]string {
	all := map[string]string{}
	for _, s := range tabs {
		all[s.name] = "g " + s.letter
	}
	for _, s := range deeper {
		all[s.title] = s.keys
	}
	return all
}

// TestEveryKeyAndRole presses every key of every screen as every role. What a
// role may not do is neither offered nor done, and a key without a role changes
// nothing.
func TestEveryKeyAndRole(t *testing.T) {
	seen := map[string]bool{}
	for title, keys := range everyScreen() {
		w := walk{t, title, strings.Fields(keys)}
		for _, b := range w.bindings() {
			need, ok := needed[b.long]
			if !ok {
				t.Errorf("say in this test which role %q needs, %q on %s: %q", b.show, b.long, title, b.need)
			} else if need != b.need {
				t.Errorf("%q, %s on %s, needs %q, and this test says %q", b.show, b.long, title, b.need, need)
			}
			seen[b.long] = true
			for _, role := range ranks {
				for _, k := range b.keys {
					if _, named := codes[k]; named || len([]rune(k)) == 1 {
						w.press(role, b, k)
					}
				}
			}
		}
	}
	for long := range needed {
		if !seen[long] {
			t.Errorf("there is no key any more for %q", long)
		}
	}
}

var ranks = []model.Role{model.RoleViewer, model.RoleOperator, model.RoleAdmin}

// walk tries the keys of one screen.
type walk struct {
	t     *testing.T
	title string
	keys  []string // that lead to it
}

func (w walk) open(role model.Role) (*driver, *watchedLab) {
	lab := &watchedLab{seenAs: seenAs{newLab(), role}}
	d := drive(w.t, lab, 120, 40)
	for _, k := range w.keys {
		d.press(k)
		d.settle()
	}
	return d, lab
}

// bindings are all of the screen, whoever may use them.
func (w walk) bindings() []binding {
	admin, _ := w.open(model.RoleAdmin)
	var all []binding
	for _, act := range admin.a.top().actions(admin.a) {
		all = append(all, act.binding)
	}
	_, list := admin.a.top().(listed)
	return append(all, globals(list, true)...)
}

// press presses a key of a binding on the screen, anew, as a role.
func (w walk) press(role model.Role, b binding, k string) {
	d, lab := w.open(role)
	rank := slices.Index(ranks, role)
	offered := slices.ContainsFunc(d.a.bindings(), func(o binding) bool { return o.long == b.long })
	if offered && slices.Index(ranks, b.need) > rank {
		w.t.Errorf("%s is offered %q on %s", role, b.long, w.title)
	}
	need, found := neededBy(d.a, k)
	refused := found && slices.Index(ranks, need) > rank
	if !refused && role != model.RoleViewer || b.show == keyQuit.show {
		return // what comes of it is for other tests, and for the server's
	}
	before := fmt.Sprint(len(d.a.stack), d.a.overlay)
	d.press(k)
	if refused && (!strings.Contains(d.screen(), "this needs ") || fmt.Sprint(len(d.a.stack), d.a.overlay) != before) {
		w.t.Errorf("%s presses %s on %s and sees\n%s", role, k, w.title, d.screen())
	}
	d.press("y", "enter", "ctrl+s")
	d.settle()
	if asked := append(lab.asked, lab.ordered()...); len(asked) > 0 {
		w.t.Errorf("%s presses %s on %s, which does %q", role, k, w.title, asked)
	}
}

// neededBy is which role the key needs that k reaches on the screen, if it
// reaches one of the screen's own or that which undoes.
func neededBy(a *app, k string) (need model.Role, found bool) {
	for _, act := range a.top().actions(a) {
		if act.do != nil && slices.Contains(act.keys, k) {
			return act.need, true
		}
	}
	return keyUndoLast.need, slices.Contains(keyUndoLast.keys, k)
}
