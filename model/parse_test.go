package model_test

import (
	"net/netip"
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"homelab/model"
)

func TestPoolsInALine(t *testing.T) {
	for _, text := range []string{"default=/var/lib/libvirt/images", "nas=/srv/nas nfs:nas.lan:/volume1/vms", "ramdisk=/srv/r tmpfs:4GiB", "r=/srv/r tmpfs:300MiB"} {
		if p, err := model.ParsePool(text); err != nil || p.String() != text {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "x", "x=rel", "x=/a zfs:b", "x=/a tmpfs:lots"} {
		if p, err := model.ParsePool(text); err == nil {
			t.Errorf("%q is %q", text, p)
		}
	}
}

func TestSizes(t *testing.T) {
	const bad = -1
	for text, want := range map[string][2]int{
		"2048": {2048, 2048}, "4GiB": {4096, 4}, "512MiB": {512, bad}, "1.5GiB": {1536, bad}, "1TiB": {1 << 20, 1024}, "2048MiB": {2048, 2},
		" 4 gib ": {4096, 4}, "4G": {4096, 4}, "0": {0, 0}, "": {bad, bad}, "GiB": {bad, bad}, "-1": {bad, bad}, "1.5": {bad, bad}, "1e3": {bad, bad},
		"4XiB": {bad, bad}, "99999999999": {bad, bad}, "1.2.3": {bad, bad}, ".": {bad, bad}, "NaN": {bad, bad}, "0x10": {bad, bad},
	} {
		mib, err := model.ParseMiB(text)
		if err != nil {
			mib = bad
		}
		gib, err := model.ParseGiB(text)
		if err != nil {
			gib = bad
		}
		if mib != want[0] || gib != want[1] {
			t.Errorf("%q is %d MiB, %d GiB", text, mib, gib)
		}
	}
}

func TestAddressAndGateway(t *testing.T) {
	for _, tt := range []struct{ ip, setting, want, gateway string }{
		{"192.168.1.20", "", "192.168.1.20/24", "192.168.1.1"},
		{"192.168.1.20/16", "", "192.168.1.20/16", "192.168.0.1"},
		{"192.168.1.20", "192.168.1.254", "192.168.1.20/24", "192.168.1.254"},
		{"192.168.1.20", "10.0.0.1", "192.168.1.20/24", "192.168.1.1"},
		{"192.168.1.20", "fd00::1", "192.168.1.20/24", "192.168.1.1"},
		{"192.168.1.1", "", "192.168.1.1/24", "invalid IP"},
		{"192.168.1.20/32", "", "192.168.1.20/32", "invalid IP"},
		{"fd00::20", "", "fd00::20/64", "fd00::1"},
		{"fd00::20/48", "fd00::ff", "fd00::20/48", "fd00::ff"},
	} {
		p, err := model.ParseIP(tt.ip)
		if err != nil || p.String() != tt.want {
			t.Errorf("%s is %v, %v", tt.ip, p, err)
		}
		if got := model.Gateway(p, tt.setting).String(); got != tt.gateway {
			t.Errorf("the gateway of %s with %q is %s", tt.ip, tt.setting, got)
		}
	}
	for _, bad := range []string{"", "x", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/024", "fe80::1%eth0", "10.0.0"} {
		if p, err := model.ParseIP(bad); err == nil {
			t.Errorf("%q is %v", bad, p)
		}
	}
	if got := model.Gateway(netip.Prefix{}, ""); got.IsValid() {
		t.Errorf("no network has the gateway %v", got)
	}
}

func TestMAC(t *testing.T) {
	if got := model.MAC("0123456789ab", 0); got != model.MAC("0123456789ab", 0) || !regexp.MustCompile(`^52:54(:[0-9a-f]{2}){4}$`).MatchString(got) {
		t.Errorf("got %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[0-9a-f]{12}`).Draw(t, "id")
		if model.MAC(id, 0) == model.MAC(id, 1) {
			t.Fatal("two NICs have one address")
		}
	})
}

func TestSplitNetwork(t *testing.T) {
	for text, want := range map[string][2]string{
		"macvtap:eno1": {"macvtap", "eno1"}, "bridge:br0": {"bridge", "br0"}, "nat:default": {"nat", "default"},
		"": {}, "eno1": {}, "macvtap:": {}, "vlan:1": {},
	} {
		kind, name, err := model.SplitNetwork(text)
		if (err != nil) != (want == [2]string{}) || err == nil && (kind != want[0] || name != want[1]) {
			t.Errorf("%q is %q %q, %v", text, kind, name, err)
		}
	}
}

func TestFold(t *testing.T) {
	r := model.Run{State: model.RunQueued}
	res := func(address string, s model.ResourceStatus) model.Record {
		return model.Record{Resource: &model.Resource{Address: address, Status: s}}
	}
	for _, rec := range []model.Record{
		{State: model.RunApplying, Summary: &model.Summary{Add: 2, Total: 2}},
		res("a", model.ResourcePending), res("b", model.ResourceRunning), res("a", model.ResourceDone), res("a", model.ResourceDone),
	} {
		r.Fold(rec)
	}
	before := r.Clone()
	r.Fold(res("b", model.ResourceFailed))
	r.Fold(model.Record{State: model.RunFailed, Error: "no space"})
	r.Fold(model.Record{State: model.RunSucceeded})
	if r.State != model.RunFailed || r.Error != "no space" || r.Summary.Done != 2 || len(r.Resources) != 2 {
		t.Errorf("got %+v", r)
	}
	if before.Resources[1].Status != model.ResourceRunning {
		t.Error("a clone was written into")
	}
}
