package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

func TestReadDisks(t *testing.T) {
	disks, targets, err := readDisks(`<domain><devices>
<disk type='file' device='disk'><source file='/img/web'/><target dev='vda'/></disk>
<disk type='file' device='cdrom'><source file='/img/seed.iso'/><target dev='hdd'/></disk>
<disk type='block'><source dev='/dev/vg/data'/><target dev='vdb'/></disk>
<disk type='volume' device='disk'><source pool='default' volume='more'/><target dev='vdc'/></disk>
<disk type='network' device='disk'><source protocol='nbd' name='x'/><target dev='vdd'/></disk>
</devices></domain>`)
	want := []model.GuestDisk{{Path: "/img/web"}, {Path: "/dev/vg/data"}, {Path: "default/more"}, {Path: "a disk over the network"}}
	if d := cmp.Diff(want, disks); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if d := cmp.Diff([]string{"vda", "vdb", "vdc", "vdd"}, targets); d != "" {
		t.Error(d)
	}
	if _, _, err := readDisks("<domain"); err == nil {
		t.Error("no XML is read as one")
	}
}
