package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// debounce is how long the preview waits for more typing.
const debounce = 120 * time.Millisecond

// values are what the fields of a form hold, by key.
type values map[string]string

// form adds or edits one object. While it is filled in it shows what saving
// would do; saving checks that nobody has changed the object since.
type form struct {
	ref  model.Ref // of what is edited; its name is empty when adding
	verb string    // what is done, for the title and the history
	base uint64    // the version that the fields were read from

	fields []*field
	start  values // as read, to tell what was typed
	at     int
	top    int
	w      int // of the fields, as last drawn

	// load makes the fields from the state; false: the object is gone.
	load func(s *model.State) (fields []*field, version uint64, ok bool)
	// edit is the change that the fields make.
	edit func(v values, base uint64) model.Edit
	// also is what is to be done beside the change, once that is done.
	// kept tells whether there was something.
	also func(ctx context.Context, lab Lab, via string, v values) (kept bool, err error)
	// depend adjusts fields to others, such as pools to the hypervisor.
	depend func(f *form, s *model.State)

	others  []string // who else edits it now
	release func()   // says that it is closed
	// note is what is to be known of an option, such as what is free there.
	note func(key, option string) string

	rival  uint64 // the version by which somebody else has changed it since
	editor string // who did that

	serial  int // counts changes of the fields
	tried   bool
	saving  bool
	known   int // serial that the preview below belongs to
	impacts []model.Impact
	trouble string // an error that belongs to no field
}

// newForm reads the fields; ref's name is empty when adding. It has none if there
// is no such object, and cannot be opened then.
func newForm(a *app, f *form) *form {
	f.known = -1
	if !f.reload(a.cache.state) {
		return f
	}
	f.goTo(0)
	f.editing(a)
	return f
}

func (f *form) reload(s *model.State) bool {
	fields, version, ok := f.load(s)
	if !ok {
		return false
	}
	f.fields, f.base, f.impacts, f.trouble, f.tried = fields, version, nil, "", false
	if f.depend != nil {
		f.depend(f, s)
	}
	f.start = f.values()
	f.at = min(f.at, len(f.fields)-1)
	return true
}

func (f *form) title() string { return f.verb }

func (f *form) values() values {
	v := values{}
	for _, fl := range f.fields {
		v[fl.key] = fl.value()
	}
	return v
}

func (f *form) field(key string) *field {
	for _, fl := range f.fields {
		if fl.key == key {
			return fl
		}
	}
	return nil
}

// unsaved tells whether something was typed that has not been saved.
func (f *form) unsaved() bool {
	for k, v := range f.values() {
		if f.start[k] != v {
			return true
		}
	}
	return false
}

// stale tells whether somebody has changed the object since it was read.
func (f *form) stale(s *model.State) (version uint64, stale bool) {
	if f.ref.Name == "" {
		return 0, false
	}
	_, version, ok := f.load(s)
	return version, !ok || version != f.base
}

func (f *form) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	f.look(a)
	if dirty == nil && f.known == f.serial || onlyEditors(dirty) {
		return nil
	}
	return f.preview(a)
}

func (f *form) actions(*app) []action {
	var out []action
	for _, b := range []binding{keySave, keyLeave, keyNext, keyPrev, keyChoose, keyFormHelp, keyFormQuit} {
		out = append(out, action{binding: b})
	}
	return out
}

func (f *form) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch s := k.String(); s {
	case "esc":
		return f.quit(a)
	case "f1":
		a.overlay = &help{}
		return nil
	case "ctrl+s":
		return f.save(a)
	case "enter":
		if f.at == len(f.fields)-1 {
			return f.save(a)
		}
		f.goTo(f.at + 1)
		return nil
	case "tab", "down":
		f.goTo((f.at + 1) % len(f.fields))
		return nil
	case "shift+tab", "up":
		f.goTo((f.at + len(f.fields) - 1) % len(f.fields))
		return nil
	}
	if f.fields[f.at].press(k) {
		return f.changed(a)
	}
	return nil
}

// goTo goes to a field. What is typed there first takes the place of what it
// holds; an arrow before that edits it.
func (f *form) goTo(at int) {
	if at != f.at {
		f.fields[f.at].touched = true
	}
	f.at = at
	in := &f.fields[at].in
	in.pos, in.all = len(in.runes), len(in.runes) > 0
}

func (f *form) paste(a *app, s string) tea.Cmd {
	if f.fields[f.at].paste(s) {
		return f.changed(a)
	}
	return nil
}

// changed finds out, a little later, what saving would do now.
func (f *form) changed(a *app) tea.Cmd {
	fl := f.fields[f.at]
	fl.touched, fl.err = true, ""
	if f.depend != nil {
		f.depend(f, a.cache.state)
	}
	f.serial++
	serial := f.serial
	return a.after(debounce, func(a *app) tea.Cmd {
		if f.serial != serial {
			return nil
		}
		return f.preview(a)
	})
}

func (f *form) preview(a *app) tea.Cmd {
	serial, edit := f.serial, f.edit(f.values(), 0)
	now := a.cache.state
	rival, stale := f.stale(now)
	return a.async(func(context.Context) done {
		impacts, err := a.lab.Preview(edit)
		editor := ""
		if stale {
			editor = whoMade(a.lab, rival)
		}
		return func(a *app) tea.Cmd {
			f.rival, f.editor = rival, editor
			if c, asked := a.overlay.(*conflictBox); asked && c.f == f && stale && now.Revision > c.now.Revision {
				a.overlay = c.again(rival, editor, now)
			}
			if serial == f.serial {
				f.known, f.impacts = serial, impacts
				f.blame(err)
			}
			return nil
		}
	})
}

// blame puts errors beside the fields that they are about.
func (f *form) blame(err error) {
	for _, fl := range f.fields {
		fl.err = ""
	}
	f.trouble = ""
	if err == nil {
		return
	}
	placed := false
	for _, fe := range model.FieldErrors(err) {
		if fl := f.field(fe.Field); fl != nil && fe.Ref.Kind == f.ref.Kind {
			if fl.err == "" { // what cannot be read comes first
				fl.err = fe.Rule
			}
			placed = true
		}
	}
	var exists *model.ExistsError
	if errors.As(err, &exists) && f.field("name") != nil {
		f.field("name").err = "is taken"
		placed = true
	}
	if !placed {
		f.trouble = err.Error()
	}
}
