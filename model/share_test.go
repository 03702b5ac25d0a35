package model

import (
	"strings"
	"testing"
	"time"
)

// withShare is a lab with one VM that mounts one share.
func withShare() *State {
	s := NewState()
	s.Hypervisors["hv"] = NewHypervisor("hv")
	s.Outlets["plug"] = Outlet{Name: "plug", Driver: DriverSimulated}
	s.Images["debian"] = Image{Name: "debian", Path: "/img/debian.qcow2"}
	media := NewShare("media")
	media.Server, media.Export = "nas.lan", "/volume1/media"
	s.Shares["media"] = media
	vm := NewVM("web")
	vm.Hypervisor, vm.Image, vm.Shares = "hv", "debian", []string{"media"}
	s.VMs["web"] = vm
	return s
}

func TestShareRules(t *testing.T) {
	share := func(change func(*Share)) Edit {
		return Change("media", 0, func(sh *Share) error { change(sh); return nil })
	}
	second := func(mount string) Edit {
		return Edits(Add(Share{Name: "second", Server: "nas", Export: "/b", Mount: mount}),
			Change("web", 0, func(vm *VM) error { vm.Shares = []string{"media", "second"}; return nil }))
	}
	for want, edit := range map[string]Edit{
		"":                                  share(func(sh *Share) { sh.Server, sh.Options = "fd00::5", []string{"ro", "vers=4.2", "sec=krb5:sys"} }),
		`server "nas lan"`:                  share(func(sh *Share) { sh.Server = "nas lan" }),
		`server "-o"`:                       share(func(sh *Share) { sh.Server = "-o" }),
		`export "volume1"`:                  share(func(sh *Share) { sh.Export = "volume1" }),
		`export "/a b"`:                     share(func(sh *Share) { sh.Export = "/a b" }),
		`mount "/a\tb"`:                     share(func(sh *Share) { sh.Mount = "/a\tb" }),
		`mount "/mnt/../etc"`:               share(func(sh *Share) { sh.Mount = "/mnt/../etc" }),
		`mount "/" must be`:                 share(func(sh *Share) { sh.Mount = "/" }),
		`mount "/etc" is a folder`:          share(func(sh *Share) { sh.Mount = "/etc" }),
		`mount "/proc/x" is a folder`:       share(func(sh *Share) { sh.Mount = "/proc/x" }),
		`options "ro,exec"`:                 share(func(sh *Share) { sh.Options = []string{"ro,exec"} }),
		`options "a b"`:                     share(func(sh *Share) { sh.Options = []string{"a b"} }),
		`options "auto" would have`:         share(func(sh *Share) { sh.Options = []string{"auto"} }),
		`options "ro" is there twice`:       share(func(sh *Share) { sh.Options = []string{"ro", "ro"} }),
		`outlet "plugg" is no outlet`:       share(func(sh *Share) { sh.Outlet = "plugg" }),
		`hypervisor "h" is no hypervisor`:   share(func(sh *Share) { sh.Hypervisor = "h" }),
		`outlet "plug" cannot be given`:     share(func(sh *Share) { sh.Outlet, sh.Hypervisor = "plug", "hv" }),
		`is still used by VM "web"`:         Remove[Share]("media"),
		`shares "lost" is no share`:         Change("web", 0, func(vm *VM) error { vm.Shares = []string{"lost"}; return nil }),
		`shares "media" is there twice`:     Change("web", 0, func(vm *VM) error { vm.Shares = []string{"media", "media"}; return nil }),
		`neither can lie in the other`:      second("/mnt/media/films"),
		`neither can lie in the other `:     second("/mnt"),
		`is mounted at /mnt/media, and med`: second("/mnt/media"),
	} {
		before := withShare()
		after := before.Clone()
		err := edit(after)
		if err == nil {
			err = Check(before, after, nil)
		}
		if want == "" {
			if err != nil {
				t.Error(err)
			}
		} else if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestShareRemovals: what a share hangs on stays while the share does, and a
// rename takes all along.
func TestShareRemovals(t *testing.T) {
	before := withShare()
	sh := before.Shares["media"]
	sh.Outlet = "plug"
	before.Shares["media"] = sh
	after := before.Clone()
	if err := Remove[Outlet]("plug")(after); err != nil {
		t.Fatal(err)
	}
	if err := Check(before, after, nil); err == nil || !strings.Contains(err.Error(), `outlet "plug" is still used by share "media"`) {
		t.Error(err)
	}
	after = before.Clone()
	err := Edits(
		Change("plug", 0, func(o *Outlet) error { o.Name = "nas"; return nil }),
		Change("media", 0, func(sh *Share) error { sh.Name = "films"; return nil }),
	)(after)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(before, after, nil); err != nil {
		t.Error(err)
	}
	if got := after.Shares["films"]; got.Outlet != "nas" || got.Mount != "/mnt/media" || after.VMs["web"].Shares[0] != "films" {
		t.Errorf("%+v, mounted as %q", got, after.VMs["web"].Shares)
	}
	if before.VMs["web"].Shares[0] != "media" {
		t.Error("the state before was written into")
	}
}

func TestMountOptions(t *testing.T) {
	for _, c := range []struct {
		server  string
		options []string
		want    string
	}{
		{"nas", nil, "nas:/x noauto,x-systemd.automount,x-systemd.idle-timeout=600,nofail,_netdev"},
		{"fd00::5", []string{"ro"}, "[fd00::5]:/x noauto,x-systemd.automount,x-systemd.idle-timeout=600,nofail,_netdev,ro"},
		{"192.0.2.1", []string{"x-systemd.idle-timeout=60"}, "192.0.2.1:/x noauto,x-systemd.automount,nofail,_netdev,x-systemd.idle-timeout=60"},
	} {
		s := Share{Server: c.server, Export: "/x", Options: c.options}
		if got := s.Source() + " " + s.MountOptions(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestAwakeServer(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	watts := func(w float64) *float64 { return &w }
	yes, no := Ping{At: at, Answers: true}, Ping{At: at}
	for _, c := range []struct {
		name   string
		share  Share
		outlet OutletStatus
		idle   float64
		agent  AgentState
		ping   Ping
		want   Power
		why    string
	}{
		{"nothing tells", Share{}, OutletStatus{}, 0, "", Ping{}, PowerUnknown, "nothing tells"},
		{"a ping alone", Share{}, OutletStatus{}, 0, "", yes, PowerOn, "answers a ping"},
		{"no answer", Share{}, OutletStatus{}, 0, "", no, PowerOff, "answers no ping"},
		{"outlet off beats an answer that was", Share{Outlet: "plug"}, OutletStatus{State: PowerOff}, 0, "", yes, PowerOff, "outlet plug is off"},
		{"outlet on, asleep", Share{Outlet: "plug"}, OutletStatus{State: PowerOn}, 0, "", no, PowerOff, "no ping"},
		{"outlet on, nobody may ping", Share{Outlet: "plug"}, OutletStatus{State: PowerOn}, 0, "", Ping{}, PowerOn, "outlet plug is on"},
		{"draws little", Share{Outlet: "plug"}, OutletStatus{State: PowerOn, Watts: watts(7)}, 20, "", yes, PowerOff, "7 W, less than the 20 W"},
		{"draws much", Share{Outlet: "plug"}, OutletStatus{State: PowerOn, Watts: watts(35)}, 20, "", yes, PowerOn, "ping"},
		{"no limit", Share{Outlet: "plug"}, OutletStatus{State: PowerOn, Watts: watts(7)}, 0, "", yes, PowerOn, "ping"},
		{"outlet unknown", Share{Outlet: "plug"}, OutletStatus{State: PowerUnknown, Error: "no route"}, 0, "", Ping{}, PowerUnknown, "no route"},
		{"a hypervisor", Share{Hypervisor: "hv"}, OutletStatus{}, 0, AgentOnline, no, PowerOn, "agent of hv"},
		{"one that is off", Share{Hypervisor: "hv"}, OutletStatus{}, 0, AgentOffline, no, PowerOff, "no ping"},
	} {
		state := NewState()
		state.Outlets["plug"] = Outlet{Name: "plug", IdleWatts: c.idle}
		status := Status{Outlets: map[string]OutletStatus{"plug": c.outlet}, Hypervisors: map[string]HypervisorStatus{"hv": {Agent: c.agent}}}
		got := AwakeServer(c.share, state, status, c.ping)
		if got.Awake != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %s, %s", c.name, got.Awake, got.Why)
		}
	}
}

// TestReach: what a change of cloud-init says of when it reaches the guest.
func TestReach(t *testing.T) {
	settings := func(change func(*Settings)) Edit {
		return func(s *State) error { change(&s.Settings); return nil }
	}
	role := func(data string) Edit {
		return EditRole("web", 0, func(r *GuestRole) error { r.UserData = data; return nil })
	}
	both := Edits(settings(func(v *Settings) { v.Hosts, v.Locale = true, "C.UTF-8" }))
	for _, c := range []struct {
		edit    Edit
		want    string
		rebuild bool
	}{
		{settings(func(v *Settings) { v.Packages = []string{"htop"} }), "web is changed in place (packages); packages reaches the guest when it is rebuilt", true},
		{settings(func(v *Settings) { v.Hosts = true }), "web is changed in place (hosts); hosts reaches the guest when it is stopped and started", false},
		{both, "web is changed in place (locale and hosts); locale reaches the guest when it is rebuilt; hosts reaches the guest when it is stopped and started", true},
		{role("packages: [nginx]"), "web is changed in place (user data); user data reaches the guest when it is rebuilt", true},
		{Change("web", 0, func(vm *VM) error { vm.Shares = nil; return nil }), "web is changed in place (shares); shares reaches the guest when it is rebuilt", true},
		{Change("media", 0, func(sh *Share) error { sh.Options = []string{"ro"}; return nil }), "web is changed in place (shares); shares reaches the guest when it is rebuilt", true},
		{Change("media", 0, func(sh *Share) error { sh.Name = "films"; return nil }), "", false},
		{Edits(settings(func(v *Settings) { v.Hosts = true }), Change("web", 0, func(vm *VM) error { vm.MemoryMiB = 2048; return nil })), "web is restarted (memory and hosts); its disks stay", false},
	} {
		before := withShare()
		vm := before.VMs["web"]
		vm.Role, vm.IP = "web", "192.168.1.20/24"
		before.VMs["web"] = vm
		after := before.Clone()
		if err := c.edit(after); err != nil {
			t.Fatal(err)
		}
		if err := Check(before, after, nil); err != nil {
			t.Fatal(err)
		}
		impacts := Preview(before, after, nil)
		got, rebuild := "", false
		if len(impacts) > 0 {
			got, rebuild = impacts[0].String(), impacts[0].AwaitsRebuild()
		}
		if got != c.want || rebuild != c.rebuild {
			t.Errorf("%q, rebuild %v; want %q", got, rebuild, c.want)
		}
	}
}

// TestEditRole: a role needs nothing, and is nothing once it has nothing.
func TestEditRole(t *testing.T) {
	s := NewState()
	set := func(packages ...string) error {
		return EditRole("web", 0, func(r *GuestRole) error { r.Packages = packages; return nil })(s)
	}
	if err := set("nginx"); err != nil || len(s.Roles) != 1 {
		t.Fatal(err, s.Roles)
	}
	if err := set(); err != nil || len(s.Roles) != 0 {
		t.Fatal(err, s.Roles)
	}
	if err := EditRole("web", 3, func(*GuestRole) error { return nil })(s); err == nil {
		t.Error("a version of what is not there was taken")
	}
	for want, edit := range map[string]func(*GuestRole){
		"user_data":           func(r *GuestRole) { r.UserData = strings.Repeat("x", MaxUserData+1) },
		`packages "-y"`:       func(r *GuestRole) { r.Packages = []string{"-y"} },
		`packages "a b"`:      func(r *GuestRole) { r.Packages = []string{"a b"} },
		`user_data "a: \x1b"`: func(r *GuestRole) { r.UserData = "a: \x1b" },
	} {
		s := NewState()
		if err := EditRole("web", 0, func(r *GuestRole) error { edit(r); return nil })(s); err != nil {
			t.Fatal(err)
		}
		if err := Validate(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
