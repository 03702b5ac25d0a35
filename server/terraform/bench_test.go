package terraform

import (
	"testing"

	"homelab/model"
)

// TestSize holds the config of 1,000 ordinary VMs under 4 MB.
func TestSize(t *testing.T) {
	for _, platform := range []string{model.PlatformLibvirt, model.PlatformSandbox} {
		c := render(t, bigLab(platform, 1000))
		t.Logf("%s: %d bytes", platform, len(c.Tar))
		if len(c.Tar) >= 4_000_000 {
			t.Errorf("%s: the config of 1,000 VMs has %d bytes", platform, len(c.Tar))
		}
	}
}

func BenchmarkRenderCold1000(b *testing.B) {
	s := bigLab(model.PlatformLibvirt, 1000)
	for b.Loop() {
		b.ReportMetric(float64(len(render(b, s).Tar)), "bytes/config")
	}
}

// BenchmarkRenderWarm1000 renders after one of 1,000 VMs changed, tar and
// digest included.
func BenchmarkRenderWarm1000(b *testing.B) {
	s := bigLab(model.PlatformLibvirt, 1000)
	r := NewRenderer()
	if _, err := r.Render(Input{State: s, Hypervisor: "thinkpad"}); err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		vm := s.VMs["vm-0500"]
		vm.MemoryMiB = 1024 + n
		s.VMs["vm-0500"] = vm
		if _, err := r.Render(Input{State: s, Hypervisor: "thinkpad"}); err != nil {
			b.Fatal(err)
		}
	}
}
