package model

import (
	"fmt"
	"slices"
	"strings"
)

const noteKept = "on the disks that were kept"

// String says what happens to the VM in one sentence, such as "web is
// restarted (memory); its disks stay". It does not name the hypervisor.
func (i Impact) String() string { return i.sentence(i.verb(), i.lost()) }

// Would is String for what is only proposed, such as "web would be removed and
// lose its root disk".
func (i Impact) Would() string {
	if i.moves() {
		return i.VM + " would " + strings.NewReplacer("moves to ", "move to ", "goes back to ", "go back to ", ", and stays", ", and stay").Replace(i.Note)
	}
	verb := i.verb()
	if rest, ok := strings.CutPrefix(verb, "is "); ok {
		verb = "would be " + rest
	} else if rest, ok := strings.CutPrefix(verb, "leaves "); ok {
		verb = "would leave " + rest
	}
	lost := "lose its " + enumerate(i.DisksLost, 4) + " disk"
	if len(i.DisksLost) > 1 {
		lost += "s"
	}
	return i.sentence(verb, lost)
}

func (i Impact) sentence(verb, lost string) string {
	if i.moves() {
		return i.VM + " " + i.Note
	}
	text := i.VM + " " + verb
	if why := i.why(); len(why) > 0 {
		text += " (" + enumerate(why, 4) + ")"
	}
	switch {
	case len(i.DisksLost) > 0:
		text += " and " + lost
	case i.Action == ActionRestart || i.Action == ActionRemove:
		text += "; its disks stay"
	}
	if i.Note == "" {
		return text
	}
	if i.Action == ActionCreate {
		return text + " " + i.Note
	}
	return text + "; " + i.Note
}

// moves tells whether a guest that is off is moved, which is all that happens.
func (i Impact) moves() bool {
	return i.Action == ActionChange && len(i.DisksLost) == 0 && slices.Equal(i.Fields, []string{"hypervisor"})
}

// why are the words of the fields that make it so, where the verb does not say
// that already.
func (i Impact) why() []string {
	var words []string
	for _, f := range i.Fields {
		if i.Action != ActionCreate && f != "hypervisor" && (f != "running" || i.Action != ActionStart && i.Action != ActionStop) {
			words = append(words, FieldWord(f))
		}
	}
	return words
}

// FieldWord is how people call a field, by its name in JSON: without its unit,
// which is said with its value.
func FieldWord(name string) string {
	switch name {
	case "ssh_keys":
		return "SSH keys"
	case "user_ca":
		return "user CA"
	case "price_kwh":
		return "price of a kWh"
	}
	for _, unit := range []string{"_mib", "_gib", "_seconds"} {
		name = strings.TrimSuffix(name, unit)
	}
	return strings.ReplaceAll(name, "_", " ")
}

// verb is what happens, for a VM named before it.
func (i Impact) verb() string {
	switch i.Action {
	case ActionCreate:
		return "is created"
	case ActionChange:
		return "is changed in place"
	case ActionStart:
		return "is started"
	case ActionStop:
		return "is shut down"
	case ActionRestart:
		if !i.Running {
			return "is defined anew"
		}
		return "is restarted"
	case ActionRecreate:
		return "is recreated"
	case ActionRemove:
		return "is taken off its hypervisor"
	case ActionDestroy:
		if slices.Contains(i.Fields, "hypervisor") {
			return "leaves this hypervisor"
		}
		return "is removed"
	}
	return "is " + string(i.Action)
}

func (i Impact) lost() string {
	if len(i.DisksLost) == 1 {
		return "its " + i.DisksLost[0] + " disk is lost"
	}
	return "its " + enumerate(i.DisksLost, 4) + " disks are lost"
}

// lateNote says which of the changed fields reach a guest that stays only
// when it is rebuilt: cloud-init reads its seed once, and disks keep the base
// that they were made with.
func lateNote(i Impact) string {
	late, boot := i.late()
	for n, f := range late {
		late[n] = FieldWord(f)
	}
	var notes []string
	for _, l := range []struct {
		fields []string
		when   string
	}{{late, "when it is rebuilt"}, {boot, "when it is stopped and started"}} {
		switch len(l.fields) {
		case 0:
		case 1:
			notes = append(notes, l.fields[0]+" reaches the guest "+l.when)
		default:
			notes = append(notes, enumerate(l.fields, 4)+" reach the guest "+l.when)
		}
	}
	return strings.Join(notes, "; ")
}

// late are the changed fields that reach a guest that stays only when it is
// rebuilt, and those that do at its next cold boot: what cloud-init does once,
// and what it does at each boot with the seed that the domain was started with.
func (i Impact) late() (rebuild, boot []string) {
	for _, f := range i.Fields {
		switch f {
		case "memory_mib", "cpus", "nics", "network", "accel", "running", "extra_pool", "extra_disk_gib", "disk_gib":
		case "hosts":
			if i.Action == ActionChange || i.Action == ActionStop {
				boot = append(boot, f)
			}
		default:
			rebuild = append(rebuild, f)
		}
	}
	return rebuild, boot
}

// AwaitsRebuild tells whether the guest goes on without something that changed
// until it is rebuilt.
func (i Impact) AwaitsRebuild() bool {
	switch i.Action {
	case ActionChange, ActionRestart, ActionStart, ActionStop:
		rebuild, _ := i.late()
		return len(rebuild) > 0
	}
	return false
}

// growNote says when a guest sees that disks have grown: cloud-init makes the
// partition and the file system of the root disk as large at each boot.
func growNote(disks []string, domain bool) string {
	if len(disks) == 0 {
		return ""
	}
	text := "its " + enumerate(disks, 2) + " disk grows in place"
	if len(disks) > 1 {
		text = "its " + enumerate(disks, 2) + " disks grow in place"
	}
	switch {
	case !domain:
		return text
	case disks[0] == DiskExtra:
		return text + ", and the guest makes use of that itself"
	}
	return text + ", and the root file system at the guest's next boot"
}

// join joins what is not empty.
func join(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
}

// Confirmation is how sure a person must be of a change.
type Confirmation int

// Degrees of confirmation.
const (
	ConfirmNone Confirmation = iota // nothing that runs is interrupted, nothing is lost
	ConfirmYes                      // a guest that is on is interrupted
	ConfirmName                     // a disk is lost: the VM's name is typed
)

// Damage is what impacts interrupt and lose.
type Damage struct {
	Interrupted []Impact // guests that are on and are stopped, restarted or removed
	Lost        []Impact // VMs that lose a disk
}

// DamageOf finds what hurts among impacts.
func DamageOf(impacts []Impact) Damage {
	var d Damage
	for _, i := range impacts {
		if len(i.DisksLost) > 0 {
			d.Lost = append(d.Lost, i)
		} else if i.Running {
			d.Interrupted = append(d.Interrupted, i)
		}
	}
	return d
}

// Confirm is the confirmation that a change with this damage needs.
func (d Damage) Confirm() Confirmation {
	switch {
	case len(d.Lost) > 0:
		return ConfirmName
	case len(d.Interrupted) > 0:
		return ConfirmYes
	}
	return ConfirmNone
}

// String spells out what the damage would be, a line for each VM, those that
// lose disks first: "thinkpad: db would be recreated (rebuild) and lose its
// root disk".
func (d Damage) String() string {
	lines := make([]string, 0, len(d.Lost)+len(d.Interrupted))
	for _, i := range slices.Concat(d.Lost, d.Interrupted) {
		lines = append(lines, fmt.Sprintf("%s: %s", i.Hypervisor, i.Would()))
	}
	return strings.Join(lines, "\n")
}
