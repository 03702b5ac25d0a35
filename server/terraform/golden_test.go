package terraform

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

var update = flag.Bool("update", false, "write the goldens anew")

// goldenLab is a small real lab: what is in it, and what does not belong to
// this hypervisor or has no domain now.
func goldenLab(platform string) *model.State {
	s := newLab(platform)
	s.Profiles["away"] = model.Profile{Name: "away"}
	s.Images["plain"] = model.Image{Name: "plain", Path: "/srv/plain.img"}
	s.SaltMasters["attic"] = model.SaltMaster{Name: "attic", Address: "salt.attic.home.arpa"}
	s.Hypervisors["elsewhere"] = model.NewHypervisor("elsewhere")
	web, db, lan, kept, gone, away := newVM(1), newVM(2), newVM(3), newVM(4), newVM(5), newVM(6)
	web.Name = "web"
	db.Name, db.NICs, db.Running, db.Rebuild, db.IP, db.SaltMaster = "db", 3, false, 2, "fd00:17::5/64", "attic"
	lan.Name, lan.IP, lan.Role, lan.Image, lan.DiskGiB, lan.ExtraDiskGiB, lan.ExtraPool = "lan", "", "", "plain", 0, 0, ""
	kept.Name, kept.Enabled = "kept", false
	media := model.NewShare("media")
	media.Server, media.Export, media.Options = "nas.home.arpa", "/volume1/media", []string{"ro"}
	s.Shares["media"] = media
	s.Shares["six"] = model.Share{Name: "six", Server: "fd00:17::9", Export: "/six", Mount: "/srv/six"}
	s.Settings.Locale, s.Settings.Packages, s.Settings.Hosts = "nl_NL.UTF-8", []string{"htop"}, true
	s.Roles["db"] = model.GuestRole{Name: "db", Packages: []string{"postgresql"}, UserData: "#cloud-config\n# tuned\nwrite_files:\n- {path: /etc/x, permissions: '0600', content: \"a\\nb\"}\nruncmd:\n- systemctl restart x\nsalt_minion: {conf: {log_level: debug}}\n"}
	web.Shares, db.Shares, db.Role = []string{"media", "six"}, []string{"media"}, "db"
	gone.Name, gone.Profiles = "gone", []string{"away"}
	away.Name, away.Hypervisor = "away", "elsewhere"
	return addVMs(s, web, db, lan, kept, gone, away)
}

// keptIn are the disks that the agent of the golden lab reports.
func keptIn(s *model.State) []model.Disk {
	return []model.Disk{
		{VM: s.VMs["kept"].ID, Disk: model.DiskRoot},
		{VM: s.VMs["kept"].ID, Disk: model.DiskExtra},
		{VM: "000000000000", Disk: model.DiskRoot}, // of a VM that was removed
	}
}

func TestGolden(t *testing.T) {
	for _, platform := range []string{model.PlatformLibvirt, model.PlatformSandbox} {
		t.Run(platform, func(t *testing.T) {
			s := goldenLab(platform)
			c := render(t, s, keptIn(s)...)
			name := filepath.Join("testdata", platform+".txt")
			if *update {
				if err := os.WriteFile(name, []byte(c.Text()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if d := cmp.Diff(string(want), c.Text()); d != "" {
				t.Errorf("the config of the golden lab (-want +got):\n%s", d)
			}
		})
	}
}
