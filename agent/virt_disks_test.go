package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadDisks(t *testing.T) {
	disks, err := readDisks(`<domain><devices>
<disk type='file' device='disk'><source file='/img/web'/><target dev='vda'/></disk>
<disk type='file' device='cdrom'><source file='/img/seed.iso'/><target dev='hdd'/></disk>
<disk type='block'><source dev='/dev/vg/data'/><target dev='vdb'/></disk>
<disk type='volume' device='disk'><source pool='default' volume='more'/><target dev='vdc'/></disk>
<disk type='network' device='disk'><source protocol='nbd' name='x'/><target dev='vdd'/></disk>
</devices></domain>`)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Target, Place        string
		Holds, InWeb, InMore bool
	}
	var got []seen
	for _, d := range disks {
		got = append(got, seen{
			d.Target.Dev, d.place(), d.holds(),
			d.in(volume{"default", "web"}, "/img/web"), d.in(volume{"default", "more"}, "/img/more"),
		})
	}
	want := []seen{
		{"vda", "/img/web", true, true, false},
		{"hdd", "/img/seed.iso", false, false, false},
		{"vdb", "/dev/vg/data", true, false, false},
		{"vdc", "default/more", true, false, true},
		{"vdd", "a disk over the network", true, false, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := readDisks("<domain"); err == nil {
		t.Error("no XML is read as one")
	}
}
