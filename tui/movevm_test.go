package tui

import (
	"testing"

	"homelab/model"
)

// moving has a VM on its way to nuc.
func moving(l *fakeLab, vm string, st model.MoveStatus, edits ...model.Edit) {
	id := l.state.VMs[vm].ID
	if _, err := l.commit("ada", "vm move "+vm, 0, model.Edits(edits...)); err != nil {
		panic(err)
	}
	st.VM, st.From, st.To = vm, "thinkpad", "nuc"
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Moves = map[string]model.MoveStatus{id: st}
}

func TestMoveIsGivenUp(t *testing.T) {
	lab := newLab()
	moving(lab, "db", model.MoveStatus{Phase: model.MoveCopying, Disk: model.DiskRoot, Done: 1 << 30, Total: 4 << 30}, model.MoveTo("db", "nuc"))
	d := drive(t, lab, 120, 40)
	d.press("2", "down", "down")
	d.see("◐ moving", "copying root disk", "1 GiB")
	d.press("m")
	d.see("Cancel the move of db?", "stays where it is")
	d.press("y")
	d.see("Cancel the move of db, revision 10")
	if vm := lab.State().VMs["db"]; vm.Hypervisor != "thinkpad" || vm.MovingTo != "" {
		t.Errorf("%+v", vm)
	}
	moving(lab, "db", model.MoveStatus{Phase: model.MoveArriving, Note: "for the guest to come up on nuc"}, model.MoveTo("db", "nuc"), model.Arrive("db", "nuc"))
	d.see("waits for the guest to come up")
	d.press("m")
	d.see("Take db back to thinkpad?", "since it arrived is lost")
	d.press("y")
	d.see("Take db back to thinkpad, revision 12")
	if vm := lab.State().VMs["db"]; vm.Hypervisor != "nuc" || !vm.Returns() {
		t.Errorf("%+v", vm)
	}
}

// What a move says is of those alone that go.
func TestMoveOfSeveral(t *testing.T) {
	lab := newLab()
	if _, err := lab.commit("ada", "vm stop dns", 0, changeVM("dns", func(vm *model.VM) { vm.Running = false })); err != nil {
		t.Fatal(err)
	}
	d := drive(t, lab, 120, 40)
	d.press("2", "*", "m")
	d.see("Move 8 VMs to", "36 GiB needed", "20.5 GiB needed")
	d.press("down", "down", "enter")
	d.see("Move 4 VMs to thinkpad?", "games and media are shut down", "the guests are", "dns stays stopped; its disks are copied", "backup has no domain now", "Already on thinkpad: ci, db, devenv and web.", "dns moves to thinkpad with its disks, and stays stopped")
}
