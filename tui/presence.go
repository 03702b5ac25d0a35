package tui

import (
	"context"
	"slices"

	"homelab/model"
)

// editing says that a form is open, and has it told when it is closed.
func (f *form) editing(a *app) {
	if f.ref.Name == "" {
		return
	}
	done := a.lab.Editing(f.ref)
	stop := context.AfterFunc(a.ctx, done)
	f.release = func() {
		if stop() {
			done()
		}
	}
	f.others = a.lab.Editors(f.ref)
}

// look finds out who else edits the same thing.
func (f *form) look(a *app) {
	if f.ref.Name != "" {
		f.others = a.lab.Editors(f.ref)
	}
}

// othersLines say who else edits the same thing now.
func (f *form) othersLines(w int) []line {
	if len(f.others) == 0 {
		return nil
	}
	names := slices.Clone(f.others)
	var out []line
	for _, l := range wrapped(inkWarn, signWarn+" "+sentence(names)+plural(len(names), " is", " are")+" editing it too", w-1, 2) {
		out = append(out, append(line{{" ", inkText}}, l...))
	}
	return out
}

// roomOn says how much of a hypervisor's memory is not given to VMs, and how
// much a pool has free, where that is known.
func roomOn(a *app, f *form) func(key, option string) string {
	return func(key, option string) string {
		switch key {
		case "hypervisor":
			r, ok := a.cache.hypervisor(option)
			if !ok || r.st.Facts.MemoryMiB == 0 {
				return ""
			}
			free := r.st.Facts.MemoryMiB - r.given
			if free < 0 {
				return mebibytes(-free) + " more given than it has"
			}
			return mebibytes(free) + " free"
		case "memory_mib":
			return tight(a, f, option)
		case "pool", "extra_pool":
			hv := f.field("hypervisor")
			if hv == nil {
				return ""
			}
			if r, ok := a.cache.hypervisor(hv.value()); ok && r.st.Load != nil {
				i := slices.IndexFunc(r.st.Load.Pools, func(p model.PoolLoad) bool { return p.Name == option })
				if i >= 0 {
					return mebibytes(r.st.Load.Pools[i].AvailableMiB) + " free"
				}
			}
		}
		return ""
	}
}

// tight warns of more memory than the chosen hypervisor has.
func tight(a *app, f *form, typed string) string {
	hv := f.field("hypervisor")
	if hv == nil {
		return ""
	}
	r, ok := a.cache.hypervisor(hv.value())
	if !ok {
		return ""
	}
	mib, err := model.ParseMiB(typed)
	if has := r.st.Facts.MemoryMiB; err == nil && has > 0 && mib > has {
		return signWarn + " " + r.Name + " has " + mebibytes(has)
	}
	return ""
}

// onlyEditors tells whether nothing has changed but who edits what.
func onlyEditors(dirty map[model.Ref]struct{}) bool {
	for ref := range dirty {
		if ref.Kind != model.KindEditing {
			return false
		}
	}
	return len(dirty) > 0
}
