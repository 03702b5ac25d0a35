package model_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"homelab/model"
)

func TestValidLab(t *testing.T) {
	for name, s := range map[string]*model.State{"new": model.NewState(), "lab": lab()} {
		if err := model.Validate(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// edit changes one object of the lab, whatever kind it is of.
func edit[T any](name string, change func(*T)) model.Edit {
	return model.Change(name, 0, func(o *T) error { change(o); return nil })
}

func settings(change func(*model.Settings)) model.Edit {
	return func(s *model.State) error { change(&s.Settings); return nil }
}

func image(url, checksum string) model.Edit {
	return edit("debian", func(i *model.Image) { i.Path, i.URL, i.Checksum = "", url, checksum })
}

func pool(p model.Pool) model.Edit {
	return edit("thinkpad", func(h *model.Hypervisor) { h.Pools = append(h.Pools[:2:2], p) })
}

func TestPresetsAreValid(t *testing.T) {
	for _, p := range model.ImagePresets() {
		i, ok := model.PresetImage(p.Name)
		if err := model.Validate(with(t, lab(), model.Add(i))); !ok || !i.Verified() || err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestRules(t *testing.T) {
	type VM = model.VM
	type HV = model.Hypervisor
	long := strings.Repeat("a", 64)
	tests := []struct {
		field string // "" is valid
		edit  model.Edit
	}{
		{"name", edit("web", func(v *VM) { v.Name = "Web" })},
		{"name", edit("web", func(v *VM) { v.Name = "web_1" })},
		{"name", edit("web", func(v *VM) { v.Name = "-web" })},
		{"name", edit("web", func(v *VM) { v.Name = "" })},
		{"name", edit("web", func(v *VM) { v.Name = "web\n" })},
		{"name", edit("web", func(v *VM) { v.Name = `${file("/etc/shadow")}` })},
		{"name", edit("web", func(v *VM) { v.Name = long })},
		{"name", edit("web", func(v *VM) { v.Name = long[:52] })}, // and "-on-thinkpad" is 64
		{"", edit("web", func(v *VM) { v.Name = long[:51] })},
		{"", edit("web", func(v *VM) { v.Name = "0-1" })},
		{"id", edit("web", func(v *VM) { v.ID = "ABCDEF012345" })},
		{"profiles", edit("web", func(v *VM) { v.Profiles = nil })},
		{"profiles", edit("web", func(v *VM) { v.Profiles = []string{"default", "default"} })},
		{"profiles", edit("web", func(v *VM) { v.Profiles = []string{"nope"} })},
		{"hypervisor", edit("web", func(v *VM) { v.Hypervisor = "nope" })},
		{"hypervisor", edit("web", func(v *VM) { v.Hypervisor = "" })},
		{"image", edit("web", func(v *VM) { v.Image = "nope" })},
		{"salt_master", edit("web", func(v *VM) { v.SaltMaster = "nope" })},
		{"role", edit("web", func(v *VM) { v.Role = "web server" })},
		{"", edit("web", func(v *VM) { v.Role = "web.server_1" })},
		{"memory_mib", edit("web", func(v *VM) { v.MemoryMiB = 0 })},
		{"cpus", edit("web", func(v *VM) { v.CPUs = 0 })},
		{"nics", edit("web", func(v *VM) { v.NICs = 17 })},
		{"disk_gib", edit("web", func(v *VM) { v.DiskGiB = -1 })},
		{"extra_disk_gib", edit("web", func(v *VM) { v.ExtraDiskGiB = 1 << 20 })},
		{"extra_pool", edit("web", func(v *VM) { v.ExtraPool = "ramdisk" })},
		{"", edit("web", func(v *VM) { v.ExtraPool = "storage" })},
		{"rebuild", edit("web", func(v *VM) { v.Rebuild = -1 })},
		{"ip", edit("web", func(v *VM) { v.IP = "10.0.0" })},
		{"ip", edit("web", func(v *VM) { v.IP = "10.0.0.0/24" })},
		{"ip", edit("web", func(v *VM) { v.IP = "10.0.0.255/24" })},
		{"ip", edit("web", func(v *VM) { v.IP = "224.0.0.1/24" })},
		{"ip", edit("web", func(v *VM) { v.IP = "fe80::1%eth0" })},
		{"", edit("web", func(v *VM) { v.IP = "10.0.0.255/23" })},
		{"", edit("web", func(v *VM) { v.IP = "fd00::5" })},
		{"name", edit("thinkpad", func(h *HV) { h.Name = "think.pad" })},
		{"platform", edit("thinkpad", func(h *HV) { h.Platform = "xen" })},
		{"accel", edit("thinkpad", func(h *HV) { h.Accel = "" })},
		{"policy", edit("thinkpad", func(h *HV) { h.Policy = "yolo" })},
		{"power_wanted", edit("thinkpad", func(h *HV) { h.PowerWanted = "maybe" })},
		{"network", edit("thinkpad", func(h *HV) { h.Network = "eth0" })},
		{"network", edit("thinkpad", func(h *HV) { h.Network = "macvtap:eth0 eth1" })},
		{"network", edit("thinkpad", func(h *HV) { h.Network = "bridge:a-name-beyond-15" })},
		{"", edit("thinkpad", func(h *HV) { h.Network = "macvtap:enp0s20f0u4" })},
		{"pools", edit("thinkpad", func(h *HV) { h.Pools = nil })},
		{"pools", edit("thinkpad", func(h *HV) { h.Pools = append(h.Pools[:2:2], model.Pool{Name: "x", Path: "rel"}) })},
		{"pools", edit("thinkpad", func(h *HV) { h.Pools = append(h.Pools[:2:2], model.Pool{Name: "x", Path: "/srv/storage"}) })},
		{"pools", edit("thinkpad", func(h *HV) { h.Pools = append(h.Pools[:2:2], model.Pool{Name: "x", Path: "/a/../etc"}) })},
		{"outlets", edit("thinkpad", func(h *HV) { h.Outlets = []string{"nope"} })},
		{"address", edit("thinkpad", func(h *HV) { h.Address = "a b" })},
		{"", edit("thinkpad", func(h *HV) { h.Address = "fd00::1" })},
		{"path", edit("debian", func(i *model.Image) { i.Path = "debian.qcow2" })},
		{"path", edit("debian", func(i *model.Image) { i.Path = "/img/a\nb" })},
		{"path", edit("debian", func(i *model.Image) { i.Path = "/img/\u202egpj" })},
		{"", edit("debian", func(i *model.Image) { i.Path = "/img/${x} \"y\".qcow2" })},
		{"checksum", edit("debian", func(i *model.Image) { i.Checksum = "sha256:abc" })},
		{"", edit("debian", func(i *model.Image) { i.Checksum = "sha256:" + strings.Repeat("0a", 32) })},
		{"checksum", edit("debian", func(i *model.Image) { i.Checksum = "https://x.example/SHA256SUMS" })}, // of a path
		{"path", edit("debian", func(i *model.Image) { i.URL, i.Checksum = "https://x.example/d.qcow2", "none" })},
		{"path", edit("debian", func(i *model.Image) { i.Path = "" })},
		{"checksum", image("https://x.example/d.qcow2", "")},
		{"url", image("ftp://x.example/d.qcow2", "none")},
		{"url", image("https:///d.qcow2", "none")},
		{"url", image("https://x.example/", "none")},
		{"url", image("https://ann:secret@x.example/d.qcow2", "none")},
		{"url", image("file://d.qcow2", "")},
		{"checksum", image("https://x.example/d.qcow2", "file:///SHA256SUMS")},
		{"checksum", image("https://x.example/d.qcow2", "md5:00")},
		{"", image("https://x.example/d.qcow2?arch=amd64", "https://x.example/SHA512SUMS")},
		{"", image("http://x.example:8000/d.qcow2", "none")},
		{"", image("file:///img/d.qcow2", "")},
		{"extra_format", edit("web", func(v *VM) { v.ExtraFormat = "vmdk" })},
		{"", edit("web", func(v *VM) { v.ExtraFormat = "raw" })},
		{"gateway", edit("web", func(v *VM) { v.Gateway = "10.0.0.1" })},
		{"gateway", edit("web", func(v *VM) { v.IP, v.Gateway = "10.0.0.5", "10.0.1.1" })},
		{"gateway", edit("web", func(v *VM) { v.IP, v.Gateway = "10.0.0.5", "10.0.0.5" })},
		{"gateway", edit("web", func(v *VM) { v.IP, v.Gateway = "10.0.0.5", "router" })},
		{"", edit("web", func(v *VM) { v.IP, v.Gateway, v.DNS = "10.0.0.5", "10.0.0.9", []string{"9.9.9.9"} })},
		{"dns", edit("web", func(v *VM) { v.DNS = []string{"9.9.9.9"} })},
		{"dns", edit("web", func(v *VM) { v.IP, v.DNS = "10.0.0.5", []string{"nine"} })},
		{"pools", pool(model.Pool{Name: "x", Path: "/x", NFS: "nas"})},
		{"pools", pool(model.Pool{Name: "x", Path: "/x", NFS: "nas:/a,b"})},
		{"pools", pool(model.Pool{Name: "x", Path: "/x", NFS: "nas:/a", TmpfsMiB: 64})},
		{"pools", pool(model.Pool{Name: "x", Path: "/x", TmpfsMiB: -1})},
		{"pools", edit("thinkpad", func(h *HV) { h.Pools = []model.Pool{{Name: "default", Path: "/x", TmpfsMiB: 64}} })},
		{"", pool(model.Pool{Name: "x", Path: "/x", NFS: "nas.lan:/volume1/vms"})},
		{"", pool(model.Pool{Name: "x", Path: "/x", TmpfsMiB: 64})},
		{"requires", edit("switch", func(o *model.Outlet) { o.Requires = []string{"plug"} })},
		{"requires", edit("plug", func(o *model.Outlet) { o.Requires = []string{"plug"} })},
		{"groups", edit("plug", func(o *model.Outlet) { o.Groups = []string{"a b"} })},
		{"driver", edit("plug", func(o *model.Outlet) { o.Driver = "x10" })},
		{"on_url", edit("plug", func(o *model.Outlet) { o.HTTP.OnURL = "ftp://x/" })},
		{"on_url", edit("plug", func(o *model.Outlet) { o.HTTP.OnURL = "" })},
		{"off_url", edit("plug", func(o *model.Outlet) { o.HTTP.OffURL = "http://ann:secret@10.0.0.9/off" })},
		{"status_url", edit("plug", func(o *model.Outlet) { o.HTTP.StatusURL = "http:///x" })},
		{"on_match", edit("plug", func(o *model.Outlet) { o.HTTP.OnMatch = "(" })},
		{"method", edit("plug", func(o *model.Outlet) { o.HTTP.Method = "DELETE" })},
		{"on_body", edit("plug", func(o *model.Outlet) { o.HTTP.OnBody = "\x00" })},
		{"address", edit("pi", func(m *model.SaltMaster) { m.Address = "" })},
		{"active", edit("weekend", func(p *model.Profile) { p.Active = true })},
		{"role", edit("ann", func(u *model.User) { u.Role = "root" })},
		{"keys", edit("ann", func(u *model.User) { u.Keys = append(u.Keys[:1:1], u.Keys[0]) })},
		{"fingerprint", edit("ann", func(u *model.User) { u.Keys = []model.Key{{PublicKey: someKey, Fingerprint: "SHA256:x"}} })},
		{"guest_user", settings(func(s *model.Settings) { s.GuestUser = "Ann B" })},
		{"ssh_keys", settings(func(s *model.Settings) { s.SSHKeys = []string{"ssh-ed25519 AAAA"} })},
		{"ssh_keys", settings(func(s *model.Settings) { s.SSHKeys = []string{someKey + " x\nssh-rsa"} })},
		{"", settings(func(s *model.Settings) { s.SSHKeys = []string{someKey + " ann's \"${key}\""} })},
		{"gateway", settings(func(s *model.Settings) { s.Gateway = "router" })},
		{"dns", settings(func(s *model.Settings) { s.DNS = []string{"10.0.0.1", "10.0.0.1"} })},
		{"search", settings(func(s *model.Settings) { s.Search = []string{"a..b"} })},
		{"timezone", settings(func(s *model.Settings) { s.Timezone = "../etc/passwd" })},
		{"", settings(func(s *model.Settings) { s.Timezone = "Europe/Amsterdam" })},
		{"salt_master", settings(func(s *model.Settings) { s.SaltMaster = "nope" })},
		{"hypervisor", model.Add(model.Invite{Hypervisor: "nope", Fingerprint: "SHA256:x"})},
	}
	for i, tt := range tests {
		// References of what was renamed follow or dangle: those are other problems.
		err := model.Validate(with(t, lab(), tt.edit))
		fields := model.FieldErrors(err)
		found := tt.field == "" && err == nil
		for _, f := range fields {
			found = found || f.Field == tt.field
		}
		if !found {
			t.Errorf("case %d: wanted %q, got %v", i, tt.field, err)
		}
	}
}

func TestAddressesAreOncePerProfile(t *testing.T) {
	db := vm(2, "db")
	db.IP = "10.0.0.5/16"
	s := with(t, lab(), changeVM("web", func(v *model.VM) { v.IP = "10.0.0.5" }), model.Add(db))
	if err := model.Validate(s); err == nil || !strings.Contains(err.Error(), `VM "web": ip "10.0.0.5" is the address of VM "db" already, in profile "default"`) {
		t.Errorf("got %v", err)
	}
	s = with(t, s, changeVM("db", func(v *model.VM) { v.Profiles = []string{"weekend"} }))
	if err := model.Validate(s); err != nil {
		t.Error(err)
	}
}

func TestHostNamesAreUnique(t *testing.T) {
	a, b := vm(2, "a"), vm(3, "a-on-b")
	a.Hypervisor, b.Hypervisor = "b-on-c", "c"
	s := with(t, lab(), model.Add(model.NewHypervisor("b-on-c")), model.Add(model.NewHypervisor("c")), model.Add(a), model.Add(b))
	if err := model.Validate(s); err == nil || !strings.Contains(err.Error(), "a-on-b-on-c") {
		t.Errorf("got %v", err)
	}
}

func TestMessageNamesFieldValueAndRule(t *testing.T) {
	err := model.Validate(with(t, lab(), changeVM("web", func(v *model.VM) { v.MemoryMiB = 3 })))
	if want := `VM "web": memory_mib "3" must be between 16 and 4194304 MiB`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	for want, e := range map[string]model.Edit{
		`VM "web": image "arch" is no image of this lab; it has debian and fedora`: changeVM("web", func(v *model.VM) { v.Image = "arch" }),
		`VM "web": image "" must name an image; it has debian and fedora`:          changeVM("web", func(v *model.VM) { v.Image = "" }),
	} {
		if err := model.Validate(with(t, lab(), e)); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
	for kind, want := range map[model.Kind]string{model.KindImage: "an image", model.KindUser: "a user", model.KindVM: "a VM"} {
		if got := (&model.ExistsError{Ref: model.Ref{Kind: kind, Name: "ann"}}).Error(); got != `there is already `+want+` named "ann"` {
			t.Error(got)
		}
	}
	f := model.FieldErrors(fmt.Errorf("around: %w", errors.Join(errors.New("x"), err)))
	if len(f) != 1 || f[0].Field != "memory_mib" || f[0].Value != "3" || f[0].Ref.Name != "web" {
		t.Errorf("got %v", f)
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	s := lab()
	for i := range 500 {
		v := vm(i+10, fmt.Sprintf("v%d", i))
		v.CPUs = 0
		s.VMs[v.Name] = v
	}
	if n := strings.Count(model.Validate(s).Error(), "\n"); n != 50 {
		t.Errorf("%d lines", n+1)
	}
}

func TestRemovalOfWhatIsUsed(t *testing.T) {
	before := lab()
	for want, e := range map[string]model.Edit{
		`image "debian" is still used by VM "web"`:                                      model.Remove[model.Image]("debian"),
		`hypervisor "thinkpad" is still used by VM "web"`:                               model.Remove[model.Hypervisor]("thinkpad"),
		`outlet "plug" is still used by hypervisor "desktop" and hypervisor "thinkpad"`: model.Remove[model.Outlet]("plug"),
		`outlet "switch" is still used by outlet "plug"`:                                model.Remove[model.Outlet]("switch"),
		`no admin with a key`:  model.Remove[model.User]("ann"),
		`no profile is active`: model.Remove[model.Profile]("default"),
	} {
		err := model.Check(before, with(t, before, e), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wanted %s, got %v", want, err)
		}
	}
}

func TestRenamingTakesReferencesAlong(t *testing.T) {
	before := lab()
	before.Settings.SaltMaster = "pi"
	after := with(t, before,
		edit("debian", func(i *model.Image) { i.Name = "debian-12" }),
		edit("default", func(p *model.Profile) { p.Name = "home" }),
		edit("pi", func(m *model.SaltMaster) { m.Name = "salt" }),
		edit("plug", func(o *model.Outlet) { o.Name = "rack-plug" }),
		edit("switch", func(o *model.Outlet) { o.Name = "big-switch" }))
	if err := model.Check(before, after, nil); err != nil {
		t.Error(err)
	}
	if impacts := model.Preview(before, after, nil); len(impacts) != 0 {
		t.Errorf("a rename does %v", impacts)
	}
	if got := before.VMs["web"].Profiles[0]; got != "default" {
		t.Errorf("the state before has profile %q", got)
	}
}

func TestParseKey(t *testing.T) {
	_, fingerprint, comment, err := model.ParseKey(someKey + " ann@pi at home")
	if err != nil || comment != "ann@pi at home" || !strings.HasPrefix(fingerprint, "SHA256:") || len(fingerprint) != 50 {
		t.Errorf("got %q %q %v", fingerprint, comment, err)
	}
	for _, bad := range []string{"", "ssh-ed25519", "ssh-dss AAAA", someKey[:60], strings.Replace(someKey, "ssh-ed25519", "ssh-rsa", 1), `command="x" ` + someKey} {
		if _, _, _, err := model.ParseKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func BenchmarkValidate1000(b *testing.B) {
	s := lab()
	for i := range 1000 {
		v := vm(i+10, fmt.Sprintf("vm-%d", i))
		v.IP = fmt.Sprintf("10.1.%d.%d/16", i/200, 2+i%200)
		s.VMs[v.Name] = v
	}
	if err := model.Validate(s); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = model.Validate(s)
	}
}

// Whoever comes second is told, whatever the names are.
func TestConflictsAreOfWhatChanged(t *testing.T) {
	before := with(t, lab(), changeVM("web", func(v *model.VM) { v.IP = "10.0.0.5" }))
	for _, name := range []string{"aaa", "zzz"} {
		second := vm(7, name)
		second.IP = "10.0.0.5"
		err := model.Check(before, with(t, before, model.Add(second)), nil)
		if err == nil || err.Error() != `VM "`+name+`": ip "10.0.0.5" is the address of VM "web" already, in profile "default"` {
			t.Errorf("%s: %v", name, err)
		}
	}
}
